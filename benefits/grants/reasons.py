"""Reasons as sentences for people, in the language that is active."""

from collections.abc import Callable
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_date
from django.utils.functional import Promise
from django.utils.translation import get_language, gettext_lazy, ngettext
from django.utils.translation import gettext as _

from benefits.grants.usability import REFUSALS, Reason
from core import clock
from members.segments import conditions
from tenants.brands.context import current_brand

_LOCALES = {"zh-hans": "zh_Hans", "zh-hant": "zh_Hant"}

_PLAIN: dict[str, str | Promise] = {
    **{code: error.message for code, error in REFUSALS.items()},
    "joined": gettext_lazy("Because you joined"),
    "tier_reached": gettext_lazy("Because you reached a new tier"),
    "birthday_month": gettext_lazy("Because it is the month of your birthday"),
    "purchase": gettext_lazy("Because of a purchase of yours"),
    "event": gettext_lazy("Because of something you did"),
    "granted_by_staff": gettext_lazy("A present from us"),
    "bought": gettext_lazy("Because you got it for points"),
    "member": gettext_lazy("Because you are a member"),
    "coming": gettext_lazy("This will be yours by tomorrow."),
    "out_of_stock": gettext_lazy("Sold out."),
    "not_for_you": gettext_lazy("This is for other members."),
    "won": gettext_lazy("Because you won it"),
    "draw_closed": gettext_lazy("This draw is not open now."),
}


def reason_text(reason: Reason) -> str:
    """Return a reason as a sentence; dates in the brand's time zone."""
    special = _SPECIAL.get(reason.code)
    if special is not None:
        text = special(reason.data)
        if text:
            return text
    return str(_PLAIN.get(reason.code, reason.code))


def _quota_used(data: dict[str, Any]) -> str:
    if not data.get("next_at"):
        return ""
    return _("All used. The next ones come on %(date)s.") % {"date": _date(data["next_at"])}


def _not_yet_started(data: dict[str, Any]) -> str:
    return _("From %(date)s.") % {"date": _date(data["starts_at"])}


def _ended(data: dict[str, Any]) -> str:
    return _("Ended on %(date)s.") % {"date": _date(data["ended_at"])}


def _outside_region(data: dict[str, Any]) -> str:
    return _("Only in %(regions)s.") % {"regions": ", ".join(data["regions"])}


def _not_granted(data: dict[str, Any]) -> str:
    needs = data.get("needs")
    if not needs:
        return ""
    phrase = conditions.describe(conditions.parse(needs), currency=current_brand().currency)
    return _("For members with: %(condition)s") % {"condition": phrase}


def _insufficient_points(data: dict[str, Any]) -> str:
    missing = data["missing"]
    return ngettext("%(missing)d point is missing.", "%(missing)d points are missing.", missing) % {
        "missing": missing
    }


def _limit_used(data: dict[str, Any]) -> str:
    text = ngettext(
        "At most %(limit)d per member.", "At most %(limit)d per member.", data["limit"]
    ) % {"limit": data["limit"]}
    return f"{text} {_again(data)}" if data.get("next_at") else text


def _draws_used(data: dict[str, Any]) -> str:
    text = _("You have no draws left.")
    return f"{text} {_again(data)}" if data.get("next_at") else text


def _again(data: dict[str, Any]) -> str:
    return _("Again on %(date)s.") % {"date": _date(data["next_at"])}


def _fact(data: dict[str, Any]) -> str:
    field = conditions.FIELDS.get(data["field"])
    value = data["value"]
    if field is None or value is None:
        return ""
    tree = {"field": field.name, "op": _EQUAL.get(field.type, "="), "value": value}
    phrase = conditions.describe(conditions.parse(tree), currency=current_brand().currency)
    return _("Because: %(fact)s") % {"fact": phrase}


def _often_used(data: dict[str, Any]) -> str:
    times = data["times"]
    return ngettext(
        "You used it %(times)d time this year", "You used it %(times)d times this year", times
    ) % {"times": times}


def _liked_by_peers(data: dict[str, Any]) -> str:
    return _("%(share)d%% of members like you use it") % {"share": data["share"]}


def _ends_soon(data: dict[str, Any]) -> str:
    return _("Only until %(date)s") % {"date": _date(data["ends_at"])}


def _slot(data: dict[str, Any]) -> str:
    if not data.get("next_at"):
        return _("No appointment is free at the moment.")
    moment = datetime.fromisoformat(data["next_at"]).astimezone(ZoneInfo(current_brand().timezone))
    return _("This time is not free. The next one is on %(date)s at %(time)s.") % {
        "date": _date(data["next_at"]),
        "time": f"{moment:%H:%M}",
    }


# What a fact says of itself; all other types: that it is this value.
_EQUAL = {
    conditions.FieldType.BOOLEAN: "is",
    conditions.FieldType.TEXTS: "contains_all",
}
_SPECIAL: dict[str, Callable[[dict[str, Any]], str]] = {
    "quota_used": _quota_used,
    "not_yet_started": _not_yet_started,
    "ended": _ended,
    "outside_region": _outside_region,
    "not_granted": _not_granted,
    "insufficient_points": _insufficient_points,
    "limit_used": _limit_used,
    "draw_limit_used": _draws_used,
    "fact": _fact,
    "often_used": _often_used,
    "liked_by_peers": _liked_by_peers,
    "ends_soon": _ends_soon,
    "slot_full": _slot,
    "slot_past": _slot,
    "no_such_slot": _slot,
    "slot_needed": _slot,
}


def _date(value: datetime | date | str) -> str:
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    if isinstance(moment, datetime):
        moment = clock.local_date(moment, current_brand().timezone)
    return str(format_date(moment, "long", locale=_LOCALES.get(get_language() or "en", "en")))
