"""Text messages to phones, by the installation's gateway."""

import requests
from django.conf import settings
from django.core.mail import send_mail

from core.errors import DomainError

_PATIENCE = 10


class TextNotSentError(DomainError):
    """The gateway did not take the message; trying again may help."""

    code = "text_not_sent"
    status = 503


def can_text() -> bool:
    """Say whether text messages reach anybody; a demo and the tests catch them as mails."""
    return bool(settings.SMS_URL) or settings.DEMO or settings.TESTING


def send_text(*, to: str, text: str) -> None:
    """Send a text message. Calls the gateway: never inside a transaction.

    :raises TextNotSentError: if the gateway does not take it.
    """
    if not settings.SMS_URL:
        send_mail(text[:60], text, None, [f"{to}@sms.invalid"])
        return
    try:
        answer = requests.post(
            settings.SMS_URL,
            json={"to": to, "text": text},
            headers={"Authorization": f"Bearer {settings.SMS_TOKEN}"},
            timeout=_PATIENCE,
            allow_redirects=False,
        )
        answer.raise_for_status()
    except requests.RequestException:
        raise TextNotSentError from None
