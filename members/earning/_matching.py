"""Which rules and campaigns match a member and a purchase, and what rules have given already."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db import connection

from members.earning.boosts import BOOST_AT_SQL, as_campaign
from members.earning.models import Campaign, EarningRule
from members.earning.rules import Used, is_capped
from members.earning.triggers import PURCHASE
from members.segments.conditions import evaluate, fields_of, parse
from members.segments.queries import member_facts

# By hand and in one statement: each purchase asks, and querysets cost more than all the rest of
# the question. Instants that JSON would turn to text are left out: by then they are decided.
_RULE = (
    "id", "name", "trigger", "event_name", "effect", "wallets", "points", "unit_minor",
    "categories", "category_mode", "stores", "channels", "condition", "pending_days",
    "cap_per_day", "cap_per_month", "stacking", "stack_group", "priority", "status",
)  # fmt: skip
_CAMPAIGN = (
    "id", "name", "effect", "multiplier_bp", "combine", "rule_ids", "categories", "stores",
    "channels", "condition", "status",
)  # fmt: skip
_LIVE = f"""
SELECT
    (SELECT json_agg(r ORDER BY r.id)::text FROM (
        SELECT {", ".join(_RULE)} FROM members_earningrule
        WHERE status = 'active' AND trigger = ANY(%(triggers)s)
            AND (trigger <> 'event' OR event_name = %(event)s)
            AND (starts_at IS NULL OR starts_at <= %(moment)s)
            AND (ends_at IS NULL OR ends_at > %(moment)s)
    ) AS r),
    (SELECT json_agg(c ORDER BY c.id)::text FROM (
        SELECT {", ".join(_CAMPAIGN)} FROM members_campaign
        WHERE %(campaigns)s AND status = 'active' AND effect = 'multiplier'
            AND starts_at <= %(moment)s AND ends_at > %(moment)s
    ) AS c),
    CASE WHEN %(campaigns)s THEN {BOOST_AT_SQL.format(member="%(member)s", occurred_at="%(moment)s")} END
"""  # noqa: S608
_USED = """
SELECT rule_id, wallet,
    COALESCE(sum(amount) FILTER (WHERE on_date = %(on)s), 0)::bigint, sum(amount)::bigint
FROM {table}
WHERE {only}member_id = %(member)s AND rule_id = ANY(%(rules)s)
    AND on_date >= date_trunc('month', %(on)s::date)
    AND on_date < date_trunc('month', %(on)s::date) + interval '1 month'
GROUP BY rule_id, wallet
"""
_USED_BY_PURCHASES = _USED.format(table="members_earning", only="is_capped AND ")
_USED_BY_OCCASIONS = _USED.format(table="members_occasionearning", only="")


@dataclass(frozen=True, slots=True)
class Matching:
    """The rules and the multiplying campaigns that fit, oldest first."""

    rules: list[EarningRule]
    campaigns: list[Campaign]


def live_rules(*, trigger: str) -> list[EarningRule]:
    """Return the active rules of a trigger, oldest first."""
    return list(
        EarningRule.objects.filter(trigger=trigger, status=EarningRule.Status.ACTIVE).order_by("pk")
    )


def live_campaigns() -> list[Campaign]:
    """Return the active multipliers, whatever their dates, oldest first."""
    return list(
        Campaign.objects.filter(
            effect=Campaign.Effect.MULTIPLIER, status=Campaign.Status.ACTIVE
        ).order_by("pk")
    )


def match_purchase(
    *, member_id: int, occurred_at: datetime, channel: str, store_code: str, at: datetime
) -> Matching:
    """Return what is in force for this member, place and time of purchase.

    A boost of the member's own is one of the campaigns.

    One statement, and one more when anything has a condition.
    """
    rules, campaigns = _live(
        {
            "triggers": [PURCHASE],
            "event": "",
            "moment": occurred_at,
            "campaigns": True,
            "member": member_id,
        }
    )
    rules = [rule for rule in rules if _is_here(rule, channel, store_code)]
    campaigns = [item for item in campaigns if _is_here(item, channel, store_code)]
    return _who_fit(rules, campaigns, member_id, at)


def match_occasion(
    *,
    triggers: Sequence[str],
    event_name: str,
    member_id: int,
    occurred_at: datetime,
    at: datetime,
) -> list[EarningRule]:
    """Return the rules that an occasion sets off for a member; campaigns are for purchases."""
    rules, _campaigns = _live(
        {
            "triggers": list(triggers),
            "event": event_name,
            "moment": occurred_at,
            "campaigns": False,
            "member": member_id,
        }
    )
    return _who_fit(rules, [], member_id, at).rules


def used_by(
    rules: Sequence[EarningRule], *, member_id: int, on: date, by_occasions: bool = False
) -> Mapping[tuple[int, str], Used]:
    """Return what rules with caps gave a member on a brand day and in its month."""
    limited = [rule.pk for rule in rules if is_capped(rule)]
    if not limited:
        return {}
    statement = _USED_BY_OCCASIONS if by_occasions else _USED_BY_PURCHASES
    with connection.cursor() as cursor:
        cursor.execute(statement, {"member": member_id, "rules": limited, "on": on})
        return {
            (rule_id, wallet): Used(day, month) for rule_id, wallet, day, month in cursor.fetchall()
        }


def _live(params: Mapping[str, Any]) -> tuple[list[EarningRule], list[Campaign]]:
    with connection.cursor() as cursor:
        cursor.execute(_LIVE, params)
        rules, campaigns, boost_bp = cursor.fetchone()
    return (
        [EarningRule(**row) for row in json.loads(rules or "[]")],
        [
            *([] if boost_bp is None else [as_campaign(boost_bp)]),
            *(Campaign(**row) for row in json.loads(campaigns or "[]")),
        ],
    )


def _is_here(item: EarningRule | Campaign, channel: str, store_code: str) -> bool:
    return (not item.channels or channel in item.channels) and (
        not item.stores or store_code in item.stores
    )


def _who_fit(
    rules: list[EarningRule], campaigns: list[Campaign], member_id: int, at: datetime
) -> Matching:
    asking: list[EarningRule | Campaign] = []
    asking += [rule for rule in rules if rule.condition]
    asking += [campaign for campaign in campaigns if campaign.condition]
    if not asking:
        return Matching(rules, campaigns)
    conditions = {id(item): parse(item.condition) for item in asking}
    names = {name for condition in conditions.values() for name in fields_of(condition)}
    facts = member_facts(member_id=member_id, fields=names, at=at)
    away = {key for key, condition in conditions.items() if not evaluate(condition, facts)}
    return Matching(
        [rule for rule in rules if id(rule) not in away],
        [campaign for campaign in campaigns if id(campaign) not in away],
    )
