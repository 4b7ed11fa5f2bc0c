"""Tags are added and removed one by one; two people at once lose nothing."""

import itertools
import threading
from datetime import datetime

import pytest

from core.actors import SYSTEM, Actor
from members.profiles.errors import ErasedMemberError, InvalidMemberError
from members.profiles.models import Member
from members.profiles.operations import enrol
from members.profiles.queries import list_tags
from members.profiles.tag_operations import add_tags, remove_tags
from tenants.audit.models import AuditEntry
from tenants.brands.models import Brand
from tests.integration.tenants.threads import run_in_threads

STAFF = Actor(kind="staff", id=7, label="Staff")


def test_tags_are_added_once_removed_and_counted(brand: Brand, at: datetime) -> None:
    member = enrol(external_id="C-1", tags=["vip"], at=at, by=SYSTEM)
    enrol(external_id="C-2", tags=["vip", "茶"], at=at, by=SYSTEM)
    assert add_tags(member=member, tags=["tea", "vip"], by=STAFF, at=at) == ["vip", "tea"]
    assert add_tags(member=member, tags=["tea"], by=STAFF, at=at) == ["vip", "tea"]
    assert list_tags() == [("vip", 2), ("tea", 1), ("茶", 1)]
    assert remove_tags(member=member, tags=["vip", "none"], by=STAFF, at=at) == ["tea"]
    entries = AuditEntry.objects.filter(action="member.updated").order_by("id")
    assert [entry.changes["tags"] for entry in entries] == [
        [["vip"], ["vip", "tea"]],
        [["vip", "tea"], ["tea"]],
    ]


def test_what_can_not_be_is_refused_and_changes_nothing(brand: Brand, at: datetime) -> None:
    full = [f"t{n}" for n in range(50)]
    member = enrol(external_id="C-1", tags=full, at=at, by=SYSTEM)
    for wrong in (["one more"], [""], ["x" * 41], "vip", [7]):
        with pytest.raises(InvalidMemberError):
            add_tags(member=member, tags=wrong, by=STAFF, at=at)
    assert Member.objects.get(pk=member.pk).tags == full
    Member.objects.filter(pk=member.pk).update(status="erased")
    with pytest.raises(ErasedMemberError):
        remove_tags(member=member, tags=["t1"], by=STAFF, at=at)


@pytest.mark.race
def test_eight_tags_at_once_are_all_kept(committed_brand: Brand, at: datetime) -> None:
    member = enrol(external_id="C-1", at=at, by=SYSTEM)
    numbers = itertools.count(1)
    run_in_threads(
        8,
        committed_brand,
        lambda: add_tags(member=member, tags=[f"t{next(numbers)}"], by=STAFF, at=at),
    )
    assert sorted(Member.objects.get().tags) == [f"t{n}" for n in range(1, 9)]


@pytest.mark.race
def test_control_a_list_read_and_written_back_loses_tags(
    committed_brand: Brand, at: datetime
) -> None:
    enrol(external_id="C-1", at=at, by=SYSTEM)
    read = threading.Barrier(4)
    numbers = itertools.count(1)

    def naive() -> None:
        tags = Member.objects.get().tags
        read.wait(10)
        Member.objects.update(tags=[*tags, f"t{next(numbers)}"])

    run_in_threads(4, committed_brand, naive)
    assert len(Member.objects.get().tags) == 1
