"""Points: what there is, what expires, and every line with its reason."""

from datetime import date
from typing import Any

from django.http import Http404, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from core import clock
from core.templatetags.tessera import money, number
from core.web.responses import render_page
from members.earning.queries import Explanation, explain_entries
from members.points import queries
from members.points.models import Entry, Wallet
from members.points.values import EntryView, LotView
from portal.access import MemberRequest, member_page
from portal.nav import shell
from portal.point_facts import policy_facts
from portal.point_lines import lot_lines, spent_on, undone_facts
from portal.reasons import entry_title
from tenants.brands.context import current_brand

PAGE = 30
DAYS_SHOWN = 4
PLAIN = 10_000
POINTS, GROWTH = "points", "growth"
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
    Entry.Kind.RECOVER: "arrow-back-up",
}


@member_page()
def index(request: MemberRequest) -> HttpResponse:
    """Show the balance in its parts and the history, newest first."""
    at = clock.now()
    after = request.GET.get("after", "")
    wallets = queries.list_wallets_of(owner_id=request.member.pk)
    wallet = _wallet_asked(request, wallets)
    found = queries.list_entries(
        owner_id=request.member.pk,
        wallet=wallet.code,
        before_seq=int(after) if after.isdigit() else None,
        limit=PAGE + 1,
    )
    context = {
        **shell(active="points"),
        "page_title": wallet.label,
        "wallet": wallet,
        "is_points": wallet.code == POINTS,
        "is_growth": wallet.code == GROWTH,
        "wallets": [
            {
                "url": f"{reverse('portal:points')}?wallet={one.code}",
                "label": one.label,
                "active": one.code == wallet.code,
            }
            for one in wallets
        ],
        "balance": queries.get_balance(owner_id=request.member.pk, at=at, wallet=wallet.code),
        "expiring": _by_day(queries.list_lots(owner_id=request.member.pk, wallet=wallet.code))[
            :DAYS_SHOWN
        ],
        "rows": [_row(entry, wallet.code) for entry in found[:PAGE]],
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


def _row(entry: EntryView, wallet: str) -> dict[str, Any]:
    query = "" if wallet == POINTS else f"?wallet={wallet}"
    return {
        "entry": entry,
        "title": entry_title(entry),
        "icon": ICONS[entry.kind],
        "url": reverse("portal:entry", args=[entry.seq]) + query,
    }


@member_page()
def entry(request: MemberRequest, seq: int) -> HttpResponse:
    """Show why one line happened: its cause and the lots it touched."""
    owner_id = request.member.pk
    wallet = _wallet_asked(request, queries.list_wallets_of(owner_id=owner_id)).code
    found = queries.list_entries(owner_id=owner_id, wallet=wallet, before_seq=seq + 1, limit=1)
    if not found or found[0].seq != seq:
        raise Http404(_("This line does not exist."))
    context = {
        **shell(active="points", back="points"),
        "page_title": entry_title(found[0]),
        "entry": found[0],
        "facts": _facts(found[0], owner_id=owner_id, wallet=wallet),
        "lots": lot_lines(found[0], owner_id=owner_id, wallet=wallet),
    }
    return render_page(request, "portal/entry.html", context, partial="sheet")


def _wallet_asked(request: MemberRequest, wallets: list[Wallet]) -> Wallet:
    """Return the wallet of the address, or the first one for any other."""
    code = request.GET.get("wallet", POINTS)
    return next((one for one in wallets if one.code == code), wallets[0])


def _facts(entry: EntryView, *, owner_id: int, wallet: str) -> list[tuple[str, str]]:
    cause = entry.cause or {}
    facts: list[tuple[str, str]] = [
        *spent_on(entry, owner_id=owner_id),
        *undone_facts(entry, owner_id=owner_id, wallet=wallet),
        *policy_facts(entry),
    ]
    if cause.get("reason"):
        facts.append((_("Reason"), str(cause["reason"])))
    found = explain_entries(entries=[entry], wallet=wallet).get(entry.seq)
    return facts if found is None else facts + _of_earning(found)


def _of_earning(found: Explanation) -> list[tuple[str, str]]:
    """Return how it was made: what counted, by which rule, times what, less what a cap cut."""
    facts: list[tuple[str, str]] = []
    if found.purchase:
        facts.append((_("Purchase"), found.purchase))
    if found.eligible_minor is not None:
        facts.append((_("Amount"), money(found.eligible_minor, current_brand().currency)))
    facts.append((_("What counts"), found.rule.name))
    if found.base is not None and found.base != found.amount:
        facts.append((_("Points by the rule"), number(found.base)))
    if found.tier_bp is not None and found.tier_bp != PLAIN:
        facts.append((_("Your tier's multiplier"), f"× {found.tier_bp / PLAIN:g}"))
    if found.campaign_bp is not None and found.campaign_bp != PLAIN:
        names = pgettext("between the items of a list", ", ").join(found.campaigns)
        facts.append((names or _("Campaign"), f"× {found.campaign_bp / PLAIN:g}"))
    if found.cut:
        facts.append((_("Over the limit of the rule"), f"−{number(found.cut)}"))
    return facts
