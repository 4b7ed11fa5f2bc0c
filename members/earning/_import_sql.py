"""`rules.compute` in SQL, over all purchases of a file. See `imports` for how it is used."""

from datetime import datetime
from typing import Any

from members.earning._keys import EARNING_KEY_SQL
from members.earning.models import EarningRule
from members.earning.rules import BASIS, GROWTH, POINTS, wallets_of
from members.points.values import MAX_POINTS
from members.segments.conditions import compile_sql, parse
from members.tiers.models import TierScheme

Statement = tuple[str, dict[str, Any]]

# One row per purchase, in the order in which they count. `amount` is what it adds to the metric.
_ORDER = """
CREATE TEMPORARY TABLE earning_order ON COMMIT DROP AS
SELECT row_number() OVER (ORDER BY added.occurred_at, added.purchase_id) AS ordinal,
    added.purchase_id, added.member_id, added.occurred_at, added.local_date, added.amount_minor,
    member.status = 'active' AS earns, 0::bigint AS amount, {basis} AS multiplier_bp,
    {campaign}::int AS campaign_bp
FROM {table} AS added JOIN members_member AS member ON member.id = added.member_id
"""

_WORK = """
CREATE TEMPORARY TABLE earning_work (
    ordinal bigint NOT NULL,
    purchase_id bigint NOT NULL,
    member_id bigint NOT NULL,
    occurred_at timestamptz NOT NULL,
    local_date date NOT NULL,
    rule_id bigint NOT NULL,
    wallet varchar(8) NOT NULL,
    amount bigint NOT NULL,
    pending_days int,
    eligible bigint NOT NULL,
    tier_bp int,
    campaign_bp int,
    is_capped bool NOT NULL
) ON COMMIT DROP
"""

_RAW = """
SELECT added.ordinal, added.purchase_id, added.member_id, added.occurred_at, added.local_date,
    {rule}::bigint AS rule_id, '{wallet}'::varchar AS wallet, {eligible} AS eligible,
    LEAST(div({numerator}, {denominator}), {most})::bigint AS raw,
    {pending}::int AS pending_days, {day_cap}::bigint AS day_cap, {month_cap}::bigint AS month_cap,
    added.multiplier_bp, added.campaign_bp
FROM earning_order AS added{lines}
WHERE added.earns AND {matches}
"""

# Running totals: what a cap leaves of an amount is the growth of the capped total.
_AMOUNTS = """
INSERT INTO earning_work (ordinal, purchase_id, member_id, occurred_at, local_date, rule_id,
    wallet, amount, pending_days, eligible, tier_bp, campaign_bp, is_capped)
WITH raw AS ({raw}), daily AS (
    SELECT raw.*, date_trunc('month', raw.local_date)::date AS month,
        {day_amount} AS day_amount
    FROM raw{day_used}
), monthly AS (
    SELECT daily.*, {month_amount} AS given
    FROM daily{month_used}
)
SELECT ordinal, purchase_id, member_id, occurred_at, local_date, rule_id, wallet, given::bigint,
    pending_days, eligible, {bps}, day_cap IS NOT NULL OR month_cap IS NOT NULL
FROM monthly WHERE given > 0
"""

_DAY_AMOUNT = (
    "LEAST(raw.day_cap, COALESCE(used.amount, 0) + sum(raw.raw) OVER same_day) "
    "- LEAST(raw.day_cap, COALESCE(used.amount, 0) + sum(raw.raw) OVER same_day - raw.raw)"
)
_DAY_USED = """ LEFT JOIN (
        SELECT member_id, rule_id, on_date, sum(amount) AS amount FROM members_earning
        WHERE is_capped AND wallet = '{wallet}' AND rule_id = ANY(%(capped)s)
            AND member_id IN (SELECT member_id FROM earning_order)
        GROUP BY member_id, rule_id, on_date
    ) AS used ON used.member_id = raw.member_id AND used.rule_id = raw.rule_id
        AND used.on_date = raw.local_date
    WINDOW same_day AS (PARTITION BY raw.member_id, raw.rule_id, raw.local_date
        ORDER BY raw.ordinal ROWS UNBOUNDED PRECEDING)"""
