"""Dialogs of settlement: payment, correction, an answer to a dispute, money paid ahead, contract."""

from typing import Any

from django import forms
from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l

from console.access import StaffRequest, staff_page
from console.dialogs import finish, show_form
from console.fields import FoldedForm, PriceField, ShareField, place_error, with_currency
from console.forms import DateInput, MoneyField
from console.views.partners import url_of as partner_url
from console.views.settlements import url_of
from core import clock
from core.errors import DomainError, NotFoundError
from core.ids import derived_uuid, uuid7
from partners.pool.contracts import add_contract
from partners.pool.queries import get_partner
from partners.settlements import disputes, operations, prepaid, queries
from tenants.accounts import permissions as p
from tenants.brands.context import current_brand


class KeyForm(forms.Form):
    """A form whose effect happens once, however often it is sent."""

    key = forms.UUIDField(widget=forms.HiddenInput(), required=False)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.initial["key"] = uuid7()


class PaidForm(forms.Form):
    """That a statement was paid."""

    reference = forms.CharField(
        label=_l("Reference of the payment"), max_length=80, help_text=_l("As on the bank's slip.")
    )
    paid_on = forms.DateField(label=_l("Paid on"), widget=DateInput())


@staff_page(p.SETTLEMENTS_EDIT, methods=("GET", "POST"))
def mark_paid(request: StaffRequest, number: str) -> HttpResponse:
    """Note that a statement was paid."""
    statement = queries.get_statement(number=number)
    today = clock.today(current_brand().timezone)
    form = PaidForm(request.POST or None, initial={"paid_on": today})
    facts: dict[str, Any] = {
        "title": _("Mark %(number)s as paid") % {"number": statement.number},
        "lead": _("It is final: what turns out wrong later goes to the next statement."),
        "submit": _("Mark as paid"),
        "active": "settlements",
    }
    if not form.is_valid():
        return show_form(request, form, **facts)
    try:
        operations.mark_paid(
            statement=statement, by=request.actor, at=clock.now(), **form.cleaned_data
        )
    except DomainError as error:
        place_error(form, error)
        return show_form(request, form, **facts)
    return finish(request, _("Marked as paid."), changed="settlements", url=url_of(statement))


class CorrectionForm(KeyForm):
    """An amount for a partner's next statement."""

    amount_minor = MoneyField(label=_l("Amount"))
    take_off = forms.BooleanField(label=_l("Take it off instead of paying it"), required=False)
    reason = forms.CharField(
        label=_l("Reason"), max_length=200, help_text=_l("The partner reads it on the line.")
    )


@staff_page(p.SETTLEMENTS_EDIT, methods=("GET", "POST"))
def correct(request: StaffRequest, code: str) -> HttpResponse:
    """Add a correction to a partner's next statement."""
    partner = get_partner(code=code)
    form = CorrectionForm(request.POST or None)
    with_currency(form)
    facts: dict[str, Any] = {
        "title": _("Correction for %(name)s") % {"name": partner.name},
        "lead": _("It is a line of the next statement; statements that exist stay as they are."),
        "submit": _("Add"),
        "active": "settlements",
    }
    if not form.is_valid():
        return show_form(request, form, **facts)
    data = form.cleaned_data
    try:
        operations.correct(
            partner=partner,
            amount_minor=-data["amount_minor"] if data["take_off"] else data["amount_minor"],
            reason=data["reason"],
            key=derived_uuid("console-correction", str(data["key"] or uuid7())),
            by=request.actor,
            at=clock.now(),
        )
    except DomainError as error:
        place_error(form, error)
        return show_form(request, form, **facts)
    return finish(
        request, _("Correction added."), changed="settlements", url=reverse("console:settlements")
    )


class AnswerForm(forms.Form):
    """An answer to a disputed line."""

    verdict = forms.ChoiceField(
        label=_l("Answer"),
        choices=[
            ("reply", _l("Only reply; decide later")),
            ("grant", _l("Grant another amount")),
            ("reject", _l("Reject: the line stays as it is")),
        ],
        widget=forms.RadioSelect(),
    )
    granted = PriceField(label=_l("Amount granted"), required=False)
    text = forms.CharField(
        label=_l("What you tell the partner"),
        widget=forms.Textarea(attrs={"rows": 4}),
        max_length=disputes.TEXT_LENGTH,
    )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("verdict") == "grant" and data.get("granted") in {None, ""}:
            self.add_error("granted", _("Say which amount you grant."))
        return data


