"""A brand with a whole programme, reached through its APIs as outside systems reach it."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.http import HttpResponse
from django.test import Client

from config.demo.brands.beauty import BEAUTY
from config.demo.programme import Programme, begin, launch
from core import clock
from tenants.brands.models import Brand
from tenants.events.operations import deliver_pending


@dataclass
class Api:
    """Calls an API with a key, as curl would."""

    brand: Brand
    key: str
    base: str

    def __call__(
        self, method: str, path: str, body: Any = None, *, raw: bytes | None = None, **headers: str
    ) -> HttpResponse:
        client = Client(HTTP_HOST=f"{self.brand.slug}.{settings.PLATFORM_HOST}")
        named = {f"HTTP_{name.upper()}": value for name, value in headers.items()}
        if self.key:
            named["HTTP_AUTHORIZATION"] = f"Bearer {self.key}"
        data = raw if raw is not None else (b"" if body is None else json.dumps(body).encode())
        return client.generic(
            method, f"{self.base}{path}", data, content_type="application/json", **named
        )

    def with_key(self, key: str) -> "Api":
        return Api(self.brand, key, self.base)


SMALL = replace(
    BEAUTY,
    stores=BEAUTY.stores[:1],
    staff=tuple(row for row in BEAUTY.staff if row[0] in {"owner", "manager", "finance"}),
    benefits=tuple(b for b in BEAUTY.benefits if b.code in {"facial", "birthday-gift"}),
    package=("set", {"en": "Set"}, (("birthday-gift", 1),)),
    rules=BEAUTY.rules[:1],
    items=BEAUTY.items[:1],
    partners=BEAUTY.partners[:2],
)


def _set_up() -> Programme:
    """Set up tiers, a benefit with its rule, an item, partners, budget: published a day ago."""
    at = clock.now() - timedelta(days=1)
    made = begin(SMALL, at=at)
    small = replace(
        SMALL,
        partners=tuple(replace(p, prices={"facial": p.prices["facial"]}) for p in SMALL.partners),
    )
    launch(small, made, at=at)
    return made


@pytest.fixture
def programme(committed_brand: Brand) -> Programme:
    """Return a programme whose rows are committed, for what needs connections of its own."""
    return _set_up()


@pytest.fixture
def api(programme: Programme, committed_brand: Brand) -> Api:
    """Return the brand API with the shop system's key, on committed rows."""
    return Api(committed_brand, programme.api_key, "/api/brand/v1/")


@pytest.fixture
def trial(brand: Brand) -> tuple[Api, Programme]:
    """Return the brand API and its programme in a test that is rolled back."""
    made = _set_up()
    return Api(brand, made.api_key, "/api/brand/v1/"), made


@pytest.fixture
def partner_api(programme: Programme, committed_brand: Brand) -> Callable[[str], Api]:
    """Return a maker of the partner API with a partner's key."""

    def make(code: str) -> Api:
        return Api(committed_brand, programme.partner_keys[code], "/api/partner/v1/")

    return make


@pytest.fixture
def relay(committed_brand: Brand) -> Callable[[], None]:
    """Return what the worker does after a commit: bring events to their handlers."""

    def run() -> None:
        while deliver_pending(at=clock.now()):
            pass

    return run
