"""Rounds of experience officers: seats, trial units, diary, ideas, thanks, the public note."""

import struct
import time
import zlib
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from benefits.catalogue.models import Benefit
from benefits.grants.models import Grant
from benefits.officers import operations, queries
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
from benefits.officers.models import DiaryEntry, DiaryPhoto, OfficerRound, OfficerSeat
from core import clock
from members.profiles.models import Member
from members.profiles.operations import enrol
from tenants.brands.models import Brand
from tests.integration.benefits.races import together
from tests.integration.benefits.world import STAFF, World, acting, problems


def png(*, note: bytes = b"") -> bytes:
    def chunk(name: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        )

    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
        + (chunk(b"tEXt", note) if note else b"")
        + chunk(b"IDAT", zlib.compress(b"\x00\x00"))
        + chunk(b"IEND", b"")
    )


def make(world: World, benefit: Benefit | None = None, **changes: Any) -> OfficerRound:
    facts: dict[str, Any] = {
        "benefit": benefit or world.benefit(),
        "title": "Tea round",
        "seats": 2,
        "ends_on": date(2026, 4, 1),
        "questions": ["Easy to use?", "Worth it?"],
        "thank_points": 50,
    }
    return operations.create_round(**{**facts, **changes}, by=STAFF, at=world.at)


@pytest.fixture
def people(world: World) -> list[Member]:
    return [world.member() for _n in range(3)]


@pytest.fixture
def running(world: World, people: list[Member]) -> OfficerRound:
    made = make(world)
    assert operations.open_round(officer_round=made, invite=10, by=STAFF, at=world.at) == 3
    return made


def _accept(running: OfficerRound, member: Member, at: datetime) -> OfficerSeat:
    return operations.accept(officer_round=running, member=member, by=acting(member), at=at)


def _write(running: OfficerRound, member: Member, at: datetime, **more: Any) -> DiaryEntry:
    facts: dict[str, Any] = {"scores": [4, 5], "words": "Lovely", "photos": ()}
    return operations.write_diary(
        officer_round=running, member=member, **{**facts, **more}, by=acting(member), at=at
    )


def test_only_those_of_the_audience_are_invited(world: World) -> None:
    north, _south = world.member(), world.member(region="south")
    made = make(world, seats=1, condition={"field": "region", "op": "=", "value": "north"})
    assert operations.open_round(officer_round=made, invite=9, by=STAFF, at=world.at) == 1
    assert OfficerSeat.objects.get().member == north
    with pytest.raises(RoundStateError):
        operations.open_round(officer_round=made, invite=9, by=STAFF, at=world.at)


def test_a_seat_brings_units_to_try_and_the_last_is_the_last(
    world: World, people: list[Member], running: OfficerRound
) -> None:
    for _again in range(3):
        _accept(running, people[0], world.at)
    _accept(running, people[1], world.at)
    with pytest.raises(SeatsTakenError):
        _accept(running, people[2], world.at)
    granted = list(Grant.objects.order_by("member_id").values_list("member_id", "quantity"))
    assert granted == [(people[0].pk, 1), (people[1].pk, 1)]
    assert OfficerRound.objects.get().seats_taken == 2
    operations.decline(officer_round=running, member=people[0], by=acting(people[0]), at=world.at)
    _accept(running, people[2], world.at)
    assert OfficerRound.objects.get().seats_taken == 2
    with pytest.raises(NotInvitedError):
        _accept(running, world.member(), world.at)
    assert problems() == []


def test_the_diary_is_scored_once_a_day(
    world: World, people: list[Member], running: OfficerRound
) -> None:
    with pytest.raises(NotInvitedError):
        _write(running, people[0], world.at)
    _accept(running, people[0], world.at)
    for wrong in ([4], [4, 6], [0, 1], [4, 5, 5], [True, 2]):
        with pytest.raises(InvalidDiaryError):
            _write(running, people[0], world.at, scores=wrong)
    assert not DiaryEntry.objects.exists()
    _write(running, people[0], world.at)
    _write(running, people[0], world.at, scores=[2, 1], words="Second thought")
    _write(running, people[0], world.at + timedelta(days=1), scores=[4, 3])
    found = queries.figures(officer_round=running)
    assert (found.invited, found.seated, found.entries) == (3, 1, 2)
    assert [(score.mean, score.spread) for score in found.scores] == [
        (3.0, (0, 1, 0, 1, 0)),
        (2.0, (1, 0, 1, 0, 0)),
    ]


