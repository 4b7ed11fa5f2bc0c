"""A member's benefits: what can be used and why, using one, following it, rating it."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.http import Http404, HttpResponse
from django.urls import reverse
from django.utils.text import format_lazy
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l

from benefits.grants import operations, queries
from benefits.grants.appointments import get_appointment
from benefits.grants.models import Redemption
from benefits.grants.queries import UsableBenefit
from benefits.grants.tokens import make_token
from core import clock
from core.errors import DomainError
from core.ids import uuid7
from core.web.responses import hx_redirect, render_page
from members.activity.queries import list_stores
from partners.orders.errors import OrderNotFoundError
from partners.orders.models import FulfilmentOrder
from partners.orders.queries import get_order, list_transitions
from portal.access import MemberRequest, member_page
from portal.benefit_rows import row_of, rows_of
from portal.dates import last_day
from portal.nav import TierNames, shell, text
from portal.order_steps import steps_of
from portal.reasons import error_text
from portal.views.appointments import SlotField, choice_for

PAGE = 20
STOP_POLLING = 286
OPEN_STATES = {Redemption.State.REQUESTED, Redemption.State.CONFIRMED}


@member_page()
def index(request: MemberRequest) -> HttpResponse:
    """List all benefits: those that can be used first, then the others with the reason."""
    found = queries.what_may_i_use(member=request.member, at=clock.now(), lang=get_language() or "")
    rows = rows_of(found, names=TierNames())
    context = {
        **shell(active="benefits"),
        "page_title": _("Benefits"),
        "usable": [row for row in rows if row.item.usable],
        "waiting": [row for row in rows if not row.item.usable and row.item.granted],
        "others": [row for row in rows if not row.item.usable and not row.item.granted],
    }
    return render_page(request, "portal/benefits.html", context)


def _item(request: MemberRequest, code: str) -> UsableBenefit:
    found = queries.what_may_i_use(member=request.member, at=clock.now(), lang=get_language() or "")
    for item in found:
        if item.benefit.code == code:
            return item
    raise Http404(_("This benefit does not exist."))


@member_page()
def show(request: MemberRequest, code: str) -> HttpResponse:
    """Show one benefit with its terms and service standard."""
    item = _item(request, code)
    context = {
        **shell(active="benefits", back="benefits"),
        "page_title": item.name,
        "item": item,
        "row": row_of(item, names=TierNames()),
        "valid_until": last_day(item.ends_at) if item.ends_at else "",
        "recent": queries.list_redemptions(member=request.member, benefit=item.benefit, limit=5),
    }
    return render_page(request, "portal/benefit.html", context)


class UseForm(forms.Form):
    """Confirmation that a unit is to be used; `token` makes a double click one use."""

    token = forms.UUIDField(widget=forms.HiddenInput())
    slot_at = forms.DateTimeField(
        label=_l("When would suit you?"),
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        help_text=_l("The provider confirms the time."),
    )
    note = forms.CharField(
        label=_l("Anything we should know?"),
        required=False,
        max_length=300,
        widget=forms.Textarea(attrs={"rows": 2}),
    )

    def __init__(self, *args: Any, mode: str, **options: Any) -> None:
        """`mode`: `now`, `wish` (a partner confirms the time) or `slot` (one of those shown)."""
        super().__init__(*args, **options)
        if mode == "now":
            del self.fields["slot_at"]
            del self.fields["note"]
        if mode == "slot":
            self.fields["slot_at"] = SlotField(
                error_messages={"required": _("Please choose one of the times.")}
            )
            self.fields["store"] = forms.CharField(required=False, max_length=40)

    def clean_slot_at(self) -> Any:
        slot = self.cleaned_data["slot_at"]
        if slot is not None and slot < clock.now():
            raise forms.ValidationError(_("Please choose a time to come."))
        return slot


@member_page(methods=("GET", "POST"))
def use(request: MemberRequest, code: str) -> HttpResponse:
    """Ask whether to use a unit, and use it."""
    item = _item(request, code)
    mode = _mode(item)
    if request.method == "POST":
        form = UseForm(request.POST, mode=mode)
        if form.is_valid():
            try:
                redemption = operations.redeem(
                    member=request.member,
                    grant_id=item.grant_id,
                    key=form.cleaned_data["token"],
                    slot_at=form.cleaned_data.get("slot_at"),
                    store_code=form.cleaned_data.get("store", ""),
                    note=form.cleaned_data.get("note", ""),
                    by=request.actor,
                    at=clock.now(),
                )
            except DomainError as error:
                form.add_error(None, error_text(error))
            else:
                return hx_redirect(request, reverse("portal:redemption", args=[redemption.key]))
    else:
        tomorrow = clock.now() + timedelta(days=2)
        initial = {"token": uuid7(), "slot_at": tomorrow.replace(minute=0)}
        form = UseForm(initial=initial, mode=mode)
    context = {
        **shell(active="benefits", back="benefits"),
        "page_title": item.name,
        "item": item,
        "row": row_of(item, names=TierNames()),
        "form": form,
        "bookable": mode != "now",
        "choice": choice_for(request, code) if mode == "slot" else None,
        "slots_url": reverse("portal:slots", args=[code]),
    }
    status = 422 if form.is_bound else 200
    return render_page(request, "portal/use.html", context, partial="sheet", status=status)


def _mode(item: UsableBenefit) -> str:
    if item.benefit.channel == "partner":
        return "wish"
    return "slot" if item.benefit.by_appointment and item.benefit.channel == "staff" else "now"


def _redemption(request: MemberRequest, key: UUID) -> Redemption:
    return queries.get_redemption(key=key, member=request.member)


def _order(redemption: Redemption) -> FulfilmentOrder | None:
    if redemption.channel != "partner":
        return None
    try:
        return get_order(redemption_id=redemption.pk)
    except OrderNotFoundError:  # the offer to partners is made a moment after the request
        return None


@member_page()
def follow(request: MemberRequest, key: UUID) -> HttpResponse:
    """Show where a use stands: code to show, provider, time, what comes next."""
    redemption = _redemption(request, key)
    order = _order(redemption)
    appointment = get_appointment(redemption=redemption)
    at = clock.now()
    is_open = redemption.state in OPEN_STATES
    context = {
        **shell(active="benefits", back="history"),
        "page_title": text(redemption.benefit.name),
        "redemption": redemption,
        "order": order,
        "steps": steps_of(list_transitions(order_id=order.pk)) if order else [],
        "is_open": is_open,
        "appointment": appointment,
        "store": _store_name(redemption.store_code),
        "may_change": appointment is not None and is_open and at <= appointment.change_until,
        "comes_back": redemption.grant.terms.content["cancel_returns_unit"]
        and (appointment is None or at <= appointment.change_until),
        "shown_code": _shown_code(redemption, at) if is_open else "",
        "may_rate": redemption.state == Redemption.State.FULFILLED and redemption.rating is None,
    }
    polls = request.headers.get("HX-Trigger") == "status"
    status = STOP_POLLING if polls and not is_open else 200
    return render_page(
        request, "portal/redemption.html", context, partial={"status": "status"}, status=status
    )


def _store_name(code: str) -> str:
    return next((row.name for row in list_stores() if row.code == code), code) if code else ""


def _shown_code(redemption: Redemption, at: datetime) -> str:
    """Return what the QR image holds: partners type the plain code, our tills read a signed one."""
    if not redemption.code:
        return ""
    if redemption.channel == "partner":
        return redemption.code
    # The page asks anew every few seconds; the image changes every half minute only.
    half_minute = at.replace(second=at.second // 30 * 30, microsecond=0)
    return make_token(redemption=redemption, at=half_minute)


@member_page(methods=("POST",))
def cancel(request: MemberRequest, key: UUID) -> HttpResponse:
    """Call a use off; the unit comes back where the terms allow."""
    redemption = _redemption(request, key)
    operations.cancel(redemption=redemption, reason="member", by=request.actor, at=clock.now())
    return hx_redirect(request, reverse("portal:redemption", args=[redemption.key]))


def _stars(count: int) -> Any:
    return format_lazy(_l("{count} stars"), count=count)


class RatingForm(forms.Form):
    """Stars, recommendation and words."""

    rating = forms.TypedChoiceField(
        label=_l("How was it?"),
        coerce=int,
        choices=[(1, _l("1 star")), *((n, _stars(n)) for n in range(2, 6))],
        widget=forms.RadioSelect,
    )
    nps = forms.TypedChoiceField(
        label=_l("How likely are you to recommend us?"),
        coerce=int,
        empty_value=None,
        required=False,
        choices=[(n, str(n)) for n in range(11)],
        widget=forms.RadioSelect,
    )
    comment = forms.CharField(
        label=_l("Tell us more"),
        required=False,
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 3}),
    )


@member_page(methods=("GET", "POST"))
def rate(request: MemberRequest, key: UUID) -> HttpResponse:
    """Rate a use after it was fulfilled."""
    redemption = _redemption(request, key)
    form = RatingForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            operations.rate(
                redemption=redemption, by=request.actor, at=clock.now(), **form.cleaned_data
            )
        except DomainError as error:
            form.add_error(None, error.detail)
        else:
            return hx_redirect(request, reverse("portal:redemption", args=[redemption.key]))
    context = {
        **shell(active="benefits", back="history"),
        "page_title": _("Rate"),
        "redemption": redemption,
        "name": text(redemption.benefit.name),
        "form": form,
    }
    status = 422 if form.is_bound else 200
    return render_page(request, "portal/rate.html", context, partial="sheet", status=status)


@member_page()
def history(request: MemberRequest) -> HttpResponse:
    """List past and running uses and mall orders, newest first."""
    after = request.GET.get("after", "")
    found = queries.list_redemptions(
        member=request.member, after=int(after) if after.isdigit() else None, limit=PAGE + 1
    )
    context = {
        **shell(active="me", back="home"),
        "page_title": _("My orders"),
        "rows": [{"redemption": row, "name": text(row.benefit.name)} for row in found[:PAGE]],
        "next": str(found[PAGE - 1].pk) if len(found) > PAGE else "",
    }
    return render_page(request, "portal/history.html", context, partial="rows")
