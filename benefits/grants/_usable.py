"""What a member may use now, and why or why not: all benefits in at most three queries."""

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from django.db import connection

from benefits.catalogue.models import Benefit
from benefits.catalogue.stages import LIVE
from benefits.catalogue.texts import localized
from benefits.grants.periods import next_period_at
from benefits.grants.popularity import EVERYBODY
from benefits.grants.relevance import OWN_DAYS, Relevance, Signals, relevance_of
from benefits.grants.usability import Reason, why_not
from benefits.rules.hold_out import is_held_out
from benefits.rules.models import GrantRule
from benefits.rules.periods import ISSUED_BY_JOB
from core import clock
from members.profiles.models import Member
from members.segments import conditions
from members.segments.conditions.nodes import All
from members.segments.queries import member_facts
from tenants.brands.context import current_brand


@dataclass(frozen=True, slots=True, kw_only=True)
class UsableBenefit:
    """One benefit as one member sees it.

    `usable` with no `reasons`, or not usable and why. `remaining` of `granted` units count all
    rights that run now. `grant_id` is the right to use next (the one that ends first), or the
    one the reasons are about. `why` says why it was granted. Texts are those promised when it
    was granted, in the language asked for. `resets_at` is when new units come. `relevance` says
    why a held one stands where it does in the list.
    """

    benefit: Benefit
    name: str
    summary: str
    terms: str
    usable: bool
    reasons: list[Reason]
    remaining: int
    granted: int
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    resets_at: datetime | None = None
    grant_id: int | None = None
    why: list[Reason] = field(default_factory=list)
    list_price_minor: int = 0
    relevance: Relevance | None = None


def what_may_i_use(
    *, member: Member, at: datetime, lang: str, region: str | None = None
) -> list[UsableBenefit]:
    """Return every benefit a member holds or could hold: usable ones first, by relevance.

    A benefit not held says what is missing for it, by the rules in force.
    """
    place = member.region if region is None else region
    rows = _rows(member, at)
    held = [row for row in rows if row.grant_id is not None]
    open_rows = {row.id: row for row in rows if row.grant_id is None}
    dearest = max((row.content["list_price_minor"] for row in held), default=0)
    found = [
        _held(group, member=member, at=at, lang=lang, region=place, dearest=dearest)
        for group in _by_benefit(held).values()
    ]
    if open_rows:
        reasons = _missing(member, set(open_rows), at)
        found += [
            _not_held(row, reasons.get(key, [Reason("not_granted")]), lang)
            for key, row in open_rows.items()
        ]
    return sorted(found, key=_order)


def _order(item: UsableBenefit) -> tuple[bool, bool, int, str, str]:
    score = item.relevance.score if item.relevance is not None and item.usable else 0
    benefit = item.benefit
    return (not item.usable, item.grant_id is None, -score, benefit.category, benefit.code)


# Written out, because building these two queries anew for each page took as long as all the rest.
_HELD_AND_OFFERED = """
SELECT b.id, b.code, b.kind, b.name, b.summary, b.terms, b.category, b.icon, b.stage, b.channel,
       b.by_appointment, b.sla_hours, b.list_price_minor,
       g.id AS grant_id, g.quantity, g.used, g.starts_at, g.ends_at, g.revoked_at, g.reason,
       t.content, r.cadence, r.status AS rule_status, r.every_months, r.starts_at AS rule_starts_at,
       r.ends_at AS rule_ends_at, r.created_at AS rule_created_at,
       COALESCE(own.uses, 0), alike.users, alike.holders, everybody.users, everybody.holders
  FROM benefits_benefit b
  LEFT JOIN benefits_grant g ON g.benefit_id = b.id AND g.member_id = %(member_id)s
       AND (g.ends_at IS NULL OR g.ends_at > %(at)s)
  LEFT JOIN benefits_grantterms t ON t.id = g.terms_id
  LEFT JOIN benefits_grantrule r ON r.id = g.rule_id
  LEFT JOIN (SELECT benefit_id, count(*) AS uses FROM benefits_redemption
              WHERE member_id = %(member_id)s AND requested_at > %(own_since)s
                AND state NOT IN ('cancelled', 'failed', 'expired')
              GROUP BY benefit_id) own ON own.benefit_id = b.id
  LEFT JOIN benefits_benefitpopularity alike ON alike.benefit_id = b.id AND alike.value_segment
       = (SELECT value_segment FROM members_memberscore WHERE member_id = %(member_id)s)
  LEFT JOIN benefits_benefitpopularity everybody ON everybody.benefit_id = b.id
       AND everybody.value_segment = %(everybody)s
 WHERE g.id IS NOT NULL
    OR (b.stage = ANY(%(live)s) AND (b.starts_at IS NULL OR b.starts_at <= %(at)s)
        AND (b.ends_at IS NULL OR b.ends_at > %(at)s))
"""
_RULES = """
SELECT r.code, r.cadence, r.hold_out_bp, array_agg(COALESCE(r.benefit_id, i.benefit_id)),
       r.condition::text
  FROM benefits_grantrule r LEFT JOIN benefits_packageunit i ON i.package_id = r.package_id
 WHERE r.status = 'published' AND (r.starts_at IS NULL OR r.starts_at <= %(at)s)
   AND (r.ends_at IS NULL OR r.ends_at > %(at)s)
   AND COALESCE(r.benefit_id, i.benefit_id) = ANY(%(benefit_ids)s)
 GROUP BY r.id ORDER BY r.priority, r.code
"""


