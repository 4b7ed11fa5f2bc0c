"""Issuing what rules grant: one statement for a whole audience, or for one member."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection, transaction

from benefits.catalogue.models import Benefit
from benefits.catalogue.queries import list_unit_costs
from benefits.catalogue.stages import LIVE
from benefits.grants.models import RulePeriod
from benefits.grants.terms import freeze
from benefits.rules.hold_out import held_out_sql
from benefits.rules.models import GrantRule
from benefits.rules.periods import Period, ends_at
from benefits.rules.queries import list_units, period_condition, within_caps
from core import clock
from members.segments import conditions
from tenants.audit.operations import verify_identity
from tenants.brands.context import current_brand
from tenants.events.operations import emit

# Every part sees the same snapshot, so a member is either held out or granted, never both.
# Those who have the grants of this period already are left out before anything is written: a
# second run reads two indexes side by side and writes nothing. ON CONFLICT is for another run
# at the same moment.
_ISSUE = """
WITH item AS (
    SELECT * FROM unnest(%(benefit_ids)s::bigint[], %(quantities)s::int[], %(terms_ids)s::bigint[],
                         %(starts_ats)s::timestamptz[], %(ends_ats)s::timestamptz[])
        AS item(benefit_id, quantity, terms_id, starts_at, ends_at)
), matching AS MATERIALIZED (
    SELECT member.id, {facts} AS facts, {held_out} AS held_out
      FROM members_member AS member{joins}
     WHERE member.status = 'active' AND {only} AND {expression}
       AND NOT EXISTS (SELECT 1 FROM benefits_grant g
                        WHERE g.rule_id = %(rule_id)s AND g.period_key = %(period_key)s
                          AND g.benefit_id = %(first_benefit_id)s AND g.member_id = member.id)
), left_out AS (
    INSERT INTO benefits_holdout (rule_id, member_id, since)
    SELECT %(rule_id)s, id, %(at)s FROM matching WHERE held_out
    ON CONFLICT DO NOTHING
    RETURNING 1
), chosen AS (
    SELECT id, facts FROM matching
     WHERE NOT held_out AND {within_member_cap}
     {limit}
), made AS (
    INSERT INTO benefits_grant (member_id, benefit_id, rule_id, rule_version, package_id, terms_id,
                                period_key, quantity, used, issued_at, starts_at, ends_at, reason)
    SELECT chosen.id, item.benefit_id, %(rule_id)s, %(rule_version)s, %(package_id)s,
           item.terms_id, %(period_key)s, item.quantity, 0, %(at)s, item.starts_at,
           item.ends_at, chosen.facts
      FROM chosen CROSS JOIN item
    ON CONFLICT (rule_id, period_key, benefit_id, member_id) DO NOTHING
    RETURNING id, member_id, benefit_id, quantity
)
SELECT benefit_id, sum(quantity)::bigint, count(*), min(id), max(id) FROM made GROUP BY benefit_id
 UNION ALL
SELECT NULL, 0, count(*), NULL, NULL FROM left_out
"""


_WITHIN_MEMBER_CAP = """(
    SELECT COALESCE(sum(g.quantity), 0) FROM benefits_grant g
     WHERE g.member_id = matching.id AND g.rule_id = %(rule_id)s AND g.revoked_at IS NULL
) + %(units_each)s <= %(cap_per_member)s"""


@dataclass(frozen=True, slots=True)
class Issued:
    """What one issue wrote: members who got something, units of benefits, members left out."""

    members: int = 0
    units: int = 0
    held_out: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Item:
    """One benefit that each chosen member gets."""

    benefit: Benefit
    quantity: int
    starts_at: datetime
    ends_at: datetime | None


def issue(
    *,
    rule: GrantRule,
    period: Period,
    at: datetime,
    member_id: int | None = None,
    cause: dict[str, Any] | None = None,
) -> Issued:
    """Grant a rule's benefits for a period to all members who match it, or to one of them.

    One transaction. Members who have them already, are held out, or no longer fit a cap get
    nothing; where a cap is short, who gets the last ones is drawn by lot. `cause` is kept on
    the grants beside the facts that matched.
    """
    items = _items(rule, period, at)
    if not items:
        return Issued()
    with transaction.atomic():
        verify_identity()
        counter = None
        if member_id is None or _is_capped(rule):
            counter = _counter(rule, period, at)
        if member_id is None:
            # A whole audience may take longer than a page may.
            _set_local("statement_timeout", "10min")
        cost_each = _cost_each(items, at)
        limit = _limit(rule, counter, items, cost_each)
        if limit == 0:
            return Issued()
        statement, parameters = _statement(rule, period, items, limit, member_id, at)
        with connection.cursor() as cursor:
            cursor.execute(statement, {**parameters, "cause": json.dumps(cause or {})})
            rows = cursor.fetchall()
        first = items[0].benefit.pk
        issued = Issued(
            members=sum(row[2] for row in rows if row[0] == first),
            units=sum(row[1] for row in rows),
            held_out=next(row[2] for row in rows if row[0] is None),
        )
        if counter is not None and issued.members:
            _add(counter, issued, cost_each, at)
        for item in items:
            for row in rows:
                if row[0] == item.benefit.pk:
                    _tell(rule, period, item.benefit, row, member_id, at)
    return issued


def _items(rule: GrantRule, period: Period, at: datetime) -> list[_Item]:
    """Return what each member gets: live benefits, within the benefits' own dates."""
    zone = ZoneInfo(current_brand().timezone)
    end = ends_at(
        period=period, on=at.astimezone(zone).date(), validity_days=rule.validity_days, zone=zone
    )
    items = []
    for benefit, quantity in list_units(rule=rule):
        starts = max(at, benefit.starts_at or at)
        ends = min((instant for instant in (end, benefit.ends_at) if instant), default=None)
        if benefit.stage in LIVE and (ends is None or starts < ends):
            items.append(_Item(benefit=benefit, quantity=quantity, starts_at=starts, ends_at=ends))
    return items


