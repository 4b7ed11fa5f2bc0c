"""Forms of signing in."""

import hashlib
from typing import Any

from allauth.account import app_settings
from allauth.account.adapter import get_adapter
from allauth.account.forms import (
    ConfirmEmailVerificationCodeForm,
    ConfirmLoginCodeForm,
    RequestLoginCodeForm,
)
from allauth.account.models import EmailAddress
from allauth.core import context
from django.core.cache import cache

from tenants.accounts import registry


class SignInCodeForm(RequestLoginCodeForm):  # type: ignore[misc]  # allauth has no types
    """Asks for an e-mail address; a member on file without a user gets one here.

    The answer is the same whether the address is known or not.
    """

    def clean_email(self) -> Any:
        email = self.cleaned_data.get("email")
        if email:
            user = registry.ensure_user(email)
            if user is not None:
                # Its own record lets this code verify the address: else a second code follows.
                EmailAddress.objects.get_or_create(user=user, email=user.email)
        return super().clean_email()


class _CountedGuesses:
    """Judges no more guesses of a code than are allowed, however many come at once.

    The library counts in the session, which each request reads and writes back for itself.
    """

    most: int
    expected_code: str

    def clean_code(self) -> Any:
        session = context.request.session.session_key or ""
        sent = hashlib.sha256(f"{session}:{self.expected_code}".encode()).hexdigest()
        key = f"code-guesses:{sent}"
        cache.add(key, 0, app_settings.LOGIN_BY_CODE_TIMEOUT * 2)
        if cache.incr(key) > self.most:
            raise get_adapter().validation_error("incorrect_code")
        return super().clean_code()  # type: ignore[misc]  # of the form it is mixed into


class ConfirmSignInForm(_CountedGuesses, ConfirmLoginCodeForm):  # type: ignore[misc]  # no types
    """Takes the code of a sign-in."""

    most = app_settings.LOGIN_BY_CODE_MAX_ATTEMPTS


class ConfirmEmailForm(_CountedGuesses, ConfirmEmailVerificationCodeForm):  # type: ignore[misc]
    """Takes the code that proves an e-mail address."""

    most = app_settings.EMAIL_VERIFICATION_BY_CODE_MAX_ATTEMPTS
