"""Forms of signing in."""

from typing import Any

from allauth.account.forms import RequestLoginCodeForm
from allauth.account.models import EmailAddress

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
