"""Setting brands up, suspending and reactivating them."""

import re
from datetime import datetime
from zoneinfo import available_timezones

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from core import clock
from core.actors import Actor
from core.money import CURRENCIES
from tenants.brands import registry
from tenants.brands.context import platform_context, tenant_context
from tenants.brands.errors import InvalidBrandError, SlugTakenError
from tenants.brands.models import Brand, Domain, SchemaTemplate, new_schema_name
from tenants.brands.resolution import forget_hosts
from tenants.brands.template import ensure_template as _ensure_template
from tenants.brands.template import replay

_SLUG = re.compile(r"[a-z][a-z0-9-]{1,38}[a-z0-9]")
_COLOUR = re.compile(r"#[0-9a-f]{6}", re.IGNORECASE)
_RESERVED = frozenset(
    {"admin", "api", "app", "auth", "mail", "operator", "platform", "public", "static", "www"}
)


def ensure_template() -> SchemaTemplate:
    """Return the schema template of the present code; make it when it does not exist yet."""
    return _ensure_template()


def create_brand(
    *,
    slug: str,
    name: str,
    locale: str,
    timezone: str,
    currency: str,
    brand_colour: str = "#1f6feb",
    logo: str = "diamond",
    by: Actor,
    at: datetime | None = None,
) -> Brand:
    """Set up a brand: row, domain, schema from the template, identity row; all or nothing.

    It is served at `<slug>.<platform host>` at once. In a transaction, call `ensure_template`
    before: making a template commits.

    :raises InvalidBrandError: for a slug, name, language, time zone, currency or colour that
        can not be.
    :raises SlugTakenError: if another brand has the slug, or the platform keeps it.
    """
    _check(slug, name, locale, timezone, currency, brand_colour)
    template = _ensure_template()
    moment = at or clock.now()
    brand = Brand(
        schema_name=new_schema_name(),
        slug=slug,
        name=name.strip(),
        status=Brand.Status.ACTIVE,
        locale=locale,
        timezone=timezone,
        currency=currency,
        brand_colour=brand_colour,
        logo=logo,
    )
    with platform_context(), transaction.atomic():
        try:
            with transaction.atomic():
                brand.save()
                Domain.objects.create(
                    tenant=brand, domain=f"{slug}.{settings.PLATFORM_HOST}", is_primary=True
                )
        except IntegrityError:
            raise SlugTakenError(slug=slug) from None
        replay(template=template, schema_name=brand.schema_name)
        with tenant_context(brand):
            registry.run_hooks(brand=brand, action="brand.created", by=by, at=moment)
    forget_hosts()
    return brand


def suspend_brand(*, brand: Brand, by: Actor, at: datetime | None = None) -> bool:
    """Stop serving a brand; its data stays. Return whether this changed anything."""
    return _set_status(
        brand, Brand.Status.ACTIVE, Brand.Status.SUSPENDED, "brand.suspended", by, at
    )


def reactivate_brand(*, brand: Brand, by: Actor, at: datetime | None = None) -> bool:
    """Serve a suspended brand again. Return whether this changed anything."""
    return _set_status(
        brand, Brand.Status.SUSPENDED, Brand.Status.ACTIVE, "brand.reactivated", by, at
    )


def _set_status(
    brand: Brand,
    before: Brand.Status,
    after: Brand.Status,
    action: str,
    by: Actor,
    at: datetime | None,
) -> bool:
    moment = at or clock.now()
    suspended_at = moment if after == Brand.Status.SUSPENDED else None
    with platform_context(), transaction.atomic():
        changed = Brand.objects.filter(pk=brand.pk, status=before).update(
            status=after, suspended_at=suspended_at
        )
        if changed:
            with tenant_context(brand):
                registry.run_hooks(brand=brand, action=action, by=by, at=moment)
    brand.refresh_from_db(fields=["status", "suspended_at"])
    forget_hosts()
    return bool(changed)


def _check(
    slug: str, name: str, locale: str, timezone: str, currency: str, brand_colour: str
) -> None:
    if not _SLUG.fullmatch(slug):
        raise InvalidBrandError(
            _("An address has 3 to 40 small letters, digits and hyphens, a letter first."),
            pointer="/slug",
        )
    if slug in _RESERVED:
        raise SlugTakenError(slug=slug)
    if not name.strip() or len(name.strip()) > 80:
        raise InvalidBrandError(_("A name has 1 to 80 characters."), pointer="/name")
    if locale not in dict(settings.LANGUAGES):
        raise InvalidBrandError(_("This language is not available."), pointer="/locale")
    if timezone not in available_timezones():
        raise InvalidBrandError(_("This time zone is unknown."), pointer="/timezone")
    if currency not in CURRENCIES:
        raise InvalidBrandError(_("This currency is not supported."), pointer="/currency")
    if not _COLOUR.fullmatch(brand_colour):
        raise InvalidBrandError(_("A colour looks like #1f6feb."), pointer="/brand_colour")
