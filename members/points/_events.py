"""Telling others what happened to points. Here the owner is opaque; outside, a member."""

from datetime import datetime

from members.points.models import Account
from members.points.values import Posting, Source
from tenants.events.operations import emit


def tell(event: str, posting: Posting, amount: int, at: datetime, source: Source) -> None:
    """Write the event of a new posting; nothing for a replay."""
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
