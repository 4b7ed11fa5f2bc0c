"""Finding what an address or body names, in the terms of the brand's own systems."""

import uuid

from rest_framework.request import Request

from api.base import key_of
from core.ids import derived_uuid
from members.profiles.models import Member
from members.profiles.queries import get_member


def member_of(external_id: str) -> Member:
    """Return the member with the brand's own key.

    :raises MemberNotFoundError: if there is none.
    """
    return get_member(external_id=external_id)


def effect_key(request: Request, *parts: str | int) -> uuid.UUID:
    """Return the key of the one effect of a write: the same for the same Idempotency-Key.

    The ledger keeps it for ever, so that a replay after the 30 days of stored answers still
    changes nothing.
    """
    key = request.headers.get("Idempotency-Key", "")
    if not key:  # only in a dry run, whose effect is rolled back
        return uuid.uuid4()
    return derived_uuid("api", key_of(request).pk, key, *parts)
