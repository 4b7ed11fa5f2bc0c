"""What the rules of a wallet did to an entry: caps, inactivity, transfers, recovery, consent."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from django.utils.translation import gettext as _

from core.templatetags.tessera import day, number
from members.points.models import Entry
from members.points.queries import list_transfers_by_key
from members.points.values import EntryView
from members.profiles.models import Member
from members.profiles.queries import list_members_by_id


def partners_of(entries: Sequence[EntryView]) -> dict[int, Member]:
    """Return who points were passed to or came from, by the entry's number."""
    moved = [entry for entry in entries if entry.kind == Entry.Kind.TRANSFER]
    sides = list_transfers_by_key(transfer_ids=[e.source_id for e in moved if e.source_id])
    other = {
        entry.seq: sides[entry.source_id or 0][1 if entry.delta < 0 else 0]
        for entry in moved
        if entry.source_id in sides
    }
    members = list_members_by_id(ids=set(other.values())) if other else {}
    return {seq: members[key] for seq, key in other.items() if key in members}


def policy_lines(
    entry: EntryView, *, partners: Mapping[int, Member], names: Mapping[int, str]
) -> list[str]:
    """Return what the wallet's rules did, as sentences for staff."""
    cause: dict[str, Any] = entry.cause or {}
    lines = []
    if "cut" in cause:
        lines.append(cut_line(cause["cut"], given=entry.delta))
    if "idle_until" in cause:
        lines.append(
            _("No activity for %(months)s months: good until %(on)s")
            % {"months": cause["months"], "on": day(date.fromisoformat(cause["idle_until"]))}
        )
    if entry.kind == Entry.Kind.TRANSFER:
        partner = partners.get(entry.seq)
        who = partner.number if partner else "–"
        lines.append(
            _("To member %(number)s") % {"number": who}
            if entry.delta < 0
            else _("From member %(number)s") % {"number": who}
        )
    if entry.kind == Entry.Kind.RECOVER:
        lines.append(
            _("Out of credit #%(seq)s, for points spent before they could be taken back")
            % {"seq": entry.source_id}
        )
    if "owed" in cause:
        lines.append(
            _("%(n)s will be taken from later credits") % {"n": number(int(cause["owed"]))}
        )
    if "approved_by" in cause:
        _kind, _separator, key = str(cause["approved_by"]).partition(":")
        name = names.get(int(key)) if key.isdigit() else None
        lines.append(_("With the consent of %(name)s") % {"name": name or cause["approved_by"]})
    return lines


def cut_line(cut: Mapping[str, Any], *, given: int) -> str:
    """Return which cap cut a credit, and when there is room again."""
    caps = {
        "balance": _("%(given)s of %(asked)s: at most %(limit)s points at a time"),
        "day": _("%(given)s of %(asked)s: at most %(limit)s points in a day"),
        "month": _("%(given)s of %(asked)s: at most %(limit)s points in a month"),
    }
    text = caps[str(cut["cap"])] % {
        "given": number(given),
        "asked": number(int(cut["asked"])),
        "limit": number(int(cut["limit"])),
    }
    if cut.get("again_on"):
        again = day(date.fromisoformat(str(cut["again_on"])))
        return f"{text} · " + _("room again on %(on)s") % {"on": again}
    return text
