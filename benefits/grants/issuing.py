"""Issuing what rules grant: one statement for a whole audience, or for one member."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from benefits.catalogue.models import Benefit
from benefits.grants._candidates import (
    LIVE_SQL,
    Candidates,
    Item,
    Rivals,
    candidates,
    cost_of,
    items_of,
    rivals_of,
    units_of,
)
from benefits.grants._counters import add, lock_counters, used_of
from benefits.grants.terms import freeze
from benefits.rules.caps import PERIOD, allowed, caps_of, scopes_of
from benefits.rules.models import GrantRule
from benefits.rules.periods import ISSUED_BY_JOB, Period
from tenants.audit.operations import verify_identity
from tenants.brands.context import current_schema
from tenants.events.operations import emit

# Every part sees the same snapshot. Nothing refuses a second grant here but the constraint:
# those who have one are no candidates, and issues of one rule and period take turns.
_INSERT = """
    INSERT INTO benefits_grant (member_id, benefit_id, rule_id, rule_version, package_id, terms_id,
                                period_key, quantity, used, issued_at, starts_at, ends_at, reason)
    SELECT chosen.id, item.benefit_id, %(rule_id)s, %(rule_version)s, %(package_id)s,
           item.terms_id, %(period_key)s, item.quantity, 0, %(at)s, item.starts_at,
           item.ends_at, chosen.facts
      FROM ({chosen}) AS chosen CROSS JOIN
           unnest(%(benefit_ids)s::bigint[], %(quantities)s::int[], %(terms_ids)s::bigint[],
                  %(starts_ats)s::timestamptz[], %(ends_ats)s::timestamptz[])
           AS item (benefit_id, quantity, terms_id, starts_at, ends_at)
"""
_ISSUE = f"""
WITH matching AS MATERIALIZED ({{matching}}), left_out AS (
    INSERT INTO benefits_holdout (rule_id, member_id, period_key, since)
    SELECT %(rule_id)s, id, %(period_key)s, %(at)s FROM matching WHERE held_out
    ON CONFLICT DO NOTHING
    RETURNING 1
), chosen AS MATERIALIZED (
    SELECT id, facts FROM matching WHERE NOT held_out {{limit}}
), replaced AS (
    UPDATE benefits_grant g SET revoked_at = %(at)s
      FROM chosen
     WHERE g.member_id = chosen.id AND g.rule_id = ANY(%(replaced)s) AND {LIVE_SQL}
    RETURNING g.id, g.quantity - g.used AS units_left
), noted AS (
    INSERT INTO benefits_grantrevocation (grant_id, cause, detail, units_left, actor, at)
    SELECT id, 'replaced', jsonb_build_object('rule', %(rule_code)s::text), units_left, 'system',
           %(at)s
      FROM replaced
    RETURNING 1
), made AS ({{insert}}
    ON CONFLICT (rule_id, period_key, benefit_id, member_id) DO NOTHING
    RETURNING id, member_id, benefit_id, quantity
)
SELECT benefit_id, sum(quantity)::bigint, count(*), min(id), max(id) FROM made GROUP BY benefit_id
 UNION ALL
