"""How allauth behaves here: codes of six digits, no open sign-up, the brand's name in mails."""

import secrets
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from django.http import HttpRequest
from django.urls import reverse

from tenants.accounts.queries import get_staff


def _site_name(request: HttpRequest | None) -> str:
    brand = getattr(request, "tenant", None)
    return brand.name if brand is not None else "Tessera"


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth has no types
    """Account flows of one brand, or of the platform for operators."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def generate_login_code(self) -> str:
        return f"{secrets.randbelow(10**6):06d}"

    def generate_email_verification_code(self) -> str:
        return f"{secrets.randbelow(10**6):06d}"

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        context = {**context, "brand_name": _site_name(self.request)}
        super().send_mail(template_prefix, email, context)

    def get_login_redirect_url(self, request: HttpRequest) -> str:
        if getattr(request, "tenant", None) is None:
            return "/operator/"
        if get_staff(request.user) is not None:
            return reverse("console:overview")
        return reverse("portal:home")

    def get_logout_redirect_url(self, request: HttpRequest) -> str:
        return reverse("account_login")


class MfaAdapter(DefaultMFAAdapter):  # type: ignore[misc]  # allauth has no types
    """Second factors carry the brand's name."""

    def get_totp_issuer(self) -> str:
        return _site_name(getattr(self, "request", None))
