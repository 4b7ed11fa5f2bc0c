"""The members to whom a rule would grant in a period, as one query; issuing and dry runs share it.

Parameters of the caller and of the condition are bound by name; `Candidates.parameters` holds
them all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Q

from benefits.catalogue.models import Benefit
from benefits.catalogue.queries import list_unit_costs
from benefits.catalogue.stages import LIVE
from benefits.rules.hold_out import held_out_sql
from benefits.rules.models import GrantRule
from benefits.rules.periods import Period, ends_at
from benefits.rules.queries import list_units, period_condition
from core import clock
from members.segments import conditions
from tenants.brands.context import current_brand

# Those who have this period's already are left out before anything else: again, the job reads
# two indexes side by side and writes nothing.
_MATCHING = """
SELECT member.id, {facts} AS facts, {held_out} AS held_out
  FROM members_member AS member{joins}
 WHERE member.status = 'active' AND {only} AND {expression}
   AND NOT EXISTS (SELECT 1 FROM benefits_grant g
                    WHERE g.rule_id = %(rule_id)s AND g.period_key = %(period_key)s
                      AND g.benefit_id = %(first_benefit_id)s AND g.member_id = member.id)
"""
_NOT_HELD_OUT_YET = """
   AND NOT EXISTS (SELECT 1 FROM benefits_holdout h
                    WHERE h.rule_id = %(rule_id)s AND h.period_key = %(period_key)s
                      AND h.member_id = member.id)
"""
_UNITS_CAP = """
   AND (SELECT COALESCE(sum(g.quantity), 0) FROM benefits_grant g
         WHERE g.member_id = member.id AND g.rule_id = %(rule_id)s AND g.revoked_at IS NULL
       ) + %(units_each)s <= %(cap_per_member)s
"""
# At the unit cost of the day on which each was issued.
MEMBER_COST_SQL = """
SELECT COALESCE(sum(g.quantity * cost.unit_cost_minor), 0)::bigint FROM benefits_grant g
  JOIN benefits_benefitcost cost ON cost.benefit_id = g.benefit_id
   AND cost.valid_from <= (g.issued_at AT TIME ZONE %(zone)s)::date
   AND (cost.valid_to IS NULL OR cost.valid_to > (g.issued_at AT TIME ZONE %(zone)s)::date)
 WHERE g.member_id = {member} AND g.rule_id = %(rule_id)s AND g.revoked_at IS NULL
"""
_MONEY_CAP = f"""
   AND ({MEMBER_COST_SQL.format(member="member.id")}) + %(cost_each)s <= %(cap_minor_per_member)s
"""
LIVE_SQL = """g.revoked_at IS NULL AND (g.ends_at > %(at)s
           OR (g.ends_at IS NULL AND g.used < g.quantity))"""
_NO_RIVAL = f"""
   AND NOT EXISTS (SELECT 1 FROM benefits_grant g
                    WHERE g.member_id = member.id AND g.rule_id = ANY(%(blocking)s)
                      AND {LIVE_SQL})
"""  # noqa: S608


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One benefit that each chosen member gets."""

    benefit: Benefit
    quantity: int
    starts_at: datetime
    ends_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rivals:
    """Rules of the same exclusivity group: those that block this one, those it takes the place of."""

    blocking: Sequence[int] = ()
    replaced: Sequence[int] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidates:
    """The query that gives `id`, `facts` and `held_out` of each, with its parameters."""

    sql: str
    parameters: dict[str, Any]


def items_of(
    rule: GrantRule,
    period: Period,
    at: datetime,
    *,
    units: Sequence[tuple[Benefit, int]] | None = None,
) -> list[Item]:
    """Return what each member gets: live benefits, within the benefits' own dates.

    `units` are the rule's benefits where the caller knows them already.
    """
    zone = ZoneInfo(current_brand().timezone)
    end = ends_at(
        period=period, on=at.astimezone(zone).date(), validity_days=rule.validity_days, zone=zone
    )
    items = []
    for benefit, quantity in list_units(rule=rule) if units is None else units:
        starts = max(at, benefit.starts_at or at)
        ends = min((instant for instant in (end, benefit.ends_at) if instant), default=None)
        if benefit.stage in LIVE and (ends is None or starts < ends):
            items.append(Item(benefit=benefit, quantity=quantity, starts_at=starts, ends_at=ends))
    return items


