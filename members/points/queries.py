"""Reading balances, lots and the journal."""

from collections.abc import Iterable
from datetime import date, datetime
from uuid import UUID

from members.points.values import (
    Balance,
    EntryRef,
    EntryView,
    HoldView,
    Liability,
    LotChange,
    LotView,
)

__all__ = [
    "Balance",
    "EntryRef",
    "EntryView",
    "HoldView",
    "Liability",
    "LotChange",
    "LotView",
    "available_sql",
    "double_entry",
    "expiring_sql",
    "get_balance",
    "get_balances",
    "get_entry",
    "get_hold",
    "liability",
    "list_entries",
    "list_lots",
]


def get_balance(*, owner_id: int, at: datetime, wallet: str = "points") -> Balance:
    """Return what the owner has in the wallet as of `at`, in one query.

    :raises AccountMissingError: if the owner has no account there.
    """
    raise NotImplementedError


def get_balances(*, owner_ids: Iterable[int], wallet: str = "points") -> dict[int, int]:
    """Return the stored spendable balance (below zero: a debt) of each owner with an account.

    Points whose waiting ended, or that expired, since the last nightly job are not yet moved.
    """
    raise NotImplementedError


def list_entries(
    *, owner_id: int, wallet: str = "points", before_seq: int | None = None, limit: int = 50
) -> list[EntryView]:
    """Return journal entries, newest first; `before_seq` is the last number already seen."""
    raise NotImplementedError


def get_entry(*, key: UUID) -> EntryView | None:
    """Return the entry written with this key, if there is one."""
    raise NotImplementedError


def get_hold(*, hold_ref: EntryRef | UUID) -> HoldView | None:
    """Return a hold by its address or key, if there is one."""
    raise NotImplementedError


def list_lots(*, owner_id: int, wallet: str = "points") -> list[LotView]:
    """Return the lots with something left, earliest expiry first: the order of spending."""
    raise NotImplementedError


def liability(*, wallet: str = "points") -> Liability:
    """Return outstanding points × cost per point, rounded half-even once."""
    raise NotImplementedError


def double_entry(
    *, since: datetime | None = None, until: datetime | None = None
) -> list[tuple[str, str, int]]:
    """Return (wallet, account of the books, balance) of the journal in [since, until).

    The accounts are `members`, `issued`, `redeemed`, `expired`, `adjusted`, `held`,
    `transferred`; over each wallet they sum to zero.
    """
    raise NotImplementedError


def available_sql(owner: str, *, wallet_id: int = 1) -> str:
    """Return a SQL scalar: the stored spendable balance of the owner named by `owner`.

    `owner` is trusted SQL of ours such as `m.id`. Null when there is no account.
    """
    raise NotImplementedError


def expiring_sql(owner: str, *, on: date, days: int = 30, wallet_id: int = 1) -> str:
    """Return a SQL scalar: available points whose last good day is in [on, on + days]."""
    raise NotImplementedError
