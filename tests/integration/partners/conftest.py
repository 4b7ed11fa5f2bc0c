"""A small pool of partners and redemptions for them."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from partners.orders.models import FulfilmentOrder
from tenants.events.models import Event
from tests.integration.partners.world import World


@pytest.fixture
def world(brand: Any, at: datetime) -> World:
    """Return makers inside `brand`; everything is rolled back."""
    return World(at)


@pytest.fixture
def committed_world(committed_brand: Any, at: datetime) -> World:
    """Return makers inside a brand of its own, committed."""
    return World(at)


@pytest.fixture
def events() -> Callable[[FulfilmentOrder], list[str]]:
    """Return a reader of an order's event types, in their order."""

    def read(order: FulfilmentOrder) -> list[str]:
        found = Event.objects.filter(subject=f"order:{order.number}").order_by("id")
        return [event.type.removeprefix("partner_order.") for event in found]

    return read
