"""The points mall: what a member can have for points, ordering it, following the order."""

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from benefits.mall import operations, queries
from benefits.mall.draws.queries import list_offers
from benefits.mall.models import MallOrder
from benefits.mall.payments.queries import list_payments, open_way
from benefits.mall.queries import MallOffer
from core import clock
from core.web.responses import hx_redirect, render_page
from members.points.queries import get_balance
from portal.access import MemberRequest, member_page
from portal.mall_steps import steps_of, tracking_url
from portal.nav import TierNames, shell, text
from portal.reasons import refusal_text

LOW_STOCK = 10
PAGE = 20


def mall_row(offer: MallOffer, names: TierNames) -> dict[str, Any]:
    """Return how a card of the mall shows an item: what is missing, how many are left."""
    note = refusal_text(offer.reasons[0], names) if offer.reasons else ""
    badge = ""
    if queries.is_offered(offer.waiting) or any(
        queries.is_offered(v.waiting) for v in offer.variants
    ):
        badge = _("Kept for you")
    elif offer.available and offer.stock_left is not None and offer.stock_left <= LOW_STOCK:
        badge = _("%(left)s left") % {"left": offer.stock_left}
    return {"offer": offer, "item": offer.item, "note": note, "badge": badge}


@member_page()
def index(request: MemberRequest) -> HttpResponse:
    """Show the mall: what can be had now, then the rest with what is missing."""
    at, lang = clock.now(), get_language() or ""
    offers = queries.list_items(member=request.member, at=at, lang=lang)
    chosen = request.GET.get("category", "")
    categories = sorted({offer.item.category for offer in offers if offer.item.category})
    names = TierNames()
    shown = [offer for offer in offers if not chosen or offer.item.category == chosen]
    context = {
        **shell(active="mall"),
        "page_title": _("Points mall"),
        "balance": get_balance(owner_id=request.member.pk, at=at),
        "categories": categories,
        "chosen": chosen,
        "draws": list_offers(member=request.member, at=at, lang=lang),
        "now": [mall_row(offer, names) for offer in shown if offer.available],
        "later": [mall_row(offer, names) for offer in shown if not offer.available],
    }
    return render_page(request, "portal/mall.html", context, partial="items")


@member_page()
def order(request: MemberRequest, key: UUID) -> HttpResponse:
    """Show where an order stands, with what is to pay, its codes and tracking."""
    found = queries.get_order(key=key, member=request.member)
    at = clock.now()
    waits = found.state == MallOrder.State.PLACED
    payments = list_payments(order=found) if found.cash_minor else []
    context = {
        **shell(active="mall", back="orders"),
        "page_title": text(found.item.name),
        "order": found,
        "variant": text(found.variant.name) if found.variant is not None else "",
        "may_cancel": waits,
        "may_receive": found.state == MallOrder.State.SHIPPED,
        "to_pay": waits and bool(found.cash_minor),
        "way": open_way() if waits and found.cash_minor and found.hold_ends_at > at else "",
        "refund": next((p for p in payments if p.state in {"refund_due", "refunded"}), None),
        "steps": steps_of(found, payments),
        "tracking_url": tracking_url(found.carrier, found.tracking),
        "is_open": waits or found.state in {"confirmed", "shipped"},
    }
    return render_page(request, "portal/order.html", context, partial="order")


@member_page(methods=("POST",))
def cancel(request: MemberRequest, key: UUID) -> HttpResponse:
    """Call an order off while it is not confirmed: the points come back."""
    found = queries.get_order(key=key, member=request.member)
    operations.cancel_order(order=found, reason="member", by=request.actor, at=clock.now())
    return hx_redirect(request, reverse("portal:order", args=[found.key]))


@member_page(methods=("POST",))
def receive(request: MemberRequest, key: UUID) -> HttpResponse:
    """Say that the goods have arrived."""
    found = queries.get_order(key=key, member=request.member)
    operations.complete_order(order=found, by=request.actor, at=clock.now())
    return hx_redirect(request, reverse("portal:order", args=[found.key]))


@member_page()
def orders(request: MemberRequest) -> HttpResponse:
    """List the member's orders, newest first."""
    after = request.GET.get("after", "")
    found = queries.list_orders(
        member=request.member, after=int(after) if after.isdigit() else None, limit=PAGE + 1
    )
    context = {
        **shell(active="mall", back="mall"),
        "page_title": _("Mall orders"),
        "rows": [
            {
                "order": row,
                "name": text(row.item.name),
                "variant": text(row.variant.name) if row.variant is not None else "",
            }
            for row in found[:PAGE]
        ],
        "next": str(found[PAGE - 1].pk) if len(found) > PAGE else "",
    }
    return render_page(request, "portal/orders.html", context, partial="rows")
