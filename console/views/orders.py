"""Fulfilment orders: the board with its clock, one order's way, who would get one."""

from typing import Any

from django import forms
from django.http import HttpResponse
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l

from benefits.catalogue.queries import get_benefit, list_benefits, localized
from benefits.catalogue.stages import LIVE
from console.access import StaffRequest, staff_page
from console.dialogs import finish, refuse, show_form
from console.nav import shell
from core import clock
from core.errors import DomainError, NotFoundError
from core.web.responses import render_page
from partners.orders import disputes, operations, queries
from partners.orders.charges import list_charges
from partners.orders.models import FulfilmentOrder, OrderTransition
from partners.orders.scoring import PARTS
from partners.orders.states import is_allowed
from partners.pool.queries import list_partners
from tenants.accounts import permissions as p

PAGE = 30

_EVENTS: dict[str, tuple[str | Promise, str, str]] = {
    "offered": (_l("Offered to %(partner)s"), "send", "warn"),
    "accepted": (_l("Accepted by %(partner)s"), "check", "ok"),
    "declined": (_l("Declined by %(partner)s"), "x", "bad"),
    "timed_out": (_l("%(partner)s did not answer in time"), "hourglass", "bad"),
    "unassigned": (_l("No partner can take it"), "alert-triangle", "bad"),
    "scheduled": (_l("Scheduled by %(partner)s"), "calendar-event", "info"),
    "started": (_l("Begun by %(partner)s"), "player-play", "info"),
    "fulfilled": (_l("Fulfilled by %(partner)s"), "circle-check", "ok"),
    "failed": (_l("Failed"), "circle-x", "bad"),
    "cancelled": (_l("Cancelled"), "ban", "muted"),
    "handed_back": (_l("Handed back by %(partner)s"), "arrow-back-up", "bad"),
    "disputed": (_l("The member objects"), "alert-triangle", "bad"),
    "confirmed": (_l("Found to be delivered"), "circle-check", "ok"),
    "undone": (_l("Found not to be delivered"), "circle-x", "bad"),
    "redispatched": (_l("Sent out again"), "refresh", "brand"),
}
_PART_NAMES: dict[str, str | Promise] = {
    "coverage": _l("Coverage"),
    "capacity": _l("Capacity left"),
    "price": _l("Price"),
    "scorecard": _l("Scorecard"),
    "lead_time": _l("Lead time"),
}
_LEFT_OUT: dict[str, str | Promise] = {
    "partner_not_active": _l("The partner is not active"),
    "offering_not_active": _l("The offering is not active"),
    "outside_region": _l("Does not serve the region"),
    "no_price": _l("No price is in force"),
    "no_capacity": _l("No capacity is left"),
    "not_valid": _l("The offering is not valid then"),
    "already_asked": _l("Was asked already"),
}


def order_tabs(active: str) -> list[dict[str, Any]]:
    """Return the three views of fulfilment."""
    pages = [
        ("board", "console:orders", _("Board")),
        ("list", "console:order_list", _("All orders")),
        ("preview", "console:dispatch_preview", _("Who would get it")),
    ]
    return [
        {"url": reverse(page), "label": label, "active": name == active}
        for name, page, label in pages
    ]


@staff_page(p.ORDERS_VIEW)
def index(request: StaffRequest) -> HttpResponse:
    """Show the open orders by state, the most urgent first."""
    columns = queries.board(at=clock.now())
    context = {
        **shell(request, active="orders"),
        "page_title": _("Fulfilment"),
        "tabs": order_tabs("board"),
        "columns": columns,
        "late": sum(column.late for column in columns),
        "count": sum(column.count for column in columns),
    }
    return render_page(request, "console/orders.html", context, partial="board")


@staff_page(p.ORDERS_VIEW)
def listing(request: StaffRequest) -> HttpResponse:
    """List all orders, the last changed first, of one state or partner if asked."""
    state = request.GET.get("state", "")
    state = state if state in FulfilmentOrder.State.values else ""
    partners = list(list_partners())
    partner = request.GET.get("partner", "")
    partner_id = next((row.pk for row in partners if row.code == partner), None)
    found = queries.list_orders(
        state=state or None,
        partner_id=partner_id,
        after=request.GET.get("after") or None,
        limit=PAGE + 1,
    )
    context = {
        **shell(request, active="orders"),
        "page_title": _("Fulfilment"),
        "tabs": order_tabs("list"),
        "state": state,
        "states": FulfilmentOrder.State.choices,
        "partner": partner,
        "partners": partners,
        "orders": found[:PAGE],
        "next": queries.position(found[PAGE - 1]) if len(found) > PAGE else "",
    }
    return render_page(request, "console/order_list.html", context, partial="rows")


