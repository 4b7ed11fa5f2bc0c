"""Taking back rights that rules gave, when what they were given for no longer holds.

What was used stays used, and every right that is taken back is written down with its cause and
told of. Only rules that say so take rights back: a live right is never shrunk in silence.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from benefits.grants._candidates import LIVE_SQL
from benefits.grants.models import Grant, GrantRevocation
from benefits.rules.models import GrantRule
from core.actors import SYSTEM, Actor
from members.segments import conditions
from members.segments.queries import member_facts
from tenants.events.operations import emit

_Cause = GrantRevocation.Cause
# Each right once: who finds it taken back already takes nothing.
_TAKE_BACK = f"""
WITH taken AS (
    UPDATE benefits_grant g SET revoked_at = %(at)s
     WHERE {LIVE_SQL} AND g.used < g.quantity AND {{which}}
    RETURNING g.id, g.quantity - g.used AS units_left
), noted AS (
    INSERT INTO benefits_grantrevocation (grant_id, cause, detail, units_left, actor, at)
    SELECT id, %(cause)s, %(detail)s::jsonb, units_left, %(actor)s, %(at)s FROM taken
    RETURNING units_left
)
SELECT count(*), COALESCE(sum(units_left), 0)::bigint FROM noted
"""  # noqa: S608
# Blocked members keep what they cannot use meanwhile.
_NO_LONGER = """g.rule_id = %(rule_id)s
   AND EXISTS (SELECT 1 FROM members_member m WHERE m.id = g.member_id AND m.status = 'active')
   AND NOT EXISTS (SELECT 1 FROM ({audience}) AS still WHERE still.id = g.member_id)"""


def revoke(
    *,
    which: str,
    parameters: Mapping[str, Any],
    cause: str,
    detail: Mapping[str, Any],
    by: Actor,
    at: datetime,
) -> tuple[int, int]:
    """Take back the live rights `g` that an SQL expression names; return rights and units left.

    In the caller's transaction, which also tells of it.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            _TAKE_BACK.format(which=which),
            {
                **parameters,
                "at": at,
                "cause": cause,
                "detail": json.dumps(dict(detail)),
                "actor": by.key,
            },
        )
        rights, units = cursor.fetchone()
    return rights, units


def revoke_lost(*, rule: GrantRule, at: datetime) -> int:
    """Take back a rule's live rights whose members no longer meet its condition; return how many.

    Nothing for a rule whose rights stay.
    """
    if rule.on_lost != GrantRule.OnChange.REVOKE or not rule.condition:
        return 0
    condition = conditions.parse(rule.condition)
    compiled = conditions.compile_sql(condition, at=at, prefix="c")
    with transaction.atomic():
        rights, units = revoke(
            which=_NO_LONGER.format(audience=compiled.sql),
            parameters={**compiled.params, "rule_id": rule.pk},
            cause=_Cause.NO_LONGER_MET,
            detail={"version": rule.version},
            by=SYSTEM,
            at=at,
        )
        if rights:
            _tell(rule, None, rights, units, _Cause.NO_LONGER_MET, at)
    return rights


def revoke_lost_of_member(*, rules: Sequence[GrantRule], member_id: int, at: datetime) -> int:
    """Take back one member's rights from rules whose condition the member no longer meets."""
    found = {
        rule: conditions.parse(rule.condition)
        for rule in rules
        if rule.on_lost == GrantRule.OnChange.REVOKE and rule.condition
    }
    if not found:
        return 0
    names = {name for condition in found.values() for name in conditions.fields_of(condition)}
    facts = member_facts(member_id=member_id, fields=names, at=at)
    taken = 0
    for rule, condition in found.items():
        if conditions.evaluate(condition, facts):
            continue
        rights, units = revoke(
            which="g.rule_id = %(rule_id)s AND g.member_id = %(member_id)s",
            parameters={"rule_id": rule.pk, "member_id": member_id},
            cause=_Cause.NO_LONGER_MET,
            detail={"version": rule.version},
            by=SYSTEM,
            at=at,
        )
        if rights:
            _tell(rule, member_id, rights, units, _Cause.NO_LONGER_MET, at)
        taken += rights
    return taken


def revoke_of_purchase(*, purchase_id: int, member_id: int, at: datetime) -> int:
    """Take back what rules gave a member for a purchase that was refunded; return how many."""
    rules = {
        rule.pk: rule
        for rule in GrantRule.objects.filter(
            cadence=GrantRule.Cadence.ON_PURCHASE, on_refund=GrantRule.OnChange.REVOKE
        )
    }
    held = Grant.objects.filter(
        rule_id__in=list(rules),
        member_id=member_id,
        period_key=f"purchase:{purchase_id}",
        revoked_at__isnull=True,
    ).values_list("rule_id", flat=True)
    taken = 0
    for rule_id in sorted(set(held)):
        rights, units = revoke(
            which=(
                "g.rule_id = %(rule_id)s AND g.member_id = %(member_id)s"
                " AND g.period_key = %(period_key)s"
            ),
            parameters={
                "rule_id": rule_id,
                "member_id": member_id,
                "period_key": f"purchase:{purchase_id}",
            },
            cause=_Cause.REFUNDED,
            detail={"purchase": purchase_id},
            by=SYSTEM,
            at=at,
        )
        if rights:
            _tell(rules[rule_id], member_id, rights, units, _Cause.REFUNDED, at)
        taken += rights
    return taken


def revoke_of_rule(*, rule: GrantRule, by: Actor, at: datetime) -> int:
    """Take back all live rights that a rule gave, because it has ended; return how many."""
    with transaction.atomic():
        rights, units = revoke(
            which="g.rule_id = %(rule_id)s",
            parameters={"rule_id": rule.pk},
            cause=_Cause.RULE_ENDED,
            detail={},
            by=by,
            at=at,
        )
        if rights:
            _tell(rule, None, rights, units, _Cause.RULE_ENDED, at)
    return rights


def revoke_of_benefit(*, benefit_id: int, code: str, by: Actor, at: datetime) -> int:
    """Take back all live rights to a benefit, because it was retired; return how many."""
    with transaction.atomic():
        rights, units = revoke(
            which="g.benefit_id = %(benefit_id)s",
            parameters={"benefit_id": benefit_id},
            cause=_Cause.BENEFIT_RETIRED,
            detail={},
            by=by,
            at=at,
        )
        if rights:
            emit(
                type="grant.revoked",
                subject=f"benefit:{benefit_id}",
                data={
                    "benefit": code,
                    "cause": _Cause.BENEFIT_RETIRED,
                    "member_id": None,
                    "count": rights,
                    "units_left": units,
                },
                at=at,
            )
    return rights


def _tell(
    rule: GrantRule, member_id: int | None, rights: int, units: int, cause: str, at: datetime
) -> None:
    """Tell of rights taken back: one event, be it one right or a million."""
    emit(
        type="grant.revoked",
        subject=f"rule:{rule.pk}" if member_id is None else f"member:{member_id}",
        data={
            "rule": rule.code,
            "cause": cause,
            "member_id": member_id,
            "count": rights,
            "units_left": units,
        },
        at=at,
    )
