"""Granting what rules give for many occasions at once: purchases, events, members who joined.

Facts of all members come by one query, conditions are evaluated on them here, and all grants are
written by one statement. Who gets what is the same as by `issue` for one occasion after the other;
a test holds the two equal. Rules of an exclusivity group do go one after the other: what one
gives changes what the next may.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db import connection

from benefits.catalogue.models import Benefit
from benefits.grants._candidates import Item, cost_of, items_of, units_of
from benefits.grants._counters import add, lock_counters, used_of
from benefits.grants.issuing import issue
from benefits.grants.models import Grant, HoldOut, RulePeriod
from benefits.grants.terms import freeze
from benefits.rules.caps import Used, allowed, caps_of, member_caps_of, scopes_of
from benefits.rules.hold_out import is_held_out
from benefits.rules.models import GrantRule
from benefits.rules.periods import Period
from benefits.rules.queries import list_published_rules, list_units_of
from core import clock
from members.profiles.models import Member
from members.segments import conditions
from members.segments.queries import list_facts
from tenants.audit.operations import verify_identity
from tenants.brands.context import current_brand, current_schema
from tenants.events.operations import emit_each

_USED = """
SELECT g.rule_id, g.member_id, sum(g.quantity)::bigint,
       COALESCE(sum(g.quantity * cost.unit_cost_minor), 0)::bigint
  FROM benefits_grant g
  LEFT JOIN benefits_benefitcost cost ON cost.benefit_id = g.benefit_id
   AND cost.valid_from <= (g.issued_at AT TIME ZONE %(zone)s)::date
   AND (cost.valid_to IS NULL OR cost.valid_to > (g.issued_at AT TIME ZONE %(zone)s)::date)
 WHERE g.member_id = ANY(%(members)s) AND g.rule_id = ANY(%(rules)s) AND g.revoked_at IS NULL
 GROUP BY g.rule_id, g.member_id
"""
_INSERT = """
INSERT INTO benefits_grant (member_id, benefit_id, rule_id, rule_version, package_id, terms_id,
                            period_key, quantity, used, issued_at, starts_at, ends_at, reason)
SELECT member_id, benefit_id, rule_id, rule_version, package_id, terms_id, period_key, quantity, 0,
       issued_at, starts_at, ends_at, reason::jsonb
  FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::int[], %s::bigint[], %s::bigint[],
              %s::text[], %s::int[], %s::timestamptz[], %s::timestamptz[], %s::timestamptz[],
              %s::text[])
       WITH ORDINALITY AS row (member_id, benefit_id, rule_id, rule_version, package_id, terms_id,
                               period_key, quantity, issued_at, starts_at, ends_at, reason, number)
 ORDER BY number
    ON CONFLICT (rule_id, period_key, benefit_id, member_id) DO NOTHING
RETURNING id, rule_id, benefit_id, period_key, member_id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """Something that sets rules off for one member. `key` makes it count once for each rule.

    `cause` is kept on the grants beside the facts that matched.
    """

    member_id: int
    key: str
    cause: Mapping[str, Any]
    at: datetime
    event_name: str = ""


