"""Points that members pass on to each other."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l

from core import clock
from core.errors import DomainError
from core.ids import uuid7
from core.templatetags.tessera import number
from core.web.responses import hx_redirect, render_page
from members.points.queries import get_allowance, get_balance
from members.points.values import TransferAllowance
from members.profiles.point_transfers import transfer_points
from portal.access import MemberRequest, member_page
from portal.nav import shell


class TransferForm(forms.Form):
    """To whom, and how many."""

    receiver = forms.CharField(
        label=_l("Number of the member who gets them"),
        max_length=20,
        help_text=_l("It stands on their member card."),
    )
    amount = forms.IntegerField(label=_l("Points"), min_value=1, max_value=10**9)
    key = forms.UUIDField(widget=forms.HiddenInput())

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["key"].initial = uuid7


@member_page(methods=("GET", "POST"))
def send(request: MemberRequest) -> HttpResponse:
    """Pass points on, where the brand allows it."""
    at = clock.now()
    allowance = get_allowance(owner_id=request.member.pk, at=at)
    if not allowance.is_on:
        raise Http404(_("Points can not be passed on."))
    form = TransferForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            transfer_points(
                sender=request.member,
                receiver_number=form.cleaned_data["receiver"],
                amount=form.cleaned_data["amount"],
                key=form.cleaned_data["key"],
                by=request.actor,
                at=at,
            )
        except DomainError as error:
            place = str(error.data.get("pointer", "")).strip("/")
            form.add_error(place if place in form.fields else None, error.detail)
        else:
            messages.success(request, _("The points are on their way."))
            return hx_redirect(request, reverse("portal:points"))
    context = {
        **shell(active="points", back="points"),
        "page_title": _("Pass points on"),
        "form": form,
        "facts": _facts(allowance, get_balance(owner_id=request.member.pk, at=at).available),
    }
    status = 422 if form.is_bound else 200
    return render_page(request, "portal/transfer.html", context, partial="sheet", status=status)


def _facts(allowance: TransferAllowance, available: int) -> list[tuple[str, str]]:
    facts = [(_("You have"), number(max(available, 0)))]
    if allowance.minimum > 1:
        facts.append((_("At least"), number(allowance.minimum)))
    if allowance.points_left is not None:
        facts.append((_("Points left for today"), number(allowance.points_left)))
    if allowance.times_left is not None:
        facts.append((_("Times left for today"), number(allowance.times_left)))
    return facts
