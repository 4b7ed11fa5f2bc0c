"""The rows of any table in words that a member understands. Pure but for the brand's currency."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Field
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l
from django.utils.translation import pgettext_lazy

from core.money import to_decimal
from tenants.brands.context import current_brand

# Columns by their names; those not here are shown by the name of the field.
_LABELS: Mapping[str, str | Promise] = {
    "number": pgettext_lazy("of a card or an order", "Number"),
    "status": _l("State"),
    "state": _l("State"),
    "enrolled_at": _l("Enrolled"),
    "region": _l("Region"),
    "store_code": _l("Store"),
    "locale": _l("Language"),
    "tags": _l("Tags"),
    "attributes": _l("Attributes"),
    "name": pgettext_lazy("of a person", "Name"),
    "email": _l("E-mail"),
    "phone": _l("Phone"),
    "gender": _l("Gender"),
    "birthday": _l("Birthday"),
    "consents": _l("Consents"),
    "is_given": _l("Given"),
    "text_version": _l("Version"),
    "source": _l("By which way"),
    "occurred_at": _l("When"),
    "at": _l("When"),
    "local_date": _l("Day"),
    "on_date": _l("Day"),
    "amount_minor": _l("Amount"),
    "refunded_minor": _l("Refunded"),
    "spend_minor": _l("Spend"),
    "channel": _l("By which way"),
    "associate": _l("Served by"),
    "sku": _l("Article"),
    "category": _l("Category"),
    "quantity": _l("Units"),
    "orders": _l("Orders"),
    "properties": _l("Details"),
    "kind": _l("Kind"),
    "delta": _l("Change"),
    "amount": _l("Amount"),
    "balance": _l("Balance"),
    "balance_after": _l("Balance"),
    "expires_on": _l("Expires"),
    "reason": _l("Reason"),
    "recipient": _l("Recipient"),
    "lines": _l("Address"),
    "note": _l("Note"),
    "comment": _l("Comment"),
    "rating": _l("Rating"),
    "points": _l("Points"),
    "asked_at": _l("Asked"),
    "due_on": _l("Due"),
    "starts_at": _l("From"),
    "ends_at": _l("Good until"),
    "used": _l("Used"),
    "requested_at": _l("Asked"),
    "issued_at": _l("When"),
    "placed_at": _l("When"),
    "sent_at": _l("When"),
}
_INNER = frozenset(
    {"digest", "key", "version", "currency", "currency_id", "actor", "actor_kind", "actor_label"}
)
_SUFFIX = "_minor"


def is_for_reading(field: "Field[Any, Any]") -> bool:
    """Say whether a column tells a person anything: keys of rows do not."""
    if field.primary_key and not field.is_relation:
        return False
    if field.is_relation or field.attname in _INNER:
        return False
    name = field.attname
    return not name.endswith(("_id", "_key", "_uuid")) or name == "external_id"


def label_of(field: "Field[Any, Any]") -> str | Promise:
    """Return what a column is called on the page."""
    if field.attname == "external_id":
        is_member = field.model._meta.label == "members.Member"  # noqa: SLF001
        return _("Customer id") if is_member else _("Reference")
    return _LABELS.get(field.attname) or str(field.verbose_name).capitalize()


def in_words(field: "Field[Any, Any]", value: Any, zone: ZoneInfo) -> str:
    """Return a value as it is read: choices by name, amounts in the currency, local times."""
    if value is None or value == "":
        return ""
    if field.choices and not isinstance(value, (list, dict)):
        return str(dict(field.flatchoices).get(value, value))
    if field.attname.endswith(_SUFFIX) and isinstance(value, int):
        currency = current_brand().currency
        return f"{to_decimal(value, currency):,} {currency}"
    return _plain(value, zone)


def _plain(value: Any, zone: ZoneInfo) -> str:
    match value:
        case bool():
            return _("Yes") if value else _("No")
        case datetime():
            return f"{value.astimezone(zone):%Y-%m-%d %H:%M}"
        case date():
            return value.isoformat()
        case Mapping():
            return ", ".join(f"{key}: {_plain(item, zone)}" for key, item in value.items())
        case list() | tuple():
            return ", ".join(_plain(item, zone) for item in value)
        case _:
            return str(value)
