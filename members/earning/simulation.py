"""What a draft would have given on a month's real purchases: computed over sets, nothing stored.

Two runs of the arithmetic of imports over the same purchases: with the rules and campaigns that
are live now, and with the draft among them. So the stacking policy and the caps hold, and the
effect of the draft is the difference. A live item keeps its dates; the draft counts as if it had
been in force all month. Tiers are those of the time where they are known, else those of now;
conditions are held against the facts of now. Amounts are before refunds, like what was given.
"""

from calendar import monthrange
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db import connection, transaction

from core.clock import local_date
from members.earning._import_sql import Compiler
from members.earning._matching import live_campaigns, live_rules
from members.earning.campaign_operations import bonus_rule
from members.earning.errors import InvalidRuleError
from members.earning.models import Campaign, EarningRule
from members.earning.triggers import PURCHASE
from members.points.models import Wallet
from tenants.brands.context import current_brand

_MICRO = 1_000_000
_PURCHASES = """
CREATE TEMPORARY TABLE simulated_purchase ON COMMIT DROP AS
SELECT purchase.id AS purchase_id, purchase.member_id, purchase.occurred_at, purchase.local_date,
    purchase.amount_minor, purchase.channel, purchase.store_code,
    COALESCE(earned.tier_bp, tier.multiplier_bp, lowest.multiplier_bp, 10000) AS tier_bp,
    COALESCE(earned.given, 0) AS given, COALESCE(tier.code, lowest.code) AS tier
FROM members_purchase AS purchase
LEFT JOIN (
    SELECT earning.purchase_id, max(earning.tier_bp) AS tier_bp,
        sum(earning.amount) FILTER (WHERE earning.wallet = 'points')::bigint AS given
    FROM members_earning AS earning
    WHERE earning.on_date >= %(first)s AND earning.on_date < %(last)s
    GROUP BY earning.purchase_id
) AS earned ON earned.purchase_id = purchase.id
LEFT JOIN members_membertier AS held ON held.member_id = purchase.member_id
LEFT JOIN members_tier AS tier ON tier.id = held.tier_id
LEFT JOIN (
    SELECT rung.code, rung.multiplier_bp FROM members_tier AS rung
    JOIN members_tierscheme AS scheme ON scheme.id = rung.scheme_id
    WHERE rung.rank = 1 AND scheme.status <> 'draft' AND scheme.starts_on <= %(today)s
    ORDER BY scheme.version DESC LIMIT 1
) AS lowest ON TRUE
WHERE purchase.local_date >= %(first)s AND purchase.local_date < %(last)s
"""
_SUM = """
CREATE TEMPORARY TABLE {table} ON COMMIT DROP AS
SELECT member_id, sum(amount)::bigint AS points FROM earning_work
WHERE wallet = 'points' GROUP BY member_id
"""
_COMPARE = """
WITH bought AS (
    SELECT member_id, max(tier) AS tier, count(*) AS purchases, sum(given)::bigint AS given
    FROM simulated_purchase GROUP BY member_id
), compared AS (
    SELECT bought.*, COALESCE(before.points, 0) AS without, COALESCE(after.points, 0) AS points
    FROM bought
    LEFT JOIN simulated_without AS before ON before.member_id = bought.member_id
    LEFT JOIN simulated_with AS after ON after.member_id = bought.member_id
)
SELECT tier, count(*), sum(purchases)::bigint, count(*) FILTER (WHERE points <> without),
    sum(given)::bigint, sum(without)::bigint, sum(points)::bigint
FROM compared GROUP BY tier
"""
_TABLES = "simulated_purchase, simulated_without, simulated_with"


@dataclass(frozen=True, slots=True)
class Figures:
    """Members who bought, their purchases, those for whom the draft changes anything; points
    really given, those the live rules give in the simulation, and those with the draft."""

    members: int = 0
    purchases: int = 0
    reached: int = 0
    given: int = 0
    without: int = 0
    points: int = 0

    @property
    def effect(self) -> int:
        """The points that the draft adds (or takes, within its group)."""
        return self.points - self.without

    def __add__(self, other: "Figures") -> "Figures":
        return Figures(
            self.members + other.members,
            self.purchases + other.purchases,
            self.reached + other.reached,
            self.given + other.given,
            self.without + other.without,
            self.points + other.points,
        )


