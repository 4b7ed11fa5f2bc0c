"""What staff do about one member: dialogs on the member's page."""

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from django import forms
from django.http import HttpResponse
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from benefits.catalogue.queries import get_benefit, list_benefits
from benefits.catalogue.stages import LIVE
from benefits.grants.operations import grant, revoke
from benefits.grants.queries import get_grant
from console.access import StaffRequest, staff_page
from console.dialogs import finish, refuse, show_form
from console.member_forms import (
    AdjustForm,
    GiveForm,
    ProfileForm,
    ReasonForm,
    RefundForm,
    profile_values,
)
from core import clock
from core.errors import DomainError, NotFoundError
from members.activity.queries import get_purchase
from members.earning.operations import record_refund
from members.points.operations import ask_adjustment
from members.points.queries import list_wallets
from members.profiles import operations
from members.profiles.models import Member
from members.profiles.queries import get_member
from tenants.accounts import permissions as p
from tenants.brands.context import current_brand


def _finish(request: StaffRequest, member: Member, message: str | Promise) -> HttpResponse:
    url = reverse("console:member", args=[member.number])
    return finish(request, message, changed="member", url=url)


def _show(
    request: StaffRequest, form: forms.Form, title: str, *, submit: str = "", lead: str = ""
) -> HttpResponse:
    return show_form(request, form, title=title, active="members", submit=submit, lead=lead)


@staff_page(p.MEMBERS_EDIT, methods=("GET", "POST"))
def edit(request: StaffRequest, number: str) -> HttpResponse:
    """Change what is known of a member."""
    member = get_member(number=number)
    form = ProfileForm(request.POST or None, initial=profile_values(member))
    title = _("Edit %(number)s") % {"number": member.number}
    if not form.is_valid():
        return _show(request, form, title)
    try:
        operations.update_profile(
            member=member, by=request.actor, at=clock.now(), **form.cleaned_data
        )
    except DomainError as error:
        refuse(form, error)
        return _show(request, form, title)
    return _finish(request, member, _("Saved."))


@staff_page(p.MEMBERS_EDIT, methods=("GET", "POST"))
def block(request: StaffRequest, number: str) -> HttpResponse:
    """Stop a member from earning and redeeming."""
    member = get_member(number=number)
    form = ReasonForm(request.POST or None)
    title, lead = (
        _("Block this member"),
        _(
            "Purchases stay recorded; nothing is earned or used until the block is lifted. "
            "The member reads the reason in the portal."
        ),
    )
    if not form.is_valid():
        return _show(request, form, title, submit=_("Block"), lead=lead)
    try:
        operations.block_member(
            member=member, reason=form.cleaned_data["reason"], by=request.actor, at=clock.now()
        )
    except DomainError as error:
        refuse(form, error)
        return _show(request, form, title, submit=_("Block"), lead=lead)
    return _finish(request, member, _("Blocked."))


@staff_page(p.MEMBERS_EDIT, methods=("GET", "POST"))
def unblock(request: StaffRequest, number: str) -> HttpResponse:
    """Let a blocked member earn and redeem again."""
    member = get_member(number=number)
    form = ReasonForm(request.POST or None)
    if not form.is_valid():
        return _show(request, form, _("Lift the block"), submit=_("Lift"))
    try:
        operations.unblock_member(
            member=member, reason=form.cleaned_data["reason"], by=request.actor, at=clock.now()
        )
    except DomainError as error:
        refuse(form, error)
        return _show(request, form, _("Lift the block"), submit=_("Lift"))
    return _finish(request, member, _("The block is lifted."))


