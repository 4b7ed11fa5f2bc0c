"""What every template can read: brand, colours, light or dark, languages."""

from dataclasses import dataclass
from typing import Any, Literal, Protocol, cast

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import get_language

from core.web.theme import compute_theme, theme_version

UiTheme = Literal["auto", "light", "dark"]

THEME_COOKIE = "ui_theme"
UI_THEMES: tuple[UiTheme, ...] = ("auto", "light", "dark")
# BCP 47 writes the script with a capital; Django's codes are lower case.
HTML_LANGUAGES = {"zh-hans": "zh-Hans", "zh-hant": "zh-Hant"}


class BrandLook(Protocol):
    """What pages show of a brand; read only."""

    @property
    def slug(self) -> str: ...

    @property
    def name(self) -> str: ...

    @property
    def locale(self) -> str: ...

    @property
    def timezone(self) -> str: ...

    @property
    def currency(self) -> str: ...

    @property
    def brand_colour(self) -> str: ...

    @property
    def logo(self) -> str: ...

    @property
    def schema_name(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Platform:
    """The look of pages that belong to no brand: sign-up, operator, unknown hosts."""

    slug: str = ""
    name: str = "Tessera"
    locale: str = "en"
    timezone: str = "UTC"
    currency: str = "USD"
    brand_colour: str = "#3b5bdb"
    logo: str = "hierarchy-2"
    schema_name: str = "public"


PLATFORM = Platform()


@dataclass(frozen=True, slots=True)
class Language:
    """A language of the switch, in its own words."""

    code: str
    name: str
    html: str
    short: str
    active: bool


_SHORT = {"en": "EN", "zh-hans": "简", "zh-hant": "繁"}


def brand_of(request: HttpRequest) -> BrandLook:
    """Return the brand that the host name leads to, or the platform's own look."""
    brand = getattr(request, "tenant", None)
    if brand is None or getattr(brand, "schema_name", "public") == "public":
        return PLATFORM
    return cast("BrandLook", brand)


def ui_theme(request: HttpRequest) -> UiTheme:
    """Return what the visitor chose: light, dark, or auto to follow the system."""
    chosen = request.COOKIES.get(THEME_COOKIE, "auto")
    return chosen if chosen in UI_THEMES else "auto"


def html_language(code: str) -> str:
    """Return a language code as the `lang` attribute wants it."""
    return HTML_LANGUAGES.get(code, code)


def languages(active: str) -> list[Language]:
    """Return the languages of the interface, the active one marked."""
    return [
        Language(
            code=code,
            name=str(name),
            html=html_language(code),
            short=_SHORT.get(code, code),
            active=code == active,
        )
        for code, name in settings.LANGUAGES
    ]


def shell(request: HttpRequest) -> dict[str, Any]:
    """Return the variables that the shells need; no queries."""
    brand = brand_of(request)
    active = get_language() or settings.LANGUAGE_CODE
    version = theme_version(brand.brand_colour)
    return {
        "brand": brand,
        "brand_theme": compute_theme(brand.brand_colour),
        "theme_css_version": version,
        "theme_css_url": f"{reverse('brand_css')}?v={version}",
        "ui_theme": ui_theme(request),
        "ui_themes": UI_THEMES,
        "languages": languages(active),
        "html_lang": html_language(active),
        "csrf_cookie": settings.CSRF_COOKIE_NAME,
    }
