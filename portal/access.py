"""Members only: every page of the portal belongs to the signed-in user's own membership."""

from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse

from core.actors import Actor
from core.web.responses import is_fragment
from members.profiles.models import Member
from members.profiles.queries import get_member_for_user
from tenants.accounts.queries import get_staff

View = Callable[..., HttpResponse]


class MemberRequest(HttpRequest):
    """A request of a signed-in member, and the `by` of what they do."""

    member: Member
    actor: Actor


def member_page(*, methods: tuple[str, ...] = ("GET",)) -> Callable[[View], View]:
    """Open a view to members; strangers are led to sign in, staff without membership are told."""
    allowed = (*methods, "HEAD") if "GET" in methods else methods

    def decorate(view: View) -> View:
        @wraps(view)
        def wrapped(request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
            if not request.user.is_authenticated:
                return _to_sign_in(request)
            if request.method not in allowed:
                return HttpResponseNotAllowed(allowed)
            member = get_member_for_user(request.user)
            if member is None:
                context = {"staff": get_staff(request.user), "home_url": reverse("portal:home")}
                return render(request, "portal/no_member.html", context, status=403)
            request.member = member
            request.actor = Actor(
                kind="member",
                id=member.pk,
                label=member.number,
                address=request.META.get("REMOTE_ADDR", ""),
            )
            return view(request, *args, **kwargs)

        return wrapped

    return decorate


def _to_sign_in(request: HttpRequest) -> HttpResponse:
    target = request.get_full_path() if request.method == "GET" else reverse("portal:home")
    address = f"{reverse('account_login')}?{urlencode({'next': target})}"
    if is_fragment(request):
        return HttpResponse(status=401, headers={"X-Sign-In": address})
    return HttpResponseRedirect(address)
