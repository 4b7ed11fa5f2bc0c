"""Points: what there is, what expires, and every line with its reason."""

from datetime import date
from typing import Any

from django.http import Http404, HttpResponse
from django.utils.translation import gettext as _

from core import clock
from core.web.responses import render_page
from members.points import queries
from members.points.models import Entry
from members.points.values import EntryView, LotView
from portal.access import MemberRequest, member_page
from portal.nav import shell
from portal.reasons import entry_title

PAGE = 30
ICONS = {
    Entry.Kind.EARN: "circle-plus",
    Entry.Kind.REDEEM: "gift",
    Entry.Kind.EXPIRE: "hourglass",
    Entry.Kind.HOLD: "lock",
    Entry.Kind.CAPTURE: "check",
    Entry.Kind.RELEASE: "lock-open",
    Entry.Kind.REVERSE: "arrow-back-up",
    Entry.Kind.CLAWBACK: "arrow-back-up",
    Entry.Kind.ADJUST: "adjustments-horizontal",
    Entry.Kind.TRANSFER: "arrows-exchange",
}


@member_page()
def index(request: MemberRequest) -> HttpResponse:
    """Show the balance in its parts and the history, newest first."""
    at = clock.now()
    after = request.GET.get("after", "")
    found = queries.list_entries(
        owner_id=request.member.pk,
        before_seq=int(after) if after.isdigit() else None,
        limit=PAGE + 1,
    )
    context = {
        **shell(active="points"),
        "page_title": _("Points"),
        "balance": queries.get_balance(owner_id=request.member.pk, at=at),
        "lots": [lot for lot in queries.list_lots(owner_id=request.member.pk) if lot.expires_on][
            :4
        ],
        "rows": [_row(entry) for entry in found[:PAGE]],
        "next": str(found[PAGE - 1].seq) if len(found) > PAGE else "",
    }
    return render_page(request, "portal/points.html", context, partial="rows")


def _by_day(lots: list[LotView]) -> list[tuple[date, int]]:
    """Add up what stops being good on the same day, the next day first."""
    days: dict[date, int] = {}
    for lot in lots:
        if lot.expires_on is not None:
            days[lot.expires_on] = days.get(lot.expires_on, 0) + lot.remaining
    return sorted(days.items())


def _row(entry: EntryView) -> dict[str, Any]:
    return {"entry": entry, "title": entry_title(entry), "icon": ICONS[entry.kind]}


@member_page()
def entry(request: MemberRequest, seq: int) -> HttpResponse:
    """Show why one line happened: its cause and the lots it touched."""
    found = queries.list_entries(owner_id=request.member.pk, before_seq=seq + 1, limit=1)
    if not found or found[0].seq != seq:
        raise Http404(_("This line does not exist."))
    context = {
        **shell(active="points", back="points"),
        "page_title": entry_title(found[0]),
        "entry": found[0],
        "facts": _facts(found[0]),
    }
    return render_page(request, "portal/entry.html", context, partial="sheet")


def _facts(entry: EntryView) -> list[tuple[str, str]]:
    cause = entry.cause or {}
    facts: list[tuple[str, str]] = []
    if cause.get("reason"):
        facts.append((_("Reason"), str(cause["reason"])))
    if cause.get("rule"):
        facts.append((_("Rule"), str(cause["rule"])))
    if cause.get("multiplier_bp") and cause["multiplier_bp"] != 10_000:
        facts.append((_("Your tier's multiplier"), f"× {cause['multiplier_bp'] / 10_000:g}"))
    if cause.get("tier"):
        facts.append((_("Tier"), str(cause["tier"])))
    return facts
