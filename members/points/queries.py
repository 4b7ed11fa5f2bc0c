"""Reading balances, lots and the journal."""

from collections.abc import Collection, Iterable
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final
from uuid import UUID

from django.db import connection
from django.db.models import BigIntegerField, Count, F, Q, Sum
from django.db.models.functions import Coalesce

from members.points._calls import brand_day, wallet_id
from members.points._lot_history import entries_of, histories_of, page_of_lots
from members.points.errors import AccountMissingError, RequestMissingError
from members.points.models import (
    FIRST_DAY,
    NEVER,
    WHILE_ACTIVE,
    Account,
    AdjustmentRequest,
    Entry,
    Hold,
    LiabilityDay,
    Lot,
    Transfer,
    Wallet,
)
from members.points.values import (
    Balance,
    BookLine,
    EntryRef,
    EntryView,
    HoldView,
    Liability,
    LotChange,
    LotHistory,
    LotView,
    TransferAllowance,
)

__all__ = [
    "Balance",
    "BookLine",
    "EntryRef",
    "EntryView",
    "HoldView",
    "Liability",
    "LotChange",
    "LotHistory",
    "LotView",
    "TransferAllowance",
    "available_sql",
    "count_requests",
    "double_entry",
    "entry_view",
    "expiring_sql",
    "get_account",
    "get_allowance",
    "get_balance",
    "get_balances",
    "get_entry",
    "get_hold",
    "get_request",
    "get_wallet",
    "liability",
    "list_entries",
    "list_liability",
    "list_lot_histories",
    "list_lots",
    "list_requests",
    "list_transfers_by_key",
    "list_wallets",
    "lot_view",
]


_BALANCE: Final = """
SELECT least(a.balance, 0) + l.available, l.pending, a.held + f.held, l.expiring,
       j.redeemed + j.captured, j.expired, a.owed, a.good_until,
       (SELECT count(*) FROM members_adjustmentrequest r
        WHERE r.owner_id = a.owner_id AND r.wallet_id = a.wallet_id AND r.state = 'pending'),
       (SELECT w.transfers_on FROM members_wallet w WHERE w.id = a.wallet_id)
FROM members_account a
CROSS JOIN LATERAL (
    WITH RECURSIVE merged AS (
        SELECT id, held FROM members_account WHERE merged_into_id = a.id
        UNION ALL
        SELECT m.id, m.held FROM members_account m JOIN merged ON m.merged_into_id = merged.id
    )
    SELECT coalesce(sum(held), 0)::bigint AS held FROM merged
) AS f
CROSS JOIN LATERAL (
    SELECT coalesce(sum(remaining) FILTER (WHERE NOT waits), 0)::bigint AS available,
           coalesce(sum(remaining) FILTER (WHERE waits), 0)::bigint AS pending,
           coalesce(sum(remaining) FILTER (WHERE NOT waits AND expires_on <= %(soon)s), 0)::bigint
               AS expiring
    FROM (
        SELECT remaining, is_pending AND available_at > %(at)s AS waits,
               CASE expires_on WHEN DATE '9999-12-30' THEN a.good_until ELSE expires_on END
               AS expires_on
        FROM members_lot
        WHERE account_id = a.id AND is_open AND expires_on >= %(today)s
          AND (expires_on <> DATE '9999-12-30' OR a.good_until >= %(today)s)
    ) AS good
) AS l
CROSS JOIN LATERAL (
    SELECT coalesce(-sum(delta) FILTER (WHERE kind IN (2, 4)), 0)::bigint AS redeemed,
           coalesce(sum(points_sum(lots)) FILTER (WHERE kind = 7), 0)::bigint AS captured,
           coalesce(-sum(delta) FILTER (WHERE kind = 3), 0)::bigint AS expired
    FROM members_entry WHERE account_id = a.id
) AS j
WHERE a.owner_id = %(owner)s AND a.wallet_id = %(wallet)s
"""

