"""Member data in the console: attributes, tags, consents, the copy of all data, erasing."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from core import clock
from core.actors import SYSTEM, Actor
from members.profiles import erasure_operations
from members.profiles.models import AttributeDefinition, ConsentChange, Erasure, Member
from members.profiles.operations import enrol
from members.profiles.queries import get_attribute_definition, list_tags
from tenants.audit.models import AuditEntry
from tests.integration.console.members_world import MembersWorld

HTMX = {"HX-Request": "true", "HX-Target": "dlg"}
SKIN = {
    "label_en": "Skin",
    "label_zh-hans": "肤质",
    "code": "skin",
    "type": "choice",
    "choices": "dry: Dry | 干性\n\noily: Oily",
    "portal": "edited",
}


@pytest.fixture
def world(brand: Any, at: datetime) -> Iterator[MembersWorld]:
    with clock.at(at):
        yield MembersWorld(at)


@pytest.fixture
def owner(world: MembersWorld, staff_client: Callable[..., Client]) -> Client:
    return staff_client()


@pytest.fixture
def member(world: MembersWorld) -> Member:
    return enrol(external_id="C-1", name="Ann Lee", tags=["vip"], at=world.at, by=SYSTEM)


def url(name: str, *args: Any) -> str:
    return reverse(f"console:{name}", args=args)


def assert_done(answer: HttpResponse, event: str = "member") -> None:
    assert answer.status_code == 204, answer.content.decode()
    assert f'"{event}:changed"' in answer["HX-Trigger"]


def test_an_attribute_is_defined_shown_filled_in_and_retired(owner: Client, member: Member) -> None:
    assert_done(owner.post(url("define_attribute"), SKIN, headers=HTMX), "attributes")
    skin = get_attribute_definition(code="skin")
    assert [(one.code, dict(one.label)) for one in skin.choices] == [
        ("dry", {"en": "Dry", "zh-hans": "干性"}),
        ("oily", {"en": "Oily"}),
    ]
    page = owner.get(url("attributes")).content.decode()
    assert "Skin" in page
    assert "Dry, Oily" in page
    filled = owner.post(
        url("edit_attributes", member.number), {"attribute_skin": "oily"}, headers=HTMX
    )
    assert_done(filled)
    assert Member.objects.get(pk=member.pk).attributes == {"skin": "oily"}
    assert "Oily" in owner.get(url("member", member.number)).content.decode()
    lost = owner.post(
        url("change_attribute", "skin"),
        {**SKIN, "choices": "dry: Dry"},
        headers=HTMX,
    )
    assert lost.status_code == 422
    assert "1 members have the choice oily" in lost.content.decode()
    assert_done(owner.post(url("end_attribute", "skin", "retire"), headers=HTMX), "attributes")
    assert "no longer kept" in owner.get(url("member", member.number)).content.decode()
    refused = owner.post(url("end_attribute", "skin", "delete"), headers=HTMX)
    assert refused.status_code == 409
    assert AttributeDefinition.objects.get().is_active is False


def test_wrong_values_are_shown_beside_their_field(owner: Client, member: Member) -> None:
    for facts in ({"code": "Skin"}, {"choices": "a b: Dry"}, {"type": "text"}):
        answer = owner.post(url("define_attribute"), {**SKIN, **facts}, headers=HTMX)
        assert answer.status_code == 422
        assert "invalid-feedback" in answer.content.decode()
    assert not AttributeDefinition.objects.exists()
    owner.post(url("define_attribute"), {**SKIN, "is_required": "on"}, headers=HTMX)
    empty = owner.post(url("enrol"), {"external_id": "C-2"}, headers=HTMX)
    assert empty.status_code == 422
    assert 'name="attribute_skin"' in empty.content.decode()
    owner.post(url("enrol"), {"external_id": "C-2", "attribute_skin": "dry"}, headers=HTMX)
    assert Member.objects.get(external_id="C-2").attributes == {"skin": "dry"}
    page = owner.get(url("member", member.number)).content.decode()
    assert "missing" in page


def test_attributes_are_moved_and_taken_back_into_use(owner: Client) -> None:
    for code in ("one", "two"):
        owner.post(
            url("define_attribute"),
            {"label_en": code, "code": code, "type": "text", "portal": "hidden"},
            headers=HTMX,
        )
    owner.post(url("move_attribute", "two", "up"), headers=HTMX)
    owner.post(url("end_attribute", "one", "delete"), headers=HTMX)
    owner.post(url("end_attribute", "two", "retire"), headers=HTMX)
    owner.post(url("end_attribute", "two", "restore"), headers=HTMX)
    assert list(AttributeDefinition.objects.values_list("code", "is_active")) == [("two", True)]
    assert owner.post(url("end_attribute", "two", "give"), headers=HTMX).status_code == 404


def test_tags_are_added_removed_counted_and_lead_to_their_members(
    owner: Client, member: Member, world: MembersWorld
) -> None:
    enrol(external_id="C-2", tags=["vip"], at=world.at, by=SYSTEM)
    form = owner.get(url("add_tags", member.number), headers=HTMX).content.decode()
    assert '<option value="vip">' in form
    assert_done(owner.post(url("add_tags", member.number), {"tags": "tea, vip"}, headers=HTMX))
    assert list_tags() == [("vip", 2), ("tea", 1)]
    page = owner.get(f"{url('attributes')}?tab=tags").content.decode()
    assert "?tag=vip" in page
    found = owner.get(f"{url('members')}?tag=tea").content.decode()
    assert member.number in found
    assert "C-2" not in found
    assert_done(owner.post(url("remove_tag", member.number), {"tag": "tea"}, headers=HTMX))
    assert Member.objects.get(pk=member.pk).tags == ["vip"]


def test_consents_are_noted_withdrawn_and_shown_with_their_history(
    owner: Client, member: Member
) -> None:
    give = url("set_consent", member.number, "email", "give")
    assert_done(owner.post(give, headers=HTMX))
    assert_done(owner.post(url("set_consent", member.number, "email", "withdraw"), headers=HTMX))
    assert list(ConsentChange.objects.order_by("id").values_list("is_given", "source")) == [
        (True, "console"),
        (False, "console"),
    ]
    page = owner.get(f"{url('member', member.number)}?tab=data").content.decode()
    assert "News by e-mail: given" in page
    assert "to the words of version 1" in page
    assert (
        owner.post(url("set_consent", member.number, "fax", "give"), headers=HTMX).status_code
        == 422
    )


def test_new_words_of_a_consent_are_a_new_version(owner: Client) -> None:
    post = {"label_en": "Post", "text_en": "Send me letters.", "code": "post"}
    assert_done(owner.post(url("define_purpose"), post, headers=HTMX), "attributes")
    changed = {**post, "text_en": "Send me postcards."}
    assert_done(owner.post(url("change_purpose", "post"), changed, headers=HTMX), "attributes")
    page = owner.get(f"{url('attributes')}?tab=consents").content.decode()
    assert "Send me postcards." in page
    owner.post(url("switch_purpose", "post", "stop"), headers=HTMX)
    page = owner.get(f"{url('attributes')}?tab=consents").content.decode()
    assert "No longer asked for" in page


def test_a_copy_of_all_data_is_read_downloaded_and_audited(owner: Client, member: Member) -> None:
    page = owner.get(url("export_member", member.number)).content.decode()
    assert "Ann Lee" in page
    file = owner.get(f"{url('export_member', member.number)}?format=json")
    assert file["Content-Disposition"] == f'attachment; filename="{member.number}.json"'
    assert file.json()["member"] == member.number
    assert AuditEntry.objects.filter(action="member.exported").count() == 2


def test_a_wish_to_be_erased_is_seen_refused_and_followed(
    owner: Client, member: Member, world: MembersWorld
) -> None:
    own = Actor(kind="member", id=member.pk)
    erasure_operations.ask_erasure(member=member, by=own, at=world.at)
    assert "1 member wants to be erased" in owner.get(url("todos")).content.decode()
    page = owner.get(f"{url('attributes')}?tab=erasures").content.decode()
    assert member.number in page
    assert "Ann Lee" in page
    assert_done(
        owner.post(
            url("refuse_erasure", member.number), {"reason": "An open invoice"}, headers=HTMX
        )
    )
    assert Erasure.objects.get().state == "refused"
    wrong = owner.post(url("erase_member", member.number), {"confirm": "M1"}, headers=HTMX)
    assert wrong.status_code == 422
    assert Member.objects.get(pk=member.pk).status == "active"
    assert_done(
        owner.post(url("erase_member", member.number), {"confirm": member.number}, headers=HTMX)
    )
    page = owner.get(f"{url('member', member.number)}?tab=data").content.decode()
    assert "Ann Lee" not in page
    assert "Only the history without names is left." in page
    assert owner.get(url("export_member", member.number)).status_code == 409


@pytest.mark.parametrize(
    ("role", "name", "allowed"),
    [
        ("support", "define_attribute", False),
        ("analyst", "define_attribute", False),
        ("manager", "define_attribute", True),
        ("support", "attributes", True),
    ],
)
def test_set_up_is_for_those_who_may(
    world: MembersWorld,
    staff_client: Callable[..., Client],
    role: str,
    name: str,
    allowed: bool,
) -> None:
    assert staff_client(role).get(url(name)).status_code == (200 if allowed else 403)


def test_support_can_not_erase(
    world: MembersWorld, staff_client: Callable[..., Client], member: Member
) -> None:
    client = staff_client("support")
    answer = client.post(url("erase_member", member.number), {"confirm": member.number})
    assert answer.status_code == 403
    assert Member.objects.get(pk=member.pk).status == "active"


@pytest.mark.parametrize("tab", ["attributes", "tags", "consents", "erasures"])
def test_each_tab_costs_few_queries(
    owner: Client, member: Member, tab: str, django_assert_max_num_queries: Any
) -> None:
    with django_assert_max_num_queries(9):
        assert owner.get(f"{url('attributes')}?tab={tab}").status_code == 200