_MONTH_AMOUNT = (
    "LEAST(daily.month_cap, COALESCE(used.amount, 0) + sum(daily.day_amount) OVER same_month) "
    "- LEAST(daily.month_cap, "
    "COALESCE(used.amount, 0) + sum(daily.day_amount) OVER same_month - daily.day_amount)"
)
_MONTH_USED = """ LEFT JOIN (
        SELECT member_id, rule_id, date_trunc('month', on_date)::date AS month,
            sum(amount) AS amount
        FROM members_earning
        WHERE is_capped AND wallet = '{wallet}' AND rule_id = ANY(%(capped)s)
            AND member_id IN (SELECT member_id FROM earning_order)
        GROUP BY 1, 2, 3
    ) AS used ON used.member_id = daily.member_id AND used.rule_id = daily.rule_id
        AND used.month = daily.month
    WINDOW same_month AS (PARTITION BY daily.member_id, daily.rule_id, daily.month
        ORDER BY daily.ordinal ROWS UNBOUNDED PRECEDING)"""
_GAINS = {
    TierScheme.Metric.GROWTH: (
        "UPDATE earning_order SET amount = gained.amount FROM ("
        "SELECT ordinal, sum(amount)::bigint AS amount FROM earning_work "
        "WHERE wallet = 'growth' GROUP BY ordinal) AS gained "
        "WHERE gained.ordinal = earning_order.ordinal"
    ),
    TierScheme.Metric.SPEND: "UPDATE earning_order SET amount = amount_minor",
    TierScheme.Metric.ORDERS: "UPDATE earning_order SET amount = 1",
}

_POSTINGS = f"""
SELECT row_number() OVER (ORDER BY ordinal, rule_id, wallet DESC),
    (CASE wallet WHEN 'points' THEN 1 ELSE 2 END)::smallint, member_id, amount,
    {EARNING_KEY_SQL}, occurred_at, local_date,
    CASE WHEN pending_days IS NOT NULL
        THEN occurred_at + make_interval(hours => 24 * pending_days) END,
    NULL::date, 'purchase', purchase_id, jsonb_build_object('rule', rule_id)
FROM earning_work
"""  # noqa: S608

_EARNINGS = """
INSERT INTO members_earning (purchase_id, rule_id, wallet, member_id, on_date, amount,
    eligible_minor, tier_bp, campaign_bp, is_capped)
SELECT purchase_id, rule_id, wallet, member_id, local_date, amount, eligible, tier_bp, campaign_bp,
    is_capped
FROM earning_work ORDER BY purchase_id, rule_id, wallet
"""


