"""A partner's own system, connected, watched and switched off in the console."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from core import clock
from partners.adapters.models import Connection, PartnerCall
from partners.adapters.sending import make_calls
from partners.pool.models import Partner
from tenants.events.operations import deliver_pending
from tests.integration.partners.hostile import HostilePartner, hostile_partner
from tests.integration.partners.world import World

HTMX = {"HX-Request": "true"}


@pytest.fixture
def world(brand: Any, at: Any) -> Iterator[World]:
    with clock.at(at):
        yield World(at)


@pytest.fixture
def fake() -> Iterator[HostilePartner]:
    with hostile_partner() as made:
        yield made


def _form(fake: HostilePartner, **changes: str) -> dict[str, str]:
    return {
        "request_url": fake.url("/orders"),
        "request_body": '{"number": "{number}"}',
        "cancel_url": fake.url("/orders/{number}/cancel"),
        "status_url": fake.url("/orders/{number}"),
        "auth_kind": "header",
        "auth_name": "X-Api-Key",
        "secret": "s3cret",
        "headers": "X-Shop: {benefit}\n",
        "state": "/state",
        "reference": "/id",
        "order": "/order",
        "states": "confirmed = accepted\ndone = fulfilled",
        "repeat": "ask",
        "proof": "code",
        "poll_minutes": "5",
        **changes,
    }


def _edit(client: Client, partner: Partner, data: dict[str, str]) -> Any:
    url = reverse("console:edit_partner_system", args=[partner.code])
    return client.post(url, data, headers=HTMX)


def test_a_system_is_connected_called_and_switched_off(
    world: World, fake: HostilePartner, staff_client: Callable[..., Client]
) -> None:
    client, benefit = staff_client("owner"), world.benefit()
    partner = world.partner()
    world.offering(benefit, partner)
    page = reverse("console:partner_system", args=[partner.code])
    assert b"Connect its system" in client.get(page).content

    assert _edit(client, partner, _form(fake)).status_code == 204
    found = Connection.objects.get()
    assert found.settings["states"] == {"confirmed": "accepted", "done": "fulfilled"}
    assert found.settings["headers"] == {"X-Shop": "{benefit}"}

    order = world.order(benefit)
    deliver_pending(at=world.at)
    make_calls(at=world.at)
    assert fake.seen[0][2]["X-Api-Key"] == "s3cret"
    text = client.get(page).content.decode()
    assert order.number in text
    assert "s3cret" not in text
    assert f"/api/partner/v1/callbacks/{partner.code}" in text

    # The secret stays when its field is left empty.
    assert _edit(client, partner, _form(fake, secret="", poll_minutes="7")).status_code == 204
    found.refresh_from_db()
    assert (found.secret, found.settings["poll_minutes"]) == ("s3cret", 7)

    old = found.callback_secret
    rotate = reverse("console:rotate_partner_system", args=[partner.code])
    shown = client.post(rotate, headers=HTMX).content.decode()
    found.refresh_from_db()
    assert found.callback_secret != old
    assert found.callback_secret in shown

    for how, is_enabled in (("off", False), ("on", True)):
        switch = reverse("console:switch_partner_system", args=[partner.code, how])
        assert client.post(switch, headers=HTMX).status_code == 204
        found.refresh_from_db()
        assert found.is_enabled is is_enabled
    assert PartnerCall.objects.count() == 2


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"request_url": "http://169.254.169.254/"}, "request_url"),
        ({"status_url": ""}, "status_url"),
        ({"state": "state"}, "state"),
        ({"states": "confirmed"}, "states"),
        ({"states": "confirmed = fine"}, "states"),
        ({"headers": "Host: x"}, "headers"),
        ({"auth_name": ""}, "auth_name"),
        ({"secret": ""}, "secret"),
        ({"request_body": "{"}, "request_body"),
        ({"request_body": '{"a": "{member}"}'}, "request_body"),
    ],
    ids=str,
)
def test_refusals_stand_beside_their_field(
    world: World,
    fake: HostilePartner,
    staff_client: Callable[..., Client],
    changes: dict[str, str],
    field: str,
) -> None:
    partner = world.partner()
    response = _edit(staff_client("owner"), partner, _form(fake, **changes))
    assert response.status_code == 422
    assert field in response.context["form"].errors
    assert not Connection.objects.exists()


def test_support_may_not_see_it(world: World, staff_client: Callable[..., Client]) -> None:
    partner = world.partner()
    url = reverse("console:partner_system", args=[partner.code])
    assert staff_client("support").get(url).status_code == 403
