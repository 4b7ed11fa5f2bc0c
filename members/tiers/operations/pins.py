"""What holds a tier whatever the metric says: placed, told of, ended; by hand or by the night."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from members.tiers._evaluation import measure_many
from members.tiers._frames import frame_on
from members.tiers._holding import published
from members.tiers.errors import NoSchemeError
from members.tiers.models import MemberTier, PaidTerm, Tier, TierChange, TierPin
from members.tiers.operations.many import evaluate_members
from members.tiers.operations.single import welcome
from members.tiers.queries import get_scheme
from members.tiers.rules import held_rank, match_tier
from tenants.brands.context import current_brand
from tenants.events.operations import emit, emit_many

_PART = 1_000
_Cause = TierChange.Cause
_BEGAN = {
    TierPin.Source.PAID: _Cause.PAID,
    TierPin.Source.OVERRIDE: _Cause.OVERRIDE,
    TierPin.Source.BENEFIT: _Cause.BENEFIT,
}
_ENDED = {
    TierPin.Source.PAID: _Cause.PAID_ENDED,
    TierPin.Source.OVERRIDE: _Cause.OVERRIDE_ENDED,
    TierPin.Source.BENEFIT: _Cause.BENEFIT_ENDED,
}


@dataclass(frozen=True, slots=True)
class Settled:
    """What came of a settlement: pins that began and ended, members who rose and fell."""

    began: int = 0
    ended: int = 0
    upgraded: int = 0
    downgraded: int = 0

    def __add__(self, other: "Settled") -> "Settled":
        return Settled(
            self.began + other.began,
            self.ended + other.ended,
            self.upgraded + other.upgraded,
            self.downgraded + other.downgraded,
        )


def settle_members(
    *, member_ids: Sequence[int], on: date, at: datetime, ended: Sequence[TierPin] = ()
) -> Settled:
    """Begin and end the pins of these members that are due on a brand day; place their tiers.

    One transaction, with the members locked in the order of their keys. Run twice: nothing
    changes. Events: `tier.upgraded`, `tier.downgraded`, `tier.welcomed`, and `tier.will_downgrade`
    for who is left with a tier that is in danger. `ended` are pins that the caller has ended in the
    same transaction (`end_pin`).

    :raises NoSchemeError: if no scheme is in force on that day.
    """
    scheme = get_scheme(on=on)
    if scheme is None:
        raise NoSchemeError
    tiers = published(scheme.pk)[1]
    keys = sorted(set(member_ids))
    with transaction.atomic():
        _lock(keys, first=tiers[0], on=on, at=at)
        current = {tier.pk for tier in tiers}
        stored = MemberTier.objects.in_bulk(keys)
        if any(
            {row.tier_id, row.earned_tier_id or row.tier_id} - current for row in stored.values()
        ):
            # Placed under the new scheme first: one change, one cause.
            evaluate_members(member_ids=keys, on=on, at=at)
            stored = MemberTier.objects.in_bulk(keys)
        began, over = _move_pins(keys, on, at)
        over = [*ended, *over]
        applied: dict[int, list[TierPin]] = {}
        for pin in (
            TierPin.objects.filter(
                member_id__in=keys, applied_at__isnull=False, ended_at__isnull=True
            )
            .select_related("tier")
            .order_by("pk")
        ):
            applied.setdefault(pin.member_id, []).append(pin)
        known = {tier.pk: tier for tier in tiers}
        moves: list[_Move] = []
        for key in keys:
            row, pins = stored[key], applied.get(key, [])
            before, earned = known[row.tier_id], known[row.earned_tier_id or row.tier_id]
            held = tiers[
                held_rank(
                    earned.rank,
                    exactly=_ranks(tiers, pins, TierPin.Mode.EXACTLY),
                    at_least=_ranks(tiers, pins, TierPin.Mode.AT_LEAST),
                )
                - 1
            ]
            mine = [pin for pin in (*over, *began) if pin.member_id == key]
            row.tier, row.earned_tier = held, earned if pins else None
            if held != before:
                row.since = at
                moves.append(_Move(key, before, held, earned, _culprit(mine, before, held)))
        MemberTier.objects.bulk_update(
            [stored[key] for key in keys], ["tier", "earned_tier", "since"], batch_size=_PART
        )
        _write_down(moves, scheme.version, at)
        _tell(moves, at)
        _tell_of_terms(over, at)
        _tell_of_danger([stored[key] for key in keys], over, on, at)
    return Settled(
        began=len(began),
        ended=len(over),
        upgraded=sum(move.after.rank > move.before.rank for move in moves),
        downgraded=sum(move.after.rank < move.before.rank for move in moves),
    )


def renewals_of(term: PaidTerm | OuterRef) -> QuerySet[PaidTerm]:
    """Return what follows a term: at most one row."""
    return PaidTerm.objects.filter(previous=term, refunded_at__isnull=True)


def end_pin(*, pin: TierPin, ending: str, at: datetime) -> TierPin:
    """End a pin at once; `settle_members` must follow in the same transaction."""
    pin.ended_at, pin.ending = at, ending
    pin.save(update_fields=["ended_at", "ending"])
    return pin


def list_due(*, on: date) -> list[list[int]]:
    """Return the members with pins that begin or end by a brand day, in parts."""
    keys = sorted(set(TierPin.objects.filter(_due(on)).values_list("member_id", flat=True)))
    return [keys[start : start + _PART] for start in range(0, len(keys), _PART)]


def tell_of_endings(*, on: date, at: datetime, notice_days: int) -> int:
    """Tell the members who will fall because a pin ends within some days; each once.

    A term that is expected to be renewed is told of by `membership.renewal_due` instead, until its
    grace days run. Event: `tier.will_downgrade` with what lacks to earn the tier.
    """
    with transaction.atomic():
        due = list(
            TierPin.objects.select_for_update(of=("self",))
            .filter(
                ended_at__isnull=True,
                applied_at__isnull=False,
                told_at__isnull=True,
                ends_on__lte=on + timedelta(days=notice_days),
            )
            .filter(Q(term__isnull=True) | Q(term__renews=False) | Q(term__ends_on__lte=on))
            .exclude(Exists(renewals_of(OuterRef("term"))))
            .select_related("tier")
            .order_by("pk")
        )
        told = sum(
            _tell_of_endings(due[start : start + _PART], on, at)
            for start in range(0, len(due), _PART)
        )
        if due:
            TierPin.objects.filter(pk__in=[pin.pk for pin in due]).update(told_at=at)
    return told


@dataclass(frozen=True, slots=True)
class _Move:
    member_id: int
    before: Tier
    after: Tier
    earned: Tier
    pin: TierPin

    @property
    def cause(self) -> str:
        causes = _ENDED if self.pin.ended_at is not None else _BEGAN
        return str(causes[TierPin.Source(self.pin.source)])


def _due(on: date) -> Q:
    begins = Q(applied_at__isnull=True, starts_on__lte=on)
    return Q(ended_at__isnull=True) & (begins | Q(ends_on__lte=on))


def _lock(keys: Sequence[int], *, first: Tier, on: date, at: datetime) -> None:
    """Lock members as purchases do, then their tiers as the night does; make what is missing."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM (SELECT FROM members_member WHERE id = ANY(%s) "
            "ORDER BY id FOR NO KEY UPDATE) AS locked",
            [list(keys)],
        )
        cursor.execute(
            "INSERT INTO members_membertier (member_id, tier_id, since, evaluated_on, metric_value) "
            "SELECT id, %s, %s, %s, 0 FROM members_member WHERE id = ANY(%s) ORDER BY id "
            "ON CONFLICT DO NOTHING",
            [first.pk, at, on - timedelta(days=1), list(keys)],
        )
        cursor.execute(
            "SELECT count(*) FROM (SELECT FROM members_membertier WHERE member_id = ANY(%s) "
            "ORDER BY member_id FOR UPDATE) AS locked",
            [list(keys)],
        )


