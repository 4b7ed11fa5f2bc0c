"""Ordering one item: which one, where to, and the cash part; and waiting for what is sold out."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l

from benefits.mall import operations, queries
from benefits.mall.models import ItemVariant, MallItem, MemberAddress
from benefits.mall.payments import operations as payments
from benefits.mall.payments.models import MallPayment
from benefits.mall.payments.providers import get_provider
from benefits.mall.payments.queries import get_payment, open_way
from benefits.mall.queries import MallOffer
from core import clock
from core.errors import DomainError
from core.ids import uuid7
from core.web.responses import hx_redirect, render_page
from members.points.queries import get_balance
from portal.access import MemberRequest, member_page
from portal.nav import TierNames, shell, text
from portal.reasons import error_text, refusal_text
from portal.views.mall import mall_row

MOST_AT_ONCE = 9
NEW = "new"


class OrderForm(forms.Form):
    """Confirmation of an order; `token` makes a double click one order."""

    token = forms.UUIDField(widget=forms.HiddenInput())
    variant = forms.ChoiceField(label=_l("Which one"), widget=forms.RadioSelect())
    quantity = forms.TypedChoiceField(
        label=_l("How many"), coerce=int, required=False, empty_value=None
    )
    address_id = forms.ChoiceField(label=_l("Where to"), widget=forms.RadioSelect())
    recipient = forms.CharField(label=_l("Name of the recipient"), max_length=120)
    phone = forms.CharField(label=_l("Phone"), max_length=40)
    lines = forms.CharField(
        label=_l("Address"), max_length=400, widget=forms.Textarea(attrs={"rows": 3})
    )
    keep = forms.BooleanField(
        label=_l("Keep this address for next time"), required=False, initial=True
    )

    def __init__(
        self, *args: Any, offer: MallOffer, addresses: list[MemberAddress], **options: Any
    ) -> None:
        super().__init__(*args, **options)
        fields = self.fields
        self._addresses = {str(address.pk): address for address in addresses}
        open_ones = [v for v in offer.variants if v.available]
        if open_ones:
            fields["variant"].choices = [(v.variant.code, v.name) for v in open_ones]  # type: ignore[attr-defined]
            fields["variant"].initial = open_ones[0].variant.code
        else:
            del fields["variant"]
        lefts = [left for left in (offer.limit_left, offer.stock_left) if left is not None]
        most = max(1, min([MOST_AT_ONCE, *lefts]))
        if most > 1:
            fields["quantity"].choices = [(n, n) for n in range(1, most + 1)]  # type: ignore[attr-defined]
        else:
            del fields["quantity"]
        self._place(offer.item)

    def _place(self, item: MallItem) -> None:
        fields = self.fields
        if item.kind != MallItem.Kind.PHYSICAL:
            for name in ("address_id", "recipient", "phone", "lines", "keep"):
                del fields[name]
            return
        if not self._addresses:
            del fields["address_id"]
            return
        fields["address_id"].choices = [  # type: ignore[attr-defined]
            *((key, f"{a.recipient} · {a.lines}") for key, a in self._addresses.items()),
            (NEW, _("Another address")),
        ]
        fields["address_id"].initial = next(iter(self._addresses))
        if self.data.get("address_id", next(iter(self._addresses))) != NEW:
            for name in ("recipient", "phone", "lines"):
                fields[name].required = False

    @property
    def is_new_address(self) -> bool:
        """Say whether the fields of a new address are to be filled in."""
        chosen = self.data.get("address_id", next(iter(self._addresses), NEW))
        return "recipient" in self.fields and chosen == NEW

    @property
    def address(self) -> dict[str, str] | None:
        """Return the address, where one was asked for."""
        data = self.cleaned_data
        chosen = self._addresses.get(data.get("address_id", ""))
        if chosen is not None:
            return {
                "recipient": chosen.recipient,
                "phone": chosen.phone,
                "lines": chosen.lines,
            }
        if "recipient" not in data:
            return None
        return {name: data[name] for name in ("recipient", "phone", "lines")}


@member_page(methods=("GET", "POST"))
def item(request: MemberRequest, code: str) -> HttpResponse:
    """Show an item, and order it."""
    offer = _offer(request, code)
    addresses = queries.list_addresses(member=request.member)
    form = OrderForm(
        request.POST if request.method == "POST" else None,
        initial={"token": uuid7(), "quantity": 1},
        offer=offer,
        addresses=addresses,
    )
    if request.method == "POST" and form.is_valid():
        try:
            order = _place(request, offer, form)
        except DomainError as error:
            form.add_error(None, error_text(error))
        else:
            return hx_redirect(request, reverse("portal:order", args=[order.key]))
    return _show(request, offer, form)


def _place(request: MemberRequest, offer: MallOffer, form: OrderForm) -> Any:
    data, at = form.cleaned_data, clock.now()
    return operations.place_order(
        member=request.member,
        item=offer.item,
        variant=_variant(offer, data.get("variant", "")),
        quantity=data.get("quantity") or 1,
        key=data["token"],
        address=form.address,
        keep_address=bool(form.is_new_address and data.get("keep")),
        by=request.actor,
        at=at,
    )


def _variant(offer: MallOffer, code: str) -> ItemVariant | None:
    return next((v.variant for v in offer.variants if v.variant.code == code), None)


def _offer(request: MemberRequest, code: str) -> MallOffer:
    found = queries.list_items(
        member=request.member, at=clock.now(), lang=get_language() or "", code=code
    )
    if not found:
        raise Http404(_("This item is not in the mall."))
    return found[0]


def _show(request: MemberRequest, offer: MallOffer, form: forms.Form) -> HttpResponse:
    names = TierNames()
    balance = get_balance(owner_id=request.member.pk, at=clock.now())
    price = min([v.points for v in offer.variants], default=offer.item.points)
    context = {
        **shell(active="mall", back="mall"),
        "page_title": offer.name,
        "row": mall_row(offer, names),
        "offer": offer,
        "price": price,
        "form": form,
        "balance": balance,
        "reasons": [refusal_text(reason, names) for reason in offer.reasons],
        "missing": max(price - balance.available, 0),
        "kept": next(
            (
                entry
                for entry in [offer.waiting, *(v.waiting for v in offer.variants)]
                if queries.is_offered(entry)
            ),
            None,
        ),
        "to_wait_for": [v for v in offer.variants if v.stock_left == 0 and v.waiting is None],
    }
    return render_page(
        request, "portal/item.html", context, partial="sheet", status=422 if form.is_bound else 200
    )


@member_page(methods=("POST",))
def wait(request: MemberRequest, code: str) -> HttpResponse:
    """Take a place on the waiting list of what is sold out."""
    offer = _offer(request, code)
    operations.join_waiting_list(
        member=request.member,
        item=offer.item,
        variant=_variant(offer, request.POST.get("variant", "")),
        by=request.actor,
        at=clock.now(),
    )
    messages.success(request, _("You are on the list. We keep one for you as soon as there is."))
    return hx_redirect(request, reverse("portal:waiting"))


@member_page()
def waiting(request: MemberRequest) -> HttpResponse:
    """List the member's places: what is kept for them, and how many are before them."""
    found = queries.list_my_waiting(member=request.member, at=clock.now())
    context = {
        **shell(active="mall", back="mall"),
        "page_title": _("Waiting list"),
        "rows": [
            {
                "entry": entry,
                "name": text(entry.item.name),
                "variant": text(entry.variant.name) if entry.variant is not None else "",
            }
            for entry in found
        ],
    }
    return render_page(request, "portal/waiting.html", context)


