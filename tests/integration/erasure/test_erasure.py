"""Erasing a person: nothing of them is left in any column, and no figure has changed."""

import json
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import DatabaseError, transaction
from django.test import Client

from config.invariants import check_brand
from core import ids
from core.actors import SYSTEM, Actor
from members.activity.models import ActivityEvent, MemberDay, Purchase
from members.earning.operations import record_purchase
from members.points.models import Account, AdjustmentRequest, Entry, Lot
from members.points.operations import adjust, ask_adjustment
from members.profiles import erasure_operations as erasures
from members.profiles.erasure_operations import erase_member
from members.profiles.errors import (
    ErasedMemberError,
    ErasureHeldUpError,
    ErasureNotFoundError,
    InvalidMemberError,
    NamesMemberError,
)
from members.profiles.export_operations import export_member
from members.profiles.models import ConsentChange, Erasure, Member, MemberPersonal
from members.profiles.operations import (
    block_member,
    enrol,
    require_present,
    unblock_member,
    update_profile,
)
from members.profiles.queries import is_sign_in_address, search_members
from members.profiles.registry import list_member_tables
from tenants.accounts.keys import create_api_key
from tenants.accounts.models import StaffMember, User
from tenants.accounts.registry import ensure_user
from tenants.audit.models import AuditEntry
from tenants.audit.operations import seal, verify_chain
from tenants.brands.models import Brand
from tenants.events.models import Event, WebhookDelivery, WebhookEndpoint
from tenants.jobs.models import Job
from tenants.jobs.operations import run_job
from tests.integration.benefits.world import World
from tests.integration.erasure.person import STAFF, VALUES, make_person, where_found
from tests.integration.tenants.threads import run_in_threads


def erase(member: Member, at: datetime) -> Erasure:
    erasure = erase_member(member=member, confirm=member.number, by=STAFF, at=at)
    assert run_job(job_id=Job.objects.get(kind="members.erase").pk, at=at)
    erasure.refresh_from_db()
    return erasure


def figures(member: Member) -> dict[str, Any]:
    """Return the facts that erasing must leave as they are."""
    accounts = Account.objects.filter(owner_id=member.pk).order_by("pk")
    return {
        "accounts": list(accounts.values()),
        "entries": list(Entry.objects.filter(account__in=accounts).order_by("pk").values()),
        "lots": list(Lot.objects.filter(account__in=accounts).order_by("pk").values()),
        "purchases": list(Purchase.objects.order_by("pk").values()),
        "days": list(MemberDay.objects.order_by("on_date").values()),
        "consents": list(ConsentChange.objects.order_by("pk").values()),
    }


@pytest.fixture
def person(brand: Brand, at: datetime, client_for: Callable[..., Client]) -> Member:
    """Return a member known to every room, to stored answers, webhooks, sessions and jobs."""
    member = make_person(at)
    _key, text = create_api_key(
        kind="brand", name="Shop", scopes=["*"], is_live=True, by=STAFF, at=at - timedelta(days=1)
    )
    client = client_for(brand)
    answer = client.put(
        f"/api/brand/v1/members/{VALUES['external_id']}",
        json.dumps({"name": VALUES["name"]}),
        content_type="application/json",
        headers={"Authorization": f"Bearer {text}", "Idempotency-Key": "k-1"},
    )
    assert answer.status_code == 200, answer.content
    client.post("/accounts/login/code/", {"email": VALUES["email"]})
    endpoint = WebhookEndpoint.objects.create(url="https://example.com/hook", secret="s")
    event = Event.objects.get(type="member.enrolled", subject=f"member:{member.pk}")
    WebhookDelivery.objects.create(
        endpoint=endpoint, event=event, due_at=at, last_error=f"refused {VALUES['email']}"
    )
    Job.objects.create(
        brand_id=brand.pk, kind="x", dedupe_key="x", due_at=at, error=f"no {VALUES['name']}"
    )
    return Member.objects.get(pk=member.pk)