@staff_page(p.POINTS_ADJUST, methods=("GET", "POST"))
def adjust_points(request: StaffRequest, number: str) -> HttpResponse:
    """Correct a balance by hand, with a reason."""
    member = get_member(number=number)
    form = AdjustForm(
        request.POST or None, wallets=[(row.code, row.name) for row in list_wallets()[2:]]
    )
    title, lead = (
        _("Adjust points"),
        _("Growth given by hand moves the tier in the next night, not at once."),
    )
    if not form.is_valid():
        return _show(request, form, title, submit=_("Adjust"), lead=lead)
    try:
        done = ask_adjustment(
            owner_id=member.pk,
            wallet=form.cleaned_data["wallet"],
            amount=form.signed_amount,
            reason=form.cleaned_data["reason"],
            key=form.effect_key,
            by=request.actor,
            at=clock.now(),
        )
    except DomainError as error:
        refuse(form, error)
        return _show(request, form, title, submit=_("Adjust"), lead=lead)
    if done.posting is None:
        return _finish(
            request, member, _("This is more than you may adjust alone: it waits for consent.")
        )
    return _finish(request, member, _("The balance is adjusted."))


@staff_page(p.MEMBERS_EDIT, methods=("GET", "POST"))
def refund_purchase(request: StaffRequest, number: str) -> HttpResponse:
    """Record that part or all of a purchase was given back."""
    member = get_member(number=number)
    purchase = get_purchase(external_id=request.GET.get("purchase", ""))
    if purchase.member_id != member.pk:
        raise NotFoundError
    form = RefundForm(
        request.POST or None, currency=purchase.currency, left_minor=purchase.net_minor
    )
    title = _("Refund purchase %(id)s") % {"id": purchase.external_id}
    lead = _("Points and growth it earned are taken back in proportion; the money is not moved.")
    if not form.is_valid():
        return _show(request, form, title, submit=_("Record the refund"), lead=lead)
    at = clock.now()
    try:
        record_refund(
            purchase_external_id=purchase.external_id,
            external_id=form.cleaned_data["external_id"],
            amount_minor=form.cleaned_data["amount_minor"],
            occurred_at=at,
            by=request.actor,
            at=at,
        )
    except DomainError as error:
        refuse(form, error)
        return _show(request, form, title, submit=_("Record the refund"), lead=lead)
    return _finish(request, member, _("The refund is recorded."))


@staff_page(p.POINTS_ADJUST, methods=("GET", "POST"))
def give_benefit(request: StaffRequest, number: str) -> HttpResponse:
    """Give a benefit by hand."""
    member = get_member(number=number)
    form = GiveForm(request.POST or None, benefits=list_benefits(stages=LIVE))
    title = _("Give a benefit")
    if not form.is_valid():
        return _show(request, form, title, submit=_("Give"))
    try:
        grant(
            member=member,
            benefit=get_benefit(code=form.cleaned_data["benefit"]),
            quantity=form.cleaned_data["quantity"],
            period_key=f"staff-{form.effect_key.hex}",
            ends_at=_end_of(form),
            reason={"code": "granted_by_staff", "note": form.cleaned_data["note"]},
            by=request.actor,
            at=clock.now(),
        )
    except DomainError as error:
        refuse(form, error)
        return _show(request, form, title, submit=_("Give"))
    return _finish(request, member, _("The benefit is given."))


def _end_of(form: GiveForm) -> datetime | None:
    """Return the first instant after the last good day, in the brand's zone."""
    day = form.cleaned_data["ends_on"]
    if day is None:
        return None
    zone = ZoneInfo(current_brand().timezone)
    return datetime.combine(day + timedelta(days=1), time(), tzinfo=zone)


@staff_page(p.POINTS_ADJUST, methods=("GET", "POST"))
def revoke_grant(request: StaffRequest, number: str, grant_id: int) -> HttpResponse:
    """Take back what is left of a benefit."""
    member = get_member(number=number)
    found = get_grant(grant_id=grant_id, member=member)
    form = ReasonForm(request.POST or None)
    if not form.is_valid():
        return _show(request, form, _("Take back what is left"), submit=_("Take back"))
    revoke(grant=found, reason=form.cleaned_data["reason"], by=request.actor, at=clock.now())
    return _finish(request, member, _("Taken back."))
