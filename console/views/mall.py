"""The points mall: items with their stock, and orders on their way."""

from typing import Any

from django import forms
from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l

from benefits.mall import operations, queries
from benefits.mall.models import MallItem, MallOrder
from benefits.mall.payments.queries import count_refunds_due, list_payments, list_ways
from benefits.mall.states import may_follow
from console.access import StaffRequest, staff_page
from console.dialogs import finish, refuse, show_form
from console.nav import shell
from console.people import actor_names
from core import clock
from core.errors import DomainError
from core.web.responses import render_page
from tenants.accounts import permissions as p

PAGE = 30
_OPEN = (MallOrder.State.PLACED, MallOrder.State.CONFIRMED, MallOrder.State.SHIPPED)
# Fewer free units than this share of the stock are worth a look.
_LOW_STOCK = 0.1


def mall_tabs(active: str) -> list[dict[str, Any]]:
    """Return the lists of the mall."""
    return [
        {"url": reverse("console:mall"), "label": _("Items"), "active": active == "items"},
        {"url": reverse("console:mall_orders"), "label": _("Orders"), "active": active == "orders"},
        {
            "url": reverse("console:code_pools"),
            "label": _("Code pools"),
            "active": active == "pools",
        },
        {"url": reverse("console:draws"), "label": _("Lucky draws"), "active": active == "draws"},
    ]


@staff_page(p.MALL_VIEW)
def index(request: StaffRequest) -> HttpResponse:
    """List the items with price and stock, all or those of one status."""
    status = request.GET.get("status", "")
    status = status if status in MallItem.Status.values else ""
    context = {
        **shell(request, active="mall"),
        "page_title": _("Points mall"),
        "tabs": mall_tabs("items"),
        "status": status,
        "statuses": MallItem.Status.choices,
        "kinds": [
            {"url": reverse("console:create_item", args=[kind]), "label": label}
            for kind, label in MallItem.Kind.choices
        ],
        "rows": [_item_row(item) for item in queries.list_shelf(status=status or None)],
    }
    return render_page(request, "console/mall.html", context, partial="rows")


def _item_row(item: MallItem) -> dict[str, Any]:
    stock = item.stock if item.stock_total is not None else None
    return {
        "item": item,
        "stock": stock,
        "is_low": stock is not None and stock.free < max(1, stock.stock_in * _LOW_STOCK),
        "moves": [
            {"to": to, "label": label, "ask": ask}
            for to, label, ask in [
                ("on_sale", _("Put on sale"), _("Put this item on sale?")),
                ("paused", _("Pause"), _("Take this item off sale for now?")),
                ("ended", _("End"), _("End this item? Orders placed go their way.")),
            ]
            if to != item.status and not (to == "paused" and item.status != "on_sale")
        ],
    }


@staff_page(p.MALL_EDIT, methods=("POST",))
def set_status(request: StaffRequest, code: str, status: str) -> HttpResponse:
    """Put an item on sale, pause or end it."""
    item = queries.get_item(code=code)
    operations.set_item_status(item=item, status=status, by=request.actor, at=clock.now())
    return finish(request, _("Saved."), changed="mall", url=reverse("console:mall"))


@staff_page(p.MALL_VIEW)
def orders(request: StaffRequest) -> HttpResponse:
    """List the orders, newest first: the open ones, or those of one state."""
    state = request.GET.get("state", "open")
    state = state if state in {"open", "all", *MallOrder.State.values} else "open"
    wanted = {"open": list(_OPEN), "all": None}.get(state, state)
    after = request.GET.get("after", "")
    counts = queries.count_by_state()
    found = queries.list_orders(
        state=wanted, after=int(after) if after.isdigit() else None, limit=PAGE + 1
    )
    context = {
        **shell(request, active="mall"),
        "page_title": _("Points mall"),
        "tabs": mall_tabs("orders"),
        "state": state,
        "states": [
            ("open", _("Open"), sum(counts.get(one, 0) for one in _OPEN)),
            *((value, label, counts.get(value, 0)) for value, label in MallOrder.State.choices),
            ("all", _("All"), sum(counts.values())),
        ],
        "ways": list_ways(),
        "refunds_due": count_refunds_due(),
        "orders": found[:PAGE],
        "next": str(found[PAGE - 1].pk) if len(found) > PAGE else "",
    }
    return render_page(request, "console/mall_orders.html", context, partial="rows")


