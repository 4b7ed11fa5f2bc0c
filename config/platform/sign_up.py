"""Signing up a brand at the platform's `/`."""

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from config.platform import operations
from config.platform.forms import BrandForm, CodeForm
from config.platform.links import brand_url
from core import clock
from core.actors import Actor
from core.errors import DomainError
from tenants.brands.errors import SlugTakenError
from tenants.brands.queries import is_slug_free, list_brands

_SESSION_KEY = "sign_up"
_PER_HOUR = 10


@require_http_methods(["GET", "HEAD", "POST"])
def start(request: HttpRequest) -> HttpResponse:
    """Ask about the new brand, then send a code to its owner."""
    form = BrandForm(request.POST or None, initial={"timezone": "UTC", "currency": "USD"})
    if request.method == "POST" and form.is_valid():
        if not is_slug_free(slug=form.facts.slug):
            form.add_error("slug", str(SlugTakenError.message))
        elif _is_too_often(request):
            form.add_error(None, _("Too many sign-ups from here. Please try again in an hour."))
        else:
            request.session[_SESSION_KEY] = operations.start_sign_up(
                facts=form.facts, at=clock.now()
            )
            return redirect("sign_up_confirm")
    context = {
        "form": form,
        "page_title": _("Open a brand"),
        "is_demo": settings.DEMO,
        "brands": [
            {
                "name": brand.name,
                "portal": brand_url(brand, request=request),
                "console": brand_url(brand, "/console/", request=request),
            }
            for brand in (list_brands() if settings.DEMO else [])
        ],
    }
    return render(request, "platform/sign_up.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
def confirm(request: HttpRequest) -> HttpResponse:
    """Take the code; open the brand and lead its owner to the console."""
    pending = request.session.get(_SESSION_KEY)
    if pending is None:
        return redirect("sign_up")
    form = CodeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        by = Actor(kind="system", label="sign-up", address=request.META.get("REMOTE_ADDR", ""))
        try:
            brand = operations.finish_sign_up(
                pending=pending, code=form.cleaned_data["code"], by=by, at=clock.now()
            )
        except DomainError as refusal:
            request.session[_SESSION_KEY] = pending
            form.add_error("code", refusal.detail)
        else:
            del request.session[_SESSION_KEY]
            return redirect(brand_url(brand, "/console/", request=request))
    context = {"form": form, "page_title": _("Confirm your e-mail"), "facts": pending["facts"]}
    return render(request, "platform/confirm.html", context, status=422 if form.errors else 200)


def _is_too_often(request: HttpRequest) -> bool:
    name = f"sign-up:{request.META.get('REMOTE_ADDR', '')}"
    cache.add(name, 0, timeout=3600)
    try:
        return cache.incr(name) > _PER_HOUR
    except ValueError:  # the entry ran out between the two calls
        return False
