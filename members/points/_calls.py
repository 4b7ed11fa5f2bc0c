"""Calling the SQL functions: one statement each, refusals as errors."""

from collections.abc import Callable
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from django.db import IntegrityError, connection
from psycopg.types.json import Jsonb

from core.clock import local_date
from core.errors import DomainError
from members.points.errors import (
    AccountMissingError,
    ConsentNeededError,
    EntryMissingError,
    HoldNotOpenError,
    InsufficientPointsError,
    InvalidPointsError,
    KeyReusedError,
    NotReversibleError,
    ReceiverFullError,
    ReceiverMissingError,
    ReceiverOwesError,
    SenderOwesError,
    TransferLimitError,
    TransfersOffError,
    TransferTooSmallError,
    WalletMissingError,
)
from members.points.models import Hold, Wallet
from members.points.values import MAX_POINTS, EntryRef, Posting
from tenants.audit.errors import WrongSchemaError
from tenants.brands.context import current_brand

# The wallets that the migrations make, so that a posting need not look them up.
_SEEDED: Final = {"points": 1, "growth": 2}

_COLUMNS: Final = "o_outcome, o_account, o_seq, o_balance, o_delta, o_shortfall, o_detail"

_HOLD_STATES: Final = {
    Hold.State.OPEN: "past_its_time",
    Hold.State.CAPTURED: "captured",
    Hold.State.RELEASED: "released",
}

_REFUSALS: Final[dict[str, Callable[[int], DomainError]]] = {
    "insufficient": lambda detail: InsufficientPointsError(missing=detail),
    "key_reused": lambda _: KeyReusedError(),
    "account_missing": lambda _: AccountMissingError(),
    "entry_missing": lambda _: EntryMissingError(),
    "hold_not_open": lambda detail: HoldNotOpenError(state=_HOLD_STATES[Hold.State(detail)]),
    "not_reversible": lambda detail: NotReversibleError(reversible=detail),
    "consent_needed": lambda _: ConsentNeededError(),
    "transfers_off": lambda _: TransfersOffError(),
    "transfer_too_small": lambda detail: TransferTooSmallError(minimum=detail, pointer="/amount"),
    "transfer_count": lambda detail: TransferLimitError(limit="count", maximum=detail),
    "transfer_points": lambda detail: TransferLimitError(limit="points", left=detail),
    "sender_owes": lambda _: SenderOwesError(),
    "receiver_missing": lambda _: ReceiverMissingError(),
    "receiver_owes": lambda _: ReceiverOwesError(),
    "receiver_full": lambda detail: ReceiverFullError(room=detail, pointer="/amount"),
}


def post(function: str, *arguments: Any) -> Posting:
    """Call a posting function of the current brand; its first argument is the brand's schema.

    :raises WrongSchemaError: if the connection works in another brand's schema.
    """
    posting, _ = post_in_detail(function, *arguments)
    return posting


def post_in_detail(function: str, *arguments: Any) -> tuple[Posting, int]:
    """Call a posting function; return its detail as well: a hold's number of points.

    :raises WrongSchemaError: if the connection works in another brand's schema.
    """
    marks = ", ".join(["%s"] * (len(arguments) + 1))
    schema = current_brand().schema_name
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {_COLUMNS} FROM {function}({marks})", [schema, *arguments])  # noqa: S608
            outcome, account, seq, balance, delta, shortfall, detail = cursor.fetchone()
    except IntegrityError as error:
        # The functions look for the key under the account's lock, so that only a posting of
        # another account, at the same moment, can be met here.
        if violated_constraint(error) == "entry_key_unique":
            raise KeyReusedError from error
        raise
    if outcome in {"posted", "replayed"}:
        posting = Posting(account, seq, balance, delta, outcome == "replayed", shortfall or 0)
        return posting, detail or 0
    raise refusal_of(outcome=outcome, detail=detail)


def refusal_of(*, outcome: str, detail: int) -> Exception:
    """Return the error that an outcome of a posting stands for, told by a function of SQL.

    `WrongSchemaError` when the connection works in another brand's schema.
    """
    if outcome == "wrong_schema":
        return WrongSchemaError(expected=current_brand().schema_name)
    return _REFUSALS[outcome](detail)


def run_chunk(function: str, *arguments: Any) -> tuple[Any, ...]:
    """Call one step of a nightly job; return its columns.

    :raises WrongSchemaError: if the connection works in another brand's schema.
    """
    schema = current_brand().schema_name
    marks = ", ".join(["%s"] * (len(arguments) + 1))
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {function}({marks})", [schema, *arguments])  # noqa: S608
        row: tuple[Any, ...] = cursor.fetchone()
    if row[0] is None:
        raise WrongSchemaError(expected=schema)
    return row


def violated_constraint(error: IntegrityError) -> str | None:
    """Return the name of the constraint that an error of the database is about."""
    diagnosis = getattr(error.__cause__, "diag", None)
    return getattr(diagnosis, "constraint_name", None)


def brand_day(at: datetime) -> date:
    """Return the current brand's calendar day at an instant."""
    return local_date(at, current_brand().timezone)


def wallet_id(code: str) -> int:
    """Return the key of a wallet; no query for those that every brand has.

    :raises WalletMissingError: if there is none of that code.
    """
    found = _SEEDED.get(code)
    if found is None:
        found = Wallet.objects.filter(code=code).values_list("id", flat=True).first()
    if found is None:
        raise WalletMissingError(wallet=code)
    return found


def check_amount(amount: int) -> int:
    """Return the amount when it is a whole number from 1 to `MAX_POINTS`.

    :raises InvalidPointsError: otherwise.
    """
    if type(amount) is not int or not 1 <= amount <= MAX_POINTS:
        raise InvalidPointsError(amount=str(amount)[:40], maximum=MAX_POINTS)
    return amount


def as_json(value: dict[str, Any] | None) -> Jsonb | None:
    """Wrap a dictionary for a jsonb parameter."""
    return None if value is None else Jsonb(value)


def address_of(ref: EntryRef | UUID) -> tuple[UUID | None, int | None, int | None]:
    """Return how the functions want an entry named: by its key, or by account and number."""
    if isinstance(ref, EntryRef):
        return None, ref.account_id, ref.seq
    return ref, None, None
