"""What the rules of a wallet look like to a member: passing on, inactivity, caps."""

from datetime import date
from typing import Any
from uuid import uuid4

import pytest

from core.actors import SYSTEM
from members.points import operations as points
from members.points.models import Transfer
from members.points.queries import get_balance
from tests.integration.portal.conftest import Portal, url


def rules(portal: Portal, **given: Any) -> None:
    points.change_wallet(wallet="points", by=SYSTEM, at=portal.at, **given)


def available(portal: Portal, member: Any) -> int:
    return get_balance(owner_id=member.pk, at=portal.at).available


def test_where_points_are_not_passed_on_there_is_no_way_to(portal: Portal) -> None:
    assert url("send_points") not in portal.client.get(url("points")).content.decode()
    assert portal.client.get(url("send_points")).status_code == 404
    assert portal.client.post(url("send_points"), {}).status_code == 404


def test_a_member_passes_points_on_once(portal: Portal) -> None:
    rules(portal, transfers_on=True, transfer_day_points=300)
    before = available(portal, portal.ann)
    assert url("send_points") in portal.client.get(url("points")).content.decode()
    assert "300" in portal.client.get(url("send_points")).content.decode()
    body = {"receiver": portal.bea.number.lower(), "amount": 200, "key": uuid4()}
    for _ in range(2):
        answer = portal.client.post(url("send_points"), body)
        assert answer.status_code == 302, answer.content.decode()
    assert Transfer.objects.count() == 1
    assert (available(portal, portal.ann), available(portal, portal.bea)) == (before - 200, 200)
    row = Transfer.objects.get()
    sheet = portal.client.get(url("entry", row.from_seq)).content.decode()
    assert portal.bea.number in sheet
    theirs = portal.sign_in(portal.bea).get(url("entry", row.to_seq)).content.decode()
    assert portal.ann.number in theirs


@pytest.mark.parametrize(
    ("receiver", "amount", "words"),
    [
        ("M9999999", 5, "There is nobody else to pass points on to."),
        ("own", 5, "There is nobody else to pass points on to."),
        ("bea", 301, "This is more than can be passed on today."),
        ("bea", 4, "These are too few points to pass on."),
        ("bea", 0, "Ensure this value is greater than or equal to 1."),
    ],
)
def test_a_refusal_is_shown_in_the_form(
    portal: Portal, receiver: str, amount: int, words: str
) -> None:
    rules(portal, transfers_on=True, transfer_day_points=300, transfer_min=5)
    before = available(portal, portal.ann)
    number = {"own": portal.ann.number, "bea": portal.bea.number}.get(receiver, receiver)
    answer = portal.client.post(
        url("send_points"), {"receiver": number, "amount": amount, "key": uuid4()}
    )
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert available(portal, portal.ann) == before


def test_points_that_lapse_by_inactivity_say_until_when(portal: Portal) -> None:
    rules(portal, expiry_policy="inactivity", expiry_months=6)
    points.earn(
        owner_id=portal.ann.pk, amount=10, key=uuid4(), at=portal.at,
        source=points.Source("event", 1),
    )  # fmt: skip
    assert get_balance(owner_id=portal.ann.pk, at=portal.at).good_until == date(2026, 9, 15)
    assert "Stay active by 15 Sept 2026" in portal.client.get(url("points")).content.decode()


def test_a_cut_credit_says_which_cap_and_when_there_is_room(portal: Portal) -> None:
    rules(portal, earn_cap_day=30)
    cut = points.earn(
        owner_id=portal.ann.pk, amount=50, key=uuid4(), at=portal.at,
        source=points.Source("event", 1),
    )  # fmt: skip
    sheet = portal.client.get(url("entry", cut.seq)).content.decode()
    for words in ("At most 30 points in a day", "16 Mar 2026", "50"):
        assert words in sheet, words


def test_growth_and_other_wallets_have_a_history_of_their_own(portal: Portal) -> None:
    page = portal.client.get(url("points") + "?wallet=growth").content.decode()
    assert "Growth decides your tier" in page
    assert url("send_points") not in page
    points.create_wallet(code="stamps", name="Stamps", by=SYSTEM, at=portal.at)
    assert "wallet=stamps" not in portal.client.get(url("points")).content.decode()
    points.earn(
        owner_id=portal.ann.pk, wallet="stamps", amount=3, key=uuid4(), at=portal.at,
        source=points.Source("activity", 1),
    )  # fmt: skip
    page = portal.client.get(url("points") + "?wallet=stamps").content.decode()
    assert "Stamps" in page
    assert f"{url('entry', 1)}?wallet=stamps" in page
    sheet = portal.client.get(url("entry", 1) + "?wallet=stamps").content.decode()
    assert "+3" in sheet
    # Who has nothing there sees the points; the line of another wallet is not theirs.
    other = portal.sign_in(portal.bea)
    page = other.get(url("points") + "?wallet=stamps").content.decode()
    assert "Stamps" not in page


def test_a_line_says_which_points_were_spent_and_given_back(portal: Portal) -> None:
    spent = points.spend(
        owner_id=portal.ann.pk, amount=120, key=uuid4(), at=portal.at,
        source=points.Source("test", 1),
    )  # fmt: skip
    sheet = portal.client.get(url("entry", spent.seq)).content.decode()
    assert "Which points" in sheet
    assert "Points credited" in sheet or "Points for" in sheet
    back = points.reverse(
        entry_ref=points.EntryRef(spent.account_id, spent.seq), amount=20, key=uuid4(),
        at=portal.at, source=points.Source("test", 2),
    )  # fmt: skip
    sheet = portal.client.get(url("entry", back.seq)).content.decode()
    assert "Belongs to" in sheet
    assert "Points spent" in sheet
