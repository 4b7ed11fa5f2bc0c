"""Dialogs of the partner pool: invite, contact, pause, end, offerings, prices, days, keys."""

from datetime import date
from typing import Any

from django import forms
from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l

from benefits.catalogue.queries import get_benefit, list_benefits, localized
from benefits.catalogue.stages import LIVE
from console.access import StaffRequest, staff_page
from console.dialogs import finish, lead_on, refuse, show_form
from console.fields import ListField, PriceField, place_error, with_currency
from console.forms import DateInput
from console.nav import shell
from console.views.partners import url_of
from core import clock
from core.errors import DomainError, NotFoundError
from core.web.responses import render_page, trigger
from partners.pool import operations, queries
from partners.pool.models import Offering
from tenants.accounts import permissions as p
from tenants.brands.context import current_brand


class ContactForm(forms.Form):
    """A partner's name and business contact."""

    name = forms.CharField(label=_l("Name"), max_length=120)
    contact_name = forms.CharField(label=_l("Contact person"), max_length=120, required=False)
    contact_email = forms.EmailField(label=_l("E-mail"), max_length=254, required=False)
    contact_phone = forms.CharField(label=_l("Phone"), max_length=40, required=False)


class InviteForm(ContactForm):
    """A new partner."""

    code = forms.RegexField(
        r"^[a-z0-9][a-z0-9-]*$",
        label=_l("Code"),
        max_length=40,
        help_text=_l("Small letters, digits and hyphens; fixed for good."),
    )
    field_order = ("name", "code")


@staff_page(p.PARTNERS_EDIT, methods=("GET", "POST"))
def invite(request: StaffRequest) -> HttpResponse:
    """Add a partner to the pool."""
    form = InviteForm(request.POST or None)
    facts: dict[str, Any] = {
        "title": _("Invite a partner"),
        "lead": _("It is offered nothing before you activate it."),
        "submit": _("Invite"),
        "active": "partners",
    }
    if not form.is_valid():
        return show_form(request, form, **facts)
    try:
        partner = operations.invite_partner(by=request.actor, at=clock.now(), **form.cleaned_data)
    except DomainError as error:
        place_error(form, error)
        return show_form(request, form, **facts)
    return lead_on(request, _("Partner added."), url=url_of(partner))


@staff_page(p.PARTNERS_EDIT, methods=("GET", "POST"))
def edit(request: StaffRequest, code: str) -> HttpResponse:
    """Change a partner's name and contact."""
    partner = queries.get_partner(code=code)
    initial = {name: getattr(partner, name) for name in ContactForm.base_fields}
    form = ContactForm(request.POST or None, initial=initial)
    title = _("Change %(name)s") % {"name": partner.name}
    if not form.is_valid():
        return show_form(request, form, title=title, active="partners")
    try:
        operations.update_partner(
            partner=partner, by=request.actor, at=clock.now(), **form.cleaned_data
        )
    except DomainError as error:
        place_error(form, error)
        return show_form(request, form, title=title, active="partners")
    return finish(request, _("Saved."), changed="partners", url=url_of(partner))


class ReasonForm(forms.Form):
    """Why the work with a partner stops."""

    reason = forms.CharField(label=_l("Reason"), max_length=200)


@staff_page(p.PARTNERS_EDIT, methods=("GET", "POST"))
def stop(request: StaffRequest, code: str, how: str) -> HttpResponse:
    """Pause a partner, or end the work with it for good."""
    if how not in {"pause", "end"}:
        raise NotFoundError
    partner = queries.get_partner(code=code)
    form = ReasonForm(request.POST or None)
    ends = how == "end"
    facts: dict[str, Any] = {
        "title": (_("End the work with %(name)s") if ends else _("Pause %(name)s"))
        % {"name": partner.name},
        "lead": _("No new orders, and all its keys are revoked. This cannot be undone.")
        if ends
        else _("Nothing new is offered; what it has accepted stays with it."),
        "submit": _("End") if ends else _("Pause"),
        "tone": "danger" if ends else "primary",
        "active": "partners",
    }
    if not form.is_valid():
        return show_form(request, form, **facts)
    act = operations.end_partner if ends else operations.pause_partner
    try:
        act(
            partner=partner,
            reason=form.cleaned_data["reason"],
            by=request.actor,
            at=clock.now(),
        )
    except DomainError as error:
        refuse(form, error)
        return show_form(request, form, **facts)
    return finish(
        request, _("Ended.") if ends else _("Paused."), changed="partners", url=url_of(partner)
    )


class OfferingForm(forms.Form):
    """That a partner delivers a benefit: where, how much, how fast, at what price."""

    price_minor = PriceField(label=_l("Unit price"))
    price_from = forms.DateField(
        label=_l("Price from"),
        widget=DateInput(),
        required=False,
        help_text=_l("Empty: from today on."),
    )
    capacity_per_day = forms.IntegerField(label=_l("Orders a day"), min_value=0)
    regions = ListField(
        label=_l("Regions served"),
        required=False,
        help_text=_l("With commas between; empty: everywhere."),
    )
    lead_time_hours = forms.IntegerField(label=_l("Notice needed (hours)"), min_value=0, initial=0)
    sla_hours = forms.IntegerField(
        label=_l("Fulfilled within (hours)"),
        min_value=1,
        initial=48,
        help_text=_l("From acceptance on."),
    )


class NewOfferingForm(OfferingForm):
    """A further benefit that a partner delivers."""

    benefit = forms.ChoiceField(label=_l("Benefit"))
    field_order = ("benefit",)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["benefit"].choices = [  # type: ignore[attr-defined]
            (row.code, localized(row.name, get_language()))
            for row in list_benefits(stages=LIVE)
            if row.channel == "partner"
        ]


