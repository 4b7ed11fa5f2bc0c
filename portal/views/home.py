"""The first page: card, shortcuts, benefits, what is about to happen."""

from datetime import datetime
from typing import Any

from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from benefits.grants.queries import list_services_due, what_may_i_use
from core import clock
from core.templatetags.tessera import money_short, number
from core.web.responses import render_page
from members.points.queries import get_balance
from members.profiles.queries import get_block
from members.tiers.queries import get_standing
from members.tiers.values import Standing
from portal.access import MemberRequest, member_page
from portal.benefit_rows import BenefitRow, rows_of
from portal.nav import TierNames, shell, text
from tenants.brands.context import current_brand

SHOWN = 4


@member_page()
def show(request: MemberRequest) -> HttpResponse:
    """Show the member's card and the benefits that can be used now."""
    at = clock.now()
    standing = get_standing(member_id=request.member.pk, at=at)
    balance = get_balance(owner_id=request.member.pk, at=at)
    names = TierNames(*standing.tiers) if standing else TierNames()
    found = what_may_i_use(member=request.member, at=at, lang=get_language() or "")
    rows: list[BenefitRow] = rows_of(found, names=names)
    context: dict[str, Any] = {
        **shell(active="home"),
        "page_title": current_brand().name,
        "member": request.member,
        "blocked": get_block(member=request.member),
        "standing": standing,
        "tier": text(standing.tier.name) if standing else _("Member"),
        "balance": balance,
        "progress_text": progress_text(standing),
        "metric": "money" if standing and standing.metric == "spend" else "growth",
        "next_threshold": standing.metric_value + standing.missing
        if standing and standing.next_tier
        else None,
        "quick": [
            {
                "url": reverse("portal:code"),
                "icon": "qrcode",
                "label": _("Member code"),
                "dialog": True,
            },
            {"url": reverse("portal:benefits"), "icon": "gift", "label": _("Benefits")},
            {"url": reverse("portal:mall"), "icon": "shopping-bag", "label": _("Points mall")},
            {"url": reverse("portal:history"), "icon": "receipt", "label": _("My orders")},
        ],
        "rows": [row for row in rows if row.item.usable][:SHOWN]
        or [row for row in rows if row.item.granted][:SHOWN],
        "due": _due(request.member.pk, rows, at),
        "later": [row for row in rows if not row.item.usable and row.item.granted][:2],
    }
    return render_page(request, "portal/home.html", context)


def _due(member_id: int, rows: list[BenefitRow], at: datetime) -> list[dict[str, Any]]:
    """Return the services that fall due soon and are not booked, the first one first."""
    services = [
        row for row in rows if row.item.usable and row.item.benefit.kind == "periodic_service"
    ]
    # Most members have none, so most are not asked about.
    due = list_services_due(member_id=member_id, at=at) if services else {}
    found = [
        {"name": row.item.name, "url": row.url, "due_on": due[row.item.grant_id]}
        for row in services
        if row.item.grant_id in due
    ]
    return sorted(found, key=lambda one: one["due_on"])


def progress_text(standing: Standing | None) -> str:
    """Return what is missing to the next tier, in the unit of the scheme."""
    if standing is None:
        return ""
    if standing.next_tier is None:
        return _("You hold our highest tier.")
    name = text(standing.next_tier.name)
    words = {
        "spend": _("%(amount)s more to reach %(tier)s"),
        "orders": _("%(amount)s more orders to reach %(tier)s"),
        "points_earned": _("%(amount)s more points to reach %(tier)s"),
    }.get(standing.metric, _("%(amount)s more growth points to reach %(tier)s"))
    amount = (
        money_short(standing.missing, current_brand().currency)
        if standing.metric == "spend"
        else number(standing.missing)
    )
    return words % {"amount": amount, "tier": name}


@member_page()
def code(request: MemberRequest) -> HttpResponse:
    """Show the member's number as a QR code, for the till."""
    context = {**shell(active="home", back="home"), "page_title": _("Member code")}
    return render_page(
        request, "portal/code.html", {**context, "number": request.member.number}, partial="sheet"
    )
