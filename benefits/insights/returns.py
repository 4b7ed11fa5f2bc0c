"""What a benefit brings: those who were given it against those who were left out, or alike.

Fixed horizon. The members first given a benefit by a rule, or first left out of it, within
`ENROL_DAYS` of the rule's first day are the trial; each is followed for `HORIZON_DAYS` from that
day, and nothing is computed before the last of them has been followed to the end. So there is
nothing to peek at: the figure appears once, on a day known beforehand, and stays.

Without a hold-out, members who used the benefit in a month are compared with alike members who
held it and did not (`effects.compare_matched`). Who uses a benefit is no accident, so this is
weaker evidence, and is marked so.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.db import connection, transaction

from benefits.catalogue.models import Benefit
from benefits.insights import effects
from benefits.insights._slices_sql import ACTIVE_GRANT
from benefits.insights.effects import Difference, Sums
from benefits.insights.models import ReturnEstimate
from benefits.insights.months import first_of, month_of
from benefits.rules.models import GrantRule
from core import clock
from tenants.brands.context import current_brand

ENROL_DAYS: Final = 31
HORIZON_DAYS: Final = 60
CONFIDENCE: Final = 0.95
# What a hold-out should be able to find: this share of what a member spends in the horizon.
EFFECT_SHARE: Final = 0.1
WANTED_POWER: Final = 0.8
OUTCOMES: Final = ("spend", "repurchase", "visits")

_ARMS = """
    SELECT member_id, bool_or(treated) AS treated,
           (min(at) AT TIME ZONE %(zone)s)::date AS on_date
      FROM (
        SELECT member_id, true AS treated, issued_at AS at FROM benefits_grant
         WHERE rule_id = %(rule)s AND benefit_id = %(benefit)s
        UNION ALL
        SELECT member_id, false, since FROM benefits_holdout WHERE rule_id = %(rule)s) AS seen
     GROUP BY member_id
    HAVING bool_or(treated) = bool_and(treated)
"""
_FIRST_DAY = """
SELECT least(
    (SELECT min(issued_at) FROM benefits_grant WHERE rule_id = %(rule)s),
    (SELECT min(since) FROM benefits_holdout WHERE rule_id = %(rule)s))
"""
# A table and not a part of the query: with its size known, all purchases of the time are read
# once, where a guess of a few members would look for each of them.
_KEEP_EXPOSED = (
    "DROP TABLE IF EXISTS pg_temp.insights_exposed",
    "CREATE TEMP TABLE insights_exposed ON COMMIT DROP AS {arms}",
    "ANALYZE insights_exposed",
)
# Per member: outcomes after the day, the same before it.
_FOLLOWED = """
    SELECT e.member_id, e.treated, e.on_date, coalesce(d.y, 0) AS y, coalesce(d.x, 0) AS x,
           (coalesce(d.orders, 0) >= 2)::int AS r, (coalesce(d.orders_before, 0) >= 2)::int AS rx,
           coalesce(d.visits, 0) AS v, coalesce(d.visits_before, 0) AS vx
      FROM pg_temp.insights_exposed e LEFT JOIN (
        SELECT e.member_id,
               sum(d.spend_minor - d.refunded_minor) FILTER (WHERE d.on_date >= e.on_date) AS y,
               sum(d.spend_minor - d.refunded_minor) FILTER (WHERE d.on_date < e.on_date) AS x,
               sum(d.orders) FILTER (WHERE d.on_date >= e.on_date) AS orders,
               sum(d.orders) FILTER (WHERE d.on_date < e.on_date) AS orders_before,
               count(*) FILTER (WHERE d.on_date >= e.on_date AND d.orders > 0) AS visits,
               count(*) FILTER (WHERE d.on_date < e.on_date AND d.orders > 0) AS visits_before
          FROM pg_temp.insights_exposed e JOIN members_memberday d ON d.member_id = e.member_id
           AND d.on_date >= e.on_date - %(days)s AND d.on_date < e.on_date + %(days)s
         WHERE d.on_date >= %(since)s AND d.on_date < %(until)s
         GROUP BY e.member_id) d USING (member_id)
"""
_SUMS = """
    count(*), sum(y::float8), sum(y::float8 * y), sum(x::float8), sum(x::float8 * x),
    sum(x::float8 * y), sum(r::float8), sum(r::float8), sum(rx::float8), sum(rx::float8),
    sum(rx::float8 * r), sum(v::float8), sum(v::float8 * v), sum(vx::float8), sum(vx::float8 * vx),
    sum(vx::float8 * v)
