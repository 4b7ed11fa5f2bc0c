"""The plain values that go into and come out of the points room."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from members.points.models import AdjustmentRequest, Entry, Hold

# Largest number of points in one posting: far above a real one, far below what a sum can hold.
MAX_POINTS = 10**12


@dataclass(frozen=True, slots=True)
class Source:
    """What caused a posting, as a key: such as `Source("purchase", 12)`."""

    type: str
    id: int


@dataclass(frozen=True, slots=True)
class EntryRef:
    """The address of one journal entry."""

    account_id: int
    seq: int


@dataclass(frozen=True, slots=True)
class Posting:
    """What one operation wrote, or had written before when `replayed`.

    `balance` is the account's right after that entry; `delta` what the entry added to it.
    `shortfall` is what a clawback was asked to take and could not, or what a cap cut off a credit.
    """

    account_id: int
    seq: int
    balance: int
    delta: int
    replayed: bool
    shortfall: int = 0

    @property
    def ref(self) -> EntryRef:
        """Return the address of the entry, to reverse, capture or release it."""
        return EntryRef(self.account_id, self.seq)


@dataclass(frozen=True, slots=True)
class Adjustment:
    """What came of asking for an adjustment: a posting, or a request that waits for consent."""

    posting: Posting | None
    request: AdjustmentRequest | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EarnRow:
    """One credit of many; see `operations.earn` for the meaning of each field.

    `earned_on` is the day that the expiry policy counts from; without it the day of `at`.
    """

    owner_id: int
    amount: int
    key: UUID
    at: datetime
    source: Source
    wallet: str = "points"
    earned_on: date | None = None
    available_at: datetime | None = None
    expires_on: date | None = None
    cause: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class EarnedMany:
    """How many credits were written, how many had been written before, and the points written."""

    posted: int
    replayed: int
    points: int


@dataclass(frozen=True, slots=True)
class LotChange:
    """What an entry did to one lot; `lot_seq` is the number of the entry that made the lot."""

    expires_on: date
    lot_seq: int
    quantity: int


@dataclass(frozen=True, slots=True)
class EntryView:
    """One journal entry as people read it.

    `amount` is the number of points moved, without a sign: for a capture too, whose delta is 0.
    """

    account_id: int
    seq: int
    kind: Entry.Kind
    delta: int
    amount: int
    balance_after: int
    at: datetime
    key: UUID
    source_type: str
    source_id: int | None
    ref_seq: int | None
    shortfall: int
    cause: dict[str, Any] | None
    lots: tuple[LotChange, ...]


@dataclass(frozen=True, slots=True)
class LotView:
    """One lot with something left; `expires_on` is None when it never expires.

    `is_by_inactivity`: that day moves on with each activity of the owner.
    """

    seq: int
    earned: int
    remaining: int
    is_pending: bool
    available_at: datetime | None
    expires_on: date | None
    is_by_inactivity: bool = False


@dataclass(frozen=True, slots=True)
class LotMove:
    """What one entry did to one lot."""

    seq: int
    kind: Entry.Kind
    at: datetime
    quantity: int
    source_type: str
    source_id: int | None


@dataclass(frozen=True, slots=True)
class LotHistory:
    """One lot from its credit to its end: earned = spent + held + expired + reversed + remaining.

    `moves` are all entries that touched it, in their order; `origin` is the one that made it.
    """

    lot: LotView
    spent: int
    held: int
    expired: int
    reversed: int
    origin: EntryView | None
    moves: tuple[LotMove, ...]


@dataclass(frozen=True, slots=True)
class TransferAllowance:
    """What an owner may still pass on today; None: no limit."""

    is_on: bool
    minimum: int
    points_left: int | None
    times_left: int | None


@dataclass(frozen=True, slots=True)
class HoldView:
    """One hold, found by its key or address."""

    ref: EntryRef
    owner_id: int
    amount: int
    state: Hold.State
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Balance:
    """What an owner has in a wallet as of an instant.

    `available` can be spent now; it is below zero when the owner owes points. `pending` waits,
    `held` is set aside, `expiring_30d` is the part of `available` whose last good day is within
    30 days. `spent` and `expired` are totals since the beginning: points given back no longer
    count as spent. `total` = available + pending + held. `owed` is what later credits pay of
    points that could not be taken back; `good_until` is the last good day of points that are good
    while their owner is active; `requests` is how many adjustments wait for consent;
    `may_transfer` says that the wallet lets members pass points on.
    """

    available: int
    pending: int
    held: int
    expiring_30d: int
    spent: int
    expired: int
    owed: int = 0
    good_until: date | None = None
    requests: int = 0
    may_transfer: bool = False

    @property
    def total(self) -> int:
        """Return all that the owner has, spendable now or not."""
        return self.available + self.pending + self.held


@dataclass(frozen=True, slots=True)
class Liability:
    """Outstanding points (balances and holds of all accounts) and their cost in minor units."""

    points: int
    minor: int


@dataclass(frozen=True, slots=True)
class BookLine:
    """The balance of one account of the books, for one wallet."""

    wallet: str
    account: str
    points: int


@dataclass(frozen=True, slots=True)
class Chunk:
    """What one step of a nightly job did."""

    accounts: int
    lots: int
    points: int
