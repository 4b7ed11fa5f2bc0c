"""Claiming a membership that the brand has on file: for people who do not sign in yet."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib.auth import login
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from core import clock
from core.errors import DomainError
from members.profiles.claim_operations import confirm_claim, request_claim

_BACKEND = "allauth.account.auth_backends.AuthenticationBackend"
_PER_HOUR = 20


class KnownByForm(forms.Form):
    """Whom the brand knows the person as."""

    known_by = forms.CharField(
        label=_l("Member number, e-mail or phone"),
        max_length=254,
        help_text=_l("As the shop has it on file."),
    )


class CodeForm(forms.Form):
    """The code, and the address to sign in with where none is on file."""

    code = forms.CharField(
        label=_l("Code"),
        max_length=6,
        widget=forms.TextInput(
            attrs={"inputmode": "numeric", "autocomplete": "one-time-code", "class": "code-input"}
        ),
    )
    email = forms.EmailField(
        label=_l("Your e-mail address"),
        required=False,
        help_text=_l("Needed only if the code came by text message: you will sign in with it."),
    )


def _too_many(request: HttpRequest) -> bool:
    """Count the tries from one address in this hour."""
    name = f"claim:{request.META.get('REMOTE_ADDR', '')}:{int(clock.now().timestamp()) // 3600}"
    cache.add(name, 0, timeout=3600)
    try:
        return cache.incr(name) > _PER_HOUR
    except ValueError:  # the entry ran out between the two calls
        return False


def _show(request: HttpRequest, form: forms.Form, **context: Any) -> HttpResponse:
    status = 422 if form.is_bound else 200
    return render(
        request, "portal/claim.html", {"form": form, "home_url": "/", **context}, status=status
    )


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def begin(request: HttpRequest) -> HttpResponse:
    """Ask who it is, and send a code to what is on file."""
    form = KnownByForm(request.POST or None)
    if form.is_valid():
        if _too_many(request):
            form.add_error(None, _("Too many tries. Please wait an hour."))
        else:
            try:
                key = request_claim(known_by=form.cleaned_data["known_by"], at=clock.now())
            except DomainError as error:
                form.add_error(None, error.detail)
            else:
                return HttpResponseRedirect(reverse("portal:finish_claim", args=[key]))
    return _show(
        request,
        form,
        page_title=_("Claim your membership"),
        lead=_(
            "You have been a customer for a while? We send a code to the e-mail address or phone "
            "number that is on file."
        ),
        submit=_("Send me a code"),
    )


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def finish(request: HttpRequest, key: UUID) -> HttpResponse:
    """Take the code; who has it is signed in as the member."""
    form = CodeForm(request.POST or None)
    if form.is_valid():
        if _too_many(request):
            form.add_error(None, _("Too many tries. Please wait an hour."))
        else:
            try:
                user = confirm_claim(
                    key=key,
                    code=form.cleaned_data["code"],
                    email=form.cleaned_data["email"],
                    at=clock.now(),
                )
            except DomainError as error:
                place = str(error.data.get("pointer", "")).strip("/")
                form.add_error(place if place in form.fields else None, error.detail)
            else:
                login(request, user, backend=_BACKEND)
                return HttpResponseRedirect(reverse("portal:home"))
    return _show(
        request,
        form,
        page_title=_("Enter your code"),
        lead=_(
            "If the membership is known and not claimed yet, a code of six digits is on its way. "
            "It is good for ten minutes."
        ),
        submit=_("Claim my membership"),
        again=True,
    )