"""
_ENROLLED = f"SELECT * FROM ({_ARMS}) AS arm WHERE on_date < %(enrolled_until)s"  # noqa: S608
_TRIAL = f"""
WITH followed AS ({_FOLLOWED})
SELECT treated, {_SUMS} FROM followed GROUP BY treated
"""  # noqa: S608
_TRIAL_ROWS = f"""
WITH followed AS ({_FOLLOWED})
SELECT treated, y::float8, x::float8 FROM followed ORDER BY member_id
"""  # noqa: S608
_ALIKE = f"""
WITH used AS (
    SELECT DISTINCT member_id FROM benefits_redemption
     WHERE benefit_id = %(benefit)s AND requested_at >= %(starts)s AND requested_at < %(ends)s
       AND state NOT IN ('cancelled', 'failed')
), used_later AS (
    SELECT DISTINCT member_id FROM benefits_redemption
     WHERE benefit_id = %(benefit)s AND requested_at >= %(ends)s AND requested_at < %(over)s
)
SELECT member_id, true AS treated, %(from_on)s::date AS on_date FROM used
UNION ALL
SELECT DISTINCT g.member_id, false, %(from_on)s::date FROM benefits_grant g
 WHERE g.benefit_id = %(benefit)s AND {ACTIVE_GRANT}
   AND NOT EXISTS (SELECT 1 FROM used u WHERE u.member_id = g.member_id)
   AND NOT EXISTS (SELECT 1 FROM used_later u WHERE u.member_id = g.member_id)
"""  # noqa: S608
# Strata: how often and how much a member bought in the horizon before.
_MATCHED = f"""
WITH followed AS ({_FOLLOWED}), placed AS (
    SELECT *, CASE WHEN x <= 0 THEN 0 ELSE width_bucket(ln(x::float8), 0, 20, 40) END AS spent
      FROM followed
)
SELECT spent * 4 + rx * 2 + (vx > 3)::int AS stratum, treated, {_SUMS}
  FROM placed GROUP BY 1, 2 ORDER BY 1, 2
"""  # noqa: S608
_MARGIN = """
SELECT sum(l.amount_minor), sum(l.cost_minor)
  FROM members_purchase p JOIN members_purchaseline l ON l.purchase_id = p.id
 WHERE p.local_date >= %(year_ago)s AND p.local_date < %(as_of)s AND l.cost_minor IS NOT NULL
"""
_COST = """
SELECT coalesce(sum(r.cost_minor), 0) FROM benefits_redemption r
  JOIN benefits_grant g ON g.id = r.grant_id
 WHERE r.benefit_id = %(benefit)s AND r.state IN ('fulfilled', 'reversed')
   AND r.fulfilled_at >= %(starts)s AND r.fulfilled_at < %(over)s
   AND (%(rule)s::bigint IS NULL OR g.rule_id = %(rule)s)
"""
_FEES = """
SELECT coalesce(sum(p.amount_minor), 0) FROM benefits_mallpayment p
  JOIN benefits_mallorder o ON o.id = p.order_id JOIN benefits_mallitem i ON i.id = o.item_id
 WHERE i.benefit_id = %(benefit)s AND p.state = 'paid'
   AND p.paid_at >= %(starts)s AND p.paid_at < %(over)s
"""
_SPEND = """
SELECT count(*), coalesce(sum(spent), 0), coalesce(sum(spent * spent), 0) FROM (
    SELECT coalesce(sum(d.spend_minor - d.refunded_minor), 0)::float8 AS spent
      FROM members_member m LEFT JOIN members_memberday d ON d.member_id = m.id
       AND d.on_date >= %(since)s AND d.on_date < %(until)s
     WHERE m.status = 'active' GROUP BY m.id) AS each