@staff_page(p.PARTNERS_EDIT, methods=("GET", "POST"))
def add_offering(request: StaffRequest, code: str) -> HttpResponse:
    """Say that a partner delivers a benefit."""
    partner = queries.get_partner(code=code)
    form = NewOfferingForm(request.POST or None)
    with_currency(form)
    title = _("New offering of %(name)s") % {"name": partner.name}
    if not form.is_valid():
        return show_form(request, form, title=title, active="partners")
    data = dict(form.cleaned_data)
    try:
        operations.set_offering(
            partner=partner,
            benefit=get_benefit(code=data.pop("benefit")),
            by=request.actor,
            at=clock.now(),
            **data,
        )
    except DomainError as error:
        place_error(form, error)
        return show_form(request, form, title=title, active="partners")
    return finish(request, _("Offering saved."), changed="partners", url=url_of(partner))


@staff_page(p.PARTNERS_EDIT, methods=("GET", "POST"))
def edit_offering(request: StaffRequest, offering_id: int) -> HttpResponse:
    """Change where, how much, how fast and at what price a partner delivers a benefit."""
    offering = queries.get_offering(offering_id=offering_id)
    today = clock.today(current_brand().timezone)
    initial = {
        **{
            name: getattr(offering, name)
            for name in ("capacity_per_day", "regions", "lead_time_hours", "sla_hours")
        },
        "price_minor": queries.get_price(offering_id=offering.pk, on=today),
    }
    form = OfferingForm(request.POST or None, initial=initial)
    with_currency(form)
    title = _("Offering: %(name)s") % {"name": localized(offering.benefit.name, get_language())}
    lead = _("A new price holds for orders accepted from its day on.")
    if not form.is_valid():
        return show_form(request, form, title=title, lead=lead, active="partners")
    try:
        operations.set_offering(
            partner=offering.partner,
            benefit=offering.benefit,
            valid_to=offering.valid_to,
            by=request.actor,
            at=clock.now(),
            **form.cleaned_data,
        )
    except DomainError as error:
        place_error(form, error)
        return show_form(request, form, title=title, lead=lead, active="partners")
    return finish(request, _("Offering saved."), changed="partners", url=_url(offering))


@staff_page(p.PARTNERS_EDIT, methods=("POST",))
def offering_status(request: StaffRequest, offering_id: int, status: str) -> HttpResponse:
    """Pause, end or resume an offering."""
    offering = queries.get_offering(offering_id=offering_id)
    operations.change_offering(offering=offering, status=status, by=request.actor, at=clock.now())
    return finish(request, _("Saved."), changed="partners", url=_url(offering))


class DayForm(forms.Form):
    """What an offering takes on one day."""

    capacity = forms.IntegerField(
        label=_l("Orders on this day"), min_value=0, help_text=_l("0 closes the day.")
    )


@staff_page(p.PARTNERS_EDIT, methods=("GET", "POST"))
def set_day(request: StaffRequest, offering_id: int, day: str) -> HttpResponse:
    """Name what an offering takes on one day."""
    offering = queries.get_offering(offering_id=offering_id)
    on_date = _day(day)
    (found,) = queries.list_days(offering=offering, start=on_date, days=1)
    form = DayForm(request.POST or None, initial={"capacity": found.capacity})
    title = _("Capacity on %(day)s") % {"day": on_date.isoformat()}
    lead = _("%(count)s reserved already.") % {"count": found.reserved}
    if not form.is_valid():
        return show_form(request, form, title=title, lead=lead, active="partners")
    try:
        operations.set_capacity(
            offering=offering,
            on_date=on_date,
            capacity=form.cleaned_data["capacity"],
            by=request.actor,
            at=clock.now(),
        )
    except DomainError as error:
        place_error(form, error)
        return show_form(request, form, title=title, lead=lead, active="partners")
    return finish(request, _("Saved."), changed="partners", url=_url(offering))


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise NotFoundError from None


class KeyForm(forms.Form):
    """A key to the partner API."""

    name = forms.CharField(
        label=_l("Name"), max_length=80, help_text=_l("What will use it, such as “Booking system”.")
    )
    is_live = forms.TypedChoiceField(
        label=_l("For"),
        choices=[("yes", _l("Live orders")), ("no", _l("The sandbox"))],
        coerce=lambda value: value == "yes",
    )


@staff_page(p.PARTNERS_EDIT, methods=("GET", "POST"))
def create_key(request: StaffRequest, code: str) -> HttpResponse:
    """Make a key to the partner API; its text is shown this once."""
    partner = queries.get_partner(code=code)
    form = KeyForm(request.POST or None)
    title = _("New key for %(name)s") % {"name": partner.name}
    if not form.is_valid():
        return show_form(request, form, title=title, active="partners")
    try:
        key, secret = operations.create_key(
            partner=partner, by=request.actor, at=clock.now(), **form.cleaned_data
        )
    except DomainError as error:
        refuse(form, error)
        return show_form(request, form, title=title, active="partners")
    context = {
        **shell(request, active="partners"),
        "page_title": _("Key made"),
        "key": key,
        "secret": secret,
        "back": url_of(partner),
    }
    response = render_page(request, "console/partner_key.html", context, partial="secret")
    response["Cache-Control"] = "no-store"
    return trigger(response, "partners:changed")


def _url(offering: Offering) -> str:
    address = reverse("console:partner", args=[offering.partner.code])
    return f"{address}?offering={offering.pk}"