def test_nothing_of_the_person_is_left_in_any_column(person: Member, at: datetime) -> None:
    values = list(VALUES.values())
    before = where_found(values)
    places = {line.partition(":")[0] for line in before}
    # The search works: it finds the person where each room keeps them.
    assert {
        "members_member.external_id",
        "members_member.attributes",
        "members_memberpersonal.name",
        "members_activityevent.properties",
        "accounts_user.email",
        "account_emailaddress.email",
        "benefits_malladdress.lines",
        "benefits_redemptionnote.comment",
        "partners_ordertransition.reason",
        "partners_fulfilmentorder.failure_reason",
        "events_event.data",
        "events_idempotencykey.body",
        "events_webhookdelivery.last_error",
        "jobs",
        "session",
    } <= places
    kept = figures(person)
    erasure = erase(person, at)
    left = where_found(values)
    assert left == []
    assert figures(person) == kept
    assert (erasure.state, erasure.traces) == ("done", [])
    assert erasure.report["members.MemberPersonal"] == 1
    assert {"events", "answers", "sessions", "jobs"} <= erasure.report.keys()


def test_the_programme_still_adds_up_and_the_audit_still_holds(
    person: Member, at: datetime
) -> None:
    seal(at=at)
    broken = {line for _name, lines in check_brand() for line in lines}
    erase(person, at)
    seal(at=at)
    waiting = "(member.erased "  # an event that no worker of this test delivers
    found = {line for _name, lines in check_brand() for line in lines if waiting not in line}
    assert found <= broken
    assert verify_chain().is_intact


def test_an_erased_member_is_shown_as_such_and_can_do_nothing(
    person: Member, at: datetime, client_for: Callable[..., Client], brand: Brand
) -> None:
    erase(person, at)
    member = Member.objects.get(pk=person.pk)
    assert (member.status, member.external_id, member.user_id, member.tags, member.attributes) == (
        "erased",
        f"erased-{member.number}",
        None,
        [],
        {},
    )
    assert not MemberPersonal.objects.filter(member=member).exists()
    assert not User.objects.filter(email=VALUES["email"]).exists()
    assert not is_sign_in_address(VALUES["email"])
    assert ensure_user(VALUES["email"]) is None
    assert [one.pk for one in search_members(text=member.number)] == [member.pk]
    assert search_members(text=VALUES["name"]) == []
    for refused in (
        lambda: update_profile(member=member, name="Back", by=STAFF, at=at),
        lambda: block_member(member=member, reason="x", by=STAFF, at=at),
        lambda: unblock_member(member=member, reason="x", by=STAFF, at=at),
        lambda: export_member(member=member, by=STAFF, at=at),
        lambda: erase_member(member=member, confirm=member.number, by=STAFF, at=at),
        lambda: erasures.ask_erasure(member=member, by=STAFF, at=at),
        lambda: require_present(member_id=member.pk),
    ):
        with pytest.raises(ErasedMemberError):
            refused()
    # The person may come back: as somebody new.
    again = enrol(external_id=VALUES["external_id"], email=VALUES["email"], at=at, by=SYSTEM)
    assert again.pk != member.pk


def test_the_job_may_run_again_and_finds_nothing(person: Member, at: datetime) -> None:
    erasure = erase(person, at)
    job = Job.objects.get(kind="members.erase")
    report = dict(erasure.report)
    for _ in range(2):
        Job.objects.filter(pk=job.pk).update(state="open", due_at=at)
        assert run_job(job_id=job.pk, at=at)
        erasure.refresh_from_db()
        assert erasure.report == report


def test_the_number_must_be_typed_and_what_is_under_way_be_finished(
    brand: Brand, at: datetime
) -> None:
    world = World(at)
    redemption = world.redemption()
    member = redemption.member
    for wrong in ("", "M0000000", member.external_id):
        with pytest.raises(InvalidMemberError) as refused:
            erase_member(member=member, confirm=wrong, by=STAFF, at=at)
        assert refused.value.data == {"pointer": "/confirm"}
    with pytest.raises(ErasureHeldUpError) as held:
        erase_member(member=member, confirm=member.number, by=STAFF, at=at)
    assert held.value.data["reasons"] == ["Finish or cancel the open redemptions first (1)."]
    member.refresh_from_db()
    assert (member.status, Erasure.objects.count()) == ("active", 0)


