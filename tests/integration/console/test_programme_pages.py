"""Every page of the programme: who may see it, what it shows, what it costs."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from benefits.catalogue.kinds import KINDS
from console.urls_programme import urlpatterns
from core import clock
from tenants.accounts import permissions
from tenants.accounts.models import User
from tenants.brands.context import tenant_context
from tests.integration.console.programme import Programme

LIMIT = 12


@pytest.fixture
def made(brand: Any, at: datetime) -> Iterator[Programme]:
    """Return makers inside `brand`, with the clock set."""
    with clock.at(at):
        yield Programme(at)


def url(name: str, *args: Any) -> str:
    return reverse(f"console:{name}", args=args)


def pages(made: Programme) -> dict[str, str]:
    """Make one of everything; return each page's address with a word it has to show."""
    redemption = made.redemption("tea")
    grant_rule = made.benefits.rule(redemption.benefit, code="monthly-tea", name="Tea for all")
    draft = made.benefits.rule(
        redemption.benefit, publish=False, code="draft-tea", name="Tea for some"
    )
    mall_order = made.mall_order("towel")
    order = made.order()
    assert order.partner is not None
    offering = order.offering
    assert offering is not None
    made.package("welcome")
    made.pool("cinema")
    made.draw("wheel")
    tea, rule = redemption.benefit.code, grant_rule.code
    partner = order.partner.code
    return {
        url("benefits"): "Tea box",
        url("packages"): "Welcome box",
        url("create_package"): "What one package gives",
        url("package", "welcome"): "Not for sale",
        url("edit_package", "welcome"): "What one package gives",
        **{url("create_benefit", kind): "Unit cost" for kind in KINDS},
        url("benefit", tea): "Penetration",
        url("benefit", tea) + "?tab=facts": "Tea for all",
        url("benefit", tea) + "?tab=grants": redemption.member.number,
        url("benefit", tea) + "?tab=redemptions": f"#{redemption.pk}",
        url("benefit", tea) + "?tab=costs": "¥12.00",
        url("benefit", tea) + "?tab=history": "Added as: Core",
        url("edit_benefit", tea): "Tea box",
        url("move_benefit", tea): "Star service",
        url("benefit", tea) + "?tab=stock": "Not counted",
        url("benefit", tea) + "?tab=versions": "The first version.",
        url("set_amount", tea, "cost"): "Unit cost",
        url("set_amount", tea, "price"): "List price",
        url("close_amount", tea, "cost", "2026-01-01"): "Last day",
        url("change_benefit_stock", tea, "in"): "From now on its units are counted",
        url("change_benefit_stock", tea, "out"): "Reason",
        url("rules"): "Tea for all",
        url("rules") + "?status=draft": "Tea for some",
        url("create_rule"): "Who gets it",
        url("rule", rule): "Every month: Tea box for every member.",
        url("edit_rule", draft.code): "Tea for some",
        url("mall"): "Towel",
        url("create_item", "physical"): "Stock",
        url("edit_item", "towel"): "Towel",
        url("mall_item", "towel"): "Opening stock",
        url("change_stock", "towel", "in"): "Units",
        url("change_stock", "towel", "out"): "Only free units can go",
        url("item_audience", "towel"): "do not see the item",
        url("add_variant", "towel"): "Each variant has stock of its own.",
        url("mall_preview"): "Whose eyes?",
        url("code_pools"): "Cinema",
        url("create_code_pool"): "Tell us below",
        url("code_pool", "cinema"): "All lines go in, or none",
        url("set_pool_mark", "cinema"): "Free codes; empty: never.",
        url("draws"): "Wheel",
        url("create_draw"): "Points a draw",
        url("draw", "wheel"): "A smile",
        url("edit_draw", "wheel"): "Draws a day per member",
        url("draw_prizes", "wheel"): "The chances must add up to 100 %",
        url("verify_draw", "wheel"): "Every draw is as it should be",
        url("record_cash", mall_order.number): "Mark as paid",
        url("mall_orders"): mall_order.number,
        url("mall_order", mall_order.number): "1 Garden Road",
        url("ship_mall_order", mall_order.number): "Tracking number",
        url("cancel_mall_order", mall_order.number): "Put the units back into stock",
        url("redemptions"): f"#{redemption.pk}",
        url("redemption", redemption.pk): redemption.member.number,
        url("cancel_redemption", redemption.pk): "The member gets the unit back",
        url("orders"): order.number,
        url("order_list"): order.number,
        url("order", order.number): order.partner.name,
        url("dispatch_preview") + f"?benefit={order.benefit.code}&region=cn/gd": "would get it",
        **{
            url(name, order.number): "Reason"
            for name in ("redispatch", "cancel_order", "fail_order", "fulfil_order")
        },
        url("partners"): order.partner.name,
        url("invite_partner"): "It is offered nothing before you activate it.",
        url("partner", partner): "¥50.00",
        url("edit_partner", partner): order.partner.name,
        url("stop_partner", partner, "pause"): "Reason",
        url("add_offering", partner): "Unit price",
        url("create_partner_key", partner): "Live orders",
        url("edit_offering", offering.pk): "Hand care",
        url("set_capacity", offering.pk, "2026-03-20"): "0 reserved already.",
    }