def test_photos_are_known_by_their_bytes_and_tell_no_place(
    world: World, people: list[Member], running: OfficerRound
) -> None:
    _accept(running, people[0], world.at)
    for wrong in (
        b"GIF89a....",
        b"<svg/>",
        png()[:-12],
        b"\xff\xd8\xff\xe0\x00",
        b"\xff" * 3_000_000,
    ):
        with pytest.raises(InvalidPhotoError):
            _write(running, people[0], world.at, photos=[wrong])
    assert not DiaryEntry.objects.exists()
    _write(running, people[0], world.at, photos=[png(note=b"GPS\x0048.1,11.5")])
    photo = DiaryPhoto.objects.get()
    assert (photo.media_type, bytes(photo.content)) == ("image/png", png())
    with pytest.raises(InvalidPhotoError):
        _write(running, people[0], world.at, photos=[png()] * 3)
    assert DiaryPhoto.objects.count() == 1


def test_ideas_are_voted_for_once_and_not_by_oneself(
    world: World, people: list[Member], running: OfficerRound
) -> None:
    for member in people[:2]:
        _accept(running, member, world.at)
    idea = operations.add_idea(
        officer_round=running, member=people[0], words="Smaller box", by=STAFF, at=world.at
    )
    with pytest.raises(OwnIdeaError):
        operations.vote(idea=idea, member=people[0], by=STAFF, at=world.at)
    for _again in range(3):
        voted = operations.vote(idea=idea, member=people[1], by=STAFF, at=world.at)
    assert voted.votes == 1
    with pytest.raises(NotInvitedError):
        operations.vote(idea=idea, member=people[2], by=STAFF, at=world.at)
    answered = operations.answer_idea(
        idea=idea, state="taken", reply="From May on", by=STAFF, at=world.at
    )
    assert (answered.state, answered.votes) == ("taken", 1)


def test_thanks_go_once_to_those_who_wrote(
    world: World, people: list[Member], running: OfficerRound, run: Callable[..., dict[str, Any]]
) -> None:
    for member in people[:2]:
        _accept(running, member, world.at)
    _write(running, people[0], world.at)
    later = world.at + timedelta(days=20)
    assert [run("officers.close", at=later)["closed"] for _again in range(3)] == [1, 0, 0]
    assert [world.balance(member) for member in people] == [(50, 0), (0, 0), (0, 0)]
    assert OfficerSeat.objects.exclude(thanked_at=None).get().member == people[0]
    with pytest.raises(RoundStateError):
        _write(running, people[0], later)
    assert problems() == []


def test_the_public_note_has_both_halves(world: World, running: OfficerRound) -> None:
    for said, did in (("", "Smaller boxes"), ("Too big", " ")):
        with pytest.raises(NoteMissingError):
            operations.publish_note(
                officer_round=running, you_said=said, we_did=did, by=STAFF, at=world.at
            )
    assert queries.list_published() == []
    operations.publish_note(
        officer_round=running, you_said="Too big", we_did="Smaller boxes", by=STAFF, at=world.at
    )
    assert [row.pk for row in queries.list_published()] == [running.pk]


@pytest.mark.parametrize(
    ("field", "value"),
    [("title", " "), ("seats", 0), ("seats", 501), ("ends_on", date(2026, 3, 15)),
     ("questions", []), ("questions", ["?"] * 9), ("trial_units", -1), ("thank_points", -1)],
)  # fmt: skip
def test_a_round_that_cannot_be_is_refused(world: World, field: str, value: Any) -> None:
    with pytest.raises(InvalidRoundError) as refused:
        make(world, **{field: value})
    assert refused.value.data["pointer"] == f"/{field}"
    assert not OfficerRound.objects.exists()


def _rush(brand: Brand) -> OfficerRound:
    world = World(clock.now())
    made = make(world, ends_on=clock.now().date() + timedelta(days=9), trial_units=0, seats=3)
    members = [
        enrol(external_id=f"o-{n}", at=clock.now() - timedelta(hours=1), by=STAFF) for n in range(8)
    ]
    operations.open_round(officer_round=made, invite=8, by=STAFF, at=clock.now())

    def call(member: Member) -> Callable[[], Any]:
        return lambda: _accept(made, member, clock.now())

    together(brand, [call(member) for member in members])
    return made


@pytest.mark.race
def test_eight_at_once_take_three_seats(committed_brand: Brand) -> None:
    made = _rush(committed_brand)
    assert OfficerSeat.objects.filter(round=made, state="seated").count() == 3
    assert OfficerRound.objects.get().seats_taken == 3


@pytest.mark.race
def test_without_the_guard_more_are_seated(
    committed_brand: Brand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control: look first, count afterwards."""

    class Naive:
        def __init__(self, pk: int) -> None:
            self.pk = pk

        def update(self, **_changes: Any) -> int:
            seated = OfficerSeat.objects.filter(round_id=self.pk, state="seated").count()
            time.sleep(0.1)
            return int(seated < 3)

    real = OfficerRound.objects.filter

    def looked(*args: Any, **given: Any) -> Any:
        return Naive(given["pk"]) if "seats_taken__lt" in given else real(*args, **given)

    monkeypatch.setattr(OfficerRound.objects, "filter", looked)
    made = _rush(committed_brand)
    assert OfficerSeat.objects.filter(round=made, state="seated").count() > 3
