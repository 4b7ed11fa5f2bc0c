"""A brand's own attributes: defining them, writing their values, and what each change refuses."""

import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from core.actors import SYSTEM, Actor
from members.profiles import attribute_operations as attributes
from members.profiles.errors import (
    AttributeExistsError,
    AttributeInUseError,
    AttributeNotFoundError,
    InvalidAttributeError,
    InvalidMemberError,
)
from members.profiles.models import AttributeDefinition, Member
from members.profiles.operations import enrol, put_member, update_profile
from members.profiles.queries import (
    count_attribute_values,
    get_attribute_definition,
    list_attribute_definitions,
    read_attribute,
)
from tenants.audit.models import AuditEntry
from tenants.brands.models import Brand
from tests.integration.tenants.threads import run_in_threads

STAFF = Actor(kind="staff", id=7, label="Staff")
CHOICES = [
    {"code": "dry", "label": {"en": "Dry", "zh-hans": "干性"}},
    {"code": "oily", "label": {"en": "Oily"}},
]


@pytest.fixture
def define(at: datetime) -> Callable[..., AttributeDefinition]:
    def make(code: str, type_: str = "text", **options: Any) -> AttributeDefinition:
        return attributes.define_attribute(
            code=code, type=type_, label={"en": code.title()}, by=STAFF, at=at, **options
        )

    return make


def test_definitions_are_listed_in_their_order(
    brand: Brand, at: datetime, define: Callable[..., Any]
) -> None:
    define("skin", "choice", choices=CHOICES)
    define("size", "number")
    define("car")
    attributes.move_attribute(code="car", by=STAFF, at=at, up=True)
    attributes.move_attribute(code="skin", by=STAFF, at=at, up=True)
    attributes.retire_attribute(code="size", by=STAFF, at=at)
    assert [one.code for one in list_attribute_definitions()] == ["skin", "car"]
    found = list_attribute_definitions(active_only=False)
    assert [(one.code, one.is_active) for one in found] == [
        ("skin", True),
        ("car", True),
        ("size", False),
    ]
    assert [choice.code for choice in found[0].choices] == ["dry", "oily"]
    assert AuditEntry.objects.filter(target_type="attribute", target_id="skin").count() == 1


def test_a_code_is_taken_for_good_also_by_a_retired_one(
    brand: Brand, at: datetime, define: Callable[..., Any]
) -> None:
    define("skin")
    attributes.retire_attribute(code="skin", by=STAFF, at=at)
    with pytest.raises(AttributeExistsError):
        define("skin", "number")
    assert get_attribute_definition(code="skin").type == "text"