def _statement(
    rule: GrantRule,
    period: Period,
    items: list[_Item],
    limit: int | None,
    member_id: int | None,
    at: datetime,
) -> tuple[str, dict[str, Any]]:
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
    frozen = freeze(benefits=[item.benefit for item in items], at=at)
    sql = _ISSUE.format(
        facts=f"jsonb_build_object('facts', jsonb_build_object({facts})) || %(cause)s::jsonb",
        held_out=held_out_sql(
            member="member.id", code="%(rule_code)s", share="%(hold_out_bp)s::int"
        ),
        joins=conditions.join_sources({field.source for field in fields}),
        only="TRUE" if member_id is None else "member.id = %(member_id)s",
        expression=compiled.sql,
        within_member_cap="TRUE" if rule.cap_per_member is None else _WITHIN_MEMBER_CAP,
        limit="" if limit is None else "ORDER BY hashint8extended(id, %(rule_id)s) LIMIT %(limit)s",
    )
    return sql, {
        **conditions.moment_parameters(at=at, zone=current_brand().timezone),
        **compiled.params,
        "rule_id": rule.pk,
        "rule_code": rule.code,
        "rule_version": rule.version,
        "package_id": rule.package_id,
        "hold_out_bp": rule.hold_out_bp,
        "period_key": period.key,
        "benefit_ids": [item.benefit.pk for item in items],
        "first_benefit_id": items[0].benefit.pk,
        "quantities": [item.quantity for item in items],
        "terms_ids": [frozen[item.benefit.pk].pk for item in items],
        "starts_ats": [item.starts_at for item in items],
        "ends_ats": [item.ends_at for item in items],
        "member_id": member_id,
        "cap_per_member": rule.cap_per_member,
        "units_each": _units_each(items),
        "limit": limit,
    }


def _tell(
    rule: GrantRule,
    period: Period,
    benefit: Benefit,
    row: tuple[Any, ...],
    member_id: int | None,
    at: datetime,
) -> None:
    """Tell of the grants of one benefit: one event, be it one grant or a million.

    The grants of a whole audience are those of the rule and period between two keys.
    """
    emit(
        type="grant.issued",
        subject=f"rule:{rule.pk}" if member_id is None else f"member:{member_id}",
        data={
            "rule": rule.code,
            "benefit": benefit.code,
            "period": period.key,
            "member_id": member_id,
            "count": row[2],
            "first_grant": row[3],
            "last_grant": row[4],
        },
        at=at,
    )


def _is_capped(rule: GrantRule) -> bool:
    return rule.cap_units_per_period is not None or rule.cap_minor_per_period is not None


def _counter(rule: GrantRule, period: Period, at: datetime) -> RulePeriod:
    """Return the period's counter, locked: two issues of one rule and period take turns.

    What events set off is capped per calendar month.
    """
    key = period.key
    if period.starts_on is None and rule.cadence != GrantRule.Cadence.ONCE:
        key = f"{clock.local_date(at, current_brand().timezone):%Y-%m}"
    RulePeriod.objects.bulk_create(
        [RulePeriod(rule=rule, period_key=key, first_issued_at=at, last_issued_at=at)],
        ignore_conflicts=True,
    )
    return RulePeriod.objects.select_for_update().get(rule=rule, period_key=key)


def _limit(
    rule: GrantRule, counter: RulePeriod | None, items: list[_Item], cost_each: int
) -> int | None:
    """Return how many more members the caps of the period allow; None without a cap."""
    if counter is None or not _is_capped(rule):
        return None
    return within_caps(
        rule=rule,
        members=2**62,
        units=counter.units,
        cost_minor=counter.cost_minor,
        units_each=_units_each(items),
        cost_each=cost_each,
    )


def _units_each(items: list[_Item]) -> int:
    return sum(item.quantity for item in items)


def _cost_each(items: list[_Item], at: datetime) -> int:
    on = clock.local_date(at, current_brand().timezone)
    costs = list_unit_costs(benefits=[item.benefit.pk for item in items], on=on)
    return sum(costs.get(item.benefit.pk, 0) * item.quantity for item in items)


def _add(counter: RulePeriod, issued: Issued, cost_each: int, at: datetime) -> None:
    counter.members += issued.members
    counter.units += issued.units
    counter.cost_minor += issued.members * cost_each
    counter.last_issued_at = at
    counter.save(update_fields=["members", "units", "cost_minor", "last_issued_at"])


def _set_local(name: str, value: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config(%s, %s, true)", [name, value])
