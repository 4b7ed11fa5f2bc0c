"""From an idea to a used benefit in two browsers: rules, packages and the mall, without a reload."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect

from benefits.catalogue.models import Package
from benefits.grants.models import Grant, Redemption
from benefits.mall import operations as mall
from benefits.mall.models import MallOrder
from benefits.mall.payments import operations as payments
from benefits.mall.payments.models import MallPayment
from benefits.rules.models import GrantRule
from core import clock
from tests.e2e.conftest import Site, Visitor
from tests.e2e.programme import Caller, issue_monthly, relay

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

ANN = "ann@example.com"


def _ann(site: Site) -> str:
    """Enrol Ann, let her spend enough for Platinum and 6,000 points; return her number."""
    shop = Caller(site, site.programme.api_key, "brand")
    ann = {"name": "Ann", "email": ANN, "region": "cn/sh"}
    number = shop("PUT", "members/ann", ann, status=201)["number"]
    purchase = {
        "external_id": "P-1",
        "member": "ann",
        "occurred_at": (clock.now() - timedelta(minutes=5)).isoformat(),
        "amount": {"amount": 600_000, "currency": "CNY"},
    }
    shop("POST", "purchases", purchase, status=201)
    relay()
    return str(number)


def _manager(site: Site, visitor: Callable[..., Visitor]) -> Visitor:
    manager = visitor(width=1440, height=900)
    manager.sign_in(site.programme.staff["manager"].user.email)
    return manager


def _dialog(page: Page) -> None:
    """Wait until the dialog is open and answers: htmx binds new parts a moment after it shows them."""
    page.wait_for_selector("#dlg[open]")
    _settled(page)


def _settled(page: Page) -> None:
    expect(page.locator(".htmx-settling")).to_have_count(0)


def test_a_manager_builds_a_rule_and_the_member_uses_what_it_gives(
    site: Site, visitor: Callable[..., Visitor]
) -> None:
    number = _ann(site)
    manager = _manager(site, visitor)
    page = manager.open("/console/rules/")
    begun = len(manager.loads)
    _build(page)
    manager.check()
    assert GrantRule.objects.get(code="gold-tea").status == "draft"
    _try_and_publish(page, number)
    manager.check()
    # From the list to the published rule the browser never loaded a whole page again.
    assert manager.loads[begun:] == []
    rule = GrantRule.objects.get(code="gold-tea")
    assert (rule.status, rule.version, rule.quantity) == ("published", 1, 2)
    assert rule.condition == {"all": [{"field": "tier", "op": "=", "value": "platinum"}]}

    assert issue_monthly(code="gold-tea") == 2
    ann = visitor()
    ann.sign_in(ANN)
    page = ann.open("/benefits/")
    begun = len(ann.loads)
    row = page.locator(".benefit-row", has_text="Birthday gift")
    expect(row.locator(".benefit-reason")).to_contain_text("Platinum")
    row.locator("a.btn").click()
    _dialog(page)
    page.click("#use-form button[type=submit]")
    page.wait_for_url("**/redemptions/**")
    expect(page.locator(".code-text")).to_be_visible()
    ann.check()
    # The one page that was loaded is that of the redemption, which has an address of its own.
    assert [re.sub(r"[0-9a-f-]{36}", "…", url) for url in ann.loads[begun:]] == [
        f"{site.url}/redemptions/…/"
    ]
    redemption = Redemption.objects.get()
    assert redemption.code == page.inner_text(".code-text")
    grant = Grant.objects.get(rule=rule)
    assert (grant.quantity, grant.used) == (2, 1)


def _build(page: Page) -> None:
    page.locator(".page-actions a", has_text="New rule").click()
    effect = page.locator("#rule-effect")
    expect(effect).to_contain_text("Not complete yet")
    _settled(page)
    page.fill("#id_name", "Tea for Platinum")
    page.fill("#id_code", "gold-tea")
    page.fill("#id_quantity", "2")
    page.select_option("#id_what", "benefit:birthday-gift")
    page.select_option("#id_cadence", "monthly")
    expect(effect).to_contain_text("Every month: 2 × Birthday gift for every member.")
    expect(effect).to_contain_text("No line of the budget in force pays for it.")
    page.select_option("#id_budget_line", "gifts")
    expect(effect).to_contain_text("Left on “")
    _settled(page)
    page.select_option("select[name=condition-0-field]", "tier")
    page.wait_for_selector("select[name=condition-0-value]")
    _settled(page)
    page.select_option("select[name=condition-0-value]", "platinum")
    expect(effect).to_contain_text("Tier is Platinum")
    expect(effect.locator("#effect-audience")).to_have_text("1")
    expect(effect.locator("#expected-cost")).to_have_text("CN¥70.00")
    page.locator("button[type=submit]", has_text="Save the draft").click()
    expect(page.locator("h1")).to_contain_text("Tea for Platinum")
    expect(page.locator("h1")).to_contain_text("Draft")


def _try_and_publish(page: Page, number: str) -> None:
    page.locator(".page-actions a", has_text="Test with a member").click()
    _dialog(page)
    page.fill("#try-member", number)
    trace = page.locator("#trace")
    expect(trace).to_contain_text(f"{number} would get it, were the rule in force.")
    expect(trace.locator(".trace")).to_contain_text("Tier is Platinum")
    expect(trace.locator(".trace")).to_contain_text("The member meets the condition")
    page.locator("#dlg .dialog-foot [data-dialog-close]").click()
    page.locator(".page-actions a", has_text="Publish").click()
    expect(page.locator("#dlg[open] #expected-cost")).to_have_text("CN¥70.00")
    _settled(page)
    page.click("#dlg button[type=submit]")
    expect(page.locator("h1")).to_contain_text("Published")


def test_points_and_cash_pay_for_an_order(site: Site, visitor: Callable[..., Visitor]) -> None:
    _ann(site)
    by, at = site.programme.actor("manager"), clock.now() - timedelta(hours=1)
    payments.open_account(provider="test", by=by, at=at)
    mall.create_item(
        code="flask",
        kind="physical",
        name={"en": "Steel flask"},
        points=200,
        cash_minor=2_900,
        stock=3,
        on_sale=True,
        by=by,
        at=at,
    )
    ann = visitor()
    ann.sign_in(ANN)
    page = ann.open("/mall/")
    page.click("a:has-text('Steel flask')")
    page.fill("input[name=recipient]", "Ann")
    page.fill("input[name=phone]", "+8613800000000")
    page.fill("textarea[name=lines]", "1 Garden Road, Shanghai")
    page.click("#order-form button[type=submit]")
    expect(page.locator("#order")).to_contain_text("CN¥29.00 to pay")
    # Declined, the order still waits; paid, it is confirmed and the points are spent.
    page.click("#order button:has-text('Pay CN¥29.00')")
    page.click("button[value=decline]")
    expect(page.locator("#order")).to_contain_text("CN¥29.00 to pay")
    ann.check()
    page.click("#order button:has-text('Pay CN¥29.00')")
    page.click("button[value=pay]")
    expect(page.locator("#order")).to_contain_text("Cash part paid")
    ann.check()
    order = MallOrder.objects.get()
    assert (order.state, order.points, order.cash_minor) == ("confirmed", 200, 2_900)
    states = MallPayment.objects.order_by("pk").values_list("state", flat=True)
    assert list(states) == ["failed", "paid"]
    ann.open("/points/")
    assert page.inner_text(".points-big") == "5,800"

    manager = _manager(site, visitor)
    page = manager.open(f"/console/mall/orders/{order.number}/")
    begun = len(manager.loads)
    page.locator(".page-actions a", has_text="Ship").click()
    _dialog(page)
    page.fill("#dlg input[name=tracking]", "SF123")
    page.click("#dlg button[type=submit]")
    expect(page.locator("h1")).to_contain_text("Shipped")
    manager.check()
    assert manager.loads[begun:] == []


def test_a_package_is_put_together_sold_and_used(
    site: Site, visitor: Callable[..., Visitor]
) -> None:
    _ann(site)
    manager = _manager(site, visitor)
    page = manager.open("/console/benefits/packages/")
    begun = len(manager.loads)
    page.locator(".page-actions a", has_text="New package").click()
    _dialog(page)
    page.fill("#dlg [name^=name_en]", "Treat")
    page.fill("#dlg [name=code]", "treat")
    page.fill("#dlg [name=row-0-quantity]", "2")
    page.select_option("#dlg [name=row-0-what]", "benefit:birthday-gift")
    expect(page.locator("#package-cost")).to_have_text("CN¥70.00")
    page.click("#dlg button:has-text('And…')")
    page.wait_for_selector("#dlg [name=row-1-what]")
    _settled(page)
    page.select_option("#dlg [name=row-1-what]", "package:set")
    expect(page.locator("#package-cost")).to_have_text("CN¥105.00")
    manager.check()
    page.click("#dlg button[type=submit]")
    expect(page.locator("h1")).to_contain_text("Treat")
    page.locator("a", has_text="Sell it").click()
    _dialog(page)
    page.fill("#dlg [name^=name_en]", "Treat")
    page.fill("#dlg [name=code]", "treat")
    page.fill("#dlg [name=points]", "500")
    page.check("#dlg [name=on_sale]")
    page.click("#dlg button[type=submit]")
    expect(page.locator("#package")).to_contain_text("500 points")
    manager.check()
    assert manager.loads[begun:] == []
    package = Package.objects.get(code="treat")
    assert [row.quantity for row in package.units.all()] == [3]

    ann = visitor()
    ann.sign_in(ANN)
    page = ann.open("/mall/")
    page.click("a:has-text('Treat')")
    page.click("#order-form button[type=submit]")
    page.wait_for_url("**/mall/orders/**")
    ann.check()
    page = ann.open("/benefits/")
    row = page.locator(".benefit-row", has_text="Birthday gift")
    row.locator("a.btn").click()
    _dialog(page)
    page.click("#use-form button[type=submit]")
    page.wait_for_url("**/redemptions/**")
    expect(page.locator(".code-text")).to_be_visible()
    ann.check()
    grant = Grant.objects.get(package=package)
    assert (grant.quantity, grant.used) == (3, 1)
