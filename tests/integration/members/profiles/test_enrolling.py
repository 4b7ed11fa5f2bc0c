"""Members come in, change, and are found by those who look for them."""

from datetime import UTC, date, datetime

import pytest

from core.actors import SYSTEM, Actor
from members.points.models import Account
from members.profiles.errors import (
    EmailTakenError,
    ErasedMemberError,
    InvalidMemberError,
    MemberExistsError,
    MemberNotFoundError,
)
from members.profiles.models import Member, MemberPersonal
from members.profiles.operations import (
    block_member,
    enrol,
    enrol_many,
    put_member,
    unblock_member,
    update_profile,
)
from members.profiles.queries import get_member, get_member_for_user, member_ids
from tenants.accounts.models import User
from tenants.accounts.registry import ensure_user
from tenants.audit.models import AuditEntry
from tenants.brands.context import tenant_context
from tenants.brands.models import Brand
from tenants.events.models import Event

STAFF = Actor(kind="staff", id=7, label="Owner")


def _balances(member: Member) -> list[tuple[str, int]]:
    accounts = Account.objects.filter(owner_id=member.pk)
    return sorted(accounts.values_list("wallet__code", "balance"))


@pytest.fixture
def wang(brand: Brand, at: datetime) -> Member:
    return enrol(
        external_id="C-1",
        name="王小明",
        email=" Wang@Example.com ",
        phone="+86 138-0013-8000",
        birthday=date(1990, 2, 28),
        region="华东",
        tags=("vip", "vip", "new"),
        at=at,
        by=SYSTEM,
    )


def test_enrol_writes_member_personal_accounts_and_event(wang: Member, at: datetime) -> None:
    found = get_member(external_id="C-1")
    assert found == wang
    assert wang.number == f"M{wang.pk:07}"
    assert (found.status, found.enrolled_at, found.region, found.tags) == (
        "active",
        at,
        "华东",
        ["vip", "new"],
    )
    assert (found.personal.name, found.personal.email, found.personal.phone) == (
        "王小明",
        "wang@example.com",
        "+8613800138000",
    )
    assert _balances(wang) == [("growth", 0), ("points", 0)]
    event = Event.objects.get(type="member.enrolled")
    assert (event.subject, event.data) == (
        f"member:{wang.pk}",
        {"number": wang.number, "external_id": "C-1"},
    )


def test_numbers_grow_beyond_seven_digits(brand: Brand, at: datetime) -> None:
    member = Member.objects.create(id=123_456_789, external_id="big", enrolled_at=at)
    assert member.number == "M123456789"


def test_enrol_refuses_a_taken_id_and_address_and_writes_nothing(
    wang: Member, at: datetime
) -> None:
    events = Event.objects.count()
    with pytest.raises(MemberExistsError) as taken:
        enrol(external_id="C-1", at=at, by=SYSTEM)
    assert taken.value.data == {"external_id": "C-1"}
    with pytest.raises(EmailTakenError):
        enrol(external_id="C-2", email="WANG@example.com", at=at, by=SYSTEM)
    assert Member.objects.count() == 1
    assert Event.objects.count() == events


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"external_id": ""}, "/external_id"),
        ({"external_id": "x" * 65}, "/external_id"),
        ({"external_id": "a\0b"}, "/external_id"),
        ({"external_id": 12}, "/external_id"),
        ({"email": "nobody"}, "/email"),
        ({"email": f"{'a' * 250}@example.com"}, "/email"),
        ({"phone": "call me"}, "/phone"),
        ({"phone": "１２"}, "/phone"),
        ({"name": "x" * 121}, "/name"),
        ({"name": "two\nlines"}, "/name"),
        ({"birthday": date(2026, 3, 16)}, "/birthday"),
        ({"birthday": date(1899, 12, 31)}, "/birthday"),
        ({"birthday": "1990-01-01"}, "/birthday"),
        ({"locale": "tlh"}, "/locale"),
        ({"tags": "vip"}, "/tags"),
        ({"tags": [str(n) for n in range(51)]}, "/tags"),
        ({"attributes": ["x"]}, "/attributes"),
        ({"attributes": {"nowhere": 1}}, "/attributes/nowhere"),
        ({"consents": {"email": "yes"}}, "/consents"),
    ],
)
def test_enrol_names_the_field_that_can_not_be(
    brand: Brand, at: datetime, fields: dict, pointer: str
) -> None:
    with pytest.raises(InvalidMemberError) as refused:
        enrol(**{"external_id": "C-9", **fields}, at=at, by=SYSTEM)
    assert refused.value.data["pointer"] == pointer
    assert not Member.objects.exists()


def test_birthday_is_judged_by_the_brands_day(brand: Brand) -> None:
    # 18:00 in London is already the 16th in Shanghai.
    evening = datetime(2026, 3, 15, 18, 0, tzinfo=UTC)
    born = enrol(external_id="C-3", birthday=date(2026, 3, 16), at=evening, by=SYSTEM)
    assert born.personal.birthday == date(2026, 3, 16)


def test_put_member_enrols_then_changes_then_changes_nothing(brand: Brand, at: datetime) -> None:
    first, created = put_member(external_id="C-5", by=SYSTEM, at=at, fields={"name": "Ada"})
    assert created
    again, created = put_member(
        external_id="C-5", by=SYSTEM, at=at, fields={"name": "Ada L.", "region": "North"}
    )
    assert (created, again.pk, again.personal.name, again.region) == (
        False,
        first.pk,
        "Ada L.",
        "North",
    )
    events = Event.objects.count()
    put_member(external_id="C-5", by=SYSTEM, at=at, fields={"name": "Ada L."})
    assert Event.objects.count() == events
    with pytest.raises(InvalidMemberError) as refused:
        put_member(external_id="C-6", by=SYSTEM, at=at, fields={"status": "blocked"})
    assert refused.value.data["pointer"] == "/status"
    assert not Member.objects.filter(external_id="C-6").exists()


