"""The promise of the product in a browser: purchase, tier, benefit, partner, rating, cost."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from benefits.budget.models import ReserveDraw
from benefits.grants.models import Redemption, RedemptionNote
from benefits.mall.models import MallOrder
from config.demo.programme import Programme
from core import clock
from tests.e2e.conftest import Site, Visitor
from tests.e2e.programme import Caller, hold_nobody_out, issue_monthly, relay

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

ANN = "ann@example.com"
REASON = "Queues after the festival"


def _offered(site: Site) -> tuple[str, Caller]:
    for key in site.programme.partner_keys.values():
        partner = Caller(site, key, "partner")
        found = partner("GET", "orders?status=offered")["items"]
        if found:
            return found[0]["id"], partner
    raise AssertionError("no partner was offered the order")


def test_from_the_purchase_to_the_cost(site: Site, visitor: Callable[..., Visitor]) -> None:
    shop = Caller(site, site.programme.api_key, "brand")
    shop("PUT", "members/ann", {"name": "Ann", "email": ANN, "region": "cn/sh"}, status=201)
    ann = visitor()
    ann.sign_in(ANN)
    page = ann.page
    assert page.url == f"{site.url}/"
    assert page.inner_text(".membercard-tier") == "Silver"
    assert page.inner_text(".membercard-points") == "0"
    assert page.inner_text(".membercard-ratio") == "0 / 2,000"

    purchase = {
        "external_id": "P-1",
        "member": "ann",
        "occurred_at": (clock.now() - timedelta(minutes=5)).isoformat(),
        "amount": {"amount": 600_000, "currency": "CNY"},
    }
    hold_nobody_out()
    shop("POST", "purchases", purchase, status=201)
    relay()
    ann.open("/")
    assert page.inner_text(".membercard-tier") == "Platinum"
    assert page.inner_text(".membercard-points") == "6,000"
    assert page.inner_text(".membercard-ratio") == "6,000 / 10,000"
    # What the new tier owes for the month came with it, so the night has nothing to add.
    assert issue_monthly() == 0

    code = _use_facial(ann)
    relay()
    price = _carry_out(ann, code)
    _rate(ann)
    _order_item(ann)
    _see_the_cost(site.programme, visitor(width=1280, height=900), price)


def _use_facial(ann: Visitor) -> str:
    page = ann.open("/benefits/")
    page.click("a:has-text('Book')")
    page.wait_for_selector("#dlg[open] #use-form")
    page.fill("#dlg textarea[name=note]", "Sensitive skin")
    ann.check()
    page.click("#dlg button[type=submit]")
    page.wait_for_url("**/redemptions/**")
    ann.check()
    redemption = Redemption.objects.get()
    assert RedemptionNote.objects.get().note == "Sensitive skin"
    assert page.url.endswith(f"/redemptions/{redemption.key}/")
    code = page.inner_text(".code-text")
    assert code == redemption.code
    assert page.locator(".qr-box svg").count() == 1
    assert "Requested" in page.inner_text("#status")
    return code


def _carry_out(ann: Visitor, code: str) -> int:
    number, partner = _offered(ann.site)
    accepted = partner("POST", f"orders/{number}/accept")
    price = accepted["price"]["amount"]
    assert price > 0
    when = (clock.now() + timedelta(days=1)).isoformat()
    partner("POST", f"orders/{number}/schedule", {"scheduled_for": when})
    partner("POST", f"orders/{number}/start")
    refused = partner("POST", f"orders/{number}/fulfil", {"code": "WRONG1"}, status=422)
    assert refused["code"] == "wrong_code"
    assert ann.page.locator("#status .status-fulfilled").count() == 0
    assert partner("POST", f"orders/{number}/fulfil", {"code": code})["state"] == "fulfilled"
    relay()
    # The page asks by itself, without being loaded again.
    ann.page.wait_for_selector("#status a:has-text('How was it?')", timeout=15_000)
    assert ann.page.locator(".code-text").count() == 0
    assert ann.page.locator(".event-title").all_inner_texts() == [
        "Done",
        "It has begun",
        "The appointment is set",
        "A provider has accepted",
        "We ask a provider",
    ]
    ann.check()
    return int(price)


def _rate(ann: Visitor) -> None:
    page = ann.page
    page.click("a:has-text('How was it?')")
    page.wait_for_selector("#dlg[open] input[name=rating]", state="attached")
    page.click("#dlg label[for$=rating_4]")
    page.click("#dlg label[for$=nps_9]")
    page.fill("#dlg textarea[name=comment]", "Very calm")
    ann.check()
    page.click("#dlg button[type=submit]")
    page.wait_for_selector("text=5 / 5")
    ann.check()
    rated = Redemption.objects.get()
    assert (rated.state, rated.rating, rated.nps) == ("fulfilled", 5, 9)
    assert RedemptionNote.objects.get().comment == "Very calm"


def _order_item(ann: Visitor) -> None:
    page = ann.open("/mall/")
    assert page.inner_text(".points-pill").strip() == "6,000"
    page.click("a:has-text('Mask set')")
    page.wait_for_selector("#order-form")
    page.fill("input[name=recipient]", "Ann")
    page.fill("input[name=phone]", "+8613800000000")
    page.fill("textarea[name=lines]", "1 Garden Road, Shanghai")
    page.click("#order-form button[type=submit]")
    page.wait_for_url("**/mall/orders/**")
    ann.check()
    order = MallOrder.objects.get()
    assert (order.state, order.points) == ("placed", 1_200)
    assert order.number in page.inner_text("main")
    ann.open("/points/")
    assert page.inner_text(".points-big") == "4,800"
    held = page.locator(".stat", has_text="Set aside").first
    assert held.locator("dd").inner_text() == "1,200"


def _see_the_cost(programme: Programme, owner: Visitor, price: int) -> None:
    owner.sign_in(programme.staff["owner"].user.email)
    page = owner.open("/console/budget/")
    amount = f"CN¥{price // 100:,}.{price % 100:02d}"
    line = page.locator("tr", has_text=programme.lines["service"].name).first
    assert line.locator("td").nth(3).inner_text() == amount

    page.click("a:has-text('Ask for reserve money')")
    page.wait_for_selector("#dlg[open] form")
    page.select_option("#dlg select[name=line]", "pilot")
    page.fill("#dlg input[name=amount]", "1000")
    last_day = clock.local_date(clock.now(), "Asia/Shanghai") + timedelta(days=20)
    page.fill("#dlg input[name=exit_on]", last_day.isoformat())
    page.fill("#dlg textarea[name=reason]", REASON)
    page.click("#dlg button[type=submit]")
    row = page.locator("tr", has_text=REASON)
    row.wait_for()
    owner.check()
    assert "Somebody else decides" in row.inner_text()
    assert row.locator("button").all_inner_texts() == ["Take back"]

    # The button is not the only guard.
    owner.expected_status = {409}
    draw = ReserveDraw.objects.get()
    status = page.evaluate(
        """async (address) => {
            const token = document.cookie.match(/csrftoken=([^;]+)/)[1];
            const answer = await fetch(address, {method: "POST", headers: {"X-CSRFToken": token}});
            return answer.status;
        }""",
        f"/console/budget/draws/{draw.pk}/approve/",
    )
    assert status == 409
    draw.refresh_from_db()
    assert draw.state == "requested"
    owner.check()
