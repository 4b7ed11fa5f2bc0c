"""The portal's tab bar."""

from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from core import clock
from members.tiers.models import Tier
from members.tiers.queries import list_tiers
from tenants.brands.context import current_brand


@dataclass(frozen=True, slots=True)
class Tab:
    """One tab."""

    url: str
    icon: str
    label: str | Promise
    active: bool


_TABS = (
    ("home", "home", _("Home")),
    ("benefits", "gift", _("Benefits")),
    ("mall", "shopping-bag", _("Mall")),
    ("points", "coins", _("Points")),
    ("me", "user", _("Me")),
)


def shell(*, active: str, back: str = "") -> dict[str, Any]:
    """Return what the portal's shell needs; `back` names the page that the arrow leads to."""
    return {
        "nav": [
            Tab(reverse(f"portal:{name}"), icon, label, active=name == active)
            for name, icon, label in _TABS
        ],
        "signed_in": True,
        "home_url": reverse("portal:home"),
        "back_url": reverse(f"portal:{back}") if back else "",
    }


def text(values: dict[str, str]) -> str:
    """Return a text of the brand in the reader's language, else the brand's own."""
    language = get_language() or ""
    return (
        values.get(language)
        or values.get(current_brand().locale)
        or next(iter(values.values()), "")
    )


class TierNames:
    """Names of tiers by code; those in force are read when a code is not known yet."""

    def __init__(self, *known: Tier | None) -> None:
        self._names = {tier.code: text(tier.name) for tier in known if tier is not None}
        self._is_complete = False

    def of(self, code: str) -> str:
        """Return the name of a tier, or its code where no tier of today has it."""
        if code not in self._names and not self._is_complete:
            today = clock.today(current_brand().timezone)
            self._names |= {tier.code: text(tier.name) for tier in list_tiers(on=today)}
            self._is_complete = True
        return self._names.get(code, code)
