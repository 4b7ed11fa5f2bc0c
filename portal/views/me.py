"""The member's own data and choices."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l
from django.utils.translation import pgettext_lazy

from core import clock
from core.errors import DomainError
from core.web.responses import hx_redirect, render_page
from members.profiles.operations import update_profile
from members.profiles.queries import get_block
from portal.access import MemberRequest, member_page
from portal.attributes import add_editable, shown_attributes, split_typed
from portal.nav import shell


class ProfileForm(forms.Form):
    """What a member may change."""

    name = forms.CharField(
        label=pgettext_lazy("of a person", "Name"), max_length=120, required=False
    )
    phone = forms.CharField(label=_l("Phone"), max_length=30, required=False)
    birthday = forms.DateField(
        label=_l("Birthday"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        help_text=_l("For your birthday benefits."),
    )


@member_page()
def index(request: MemberRequest) -> HttpResponse:
    """Show the member's data, language, theme and the way out."""
    context = {
        **shell(active="me"),
        "page_title": _("Me"),
        "member": request.member,
        "personal": getattr(request.member, "personal", None),
        "attributes": shown_attributes(request.member),
        "blocked": get_block(member=request.member),
    }
    return render_page(request, "portal/me.html", context)


@member_page(methods=("GET", "POST"))
def edit(request: MemberRequest) -> HttpResponse:
    """Change the member's own data."""
    personal = getattr(request.member, "personal", None)
    initial: dict[str, Any] = {}
    if personal is not None:
        initial = {
            "name": personal.name,
            "phone": personal.phone,
            "birthday": personal.birthday,
        }
    form = ProfileForm(request.POST or None, initial=initial)
    add_editable(form, request.member)
    if request.method == "POST" and form.is_valid():
        fields, attributes = split_typed(form)
        try:
            update_profile(
                member=request.member,
                by=request.actor,
                at=clock.now(),
                attributes=attributes,
                **fields,
            )
        except DomainError as error:
            place = str(error.data.get("pointer", "")).strip("/").replace("/", "_")
            form.add_error(place if place in form.fields else None, error.detail)
        else:
            messages.success(request, _("Saved."))
            return hx_redirect(request, reverse("portal:me"))
    context = {
        **shell(active="me", back="me"),
        "page_title": _("My data"),
        "form": form,
    }
    status = 422 if form.is_bound else 200
    return render_page(request, "portal/edit.html", context, partial="sheet", status=status)