# Each entry is two lines: what its kind does to the members' account, and to its contra account.
# A capture leaves the members' account and moves points from `held` to `redeemed`.
_DOUBLE_ENTRY: Final = """
SELECT w.code, line.book, sum(line.points)::bigint
FROM members_entry e
JOIN members_account a ON a.id = e.account_id
JOIN members_wallet w ON w.id = a.wallet_id
CROSS JOIN LATERAL (VALUES
    (CASE e.kind WHEN 7 THEN 'held' ELSE 'members' END,
     CASE e.kind WHEN 7 THEN -points_sum(e.lots) ELSE e.delta END),
    (CASE WHEN e.kind IN (1, 10, 11) THEN 'issued' WHEN e.kind IN (2, 4, 7) THEN 'redeemed'
          WHEN e.kind = 3 THEN 'expired' WHEN e.kind = 5 THEN 'adjusted'
          WHEN e.kind IN (6, 8) THEN 'held' ELSE 'transferred' END,
     CASE e.kind WHEN 7 THEN points_sum(e.lots) ELSE -e.delta END)
) AS line (book, points)
WHERE (%(since)s::timestamptz IS NULL OR e.at >= %(since)s)
  AND (%(until)s::timestamptz IS NULL OR e.at < %(until)s)
GROUP BY w.code, line.book
ORDER BY w.code, line.book
"""


def get_balance(*, owner_id: int, at: datetime, wallet: str = "points") -> Balance:
    """Return what the owner has in the wallet as of `at`, in one query.

    Holds of owners who were merged into this one count as held.

    :raises AccountMissingError: if the owner has no account there.
    """
    today = brand_day(at)
    with connection.cursor() as cursor:
        cursor.execute(
            _BALANCE,
            {
                "owner": owner_id,
                "wallet": wallet_id(wallet),
                "at": at,
                "today": today,
                "soon": today + timedelta(days=30),
            },
        )
        row = cursor.fetchone()
    if row is None:
        raise AccountMissingError(owner_id=owner_id, wallet=wallet)
    return Balance(*row)


def get_balances(*, owner_ids: Iterable[int], wallet: str = "points") -> dict[int, int]:
    """Return the stored spendable balance (below zero: a debt) of each owner with an account.

    Points whose waiting ended, or that expired, since the last nightly job are not yet moved.
    """
    accounts = Account.objects.filter(owner_id__in=list(owner_ids), wallet_id=wallet_id(wallet))
    return dict(accounts.values_list("owner_id", F("balance") - F("pending")))


def list_entries(
    *, owner_id: int, wallet: str = "points", before_seq: int | None = None, limit: int = 50
) -> list[EntryView]:
    """Return journal entries, newest first; `before_seq` is the last number already seen."""
    entries = Entry.objects.filter(
        account__owner_id=owner_id, account__wallet_id=wallet_id(wallet)
    ).order_by("-seq")
    if before_seq is not None:
        entries = entries.filter(seq__lt=before_seq)
    return [entry_view(entry) for entry in entries[:limit]]


def list_entries_by_seq(
    *, owner_id: int, wallet: str = "points", seqs: Collection[int]
) -> dict[int, EntryView]:
    """Return journal entries of one account by their numbers."""
    entries = Entry.objects.filter(
        account__owner_id=owner_id, account__wallet_id=wallet_id(wallet), seq__in=seqs
    )
    return {entry.seq: entry_view(entry) for entry in entries}


def list_wallets_of(*, owner_id: int) -> list[Wallet]:
    """Return the wallets in which an owner has any entry, `points` and `growth` in any case."""
    used = Account.objects.filter(owner_id=owner_id, seq__gt=0).values("wallet_id")
    return list(Wallet.objects.filter(Q(id__lte=2) | Q(id__in=used)).order_by("id"))


def get_entry(*, key: UUID) -> EntryView | None:
    """Return the entry written with this key, if there is one."""
    entry = Entry.objects.filter(key=key).first()
    return None if entry is None else entry_view(entry)


def get_hold(*, hold_ref: EntryRef | UUID) -> HoldView | None:
    """Return a hold by its address or key, if there is one."""
    ref = hold_ref
    if not isinstance(ref, EntryRef):
        entry = get_entry(key=ref)
        if entry is None:
            return None
        ref = EntryRef(entry.account_id, entry.seq)
    hold = (
        Hold.objects.filter(account_id=ref.account_id, seq=ref.seq)
        .select_related("account")
        .first()
    )
    if hold is None:
        return None
    return HoldView(
        ref=ref,
        owner_id=hold.account.owner_id,
        amount=hold.amount,
        state=Hold.State(hold.state),
        until=hold.until,
    )