@staff_page(p.ORDERS_VIEW)
def show(request: StaffRequest, number: str) -> HttpResponse:
    """Show one order: its clock, its timeline, whom it was offered to and why."""
    order = queries.get_order(number=number)
    offers = list(queries.list_offers(order_id=order.pk))
    names = {offer.partner_id: offer.partner.name for offer in offers}
    now = clock.now()
    deadline = order.due_at or (order.accept_by if order.state == "offered" else None)
    is_open = order.closed_at is None
    context = {
        **shell(request, active="orders"),
        "page_title": localized(order.benefit.name, get_language()),
        "order": order,
        "deadline": deadline if is_open else None,
        "is_late": is_open and deadline is not None and deadline < now,
        "steps": [
            _step(step, names) for step in queries.list_transitions(order_id=order.pk).reverse()
        ],
        "offers": [
            {"offer": offer, "parts": _parts(offer.parts, offer.parts.get("weights", {}))}
            for offer in offers
        ],
        "can": {
            name: is_allowed(name, order.state)
            for name in (
                "redispatched",
                "cancelled",
                "failed",
                "fulfilled",
                "disputed",
                "confirmed",
                "handed_back",
            )
        },
        "charges": list_charges(order_id=order.pk),
    }
    return render_page(request, "console/order.html", context, partial="order")


def _step(step: OrderTransition, names: dict[int, str]) -> dict[str, Any]:
    title, icon, tone = _EVENTS.get(step.event, (step.event, "circle-dashed", "muted"))
    partner = names.get(step.partner_id or 0, _("a partner"))
    return {
        "title": str(title) % {"partner": partner} if "%(" in str(title) else title,
        "icon": icon,
        "tone": tone,
        "step": step,
        "by": _("Automatic") if step.actor_kind == "system" else step.actor_label,
        "left_out": [
            {"reason": _LEFT_OUT.get(reason, reason), "count": count}
            for reason, count in step.data.get("left_out", {}).items()
        ],
    }


def _parts(parts: dict[str, int], weights: dict[str, int]) -> list[dict[str, Any]]:
    return [
        {"name": _PART_NAMES[name], "value": parts.get(name, 0), "weight": weights.get(name)}
        for name in PARTS
    ]


@staff_page(p.ORDERS_VIEW)
def preview(request: StaffRequest) -> HttpResponse:
    """Say who would get an order for a benefit in a region now, and why others would not."""
    language = get_language()
    benefits = [row for row in list_benefits(stages=LIVE) if row.channel == "partner"]
    chosen = request.GET.get("benefit", "") or (benefits[0].code if benefits else "")
    region = request.GET.get("region", "").strip()
    context: dict[str, Any] = {
        **shell(request, active="orders"),
        "page_title": _("Fulfilment"),
        "tabs": order_tabs("preview"),
        "benefits": [(row.code, localized(row.name, language)) for row in benefits],
        "benefit": chosen,
        "region": region,
    }
    if chosen:
        found = queries.preview(
            benefit_id=get_benefit(code=chosen).pk, region=region, at=clock.now()
        )
        context |= {
            "ranked": [{"choice": each, "parts": _parts(each.parts, {})} for each in found.ranked],
            "left_out": [
                {"supply": each.supply, "reason": _LEFT_OUT[each.reason]} for each in found.left_out
            ],
        }
    return render_page(request, "console/dispatch_preview.html", context, partial="found")


class ReasonForm(forms.Form):
    """Why staff step in."""

    reason = forms.CharField(
        label=_l("Reason"), widget=forms.Textarea(attrs={"rows": 3}), max_length=200
    )


@staff_page(p.ORDERS_EDIT, methods=("GET", "POST"))
def redispatch(request: StaffRequest, number: str) -> HttpResponse:
    """Take an order from its partner, if it has one, and ask the whole pool again."""
    return _step_in(
        request,
        number,
        lambda order, reason: operations.redispatch(
            order=order, reason=reason, by=request.actor, at=clock.now()
        ),
        title=_("Send out again"),
        lead=_("The partner that has it is asked again only when nobody else can take it."),
        done=_("Sent out again."),
    )