def test_update_keeps_personal_values_out_of_audit_and_events(wang: Member, at: datetime) -> None:
    update_profile(member=wang, by=STAFF, at=at, name="王大明", region="华北")
    entry = AuditEntry.objects.get(action="member.updated")
    assert entry.changes == {"name": ["•••", "•••"], "region": ["华东", "华北"]}
    assert (entry.actor_kind, entry.actor_id, entry.target_id) == ("staff", 7, str(wang.pk))
    assert Event.objects.get(type="member.updated").data == {"fields": ["name", "region"]}


def test_update_of_an_imported_member_without_personal_row(brand: Brand, at: datetime) -> None:
    member = Member.objects.create(external_id="bare", enrolled_at=at)
    update_profile(member=member, by=SYSTEM, at=at, name="Now Known")
    assert MemberPersonal.objects.get(member=member).name_folded == "now known"


def test_update_refuses_a_taken_address_and_changes_nothing(wang: Member, at: datetime) -> None:
    other = enrol(external_id="C-2", email="li@example.com", at=at, by=SYSTEM)
    with pytest.raises(EmailTakenError):
        update_profile(member=other, by=STAFF, at=at, email="wang@example.com", region="South")
    other.refresh_from_db()
    assert (other.region, other.personal.email) == ("", "li@example.com")
    assert not AuditEntry.objects.filter(action="member.updated").exists()


def test_member_on_file_signs_in_and_is_linked(wang: Member, at: datetime) -> None:
    assert ensure_user("stranger@example.com") is None
    user = ensure_user("WANG@example.com")
    assert user is not None
    wang.refresh_from_db()
    assert wang.user == user
    assert get_member_for_user(user) == wang


def test_new_address_takes_the_sign_in_from_the_old_one(wang: Member, at: datetime) -> None:
    old = ensure_user("wang@example.com")
    assert old is not None
    update_profile(member=wang, by=STAFF, at=at, email="ming@example.com")
    assert get_member_for_user(old) is None
    new = ensure_user("ming@example.com")
    assert new is not None
    assert new != old
    assert get_member_for_user(new) == wang


def test_staff_with_the_same_address_find_their_membership(wang: Member, at: datetime) -> None:
    user = User.objects.create_user("wang@example.com")
    assert ensure_user("wang@example.com") == user
    assert get_member_for_user(user) == wang
    assert get_member_for_user(User.objects.create_user("x@example.com")) is None


def test_block_and_unblock_say_whether_they_changed_anything(wang: Member, at: datetime) -> None:
    assert block_member(member=wang, reason="fraud", by=STAFF, at=at)
    assert wang.status == "blocked"
    assert not block_member(member=wang, reason="fraud", by=STAFF, at=at)
    assert ensure_user("wang@example.com") is None
    assert unblock_member(member=wang, reason="cleared", by=STAFF, at=at)
    actions = list(
        AuditEntry.objects.filter(target_type="member")
        .order_by("id")
        .values_list("action", "reason")
    )
    assert actions == [("member.blocked", "fraud"), ("member.unblocked", "cleared")]
    Member.objects.filter(pk=wang.pk).update(status="erased")
    with pytest.raises(ErasedMemberError):
        block_member(member=wang, reason="late", by=STAFF, at=at)
    with pytest.raises(ErasedMemberError):
        update_profile(member=wang, by=STAFF, at=at, region="x")


def test_enrol_many_passes_over_known_ids_and_opens_accounts(wang: Member, at: datetime) -> None:
    since = datetime(1997, 1, 1, tzinfo=UTC)
    rows = [("C-1", since), ("N-1", since), ("N-2", at)]
    assert enrol_many(members=rows, by=SYSTEM, at=at) == 2
    assert enrol_many(members=rows, by=SYSTEM, at=at) == 0
    ids = member_ids(external_ids=["C-1", "N-1", "N-2", "N-3"])
    assert ids.keys() == {"C-1", "N-1", "N-2"}
    new = get_member(id=ids["N-1"])
    assert (new.number, new.enrolled_at, new.personal.name) == (f"M{new.pk:07}", since, "")
    assert _balances(new) == [("growth", 0), ("points", 0)]
    assert Event.objects.filter(type="member.enrolled", data__imported=True).count() == 2


def test_members_stay_with_their_brand(wang: Member, other_brand: Brand, at: datetime) -> None:
    with tenant_context(other_brand), pytest.raises(MemberNotFoundError):
        get_member(external_id="C-1")
    with tenant_context(other_brand):
        assert ensure_user("wang@example.com") is None
        twin = enrol(external_id="C-1", email="wang@example.com", at=at, by=SYSTEM)
        assert get_member(number=twin.number) == twin


@pytest.mark.parametrize(
    "key",
    [
        {"id": 10**30},
        {"number": "M404"},
        {"external_id": "no"},
        {"external_id": "\0"},
        {"number": "M\0"},
        {"external_id": "\ud800"},
        {},
        {"external_id": "C-1", "number": "M404"},
    ],
)
def test_get_member_refuses_what_does_not_exist(brand: Brand, key: dict) -> None:
    with pytest.raises(MemberNotFoundError):
        get_member(**key)
