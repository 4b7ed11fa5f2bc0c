"""Who may open which page: every view of the console names its permission, deny by default."""

from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlencode

from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
)
from django.urls import reverse

from core.actors import Actor
from core.web.responses import is_fragment
from tenants.accounts import permissions
from tenants.accounts.models import StaffMember
from tenants.accounts.queries import actor_of, get_staff

View = Callable[..., HttpResponseBase]


class StaffRequest(HttpRequest):
    """A request of signed-in staff: who they are, and the `by` of what they do."""

    staff: StaffMember
    actor: Actor


def staff_page(permission: str, *, methods: tuple[str, ...] = ("GET",)) -> Callable[[View], View]:
    """Open a view to staff whose role holds the permission.

    Strangers are led to sign in; staff without the permission (and members) get 403. The view is
    called with a `StaffRequest`. `permission` is kept on the view, where a test reads it.
    """
    if permission not in permissions.ALL_PERMISSIONS:
        raise ValueError(f"unknown permission {permission!r}")
    allowed = (*methods, "HEAD") if "GET" in methods else methods

    def decorate(view: View) -> View:
        @wraps(view)
        def wrapped(request: Any, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not request.user.is_authenticated:
                return _to_sign_in(request)
            if request.method not in allowed:
                return HttpResponseNotAllowed(allowed)
            staff = get_staff(request.user)
            permissions.require(staff, permission)
            request.staff = staff
            request.actor = actor_of(request)
            return view(request, *args, **kwargs)

        wrapped.permission = permission  # type: ignore[attr-defined]
        return wrapped

    return decorate


def _to_sign_in(request: HttpRequest) -> HttpResponse:
    target = request.get_full_path() if request.method == "GET" else reverse("console:overview")
    address = f"{reverse('account_login')}?{urlencode({'next': target})}"
    if is_fragment(request):
        return HttpResponse(status=401, headers={"X-Sign-In": address})
    return HttpResponseRedirect(address)
