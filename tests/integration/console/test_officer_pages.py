"""Rounds of experience officers in the console and in the portal."""

from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from benefits.officers import operations
from benefits.officers.models import (
    DiaryEntry,
    DiaryPhoto,
    OfficerFinding,
    OfficerIdea,
    OfficerRound,
    OfficerSeat,
)
from core import clock
from members.profiles.models import Member
from tenants.accounts.registry import ensure_user
from tests.integration.benefits.officers.test_officers import make, png
from tests.integration.benefits.world import STAFF, World, acting
from tests.integration.console.test_members_actions import HTMX, assert_done, url

Login = Callable[..., Client]


@pytest.fixture
def world(brand: Any, at: Any) -> Iterator[World]:
    with clock.at(at):
        yield World(at)


@pytest.fixture
def running(world: World) -> OfficerRound:
    for number in range(2):
        world.member(email=f"o{number}@example.com", name=f"Officer {number}")
    made = make(world)
    operations.open_round(officer_round=made, invite=10, by=STAFF, at=world.at)
    return made


def _member_client(brand: Any, member: Member) -> Client:
    user = ensure_user(member.personal.email)
    assert user is not None
    client = Client(HTTP_HOST=f"{brand.slug}.localhost")
    client.force_login(user)
    return client


def test_a_round_is_prepared_opened_and_told_about(world: World, staff_client: Login) -> None:
    benefit = world.benefit()
    for _n in range(3):
        world.member()
    client = staff_client("manager")
    sent = {
        "benefit": benefit.code, "title": "Tea", "seats": 2, "ends_on": "2026-04-01",
        "trial_units": 1, "thank_points": 50, "least_entries": 1, "questions": "Easy?\n\nGood?\n",
    }  # fmt: skip
    answer = client.post(url("create_officer_round"), sent, headers=HTMX)
    assert answer.status_code in {200, 204}
    made = OfficerRound.objects.get()
    assert (made.questions, made.state) == (["Easy?", "Good?"], "draft")
    wrong = client.post(url("open_officer_round", made.pk), {"invite": 1}, headers=HTMX)
    assert wrong.status_code == 422
    assert not OfficerSeat.objects.exists()
    invite = url("open_officer_round", made.pk)
    assert_done(client.post(invite, {"invite": 3}, headers=HTMX), "officers")
    assert OfficerSeat.objects.count() == 3
    finding = {"cause": "too_hard", "words": "The button is hard to find"}
    assert_done(client.post(url("officer_finding", made.pk), finding, headers=HTMX), "officers")
    assert OfficerFinding.objects.get().cause == "too_hard"
    note = {"you_said": "Hard to find", "we_did": "A larger button"}
    assert_done(client.post(url("officer_note", made.pk), note, headers=HTMX), "officers")
    assert_done(client.post(url("close_officer_round", made.pk), headers=HTMX), "officers")
    assert client.post(url("close_officer_round", made.pk), headers=HTMX).status_code == 409
    with CaptureQueriesContext(connection) as found:
        page = client.get(url("officer_round", made.pk)).content.decode()
    assert len(found) <= 12
    assert "A larger button" in page
    assert "A larger button" in page
    assert made.title in client.get(url("officers")).content.decode()


def test_who_may_only_look_changes_nothing(running: OfficerRound, staff_client: Login) -> None:
    analyst = staff_client("analyst")
    assert analyst.get(url("officer_round", running.pk)).status_code == 200
    for name in ("officer_finding", "officer_note", "close_officer_round", "open_officer_round"):
        assert analyst.post(url(name, running.pk), {}, headers=HTMX).status_code == 403


def test_a_member_takes_a_seat_writes_and_suggests(
    brand: Any, world: World, running: OfficerRound, staff_client: Login
) -> None:
    ann, ben = Member.objects.order_by("pk")
    client = _member_client(brand, ann)
    place = reverse("portal:officer_round", args=[running.pk])
    assert "Tea round" in client.get(reverse("portal:officers")).content.decode()
    assert "I take part" in client.get(place).content.decode()
    client.post(reverse("portal:answer_officer_round", args=[running.pk, "accept"]))
    diary = reverse("portal:write_diary", args=[running.pk])
    assert client.post(diary, {"score_0": 6, "score_1": 5}).status_code == 422
    bad = SimpleUploadedFile("x.png", b"<svg onload=alert(1)>", content_type="image/png")
    refused = client.post(diary, {"score_0": 4, "score_1": 5, "photos": bad})
    assert refused.status_code == 422
    assert not DiaryEntry.objects.exists()
    good = SimpleUploadedFile("x.png", png(), content_type="text/html")
    done = client.post(diary, {"score_0": 4, "score_1": 5, "words": "Nice", "photos": good})
    assert done.status_code == 302, done.content.decode()
    photo = DiaryPhoto.objects.get()
    shown = client.get(reverse("portal:diary_photo", args=[photo.pk]))
    assert (shown["Content-Type"], shown["X-Content-Type-Options"]) == ("image/png", "nosniff")
    assert staff_client("manager").get(url("officer_photo", photo.pk)).content == png()
    other = _member_client(brand, ben)
    assert other.get(reverse("portal:diary_photo", args=[photo.pk])).status_code == 404
    client.post(reverse("portal:suggest_idea", args=[running.pk]), {"words": "Smaller box"})
    idea = OfficerIdea.objects.get()
    vote = reverse("portal:vote_idea", args=[running.pk, idea.pk])
    assert client.post(vote).status_code == 409
    assert other.post(vote).status_code == 409
    operations.accept(officer_round=running, member=ben, by=acting(ben), at=world.at)
    other.post(vote)
    idea.refresh_from_db()
    assert idea.votes == 1
    assert "Nice" in client.get(place).content.decode()


def test_strangers_to_a_round_see_nothing_of_it(
    brand: Any, world: World, running: OfficerRound
) -> None:
    late = world.member(email="late@example.com", name="Late")
    client = _member_client(brand, late)
    assert client.get(reverse("portal:officer_round", args=[running.pk])).status_code == 404
    operations.publish_note(
        officer_round=running, you_said="Too big", we_did="Smaller", by=STAFF, at=world.at
    )
    assert "Smaller" in client.get(reverse("portal:officers")).content.decode()
    assert date(2026, 4, 1) == running.ends_on
