"""The cash part of mall orders: marked paid, given back, and the ways members pay."""

from django import forms
from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l

from benefits.mall import queries
from benefits.mall.payments import operations
from benefits.mall.payments.queries import get_payment
from console.access import StaffRequest, staff_page
from console.dialogs import finish, refuse, show_form
from core import clock
from core.errors import DomainError
from tenants.accounts import permissions as p


class ReferenceForm(forms.Form):
    """The number of the receipt."""

    reference = forms.CharField(
        label=_l("Reference"), max_length=120, help_text=_l("Number of the receipt or transfer.")
    )


@staff_page(p.ORDERS_EDIT, methods=("GET", "POST"))
def record_payment(request: StaffRequest, number: str) -> HttpResponse:
    """Mark the cash part as paid; the order is confirmed."""
    found = queries.get_order(number=number)
    form = ReferenceForm(request.POST or None)
    if form.is_valid():
        try:
            operations.record_payment(
                order=found, by=request.actor, at=clock.now(), **form.cleaned_data
            )
        except DomainError as error:
            refuse(form, error)
        else:
            url = reverse("console:mall_order", args=[found.number])
            return finish(request, _("Marked as paid."), changed="mall", url=url)
    return show_form(
        request,
        form,
        title=_("Paid in cash"),
        lead=_("The order is confirmed and the points are spent."),
        submit=_("Mark as paid"),
        active="mall",
    )


@staff_page(p.ORDERS_EDIT, methods=("GET", "POST"))
def record_refund(request: StaffRequest, payment_id: int) -> HttpResponse:
    """Say that money which fell due has gone back."""
    payment = get_payment(payment_id=payment_id)
    form = ReferenceForm(request.POST or None)
    if form.is_valid():
        try:
            operations.record_refund(
                payment=payment, by=request.actor, at=clock.now(), **form.cleaned_data
            )
        except DomainError as error:
            refuse(form, error)
        else:
            url = reverse("console:mall_order", args=[payment.order.number])
            return finish(request, _("Refund recorded."), changed="mall", url=url)
    return show_form(
        request, form, title=_("Cash given back"), submit=_("Record the refund"), active="mall"
    )


@staff_page(p.MALL_EDIT, methods=("POST",))
def switch_way(request: StaffRequest, provider: str, way: str) -> HttpResponse:
    """Switch a way of paying on or off."""
    switch = operations.open_account if way == "on" else operations.close_account
    switch(provider=provider, by=request.actor, at=clock.now())
    return finish(request, _("Saved."), changed="mall", url=reverse("console:mall_orders"))
