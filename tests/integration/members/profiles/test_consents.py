"""Consents: what a member says now, and the proof of when they said what to which words."""

from datetime import datetime, timedelta

import pytest
from django.db import DatabaseError, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.actors import SYSTEM, Actor
from core.ids import uuid7
from members.profiles import consent_operations as consents
from members.profiles.errors import (
    InvalidMemberError,
    InvalidPurposeError,
    PurposeExistsError,
    PurposeNotFoundError,
)
from members.profiles.models import ConsentChange, ConsentText, Member
from members.profiles.operations import enrol, update_profile
from members.profiles.queries import (
    list_consent_changes,
    list_consent_texts,
    list_consents,
    list_purposes,
)
from tenants.audit.models import AuditEntry
from tenants.brands.models import Brand
from tenants.events.models import Event
from tests.integration.tenants.threads import run_in_threads

STAFF = Actor(kind="staff", id=7, label="Staff")
LATER = timedelta(days=1)


def history(member: Member) -> list[tuple[str, bool, int | None, str, str]]:
    return [
        (row.purpose.code, row.is_given, row.text_version, row.source, row.actor)
        for row in list_consent_changes(member=member)
    ]


@pytest.fixture
def member(brand: Brand, at: datetime) -> Member:
    return enrol(external_id="C-1", name="Wang", at=at, by=SYSTEM)


def test_a_brand_begins_with_three_purposes_and_their_words(brand: Brand) -> None:
    assert [(one.purpose, one.version) for one in list_purposes()] == [
        ("email", 1),
        ("sms", 1),
        ("profiling", 1),
    ]
    assert all(set(one.text) == {"en", "zh-hans", "zh-hant"} for one in list_purposes())


def test_each_change_is_kept_with_who_when_how_and_the_words(member: Member, at: datetime) -> None:
    by_member = Actor(kind="member", id=member.pk)
    assert consents.set_consent(member=member, purpose="email", is_given=True, by=STAFF, at=at)
    assert not consents.set_consent(
        member=member, purpose="email", is_given=True, by=STAFF, at=at + LATER
    )
    assert consents.set_consent(
        member=member, purpose="email", is_given=False, by=by_member, at=at + LATER
    )
    assert history(member) == [
        ("email", False, 1, "portal", f"member:{member.pk}"),
        ("email", True, 1, "console", "staff:7"),
    ]
    member.refresh_from_db()
    state = {one.purpose: one.is_given for one in list_consents(member=member)}
    assert state == {"email": False, "sms": None, "profiling": None}
    said = Event.objects.filter(type="member.consent_changed").order_by("pk")
    assert [event.data for event in said] == [
        {"purpose": "email", "given": True},
        {"purpose": "email", "given": False},
    ]
    # What members say themselves is in the history, what staff say for them in the audit too.
    (entry,) = AuditEntry.objects.filter(action="member.consent_changed")
    assert entry.changes == {"consents.email": [None, True]}


def test_a_consent_never_given_is_not_withdrawn(member: Member, at: datetime) -> None:
    assert not consents.set_consent(member=member, purpose="sms", is_given=False, by=STAFF, at=at)
    assert history(member) == []


def test_enrolling_and_updating_write_the_history_too(brand: Brand, at: datetime) -> None:
    system = Actor(kind="api", id=3)
    member = enrol(external_id="C-2", consents={"sms": True, "email": False}, at=at, by=system)
    update_profile(member=member, consents={"email": True}, at=at, by=system)
    assert history(member) == [("email", True, 1, "api", "api:3"), ("sms", True, 1, "api", "api:3")]
    assert Member.objects.get(pk=member.pk).personal.consents == {"sms": True, "email": True}


def test_unknown_purposes_are_refused_by_name_and_change_nothing(
    member: Member, at: datetime
) -> None:
    with pytest.raises(InvalidMemberError) as refused:
        update_profile(member=member, name="Li", consents={"fax": True}, at=at, by=STAFF)
    assert refused.value.data == {"pointer": "/consents/fax"}
    assert Member.objects.get(pk=member.pk).personal.name == "Wang"
    assert history(member) == []


def test_new_words_are_a_version_and_are_agreed_to_anew(member: Member, at: datetime) -> None:
    consents.set_consent(member=member, purpose="email", is_given=True, by=STAFF, at=at)
    consents.change_purpose(code="email", text={"en": "Shorter."}, by=STAFF, at=at)
    consents.change_purpose(code="email", text={"en": "Shorter."}, by=STAFF, at=at)
    assert [row.version for row in list_consent_texts(purpose="email")] == [2, 1]
    again = Member.objects.select_related("personal").get(pk=member.pk)
    (state,) = [one for one in list_consents(member=again) if one.purpose == "email"]
    assert (state.is_given, state.text_version, state.version) == (True, 1, 2)
    assert consents.set_consent(member=member, purpose="email", is_given=True, by=STAFF, at=at)
    assert [row[2] for row in history(member)] == [2, 1]


