"""Which rules match a member and a time, and what they have given already."""

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from django.db import connection

from members.earning.models import EarningRule
from members.earning.rules import Used, is_capped
from members.segments.conditions import evaluate, fields_of, parse
from members.segments.queries import member_facts

# By hand: each purchase asks, and a queryset costs more than all the rest of the question.
_COLUMNS = (
    "id",
    "name",
    "trigger",
    "effect",
    "wallets",
    "points",
    "unit_minor",
    "multiplier_bp",
    "pending_days",
    "cap_per_day",
    "cap_per_month",
    "starts_at",
    "ends_at",
    "status",
    "created_at",
    "categories",
    "condition",
)
_LIVE = f"""
SELECT {", ".join(_COLUMNS)} FROM members_earningrule
WHERE status = 'active' AND trigger = %(trigger)s
    AND (starts_at IS NULL OR starts_at <= %(occurred_at)s)
    AND (ends_at IS NULL OR ends_at > %(occurred_at)s)
ORDER BY id
"""  # noqa: S608
_USED = """
SELECT rule_id, wallet,
    COALESCE(sum(amount) FILTER (WHERE on_date = %(on)s), 0)::bigint, sum(amount)::bigint
FROM members_earning
WHERE is_capped AND member_id = %(member)s AND rule_id = ANY(%(rules)s)
    AND on_date >= date_trunc('month', %(on)s::date)
    AND on_date < date_trunc('month', %(on)s::date) + interval '1 month'
GROUP BY rule_id, wallet
"""


def live_rules(*, trigger: str) -> list[EarningRule]:
    """Return the active rules of a trigger, oldest first."""
    return list(
        EarningRule.objects.filter(trigger=trigger, status=EarningRule.Status.ACTIVE).order_by("pk")
    )


def matching_rules(
    *, trigger: str, member_id: int, occurred_at: datetime, at: datetime
) -> list[EarningRule]:
    """Return the active rules for this member and time of purchase, oldest first.

    One statement, and one more when a rule has a condition.
    """
    with connection.cursor() as cursor:
        cursor.execute(_LIVE, {"trigger": trigger, "occurred_at": occurred_at})
        rules = [_rule(row) for row in cursor.fetchall()]
    conditions = {rule.pk: parse(rule.condition) for rule in rules if rule.condition}
    if not conditions:
        return rules
    names = {name for condition in conditions.values() for name in fields_of(condition)}
    facts = member_facts(member_id=member_id, fields=names, at=at)
    return [
        rule for rule in rules if rule.pk not in conditions or evaluate(conditions[rule.pk], facts)
    ]


def used_by(
    rules: Sequence[EarningRule], *, member_id: int, on: date
) -> Mapping[tuple[int, str], Used]:
    """Return what rules with caps gave a member on a brand day and in its month."""
    limited = [rule.pk for rule in rules if is_capped(rule)]
    if not limited:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_USED, {"member": member_id, "rules": limited, "on": on})
        return {
            (rule_id, wallet): Used(day, month) for rule_id, wallet, day, month in cursor.fetchall()
        }


def _rule(row: tuple[Any, ...]) -> EarningRule:
    values = dict(zip(_COLUMNS, row, strict=True))
    values["categories"] = json.loads(values["categories"])
    values["condition"] = values["condition"] and json.loads(values["condition"])
    return EarningRule(**values)