SELECT NULL, (SELECT count(*) FROM noted), count(*), NULL, NULL FROM left_out
"""  # noqa: S608
# A whole audience and one benefit, with nobody left out and nothing to replace: a bare insert,
# whose own count says how many there were. It is several times the speed of the other.
_PLAIN_CHOSEN = "SELECT id, facts FROM ({matching}) AS matching {limit}"


@dataclass(frozen=True, slots=True)
class Issued:
    """What one issue wrote: members who got something, units of benefits, members left out, and
    rights of other rules that it took the place of."""

    members: int = 0
    units: int = 0
    held_out: int = 0
    replaced: int = 0


@dataclass(frozen=True, slots=True)
class _Made:
    """The grants of one benefit that were written, between two keys."""

    count: int
    first: int
    last: int


def issue(
    *,
    rule: GrantRule,
    period: Period,
    at: datetime,
    member_id: int | None = None,
    cause: dict[str, Any] | None = None,
) -> Issued:
    """Grant a rule's benefits for a period to all members who match it, or to one of them.

    One transaction. Members who have them already, are held out, hold a rival right of the
    rule's exclusivity group, or no longer fit a cap get nothing; where a cap is short, who gets
    the last ones is drawn by lot. Rivals that give way are taken back in the same statement.
    `cause` is kept on the grants beside the facts that matched.
    """
    items = items_of(rule, period, at)
    if not items:
        return Issued()
    # A handler's own transaction needs no savepoint for each of its rules.
    with transaction.atomic(savepoint=member_id is None):
        if member_id is None:
            verify_identity()
        _wait_turn(rule, member_id)
        scopes = scopes_of(rule)
        if PERIOD not in scopes and (member_id is None or rule.cadence in ISSUED_BY_JOB):
            scopes = (*scopes, PERIOD)
        counters = lock_counters(rule, period, at, scopes=scopes)
        is_costed = bool(counters) or rule.cap_minor_per_member is not None
        cost_each = cost_of(items, at) if is_costed else 0
        limit = allowed(
            caps_of(rule, used=used_of(counters), units_each=units_of(items), cost_each=cost_each)
        )
        if limit == 0:
            return Issued()
        rivals = rivals_of(rule)
        found = candidates(
            rule, period, items, rivals=rivals, cost_each=cost_each, member_id=member_id, at=at
        )
        issued, made = _write(rule, items, found, rivals, limit=limit, cause=cause or {}, at=at)
        if issued.members:
            add(
                counters,
                members=issued.members,
                units=issued.units,
                cost_minor=issued.members * cost_each,
                at=at,
            )
        for item in items:
            if item.benefit.pk in made:
                _tell(rule, period, item.benefit, made[item.benefit.pk], member_id, at)
        if issued.replaced:
            _tell_replaced(rule, issued.replaced, member_id, at)
    return issued


def _wait_turn(rule: GrantRule, member_id: int | None) -> None:
    """Lock what the statement's own reading could miss. Order: group, member, counters.

    Rights of a group are given for a whole audience by one at a time, for single members beside
    each other; a member's own caps and group are counted by one at a time.
    """
    with connection.cursor() as cursor:
        if member_id is None:
            # A whole audience may take longer than a page may.
            cursor.execute("SELECT set_config('statement_timeout', '10min', true)")
        if rule.exclusivity_group:
            function = (
                "pg_advisory_xact_lock" if member_id is None else "pg_advisory_xact_lock_shared"
            )
            cursor.execute(
                f"SELECT {function}(hashtextextended(%s, 7))",
                [f"{current_schema()}:{rule.exclusivity_group}"],
            )
        is_counted = (
            rule.exclusivity_group
            or rule.cap_per_member is not None
            or rule.cap_minor_per_member is not None
        )
        if member_id is not None and is_counted:
            cursor.execute(
                "SELECT 1 FROM members_member WHERE id = %s FOR NO KEY UPDATE", [member_id]
            )


def _write(
    rule: GrantRule,
    items: Sequence[Item],
    found: Candidates,
    rivals: Rivals,
    *,
    limit: int | None,
    cause: dict[str, Any],
    at: datetime,
) -> tuple[Issued, dict[int, _Made]]:
    frozen = freeze(benefits=[item.benefit for item in items], at=at)
    parameters = {
        **found.parameters,
        "rule_version": rule.version,
        "package_id": rule.package_id,
        "benefit_ids": [item.benefit.pk for item in items],
        "quantities": [item.quantity for item in items],
        "terms_ids": [frozen[item.benefit.pk].pk for item in items],
        "starts_ats": [item.starts_at for item in items],
        "ends_ats": [item.ends_at for item in items],
        "limit": limit,
        "cause": json.dumps(cause),
        "reason": json.dumps({"facts": {}, **cause}),
    }
    lot = "" if limit is None else "ORDER BY hashint8extended(id, %(rule_id)s), id LIMIT %(limit)s"
    is_plain = len(items) == 1 and not rule.hold_out_bp and not rivals.replaced
    if is_plain and found.parameters["member_id"] is None:
        return _write_plain(items[0], found, parameters, lot)
    insert = _INSERT.format(chosen="SELECT id, facts FROM chosen")
    with connection.cursor() as cursor:
        cursor.execute(_ISSUE.format(matching=found.sql, limit=lot, insert=insert), parameters)
        rows = cursor.fetchall()
    made = {row[0]: _Made(*row[2:5]) for row in rows if row[0] is not None}
    aside = next(row for row in rows if row[0] is None)
    first = made.get(items[0].benefit.pk)
    issued = Issued(
        members=first.count if first else 0,
        units=sum(row[1] for row in rows if row[0] is not None),
        held_out=aside[2],
        replaced=aside[1],
    )
    return issued, made


def _write_plain(
    item: Item, found: Candidates, parameters: dict[str, Any], lot: str
) -> tuple[Issued, dict[int, _Made]]:
    chosen = _PLAIN_CHOSEN.format(matching=found.sql, limit=lot)
    with connection.cursor() as cursor:
        before = _last_key(cursor)
        cursor.execute(_INSERT.format(chosen=chosen), parameters)
        count = cursor.rowcount
        if not count:
            return Issued(), {}
        made = _Made(count, before + 1, _last_key(cursor))
    return (
        Issued(members=count, units=count * item.quantity),
        {item.benefit.pk: made},
    )


def _last_key(cursor: Any) -> int:
    """Return the last key of the grants that was handed out to anybody."""
    cursor.execute(
        "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM benefits_grant_id_seq"
    )
    key: int = cursor.fetchone()[0]
    return key


def _tell(
    rule: GrantRule,
    period: Period,
    benefit: Benefit,
    made: _Made,
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
            "count": made.count,
            "first_grant": made.first,
            "last_grant": made.last,
        },
        at=at,
    )


def _tell_replaced(rule: GrantRule, count: int, member_id: int | None, at: datetime) -> None:
    emit(
        type="grant.revoked",
        subject=f"rule:{rule.pk}" if member_id is None else f"member:{member_id}",
        data={"rule": rule.code, "cause": "replaced", "member_id": member_id, "count": count},
        at=at,
    )
