"""Which rules and campaigns match a member and a purchase, and what rules have given already."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Any

from django.db import connection

from core.calls import Call, run_calls
from members.earning.boosts import as_campaign
from members.earning.models import Campaign, EarningRule
from members.earning.rules import Used, is_capped
from members.earning.triggers import EVENT, PURCHASE
from members.segments.conditions import evaluate, fields_of, parse
from members.segments.queries import member_facts
from tenants.brands.context import current_schema

_IN_FORCE = "SELECT o_mark, o_boost_bp FROM earning_in_force(%s, %s)"
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


def in_force_call(*, member_id: int, moment: datetime) -> Call:
    """Return the call that asks what is in force for a member; its row goes to `match_purchase`."""
    return Call(_IN_FORCE, [member_id, moment])


def match_purchase(
    *,
    in_force: Sequence[Any],
    member_id: int,
    occurred_at: datetime,
    channel: str,
    store_code: str,
    at: datetime,
) -> Matching:
    """Return what is in force for this member, place and time of purchase.

    A boost of the member's own is one of the campaigns.

    `in_force` is what `in_force_call` returned for the same. One statement when anything has a
    condition, else none.
    """
    rules, campaigns, boost_bp = _live(in_force)
    fitting = [
        rule
        for rule in rules
        if rule.trigger == PURCHASE
        and _is_now(rule, occurred_at)
        and _is_here(rule, channel, store_code)
    ]
    multipliers = [] if boost_bp is None else [as_campaign(boost_bp)]
    multipliers += [
        campaign
        for campaign in campaigns
        if _is_now(campaign, occurred_at) and _is_here(campaign, channel, store_code)
    ]
    return _who_fit(fitting, multipliers, member_id, at)


def match_occasion(
    *,
    triggers: Sequence[str],
    event_name: str,
    member_id: int,
    occurred_at: datetime,
    at: datetime,
) -> list[EarningRule]:
    """Return the rules that an occasion sets off for a member; campaigns are for purchases."""
    [row] = run_calls(in_force_call(member_id=member_id, moment=occurred_at))
    rules, _campaigns, _boost = _live(row)
    fitting = [
        rule
        for rule in rules
        if rule.trigger in triggers
        and (rule.trigger != EVENT or rule.event_name == event_name)
        and _is_now(rule, occurred_at)
    ]
    return _who_fit(fitting, [], member_id, at).rules


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


def _live(
    in_force: Sequence[Any],
) -> tuple[tuple[EarningRule, ...], tuple[Campaign, ...], int | None]:
    """Return all live rules and multipliers, and the boost of a member's own."""
    mark, boost_bp = in_force
    return *_programme(current_schema(), mark), boost_bp


@lru_cache(maxsize=512)
def _programme(_schema: str, _mark: str) -> tuple[tuple[EarningRule, ...], tuple[Campaign, ...]]:
    """Read what is live, remembered until it changes: its mark is then another. Never change it.

    What is read may be newer than the mark when somebody changes it just now; then nobody will
    see this mark again.
    """
    return (
        tuple(EarningRule.objects.filter(status=EarningRule.Status.ACTIVE).order_by("pk")),
        tuple(live_campaigns()),
    )


def _is_now(item: EarningRule | Campaign, moment: datetime) -> bool:
    return (item.starts_at is None or item.starts_at <= moment) and (
        item.ends_at is None or item.ends_at > moment
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
