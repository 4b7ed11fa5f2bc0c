"""What a wallet's rules did to a line of the history, in the member's words."""

from datetime import date
from typing import Any

from django.utils.translation import gettext as _

from core.templatetags.tessera import day, number
from members.points.models import Entry
from members.points.queries import list_transfers_by_key
from members.points.values import EntryView
from members.profiles.queries import list_members_by_id


def policy_facts(entry: EntryView) -> list[tuple[str, str]]:
    """Return caps, inactivity, transfers and recovery as facts; nothing where none was at work."""
    cause: dict[str, Any] = entry.cause or {}
    facts: list[tuple[str, str]] = []
    if "cut" in cause:
        facts += _cut(cause["cut"])
    if "idle_until" in cause:
        facts.append((_("Good until"), day(date.fromisoformat(cause["idle_until"]))))
        facts.append((_("Why"), _("No activity for %(n)s months") % {"n": cause["months"]}))
    if entry.kind == Entry.Kind.TRANSFER and entry.source_id:
        facts += _partner(entry)
    if entry.kind == Entry.Kind.RECOVER:
        facts.append((_("Why"), _("For points spent before a return took them back")))
    if "owed" in cause:
        facts.append((_("Taken from later points"), number(int(cause["owed"]))))
    return facts


def _cut(cut: dict[str, Any]) -> list[tuple[str, str]]:
    caps = {
        "balance": _("At most %(n)s points at a time"),
        "day": _("At most %(n)s points in a day"),
        "month": _("At most %(n)s points in a month"),
    }
    facts = [
        (_("Would have been"), number(int(cut["asked"]))),
        (_("Why"), caps[str(cut["cap"])] % {"n": number(int(cut["limit"]))}),
    ]
    if cut.get("again_on"):
        facts.append((_("Room again on"), day(date.fromisoformat(str(cut["again_on"])))))
    return facts


def _partner(entry: EntryView) -> list[tuple[str, str]]:
    sides = list_transfers_by_key(transfer_ids=[entry.source_id or 0]).get(entry.source_id or 0)
    if sides is None:
        return []
    key = sides[1 if entry.delta < 0 else 0]
    member = list_members_by_id(ids=[key]).get(key)
    label = _("To member") if entry.delta < 0 else _("From member")
    return [(label, member.number if member else "–")]
