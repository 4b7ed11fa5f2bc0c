"""A member's own data: attributes, consents, the copy, being erased, being blocked."""

import pytest

from core import clock
from members.profiles.attribute_operations import define_attribute
from members.profiles.models import ConsentChange, Erasure, Member
from members.profiles.operations import block_member, update_profile
from tests.integration.benefits.world import STAFF
from tests.integration.portal.conftest import Portal, url


@pytest.fixture
def skin(portal: Portal) -> None:
    for code, shown in (("skin", "edited"), ("grade", "shown"), ("secret", "hidden")):
        define_attribute(
            code=code, type="text", label={"en": code.title()}, portal=shown, by=STAFF, at=portal.at
        )
    update_profile(
        member=portal.ann,
        attributes={"skin": "dry", "grade": "A1", "secret": "lazy"},
        by=STAFF,
        at=portal.at,
    )


def test_a_member_sees_and_changes_what_the_brand_lets_them(portal: Portal, skin: None) -> None:
    page = portal.client.get(url("me")).content.decode()
    assert "A1" in page
    assert "lazy" not in page
    form = portal.client.get(url("edit")).content.decode()
    assert 'name="attributes_skin"' in form
    assert "attributes_grade" not in form
    sent = {"name": "Ann", "attributes_skin": "oily", "attributes_grade": "A9"}
    assert portal.client.post(url("edit"), sent).status_code == 302
    assert Member.objects.get(pk=portal.ann.pk).attributes == {
        "skin": "oily",
        "grade": "A1",
        "secret": "lazy",
    }
    bad = portal.client.post(url("edit"), {"name": "Ann", "attributes_skin": "x" * 501})
    assert bad.status_code == 422


def test_consents_are_given_and_withdrawn_with_their_words(portal: Portal) -> None:
    page = portal.client.get(url("my_data")).content.decode()
    assert "Send me news and offers by e-mail." in page
    for given in ("yes", "no"):
        answer = portal.client.post(url("set_consent", "email"), {"given": given})
        assert (answer.status_code, answer["Location"]) == (302, url("my_data"))
    rows = ConsentChange.objects.filter(member=portal.ann).order_by("id")
    assert [(row.is_given, row.source, row.text_version) for row in rows] == [
        (True, "portal", 1),
        (False, "portal", 1),
    ]
    assert "You withdrew this on" in portal.client.get(url("my_data")).content.decode()


def test_a_copy_holds_the_own_data_and_nobody_elses(portal: Portal) -> None:
    page = portal.client.get(url("export")).content.decode()
    assert "ann@example.com" in page
    assert "bea@example.com" not in page
    file = portal.client.get(f"{url('export')}?format=json")
    assert file["Content-Disposition"].startswith("attachment")
    assert file.json()["member"] == portal.ann.number
    assert "bea" not in file.content.decode()


def test_asking_to_be_erased_and_staying(portal: Portal) -> None:
    portal.client.post(url("erasure", "ask"))
    assert Erasure.objects.get().state == "asked"
    assert "You have asked to be erased" in portal.client.get(url("my_data")).content.decode()
    portal.client.post(url("erasure", "withdraw"))
    assert Erasure.objects.get().state == "withdrawn"
    assert portal.client.post(url("erasure", "burn")).status_code == 404


def test_a_blocked_member_reads_why_and_can_use_nothing(portal: Portal) -> None:
    client = portal.client
    with clock.at(portal.at):
        block_member(member=portal.ann, reason="Too many returns", by=STAFF, at=portal.at)
        for page in ("home", "me"):
            shown = client.get(url(page)).content.decode()
            assert "Your membership is blocked" in shown
            assert "Too many returns" in shown
        refused = client.get(url("benefits")).content.decode()
        assert "blocked" in refused.lower()