def list_lots(*, owner_id: int, wallet: str = "points") -> list[LotView]:
    """Return the lots with something left, earliest expiry first: the order of spending."""
    lots = (
        Lot.objects.filter(
            account__owner_id=owner_id, account__wallet_id=wallet_id(wallet), is_open=True
        )
        .select_related("account")
        .order_by("expires_on", "seq")
    )
    return [lot_view(lot, good_until=lot.account.good_until) for lot in lots]


def liability(*, wallet: str = "points") -> Liability:
    """Return outstanding points × cost per point, rounded half-even once."""
    found = Wallet.objects.get(id=wallet_id(wallet))
    points = found.accounts.aggregate(
        points=Coalesce(Sum(F("balance") + F("held")), 0, output_field=BigIntegerField())
    )["points"]
    cost = Decimal(points) * found.cost_per_point_micro / 1_000_000
    return Liability(points=points, minor=int(cost.quantize(Decimal(1), ROUND_HALF_EVEN)))


def double_entry(*, since: datetime | None = None, until: datetime | None = None) -> list[BookLine]:
    """Return the balances of the books over the journal of [since, until), per wallet.

    The accounts are `members`, `held`, `issued`, `redeemed`, `expired`, `adjusted` and
    `transferred`; those of one wallet sum to zero.
    """
    with connection.cursor() as cursor:
        cursor.execute(_DOUBLE_ENTRY, {"since": since, "until": until})
        return [BookLine(*row) for row in cursor.fetchall()]


def available_sql(owner: str, *, wallet_id: int = 1) -> str:
    """Return a SQL scalar: the stored spendable balance of the owner named by `owner`.

    `owner` is trusted SQL of ours such as `m.id`. Null when there is no account.
    """
    return (
        "(SELECT pa.balance - pa.pending FROM members_account pa "  # noqa: S608
        f"WHERE pa.owner_id = {owner} AND pa.wallet_id = {wallet_id:d})"
    )


def expiring_sql(owner: str, *, on: date, days: int = 30, wallet_id: int = 1) -> str:
    """Return a SQL scalar: available points whose last good day is in [on, on + days]."""
    first, last = f"DATE '{on:%Y-%m-%d}'", f"DATE '{on + timedelta(days=days):%Y-%m-%d}'"
    return (
        "(SELECT coalesce(sum(pl.remaining), 0)::bigint FROM members_account pa "  # noqa: S608
        "JOIN members_lot pl ON pl.account_id = pa.id AND pl.is_open AND NOT pl.is_pending "
        f"AND (pl.expires_on BETWEEN {first} AND {last} "
        f"OR pl.expires_on = DATE '9999-12-30' AND pa.good_until BETWEEN {first} AND {last}) "
        f"WHERE pa.owner_id = {owner} AND pa.wallet_id = {wallet_id:d})"
    )


def lot_view(lot: Lot, *, good_until: date | None) -> LotView:
    """Return a lot as people read it; `good_until` is its account's."""
    by_inactivity = lot.expires_on == WHILE_ACTIVE
    return LotView(
        seq=lot.seq,
        earned=lot.earned,
        remaining=lot.remaining,
        is_pending=lot.is_pending,
        available_at=lot.available_at,
        expires_on=(
            good_until if by_inactivity else None if lot.expires_on == NEVER else lot.expires_on
        ),
        is_by_inactivity=by_inactivity,
    )


def entry_view(entry: Entry) -> EntryView:
    """Return a journal entry as people read it."""
    changes = tuple(
        LotChange(FIRST_DAY + timedelta(days=day), seq, quantity)
        for day, seq, quantity in zip(
            entry.lots[0::3], entry.lots[1::3], entry.lots[2::3], strict=True
        )
    )
    captured = entry.kind == Entry.Kind.CAPTURE
    return EntryView(
        account_id=entry.account_id,
        seq=entry.seq,
        kind=Entry.Kind(entry.kind),
        delta=entry.delta,
        amount=sum(abs(change.quantity) for change in changes) if captured else abs(entry.delta),
        balance_after=entry.balance_after,
        at=entry.at,
        key=entry.key,
        source_type=entry.source_type,
        source_id=entry.source_id,
        ref_seq=entry.ref_seq,
        shortfall=entry.shortfall or 0,
        cause=entry.cause,
        lots=changes,
    )