@staff_page(p.ORDERS_EDIT, methods=("GET", "POST"))
def cancel(request: StaffRequest, number: str) -> HttpResponse:
    """Cancel an order and its redemption; the member gets the unit back."""
    return _step_in(
        request,
        number,
        lambda order, reason: operations.cancel(
            order=order, reason=reason, by=request.actor, at=clock.now()
        ),
        title=_("Cancel this order"),
        lead=_("The redemption is cancelled too, and the member gets the unit back."),
        done=_("Cancelled."),
        tone="danger",
    )


@staff_page(p.ORDERS_EDIT, methods=("GET", "POST"))
def fail(request: StaffRequest, number: str) -> HttpResponse:
    """Say that an order cannot be delivered; the member gets the unit back."""
    return _step_in(
        request,
        number,
        lambda order, reason: operations.fail(
            order=order, reason=reason, by=request.actor, at=clock.now()
        ),
        title=_("Mark as failed"),
        lead=_("It counts against the partner's scorecard; the member gets the unit back."),
        done=_("Marked as failed."),
        tone="danger",
    )


@staff_page(p.ORDERS_EDIT, methods=("GET", "POST"))
def fulfil(request: StaffRequest, number: str) -> HttpResponse:
    """Close an order as delivered without the member's code; the reason is audited."""
    return _step_in(
        request,
        number,
        lambda order, reason: operations.fulfil(
            order=order, override_reason=reason, by=request.actor, at=clock.now()
        ),
        title=_("Mark as fulfilled"),
        lead=_("Partners prove it with the member's code. Without it, say how you know."),
        done=_("Marked as fulfilled."),
    )


@staff_page(p.ORDERS_EDIT, methods=("GET", "POST"))
def dispute(request: StaffRequest, number: str) -> HttpResponse:
    """Note that the member says it was not delivered as promised."""
    return _step_in(
        request,
        number,
        lambda order, reason: disputes.dispute(
            order=order, reason=reason, by=request.actor, at=clock.now()
        ),
        title=_("The member objects"),
        lead=_("The order is on no statement until you have found out what happened."),
        done=_("Noted."),
    )


@staff_page(p.ORDERS_EDIT, methods=("GET", "POST"))
def hand_back(request: StaffRequest, number: str) -> HttpResponse:
    """Take an order back that its partner no longer wants; the next one is asked."""
    return _step_in(
        request,
        number,
        lambda order, reason: operations.hand_back(
            order=order, reason=reason, by=request.actor, at=clock.now()
        ),
        title=_("Handed back"),
        lead=_("The next partner is asked; the penalty of the contract is charged."),
        done=_("Handed back; the next partner is asked."),
    )


@staff_page(p.ORDERS_EDIT, methods=("GET", "POST"))
def resolve(request: StaffRequest, number: str, verdict: str) -> HttpResponse:
    """End an objection: it was delivered, or it was not and the member gets the unit back."""
    if verdict not in {"delivered", "undone"}:
        raise NotFoundError
    delivered = verdict == "delivered"
    return _step_in(
        request,
        number,
        lambda order, reason: disputes.resolve(
            order=order, delivered=delivered, reason=reason, by=request.actor, at=clock.now()
        ),
        title=_("It was delivered") if delivered else _("It was not delivered"),
        lead=_("The partner is paid for it with this month.")
        if delivered
        else _(
            "The member gets the unit back; what was paid for it is taken off the next statement."
        ),
        done=_("Decided."),
        tone="primary" if delivered else "danger",
    )


def _step_in(
    request: StaffRequest,
    number: str,
    act: Any,
    *,
    title: str,
    lead: str,
    done: str,
    tone: str = "primary",
) -> HttpResponse:
    order = queries.get_order(number=number)
    form = ReasonForm(request.POST or None)
    facts: dict[str, Any] = {
        "title": title,
        "lead": lead,
        "submit": title,
        "tone": tone,
        "active": "orders",
    }
    if not form.is_valid():
        return show_form(request, form, **facts)
    try:
        act(order, form.cleaned_data["reason"])
    except DomainError as error:
        refuse(form, error)
        return show_form(request, form, **facts)
    url = reverse("console:order", args=[order.number])
    return finish(request, done, changed="orders", url=url)