class _Row(NamedTuple):
    """A benefit with one right of the member's to it, or none; JSON columns are decoded."""

    id: int
    code: str
    kind: str
    name: dict[str, str]
    summary: dict[str, str]
    terms: dict[str, str]
    category: str
    icon: str
    stage: str
    channel: str
    by_appointment: bool
    sla_hours: int | None
    list_price_minor: int
    grant_id: int | None
    quantity: int
    used: int
    starts_at: datetime
    ends_at: datetime | None
    revoked_at: datetime | None
    reason: dict[str, Any]
    content: dict[str, Any]
    cadence: str | None
    rule_status: str | None
    every_months: int | None
    rule_starts_at: datetime | None
    rule_ends_at: datetime | None
    rule_created_at: datetime | None
    uses: int
    segment_users: int | None
    segment_holders: int | None
    all_users: int | None
    all_holders: int | None


# In the order of the model's fields: `from_db` takes the values in that order, not by name.
_BENEFIT_FIELDS = _Row._fields[:13]
_JSON = (3, 4, 5, 19, 20)


def _rows(member: Member, at: datetime) -> list[_Row]:
    """Read the live benefits with the member's rights that have not ended: one query."""
    with connection.cursor() as cursor:
        cursor.execute(
            _HELD_AND_OFFERED,
            {
                "member_id": member.pk,
                "at": at,
                "live": sorted(LIVE),
                "own_since": at - timedelta(days=OWN_DAYS),
                "everybody": EVERYBODY,
            },
        )
        found = []
        for values in cursor.fetchall():
            decoded = list(values)
            for index in _JSON:
                decoded[index] = json.loads(decoded[index]) if decoded[index] else {}
            found.append(_Row(*decoded))
        return found


def _by_benefit(rows: Iterable[_Row]) -> dict[int, list[_Row]]:
    groups: dict[int, list[_Row]] = defaultdict(list)
    for row in rows:
        groups[row.id].append(row)
    return groups


def _held(
    rows: list[_Row], *, member: Member, at: datetime, lang: str, region: str, dearest: int
) -> UsableBenefit:
    judged = []
    for row in rows:
        reason = why_not(
            row, at=at, region=region, regions=row.content["regions"], next_at=_next_at(row, at)
        )
        if reason is None and not member.is_active:
            reason = Reason("blocked_member")
        judged.append((reason, row))
    # The right to use next: usable before not, sooner to end before later.
    judged.sort(key=lambda one: (one[0] is not None, one[1].ends_at is None, one[1].ends_at or at))
    reason, row = judged[0]
    current = [one for one in rows if one.revoked_at is None and one.starts_at <= at]
    return UsableBenefit(
        benefit=_benefit(row),
        name=localized(row.content["name"], lang),
        summary=localized(row.content["summary"], lang),
        terms=localized(row.content["terms"], lang),
        usable=reason is None,
        reasons=[] if reason is None else [reason],
        remaining=sum(one.quantity - one.used for one in current),
        granted=sum(one.quantity for one in current),
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        resets_at=_next_at(row, at),
        grant_id=row.grant_id,
        why=_why(row),
        list_price_minor=row.content["list_price_minor"],
        relevance=relevance_of(_signals(row, dearest), at=at),
    )


