"""Reasons in the member's words; tiers by their names, all else as `benefits.grants.reasons`."""

from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from benefits.grants.reasons import reason_text
from benefits.grants.usability import Reason
from core.errors import DomainError
from members.points.models import Entry
from members.points.values import EntryView
from portal.dates import near_day
from portal.nav import TierNames

# The facts that say most about why a member has something.
_TELLING = (
    "birthday_month",
    "tier_reached",
    "joined",
    "purchase",
    "bought",
    "won",
    "granted_by_staff",
)


def refusal_text(reason: Reason, tier_names: TierNames) -> str:
    """Return why something cannot be used now, with the next date where there is one."""
    needs: dict[str, Any] = reason.data.get("needs") or {}
    if reason.code == "not_granted" and needs.get("field") == "tier":
        wanted = needs.get("value")
        codes = wanted if isinstance(wanted, list) else [wanted]
        names = " · ".join(tier_names.of(str(code)) for code in codes)
        return _("For %(tier)s members.") % {"tier": names}
    if reason.code == "not_granted" and not needs:
        return _("Not among your benefits at the moment.")
    if reason.code == "quota_used" and reason.data.get("next_at"):
        return _("All used · new ones on %(date)s") % {"date": _near(reason.data["next_at"])}
    if reason.code == "not_yet_started":
        return _("From %(date)s") % {"date": _near(reason.data["starts_at"])}
    if reason.code == "ended":
        return _("Ended on %(date)s") % {"date": _near(reason.data["ended_at"])}
    return reason_text(reason)


def _near(value: datetime | str) -> str:
    return near_day(datetime.fromisoformat(value) if isinstance(value, str) else value)


def error_text(error: DomainError) -> str:
    """Return a refusal of the domain in the member's words."""
    try:
        found = reason_text(Reason(error.code, dict(error.data)))
    except (KeyError, ValueError):  # a refusal without the data of a reason
        return error.detail
    return error.detail if found == error.code else found


def why_text(reasons: list[Reason], tier_names: TierNames) -> str:
    """Return why something is the member's: the most telling of the reasons kept with it."""
    for reason in reasons:
        if reason.code == "fact" and reason.data.get("field") == "tier":
            tier = tier_names.of(str(reason.data.get("value")))
            return _("Because you are %(tier)s") % {"tier": tier}
    for reason in reasons:
        if reason.code in _TELLING:
            return reason_text(reason)
    return _("Part of your membership")


def _occasion_title(trigger: str) -> str:
    return {
        "enrolment": _("Welcome points"),
        "birthday": _("Birthday points"),
        "referral": _("Points for inviting a friend"),
        "survey": _("Points for your answers"),
        "mission": _("Points for a mission"),
    }.get(trigger, _("Points for taking part"))


def entry_title(entry: EntryView) -> str:
    """Return what a line of the points history is about."""
    kinds = {
        Entry.Kind.EARN: {
            "purchase": _("Points for a purchase"),
            "redemption": _("Points from a benefit"),
            "event": _("Points for taking part"),
            "lucky_draw": _("Won in a lucky draw"),
            "occasion": _occasion_title(str((entry.cause or {}).get("trigger", ""))),
        }.get(entry.source_type, _("Points credited")),
        Entry.Kind.REDEEM: _("Lucky draw")
        if entry.source_type == "lucky_draw"
        else _("Points spent"),
        Entry.Kind.EXPIRE: _("Points expired"),
        Entry.Kind.REVERSE: _("Points given back"),
        Entry.Kind.ADJUST: _("Correction"),
        Entry.Kind.HOLD: _("Set aside for an order"),
        Entry.Kind.CAPTURE: _("Order confirmed"),
        Entry.Kind.RELEASE: _("Order ended, points back"),
        Entry.Kind.TRANSFER: _("Points passed on") if entry.delta < 0 else _("Points received"),
        Entry.Kind.RECOVER: _("Paid what was owed"),
        Entry.Kind.CLAWBACK: _("Taken back after a return"),
    }
    return kinds[entry.kind]
