"""What a benefit is defined by, in words: the parameters of its kind, and what versions changed."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.utils.dateparse import parse_datetime
from django.utils.functional import Promise
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l

from benefits.catalogue.models import Benefit, BenefitVersion
from core import clock
from core.web.figures import format_money
from tenants.brands.context import current_brand

PARAMETERS: dict[str, str | Promise] = {
    "percent_bp": _l("Share off"),
    "amount_minor": _l("Amount off"),
    "minimum_minor": _l("From a purchase of"),
    "sku": _l("Article number"),
    "duration_minutes": _l("Minutes it takes"),
    "by_appointment": _l("By appointment"),
    "place": _l("Where"),
    "every_months": _l("Every how many months"),
    "remind_days": _l("Reminded (days before it ends)"),
    "points": _l("Points"),
    "multiplier_bp": _l("Points earned"),
    "days": _l("For how many days"),
    "url": _l("Address"),
    "access_days": _l("Access for (days)"),
    "tier": _l("Tier"),
    "months": _l("For how many months"),
}
_FIELDS: dict[str, str | Promise] = {
    "name": _l("Name"),
    "summary": _l("In one sentence"),
    "terms": _l("Terms of use"),
    "category": _l("Category"),
    "icon": _l("Icon"),
    "channel": _l("How it is fulfilled"),
    "code_pool": _l("Code pool"),
    "sla_hours": _l("Service standard (hours)"),
    "service_steps": _l("Steps of the service"),
    "list_price_minor": _l("List price"),
    "regions": _l("Regions"),
    "linked_categories": _l("Linked product categories"),
    "cancel_returns_unit": _l("Who cancels in time gets the unit back"),
    "starts_at": _l("Starts"),
    "ends_at": _l("Ends"),
}


def parameter_rows(benefit: Benefit) -> list[dict[str, str]]:
    """Return the parameters of a benefit's kind as labels and texts."""
    return [
        {"label": str(PARAMETERS.get(name, name.replace("_", " "))), "value": _shown(name, value)}
        for name, value in benefit.parameters.items()
    ]


def version_changes(before: BenefitVersion, after: BenefitVersion) -> list[dict[str, str]]:
    """Return what differs between two versions, as labels with the text before and after."""
    old, new = _flat(before.content), _flat(after.content)
    return [
        {"label": label, "before": old.get(label, "–"), "after": new.get(label, "–")}
        for label in [*new, *(name for name in old if name not in new)]
        if old.get(label) != new.get(label)
    ]


def _flat(content: Mapping[str, Any]) -> dict[str, str]:
    """Return a definition as texts by label; texts by language and parameters one by one."""
    languages = dict(settings.LANGUAGES)
    found: dict[str, str] = {}
    for name, label in _FIELDS.items():
        value = content.get(name)
        if isinstance(value, dict):
            for code, text in value.items():
                found[f"{label} · {languages.get(code, code)}"] = str(text)
        elif value not in (None, "", []):
            found[str(label)] = _shown(name, value)
    for name, value in (content.get("parameters") or {}).items():
        found[str(PARAMETERS.get(name, name))] = _shown(name, value)
    return found


def _shown(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if name.endswith("_bp"):
        return f"{value / 100:g} %"
    if name.endswith("_minor"):
        return format_money(value, current_brand().currency, language=get_language() or "en")
    if name.endswith("_at"):
        moment = parse_datetime(value)
        if moment is not None:
            day = clock.local_date(moment, current_brand().timezone)
            return day.isoformat()
    if name == "channel":
        return str(dict(Benefit.Channel.choices).get(value, value))
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value)
