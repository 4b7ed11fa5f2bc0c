"""Pages about wallets, liability, consent and the ledger by lots."""

from collections.abc import Callable, Iterator
from datetime import date
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from core import clock
from core.actors import SYSTEM
from members.points import operations as points
from members.points.models import AdjustmentRequest, Entry, Wallet
from members.points.queries import get_balance
from tests.integration.console.members_world import MembersWorld
from tests.integration.console.pages import led_to
from tests.integration.console.test_members_actions import HTMX, assert_done, url


@pytest.fixture
def world(brand: Any, at: Any) -> Iterator[MembersWorld]:
    """Return makers inside `brand`, with the clock set and two tiers in force."""
    with clock.at(at):
        world = MembersWorld(at)
        world.programme()
        yield world


def rules(world: MembersWorld, **given: Any) -> None:
    points.change_wallet(wallet="points", by=SYSTEM, at=world.at, **given)


def test_the_page_says_what_points_are_worth_and_the_rules_in_words(
    world: MembersWorld, staff_client: Callable[..., Client]
) -> None:
    world.buyer()
    rules(world, expiry_policy="end_of_month", expiry_months=12, balance_cap=5000)
    client = staff_client("finance")
    assert "No day is computed yet" in client.get(url("wallets")).content.decode()
    points.snapshot_liability(since=date(2026, 3, 1), until=date(2026, 3, 14), at=world.at)
    with CaptureQueriesContext(connection) as queries:
        text = client.get(url("wallets")).content.decode()
    assert len(queries) <= 12
    for words in ("600", "are good through 31 Mar 2027", "At most 5,000 points at a time"):
        assert words in text, words
    assert "Change" not in client.get(url("wallet", "points")).content.decode()


def test_each_part_of_the_rules_is_changed_by_its_own_form(
    world: MembersWorld, staff_client: Callable[..., Client]
) -> None:
    client = staff_client("manager")
    sent: dict[str, dict[str, Any]] = {
        "expiry": {"expiry_policy": "inactivity", "expiry_months": 9, "pending_days": 1,
                   "expiring_notice_days": 14, "restore_grace_days": 30},
        "earning": {"balance_cap": 900, "earn_cap_day": "", "earn_cap_month": 400,
                    "cap_policy": "refuse"},
        "spending": {"spend_min": 100, "spend_step": 50, "cost_per_point": "0.25"},
        "clawback": {"way": "recover", "recover_percent": 40},
        "consent": {"adjust_limit": 250},
        "transfers": {"transfers_on": "on", "transfer_min": 10, "transfer_day_points": 500,
                      "transfer_day_count": 3},
    }  # fmt: skip
    for part, data in sent.items():
        assert client.get(url("edit_wallet", "points", part), headers=HTMX).status_code == 200
        assert_done(client.post(url("edit_wallet", "points", part), data, headers=HTMX), "wallet")
    wallet = Wallet.objects.get(code="points")
    assert (wallet.expiry_policy, wallet.expiry_months, wallet.pending_days) == ("inactivity", 9, 1)
    assert (wallet.balance_cap, wallet.earn_cap_day, wallet.cap_policy) == (900, None, "refuse")
    assert (wallet.spend_min, wallet.spend_step) == (100, 50)
    assert wallet.cost_per_point_micro == 250_000
    assert (wallet.recover_percent, wallet.may_go_negative) == (40, False)
    assert (wallet.adjust_limit, wallet.transfers_on, wallet.transfer_day_count) == (250, True, 3)
    text = client.get(url("wallet", "points")).content.decode()
    assert "good through 15 Dec 2026. Any purchase" in text
    assert "40% of each later credit" in text


@pytest.mark.parametrize(
    ("part", "data", "field"),
    [
        ("expiry", {"expiry_policy": "months", "expiry_months": 0, "pending_days": 0,
                    "expiring_notice_days": 0, "restore_grace_days": 0}, "expiry_months"),
        ("clawback", {"way": "recover", "recover_percent": ""}, "recover_percent"),
        ("spending", {"spend_min": 1, "spend_step": 0, "cost_per_point": "1"}, "spend_step"),
    ],
)  # fmt: skip
def test_a_rule_that_makes_no_sense_is_refused_beside_its_field(
    world: MembersWorld,
    staff_client: Callable[..., Client],
    part: str,
    data: dict[str, Any],
    field: str,
) -> None:
    before = Wallet.objects.values().get(code="points")
    answer = staff_client().post(url("edit_wallet", "points", part), data, headers=HTMX)
    assert answer.status_code == 422
    assert answer.context["form"].errors[field]
    assert Wallet.objects.values().get(code="points") == before


def test_the_form_says_until_when_while_it_is_filled_in(
    world: MembersWorld, staff_client: Callable[..., Client]
) -> None:
    client = staff_client()
    for policy, months, words in (
        ("months", "1", "are good through 15 Apr 2026"),
        ("end_of_quarter", "0", "are good through 31 Mar 2026"),
        ("inactivity", "6", "are good through 15 Sept 2026"),
        ("none", "0", "never expire"),
        ("months", "0", "Say after how many months"),
    ):
        text = client.get(
            url("preview_expiry"),
            {"expiry_policy": policy, "expiry_months": months},
            headers={"HX-Request": "true", "HX-Target": "preview"},
        ).content.decode()
        assert words in text, (policy, text)
        assert "<form" not in text