def test_a_wish_is_noted_once_and_can_be_withdrawn_or_refused(brand: Brand, at: datetime) -> None:
    member = enrol(external_id="C-1", at=at, by=SYSTEM)
    own = Actor(kind="member", id=member.pk)
    asked = erasures.ask_erasure(member=member, by=own, at=at)
    assert erasures.ask_erasure(member=member, by=own, at=at + timedelta(days=1)).pk == asked.pk
    assert (asked.state, asked.due_on.isoformat()) == ("asked", "2026-04-14")
    assert erasures.withdraw_erasure(member=member, by=own, at=at).state == "withdrawn"
    with pytest.raises(ErasureNotFoundError):
        erasures.withdraw_erasure(member=member, by=own, at=at)
    erasures.ask_erasure(member=member, by=own, at=at)
    with pytest.raises(InvalidMemberError):
        erasures.refuse_erasure(member=member, reason=" ", by=STAFF, at=at)
    refused = erasures.refuse_erasure(member=member, reason="An open invoice.", by=STAFF, at=at)
    assert (refused.state, refused.reason) == ("refused", "An open invoice.")
    (entry,) = AuditEntry.objects.filter(target_type="member")
    assert (entry.action, entry.reason) == ("member.erasure_refused", "An open invoice.")


def test_the_sign_in_of_staff_outlives_their_membership(
    brand: Brand, at: datetime, staff: Callable[..., StaffMember]
) -> None:
    person = staff("support", email="kim@example.com")
    member = enrol(external_id="C-1", email="kim@example.com", user=person.user, at=at, by=SYSTEM)
    erase(member, at)
    assert User.objects.get(pk=person.user_id).email == "kim@example.com"
    assert Member.objects.get(pk=member.pk).user_id is None


def test_reasons_that_stay_for_ever_must_not_name_the_member(brand: Brand, at: datetime) -> None:
    member = enrol(external_id="C-1", name="欧阳晓明", phone="+8613955501234", at=at, by=SYSTEM)
    for reason in ("欧阳晓明 shouted", "call 139 5550 1234", "see C-1"):
        with pytest.raises(NamesMemberError) as refused:
            block_member(member=member, reason=reason, by=STAFF, at=at)
        assert refused.value.data == {"pointer": "/reason"}
    member.refresh_from_db()
    assert (member.status, AuditEntry.objects.filter(target_type="member").count()) == (
        "active",
        0,
    )
    assert block_member(member=member, reason="shouted", by=STAFF, at=at)


@pytest.mark.parametrize("ask", [adjust, ask_adjustment])
def test_a_reason_for_points_must_not_name_the_member_either(
    brand: Brand, at: datetime, ask: Callable[..., Any]
) -> None:
    member = enrol(external_id="C-1", name="欧阳晓明", at=at, by=SYSTEM)
    facts: dict[str, Any] = {"owner_id": member.pk, "amount": 5, "by": STAFF, "at": at}
    with pytest.raises(NamesMemberError):
        ask(**facts, reason="Birthday of 欧阳晓明", key=ids.uuid7())
    assert not Entry.objects.exists()
    assert not AdjustmentRequest.objects.exists()
    ask(**facts, reason="A birthday", key=ids.uuid7())


def test_words_in_append_only_tables_can_be_emptied_and_nothing_else(
    person: Member, at: datetime
) -> None:
    events = ActivityEvent.objects.filter(member=person)
    for change in ({"properties": {"a": 1}}, {"name": "x"}, {"properties": {}, "name": "x"}):
        with pytest.raises(DatabaseError, match="append"), transaction.atomic():
            events.update(**change)
    with pytest.raises(DatabaseError, match="append"), transaction.atomic():
        events.delete()
    assert events.update(properties={}) == 1


def test_an_export_holds_what_every_room_knows(person: Member, at: datetime) -> None:
    found = export_member(member=person, by=STAFF, at=at)
    content = found.as_json()
    text = json.dumps(content, ensure_ascii=False)
    assert [value for value in VALUES.values() if value not in text] == []
    assert {section["name"] for section in content["sections"]} == {
        table.model.partition(".")[2] for table in list_member_tables()
    }
    rows = {section.name: len(section.rows) for section in found.sections}
    assert (rows["Purchase"], rows["ActivityEvent"], rows["MallAddress"]) == (1, 1, 1)
    assert rows["Entry"] == Entry.objects.filter(account__owner_id=person.pk).count()
    assert "digest" not in text
    assert AuditEntry.objects.filter(action="member.exported").count() == 1


