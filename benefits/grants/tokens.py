"""The code that a member shows for one use: signed, good for a minute and a half, and once.

A screenshot sent to somebody else is worth nothing. What is signed is the redemption, the time
and the state it was in: when the till has moved the redemption on, the same code again is told
so. Nothing is stored.
"""

import base64
import binascii
import hmac
import struct
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from django.conf import settings
from django.db import transaction

from benefits.grants._moves import fulfil
from benefits.grants.errors import (
    InvalidTokenError,
    TokenExpiredError,
    TokenUsedError,
    UnknownRedemptionError,
)
from benefits.grants.models import Redemption
from benefits.grants.queries import get_redemption
from benefits.grants.states import NEXT
from core.actors import Actor
from tenants.brands.context import current_schema

LIFE = timedelta(seconds=90)
_PREFIX = "TR1."
_BODY = struct.Struct(">QIB")
_STATES = tuple(NEXT)
_MAC_BYTES = 12


def make_token(*, redemption: Redemption, at: datetime) -> str:
    """Return the code for a redemption as it stands at `at`: 38 characters, for a QR image."""
    moment = int(at.timestamp())
    body = _BODY.pack(redemption.pk, moment, _STATES.index(redemption.state))
    return _PREFIX + base64.urlsafe_b64encode(body + _mac(body)).decode().rstrip("=")


def is_token(text: str) -> bool:
    """Return whether a text looks like such a code."""
    return text.strip().startswith(_PREFIX)


def read_token(*, text: str, at: datetime) -> Redemption:
    """Return the redemption that a code shown now stands for.

    :raises InvalidTokenError: if it is none of this brand's codes, or was changed.
    :raises TokenExpiredError: if it is older than a minute and a half.
    :raises TokenUsedError: if the redemption has moved on since.
    """
    body = _unpack(text.strip())
    redemption_id, moment, state = _BODY.unpack(body)
    shown_at = datetime.fromtimestamp(moment, tz=UTC)
    try:
        redemption = get_redemption(id=redemption_id)
    except UnknownRedemptionError:
        raise InvalidTokenError(pointer="/token") from None
    if redemption.state != _STATES[state]:
        raise TokenUsedError(state=redemption.state)
    # Clocks of our own machines differ a little.
    if not -LIFE <= at - shown_at <= LIFE:
        raise TokenExpiredError(shown_at=shown_at.isoformat())
    return redemption


def fulfil_shown(*, text: str, by: Actor, at: datetime) -> Redemption:
    """Carry out the use whose code is shown: of two tills with the same code one serves.

    :raises InvalidTokenError, TokenExpiredError, TokenUsedError: as `read_token`.
    :raises InvalidStateError: from a state that it cannot follow.
    """
    with transaction.atomic():
        found = read_token(text=text, at=at)
        locked = Redemption.objects.select_for_update().only("state").get(pk=found.pk)
        if locked.state != found.state:
            raise TokenUsedError(state=locked.state)
        return fulfil(redemption=found, by=by, at=at)


def _unpack(text: str) -> bytes:
    encoded = text.removeprefix(_PREFIX)
    try:
        raw = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
    except (binascii.Error, ValueError):
        raise InvalidTokenError(pointer="/token") from None
    body, mac = raw[: _BODY.size], raw[_BODY.size :]
    if not text.startswith(_PREFIX) or not hmac.compare_digest(mac, _mac(body)):
        raise InvalidTokenError(pointer="/token")
    if len(body) != _BODY.size or body[-1] >= len(_STATES):
        raise InvalidTokenError(pointer="/token")
    return body


def _mac(body: bytes) -> bytes:
    # The brand is part of what is signed: a code of one brand is no code of another.
    message = b"redemption-token:" + current_schema().encode() + b":" + body
    return hmac.new(settings.SECRET_KEY.encode(), message, sha256).digest()[:_MAC_BYTES]
