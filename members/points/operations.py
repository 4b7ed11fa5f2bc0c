"""Everything that changes points. Each operation is one call of a SQL function.

Alone, an operation commits by itself; inside `transaction.atomic()` it joins. Its account's row
stays locked until the end of that transaction: take accounts before anything else that is locked
(lock order: account → lots → hold → stock), and several accounts in the order of their keys
(`earn_many` does).

Every posting has a `key`, unique per brand for ever. The same key again returns the first posting
with `replayed=True` and writes nothing; with another kind, amount or account it is refused. A
refused operation has changed nothing and leaves the caller's transaction usable.
"""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any
from uuid import UUID

from core.actors import Actor
from members.points.values import (
    Chunk,
    EarnedMany,
    EarnRow,
    EntryRef,
    Posting,
    Source,
)

__all__ = [
    "Chunk",
    "EarnRow",
    "EarnedMany",
    "EntryRef",
    "Posting",
    "Source",
    "activate_chunk",
    "adjust",
    "capture",
    "earn",
    "earn_from_query",
    "earn_many",
    "expire_chunk",
    "hold",
    "open_accounts",
    "open_accounts_for",
    "redeem",
    "release",
    "release_expired_holds",
    "reverse",
]


def open_accounts(*, owner_id: int, at: datetime) -> None:
    """Open the owner's account in every wallet; an account that exists stays as it is."""
    open_accounts_for(owner_ids=[owner_id], at=at)


def open_accounts_for(*, owner_ids: Iterable[int], at: datetime) -> int:
    """Open accounts in every wallet for many owners in one statement; return how many were new."""
    raise NotImplementedError


def earn(
    *,
    owner_id: int,
    amount: int,
    key: UUID,
    at: datetime,
    source: Source,
    wallet: str = "points",
    earned_on: date | None = None,
    available_at: datetime | None = None,
    expires_on: date | None = None,
    cause: dict[str, Any] | None = None,
) -> Posting:
    """Credit points as one lot; a debt is paid first.

    `available_at` and `expires_on` follow the wallet's rules when not given, counted from
    `earned_on`, which is the brand's day of `at` when not given. Pass `available_at=at` for points
    that can be spent at once in a wallet with pending days.

    :raises InvalidPointsError: unless 1 ≤ amount ≤ 10¹².
    :raises AccountMissingError: if the owner has no account in the wallet.
    :raises KeyReusedError: if the key belongs to another posting.
    """
    raise NotImplementedError


def earn_many(*, rows: Iterable[EarnRow]) -> EarnedMany:
    """Credit many rows, of any owners and wallets, in their order; the same as one by one.

    Needs the caller's transaction. Rows stream to the database; memory stays flat.

    :raises AccountMissingError, KeyReusedError, InvalidPointsError: as `earn`; then nothing of
        the batch is written.
    """
    raise NotImplementedError


def earn_from_query(*, query: str, parameters: Iterable[Any] = ()) -> EarnedMany:
    """Credit the rows of a SQL query, without a way through Python; otherwise as `earn_many`.

    The query returns, in this order: ordinal bigint (rows of one account are credited in this
    order), wallet_id smallint, owner_id bigint, amount bigint, key uuid, at timestamptz,
    earned_on date, available_at timestamptz or null, expires_on date or null, source_type text,
    source_id bigint, cause jsonb or null.
    """
    raise NotImplementedError


def redeem(
    *,
    owner_id: int,
    amount: int,
    key: UUID,
    at: datetime,
    source: Source,
    wallet: str = "points",
    cause: dict[str, Any] | None = None,
) -> Posting:
    """Spend points: available lots, earliest expiry first.

    :raises InsufficientPointsError: if fewer are available at `at`; data: missing.
    :raises InvalidPointsError, AccountMissingError, KeyReusedError: as `earn`.
    """
    raise NotImplementedError


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
) -> Posting:
    """Set points aside, until they are captured or released; after `until` a job releases them.

    The hold is named later by this posting's `ref` or by its key.

    :raises InsufficientPointsError, InvalidPointsError, AccountMissingError, KeyReusedError: as
        `redeem`.
    """
    raise NotImplementedError


def capture(*, hold_ref: EntryRef | UUID, key: UUID, at: datetime, source: Source) -> Posting:
    """Spend the held points for good. The balance stays, as they had left it; the delta is 0.

    :raises EntryMissingError: if there is no such hold.
    :raises HoldNotOpenError: if it is captured, released or past its time; data: state.
    :raises KeyReusedError: if the key belongs to another posting.
    """
    raise NotImplementedError


def release(*, hold_ref: EntryRef | UUID, key: UUID, at: datetime, source: Source) -> Posting:
    """Give held points back to the lots they came from; a debt is paid first.

    Points whose last good day has passed come back as a lot with the wallet's grace expiry.

    :raises EntryMissingError: if there is no such hold.
    :raises HoldNotOpenError: if it is captured or released; data: state.
    :raises KeyReusedError: if the key belongs to another posting.
    """
    raise NotImplementedError


def reverse(
    *,
    entry_ref: EntryRef | UUID,
    key: UUID,
    at: datetime,
    source: Source,
    amount: int | None = None,
    cause: dict[str, Any] | None = None,
) -> Posting:
    """Undo an entry, named by its address or key, wholly (what is left of it) or in part.

    A spending or a capture: points go back to the lots they came from, the last taken first, with
    their old expiry, or the wallet's grace expiry if that has passed. A credit (clawback): points
    are taken from its own lot, then from others by earliest expiry; what had expired is not
    claimed again; what is spent makes a debt where the wallet allows it, else it is recorded as
    the posting's `shortfall`. All reversals of an entry together never pass its amount.

    :raises EntryMissingError: if there is no such entry.
    :raises NotReversibleError: for other kinds, or if less than `amount` is left of it; data:
        reversible.
    :raises InvalidPointsError, KeyReusedError: as `earn`.
    """
    raise NotImplementedError


def adjust(
    *,
    owner_id: int,
    amount: int,
    reason: str,
    key: UUID,
    by: Actor,
    at: datetime,
    wallet: str = "points",
    expires_on: date | None = None,
) -> Posting:
    """Correct a balance by hand, up or down, with a reason; writes an audit entry.

    :raises InsufficientPointsError: if a lowering passes what is available.
    :raises InvalidPointsError: if the amount is 0 or too large, or the reason is empty.
    :raises AccountMissingError, KeyReusedError: as `earn`.
    """
    raise NotImplementedError


def expire_chunk(*, at: datetime, limit: int = 5_000, wait: bool = False) -> Chunk:
    """Expire what is left in lots whose last good day is before the brand's day of `at`.

    Works on up to `limit` accounts in one transaction; accounts that are locked by others are
    skipped unless `wait`. Zero accounts: nothing (unlocked) is left to do.
    """
    raise NotImplementedError


def activate_chunk(*, at: datetime, limit: int = 5_000, wait: bool = False) -> Chunk:
    """Make points spendable whose waiting is over at `at`; chunks as `expire_chunk`."""
    raise NotImplementedError


def release_expired_holds(*, at: datetime, limit: int = 500) -> int:
    """Release up to `limit` holds past their time; return how many."""
    raise NotImplementedError
