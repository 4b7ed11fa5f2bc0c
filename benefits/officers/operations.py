"""Rounds of experience officers: prepared, opened, lived through, thanked for, told about.

A seat is taken by a conditional update of the round's counter, so that no two members get the
last one; the unique row of a member in a round makes each step theirs once.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection, transaction
from django.db.models import Count, F

from benefits.catalogue.models import Benefit
from benefits.grants.operations import grant
from benefits.officers.errors import (
    InvalidDiaryError,
    InvalidPhotoError,
    InvalidRoundError,
    NoteMissingError,
    NotInvitedError,
    OwnIdeaError,
    RoundStateError,
    SeatsTakenError,
)
from benefits.officers.models import (
    DiaryEntry,
    DiaryPhoto,
    IdeaVote,
    OfficerFinding,
    OfficerIdea,
    OfficerRound,
    OfficerSeat,
)
from benefits.officers.photos import clean_photo
from core import clock
from core.actors import SYSTEM, Actor
from core.ids import derived_uuid
from members.points.operations import earn
from members.points.values import MAX_POINTS, Source
from members.profiles.models import Member
from members.segments import conditions
from tenants.audit.operations import record
from tenants.brands.context import current_brand
from tenants.events.operations import emit

State = OfficerRound.State
MAX_SEATS = 500
MAX_QUESTIONS = 8
MAX_PHOTOS = 3
MAX_IDEAS = 20
MAX_INVITED = 20_000


def create_round(
    *,
    benefit: Benefit,
    title: str,
    seats: int,
    ends_on: date,
    questions: Sequence[str],
    by: Actor,
    at: datetime,
    brief: str = "",
    condition: Mapping[str, Any] | None = None,
    trial_units: int = 1,
    thank_points: int = 0,
    least_entries: int = 1,
    alert_id: int | None = None,
) -> OfficerRound:
    """Prepare a round; nobody is invited before `open_round`.

    :raises InvalidRoundError: if a field is wrong; `pointer` names it.
    :raises ConditionError: if the condition is none.
    """
    asked = [question.strip()[:120] for question in questions if question.strip()]
    today = clock.local_date(at, current_brand().timezone)
    for pointer, is_right in (
        ("/title", 0 < len(title.strip()) <= 80),
        ("/seats", 1 <= seats <= MAX_SEATS),
        ("/ends_on", ends_on > today),
        ("/questions", 1 <= len(asked) <= MAX_QUESTIONS),
        ("/trial_units", 0 <= trial_units <= 20),
        ("/thank_points", 0 <= thank_points <= min(MAX_POINTS, 1_000_000)),
        ("/least_entries", 1 <= least_entries <= 60),
    ):
        if not is_right:
            raise InvalidRoundError(pointer=pointer)
    if condition is not None:
        conditions.parse(condition)
    with transaction.atomic():
        made = OfficerRound.objects.create(
            benefit=benefit,
            title=title.strip(),
            brief=brief.strip(),
            condition=condition,
            seats=seats,
            trial_units=trial_units,
            thank_points=thank_points,
            least_entries=least_entries,
            questions=asked,
            ends_on=ends_on,
            alert_id=alert_id,
            created_at=at,
        )
        _record(made, "created", by=by, at=at, changes={"seats": [None, seats]})
    return made


_INVITE = """
INSERT INTO benefits_officerseat (round_id, member_id, state, invited_at)
SELECT %(round)s, found.id, 'invited', %(at)s
  FROM ({audience}) AS found
 ORDER BY md5(%(round)s::text || ':' || found.id::text)
 LIMIT %(limit)s
    ON CONFLICT (round_id, member_id) DO NOTHING
