"""Staff must have a second factor before the console opens, where the installation asks for it."""

from collections.abc import Callable

from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from tenants.accounts.queries import get_staff


class StaffMfaMiddleware:
    """Sends staff (and operators) without TOTP or passkey to the page where they add one."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        guarded = request.path.startswith(("/console/", "/operator/"))
        if (
            settings.STAFF_MFA_REQUIRED
            and guarded
            and request.user.is_authenticated
            and (request.path.startswith("/operator/") or get_staff(request.user) is not None)
            and not is_mfa_enabled(request.user)
        ):
            return redirect("mfa_index")
        return self.get_response(request)
