"""Choosing a time for what is used by appointment, and changing it."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django import forms
from django.http import Http404, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from benefits.catalogue.queries import get_benefit
from benefits.grants import operations, queries
from benefits.grants.appointments import get_appointment
from core import clock
from core.errors import DomainError
from core.web.responses import hx_redirect, render_page
from portal.access import MemberRequest, member_page
from portal.nav import shell, text
from portal.reasons import error_text
from portal.slots import SlotChoice, slot_choice


class SlotField(forms.CharField):
    """A time chosen from those shown: RFC 3339 text with its offset."""

    def to_python(self, value: Any) -> Any:
        found = super().to_python(value)
        if not found:
            return None
        try:
            moment = datetime.fromisoformat(found)
        except ValueError:
            moment = None
        if moment is None or moment.tzinfo is None:
            raise forms.ValidationError(_("Please choose one of the times."))
        return moment


def choice_for(request: MemberRequest, code: str) -> SlotChoice:
    """Return the times of a benefit that the request asks for, by `store` and `from`."""
    asked = request.POST if request.method == "POST" else request.GET
    return slot_choice(
        benefit=get_benefit(code=code),
        store=asked.get("store", ""),
        from_on=asked.get("from", ""),
        address=reverse("portal:slots", args=[code]),
        region=request.member.region,
        at=clock.now(),
    )


@member_page()
def slots(request: MemberRequest, code: str) -> HttpResponse:
    """Show the free times of a week in one store."""
    context = {
        **shell(active="benefits", back="benefits"),
        "page_title": _("Choose a time"),
        "choice": choice_for(request, code),
    }
    return render_page(request, "portal/slots.html", context, partial="slots")


class ChangeForm(forms.Form):
    """The new time and store."""

    store = forms.CharField(required=False, max_length=40)
    slot_at = SlotField(error_messages={"required": _("Please choose one of the times.")})


@member_page(methods=("GET", "POST"))
def change(request: MemberRequest, key: UUID) -> HttpResponse:
    """Move an appointment to another time or store."""
    redemption = queries.get_redemption(key=key, member=request.member)
    held = get_appointment(redemption=redemption)
    if held is None:
        raise Http404(_("There is no appointment."))
    form = ChangeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            operations.reschedule(
                redemption=redemption,
                slot_at=form.cleaned_data["slot_at"],
                store_code=form.cleaned_data["store"],
                by=request.actor,
                at=clock.now(),
            )
        except DomainError as error:
            form.add_error(None, error_text(error))
        else:
            return hx_redirect(request, reverse("portal:redemption", args=[redemption.key]))
    context = {
        **shell(active="benefits", back="history"),
        "page_title": _("Change the appointment"),
        "redemption": redemption,
        "name": text(redemption.benefit.name),
        "held": held,
        "form": form,
        "choice": choice_for(request, redemption.benefit.code),
    }
    status = 422 if form.is_bound else 200
    return render_page(request, "portal/reschedule.html", context, partial="sheet", status=status)