def units_of(items: Sequence[Item]) -> int:
    """Return how many units each member gets."""
    return sum(item.quantity for item in items)


def cost_of(items: Sequence[Item], at: datetime) -> int:
    """Return what they cost at the unit costs of the brand's day."""
    on = clock.local_date(at, current_brand().timezone)
    costs = list_unit_costs(benefits=[item.benefit.pk for item in items], on=on)
    return sum(costs.get(item.benefit.pk, 0) * item.quantity for item in items)


def rivals_of(rule: GrantRule) -> Rivals:
    """Return the other rules of a rule's group, whatever their status: their rights may live on."""
    if not rule.exclusivity_group:
        return Rivals()
    others = GrantRule.objects.filter(exclusivity_group=rule.exclusivity_group).exclude(pk=rule.pk)
    better = Q(priority__lt=rule.priority) | Q(priority=rule.priority, code__lt=rule.code)
    keeps = Q(on_lost=GrantRule.OnChange.KEEP)
    return Rivals(
        blocking=list(others.filter(keeps | better).values_list("pk", flat=True)),
        replaced=list(others.exclude(keeps | better).values_list("pk", flat=True)),
    )


def candidates(
    rule: GrantRule,
    period: Period,
    items: Sequence[Item],
    *,
    rivals: Rivals,
    cost_each: int,
    member_id: int | None,
    at: datetime,
    with_facts: bool = True,
) -> Candidates:
    """Make the query for an audience, or for one member."""
    condition = period_condition(rule=rule, at=at)
    compiled = conditions.compile_expression(condition, prefix="c")
    fields = [
        found
        for name in sorted(conditions.fields_of(condition))
        if (found := conditions.FIELDS.get(name)) is not None
    ]
    # A grant outlives the erasure of its member, so it keeps no personal facts.
    kept = [field for field in fields if field.source != "personal"]
    facts = ", ".join(f"'{field.name}', ({field.sql})" for field in kept)
    stored = (
        f"jsonb_build_object('facts', jsonb_build_object({facts})) || %(cause)s::jsonb"
        if facts
        else "%(reason)s::jsonb"
    )
    sql = _MATCHING.format(
        facts=stored if with_facts else "NULL",
        held_out=held_out_sql(
            member="member.id", code="%(rule_code)s", share="%(hold_out_bp)s::int"
        )
        if rule.hold_out_bp
        else "FALSE",
        joins=conditions.join_sources({field.source for field in fields}),
        only="TRUE" if member_id is None else "member.id = %(member_id)s",
        expression=compiled.sql,
    )
    if rule.hold_out_bp:
        sql += _NOT_HELD_OUT_YET
    if rule.cap_per_member is not None:
        sql += _UNITS_CAP
    if rule.cap_minor_per_member is not None:
        sql += _MONEY_CAP
    if rivals.blocking:
        sql += _NO_RIVAL
    return Candidates(
        sql=sql,
        parameters={
            **conditions.moment_parameters(at=at, zone=current_brand().timezone),
            **compiled.params,
            "rule_id": rule.pk,
            "rule_code": rule.code,
            "hold_out_bp": rule.hold_out_bp,
            "period_key": period.key,
            "first_benefit_id": items[0].benefit.pk,
            "member_id": member_id,
            "units_each": units_of(items),
            "cost_each": cost_each,
            "cap_per_member": rule.cap_per_member,
            "cap_minor_per_member": rule.cap_minor_per_member,
            "blocking": list(rivals.blocking),
            "replaced": list(rivals.replaced),
        },
    )
