"""The built-in TEST way of paying: a page in the portal and a signed notice, but no money.

Its notices are signed as Standard Webhooks with the account's secret and pass the same door as
those of a real provider. It is not registered in production.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from standardwebhooks import Webhook, WebhookVerificationError

from benefits.mall.payments.errors import BadNoticeError
from benefits.mall.payments.models import MallPayment
from benefits.mall.payments.providers import Notice
from core.ids import derived_uuid

CODE = "test"


class TestProvider:
    """Pays with nothing, so that the whole way can be tried."""

    code: ClassVar[str] = CODE
    label: ClassVar[str | Promise] = _("Test payment (no money moves)")

    def payment_url(self, payment: MallPayment) -> str:
        """Return the page of the portal that stands for the provider's."""
        return f"/mall/pay/{payment.key}/"

    def read_notice(
        self, *, secret: str, headers: Mapping[str, str], body: bytes, at: datetime
    ) -> Notice:
        """Check the signature, then read the body. The library allows five minutes of skew."""
        wanted = {name.lower(): value for name, value in headers.items()}
        try:
            Webhook(secret).verify(body.decode(), wanted)
            data: dict[str, Any] = json.loads(body)
            return Notice(
                payment_key=UUID(str(data["payment"])),
                is_paid=data["state"] == "paid",
                amount_minor=int(data["amount_minor"]),
                currency=str(data["currency"]),
                reference=str(data["reference"])[:120],
            )
        except (WebhookVerificationError, ValueError, KeyError, TypeError) as error:
            raise BadNoticeError from error

    def refund(self, payment: MallPayment, *, secret: str) -> str:
        """Return the reference of a refund that moves no money."""
        return f"test-refund-{derived_uuid('test-refund', str(payment.key)).hex[:12]}"


def sign_notice(
    *, payment: MallPayment, is_paid: bool, secret: str, at: datetime
) -> tuple[dict[str, str], bytes]:
    """Return headers and body of the notice that the TEST provider sends."""
    body = json.dumps(
        {
            "payment": str(payment.key),
            "state": "paid" if is_paid else "failed",
            "amount_minor": payment.amount_minor,
            "currency": payment.currency,
            "reference": f"test-{payment.key.hex[-12:]}",
        },
        separators=(",", ":"),
        sort_keys=True,
    )
    message = f"msg_{derived_uuid('test-notice', str(payment.key), int(is_paid)).hex}"
    headers = {
        "webhook-id": message,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign(message, at, body),
    }
    return headers, body.encode()
