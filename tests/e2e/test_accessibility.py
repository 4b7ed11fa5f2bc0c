"""What assistive technology meets in the portal and at the sign-in, in light and dark."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe

from core import clock
from tests.e2e.conftest import Site, Visitor
from tests.e2e.programme import Caller, hold_nobody_out, relay

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(240)]

ANN = "ann@example.com"
PAGES = (
    "/",
    "/benefits/",
    "/mall/",
    "/points/",
    "/me/",
    "/accounts/2fa/",
    "/accounts/2fa/totp/activate/",
    "/accounts/2fa/webauthn/add/",
)
GRAVE = {"moderate", "serious", "critical"}


def _violations(axe: Axe, visitor: Visitor, theme: str) -> list[str]:
    found = axe.run(visitor.page).response["violations"]
    return [
        f"{theme} {visitor.page.url}: {one['id']} ({one['impact']}) {one['nodes'][0]['html']}"
        for one in found
        if one["impact"] in GRAVE
    ]


def test_portal_and_sign_in_have_no_grave_violation(
    site: Site, visitor: Callable[..., Visitor]
) -> None:
    shop = Caller(site, site.programme.api_key, "brand")
    shop("PUT", "members/ann", {"name": "Ann", "email": ANN, "region": "cn/sh"}, status=201)
    purchase = {
        "external_id": "P-1",
        "member": "ann",
        "occurred_at": (clock.now() - timedelta(minutes=5)).isoformat(),
        "amount": {"amount": 600_000, "currency": "CNY"},
    }
    hold_nobody_out()
    shop("POST", "purchases", purchase, status=201)
    relay()

    axe, found = Axe(), []
    ann = visitor()
    ann.open("/accounts/login/")
    for theme in ("light", "dark"):
        ann.wear(theme)
        ann.open("/accounts/login/")
        found += _violations(axe, ann, theme)
    ann.sign_in(ANN)
    for theme in ("light", "dark"):
        ann.wear(theme)
        for path in PAGES:
            page = ann.open(path)
            assert page.url == f"{site.url}{path}"
            assert page.get_attribute("html", "data-ui-theme") == theme
            assert page.locator("main *").count() > 10
            found += _violations(axe, ann, theme)
    assert found == []


CONSOLE_PAGES = (
    "/console/benefits/",
    "/console/benefits/b/facial/?tab=facts",
    "/console/benefits/b/facial/?tab=costs",
    "/console/benefits/b/birthday-gift/?tab=stock",
    "/console/benefits/b/facial/?tab=versions",
    "/console/benefits/packages/",
    "/console/benefits/packages/new/",
    "/console/benefits/packages/p/set/",
    "/console/rules/",
    "/console/rules/new/?benefit=facial",
    "/console/rules/r/facial-monthly/",
    "/console/rules/r/facial-monthly/try/",
    "/console/rules/r/facial-monthly/versions/",
    "/console/mall/",
    "/console/redemptions/",
)


def test_the_consoles_shelves_have_no_grave_violation(
    site: Site, visitor: Callable[..., Visitor]
) -> None:
    axe, found = Axe(), []
    manager = visitor(width=1440, height=900)
    manager.sign_in(site.programme.staff["manager"].user.email)
    for theme in ("light", "dark"):
        manager.wear(theme)
        for path in CONSOLE_PAGES:
            page = manager.open(path)
            if "new/?benefit" in path:
                # The card beside the form comes a moment later.
                page.wait_for_selector("#effect-audience")
            assert page.get_attribute("html", "data-ui-theme") == theme
            found += _violations(axe, manager, theme)
    assert found == []
