"""A member's tier by hand, and what the member has paid for: dialogs on the member's page."""

from django.http import HttpResponse
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from console.access import StaffRequest, staff_page
from console.dialogs import finish, refuse, show_form
from console.member_forms import ReasonForm
from console.membership_forms import OverrideForm, PaymentForm, TermRefundForm
from core import clock
from core.errors import DomainError
from members.profiles.models import Member
from members.profiles.queries import get_member
from members.tiers import operations, paid
from members.tiers.queries import list_tiers
from tenants.accounts import permissions as p
from tenants.brands.context import current_brand


def _finish(request: StaffRequest, member: Member, message: str | Promise) -> HttpResponse:
    url = reverse("console:member", args=[member.number]) + "?tab=tiers"
    return finish(request, message, changed="member", url=url)


@staff_page(p.TIERS_EDIT, methods=("GET", "POST"))
def override(request: StaffRequest, number: str) -> HttpResponse:
    """Hold a member at a tier through a day."""
    member = get_member(number=number)
    tiers = list_tiers(on=clock.today(current_brand().timezone))
    form = OverrideForm(request.POST or None, tiers=tiers)
    if form.is_valid():
        try:
            operations.set_override(
                member=member, by=request.actor, at=clock.now(), **form.cleaned_data
            )
        except DomainError as error:
            refuse(form, error)
        else:
            return _finish(request, member, _("The tier is set."))
    lead = _("From now on, whatever is earned or paid; it ends by itself.")
    return show_form(
        request, form, title=_("Set the tier by hand"), active="members", lead=lead, submit=_("Set")
    )


@staff_page(p.TIERS_EDIT, methods=("GET", "POST"))
def lift(request: StaffRequest, number: str) -> HttpResponse:
    """End what was set by hand."""
    member = get_member(number=number)
    form = ReasonForm(request.POST or None)
    if form.is_valid():
        try:
            operations.lift_override(
                member=member, by=request.actor, at=clock.now(), **form.cleaned_data
            )
        except DomainError as error:
            refuse(form, error)
        else:
            return _finish(request, member, _("The setting has ended."))
    lead = _("The member then holds what is earned or paid.")
    return show_form(
        request, form, title=_("End the setting by hand"), active="members", lead=lead,
        submit=_("End it"),
    )  # fmt: skip


@staff_page(p.MEMBERS_EDIT, methods=("GET", "POST"))
def pay(request: StaffRequest, number: str) -> HttpResponse:
    """Take down a payment for a plan, the first or a renewal."""
    member = get_member(number=number)
    form = PaymentForm(request.POST or None, plans=paid.list_plans())
    if form.is_valid():
        try:
            bought = operations.record_payment(
                member=member, by=request.actor, at=clock.now(), **form.cleaned_data
            )
        except DomainError as error:
            refuse(form, error)
        else:
            done = _("The payment is recorded.") if bought.created else _("It was recorded before.")
            return _finish(request, member, done)
    lead = _("A plan that runs is renewed from its end; another begins today.")
    return show_form(
        request, form, title=_("Record a payment"), active="members", lead=lead, submit=_("Record")
    )


@staff_page(p.MEMBERS_EDIT, methods=("GET", "POST"))
def refund(request: StaffRequest, number: str, term_id: int) -> HttpResponse:
    """Give money back for a term, which ends by it."""
    member = get_member(number=number)
    term = paid.get_term(term_id=term_id)
    form = TermRefundForm(request.POST or None, currency=term.currency, paid_minor=term.price_minor)
    if form.is_valid():
        try:
            operations.refund_term(
                term_id=term.pk, by=request.actor, at=clock.now(), **form.cleaned_data
            )
        except DomainError as error:
            refuse(form, error)
        else:
            return _finish(request, member, _("The membership has ended."))
    lead = _("The tier is lost at once, unless it is earned or held otherwise.")
    return show_form(
        request, form, title=_("Refund the membership"), active="members", lead=lead,
        submit=_("Refund"), tone="danger",
    )  # fmt: skip


@staff_page(p.MEMBERS_EDIT, methods=("POST",))
def renewal(request: StaffRequest, number: str, term_id: int) -> HttpResponse:
    """Stop the renewal of a term, or resume it."""
    member = get_member(number=number)
    renews = request.POST.get("renews") == "1"
    operations.set_renewal(term_id=term_id, renews=renews, by=request.actor, at=clock.now())
    done = _("A renewal is expected.") if renews else _("The membership ends with its period.")
    return _finish(request, member, done)
