"""Birthdays: what the rules give all members of a range who have theirs, in a few statements."""

from calendar import isleap
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection, transaction

from members.earning._keys import OCCASION_KEY_SQL
from members.earning._matching import live_rules
from members.earning.models import EarningRule
from members.earning.rules import BASIS, POINTS, is_capped, wallets_of
from members.earning.triggers import BIRTHDAY
from members.earning.values import BirthdayOutcome
from members.points.operations import earn_from_query
from members.points.values import MAX_POINTS
from members.segments.conditions import compile_sql, parse
from members.tiers.models import TierChange
from members.tiers.operations import raise_many
from tenants.brands.context import current_brand
from tenants.events.operations import emit_many

_LOCK = """
SELECT member.id FROM members_member AS member
JOIN members_memberpersonal AS personal ON personal.member_id = member.id
WHERE member.id >= %(low)s AND member.id < %(high)s AND member.status = 'active'
    AND to_char(personal.birthday, 'MM-DD') = ANY(%(days)s)
    AND (member.enrolled_at AT TIME ZONE %(zone)s)::date <= %(on)s
ORDER BY member.id FOR NO KEY UPDATE OF member
"""
# The multiplier of the tier held; who has none yet holds the first of the scheme in force.
_BORN = """
CREATE TEMPORARY TABLE birthday_member ON COMMIT DROP AS
SELECT born.id AS member_id, COALESCE(tier.multiplier_bp, (
        SELECT first.multiplier_bp FROM members_tier AS first
        JOIN members_tierscheme AS scheme ON scheme.id = first.scheme_id
        WHERE first.rank = 1 AND scheme.status <> 'draft' AND scheme.starts_on <= %(on)s
        ORDER BY scheme.version DESC LIMIT 1), 10000) AS tier_bp
FROM unnest(%(members)s::bigint[]) AS born (id)
LEFT JOIN members_membertier AS held ON held.member_id = born.id
LEFT JOIN members_tier AS tier ON tier.id = held.tier_id
"""
_RAW = """
SELECT born.member_id, {rule}::bigint AS rule_id, '{wallet}'::varchar AS wallet,
    LEAST({amount}, {most})::bigint AS raw, {cap}::bigint AS cap, {tier} AS tier_bp,
    {pending}::int AS pending_days, '{group}'::varchar AS stack_group,
    {stacking} AS is_best, {priority} AS priority
FROM birthday_member AS born WHERE {matches}
"""
_WRITE = """
CREATE TEMPORARY TABLE birthday_earning ON COMMIT DROP AS
WITH raw AS ({raw}), placed AS (
    SELECT raw.*, CASE WHEN stack_group = '' THEN 1 ELSE row_number() OVER (
        PARTITION BY member_id, wallet, stack_group
        ORDER BY CASE WHEN is_best THEN raw END DESC, priority, rule_id) END AS place
    FROM raw
), written AS (
    INSERT INTO members_occasionearning
        (rule_id, member_id, wallet, occasion, on_date, amount, raw, tier_bp, at)
    SELECT rule_id, member_id, wallet, %(occasion)s, %(on)s, LEAST(raw, cap), raw, tier_bp, %(at)s
    FROM placed WHERE place = 1 AND raw > 0 AND NOT EXISTS (
        SELECT FROM members_occasionearning AS earlier
        WHERE earlier.member_id = placed.member_id AND earlier.occasion = %(occasion)s)
    ORDER BY member_id, rule_id, wallet DESC
    ON CONFLICT (member_id, rule_id, wallet, occasion) DO NOTHING
    RETURNING id, rule_id, member_id, wallet, occasion, amount
)
SELECT written.*, placed.pending_days FROM written
JOIN placed USING (rule_id, member_id, wallet)
"""
_POSTINGS = f"""
SELECT row_number() OVER (ORDER BY member_id, rule_id, wallet DESC),
    (CASE wallet WHEN 'points' THEN 1 ELSE 2 END)::smallint, member_id, amount,
    {OCCASION_KEY_SQL}, %s::timestamptz, %s::date,
    CASE WHEN pending_days IS NOT NULL
        THEN %s::timestamptz + make_interval(hours => 24 * pending_days) END,
    NULL::date, 'occasion', id, jsonb_build_object('rule', rule_id, 'trigger', 'birthday')
FROM birthday_earning WHERE amount > 0
"""  # noqa: S608
_TOLD = """
SELECT member_id, COALESCE(sum(amount) FILTER (WHERE wallet = 'points'), 0)::bigint,
    COALESCE(sum(amount) FILTER (WHERE wallet = 'growth'), 0)::bigint
FROM birthday_earning GROUP BY member_id HAVING sum(amount) > 0 ORDER BY member_id
"""


