"""What a member may use now, and why or why not: all benefits in at most three queries."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

from django.contrib.postgres.aggregates import ArrayAgg
from django.db.models import FilteredRelation, Q, TextField
from django.db.models.functions import Cast

from benefits.catalogue.models import Benefit
from benefits.catalogue.stages import LIVE
from benefits.catalogue.texts import localized
from benefits.grants.periods import next_period_at
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
    was granted, in the language asked for. `resets_at` is when new units come.
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


def what_may_i_use(
    *, member: Member, at: datetime, lang: str, region: str | None = None
) -> list[UsableBenefit]:
    """Return every benefit a member holds or could hold: usable ones first, then by category.

    A benefit not held says what is missing for it, by the rules in force.
    """
    place = member.region if region is None else region
    rows = _rows(member, at)
    held = [row for row in rows if row["mine__id"] is not None]
    held_ids = {row["id"] for row in held}
    open_rows = {row["id"]: row for row in rows if row["id"] not in held_ids}
    found = [
        _held(group, member=member, at=at, lang=lang, region=place)
        for group in _by_benefit(held).values()
    ]
    if open_rows:
        reasons = _missing(member, set(open_rows), at)
        found += [
            _not_held(row, reasons.get(key, [Reason("not_granted")]), lang)
            for key, row in open_rows.items()
        ]
    return sorted(found, key=_order)


def _order(item: UsableBenefit) -> tuple[bool, bool, str, str]:
    return (not item.usable, item.grant_id is None, item.benefit.category, item.benefit.code)


_BENEFIT = (
    "id",
    "code",
    "kind",
    "name",
    "summary",
    "terms",
    "category",
    "icon",
    "stage",
    "channel",
    "list_price_minor",
    "sla_hours",
)
_GRANT = (
    "id",
    "quantity",
    "used",
    "starts_at",
    "ends_at",
    "revoked_at",
    "reason",
    "terms__content",
    "rule__cadence",
    "rule__status",
    "rule__every_months",
    "rule__starts_at",
    "rule__ends_at",
    "rule__created_at",
)


def _rows(member: Member, at: datetime) -> list[dict[str, Any]]:
    """Read the live benefits with the member's rights that have not ended: one query."""
    mine = FilteredRelation(
        "grants",
        condition=Q(grants__member=member)
        & (Q(grants__ends_at__isnull=True) | Q(grants__ends_at__gt=at)),
    )
    offered = (
        Q(stage__in=sorted(LIVE))
        & (Q(starts_at__isnull=True) | Q(starts_at__lte=at))
        & (Q(ends_at__isnull=True) | Q(ends_at__gt=at))
    )
    benefits = Benefit.objects.annotate(mine=mine).filter(offered | Q(mine__isnull=False))
    return list(benefits.values(*_BENEFIT, *(f"mine__{name}" for name in _GRANT)))


def _by_benefit(rows: Iterable[dict[str, Any]]) -> dict[int, list[dict[str, Any]]]:
    groups: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        groups[row["id"]].append(row)
    return groups


def _held(
    rows: list[dict[str, Any]], *, member: Member, at: datetime, lang: str, region: str
) -> UsableBenefit:
    judged = []
    for row in rows:
        right = SimpleNamespace(**{name: row[f"mine__{name}"] for name in _GRANT[:6]})
        reason = why_not(
            right,
            at=at,
            region=region,
            regions=row["mine__terms__content"]["regions"],
            next_at=_next_at(row, at),
        )
        if reason is None and not member.is_active:
            reason = Reason("blocked_member")
        judged.append((reason, right, row))
    # The right to use next: usable before not, sooner to end before later.
    judged.sort(key=lambda one: (one[0] is not None, one[1].ends_at is None, one[1].ends_at or at))
    reason, right, row = judged[0]
    current = [one for _why, one, _row in judged if one.revoked_at is None and one.starts_at <= at]
    content = row["mine__terms__content"]
    return UsableBenefit(
        benefit=_benefit(row),
        name=localized(content["name"], lang),
        summary=localized(content["summary"], lang),
        terms=localized(content["terms"], lang),
        usable=reason is None,
        reasons=[] if reason is None else [reason],
        remaining=sum(one.quantity - one.used for one in current),
        granted=sum(one.quantity for one in current),
        starts_at=right.starts_at,
        ends_at=right.ends_at,
        resets_at=_next_at(row, at),
        grant_id=right.id,
        why=_why(row),
        list_price_minor=content["list_price_minor"],
    )


def _not_held(row: dict[str, Any], reasons: list[Reason], lang: str) -> UsableBenefit:
    return UsableBenefit(
        benefit=_benefit(row),
        name=localized(row["name"], lang),
        summary=localized(row["summary"], lang),
        terms=localized(row["terms"], lang),
        usable=False,
        reasons=reasons,
        remaining=0,
        granted=0,
        list_price_minor=row["list_price_minor"],
    )


def _benefit(row: Mapping[str, Any]) -> Benefit:
    return Benefit(**{name: row[name] for name in _BENEFIT})


def _next_at(row: Mapping[str, Any], at: datetime) -> datetime | None:
    if row["mine__rule__status"] != GrantRule.Status.PUBLISHED:
        return None
    since = clock.local_date(
        row["mine__rule__starts_at"] or row["mine__rule__created_at"], current_brand().timezone
    )
    return next_period_at(
        cadence=row["mine__rule__cadence"],
        every_months=row["mine__rule__every_months"],
        since=since,
        ends_at=row["mine__rule__ends_at"],
        at=at,
    )


def _why(row: Mapping[str, Any]) -> list[Reason]:
    """Return why it was granted: what set it off, and the facts that matched then."""
    stored: dict[str, Any] = row["mine__reason"]
    found = []
    if row["mine__rule__cadence"] == GrantRule.Cadence.BIRTHDAY_MONTH:
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
    rules = (
        GrantRule.objects.filter(
            Q(starts_at__isnull=True) | Q(starts_at__lte=at),
            Q(ends_at__isnull=True) | Q(ends_at__gt=at),
            Q(benefit__in=benefit_ids) | Q(package__items__benefit__in=benefit_ids),
            status=GrantRule.Status.PUBLISHED,
        )
        .annotate(
            tree=Cast("condition", TextField()),
            items=ArrayAgg("package__items__benefit", default=[]),
        )
        .order_by("priority", "code")
        .values_list("code", "cadence", "hold_out_bp", "benefit_id", "items", "tree")
    )
    parsed = [(*row[:3], row[3], row[4], _parse(row[5])) for row in rules]
    names = {name for row in parsed for name in conditions.fields_of(row[5])}
    facts = member_facts(member_id=member.pk, fields=names, at=at) if names else {}
    reasons: dict[int, list[Reason]] = defaultdict(list)
    for code, cadence, hold_out_bp, benefit_id, items, condition in parsed:
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
        for key in [benefit_id] if benefit_id is not None else items:
            if key in benefit_ids:
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