def test_each_page_shows_its_things_in_few_queries(
    made: Programme, staff_client: Callable[..., Client]
) -> None:
    client = staff_client("owner")
    for address, word in pages(made).items():
        with CaptureQueriesContext(connection) as queries:
            answer = client.get(address)
        text = answer.content.decode()
        assert answer.status_code == 200, address
        assert word in text, (address, word)
        assert "<c-" not in text, address
        assert 'style="' not in text, address
        assert len(queries) <= LIMIT, (address, len(queries))


def test_each_page_asks_strangers_to_sign_in_and_turns_members_away(
    made: Programme, brand: Any, client_for: Callable[..., Client]
) -> None:
    stranger, other = client_for(brand), client_for(brand)
    other.force_login(User.objects.create_user("somebody@example.com", name="Somebody"))
    for address in pages(made):
        answer = stranger.get(address)
        assert answer.status_code == 302, address
        assert answer["Location"].startswith("/accounts/"), address
        assert other.get(address).status_code == 403, address


def test_a_fragment_is_the_part_that_was_asked_for(
    made: Programme, staff_client: Callable[..., Client]
) -> None:
    client = staff_client("owner")
    for address in pages(made):
        part = client.get(address, headers={"HX-Request": "true"})
        assert part.status_code == 200, address
        assert "<html" not in part.content.decode(), address
        assert "HX-Request" in part["Vary"], address


def lists(made: Programme, number: int) -> list[str]:
    """Add one of everything to the lists; return their addresses."""
    redemption = made.redemption(f"tea-{number}")
    made.benefits.rule(redemption.benefit, code=f"rule-of-tea-{number}")
    made.mall_order(f"towel-{number}")
    made.order(offered=number % 2 == 0)
    made.package(f"box-{number}")
    return [
        url("benefits"),
        url("packages"),
        url("rules"),
        url("mall"),
        url("mall_orders"),
        url("redemptions"),
        url("orders"),
        url("order_list"),
        url("partners"),
    ]


def test_lists_cost_the_same_with_twenty_rows(
    made: Programme, staff_client: Callable[..., Client]
) -> None:
    client = staff_client("owner")

    def costs() -> dict[str, int]:
        found = {}
        for address in addresses:
            with CaptureQueriesContext(connection) as queries:
                client.get(address)
            found[address] = len(queries)
        return found

    lists(made, 0)
    addresses = lists(made, 1)
    costs()  # What is read once per process is read.
    few = costs()
    for number in range(2, 20):
        lists(made, number)
    assert costs() == few


def test_analysts_see_everything_and_change_nothing(
    made: Programme, staff_client: Callable[..., Client]
) -> None:
    client = staff_client("analyst")
    redemption = made.redemption("tea")
    for name in ("benefits", "rules", "mall", "mall_orders", "redemptions", "orders", "partners"):
        assert client.get(url(name)).status_code == 200, name
    for address in (
        url("create_benefit", "gift"),
        url("create_rule"),
        url("create_item", "physical"),
        url("cancel_redemption", redemption.pk),
        url("fulfil_redemption", redemption.pk),
        url("invite_partner"),
    ):
        assert client.post(address).status_code == 403, address
    redemption.refresh_from_db()
    assert redemption.state == "requested"


def test_empty_lists_say_what_to_do(made: Programme, staff_client: Callable[..., Client]) -> None:
    client = staff_client("owner")
    for name, word in {
        "benefits": "None in this stage",
        "packages": "No packages yet",
        "rules": "No rules here",
        "mall": "No items here",
        "mall_orders": "No orders here",
        "redemptions": "No redemptions here",
        "orders": "Nothing is on its way",
        "partners": "No partners here",
    }.items():
        assert word in client.get(url(name)).content.decode(), name


def test_every_address_names_its_permission() -> None:
    for pattern in urlpatterns:
        assert getattr(pattern.callback, "permission", "") in permissions.ALL_PERMISSIONS, (
            pattern.name
        )


def test_what_changes_something_is_never_a_link(
    made: Programme, staff_client: Callable[..., Client]
) -> None:
    client = staff_client("owner")
    for address in (
        url("publish_rule", "tea"),
        url("pause_rule", "tea"),
        url("condition_rows"),
        url("set_item_status", "towel", "on_sale"),
        url("import_codes", "cinema"),
        url("move_draw", "wheel", "open"),
        url("switch_payment_way", "test", "on"),
        url("confirm_mall_order", "O1"),
        url("complete_mall_order", "O1"),
        url("confirm_redemption", 1),
        url("fulfil_redemption", 1),
        url("activate_partner", "silk"),
        url("partner_sandbox", "silk"),
        url("revoke_partner_key", "silk", 1),
        url("offering_status", 1, "paused"),
    ):
        assert client.get(address).status_code == 405, address


def test_another_brands_things_are_not_found(
    made: Programme, other_brand: Any, staff_client: Callable[..., Client]
) -> None:
    with tenant_context(other_brand):
        addresses = [address for address in pages(Programme(made.at)) if _names_one(address)]
    client = staff_client("owner")
    assert len(addresses) > 20
    for address in addresses:
        assert client.get(address).status_code == 404, address


def _names_one(address: str) -> bool:
    """Say whether the address is of one thing: its page, its tab or a dialog about it."""
    parts = (
        "/b/",
        "/r/",
        "/o/",
        "/p/",
        "/items/",
        "/mall/orders/O",
        "/redemptions/",
        "/offerings/",
    )
    return any(part in address for part in parts) and not address.endswith("/redemptions/")