def test_an_export_can_be_read_by_people(person: Member, at: datetime) -> None:
    sections = {one.name: one for one in export_member(member=person, by=SYSTEM, at=at).sections}
    assert list(sections)[:3] == ["Member", "MemberPersonal", "ConsentChange"]
    bought = dict(
        zip(map(str, sections["Purchase"].labels), sections["Purchase"].readable[0], strict=True)
    )
    assert (bought["When"], bought["Amount"]) == ("2026-03-14 12:00", "123.45 CNY")
    assert "Member" not in bought
    consent = dict(
        zip(
            map(str, sections["ConsentChange"].labels),
            sections["ConsentChange"].readable[0],
            strict=True,
        )
    )
    assert (consent["Consent"], consent["Given"]) == ("email", "Yes")
    assert consent["By which way"] == "Console"


def test_an_export_tells_of_nobody_else(person: Member, at: datetime) -> None:
    other = enrol(external_id="OTHER-9", email="other@example.net", at=at, by=SYSTEM)
    text = json.dumps(export_member(member=person, by=SYSTEM, at=at).as_json())
    assert "OTHER-9" not in text
    assert f'"member_id": {other.pk}' not in text


@pytest.mark.race
def test_a_purchase_comes_before_the_erasure_or_not_at_all(
    committed_brand: Brand, at: datetime
) -> None:
    members = [enrol(external_id=f"C-{n}", at=at, by=SYSTEM) for n in range(6)]
    jobs: list[Callable[[], Any]] = []
    for member in members:
        jobs.append(lambda m=member: _buy(m, at))
        jobs.append(lambda m=member: erase_member(member=m, confirm=m.number, by=STAFF, at=at))
    turns = iter(jobs)
    results = run_in_threads(len(jobs), committed_brand, lambda: next(turns)())  # noqa: PLW0108
    refused = [one for one in results if isinstance(one, Exception)]
    assert all(isinstance(one, ErasedMemberError) for one in refused)
    assert Purchase.objects.count() == len(members) - len(refused)
    assert Member.objects.filter(status="erased").count() == len(members)
    for purchase in Purchase.objects.all():
        recorded = Event.objects.get(type="purchase.recorded", data__purchase_id=purchase.pk)
        erased = Event.objects.get(type="member.erased", subject=f"member:{purchase.member_id}")
        assert recorded.pk < erased.pk


@pytest.mark.race
def test_control_a_look_without_the_lock_lets_a_purchase_in_afterwards(
    committed_brand: Brand, at: datetime
) -> None:
    member = enrol(external_id="C-1", at=at, by=SYSTEM)
    looked, erased = threading.Event(), threading.Event()

    def naive() -> None:
        with transaction.atomic():
            assert Member.objects.filter(pk=member.pk, status="active").exists()
            looked.set()
            assert erased.wait(10)
            Purchase.objects.create(
                external_id="P-1",
                member=member,
                occurred_at=at,
                local_date=at.date(),
                amount_minor=1,
                currency="CNY",
                digest=b"x",
            )

    def erasing() -> None:
        assert looked.wait(10)
        erase_member(member=member, confirm=member.number, by=STAFF, at=at)
        erased.set()

    turns = iter([naive, erasing])
    run_in_threads(2, committed_brand, lambda: next(turns)())  # noqa: PLW0108
    assert Member.objects.get().status == "erased"
    assert Purchase.objects.count() == 1


@pytest.mark.race
def test_a_profile_written_at_the_same_moment_does_not_come_back(
    committed_brand: Brand, at: datetime
) -> None:
    members = [enrol(external_id=f"C-{n}", name="X", at=at, by=SYSTEM) for n in range(4)]
    jobs: list[Callable[[], Any]] = []
    for member in members:
        jobs.append(lambda m=member: update_profile(member=m, name="欧阳", by=STAFF, at=at))
        jobs.append(lambda m=member: erase_member(member=m, confirm=m.number, by=STAFF, at=at))
    turns = iter(jobs)
    run_in_threads(len(jobs), committed_brand, lambda: next(turns)())  # noqa: PLW0108
    assert not MemberPersonal.objects.exists()


def _buy(member: Member, at: datetime) -> Purchase:
    return record_purchase(
        external_id=f"P-{member.pk}",
        member=member,
        occurred_at=at,
        amount_minor=100,
        currency="CNY",
        by=SYSTEM,
        at=at,
    ).purchase