def test_the_database_itself_keeps_codes_and_choices(brand: Brand) -> None:
    for wrong in (
        {"code": "No", "type": "text", "choices": []},
        {"code": "a", "type": "text", "choices": CHOICES},
        {"code": "a", "type": "choice", "choices": []},
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            AttributeDefinition.objects.create(label={"en": "A"}, **wrong)


def test_values_are_written_by_type_everywhere(
    brand: Brand, at: datetime, define: Callable[..., Any]
) -> None:
    define("skin", "choice", choices=CHOICES)
    define("size", "number")
    member = enrol(external_id="C-1", attributes={"skin": "dry", "size": 3}, at=at, by=SYSTEM)
    update_profile(member=member, by=STAFF, at=at, attributes={"size": 4.5})
    put_member(external_id="C-1", by=SYSTEM, at=at, fields={"attributes": {"skin": None}})
    assert Member.objects.get(pk=member.pk).attributes == {"size": 4.5}
    for wrong, pointer in (
        ({"size": "4"}, "/attributes/size"),
        ({"skin": "soft"}, "/attributes/skin"),
        ({"hair": "red"}, "/attributes/hair"),
    ):
        with pytest.raises(InvalidMemberError) as refused:
            update_profile(member=member, by=STAFF, at=at, region="N", attributes=wrong)
        assert refused.value.data["pointer"] == pointer
        with pytest.raises(InvalidMemberError):
            enrol(external_id="C-2", attributes=wrong, at=at, by=SYSTEM)
    member.refresh_from_db()
    assert (member.attributes, member.region) == ({"size": 4.5}, "")
    assert not Member.objects.filter(external_id="C-2").exists()


def test_values_stay_out_of_the_audit(
    brand: Brand, at: datetime, define: Callable[..., Any]
) -> None:
    define("allergy")
    member = enrol(external_id="C-1", at=at, by=SYSTEM)
    update_profile(member=member, by=STAFF, at=at, attributes={"allergy": "nuts"})
    update_profile(member=member, by=STAFF, at=at, attributes={"allergy": ""})
    found = AuditEntry.objects.filter(action="member.updated").order_by("id")
    assert [entry.changes for entry in found] == [
        {"attributes.allergy": [None, "•••"]},
        {"attributes.allergy": ["•••", None]},
    ]


def test_required_attributes_are_asked_for_at_enrolment(
    brand: Brand, at: datetime, define: Callable[..., Any]
) -> None:
    before = enrol(external_id="C-0", at=at, by=SYSTEM)
    define("size", "number", is_required=True)
    with pytest.raises(InvalidMemberError) as refused:
        enrol(external_id="C-1", at=at, by=SYSTEM)
    assert refused.value.data == {"pointer": "/attributes/size"}
    assert not Member.objects.filter(external_id="C-1").exists()
    member = enrol(external_id="C-1", attributes={"size": 1}, at=at, by=SYSTEM)
    with pytest.raises(InvalidMemberError):
        update_profile(member=member, by=STAFF, at=at, attributes={"size": None})
    # Members enrolled before are not held up by it.
    update_profile(member=before, by=STAFF, at=at, region="North")


def test_what_members_have_can_not_be_taken_away(
    brand: Brand, at: datetime, define: Callable[..., Any]
) -> None:
    define("skin", "choice", choices=CHOICES)
    member = enrol(external_id="C-1", attributes={"skin": "dry"}, at=at, by=SYSTEM)
    with pytest.raises(AttributeInUseError) as kept:
        attributes.delete_attribute(code="skin", by=STAFF, at=at)
    assert kept.value.data == {"members": 1}
    with pytest.raises(AttributeInUseError):
        attributes.change_attribute(code="skin", by=STAFF, at=at, choices=CHOICES[1:])
    changed = attributes.change_attribute(code="skin", by=STAFF, at=at, choices=CHOICES[:1])
    assert [item["code"] for item in changed.choices] == ["dry"]
    assert count_attribute_values() == {"skin": 1}
    update_profile(member=member, by=STAFF, at=at, attributes={"skin": None})
    attributes.delete_attribute(code="skin", by=STAFF, at=at)
    with pytest.raises(AttributeNotFoundError):
        get_attribute_definition(code="skin")


def test_a_retired_attribute_is_read_but_not_written(
    brand: Brand, at: datetime, define: Callable[..., Any]
) -> None:
    define("skin", is_required=True)
    member = enrol(external_id="C-1", attributes={"skin": "dry"}, at=at, by=SYSTEM)
    attributes.retire_attribute(code="skin", by=STAFF, at=at)
    with pytest.raises(InvalidMemberError):
        update_profile(member=member, by=STAFF, at=at, attributes={"skin": "oily"})
    assert Member.objects.get(pk=member.pk).attributes == {"skin": "dry"}
    enrol(external_id="C-2", at=at, by=SYSTEM)
    attributes.restore_attribute(code="skin", by=STAFF, at=at)
    update_profile(member=member, by=STAFF, at=at, attributes={"skin": "oily"})


@pytest.mark.parametrize(
    "fields", [{"type": "number"}, {"position": 9}, {"portal": "all"}, {"label": {}}]
)
def test_changes_of_what_is_fixed_are_refused(
    brand: Brand, at: datetime, define: Callable[..., Any], fields: dict[str, Any]
) -> None:
    define("skin")
    with pytest.raises(InvalidAttributeError) as refused:
        attributes.change_attribute(code="skin", by=STAFF, at=at, **fields)
    assert refused.value.data == {"pointer": f"/{next(iter(fields))}"}
    assert get_attribute_definition(code="skin").portal == "hidden"


def test_files_give_values_as_texts(brand: Brand, at: datetime, define: Callable[..., Any]) -> None:
    define("skin", "choice", choices=CHOICES)
    skin = get_attribute_definition(code="skin")
    assert read_attribute(attribute=skin, text="干性") == "dry"
    with pytest.raises(InvalidMemberError):
        read_attribute(attribute=skin, text="soft")


@pytest.mark.race
def test_no_value_outlives_its_definition(
    committed_brand: Brand, at: datetime, define: Callable[..., Any]
) -> None:
    members = [enrol(external_id=f"C-{n}", at=at, by=SYSTEM) for n in range(4)]
    define("skin")
    jobs: list[Callable[[], object]] = [
        lambda m=m: update_profile(member=m, by=STAFF, at=at, attributes={"skin": "dry"})
        for m in members
    ]
    jobs.insert(2, lambda: attributes.delete_attribute(code="skin", by=STAFF, at=at))
    turns = iter(jobs)
    results = run_in_threads(len(jobs), committed_brand, lambda: next(turns)())  # noqa: PLW0108
    deleted = not AttributeDefinition.objects.exists()
    written = Member.objects.exclude(attributes={}).count()
    refused = [one for one in results if isinstance(one, Exception)]
    assert deleted == (written == 0)
    assert len(refused) == (4 if deleted else 1)


@pytest.mark.race
def test_control_a_definition_judged_without_its_lock_leaves_values_behind(
    committed_brand: Brand, at: datetime, define: Callable[..., Any]
) -> None:
    member = enrol(external_id="C-1", at=at, by=SYSTEM)
    define("skin")
    judged = threading.Barrier(2)

    def write() -> None:
        with transaction.atomic():
            assert AttributeDefinition.objects.filter(code="skin").exists()
            judged.wait(10)
            Member.objects.filter(pk=member.pk).update(attributes={"skin": "dry"})

    def delete() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM members_member WHERE attributes ? 'skin'")
            assert cursor.fetchone() == (0,)
            judged.wait(10)
            AttributeDefinition.objects.filter(code="skin").delete()

    turns = iter([write, delete])
    run_in_threads(2, committed_brand, lambda: next(turns)())  # noqa: PLW0108
    assert not AttributeDefinition.objects.exists()
    assert Member.objects.get().attributes == {"skin": "dry"}