def list_lot_histories(
    *, owner_id: int, wallet: str = "points", before_seq: int | None = None, limit: int = 50
) -> list[LotHistory]:
    """Return all lots, spent ones too, newest first, each with its credit and every move.

    `before_seq` is the last number already seen.
    """
    lots = page_of_lots(
        account__owner_id=owner_id,
        account__wallet_id=wallet_id(wallet),
        before=before_seq,
        limit=limit,
    )
    entries = entries_of(lots)
    made = {lot.seq for lot in lots}
    return histories_of(
        lots,
        entries,
        views=[lot_view(lot, good_until=lot.account.good_until) for lot in lots],
        origins={entry.seq: entry_view(entry) for entry in entries if entry.seq in made},
    )


def get_account(*, owner_id: int, wallet: str = "points") -> Account:
    """Return an owner's account: what it owes, and until when it is active.

    :raises AccountMissingError: if there is none.
    """
    found = Account.objects.filter(owner_id=owner_id, wallet_id=wallet_id(wallet)).first()
    if found is None:
        raise AccountMissingError(owner_id=owner_id, wallet=wallet)
    return found


def list_wallets() -> list[Wallet]:
    """Return the brand's wallets, `points` and `growth` first."""
    return list(Wallet.objects.order_by("id"))


def get_wallet(*, wallet: str = "points") -> Wallet:
    """Return a wallet with its rules.

    :raises WalletMissingError: if there is none of that code.
    """
    return Wallet.objects.get(id=wallet_id(wallet))


def list_requests(
    *,
    state: str | None = None,
    owner_id: int | None = None,
    before: int | None = None,
    limit: int = 50,
) -> list[AdjustmentRequest]:
    """Return requests for adjustments, newest first; `before` is the last key already seen."""
    found = AdjustmentRequest.objects.select_related("wallet").order_by("-id")
    if state is not None:
        found = found.filter(state=state)
    if owner_id is not None:
        found = found.filter(owner_id=owner_id)
    if before is not None:
        found = found.filter(id__lt=before)
    return list(found[:limit])


def count_requests() -> int:
    """Return how many adjustments wait for consent."""
    return AdjustmentRequest.objects.filter(state=AdjustmentRequest.State.PENDING).count()


def get_request(*, request_id: int) -> AdjustmentRequest:
    """Return one request.

    :raises RequestMissingError: if there is none.
    """
    found = AdjustmentRequest.objects.select_related("wallet").filter(pk=request_id).first()
    if found is None:
        raise RequestMissingError(request=request_id)
    return found


def get_allowance(*, owner_id: int, at: datetime, wallet: str = "points") -> TransferAllowance:
    """Return what an owner may still pass on today, by the wallet's rules."""
    rules = get_wallet(wallet=wallet)
    day = Transfer.objects.filter(
        from_account__owner_id=owner_id, from_account__wallet=rules, on_date=brand_day(at)
    ).aggregate(points=Coalesce(Sum("points"), 0, output_field=BigIntegerField()), n=Count("id"))
    points = rules.transfer_day_points
    times = rules.transfer_day_count
    return TransferAllowance(
        is_on=rules.transfers_on,
        minimum=rules.transfer_min,
        points_left=None if points is None else max(points - day["points"], 0),
        times_left=None if times is None else max(times - day["n"], 0),
    )


def list_transfers_by_key(*, transfer_ids: Iterable[int]) -> dict[int, tuple[int, int]]:
    """Return sender and receiver, as owners, of transfers by their keys."""
    rows = Transfer.objects.filter(pk__in=list(transfer_ids)).values_list(
        "pk", "from_account__owner_id", "to_account__owner_id"
    )
    return {key: (sender, receiver) for key, sender, receiver in rows}


def list_liability(*, wallet: str = "points", since: date, until: date) -> list[LiabilityDay]:
    """Return the computed days of a wallet in [since, until], oldest first."""
    return list(
        LiabilityDay.objects.filter(
            wallet_id=wallet_id(wallet), on_date__gte=since, on_date__lte=until
        ).order_by("on_date")
    )