@staff_page(p.MALL_VIEW)
def order(request: StaffRequest, number: str) -> HttpResponse:
    """Show one order with what can be done with it next."""
    found = queries.get_order(number=number)
    context = {
        **shell(request, active="mall"),
        "page_title": found.number,
        "order": found,
        "address": getattr(found, "address", None),
        "payments": list_payments(order=found) if found.cash_minor else [],
        "waits_for_cash": bool(found.cash_minor) and found.state == MallOrder.State.PLACED,
        "placed_by": actor_names([found.placed_by])[found.placed_by],
        "can": {
            state: may_follow(state, after=found.state)
            and not (state == "confirmed" and found.cash_minor)
            for state in ("confirmed", "shipped", "completed")
        },
        "can_cancel": may_follow("cancelled", after=found.state)
        or may_follow("refunded", after=found.state),
        "moments": [
            (label, icon, at)
            for label, icon, at in [
                (found.get_state_display(), "circle-x", found.closed_at),
                (_("Completed"), "circle-check", found.completed_at),
                (_("Shipped"), "truck", found.shipped_at),
                (_("Confirmed: the points are paid"), "check", found.confirmed_at),
                (_("Placed"), "shopping-cart", found.placed_at),
            ]
            if at is not None
        ],
    }
    return render_page(request, "console/mall_order.html", context, partial="order")


@staff_page(p.ORDERS_EDIT, methods=("POST",))
def confirm(request: StaffRequest, number: str) -> HttpResponse:
    """Confirm an order: the points held for it are paid."""
    found = queries.get_order(number=number)
    operations.confirm_order(order=found, by=request.actor, at=clock.now())
    return finish(request, _("Confirmed."), changed="mall", url=_url(found))


@staff_page(p.ORDERS_EDIT, methods=("POST",))
def complete(request: StaffRequest, number: str) -> HttpResponse:
    """Say that the member has what was ordered."""
    found = queries.get_order(number=number)
    operations.complete_order(order=found, by=request.actor, at=clock.now())
    return finish(request, _("Completed."), changed="mall", url=_url(found))


class ShipForm(forms.Form):
    """How goods are on their way."""

    carrier = forms.CharField(
        label=_l("Carrier"),
        max_length=40,
        required=False,
        help_text=_l("SF, EMS, DHL, UPS, FedEx and USPS get a link for the member."),
    )
    tracking = forms.CharField(label=_l("Tracking number"), max_length=120, required=False)


@staff_page(p.ORDERS_EDIT, methods=("GET", "POST"))
def ship(request: StaffRequest, number: str) -> HttpResponse:
    """Say that goods are on their way."""
    found = queries.get_order(number=number)
    form = ShipForm(request.POST if request.method == "POST" else None)
    title = _("Ship %(order)s") % {"order": found.number}
    if not form.is_valid():
        return show_form(request, form, title=title, submit=_("Shipped"), active="mall")
    try:
        operations.ship_order(
            order=found,
            tracking=form.cleaned_data["tracking"],
            carrier=form.cleaned_data["carrier"],
            by=request.actor,
            at=clock.now(),
        )
    except DomainError as error:
        refuse(form, error)
        return show_form(request, form, title=title, submit=_("Shipped"), active="mall")
    return finish(request, _("Shipped."), changed="mall", url=_url(found))


class CancelForm(forms.Form):
    """Why an order is called off, and whether its units come back."""

    reason = forms.CharField(label=_l("Reason"), max_length=200)
    restock = forms.BooleanField(
        label=_l("Put the units back into stock"), required=False, initial=True
    )


@staff_page(p.ORDERS_EDIT, methods=("GET", "POST"))
def cancel(request: StaffRequest, number: str) -> HttpResponse:
    """Call an order off; the points go back to the member."""
    found = queries.get_order(number=number)
    form = CancelForm(request.POST or None)
    title = _("Cancel %(order)s") % {"order": found.number}
    lead = _("The points go back to the member.")
    facts: dict[str, Any] = {
        "title": title,
        "lead": lead,
        "submit": _("Cancel the order"),
        "tone": "danger",
        "active": "mall",
    }
    if not form.is_valid():
        return show_form(request, form, **facts)
    try:
        operations.cancel_order(order=found, by=request.actor, at=clock.now(), **form.cleaned_data)
    except DomainError as error:
        refuse(form, error)
        return show_form(request, form, **facts)
    return finish(request, _("Cancelled."), changed="mall", url=_url(found))


def _url(found: MallOrder) -> str:
    return reverse("console:mall_order", args=[found.number])