"""


def open_round(*, officer_round: OfficerRound, invite: int, by: Actor, at: datetime) -> int:
    """Open a round and invite so many members of its audience, drawn evenly; return how many.

    The draw follows from the round's number, so that nobody picks whom. Event:
    `officer_round.opened`.

    :raises RoundStateError: if it is not a draft, or its last day has passed.
    :raises InvalidRoundError: if fewer are invited than there are seats.
    """
    with transaction.atomic():
        row = _lock(officer_round, State.DRAFT)
        if not row.seats <= invite <= MAX_INVITED:
            raise InvalidRoundError(pointer="/invite", least=row.seats, most=MAX_INVITED)
        if row.ends_on <= clock.local_date(at, current_brand().timezone):
            raise RoundStateError(state="ended")
        invited = _invite(row, invite, at)
        row.state, row.opened_at = State.OPEN, at
        row.save(update_fields=["state", "opened_at"])
        _record(row, "opened", by=by, at=at, changes={"invited": [None, invited]})
        emit(
            type="officer_round.opened",
            subject=f"officer_round:{row.pk}",
            data={"benefit": row.benefit.code, "invited": invited, "seats": row.seats},
            at=at,
        )
    return invited


def _invite(row: OfficerRound, invite: int, at: datetime) -> int:
    if row.condition is None:
        audience, params = "SELECT id FROM members_member WHERE status = 'active'", {}
    else:
        compiled = conditions.compile_sql(conditions.parse(row.condition), at=at)
        audience, params = compiled.sql, dict(compiled.params)
    with connection.cursor() as cursor:
        cursor.execute(
            _INVITE.format(audience=audience),
            {**params, "round": row.pk, "at": at, "limit": invite},
        )
        return int(cursor.rowcount)


def accept(*, officer_round: OfficerRound, member: Member, by: Actor, at: datetime) -> OfficerSeat:
    """Take a seat, and get the units to try; again, nothing changes.

    :raises NotInvitedError: if the member was not invited.
    :raises RoundStateError: if the round is not open or has ended.
    :raises SeatsTakenError: if no seat is left.
    """
    with transaction.atomic():
        seat = _seat_of(officer_round, member, lock=True)
        if seat.state == OfficerSeat.State.SEATED:
            return seat
        _check_running(seat.round, at)
        taken = OfficerRound.objects.filter(
            pk=officer_round.pk, state=State.OPEN, seats_taken__lt=F("seats")
        ).update(seats_taken=F("seats_taken") + 1)
        if not taken:
            raise SeatsTakenError
        seat.state, seat.answered_at = OfficerSeat.State.SEATED, at
        seat.save(update_fields=["state", "answered_at"])
        if seat.round.trial_units:
            grant(
                member=member,
                benefit=seat.round.benefit,
                quantity=seat.round.trial_units,
                period_key=f"officer:{seat.round_id}",
                ends_at=_midnight(seat.round.ends_on),
                reason={"code": "granted_by_staff"},
                by=by,
                at=at,
            )
    return seat


def decline(*, officer_round: OfficerRound, member: Member, by: Actor, at: datetime) -> OfficerSeat:
    """Say no to an invitation; a seat that was taken is given back, its units are kept.

    :raises NotInvitedError: if the member was not invited.
    """
    with transaction.atomic():
        seat = _seat_of(officer_round, member, lock=True)
        if seat.state == OfficerSeat.State.SEATED:
            OfficerRound.objects.filter(pk=seat.round_id).update(seats_taken=F("seats_taken") - 1)
        if seat.state != OfficerSeat.State.DECLINED:
            seat.state, seat.answered_at = OfficerSeat.State.DECLINED, at
            seat.save(update_fields=["state", "answered_at"])
    return seat


def write_diary(
    *,
    officer_round: OfficerRound,
    member: Member,
    scores: Sequence[int],
    words: str,
    by: Actor,
    at: datetime,
    photos: Sequence[bytes] = (),
) -> DiaryEntry:
    """Write or change the entry of the day: a score of 1 to 5 for each question, words, photos.

    Photos add to those of the day.

    :raises InvalidDiaryError: if a score is missing or out of range.
    :raises InvalidPhotoError: if a photo is none, too large, or one too many.
    :raises NotInvitedError, RoundStateError: as `accept`.
    """
    cleaned = [clean_photo(photo) for photo in photos]
    with transaction.atomic():
        seat = _seated(officer_round, member)
        _check_running(seat.round, at)
        if len(scores) != len(seat.round.questions) or any(
            type(score) is not int or not 1 <= score <= 5 for score in scores
        ):
            raise InvalidDiaryError(pointer="/scores")
        entry, _created = DiaryEntry.objects.update_or_create(
            seat=seat,
            on_date=clock.local_date(at, current_brand().timezone),
            defaults={"scores": list(scores), "words": words.strip()[:2_000], "at": at},
        )
        if cleaned and entry.photos.count() + len(cleaned) > MAX_PHOTOS:
            raise InvalidPhotoError(reason="too_many", most=MAX_PHOTOS, pointer="/photos")
        DiaryPhoto.objects.bulk_create(
            DiaryPhoto(entry=entry, media_type=kind, content=content, at=at)
            for kind, content in cleaned
        )
    return entry


def add_idea(
    *, officer_round: OfficerRound, member: Member, words: str, by: Actor, at: datetime
) -> OfficerIdea:
    """Bring an idea.

    :raises InvalidRoundError: if it is empty, or the officer has brought enough.
    :raises NotInvitedError, RoundStateError: as `accept`.
    """
    text = words.strip()
    with transaction.atomic():
        seat = _seated(officer_round, member)
        _check_running(seat.round, at)
        if not 0 < len(text) <= 500 or seat.ideas.count() >= MAX_IDEAS:
            raise InvalidRoundError(pointer="/words")
        return OfficerIdea.objects.create(seat=seat, words=text, at=at)


def vote(*, idea: OfficerIdea, member: Member, by: Actor, at: datetime) -> OfficerIdea:
    """Vote for another officer's idea, once; again, nothing changes.

    :raises OwnIdeaError: if it is one's own.
    :raises NotInvitedError, RoundStateError: as `accept`.
    """
    with transaction.atomic():
        seat = _seated(idea.seat.round, member)
        _check_running(seat.round, at)
        if idea.seat_id == seat.pk:
            raise OwnIdeaError
        _vote, is_new = IdeaVote.objects.get_or_create(idea=idea, seat=seat, defaults={"at": at})
        if is_new:
            OfficerIdea.objects.filter(pk=idea.pk).update(votes=F("votes") + 1)
        idea.refresh_from_db()
    return idea


def answer_idea(
    *, idea: OfficerIdea, state: str, reply: str, by: Actor, at: datetime
) -> OfficerIdea:
    """Say what becomes of an idea. :raises InvalidRoundError: if the answer is empty or no state."""
    if state not in OfficerIdea.State.values or not reply.strip():
        raise InvalidRoundError(pointer="/reply")
    with transaction.atomic():
        row = OfficerIdea.objects.select_for_update().get(pk=idea.pk)
        before, row.state, row.reply = row.state, state, reply.strip()[:300]
        row.save(update_fields=["state", "reply"])
        record(
            by=by,
            at=at,
            action="officer_idea.answered",
            target_type="officer_idea",
            target_id=row.pk,
            changes={"state": [before, state]},
        )
    return row


def add_finding(
    *, officer_round: OfficerRound, cause: str, words: str, by: Actor, at: datetime
) -> OfficerFinding:
    """Write down what was found, by cause. :raises InvalidRoundError: if it is empty or no cause."""
    if cause not in OfficerFinding.Cause.values or not 0 < len(words.strip()) <= 500:
        raise InvalidRoundError(pointer="/words")
    with transaction.atomic():
        found = OfficerFinding.objects.create(
            round=officer_round,
            cause=cause,
            words=words.strip(),
            by=by.key,
            by_label=by.label[:120],
            at=at,
        )
        _record(officer_round, "finding_added", by=by, at=at, changes={"cause": [None, cause]})
    return found


def close_round(*, officer_round: OfficerRound, by: Actor, at: datetime) -> int:
    """End a round and thank those who kept their diary; return how many were thanked.

    Each is thanked once, whatever is repeated. Event: `officer_round.closed`.

    :raises RoundStateError: if it is not open.
    """
    with transaction.atomic():
        row = _lock(officer_round, State.OPEN)
        row.state, row.closed_at = State.CLOSED, at
        row.save(update_fields=["state", "closed_at"])
        thanked = _thank(row, at)
        _record(row, "closed", by=by, at=at, changes={"thanked": [None, thanked]})
        emit(
            type="officer_round.closed",
            subject=f"officer_round:{row.pk}",
            data={"benefit": row.benefit.code, "thanked": thanked},
            at=at,
        )
    return thanked


def _thank(row: OfficerRound, at: datetime) -> int:
    seats = (
        OfficerSeat.objects.filter(
            round=row, state=OfficerSeat.State.SEATED, thanked_at=None, member__status="active"
        )
        .annotate(written=Count("entries"))
        .filter(written__gte=row.least_entries)
        .order_by("member_id")
    )
    keys = []
    for seat in seats:
        if row.thank_points:
            earn(
                owner_id=seat.member_id,
                amount=row.thank_points,
                key=derived_uuid("officer-thanks", seat.pk),
                at=at,
                source=Source("officer_round", row.pk),
                cause={"kind": "experience_officer"},
            )
        keys.append(seat.pk)
    OfficerSeat.objects.filter(pk__in=keys).update(thanked_at=at)
    return len(keys)


def close_due(*, at: datetime) -> int:
    """Close the rounds whose last day has passed; return how many."""
    today = clock.local_date(at, current_brand().timezone)
    due = list(OfficerRound.objects.filter(state=State.OPEN, ends_on__lte=today).order_by("pk"))
    for row in due:
        close_round(officer_round=row, by=SYSTEM, at=at)
    return len(due)


def publish_note(
    *, officer_round: OfficerRound, you_said: str, we_did: str, by: Actor, at: datetime
) -> OfficerRound:
    """Tell all members what officers said and what was done about it; can be changed later.

    :raises NoteMissingError: if one of both is empty.
    :raises RoundStateError: if the round is a draft.
    """
    if not you_said.strip() or not we_did.strip():
        raise NoteMissingError(pointer="/we_did" if you_said.strip() else "/you_said")
    with transaction.atomic():
        row = _lock(officer_round, State.OPEN, State.CLOSED)
        row.you_said, row.we_did = you_said.strip(), we_did.strip()
        row.published_at = row.published_at or at
        row.save(update_fields=["you_said", "we_did", "published_at"])
        _record(row, "note_published", by=by, at=at, changes={})
    return row


def _lock(officer_round: OfficerRound, *states: str) -> OfficerRound:
    row = OfficerRound.objects.select_for_update().get(pk=officer_round.pk)
    if row.state not in states:
        raise RoundStateError(state=row.state)
    return row


def _seat_of(officer_round: OfficerRound, member: Member, *, lock: bool = False) -> OfficerSeat:
    seats = OfficerSeat.objects.select_related("round__benefit")
    if lock:
        seats = seats.select_for_update(of=("self",))
    seat = seats.filter(round_id=officer_round.pk, member=member).first()
    if seat is None:
        raise NotInvitedError
    return seat


def _seated(officer_round: OfficerRound, member: Member) -> OfficerSeat:
    seat = _seat_of(officer_round, member)
    if seat.state != OfficerSeat.State.SEATED:
        raise NotInvitedError
    return seat


def _check_running(row: OfficerRound, at: datetime) -> None:
    if row.state != State.OPEN or row.ends_on <= clock.local_date(at, current_brand().timezone):
        raise RoundStateError(state=row.state)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=ZoneInfo(current_brand().timezone))


def _record(
    row: OfficerRound, what: str, *, by: Actor, at: datetime, changes: dict[str, list[Any]]
) -> None:
    record(
        by=by,
        at=at,
        action=f"officer_round.{what}",
        target_type="officer_round",
        target_id=row.pk,
        changes=changes,
    )
