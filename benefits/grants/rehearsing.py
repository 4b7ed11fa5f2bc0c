"""What a rule would do, without doing it: for one member with every reason, for all in numbers."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import Q, Sum

from benefits.grants._candidates import (
    LIVE_SQL,
    MEMBER_COST_SQL,
    Item,
    candidates,
    cost_of,
    items_of,
    rivals_of,
    units_of,
)
from benefits.grants._counters import read_used
from benefits.grants.models import Grant
from benefits.grants.periods import current_period
from benefits.rules.caps import Used, allowed, caps_of
from benefits.rules.decision import Candidate, Check, Decision, Rival, decide
from benefits.rules.models import GrantRule
from benefits.rules.periods import ISSUED_BY_JOB, Period
from benefits.rules.queries import period_condition
from members.profiles.models import Member
from members.segments import conditions
from members.segments.queries import member_facts
from tenants.brands.context import current_brand

_RIVALS = f"""
SELECT r.code, r.priority, r.on_lost
  FROM benefits_grant g JOIN benefits_grantrule r ON r.id = g.rule_id
 WHERE g.member_id = %(member)s AND r.exclusivity_group = %(group)s AND r.id <> %(rule)s
   AND {LIVE_SQL}
 GROUP BY r.id ORDER BY r.priority, r.code
"""  # noqa: S608


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleTrace:
    """How a rule decides about one member now.

    `in_force` asks whether the rule grants anything at all today; `decision` what it says of the
    member if it does. For a rule that an event sets off, the event is taken to have happened.
    """

    rule: GrantRule
    member: Member
    period: Period
    in_force: tuple[Check, ...]
    decision: Decision
    items: tuple[Item, ...]
    cost_minor: int

    @property
    def is_granted(self) -> bool:
        """Say whether the member would get it now."""
        return self.decision.is_granted and all(check.passed for check in self.in_force)


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRun:
    """What issuing a rule now would write, with some of the members who would get it."""

    period: Period
    members: int
    held_out: int
    units: int
    cost_minor: int
    cut_by_caps: int
    sample: tuple[Member, ...]


def trace_rule(*, rule: GrantRule, member: Member, at: datetime) -> RuleTrace:
    """Ask all that issuing would ask about one member, with the data of each answer.

    Nothing is written; drafts can be asked too.
    """
    period = _period(rule, at)
    items = items_of(rule, period, at)
    condition = period_condition(rule=rule, at=at)
    cost_each = cost_of(items, at)
    decision = decide(
        rule,
        condition=condition,
        candidate=_candidate(rule, member, condition, period, items, at),
        used=read_used(rule, period, at) if rule.pk else {},
        units_each=units_of(items),
        cost_each=cost_each,
    )
    return RuleTrace(
        rule=rule,
        member=member,
        period=period,
        in_force=_in_force(rule, items, at),
        decision=decision,
        items=tuple(items),
        cost_minor=cost_each,
    )


def dry_run(*, rule: GrantRule, at: datetime, sample: int = 12) -> DryRun:
    """Say who would get a rule's benefits now; the draw of a short cap is the one issuing makes."""
    period = _period(rule, at)
    items = items_of(rule, period, at)
    if not items:
        return DryRun(
            period=period, members=0, held_out=0, units=0, cost_minor=0, cut_by_caps=0, sample=()
        )
    cost_each = cost_of(items, at)
    found = candidates(
        rule,
        period,
        items,
        rivals=rivals_of(rule),
        cost_each=cost_each,
        member_id=None,
        at=at,
        with_facts=False,
    )
    limit = allowed(
        caps_of(
            rule, used=read_used(rule, period, at), units_each=units_of(items), cost_each=cost_each
        )
    )
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH matching AS MATERIALIZED (" + found.sql + ")"  # noqa: S608
            " SELECT count(*) FILTER (WHERE NOT held_out), count(*) FILTER (WHERE held_out),"
            " ARRAY(SELECT id FROM matching WHERE NOT held_out"
            "        ORDER BY hashint8extended(id, %(rule_id)s), id LIMIT %(sample)s)"
            " FROM matching",
            {**found.parameters, "sample": sample if limit is None else min(sample, limit)},
        )
        matching, held_out, keys = cursor.fetchone()
    members = matching if limit is None else min(matching, limit)
    rows = Member.objects.in_bulk(keys)
    return DryRun(
        period=period,
        members=members,
        held_out=held_out,
        units=members * units_of(items),
        cost_minor=members * cost_each,
        cut_by_caps=matching - members,
        sample=tuple(rows[key] for key in keys),
    )


def _period(rule: GrantRule, at: datetime) -> Period:
    if rule.cadence in ISSUED_BY_JOB:
        return current_period(rule, at=at)
    return Period("rehearsal", None, None)


def _in_force(rule: GrantRule, items: list[Item], at: datetime) -> tuple[Check, ...]:
    starts, ends = rule.starts_at, rule.ends_at
    return (
        Check(
            code="published",
            passed=rule.status == GrantRule.Status.PUBLISHED,
            data={"status": rule.status},
        ),
        Check(
            code="within_dates",
            passed=(starts is None or starts <= at) and (ends is None or ends > at),
            data={
                "starts_at": starts.isoformat() if starts else None,
                "ends_at": ends.isoformat() if ends else None,
            },
        ),
        Check(code="benefit_live", passed=bool(items)),
    )


def _candidate(
    rule: GrantRule,
    member: Member,
    condition: conditions.Condition,
    period: Period,
    items: list[Item],
    at: datetime,
) -> Candidate:
    mine = Grant.objects.filter(rule_id=rule.pk, member=member)
    first = items[0].benefit.pk if items else 0
    return Candidate(
        member_id=member.pk,
        is_active=member.is_active,
        facts=member_facts(member_id=member.pk, fields=conditions.fields_of(condition), at=at),
        has_period=mine.filter(Q(period_key=period.key), benefit_id=first).exists(),
        used=_used_by(rule, member, at),
        rivals=_rivals(rule, member, at),
    )


def _used_by(rule: GrantRule, member: Member, at: datetime) -> Used:
    if rule.cap_per_member is None and rule.cap_minor_per_member is None:
        return Used()
    units = Grant.objects.filter(rule_id=rule.pk, member=member, revoked_at__isnull=True).aggregate(
        units=Sum("quantity", default=0)
    )["units"]
    parameters: dict[str, Any] = {
        "member": member.pk,
        "rule_id": rule.pk,
        "zone": current_brand().timezone,
    }
    with connection.cursor() as cursor:
        cursor.execute(MEMBER_COST_SQL.format(member="%(member)s"), parameters)
        cost_minor = cursor.fetchone()[0]
    return Used(units, cost_minor)


def _rivals(rule: GrantRule, member: Member, at: datetime) -> list[Rival]:
    if not rule.exclusivity_group:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            _RIVALS,
            {"member": member.pk, "group": rule.exclusivity_group, "rule": rule.pk, "at": at},
        )
        return [
            Rival(rule_code=code, priority=priority, on_lost=on_lost)
            for code, priority, on_lost in cursor.fetchall()
        ]