@dataclass(slots=True, kw_only=True)
class _Plan:
    """One rule while it is asked about all occasions of a day."""

    rule: GrantRule
    condition: conditions.Condition
    kept: list[str]
    units: Sequence[tuple[Benefit, int]]
    counters: dict[str, RulePeriod]
    used: dict[int, Used] = field(default_factory=dict)
    cost_each: int | None = None
    # Members and units that were granted now; all counters count the same.
    members: int = 0
    units_now: int = 0
    cost_now: int = 0

    def spent(self) -> dict[str, Used]:
        """Return what counts against the caps that all members share."""
        return {
            scope: Used(used.units + self.units_now, used.cost_minor + self.cost_now)
            for scope, used in used_of(self.counters).items()
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class _New:
    """A grant to be written."""

    occasion: Occasion
    rule: GrantRule
    item: Item
    reason: str


def issue_for(*, occasions: Sequence[Occasion], cadence: str) -> int:
    """Grant what the rules of a cadence give for these, oldest first; return how many rights.

    To be called in a transaction. Each occasion counts at most once for each rule. Members who
    are held out or no longer fit a cap get nothing.
    """
    rules = list_published_rules(cadences=[cadence])
    zone = current_brand().timezone
    days: dict[date, list[tuple[Occasion, GrantRule]]] = {}
    for occasion in occasions:
        for rule in rules:
            if rule.event_name == occasion.event_name and rule.is_within_dates(at=occasion.at):
                day = clock.local_date(occasion.at, zone)
                days.setdefault(day, []).append((occasion, rule))
    if not days:
        return 0
    verify_identity()
    return sum(_issue_day(wanted) for _day, wanted in sorted(days.items()))


def _issue_day(wanted: Sequence[tuple[Occasion, GrantRule]]) -> int:
    """Grant for the occasions of one of the brand's days, the facts being those of its latest."""
    at = max(occasion.at for occasion, _rule in wanted)
    rules = list({rule.pk: rule for _occasion, rule in wanted}.values())
    rules.sort(key=lambda rule: (rule.priority, rule.code))
    member_ids = sorted({occasion.member_id for occasion, _rule in wanted})
    _wait_turns(rules, member_ids)
    plans = _plans(rules, member_ids, wanted[0][0], at)
    fields = {name for plan in plans.values() for name in conditions.fields_of(plan.condition)}
    facts = list_facts(member_ids=member_ids, fields=fields, at=at)
    active = set(
        Member.objects.filter(pk__in=member_ids, status=Member.Status.ACTIVE).values_list(
            "pk", flat=True
        )
    )
    had = _had(wanted)
    new: list[_New] = []
    left_out: list[HoldOut] = []
    singles = 0
    for occasion, rule in wanted:
        plan = plans.get(rule.pk)
        if plan is None:
            period = Period(occasion.key, None, None)
            singles += issue(
                rule=rule,
                period=period,
                at=occasion.at,
                member_id=occasion.member_id,
                cause=dict(occasion.cause),
            ).members
        elif occasion.member_id in active:
            new += _decide(plan, occasion, facts[occasion.member_id], had, left_out)
    HoldOut.objects.bulk_create(left_out, ignore_conflicts=True)
    written = _write(new, at)
    for plan in plans.values():
        if plan.members:
            add(
                plan.counters,
                members=plan.members,
                units=plan.units_now,
                cost_minor=plan.cost_now,
                at=at,
            )
    return written + singles


def _decide(
    plan: _Plan,
    occasion: Occasion,
    facts: Mapping[str, Any],
    had: set[tuple[int, str, int, int]],
    left_out: list[HoldOut],
) -> list[_New]:
    """Return what one member gets from one rule; the questions are those of `rules.decision`."""
    rule, key = plan.rule, occasion.member_id
    if not conditions.evaluate(plan.condition, facts):
        return []
    period = Period(occasion.key, None, None)
    items = items_of(rule, period, occasion.at, units=plan.units)
    if not items:
        return []
    mark = (rule.pk, occasion.key, items[0].benefit.pk, key)
    if mark in had:
        return []
    units_each = units_of(items)
    is_costed = bool(plan.counters) or rule.cap_minor_per_member is not None
    if is_costed and plan.cost_each is None:
        plan.cost_each = cost_of(items, occasion.at)
    cost_each = plan.cost_each or 0
    shared = allowed(caps_of(rule, used=plan.spent(), units_each=units_each, cost_each=cost_each))
    used = plan.used.get(key, Used())
    own = allowed(member_caps_of(rule, used=used, units_each=units_each, cost_each=cost_each))
    if shared == 0 or own == 0:
        return []
    if is_held_out(rule_code=rule.code, member_id=key, hold_out_bp=rule.hold_out_bp):
        left_out.append(
            HoldOut(rule=rule, member_id=key, period_key=occasion.key, since=occasion.at)
        )
        return []
    had.add(mark)
    plan.members += 1
    plan.units_now += units_each
    plan.cost_now += cost_each
    plan.used[key] = Used(used.units + units_each, used.cost_minor + cost_each)
    reason = json.dumps(
        {"facts": {name: facts[name] for name in plan.kept}, **occasion.cause}, default=_plain
    )
    return [_New(occasion=occasion, rule=rule, item=item, reason=reason) for item in items]


def _plans(
    rules: Iterable[GrantRule], member_ids: list[int], first: Occasion, at: datetime
) -> dict[int, _Plan]:
    """Return what is to be known of each rule that is in no group, its counters locked."""
    period = Period(first.key, None, None)
    # Those of groups are locked here too: always in the order of the rules.
    counters = {
        rule.pk: lock_counters(rule, period, at, scopes=scopes)
        for rule in rules
        if (scopes := scopes_of(rule))
    }
    alone = [rule for rule in rules if not rule.exclusivity_group]
    units = list_units_of(rules=alone)
    plans = {}
    for rule in alone:
        condition = conditions.parse(rule.condition)
        plans[rule.pk] = _Plan(
            rule=rule,
            condition=condition,
            kept=[
                name
                for name in sorted(conditions.fields_of(condition))
                # A grant outlives the erasure of its member, so it keeps no personal facts.
                if (found := conditions.FIELDS.get(name)) and found.source != "personal"
            ],
            units=units[rule.pk],
            counters=counters.get(rule.pk, {}),
        )
    capped = [
        rule.pk
        for rule in alone
        if rule.cap_per_member is not None or rule.cap_minor_per_member is not None
    ]
    if capped:
        with connection.cursor() as cursor:
            cursor.execute(
                _USED,
                {"members": member_ids, "rules": capped, "zone": current_brand().timezone},
            )
            for rule_id, member_id, count, cost_minor in cursor.fetchall():
                plans[rule_id].used[member_id] = Used(count, cost_minor)
    return plans


def _wait_turns(rules: Sequence[GrantRule], member_ids: list[int]) -> None:
    """Lock as `issue` does for each of them: groups, then members, each in their order."""
    groups = sorted({rule.exclusivity_group for rule in rules} - {""})
    with connection.cursor() as cursor:
        for group in groups:
            cursor.execute(
                "SELECT pg_advisory_xact_lock_shared(hashtextextended(%s, 7))",
                [f"{current_schema()}:{group}"],
            )
        if groups or any(
            rule.cap_per_member is not None or rule.cap_minor_per_member is not None
            for rule in rules
        ):
            cursor.execute(
                "SELECT 1 FROM members_member WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE",
                [member_ids],
            )


def _had(wanted: Sequence[tuple[Occasion, GrantRule]]) -> set[tuple[int, str, int, int]]:
    """Return what these members have already of these rules and occasions."""
    return set(
        Grant.objects.filter(
            rule_id__in={rule.pk for _occasion, rule in wanted},
            period_key__in={occasion.key for occasion, _rule in wanted},
            member_id__in={occasion.member_id for occasion, _rule in wanted},
        ).values_list("rule_id", "period_key", "benefit_id", "member_id")
    )


def _write(new: Sequence[_New], at: datetime) -> int:
    """Write the grants and tell of each; return how many there were."""
    if not new:
        return 0
    frozen = freeze(benefits={one.item.benefit.pk: one.item.benefit for one in new}.values(), at=at)
    rows = [
        (
            one.occasion.member_id,
            one.item.benefit.pk,
            one.rule.pk,
            one.rule.version,
            one.rule.package_id,
            frozen[one.item.benefit.pk].pk,
            one.occasion.key,
            one.item.quantity,
            one.occasion.at,
            one.item.starts_at,
            one.item.ends_at,
            one.reason,
        )
        for one in new
    ]
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, [list(column) for column in zip(*rows, strict=True)])
        made = {tuple(row[1:]): row[0] for row in cursor.fetchall()}
    emit_each(events=[_told(one, made) for one in new if _mark(one) in made], at=at)
    return len(made)


def _mark(one: _New) -> tuple[int, int, str, int]:
    return one.rule.pk, one.item.benefit.pk, one.occasion.key, one.occasion.member_id


def _told(one: _New, made: Mapping[Any, int]) -> tuple[str, str, dict[str, Any]]:
    key = made[_mark(one)]
    data = {
        "rule": one.rule.code,
        "benefit": one.item.benefit.code,
        "period": one.occasion.key,
        "member_id": one.occasion.member_id,
        "count": 1,
        "first_grant": key,
        "last_grant": key,
    }
    return "grant.issued", f"member:{one.occasion.member_id}", data


def _plain(fact: Any) -> Any:
    """Return a fact as the database would write it into JSON."""
    if isinstance(fact, Decimal):
        return int(fact) if fact == fact.to_integral_value() else float(fact)
    return fact.isoformat()