"""


@dataclass(frozen=True, slots=True)
class Trial:
    """The hold-out of a rule: when it began, and the day from which its result can be known."""

    rule: GrantRule
    from_on: date
    ready_on: date


def find_trial(*, benefit: Benefit) -> Trial | None:
    """Return the latest trial of a benefit by a rule with a hold-out, ready or not."""
    zone = current_brand().timezone
    found = []
    for rule in GrantRule.objects.filter(
        benefit=benefit, hold_out_bp__gt=0, version__gte=1
    ).order_by("pk"):
        with connection.cursor() as cursor:
            cursor.execute(_FIRST_DAY, {"rule": rule.pk})
            first = cursor.fetchone()[0]
        if first is not None:
            from_on = clock.local_date(first, zone)
            ready_on = from_on + timedelta(days=ENROL_DAYS + HORIZON_DAYS)
            found.append(Trial(rule, from_on, ready_on))
    return max(found, key=lambda trial: trial.from_on, default=None)


def estimate_return(*, benefit: Benefit, at: datetime) -> ReturnEstimate | None:
    """Compute what a benefit brings and keep it; None while nothing can be known.

    By the hold-out of its rule once its horizon is over, otherwise by matching. The same day and
    rows give the same figures; a result by hold-out is computed once and stays.
    """
    today = clock.local_date(at, current_brand().timezone)
    trial = find_trial(benefit=benefit)
    with transaction.atomic():
        if trial is not None and trial.ready_on <= today:
            kept = ReturnEstimate.objects.filter(benefit=benefit, rule=trial.rule).first()
            return kept or _from_trial(benefit, trial, at)
        return _from_matching(benefit, today, at)


def _from_trial(benefit: Benefit, trial: Trial, at: datetime) -> ReturnEstimate | None:
    values = {
        **_window(trial.from_on, trial.from_on + timedelta(days=ENROL_DAYS)),
        "benefit": benefit.pk,
        "rule": trial.rule.pk,
    }
    groups: dict[bool, dict[str, Sums]] = {}
    with connection.cursor() as cursor:
        _expose(cursor, _ENROLLED, values)
        cursor.execute(_TRIAL, values)
        for treated, *sums in cursor.fetchall():
            groups[treated] = _sums(sums)
    if len(groups) < 2 or min(group["spend"].n for group in groups.values()) < effects.LEAST:
        return None
    found = {
        name: effects.compare(treated=groups[True][name], others=groups[False][name])
        for name in OUTCOMES
    }
    plain = effects.compare(
        treated=groups[True]["spend"], others=groups[False]["spend"], cuped=False
    )
    members = (int(groups[True]["spend"].n), int(groups[False]["spend"].n))
    interval = "welch"
    if min(members) < effects.RESAMPLE_BELOW:
        found["spend"], interval = _resampled(values), "bootstrap"
    return _keep(
        benefit, trial.rule, found, members, values, at, interval=interval,
        narrowed=float(1 - found["spend"].error / plain.error) if plain.error > 0 else None,
    )  # fmt: skip


def _expose(cursor: Any, arms: str, values: Mapping[str, Any]) -> None:
    """Write down who was given it and who was not, for the queries of this transaction."""
    for statement in _KEEP_EXPOSED:
        cursor.execute(statement.format(arms=arms), values if "{arms}" in statement else None)


def _resampled(values: Mapping[str, Any]) -> Difference:
    with connection.cursor() as cursor:
        cursor.execute(_TRIAL_ROWS, values)
        rows = cursor.fetchall()
    return effects.resample(
        treated=[(y, x) for treated, y, x in rows if treated],
        others=[(y, x) for treated, y, x in rows if not treated],
    )


def _from_matching(benefit: Benefit, today: date, at: datetime) -> ReturnEstimate | None:
    from_on = first_of(today - timedelta(days=HORIZON_DAYS + ENROL_DAYS))
    month = month_of(from_on, current_brand().timezone)
    values = {
        **_window(from_on, month.after),
        "benefit": benefit.pk,
        "rule": None,
        "ends": month.ends_at,
        "from_on": from_on,
    }
    strata: dict[int, dict[bool, dict[str, Sums]]] = {}
    with connection.cursor() as cursor:
        _expose(cursor, _ALIKE, values)
        cursor.execute(_MATCHED, values)
        for stratum, treated, *sums in cursor.fetchall():
            strata.setdefault(stratum, {})[treated] = _sums(sums)
    both = [s for s in strata.values() if len(s) == 2]
    found: dict[str, Difference] = {}
    for name in OUTCOMES:
        difference = effects.compare_matched(strata=[(s[True][name], s[False][name]) for s in both])
        if difference is None:
            return None
        found[name] = difference
    usable = [s for s in both if min(s[True]["spend"].n, s[False]["spend"].n) >= 2]
    members = tuple(int(sum(s[kind]["spend"].n for s in usable)) for kind in (True, False))
    if min(members) < effects.LEAST:
        return None
    return _keep(
        benefit, None, found, (members[0], members[1]), values, at, interval="normal", narrowed=None
    )


def _window(from_on: date, enrolled_until: date) -> dict[str, Any]:
    zone = current_brand().timezone
    over = enrolled_until + timedelta(days=HORIZON_DAYS)
    return {
        "zone": zone,
        "days": HORIZON_DAYS,
        "enrolled_until": enrolled_until,
        "since": from_on - timedelta(days=HORIZON_DAYS),
        "until": over,
        "starts": _instant(from_on, zone),
        "over": _instant(over, zone),
        "as_of": over,
        "year_ago": over - timedelta(days=365),
        "first": from_on,
    }


def _instant(day: date, zone: str) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone))


def _sums(row: list[Any]) -> dict[str, Sums]:
    n, *rest = row
    return {name: Sums(n, *rest[k * 5 : k * 5 + 5]) for k, name in enumerate(OUTCOMES)}


def _keep(
    benefit: Benefit,
    rule: GrantRule | None,
    found: Mapping[str, Difference],
    members: tuple[int, int],
    values: Mapping[str, Any],
    at: datetime,
    *,
    interval: str,
    narrowed: float | None,
) -> ReturnEstimate:
    with connection.cursor() as cursor:
        cursor.execute(_MARGIN, values)
        amount, cost_of_goods = cursor.fetchone()
        cursor.execute(_COST, values)
        cost = int(cursor.fetchone()[0])
        cursor.execute(_FEES, values)
        fees = int(cursor.fetchone()[0])
    rate = 1 - float(cost_of_goods) / float(amount) if amount and amount > 0 else None
    outcomes = {
        name: {key: float(value) for key, value in asdict(difference).items()}
        for name, difference in found.items()
    }
    spend = outcomes["spend"]

    def roi(per_member: float) -> float | None:
        if rate is None or cost <= 0:
            return None
        return (per_member * rate * members[0] + fees) / cost

    with transaction.atomic():
        estimate, _made = ReturnEstimate.objects.update_or_create(
            benefit=benefit,
            rule=rule,
            from_on=values["first"],
            defaults={
                "method": "matched" if rule is None else "hold_out",
                "interval": interval,
                "until_on": values["until"],
                "treated": members[0],
                "others": members[1],
                "outcomes": outcomes,
                "narrowed": narrowed,
                "margin_rate": rate,
                "cost_minor": cost,
                "fees_minor": fees,
                "roi": roi(spend["estimate"]),
                "roi_low": roi(spend["low"]),
                "roi_high": roi(spend["high"]),
                "computed_at": at,
            },
        )
    return estimate


def get_return(*, benefit: Benefit) -> ReturnEstimate | None:
    """Return the latest result of a benefit, one by hold-out before one by matching."""
    return (
        ReturnEstimate.objects.filter(benefit=benefit)
        .select_related("rule")
        .order_by("method", "-from_on", "-pk")
        .first()
    )


@dataclass(frozen=True, slots=True)
class HoldOutPlan:
    """What a hold-out can find: `effect_minor` per member in the horizon, with that chance.

    `least` is the fewest members to leave out for the wanted chance; None: no split is enough.
    """

    held_out: int
    least: int | None
    power: float
    effect_minor: int
    days: int


def plan_hold_out(*, audience: int, held_out: int, at: datetime) -> HoldOutPlan | None:
    """Say what leaving out so many of an audience can find, by how members spend now.

    None where nobody has bought anything in the horizon before.
    """
    today = clock.local_date(at, current_brand().timezone)
    with connection.cursor() as cursor:
        cursor.execute(_SPEND, {"since": today - timedelta(days=HORIZON_DAYS), "until": today})
        n, total, squares = cursor.fetchone()
    if n < 2 or total <= 0:
        return None
    mean = total / n
    deviation = max((squares - n * mean * mean) / (n - 1), 0.0) ** 0.5
    effect = mean * EFFECT_SHARE
    return HoldOutPlan(
        held_out=held_out,
        least=effects.least_hold_out(
            audience=audience, effect=effect, deviation=deviation, wanted=WANTED_POWER
        ),
        power=effects.power(
            effect=effect, deviation=deviation, treated=audience - held_out, others=held_out,
            alpha=1 - CONFIDENCE,
        ),
        effect_minor=round(effect),
        days=ENROL_DAYS + HORIZON_DAYS,
    )  # fmt: skip


def review_hold_out(
    rule: GrantRule, audience: int, held_out: int, at: datetime
) -> list[tuple[str, dict[str, Any]]]:
    """Warn, before a rule is published, of a hold-out from which nothing could be learned."""
    if not rule.hold_out_bp or not audience:
        return []
    plan = plan_hold_out(audience=audience, held_out=held_out, at=at)
    if plan is None or plan.power >= WANTED_POWER:
        return []
    code = "hold_out_small" if plan.least is not None else "hold_out_hopeless"
    return [
        (
            code,
            {
                "held_out": plan.held_out,
                "least": plan.least,
                "power": round(plan.power, 2),
                "effect_minor": plan.effect_minor,
                "days": plan.days,
            },
        )
    ]