def test_a_new_wallet_has_a_page_and_shows_on_the_member(
    world: MembersWorld, staff_client: Callable[..., Client]
) -> None:
    member = world.buyer()
    client = staff_client()
    answer = client.post(url("create_wallet"), {"name": "Stars", "code": "stars"}, headers=HTMX)
    assert led_to(answer) == url("wallet", "stars")
    again = client.post(url("create_wallet"), {"name": "Stars", "code": "stars"}, headers=HTMX)
    assert again.status_code == 422
    adjust = {"wallet": "stars", "direction": "add", "amount": 7, "reason": "Hi", "key": uuid4()}
    assert_done(client.post(url("adjust_points", member.number), adjust, headers=HTMX), "member")
    page = client.get(url("member", member.number), {"tab": "points", "wallet": "stars"})
    assert "+7" in page.content.decode()


def test_an_adjustment_above_the_limit_waits_and_somebody_else_decides(
    world: MembersWorld, staff_client: Callable[..., Client]
) -> None:
    member = world.buyer()
    rules(world, adjust_limit=100)
    asker, other = staff_client("support"), staff_client("manager")
    adjust = {
        "wallet": "points",
        "direction": "add",
        "amount": 101,
        "reason": "Lost",
        "key": uuid4(),
    }
    answer = asker.post(url("adjust_points", member.number), adjust, headers=HTMX)
    assert_done(answer, "member")
    assert "waits for consent" in answer["HX-Trigger"]
    assert get_balance(owner_id=member.pk, at=world.at).available == 600
    assert "1 adjustment waits" in asker.get(url("member", member.number)).content.decode()
    row = AdjustmentRequest.objects.get()
    page = asker.get(url("adjustments")).content.decode()
    assert "Somebody else decides" in page
    assert url("approve_adjustment", row.pk) not in page
    assert asker.post(url("approve_adjustment", row.pk), headers=HTMX).status_code == 403
    refusal = other.post(url("refuse_adjustment", row.pk), {"reason": ""}, headers=HTMX)
    assert refusal.status_code == 422
    assert url("approve_adjustment", row.pk) in other.get(url("adjustments")).content.decode()
    assert_done(other.post(url("approve_adjustment", row.pk), headers=HTMX), "adjustments")
    assert get_balance(owner_id=member.pk, at=world.at).available == 701
    page = asker.get(url("member", member.number), {"tab": "points"}).content.decode()
    assert "With the consent of" in page
    assert "Nothing waits" in other.get(url("adjustments")).content.decode()


def test_a_request_is_refused_with_a_reason_or_taken_back(
    world: MembersWorld, staff_client: Callable[..., Client]
) -> None:
    member = world.buyer()
    rules(world, adjust_limit=0)
    asker, other = staff_client("support"), staff_client("manager")
    for _ in range(2):
        adjust = {
            "wallet": "points",
            "direction": "add",
            "amount": 5,
            "reason": "A",
            "key": uuid4(),
        }
        asker.post(url("adjust_points", member.number), adjust, headers=HTMX)
    first, second = AdjustmentRequest.objects.order_by("id")
    done = other.post(url("refuse_adjustment", first.pk), {"reason": "No"}, headers=HTMX)
    assert_done(done, "adjustments")
    assert_done(asker.post(url("withdraw_adjustment", second.pk), headers=HTMX), "adjustments")
    page = other.get(url("adjustments"), {"state": "all"}).content.decode()
    assert "Refused" in page
    assert "Withdrawn" in page
    assert Entry.objects.filter(kind=Entry.Kind.ADJUST).count() == 0


def test_lots_tell_where_they_came_from_and_where_they_went(
    world: MembersWorld, staff_client: Callable[..., Client]
) -> None:
    member = world.buyer()
    friend = world.member()
    rules(world, transfers_on=True, earn_cap_day=40)
    points.redeem(
        owner_id=member.pk,
        amount=50,
        key=uuid4(),
        at=world.at,
        source=points.Source("redemption", 3),
    )
    points.transfer(
        from_owner_id=member.pk,
        to_owner_id=friend.pk,
        amount=25,
        key=uuid4(),
        by=SYSTEM,
        at=world.at,
    )
    points.earn(
        owner_id=member.pk, amount=90, key=uuid4(), at=world.at, source=points.Source("event", 1)
    )
    client = staff_client()
    text = client.get(url("member", member.number), {"tab": "lots"}).content.decode()
    for words in ("3 movements", "One for one", "40 of 90: at most 40 points in a day"):
        assert words in text, words
    text = client.get(url("member", member.number), {"tab": "points"}).content.decode()
    assert f"To member {friend.number}" in text
    text = client.get(url("member", friend.number), {"tab": "lots"}).content.decode()
    assert f"From member {member.number}" in text


@pytest.mark.parametrize("role", ["analyst", "account_manager"])
def test_rules_and_consent_are_not_everybodys(
    world: MembersWorld, staff_client: Callable[..., Client], role: str
) -> None:
    client = staff_client(role)
    assert (
        client.post(reverse("console:edit_wallet", args=["points", "consent"])).status_code == 403
    )
    assert client.post(reverse("console:approve_adjustment", args=[1])).status_code == 403
    assert client.get(reverse("console:create_wallet")).status_code == 403