def _signals(row: _Row, dearest: int) -> Signals:
    return Signals(
        uses=row.uses,
        segment=_pair(row.segment_users, row.segment_holders),
        everybody=_pair(row.all_users, row.all_holders),
        list_price_minor=row.content["list_price_minor"],
        dearest_minor=dearest,
        ends_at=row.ends_at,
    )


def _pair(users: int | None, holders: int | None) -> tuple[int, int] | None:
    return None if users is None or holders is None else (users, holders)


def _not_held(row: _Row, reasons: list[Reason], lang: str) -> UsableBenefit:
    return UsableBenefit(
        benefit=_benefit(row),
        name=localized(row.name, lang),
        summary=localized(row.summary, lang),
        terms=localized(row.terms, lang),
        usable=False,
        reasons=reasons,
        remaining=0,
        granted=0,
        list_price_minor=row.list_price_minor,
    )


def _benefit(row: _Row) -> Benefit:
    return Benefit.from_db(None, _BENEFIT_FIELDS, row[: len(_BENEFIT_FIELDS)])


def _next_at(row: _Row, at: datetime) -> datetime | None:
    if row.cadence is None or row.rule_status != GrantRule.Status.PUBLISHED:
        return None
    began = row.rule_starts_at or row.rule_created_at or at
    return next_period_at(
        cadence=row.cadence,
        every_months=row.every_months,
        since=clock.local_date(began, current_brand().timezone),
        ends_at=row.rule_ends_at,
        at=at,
    )


def _why(row: _Row) -> list[Reason]:
    """Return why it was granted: what set it off, and the facts that matched then."""
    stored = row.reason
    found = []
    if row.cadence == GrantRule.Cadence.BIRTHDAY_MONTH:
        found.append(Reason("birthday_month"))
    if "code" in stored:
        data = {name: value for name, value in stored.items() if name not in {"code", "facts"}}
        found.append(Reason(stored["code"], data))
    found += [
        Reason("fact", {"field": name, "value": value})
        for name, value in stored.get("facts", {}).items()
    ]
    return found or [Reason("member")]


def _missing(member: Member, benefit_ids: set[int], at: datetime) -> dict[int, list[Reason]]:
    """Return by benefit why a member does not hold it: two queries, however many rules."""
    with connection.cursor() as cursor:
        cursor.execute(_RULES, {"at": at, "benefit_ids": sorted(benefit_ids)})
        rules = [(*row[:4], _parse(row[4])) for row in cursor.fetchall()]
    names = {name for rule in rules for name in conditions.fields_of(rule[4])}
    facts = member_facts(member_id=member.pk, fields=names, at=at) if names else {}
    reasons: dict[int, list[Reason]] = defaultdict(list)
    for code, cadence, hold_out_bp, items, condition in rules:
        if hold_out_bp and is_held_out(
            rule_code=code, member_id=member.pk, hold_out_bp=hold_out_bp
        ):
            continue
        unmet = _unmet(condition, facts)
        if unmet is not None:
            reason = Reason("not_granted", {"rule": code, "needs": unmet})
        elif cadence in ISSUED_BY_JOB and cadence != GrantRule.Cadence.BIRTHDAY_MONTH:
            reason = Reason("coming", {"rule": code})
        else:
            reason = Reason("not_granted", {"rule": code, "cadence": cadence})
        for key in items:
            reasons[key].append(reason)
    return reasons


def _unmet(condition: conditions.Condition, facts: conditions.Facts) -> dict[str, Any] | None:
    """Return the part of a condition that the facts do not meet; None when all is met."""
    if conditions.evaluate(condition, facts):
        return None
    if isinstance(condition, All):
        parts = [part for part in condition.parts if not conditions.evaluate(part, facts)]
        return conditions.to_tree(All(tuple(parts)) if len(parts) > 1 else parts[0])
    return conditions.to_tree(condition)


@lru_cache(maxsize=4096)
def _parse(tree: str) -> conditions.Condition:
    return conditions.parse(json.loads(tree))
