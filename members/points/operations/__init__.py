"""Everything that changes points. Each operation is one call of a SQL function.

Alone, an operation commits by itself; inside `transaction.atomic()` it joins. Its account's row
stays locked until the end of that transaction: take accounts before anything else that is locked
(lock order: account → lots → hold → stock), and several accounts in the order of their keys
(`earn_many` does).

Credits, spendings and reversals tell nobody: the caller knows what they mean and writes the
event.

Every posting has a `key`, unique per brand for ever. The same key again returns the first posting
with `replayed=True` and writes nothing; with another kind, amount or account it is refused. A
refused operation has changed nothing and leaves the caller's transaction usable, but for one case:
when two accounts are given the same new key at the same moment, the database refuses the second.
"""

from members.points._calls import refusal_of
from members.points.operations.adjustments import (
    adjust,
    approve_adjustment,
    ask_adjustment,
    check_by_hand,
    person_behind,
    refuse_adjustment,
    withdraw_adjustment,
)
from members.points.operations.holds import capture, hold, release, release_expired_holds
from members.points.operations.liability import list_days_due, snapshot_liability
from members.points.operations.merges import (
    hand_over_rest,
    merge_accounts,
    unmerge_accounts,
)
from members.points.operations.nights import (
    activate_chunk,
    expire_chunk,
    note_activity,
    notify_chunk,
)
from members.points.operations.postings import (
    check_chosen,
    earn,
    earn_from_query,
    earn_many,
    redeem,
    reverse,
    spend,
)
from members.points.operations.transfers import transfer
from members.points.operations.wallets import (
    change_wallet,
    create_wallet,
    open_accounts,
    open_accounts_chunk,
    open_accounts_for,
)
from members.points.values import (
    MAX_POINTS,
    Adjustment,
    Chunk,
    EarnedMany,
    EarnRow,
    EntryRef,
    Posting,
    Source,
)

__all__ = [
    "MAX_POINTS",
    "Adjustment",
    "Chunk",
    "EarnRow",
    "EarnedMany",
    "EntryRef",
    "Posting",
    "Source",
    "activate_chunk",
    "adjust",
    "approve_adjustment",
    "ask_adjustment",
    "capture",
    "change_wallet",
    "check_by_hand",
    "check_chosen",
    "create_wallet",
    "earn",
    "earn_from_query",
    "earn_many",
    "expire_chunk",
    "hand_over_rest",
    "hold",
    "list_days_due",
    "merge_accounts",
    "note_activity",
    "notify_chunk",
    "open_accounts",
    "open_accounts_chunk",
    "open_accounts_for",
    "person_behind",
    "redeem",
    "refusal_of",
    "refuse_adjustment",
    "release",
    "release_expired_holds",
    "reverse",
    "snapshot_liability",
    "spend",
    "transfer",
    "unmerge_accounts",
    "withdraw_adjustment",
]