@staff_page(p.SETTLEMENTS_EDIT, methods=("GET", "POST"))
def answer(request: StaffRequest, number: str, line_id: int) -> HttpResponse:
    """Reply to a disputed line, or decide it for good."""
    statement = queries.get_statement(number=number)
    dispute = queries.get_dispute(statement=statement, line_id=line_id)
    expected = dispute.expected_minor
    form = AnswerForm(
        request.POST or None,
        initial={"verdict": "reply", "granted": expected if (expected or 0) > 0 else None},
    )
    with_currency(form)
    facts: dict[str, Any] = {
        "title": _("Answer the objection"),
        "lead": _("What you grant becomes a correction on this statement."),
        "submit": _("Answer"),
        "active": "settlements",
    }
    if not form.is_valid():
        return show_form(request, form, **facts)
    data = form.cleaned_data
    common: dict[str, Any] = {
        "statement": statement,
        "line_id": line_id,
        "text": data["text"],
        "by": request.actor,
        "at": clock.now(),
    }
    try:
        if data["verdict"] == "reply":
            disputes.write_message(**common)
        else:
            granted = data["granted"] if data["verdict"] == "grant" else None
            if granted is not None and dispute.line.amount_minor < 0:
                granted = -granted
            disputes.decide(granted_minor=granted, **common)
    except DomainError as error:
        place_error(form, error)
        return show_form(request, form, **facts)
    return finish(request, _("Answered."), changed="settlements", url=url_of(statement))


class PackForm(KeyForm):
    """Money paid to a partner ahead."""

    amount_minor = MoneyField(label=_l("Amount"))
    reference = forms.CharField(label=_l("Reference of the payment"), max_length=80)


@staff_page(p.SETTLEMENTS_EDIT, methods=("GET", "POST"))
def pay_ahead(request: StaffRequest, code: str, how: str) -> HttpResponse:
    """Note that money was paid ahead, or that some of it came back."""
    if how not in {"ahead", "back"}:
        raise NotFoundError
    partner = get_partner(code=code)
    back = how == "back"
    form = PackForm(request.POST or None)
    with_currency(form)
    facts: dict[str, Any] = {
        "title": (_("Paid back by %(name)s") if back else _("Paid ahead to %(name)s"))
        % {"name": partner.name},
        "lead": "" if back else _("Coming statements draw on it before anything is to be paid."),
        "submit": _("Note it"),
        "active": "settlements",
    }
    if not form.is_valid():
        return show_form(request, form, **facts)
    data = form.cleaned_data
    act = prepaid.refund if back else prepaid.buy_pack
    try:
        act(
            partner=partner,
            amount_minor=data["amount_minor"],
            reference=data["reference"],
            key=derived_uuid("console-prepaid", str(data["key"] or uuid7())),
            by=request.actor,
            at=clock.now(),
        )
    except DomainError as error:
        place_error(form, error)
        return show_form(request, form, **facts)
    return finish(
        request,
        _("Noted."),
        changed="settlements",
        url=reverse("console:prepaid", args=[partner.code]),
    )


class ContractForm(FoldedForm):
    """What is agreed with a partner from a day on."""

    valid_from = forms.DateField(label=_l("From"), widget=DateInput())
    valid_to = forms.DateField(
        label=_l("Until"),
        widget=DateInput(),
        required=False,
        help_text=_l("First day on which it no longer holds; empty: without an end."),
    )
    reference = forms.CharField(label=_l("Contract number"), max_length=80, required=False)
    commission_bp = ShareField(
        label=_l("Commission kept (%)"), min_value=0, max_value=100, initial=0
    )
    monthly_fee_minor = PriceField(label=_l("Monthly fee"), initial=0)
    late_penalty_bp = ShareField(
        label=_l("Taken off when late (%)"), min_value=0, max_value=100, initial=0
    )
    failure_penalty_minor = PriceField(
        label=_l("Taken off when it fails or is handed back"), initial=0
    )
    cancel_fee_bp = ShareField(
        label=_l("Paid when called off too late (%)"), min_value=0, max_value=100, initial=0
    )
    cancel_notice_hours = forms.IntegerField(
        label=_l("Free until so many hours before"), min_value=0, initial=24
    )
    objection_days = forms.IntegerField(
        label=_l("Days to object to a statement"), min_value=0, initial=10
    )
    payment_days = forms.IntegerField(
        label=_l("Days from approval to payment"), min_value=0, initial=30
    )
    low_float_minor = PriceField(
        label=_l("Tell when less is left of what was paid ahead"), required=False
    )
    folded = ("objection_days", "payment_days", "low_float_minor", "reference", "valid_to")
    folded_label = _l("Time limits and money paid ahead")


@staff_page(p.PARTNERS_EDIT, methods=("GET", "POST"))
def new_contract(request: StaffRequest, code: str) -> HttpResponse:
    """Write down what holds with a partner from a day on."""
    partner = get_partner(code=code)
    today = clock.today(current_brand().timezone)
    form = ContractForm(request.POST or None, initial={"valid_from": today})
    with_currency(form)
    facts: dict[str, Any] = {
        "title": _("New terms with %(name)s") % {"name": partner.name},
        "lead": _("Orders keep the terms in force when they were accepted."),
        "active": "partners",
    }
    if not form.is_valid():
        return show_form(request, form, **facts)
    data = dict(form.cleaned_data)
    data["low_float_minor"] = data["low_float_minor"] or None
    try:
        add_contract(partner=partner, by=request.actor, at=clock.now(), **data)
    except DomainError as error:
        place_error(form, error)
        return show_form(request, form, **facts)
    return finish(request, _("Terms saved."), changed="partners", url=partner_url(partner))
