"""Points that one owner passes on to another."""

from datetime import datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import transaction

from core.actors import Actor
from members.points._calls import brand_day, check_amount, post, wallet_id
from members.points.errors import TransferLimitError
from members.points.models import Transfer
from members.points.values import Posting
from tenants.audit.operations import record
from tenants.brands.context import current_brand
from tenants.events.operations import emit_many


def transfer(
    *,
    from_owner_id: int,
    to_owner_id: int,
    amount: int,
    key: UUID,
    by: Actor,
    at: datetime,
    wallet: str = "points",
) -> Posting:
    """Pass available points on, earliest expiry first; return the sender's posting.

    The receiver's lots keep the last good days. Both entries name one row of `Transfer`. Events:
    `points.transferred`, to both. Staff's and machines' transfers are audited.

    :raises TransfersOffError: if the wallet does not allow it.
    :raises TransferTooSmallError, TransferLimitError: by the wallet's minimum and limits of a
        day; data: minimum, or left and retry_at.
    :raises ReceiverMissingError, ReceiverOwesError, ReceiverFullError: if the receiver can not
        take them; data of the last: room.
    :raises SenderOwesError: if the sender owes points that were taken back.
    :raises InsufficientPointsError, InvalidPointsError, AccountMissingError, KeyReusedError: as
        `redeem`.
    """
    today = brand_day(at)
    try:
        with transaction.atomic():
            posting = post(
                "points_transfer",
                wallet_id(wallet),
                from_owner_id,
                to_owner_id,
                check_amount(amount),
                key,
                at,
                today,
            )
            if not posting.replayed:
                _tell(posting, from_owner_id, to_owner_id, amount, wallet, by, at)
    except TransferLimitError as error:
        zone = ZoneInfo(current_brand().timezone)
        again = datetime.combine(today + timedelta(days=1), time(), tzinfo=zone)
        raise TransferLimitError(**error.data, retry_at=again.isoformat()) from error
    return posting


def _tell(
    posting: Posting,
    from_owner_id: int,
    to_owner_id: int,
    amount: int,
    wallet: str,
    by: Actor,
    at: datetime,
) -> None:
    data = {
        "wallet": wallet,
        "points": amount,
        "from": from_owner_id,
        "to": to_owner_id,
    }
    emit_many(
        type="points.transferred",
        events=[(f"member:{owner}", data) for owner in (from_owner_id, to_owner_id)],
        at=at,
    )
    if by.kind in {"staff", "operator", "api"}:
        made = Transfer.objects.get(from_account_id=posting.account_id, from_seq=posting.seq)
        record(
            by=by,
            at=at,
            action="points.transferred",
            target_type="points_transfer",
            target_id=made.pk,
            changes={"points": [None, amount]},
        )
