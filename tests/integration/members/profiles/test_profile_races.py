"""Changes of one member at the same instant: none is lost, none counts twice.

Each race has a control: the same done naively, by reading and writing back, loses something.
"""

import threading
from collections import Counter
from datetime import datetime
from uuid import UUID

import pytest

from core.actors import SYSTEM, Actor
from members.profiles import consent_operations as consents
from members.profiles.claim_operations import request_claim
from members.profiles.models import Claim, ConsentChange, Member, MemberPersonal
from members.profiles.operations import enrol, update_profile
from members.profiles.queries import list_purposes
from tenants.audit.models import AuditEntry
from tenants.brands.models import Brand
from tests.integration.benefits.races import together

pytestmark = pytest.mark.race
STAFF = Actor(kind="staff", id=7, label="Staff")


@pytest.fixture
def member(committed_brand: Brand, at: datetime) -> Member:
    return enrol(external_id="C-1", name="Wang", email="w@example.com", at=at, by=SYSTEM)


def test_consents_given_at_once_are_all_kept(
    committed_brand: Brand, member: Member, at: datetime
) -> None:
    codes = [one.purpose for one in list_purposes()]

    def say(code: str) -> bool:
        return consents.set_consent(member=member, purpose=code, is_given=True, by=STAFF, at=at)

    results = together(committed_brand, [lambda code=code: say(code) for code in codes])  # type: ignore[misc]
    assert results == [True] * 3
    assert MemberPersonal.objects.get().consents == dict.fromkeys(codes, True)
    assert ConsentChange.objects.count() == 3


def test_yes_and_no_at_once_end_as_the_last_of_their_history(
    committed_brand: Brand, member: Member, at: datetime
) -> None:
    def say(is_given: bool) -> bool:
        return consents.set_consent(
            member=member, purpose="email", is_given=is_given, by=STAFF, at=at
        )

    results = together(committed_brand, [lambda: say(True), lambda: say(False)] * 4)
    assert all(isinstance(one, bool) for one in results), results
    rows = list(ConsentChange.objects.order_by("pk").values_list("is_given", flat=True))
    # Each change changes something: yes and no take turns, from yes on.
    assert rows == [number % 2 == 0 for number in range(len(rows))]
    assert MemberPersonal.objects.get().consents == ({"email": rows[-1]} if rows else {})
    assert AuditEntry.objects.filter(action="member.consent_changed").count() == len(rows)


def test_control_consents_read_and_written_back_are_lost(
    committed_brand: Brand, member: Member
) -> None:
    read = threading.Barrier(3)

    def naive(code: str) -> None:
        personal = MemberPersonal.objects.get()
        read.wait(10)
        personal.consents = {**personal.consents, code: True}
        personal.save()

    together(
        committed_brand,
        [lambda code=code: naive(code) for code in ("email", "sms", "profiling")],  # type: ignore[misc]
    )
    assert len(MemberPersonal.objects.get().consents) == 1


EDITS = [
    {"name": "Li"},
    {"region": "north"},
    {"store_code": "S1"},
    {"phone": "+8613800138000"},
    {"locale": "en"},
]


def test_edits_of_different_fields_at_once_are_all_kept(
    committed_brand: Brand, member: Member, at: datetime
) -> None:
    # All have read the member before; each sends what it changed.
    results = together(
        committed_brand,
        [
            lambda edit=edit: update_profile(member=member, by=STAFF, at=at, **edit)  # type: ignore[misc]
            for edit in EDITS
        ],
    )
    assert Counter(type(one) for one in results) == {Member: 5}
    found = Member.objects.select_related("personal").get()
    assert (found.region, found.store_code, found.locale) == ("north", "S1", "en")
    assert (found.personal.name, found.personal.phone) == ("Li", "+8613800138000")
    assert AuditEntry.objects.filter(action="member.updated").count() == 5


def test_control_a_profile_read_and_written_back_loses_edits(
    committed_brand: Brand, member: Member
) -> None:
    read = threading.Barrier(2)

    def naive(**edit: str) -> None:
        found = Member.objects.get()
        read.wait(10)
        for field, value in edit.items():
            setattr(found, field, value)
        found.save()

    together(committed_brand, [lambda: naive(region="north"), lambda: naive(store_code="S1")])
    found = Member.objects.get()
    assert [found.region, found.store_code].count("") == 1


def test_control_guesses_read_and_written_back_are_lost(
    committed_brand: Brand, member: Member, at: datetime, settings: pytest.FixtureRequest
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"  # type: ignore[attr-defined]
    key: UUID = request_claim(known_by="C-1", at=at)
    read = threading.Barrier(8)

    def naive() -> None:
        claim = Claim.objects.get(key=key)
        read.wait(10)
        claim.wrong_tries += 1
        claim.save(update_fields=["wrong_tries"])

    together(committed_brand, [naive] * 8)
    # `test_claims` has the same eight counted by the operation.
    assert Claim.objects.get().wrong_tries < 8