class Compiler:
    """Makes the statements of one import from the live rules."""

    work_table = _WORK
    postings = _POSTINGS
    earnings = _EARNINGS

    def __init__(self, rules: list[EarningRule], *, at: datetime, has_lines: bool) -> None:
        self._at = at
        self._has_lines = has_lines
        self._givers = [rule for rule in rules if rule.effect != EarningRule.Effect.MULTIPLIER]
        self._multipliers = [rule for rule in rules if rule.effect == EarningRule.Effect.MULTIPLIER]

    @property
    def gives_anything(self) -> bool:
        """Say whether any rule gives points or growth."""
        return bool(self._givers)

    def order_table(self, table: str, *, tier_bp: int) -> Statement:
        """Make the table of purchases in their order, with the campaign that each falls in."""
        params: dict[str, Any] = {}
        cases = []
        for rule in self._multipliers:
            matches = self._matches(rule, params)
            if rule.categories:
                matches += f" AND {self._has_category(rule, params)}"
            cases.append(f"CASE WHEN {matches} THEN {int(rule.multiplier_bp)} END")
        campaign = f"COALESCE(GREATEST({', '.join(cases)}), {BASIS})" if cases else str(BASIS)
        return _ORDER.format(basis=tier_bp, campaign=campaign, table=table), params

    def growth(self) -> Statement:
        """Add what the purchases give in growth."""
        return self._amounts(GROWTH)

    def points(self) -> Statement:
        """Add what the purchases give in points; the multipliers are there by then."""
        return self._amounts(POINTS)

    def gains(self, metric: str) -> Statement:
        """Note what each purchase adds to the metric of the tiers."""
        return _GAINS.get(TierScheme.Metric(metric), "SELECT 1"), {}

    def _amounts(self, wallet: str) -> Statement:
        params: dict[str, Any] = {}
        givers = [rule for rule in self._givers if wallet in wallets_of(rule)]
        if not givers:
            return "SELECT 1", {}
        raw = " UNION ALL ".join(self._raw(rule, wallet, params) for rule in givers)
        by_day = any(rule.cap_per_day is not None for rule in givers)
        by_month = any(rule.cap_per_month is not None for rule in givers)
        if by_day or by_month:
            params["capped"] = [rule.pk for rule in givers]
        text = _AMOUNTS.format(
            raw=raw,
            day_amount=_DAY_AMOUNT if by_day else "raw.raw",
            day_used=_DAY_USED.format(wallet=wallet) if by_day else "",
            month_amount=_MONTH_AMOUNT if by_month else "daily.day_amount",
            month_used=_MONTH_USED.format(wallet=wallet) if by_month else "",
            bps="multiplier_bp, campaign_bp" if wallet == POINTS else "NULL, NULL",
        )
        return text, params

    def _raw(self, rule: EarningRule, wallet: str, params: dict[str, Any]) -> str:
        eligible, lines = "added.amount_minor", ""
        matches = self._matches(rule, params)
        if rule.categories:
            eligible = "matching.eligible"
            lines = (
                " CROSS JOIN LATERAL (SELECT LEAST(GREATEST(sum(line.amount_minor), 0), "  # noqa: S608
                "added.amount_minor)::bigint AS eligible FROM members_purchaseline AS line "
                "WHERE line.purchase_id = added.purchase_id "
                f"AND line.category = ANY({self._categories(rule, params)}) "
                "HAVING count(*) > 0) AS matching"  # noqa: RUF100, S608
            )
        numerator, denominator = str(int(rule.points)), "1::numeric"
        if rule.effect == EarningRule.Effect.PER_UNIT:
            numerator = f"{eligible}::numeric * {numerator}"
            denominator = f"{int(rule.unit_minor)}::numeric"
        if wallet == POINTS:
            numerator = f"({numerator})::numeric * added.multiplier_bp * added.campaign_bp"
            denominator = f"{denominator} * {BASIS * BASIS}"
        return _RAW.format(
            rule=rule.pk,
            wallet=wallet,
            eligible=eligible,
            numerator=f"({numerator})::numeric",
            denominator=denominator,
            most=MAX_POINTS,
            pending=_number(rule.pending_days),
            day_cap=_number(rule.cap_per_day),
            month_cap=_number(rule.cap_per_month),
            lines=lines,
            matches=matches,
        )

    def _matches(self, rule: EarningRule, params: dict[str, Any]) -> str:
        """Return when a rule holds for a purchase `added`, but for its categories."""
        parts = ["TRUE"]
        for column, sign in (("starts_at", ">="), ("ends_at", "<")):
            value = getattr(rule, column)
            if value is not None:
                params[f"{column}_{rule.pk}"] = value
                parts.append(f"added.occurred_at {sign} %({column}_{rule.pk})s")
        if rule.condition:
            compiled = compile_sql(parse(rule.condition), at=self._at, prefix=f"c{rule.pk}_")
            params |= compiled.params
            parts.append(f"added.member_id IN ({compiled.sql})")
        return " AND ".join(parts)

    def _categories(self, rule: EarningRule, params: dict[str, Any]) -> str:
        params[f"categories_{rule.pk}"] = list(rule.categories)
        return f"%(categories_{rule.pk})s::varchar[]"

    def _has_category(self, rule: EarningRule, params: dict[str, Any]) -> str:
        return (
            "EXISTS (SELECT FROM members_purchaseline AS line "
            "WHERE line.purchase_id = added.purchase_id "
            f"AND line.category = ANY({self._categories(rule, params)}))"
        )


def _number(value: int | None) -> str:
    return "NULL" if value is None else str(int(value))
