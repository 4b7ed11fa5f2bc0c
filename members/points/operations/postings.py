"""Credits, spendings and reversals: one call of a SQL function each."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from members.points._batch import earn_query, earn_rows
from members.points._calls import address_of, as_json, brand_day, check_amount, post, wallet_id
from members.points.errors import SpendRuleError
from members.points.models import Entry, Wallet
from members.points.values import EarnedMany, EarnRow, EntryRef, Posting, Source


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

    Caps of the wallet cut a credit off or refuse it, as its policy says: the posting's
    `shortfall` is what was not credited, and its entry's cause says which cap, and when there is
    room again. Corrections, points given back and transfers are not earned and meet no cap here.

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


def earn_from_query(
    *, query: str, parameters: Iterable[Any] = (), keys_are_new: bool = False
) -> EarnedMany:
    """Credit the rows of a SQL query, without a way through Python; otherwise as `earn_many`.

    The query returns, in this order: ordinal bigint (rows of one account are credited in this
    order), wallet_id smallint, owner_id bigint, amount bigint, key uuid, at timestamptz,
    earned_on date, available_at timestamptz or null, expires_on date or null, source_type text,
    source_id bigint, cause jsonb or null.

    With `keys_are_new` nobody looks for earlier postings of the keys: for rows made in this
    transaction. A key that is taken all the same is refused.

    :raises KeyReusedError: if a key belongs to another posting.
    """
    return earn_query(query, parameters, keys_are_new=keys_are_new)


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


def spend(
    *,
    owner_id: int,
    amount: int,
    key: UUID,
    at: datetime,
    source: Source,
    wallet: str = "points",
    cause: dict[str, Any] | None = None,
) -> Posting:
    """Spend a number of points that the member has chosen, within the wallet's rules.

    `redeem` is for prices that are not the member's choice: these rules do not touch them.

    :raises SpendRuleError: if it is fewer than the wallet's minimum or no multiple of its step.
    :raises InsufficientPointsError, InvalidPointsError, AccountMissingError, KeyReusedError: as
        `redeem`.
    """
    check_chosen(wallet=wallet, amount=amount)
    return redeem(
        owner_id=owner_id,
        amount=amount,
        key=key,
        at=at,
        source=source,
        wallet=wallet,
        cause=cause,
    )


def check_chosen(*, wallet: str = "points", amount: int) -> None:
    """Pass silently when members may spend this number of points at once.

    :raises SpendRuleError: if it is fewer than the wallet's minimum or no multiple of its step;
        data: minimum, step, nearest (the next smaller number that may be spent, or the minimum).
    """
    check_amount(amount)
    rules = Wallet.objects.only("spend_min", "spend_step").get(id=wallet_id(wallet))
    step, minimum = rules.spend_step, -(-max(rules.spend_min, 1) // rules.spend_step)
    data = {
        "minimum": minimum * step,
        "step": step,
        "nearest": max(amount // step, minimum) * step,
        "pointer": "/amount",
    }
    if amount < minimum * step:
        raise SpendRuleError(
            _("At least %(n)s points are spent at once.") % {"n": minimum * step}, **data
        )
    if amount % step:
        raise SpendRuleError(
            _("Points are spent in steps of %(step)s: %(nearest)s would do.") % data, **data
        )


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
    the posting's `shortfall`, and paid out of later credits where the wallet recovers. All reversals of an entry together never pass its amount.

    :raises EntryMissingError: if there is no such entry.
    :raises NotReversibleError: for other kinds, or if less than `amount` is left of it; data:
        reversible.
    :raises InvalidPointsError, KeyReusedError: as `earn`.
    """
    return post(
        "points_reverse_merged",
        *address_of(entry_ref),
        None if amount is None else check_amount(amount),
        key,
        at,
        brand_day(at),
        source.type,
        source.id,
        as_json(cause),
    )
