"""Redemptions: what members have asked for, how far it is, and what staff do about it."""

from typing import Any

from django import forms
from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l

from benefits.catalogue.models import Benefit
from benefits.catalogue.queries import list_benefits, localized
from benefits.grants import operations, queries
from benefits.grants.appointments import get_appointment
from benefits.grants.errors import (
    InvalidTokenError,
    TokenExpiredError,
    TokenUsedError,
    UnknownRedemptionError,
)
from benefits.grants.models import Redemption
from benefits.grants.states import OPEN, may_follow
from benefits.grants.tokens import is_token, read_token
from console.access import StaffRequest, staff_page
from console.dialogs import finish, refuse, show_form
from console.nav import shell
from console.people import actor_names
from console.views.appointments import store_names
from core import clock
from core.errors import DomainError
from core.web.responses import render_page
from partners.orders.errors import OrderNotFoundError
from partners.orders.queries import get_order
from tenants.accounts import permissions as p

PAGE = 30
# Partners move their own orders on; what is handed over at once needs no hand.
_BY_STAFF = {Benefit.Channel.STAFF, Benefit.Channel.CODE}


@staff_page(p.ORDERS_VIEW)
def index(request: StaffRequest) -> HttpResponse:
    """List redemptions, newest first, or find the one whose code a member shows."""
    code = request.GET.get("q", "").strip()
    chosen = {name: request.GET.get(name, "") for name in ("state", "channel", "benefit")}
    benefits = list_benefits()
    found, refused = _by_code(code) if code else (_filtered(request, chosen, benefits), "")
    now = clock.now()
    language = get_language()
    context = {
        **shell(request, active="redemptions"),
        "page_title": _("Redemptions"),
        "q": code,
        "refused": refused,
        **chosen,
        "states": [("open", _("Open")), *Redemption.State.choices],
        "channels": Benefit.Channel.choices,
        "benefits": sorted(
            ((row.code, localized(row.name, language)) for row in benefits), key=lambda it: it[1]
        ),
        "rows": [{"redemption": row, "is_late": _is_late(row, now)} for row in found[:PAGE]],
        "next": str(found[PAGE - 1].pk) if len(found) > PAGE else "",
    }
    return render_page(request, "console/redemptions.html", context, partial="rows")


def _by_code(code: str) -> tuple[list[Redemption], str]:
    """Find by the plain code, or by the one that a scanner reads off the member's screen.

    Returns what was found, else why nothing is where there is more to say.
    """
    try:
        if is_token(code):
            return [read_token(text=code, at=clock.now())], ""
        return [queries.find_by_code(code=code)], ""
    except (InvalidTokenError, TokenExpiredError, TokenUsedError) as error:
        return [], error.detail
    except UnknownRedemptionError:
        return [], ""


def _filtered(
    request: StaffRequest, chosen: dict[str, str], benefits: list[Benefit]
) -> list[Redemption]:
    after = request.GET.get("after", "")
    state: Any = sorted(OPEN) if chosen["state"] == "open" else chosen["state"]
    return queries.list_redemptions(
        state=state if chosen["state"] in {"open", *Redemption.State.values} else None,
        channel=chosen["channel"] if chosen["channel"] in Benefit.Channel.values else None,
        benefit=next((row for row in benefits if row.code == chosen["benefit"]), None),
        after=int(after) if after.isdigit() else None,
        limit=PAGE + 1,
    )


def _is_late(redemption: Redemption, now: Any) -> bool:
    due_at = redemption.due_at
    return redemption.state in OPEN and due_at is not None and due_at < now


@staff_page(p.ORDERS_VIEW)
def show(request: StaffRequest, redemption_id: int) -> HttpResponse:
    """Show one redemption with its steps and what staff can do next."""
    redemption = queries.get_redemption(id=redemption_id)
    steps = queries.list_steps(redemption=redemption)
    names = actor_names([redemption.requested_by, *(step.actor for step in steps)])
    by_hand = redemption.channel in _BY_STAFF
    appointment = get_appointment(redemption=redemption)
    context = {
        **shell(request, active="redemptions"),
        "page_title": localized(redemption.benefit.name, get_language()),
        "redemption": redemption,
        "words": getattr(redemption, "words", None),
        "requested_by": names[redemption.requested_by],
        "steps": [
            {"step": step, "by": names[step.actor], "tone": _TONES.get(step.to_state, "muted")}
            for step in steps[::-1]
        ],
        "order": _order_of(redemption),
        "is_late": _is_late(redemption, clock.now()),
        "appointment": appointment,
        "store": store_names().get(redemption.store_code, redemption.store_code)
        if appointment
        else "",
        "can": {
            "move": appointment is not None and redemption.state in OPEN,
            "confirm": by_hand and may_follow("confirmed", after=redemption.state),
            "fulfil": by_hand and may_follow("fulfilled", after=redemption.state),
            "cancel": may_follow("cancelled", after=redemption.state),
        },
    }
    return render_page(request, "console/redemption.html", context, partial="redemption")


_TONES = {"confirmed": "info", "fulfilled": "ok", "failed": "bad", "expired": "warn"}


def _order_of(redemption: Redemption) -> Any:
    if redemption.channel != Benefit.Channel.PARTNER:
        return None
    try:
        return get_order(redemption_id=redemption.pk)
    except OrderNotFoundError:
        return None


@staff_page(p.ORDERS_EDIT, methods=("POST",))
def confirm(request: StaffRequest, redemption_id: int) -> HttpResponse:
    """Say that it will be carried out."""
    redemption = queries.get_redemption(id=redemption_id)
    operations.confirm(redemption=redemption, by=request.actor, at=clock.now())
    return finish(request, _("Confirmed."), changed="redemptions", url=_url(redemption))


@staff_page(p.ORDERS_EDIT, methods=("POST",))
def fulfil(request: StaffRequest, redemption_id: int) -> HttpResponse:
    """Say that it was carried out; its cost is booked."""
    redemption = queries.get_redemption(id=redemption_id)
    operations.fulfil(redemption=redemption, by=request.actor, at=clock.now())
    return finish(request, _("Fulfilled."), changed="redemptions", url=_url(redemption))


class CancelForm(forms.Form):
    """Why it is called off, and whether the member gets the unit back."""

    reason = forms.CharField(label=_l("Reason"), max_length=200)
    give_back = forms.BooleanField(
        label=_l("The member gets the unit back"), required=False, initial=True
    )


@staff_page(p.ORDERS_EDIT, methods=("GET", "POST"))
def cancel(request: StaffRequest, redemption_id: int) -> HttpResponse:
    """Call a redemption off."""
    redemption = queries.get_redemption(id=redemption_id)
    form = CancelForm(request.POST or None)
    facts: dict[str, Any] = {
        "title": _("Cancel this redemption"),
        "submit": _("Cancel the redemption"),
        "tone": "danger",
        "active": "redemptions",
    }
    if not form.is_valid():
        return show_form(request, form, **facts)
    try:
        operations.cancel(
            redemption=redemption, by=request.actor, at=clock.now(), **form.cleaned_data
        )
    except DomainError as error:
        refuse(form, error)
        return show_form(request, form, **facts)
    return finish(request, _("Cancelled."), changed="redemptions", url=_url(redemption))


def _url(redemption: Redemption) -> str:
    return reverse("console:redemption", args=[redemption.pk])
