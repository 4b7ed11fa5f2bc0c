"""Points set aside until they are captured or released."""

from contextlib import suppress
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from core.ids import derived_uuid
from members.points._calls import (
    address_of,
    as_json,
    brand_day,
    check_amount,
    post,
    post_in_detail,
    wallet_id,
)
from members.points._events import tell
from members.points.errors import HoldNotOpenError
from members.points.models import Entry, Hold
from members.points.operations.postings import check_chosen
from members.points.values import EntryRef, Posting, Source


def hold(
    *,
    owner_id: int,
    amount: int,
    key: UUID,
    at: datetime,
    until: datetime | None,
    source: Source,
    wallet: str = "points",
    cause: dict[str, Any] | None = None,
    is_chosen: bool = False,
) -> Posting:
    """Set points aside, until they are captured or released; after `until` a job releases them.

    Event: `points.held`. `is_chosen` says that the member has chosen the number: then the wallet's
    minimum and step hold.

    The hold is named later by this posting's `ref` or by its key.

    :raises InsufficientPointsError, InvalidPointsError, AccountMissingError, KeyReusedError: as
        `redeem`.
    :raises SpendRuleError: as `spend`, where the number is chosen.
    """
    if is_chosen:
        check_chosen(wallet=wallet, amount=amount)
    with transaction.atomic():
        posting = post(
            "points_spend",
            Entry.Kind.HOLD.value,
            wallet_id(wallet),
            owner_id,
            check_amount(amount),
            key,
            at,
            brand_day(at),
            source.type,
            source.id,
            as_json(cause),
            until,
        )
        tell("points.held", posting, amount, at, source)
    return posting


def capture(*, hold_ref: EntryRef | UUID, key: UUID, at: datetime, source: Source) -> Posting:
    """Spend the held points for good. The balance stays, as they had left it; the delta is 0.

    Event: `points.captured`.

    :raises EntryMissingError: if there is no such hold.
    :raises HoldNotOpenError: if it is captured, released or past its time; data: state.
    :raises KeyReusedError: if the key belongs to another posting.
    """
    return _end_hold(Entry.Kind.CAPTURE, "points.captured", hold_ref, key, at, source)


def release(*, hold_ref: EntryRef | UUID, key: UUID, at: datetime, source: Source) -> Posting:
    """Give held points back to the lots they came from; a debt is paid first.

    Event: `points.released`.

    Points whose last good day has passed come back as a lot with the wallet's grace expiry.

    :raises EntryMissingError: if there is no such hold.
    :raises HoldNotOpenError: if it is captured or released; data: state.
    :raises KeyReusedError: if the key belongs to another posting.
    """
    return _end_hold(Entry.Kind.RELEASE, "points.released", hold_ref, key, at, source)


def release_expired_holds(*, at: datetime, limit: int = 500) -> int:
    """Release up to `limit` holds past their time; return how many."""
    due = list(
        Hold.objects.filter(state=Hold.State.OPEN, until__lte=at)
        .order_by("account_id", "seq")
        .values_list("account_id", "seq")[:limit]
    )
    released = 0
    for account_id, seq in due:
        with suppress(HoldNotOpenError):  # captured or released since we looked
            release(
                hold_ref=EntryRef(account_id, seq),
                key=derived_uuid("points.hold_expired", account_id, seq),
                at=at,
                source=Source("hold", seq),
            )
            released += 1
    return released


def _end_hold(
    kind: Entry.Kind,
    event: str,
    hold_ref: EntryRef | UUID,
    key: UUID,
    at: datetime,
    source: Source,
) -> Posting:
    with transaction.atomic():
        posting, amount = post_in_detail(
            "points_end_merged_hold",
            kind.value,
            *address_of(hold_ref),
            key,
            at,
            brand_day(at),
            source.type,
            source.id,
        )
        tell(event, posting, amount, at, source)
    return posting
