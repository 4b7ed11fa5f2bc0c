"""Reads of rounds of experience officers, for staff, officers and everybody."""

from collections import Counter
from dataclasses import dataclass

from django.db.models import Count, Prefetch

from benefits.officers.models import (
    DiaryEntry,
    DiaryPhoto,
    IdeaVote,
    OfficerFinding,
    OfficerIdea,
    OfficerRound,
    OfficerSeat,
)
from core.errors import NotFoundError
from members.profiles.models import Member


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionScore:
    """How a question was scored: mean (None: no data), and how often each of 1 to 5."""

    question: str
    mean: float | None
    spread: tuple[int, int, int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundFigures:
    """A round in figures: invited, seated, declined, entries, and the scores by question."""

    invited: int
    seated: int
    declined: int
    entries: int
    scores: tuple[QuestionScore, ...]


def list_rounds(*, benefit_id: int | None = None) -> list[OfficerRound]:
    """Return rounds with their benefits, the latest first; all or those of a benefit."""
    rounds = OfficerRound.objects.select_related("benefit")
    if benefit_id is not None:
        rounds = rounds.filter(benefit_id=benefit_id)
    return list(rounds.order_by("-pk"))


def get_round(*, round_id: int) -> OfficerRound:
    """Return a round with its benefit.

    :raises NotFoundError: if there is none with this key.
    """
    found = OfficerRound.objects.select_related("benefit").filter(pk=round_id).first()
    if found is None:
        raise NotFoundError(officer_round=round_id)
    return found


def figures(*, officer_round: OfficerRound) -> RoundFigures:
    """Return a round in figures; two queries."""
    states = Counter(
        dict(
            OfficerSeat.objects.filter(round=officer_round)
            .values_list("state")
            .annotate(Count("pk"))
            .order_by("state")
        )
    )
    entries = list(
        DiaryEntry.objects.filter(seat__round=officer_round)
        .order_by("pk")
        .values_list("scores", flat=True)
    )
    scores = []
    for number, question in enumerate(officer_round.questions):
        given = [row[number] for row in entries if len(row) > number]
        times = Counter(given)
        scores.append(
            QuestionScore(
                question=question,
                mean=sum(given) / len(given) if given else None,
                spread=(times[1], times[2], times[3], times[4], times[5]),
            )
        )
    return RoundFigures(
        invited=sum(states.values()),
        seated=states[OfficerSeat.State.SEATED],
        declined=states[OfficerSeat.State.DECLINED],
        entries=len(entries),
        scores=tuple(scores),
    )


def list_entries(*, officer_round: OfficerRound, limit: int = 50) -> list[DiaryEntry]:
    """Return diary entries with their photos (without the bytes), the latest first."""
    photos = Prefetch("photos", DiaryPhoto.objects.defer("content").order_by("pk"))
    entries = DiaryEntry.objects.filter(seat__round=officer_round).select_related("seat__member")
    return list(entries.prefetch_related(photos).order_by("-on_date", "-pk")[:limit])


def list_own_entries(*, seat: OfficerSeat) -> list[DiaryEntry]:
    """Return an officer's own entries with their photos, the latest first."""
    photos = Prefetch("photos", DiaryPhoto.objects.defer("content").order_by("pk"))
    return list(seat.entries.prefetch_related(photos).order_by("-on_date"))


def list_ideas(*, officer_round: OfficerRound) -> list[OfficerIdea]:
    """Return the ideas of a round, the most wanted first."""
    ideas = OfficerIdea.objects.filter(seat__round=officer_round).select_related("seat__member")
    return list(ideas.order_by("-votes", "pk"))


def get_idea(*, idea_id: int) -> OfficerIdea:
    """Return an idea with its round.

    :raises NotFoundError: if there is none with this key.
    """
    found = OfficerIdea.objects.select_related("seat__round").filter(pk=idea_id).first()
    if found is None:
        raise NotFoundError(idea=idea_id)
    return found


def list_voted(*, seat: OfficerSeat) -> set[int]:
    """Return the keys of the ideas an officer has voted for."""
    return set(IdeaVote.objects.filter(seat=seat).values_list("idea_id", flat=True))


def list_findings(
    *, officer_round: OfficerRound | None = None, benefit_id: int | None = None
) -> list[OfficerFinding]:
    """Return what was found, the latest first: of a round, or of all rounds of a benefit."""
    findings = OfficerFinding.objects.select_related("round")
    if officer_round is not None:
        findings = findings.filter(round=officer_round)
    if benefit_id is not None:
        findings = findings.filter(round__benefit_id=benefit_id)
    return list(findings.order_by("-pk"))


def list_places(*, member: Member) -> list[OfficerSeat]:
    """Return a member's places in rounds that were opened, the latest first."""
    seats = OfficerSeat.objects.filter(member=member).exclude(round__state="draft")
    return list(seats.select_related("round__benefit").order_by("-round_id"))


def get_place(*, member: Member, round_id: int) -> OfficerSeat:
    """Return a member's place in a round.

    :raises NotFoundError: if the member has none there.
    """
    found = (
        OfficerSeat.objects.filter(member=member, round_id=round_id)
        .exclude(round__state="draft")
        .select_related("round__benefit")
        .first()
    )
    if found is None:
        raise NotFoundError(officer_round=round_id)
    return found


def list_published() -> list[OfficerRound]:
    """Return the rounds with a public note, the latest first."""
    rounds = OfficerRound.objects.filter(published_at__isnull=False).select_related("benefit")
    return list(rounds.order_by("-published_at", "-pk")[:50])


def get_photo(*, photo_id: int, member: Member | None = None) -> DiaryPhoto:
    """Return a photo: any for staff, an officer's own for a member.

    :raises NotFoundError: if there is none, or it is another's.
    """
    photos = DiaryPhoto.objects.filter(pk=photo_id)
    if member is not None:
        photos = photos.filter(entry__seat__member=member)
    found = photos.first()
    if found is None:
        raise NotFoundError(photo=photo_id)
    return found