def test_a_purpose_no_longer_asked_for_can_be_withdrawn_but_not_given(
    member: Member, at: datetime
) -> None:
    consents.set_consent(member=member, purpose="sms", is_given=True, by=STAFF, at=at)
    consents.change_purpose(code="sms", is_active=False, by=STAFF, at=at)
    assert [one.purpose for one in list_consents(member=member)] == ["email", "profiling", "sms"]
    with pytest.raises(InvalidMemberError):
        consents.set_consent(member=member, purpose="sms", is_given=True, by=STAFF, at=at)
    assert consents.set_consent(member=member, purpose="sms", is_given=False, by=STAFF, at=at)


def test_purposes_are_defined_once_with_words(brand: Brand, at: datetime) -> None:
    facts = {"label": {"en": "Post"}, "text": {"en": "Send me letters."}, "by": STAFF, "at": at}
    made = consents.define_purpose(code="post", **facts)
    assert (made.position, ConsentText.objects.get(purpose=made).version) == (4, 1)
    with pytest.raises(PurposeExistsError):
        consents.define_purpose(code="post", **facts)
    for wrong, pointer in (
        ({"code": "Post"}, "/code"),
        ({"label": {}}, "/label"),
        ({"text": {"en": " "}}, "/text"),
        ({"text": {"en": "x" * 4001}}, "/text/en"),
    ):
        with pytest.raises(InvalidPurposeError) as refused:
            consents.define_purpose(**{"code": "fax", **facts, **wrong})
        assert refused.value.data["pointer"] == pointer
    with pytest.raises(PurposeNotFoundError):
        consents.change_purpose(code="fax", is_active=False, by=STAFF, at=at)


def test_the_database_itself_keeps_the_proof(member: Member, at: datetime) -> None:
    consents.set_consent(member=member, purpose="email", is_given=True, by=STAFF, at=at)
    for change in (
        lambda: ConsentChange.objects.update(is_given=False),
        lambda: ConsentChange.objects.all().delete(),
        lambda: ConsentText.objects.update(text={}),
    ):
        with pytest.raises(DatabaseError, match="append"), transaction.atomic():
            change()


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["email", "sms"]), st.sampled_from(["give", "take", "words"])),
        max_size=12,
    )
)
def test_the_history_always_tells_the_state(
    brand: Brand, at: datetime, steps: list[tuple[str, str]]
) -> None:
    member = enrol(external_id=uuid7().hex, at=at, by=SYSTEM)
    said: dict[str, tuple[bool, int | None]] = {}
    changes = 0
    for number, (purpose, step) in enumerate(steps):
        if step == "words":
            text = {"en": f"Words {uuid7()}"}
            consents.change_purpose(code=purpose, text=text, by=STAFF, at=at)
            continue
        version = list_consent_texts(purpose=purpose)[0].version
        is_given = step == "give"
        known = said.get(purpose)
        expected = (known is not None or is_given) and (
            known is None or known[0] != is_given or (is_given and known[1] != version)
        )
        moment = at + timedelta(minutes=number)
        changed = consents.set_consent(
            member=member, purpose=purpose, is_given=is_given, by=STAFF, at=moment
        )
        assert changed == expected
        if changed:
            said[purpose] = (is_given, version)
            changes += 1
    rows = list_consent_changes(member=member)
    assert len(rows) == changes
    newest = {row.purpose.code: row for row in reversed(rows)}
    assert {code: (row.is_given, row.text_version) for code, row in newest.items()} == said
    state = Member.objects.select_related("personal").get(pk=member.pk).personal.consents
    assert state == {code: is_given for code, (is_given, _version) in said.items()}


@pytest.mark.race
def test_the_same_consent_eight_times_is_one_change(committed_brand: Brand, at: datetime) -> None:
    member = enrol(external_id="C-1", at=at, by=SYSTEM)
    results = run_in_threads(
        8,
        committed_brand,
        lambda: consents.set_consent(
            member=member, purpose="email", is_given=True, by=STAFF, at=at
        ),
    )
    assert sorted(results) == [False] * 7 + [True]
    assert ConsentChange.objects.count() == 1
