"""The points mall: what a member can have for points, ordering it, following the order."""

from typing import Any
from uuid import UUID

from django import forms
from django.http import Http404, HttpResponse
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l

from benefits.mall import operations, queries
from benefits.mall.models import MallItem, MallOrder
from benefits.mall.queries import MallOffer
from core import clock
from core.errors import DomainError
from core.ids import uuid7
from core.web.responses import hx_redirect, render_page
from members.points.queries import get_balance
from portal.access import MemberRequest, member_page
from portal.nav import TierNames, shell, text
from portal.reasons import error_text, refusal_text

LOW_STOCK = 10
PAGE = 20


def _offers(request: MemberRequest) -> list[MallOffer]:
    return queries.list_items(member=request.member, at=clock.now(), lang=get_language() or "")


def _row(offer: MallOffer, names: TierNames) -> dict[str, Any]:
    note = refusal_text(offer.reasons[0], names) if offer.reasons else ""
    badge = ""
    if offer.available and offer.stock_left is not None and offer.stock_left <= LOW_STOCK:
        badge = _("%(left)s left") % {"left": offer.stock_left}
    return {"offer": offer, "item": offer.item, "note": note, "badge": badge}


@member_page()
def index(request: MemberRequest) -> HttpResponse:
    """Show the mall: what can be had now, then the rest with what is missing."""
    offers = _offers(request)
    chosen = request.GET.get("category", "")
    categories = sorted({offer.item.category for offer in offers if offer.item.category})
    names = TierNames()
    shown = [offer for offer in offers if not chosen or offer.item.category == chosen]
    context = {
        **shell(active="mall"),
        "page_title": _("Points mall"),
        "balance": get_balance(owner_id=request.member.pk, at=clock.now()),
        "categories": categories,
        "chosen": chosen,
        "now": [_row(offer, names) for offer in shown if offer.available],
        "later": [_row(offer, names) for offer in shown if not offer.available],
    }
    return render_page(request, "portal/mall.html", context, partial="items")


class OrderForm(forms.Form):
    """Confirmation of an order; `token` makes a double click one order."""

    token = forms.UUIDField(widget=forms.HiddenInput())
    recipient = forms.CharField(label=_l("Name of the recipient"), max_length=120)
    phone = forms.CharField(label=_l("Phone"), max_length=40)
    lines = forms.CharField(
        label=_l("Address"), max_length=400, widget=forms.Textarea(attrs={"rows": 3})
    )

    def __init__(self, *args: Any, item: MallItem, **options: Any) -> None:
        super().__init__(*args, **options)
        if item.kind != MallItem.Kind.PHYSICAL:
            for name in ("recipient", "phone", "lines"):
                del self.fields[name]

    @property
    def address(self) -> dict[str, str] | None:
        """Return the address, where one was asked for."""
        data = {k: v for k, v in self.cleaned_data.items() if k != "token"}
        return data or None


@member_page(methods=("GET", "POST"))
def item(request: MemberRequest, code: str) -> HttpResponse:
    """Show an item, and order it."""
    offer = next((found for found in _offers(request) if found.item.code == code), None)
    if offer is None:
        raise Http404(_("This item is not in the mall."))
    form = OrderForm(
        request.POST if request.method == "POST" else None,
        initial={"token": uuid7()},
        item=offer.item,
    )
    if request.method == "POST" and form.is_valid():
        try:
            order = operations.place_order(
                member=request.member,
                item=offer.item,
                key=form.cleaned_data["token"],
                address=form.address,
                by=request.actor,
                at=clock.now(),
            )
        except DomainError as error:
            form.add_error(None, error_text(error))
        else:
            return hx_redirect(request, reverse("portal:order", args=[order.key]))
    context = {
        **shell(active="mall", back="mall"),
        "page_title": offer.name,
        "row": _row(offer, TierNames()),
        "offer": offer,
        "form": form,
        "balance": get_balance(owner_id=request.member.pk, at=clock.now()),
    }
    return render_page(
        request, "portal/item.html", context, partial="sheet", status=422 if form.is_bound else 200
    )


@member_page()
def order(request: MemberRequest, key: UUID) -> HttpResponse:
    """Show where an order stands, with its codes and tracking."""
    found = queries.get_order(key=key, member=request.member)
    context = {
        **shell(active="mall", back="orders"),
        "page_title": text(found.item.name),
        "order": found,
        "may_cancel": found.state == MallOrder.State.PLACED,
    }
    return render_page(request, "portal/order.html", context)


@member_page(methods=("POST",))
def cancel(request: MemberRequest, key: UUID) -> HttpResponse:
    """Call an order off while it is not confirmed: the points come back."""
    found = queries.get_order(key=key, member=request.member)
    operations.cancel_order(order=found, reason="member", by=request.actor, at=clock.now())
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
        "rows": [{"order": row, "name": text(row.item.name)} for row in found[:PAGE]],
        "next": str(found[PAGE - 1].pk) if len(found) > PAGE else "",
    }
    return render_page(request, "portal/orders.html", context, partial="rows")
