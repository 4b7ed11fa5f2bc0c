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

from collections.abc import Iterable
from contextlib import suppress
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.utils.translation import gettext as _

from core.actors import Actor
from core.errors import InvalidError
from core.ids import derived_uuid
from members.points._batch import earn_query, earn_rows
from members.points._calls import (
    as_json,
    brand_day,
    check_amount,
    post,
    post_in_detail,
    run_chunk,
    wallet_id,
)
from members.points.errors import HoldNotOpenError, InvalidPointsError, WalletMissingError
from members.points.models import Account, Entry, Hold, Wallet
from members.points.values import (
    MAX_POINTS,
    Chunk,
    EarnedMany,
    EarnRow,
    EntryRef,
    Posting,
    Source,
)
from tenants.audit.operations import record
from tenants.events.operations import emit, emit_many

__all__ = [
    "MAX_POINTS",
    "Chunk",
    "EarnRow",
    "EarnedMany",
    "EntryRef",
    "Posting",
    "Source",
    "activate_chunk",
    "adjust",
    "capture",
    "change_wallet",
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
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO members_account (wallet_id, owner_id, balance, pending, held, seq, opened_at)
            SELECT w.id, o.id, 0, 0, 0, 0, %s
            FROM unnest(%s::bigint[]) AS o(id) CROSS JOIN members_wallet w
            ORDER BY o.id, w.id
            ON CONFLICT (owner_id, wallet_id) DO NOTHING
            """,
            [at, list(owner_ids)],
        )
        return int(cursor.rowcount)


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
    return post(
        "points_earn",
        Entry.Kind.EARN.value,
        wallet_id(wallet),
        owner_id,
        check_amount(amount),
        key,
        at,
        earned_on or brand_day(at),
        source.type,
        source.id,
        as_json(cause),
        available_at,
        expires_on,
    )


def earn_many(*, rows: Iterable[EarnRow]) -> EarnedMany:
    """Credit many rows, of any owners and wallets, in their order; the same as one by one.

    Needs the caller's transaction. Rows stream to the database; memory stays flat.

    :raises AccountMissingError, KeyReusedError, InvalidPointsError: as `earn`; then nothing of
        the batch is written.
    """
    return earn_rows(rows)


def earn_from_query(*, query: str, parameters: Iterable[Any] = ()) -> EarnedMany:
    """Credit the rows of a SQL query, without a way through Python; otherwise as `earn_many`.

    The query returns, in this order: ordinal bigint (rows of one account are credited in this
    order), wallet_id smallint, owner_id bigint, amount bigint, key uuid, at timestamptz,
    earned_on date, available_at timestamptz or null, expires_on date or null, source_type text,
    source_id bigint, cause jsonb or null.
    """
    return earn_query(query, parameters)


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
    return post(
        "points_spend",
        Entry.Kind.REDEEM.value,
        wallet_id(wallet),
        owner_id,
        check_amount(amount),
        key,
        at,
        brand_day(at),
        source.type,
        source.id,
        as_json(cause),
        None,
    )


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

    Event: `points.held`.

    The hold is named later by this posting's `ref` or by its key.

    :raises InsufficientPointsError, InvalidPointsError, AccountMissingError, KeyReusedError: as
        `redeem`.
    """
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
        _tell("points.held", posting, amount, at, source)
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
    return post(
        "points_reverse",
        *_address(entry_ref),
        None if amount is None else check_amount(amount),
        key,
        at,
        brand_day(at),
        source.type,
        source.id,
        as_json(cause),
    )


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

    Event: `points.adjusted`.

    :raises InsufficientPointsError: if a lowering passes what is available.
    :raises InvalidPointsError: if the amount is 0 or too large, or the reason is empty.
    :raises AccountMissingError, KeyReusedError: as `earn`.
    """
    points = check_amount(abs(amount) if type(amount) is int else amount)
    if not reason.strip():
        raise InvalidPointsError(_("A reason is needed."), pointer="/reason")
    today = brand_day(at)
    common = (Entry.Kind.ADJUST.value, wallet_id(wallet), owner_id, points, key, at, today)
    origin = ("adjustment", by.id, as_json({"reason": reason, "by": by.key}))
    with transaction.atomic():
        if amount > 0:
            posting = post("points_earn", *common, *origin, at, expires_on)
        else:
            posting = post("points_spend", *common, *origin, None)
        if not posting.replayed:
            record(
                by=by,
                at=at,
                action="points.adjusted",
                target_type="points_account",
                target_id=posting.account_id,
                changes={"balance": [posting.balance - posting.delta, posting.balance]},
                reason=reason,
            )
        _tell("points.adjusted", posting, amount, at, Source("adjustment", by.id or 0))
    return posting


def expire_chunk(*, at: datetime, limit: int = 5_000, wait: bool = False) -> Chunk:
    """Expire what is left in lots whose last good day is before the brand's day of `at`.

    Works on the accounts of the first `limit` due lots in one transaction; accounts that are
    locked by others are skipped unless `wait`. Zero accounts: nothing (unlocked) is left to do.
    Event for each account: `points.expired`.
    """
    with transaction.atomic():
        accounts, lots, points, ids, lost = run_chunk(
            "points_expire_chunk", at, brand_day(at), limit, wait
        )
        owners = {
            account_id: (owner_id, wallet)
            for account_id, owner_id, wallet in Account.objects.filter(id__in=ids).values_list(
                "id", "owner_id", "wallet__code"
            )
        }
        emit_many(
            type="points.expired",
            events=[
                (
                    f"member:{owners[account_id][0]}",
                    {"wallet": owners[account_id][1], "points": expired},
                )
                for account_id, expired in zip(ids, lost, strict=True)
            ],
            at=at,
        )
    return Chunk(accounts, lots, points)


def activate_chunk(*, at: datetime, limit: int = 5_000, wait: bool = False) -> Chunk:
    """Make points spendable whose waiting is over at `at`; chunks as `expire_chunk`."""
    accounts, lots, points = run_chunk("points_activate_chunk", at, limit, wait)
    return Chunk(accounts, lots, points)


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


def change_wallet(*, wallet: str, by: Actor, at: datetime, **rules: Any) -> Wallet:
    """Change the rules of a wallet from now on (fields of `Wallet`); writes an audit entry.

    :raises WalletMissingError: if there is no such wallet.
    :raises InvalidError: if a rule is unknown or its value not allowed.
    """
    with transaction.atomic():
        found = Wallet.objects.select_for_update().filter(code=wallet).first()
        if found is None:
            raise WalletMissingError(wallet=wallet)
        changes: dict[str, list[Any]] = {}
        for name, value in rules.items():
            if name not in _RULES:
                raise InvalidError(_("There is no such rule."), pointer=f"/{name}")
            if getattr(found, name) != value:
                changes[name] = [getattr(found, name), value]
                setattr(found, name, value)
        try:
            found.full_clean()
        except ValidationError as error:
            raise InvalidError("; ".join(error.messages)) from error
        if changes:
            found.save(update_fields=list(changes))
            record(
                by=by,
                at=at,
                action="wallet.changed",
                target_type="wallet",
                target_id=wallet,
                changes=changes,
            )
    return found


_RULES = frozenset(
    {
        "name",
        "expiry_policy",
        "expiry_months",
        "pending_days",
        "restore_grace_days",
        "may_go_negative",
        "cost_per_point_micro",
    }
)


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
            "points_end_hold",
            kind.value,
            *_address(hold_ref),
            key,
            at,
            brand_day(at),
            source.type,
            source.id,
        )
        _tell(event, posting, amount, at, source)
    return posting


def _tell(event: str, posting: Posting, amount: int, at: datetime, source: Source) -> None:
    """Write the event of a new posting. To this room the owner is opaque; outside, a member."""
    if posting.replayed:
        return
    owner_id, wallet = Account.objects.values_list("owner_id", "wallet__code").get(
        id=posting.account_id
    )
    emit(
        type=event,
        subject=f"member:{owner_id}",
        data={
            "wallet": wallet,
            "points": amount,
            "balance": posting.balance,
            "source": f"{source.type}:{source.id}",
        },
        at=at,
    )


def _address(ref: EntryRef | UUID) -> tuple[UUID | None, int | None, int | None]:
    if isinstance(ref, EntryRef):
        return None, ref.account_id, ref.seq
    return ref, None, None