def _move_pins(keys: Sequence[int], on: date, at: datetime) -> tuple[list[TierPin], list[TierPin]]:
    """Mark what begins and what ends; what did both while no night ran only ends."""
    began: list[TierPin] = []
    ended: list[TierPin] = []
    for pin in (
        TierPin.objects.filter(_due(on), member_id__in=keys)
        .select_related("tier", "term")
        .order_by("pk")
    ):
        if pin.ends_on <= on:
            pin.ended_at, pin.ending = at, _why_over(pin)
            ended.append(pin)
        else:
            pin.applied_at = at
            began.append(pin)
    TierPin.objects.bulk_update([*began, *ended], ["applied_at", "ended_at", "ending"])
    return began, ended


def _why_over(pin: TierPin) -> str:
    """Return what a pin whose day has come ended by."""
    term = getattr(pin, "term", None)
    if term is None:
        return TierPin.Ending.EXPIRED
    if renewals_of(term).exists():
        return TierPin.Ending.RENEWED
    return TierPin.Ending.LAPSED if term.renews else TierPin.Ending.EXPIRED


def _ranks(tiers: Sequence[Tier], pins: Sequence[TierPin], mode: str) -> list[int]:
    return [match_tier(tiers, pin.tier).rank for pin in pins if pin.mode == mode]