def birthdays_on(day: date) -> list[str]:
    """Return the birthdays (month and day) that are kept on a day.

    Who was born on 29 February has it on the 28th in other years.
    """
    days = [f"{day:%m-%d}"]
    if (day.month, day.day) == (2, 28) and not isleap(day.year):
        days.append("02-29")
    return days


def credit_birthdays(*, low: int, high: int, on: date, at: datetime) -> BirthdayOutcome:
    """Credit the birthday rules to all members with keys in [low, high) who have theirs on a day.

    In one transaction. Once a year and member: run again, it changes nothing. Members who joined
    after the day, and rules that are younger than it, do not count. Event: `points.credited`.
    """
    zone = current_brand().timezone
    moment = datetime.combine(on, time(), tzinfo=ZoneInfo(zone))
    rules = [rule for rule in live_rules(trigger=BIRTHDAY) if _is_in_force(rule, moment, zone)]
    if not rules:
        return BirthdayOutcome()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('statement_timeout', '600s', true)")
        cursor.execute(
            _LOCK,
            {"low": low, "high": high, "days": birthdays_on(on), "zone": zone, "on": on},
        )
        members = [row[0] for row in cursor.fetchall()]
        if not members:
            return BirthdayOutcome()
        cursor.execute(_BORN, {"members": members, "on": on})
        sql, params = _statement(rules, at)
        cursor.execute(sql, {**params, "occasion": f"birthday:{on.year}", "on": on, "at": moment})
        earn_from_query(query=_POSTINGS, parameters=[moment, on, moment])
        cursor.execute(_TOLD)
        told = cursor.fetchall()
        cursor.execute("DROP TABLE birthday_member, birthday_earning")
        if any(growth for _member, _points, growth in told):
            raise_many(member_ids=[row[0] for row in told], at=at, cause=TierChange.Cause.EVENT)
        emit_many(
            type="points.credited",
            events=[
                (
                    f"member:{member}",
                    {
                        "member_id": member,
                        "occasion": f"birthday:{on.year}",
                        "points": points,
                        "growth": growth,
                    },
                )
                for member, points, growth in told
            ],
            at=at,
        )
    return BirthdayOutcome(members=len(told), points=sum(row[1] for row in told))


def _is_in_force(rule: EarningRule, moment: datetime, zone: str) -> bool:
    made = rule.created_at.astimezone(ZoneInfo(zone)).date()
    return (
        made <= moment.date()
        and (rule.starts_at is None or rule.starts_at <= moment)
        and (rule.ends_at is None or rule.ends_at > moment)
    )


def _statement(rules: list[EarningRule], at: datetime) -> tuple[str, dict[str, Any]]:
    params: dict[str, Any] = {}
    parts = []
    for rule in rules:
        matches = "TRUE"
        if rule.condition:
            compiled = compile_sql(parse(rule.condition), at=at, prefix=f"c{rule.pk}_")
            params |= compiled.params
            matches = f"born.member_id IN ({compiled.sql})"
        caps = [cap for cap in (rule.cap_per_day, rule.cap_per_month) if cap is not None]
        params[f"group_{rule.pk}"] = rule.stack_group
        for wallet in wallets_of(rule):
            is_points = wallet == POINTS
            parts.append(
                _RAW.format(
                    rule=int(rule.pk),
                    wallet=wallet,
                    amount=(
                        f"div({int(rule.points)}::numeric * born.tier_bp, {BASIS})"
                        if is_points
                        else int(rule.points)
                    ),
                    most=MAX_POINTS,
                    cap=min(caps) if is_capped(rule) else "NULL",
                    tier="born.tier_bp" if is_points else "NULL::int",
                    pending="NULL" if rule.pending_days is None else int(rule.pending_days),
                    group="{group}",
                    stacking=str(rule.stacking == EarningRule.Stacking.BEST).upper(),
                    priority=int(rule.priority),
                    matches=matches,
                ).replace("'{group}'", f"%(group_{rule.pk})s")
            )
    return _WRITE.format(raw=" UNION ALL ".join(parts)), params
