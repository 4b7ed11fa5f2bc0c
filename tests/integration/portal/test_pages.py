"""Every page of the portal: who may see it, what it shows, what it costs."""

from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from core import ids
from portal.urls import urlpatterns
from tenants.accounts.models import StaffMember
from tenants.brands.models import Brand
from tests.integration.portal.conftest import Portal, url


def pages(portal: Portal) -> dict[str, tuple[str, str]]:
    """Return each page by the name of its address, with a word that it has to show."""
    redemption, order = portal.redemption, portal.order
    return {
        "home": (url("home"), "Tea box"),
        "code": (url("code"), portal.ann.number),
        "benefits": (url("benefits"), "2 of 3 left"),
        "benefit": (url("benefit", "care"), "Within 72 hours"),
        "use": (url("use", "care"), "When would suit you?"),
        "history": (url("history"), "Tea box"),
        "redemption": (url("redemption", redemption.key), "Tea box"),
        "rate": (url("rate", redemption.key), "How was it?"),
        "mall": (url("mall"), "4100 points are missing."),
        "orders": (url("orders"), "Towel"),
        "order": (url("order", order.key), order.number),
        "item": (url("item", "towel"), "Redeem for 100 points"),
        "waiting": (url("waiting"), "You are waiting for nothing"),
        "addresses": (url("addresses"), "No addresses kept"),
        "tier": (url("tier"), "Why I have this tier"),
        "points": (url("points"), "900"),
        "entry": (url("entry", 1), "+1,000"),
        "me": (url("me"), "ann@example.com"),
        "edit": (url("edit"), "For your birthday benefits."),
        "my_data": (url("my_data"), "What you agree to"),
        "export": (url("export"), "ann@example.com"),
    }


# What changes something and has no page of its own.
ACTIONS = {
    "cancel_redemption", "cancel_order", "set_consent", "erasure", "receive_order", "pay", "wait",
    "leave_waiting", "forget_address",
}  # fmt: skip
# For people who are not signed in yet.
OPEN = {"claim", "finish_claim"}
# Looked at in `test_appointments`, `test_mall`, `test_point_rules` and the console's
# `test_officer_pages`.
ELSEWHERE = {
    "slots", "reschedule", "test_payment", "draw", "ticket", "send_points",
    "officers", "officer_round", "write_diary", "suggest_idea", "vote_idea",
    "answer_officer_round", "diary_photo",
}  # fmt: skip


def test_each_address_is_looked_at_here(portal: Portal) -> None:
    assert set(pages(portal)) | ACTIONS | OPEN | ELSEWHERE == {
        str(pattern.name) for pattern in urlpatterns
    }


def test_a_member_sees_every_page(portal: Portal) -> None:
    client = portal.client
    for name, (address, word) in pages(portal).items():
        answer = client.get(address)
        assert answer.status_code == 200, name
        html = answer.content.decode()
        assert word in html, name
        assert "<c-" not in html, name
        assert "style=" not in html, name
        assert 'aria-current="page"' in html, name


def test_htmx_gets_the_sheet_alone(portal: Portal) -> None:
    client = portal.client
    for name in ("code", "use", "rate", "entry", "edit"):
        html = client.get(pages(portal)[name][0], headers={"HX-Request": "true"}).content.decode()
        assert 'id="dlg-title"' in html, name
        assert "<html" not in html, name


def test_strangers_are_led_to_sign_in(
    portal: Portal, brand: Brand, client_for: Callable[[Brand], Client]
) -> None:
    client = client_for(brand)
    for name, (address, _word) in pages(portal).items():
        answer = client.get(address)
        assert answer.status_code == 302, name
        assert answer["Location"].startswith(reverse("account_login") + "?next="), name
    fragment = client.get(url("use", "tea"), headers={"HX-Request": "true"})
    assert fragment.status_code == 401
    assert fragment["X-Sign-In"].startswith(reverse("account_login"))


def test_staff_without_membership_are_told(
    portal: Portal, staff_client: Callable[..., Client], staff: Callable[..., StaffMember]
) -> None:
    answer = staff_client("manager").get(url("home"))
    assert answer.status_code == 403
    html = answer.content.decode()
    assert "This account has no membership" in html
    assert reverse("console:overview") in html


def test_another_member_finds_nothing_of_it(portal: Portal) -> None:
    client = portal.sign_in(portal.bea)
    mine = {
        url("redemption", portal.redemption.key),
        url("rate", portal.redemption.key),
        url("order", portal.order.key),
        url("entry", 1),
    }
    for address in mine:
        assert client.get(address).status_code == 404, address
    for address in (
        url("cancel_redemption", portal.redemption.key),
        url("cancel_order", portal.order.key),
        url("rate", portal.redemption.key),
    ):
        assert client.post(address, {"rating": 5}).status_code == 404, address
    portal.redemption.refresh_from_db()
    portal.order.refresh_from_db()
    assert (portal.redemption.state, portal.order.state) == ("requested", "placed")


def test_what_does_not_exist_is_not_found(portal: Portal) -> None:
    client = portal.client
    for address in (
        url("benefit", "nothing"),
        url("use", "nothing"),
        url("item", "nothing"),
        url("entry", 99),
        url("redemption", ids.uuid7()),
        url("order", ids.uuid7()),
    ):
        assert client.get(address).status_code == 404, address


def test_the_wrong_method_is_refused(portal: Portal) -> None:
    client = portal.client
    writable = {"use", "rate", "item", "edit"}
    for name, (address, _word) in pages(portal).items():
        assert client.put(address).status_code == 405, name
        if name not in writable:
            assert client.post(address).status_code == 405, name
    for address in (
        url("cancel_redemption", portal.redemption.key),
        url("cancel_order", portal.order.key),
    ):
        assert client.get(address).status_code == 405, address


# Three of each: search path, user, member; the session is in the cache. The home page adds standing (two), balance and
# benefits (two).
QUERIES = {"home": 8, "benefits": 5, "mall": 8, "points": 7, "me": 4, "history": 4}


@pytest.mark.parametrize("name", sorted(QUERIES))
def test_pages_keep_to_few_queries(portal: Portal, name: str) -> None:
    for number in range(5):
        benefit = portal.benefits.benefit(name={"en": f"Extra {number}"})
        portal.benefits.redeem(portal.ann, portal.benefits.grant(portal.ann, benefit))
        portal.benefits.item()
    client = portal.client
    address = pages(portal)[name][0]
    client.get(address)
    with CaptureQueriesContext(connection) as queries:
        assert client.get(address).status_code == 200
    found = [query["sql"] for query in queries]
    assert len(found) == QUERIES[name], "\n".join(found)