def _culprit(pins: Sequence[TierPin], before: Tier, after: Tier) -> TierPin:
    """Return the pin that moved the tier: what began, unless the end of one let it fall."""
    began = [pin for pin in pins if pin.ended_at is None]
    ended = [pin for pin in pins if pin.ended_at is not None]
    if after.rank < before.rank:
        exact = [pin for pin in began if pin.mode == TierPin.Mode.EXACTLY]
        return (exact or ended or began)[-1]
    return (began or ended)[-1]


def _write_down(moves: Sequence[_Move], version: int, at: datetime) -> None:
    TierChange.objects.bulk_create(
        [
            TierChange(
                member_id=move.member_id,
                from_tier=move.before,
                to_tier=move.after,
                earned_tier=move.earned,
                at=at,
                cause=move.cause,
                pin=move.pin,
                scheme_version=version,
                zone=current_brand().timezone,
            )
            for move in moves
        ]
    )


def _tell(moves: Sequence[_Move], at: datetime) -> None:
    for kind, is_up in (("tier.upgraded", True), ("tier.downgraded", False)):
        emit_many(
            type=kind,
            events=[
                (
                    f"member:{move.member_id}",
                    {
                        "member_id": move.member_id,
                        "from": move.before.code,
                        "to": move.after.code,
                        "rank": move.after.rank,
                        "cause": move.cause,
                    },
                )
                for move in moves
                if (move.after.rank > move.before.rank) is is_up
            ],
            at=at,
        )
    risen: dict[Tier, list[int]] = {}
    for move in moves:
        if move.after.rank > move.before.rank:
            risen.setdefault(move.after, []).append(move.member_id)
    for tier, keys in sorted(risen.items(), key=lambda item: item[0].rank):
        welcome(member_ids=keys, tier=tier, at=at)


def _tell_of_terms(over: Sequence[TierPin], at: datetime) -> None:
    """Tell of memberships that ran out: `membership.expired`, or `membership.lapsed` unpaid."""
    ran_out = {
        pin.pk: pin.ending
        for pin in over
        if pin.source == TierPin.Source.PAID
        and pin.ending in {TierPin.Ending.EXPIRED, TierPin.Ending.LAPSED}
    }
    for term in PaidTerm.objects.filter(pin__in=ran_out).select_related("plan").order_by("pk"):
        emit(
            type=f"membership.{ran_out[term.pin_id]}",
            subject=f"member:{term.member_id}",
            data={
                "member_id": term.member_id,
                "plan": term.plan.code,
                "term": term.pk,
                "reference": term.reference,
            },
            at=at,
        )


def _tell_of_danger(
    rows: Sequence[MemberTier], ended: Sequence[TierPin], on: date, at: datetime
) -> None:
    """Tell those whose tier was in danger while a pin hid it, and now is for all to see."""
    bared = {pin.member_id for pin in ended}
    emit_many(
        type="tier.will_downgrade",
        events=[
            (
                f"member:{row.pk}",
                {
                    "member_id": row.pk,
                    "tier": row.tier.code,
                    "cause": _Cause.NIGHTLY.value,
                    "lost_on": row.grace_until.isoformat(),
                },
            )
            for row in rows
            if row.pk in bared
            and row.earned_tier is None
            and row.grace_until is not None
            and row.grace_until > on
        ],
        at=at,
    )


def _tell_of_endings(pins: Sequence[TierPin], on: date, at: datetime) -> int:
    """Tell of the ends of these pins, where a member will hold less without them."""
    keys = [pin.member_id for pin in pins]
    frame = frame_on(on, at)
    if frame is None or not keys:
        return 0
    measured = {row.member_id: row for row in measure_many(frame, member_ids=keys)}
    others: dict[int, list[TierPin]] = {}
    for other in TierPin.objects.filter(
        member_id__in=keys, ended_at__isnull=True, applied_at__isnull=False
    ).select_related("tier"):
        others.setdefault(other.member_id, []).append(other)
    events = []
    for pin in pins:
        found = measured.get(pin.member_id)
        if found is None:
            continue
        left = [row for row in others[pin.member_id] if row.ends_on > pin.ends_on]
        rank = held_rank(
            found.rank,
            exactly=_ranks(frame.tiers, left, TierPin.Mode.EXACTLY),
            at_least=_ranks(frame.tiers, left, TierPin.Mode.AT_LEAST),
        )
        if rank >= found.held_rank:
            continue
        held = frame.tiers[found.held_rank - 1]
        body = {
            "member_id": pin.member_id,
            "tier": held.code,
            "to": frame.tiers[rank - 1].code,
            "cause": str(_ENDED[TierPin.Source(pin.source)]),
            "metric": frame.scheme.metric,
            "metric_value": found.metric,
            "missing": max(held.entry_threshold - found.metric, 0),
            "lost_on": pin.ends_on.isoformat(),
        }
        events.append((f"member:{pin.member_id}", body))
    return emit_many(type="tier.will_downgrade", events=events, at=at)