@dataclass(frozen=True, slots=True)
class Simulation:
    """What a draft would have done in a month; `by_tier` by the code of the tier held now, ""
    while the brand has none. Costs are at the wallet's cost per point, in minor units."""

    first: date
    last: date
    total: Figures
    by_tier: Mapping[str, Figures]
    cost_per_point_micro: int

    def cost_minor(self, points: int) -> int:
        """Return what points cost the brand, rounded to the nearest minor unit."""
        sign = -1 if points < 0 else 1
        return sign * ((abs(points) * self.cost_per_point_micro + _MICRO // 2) // _MICRO)


def simulate_rule(*, rule: EarningRule, at: datetime, month: date | None = None) -> Simulation:
    """Simulate a rule on purchases (stored or not) on a month's purchases; by default the last.

    :raises InvalidRuleError: if the rule is not on purchases.
    """
    if rule.trigger != PURCHASE:
        raise InvalidRuleError(pointer="/trigger")
    draft = copy(rule)
    draft.starts_at = draft.ends_at = None
    draft.pk = rule.pk or 0
    return _simulate(at=at, month=month, rule=draft)


def simulate_campaign(*, campaign: Campaign, at: datetime, month: date | None = None) -> Simulation:
    """Simulate a campaign (stored or not) on a month's purchases; by default the last month."""
    if campaign.effect == Campaign.Effect.BONUS:
        rule = bonus_rule(campaign)
        stored = EarningRule.objects.filter(campaign_id=campaign.pk or 0).first()
        rule.pk = stored.pk if stored is not None else 0
        rule.starts_at = rule.ends_at = None
        return _simulate(at=at, month=month, rule=rule)
    draft = copy(campaign)
    draft.pk = campaign.pk or 0
    # Nothing bought is outside of these.
    draft.starts_at = draft.ends_at = None  # type: ignore[assignment]
    return _simulate(at=at, month=month, campaign=draft)


def last_month(*, at: datetime) -> date:
    """Return the first day of the month before the brand's current one."""
    today = local_date(at, current_brand().timezone)
    return (today.replace(day=1) - timedelta(days=1)).replace(day=1)


def _simulate(
    *,
    at: datetime,
    month: date | None,
    rule: EarningRule | None = None,
    campaign: Campaign | None = None,
) -> Simulation:
    first = (month or last_month(at=at)).replace(day=1)
    last = first + timedelta(days=monthrange(first.year, first.month)[1])
    rules = [item for item in live_rules(trigger=PURCHASE) if rule is None or item.pk != rule.pk]
    campaigns = [item for item in live_campaigns() if campaign is None or item.pk != campaign.pk]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('statement_timeout', '120s', true)")
        cursor.execute("SELECT set_config('jit', 'off', true)")
        today = local_date(at, current_brand().timezone)
        cursor.execute(_PURCHASES, {"first": first, "last": last, "today": today})
        cursor.execute("ANALYZE simulated_purchase")
        _run(Compiler(rules, campaigns, at=at, has_lines=True, alone=True), "simulated_without")
        _run(
            Compiler(
                sorted([*rules, *([rule] if rule else [])], key=lambda item: item.pk),
                sorted([*campaigns, *([campaign] if campaign else [])], key=lambda it: it.pk),
                at=at,
                has_lines=True,
                alone=True,
            ),
            "simulated_with",
        )
        cursor.execute(_COMPARE)
        by_tier = {row[0] or "": Figures(*row[1:]) for row in cursor.fetchall()}
        cursor.execute(f"DROP TABLE {_TABLES}")
    cost = Wallet.objects.filter(code="points").values_list("cost_per_point_micro", flat=True)
    return Simulation(
        first=first,
        last=last - timedelta(days=1),
        total=sum(by_tier.values(), Figures()),
        by_tier=by_tier,
        cost_per_point_micro=cost[0],
    )


def _run(compiler: Compiler, table: str) -> None:
    statements: list[tuple[str, dict[str, Any]]] = [
        compiler.order_table("simulated_purchase", tier_bp="added.tier_bp"),
        ("ANALYZE earning_order", {}),
        (compiler.work_table, {}),
        compiler.points(),
        (_SUM.format(table=table), {}),
        (f"ANALYZE {table}", {}),
        ("DROP TABLE earning_work, earning_order", {}),
    ]
    with connection.cursor() as cursor:
        for sql, params in statements:
            cursor.execute(sql, params or None)
