"""The ways of paying: one protocol, and the registry of those that are built in or plugged in.

The order of a payment: `start_payment` writes the row and commits; the member is led to
`payment_url`; the provider calls back with a signed notice, which `read_notice` checks. The notice
alone counts; what the member's browser brings back is only a place to look.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Protocol
from uuid import UUID

from django.utils.functional import Promise

from benefits.mall.payments.errors import UnknownProviderError
from benefits.mall.payments.models import MallPayment


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What a provider says of a payment."""

    payment_key: UUID
    is_paid: bool
    amount_minor: int
    currency: str
    reference: str


class Provider(Protocol):
    """A way of paying. Only `refund` may talk to the network; never called in a transaction."""

    code: ClassVar[str]
    label: ClassVar[str | Promise]

    def payment_url(self, payment: MallPayment) -> str:
        """Return where the member pays."""

    def read_notice(
        self, *, secret: str, headers: Mapping[str, str], body: bytes, at: datetime
    ) -> Notice:
        """Check and read a callback. :raises BadNoticeError: unless the provider signed it."""

    def refund(self, payment: MallPayment, *, secret: str) -> str:
        """Send the money back, once per payment; return the provider's reference."""


_providers: dict[str, Provider] = {}


def register_provider(provider: Provider) -> None:
    """Make a way of paying known; the same one again changes nothing."""
    _providers[provider.code] = provider


def get_provider(code: str) -> Provider:
    """Return a way of paying. :raises UnknownProviderError: if none has this code."""
    try:
        return _providers[code]
    except KeyError:
        raise UnknownProviderError(provider=code) from None


def list_providers() -> list[Provider]:
    """Return the ways of paying by code."""
    return [_providers[code] for code in sorted(_providers)]