@member_page(methods=("POST",))
def leave(request: MemberRequest, entry_id: int) -> HttpResponse:
    """Give a place on the waiting list up."""
    entry = queries.get_waiting(entry_id=entry_id, member=request.member)
    operations.leave_waiting_list(entry=entry, by=request.actor, at=clock.now())
    return hx_redirect(request, reverse("portal:waiting"))


@member_page()
def addresses(request: MemberRequest) -> HttpResponse:
    """List the addresses that the member keeps."""
    context = {
        **shell(active="me", back="me"),
        "page_title": _("My addresses"),
        "addresses": queries.list_addresses(member=request.member),
    }
    return render_page(request, "portal/addresses.html", context)


@member_page(methods=("POST",))
def forget_address(request: MemberRequest, address_id: int) -> HttpResponse:
    """Forget an address."""
    operations.delete_address(
        member=request.member, address_id=address_id, by=request.actor, at=clock.now()
    )
    return hx_redirect(request, reverse("portal:addresses"))


@member_page(methods=("POST",))
def pay(request: MemberRequest, key: UUID) -> HttpResponse:
    """Lead the member to where the cash part is paid."""
    found = queries.get_order(key=key, member=request.member)
    payment = payments.start_payment(
        order=found, provider=open_way(), by=request.actor, at=clock.now()
    )
    return hx_redirect(request, get_provider(payment.provider).payment_url(payment))


@member_page(methods=("GET", "POST"))
def test_payment(request: MemberRequest, key: UUID) -> HttpResponse:
    """Stand for a provider's page: pay or decline, both by a signed notice."""
    payment = get_payment(key=key, member=request.member)
    if payment.provider != "test":
        raise Http404
    if request.method == "POST":
        at = clock.now()
        headers, body = payments.make_test_notice(
            payment=payment, is_paid=request.POST.get("answer") == "pay", at=at
        )
        payments.receive_notice(provider="test", headers=headers, body=body, at=at)
        return hx_redirect(request, reverse("portal:order", args=[payment.order.key]))
    if payment.state != MallPayment.State.PENDING:
        return HttpResponseRedirect(reverse("portal:order", args=[payment.order.key]))
    context = {
        **shell(active="mall", back="orders"),
        "page_title": _("Test payment"),
        "payment": payment,
        "name": text(payment.order.item.name),
    }
    return render_page(request, "portal/test_payment.html", context)
