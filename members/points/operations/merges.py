"""Owners who turn out to be one, and two again."""

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction

from members.points import _merge
from members.points.operations.wallets import open_accounts_for


def merge_accounts(
    *, owner_id: int, into_owner_id: int, merge_id: int, at: datetime
) -> dict[str, int]:
    """Hand all that an owner has over to another, in every wallet; return the points by wallet.

    Needs the transaction. Lots keep their last good day and, while they wait, their instant; a
    debt is paid by what the other has, or becomes the other's. Holds stay where they are. From
    now on whatever comes back to the owner (holds released, spendings reversed) goes over at
    once, and what is taken back is fetched from the other: `sql/merge.sql`. A negative number of
    points is a debt that went over.
    """
    open_accounts_for(owner_ids=[owner_id, into_owner_id], at=at)
    return _merge.hand_over(
        owner_id=owner_id, into_owner_id=into_owner_id, merge_id=merge_id, at=at
    )


def unmerge_accounts(*, owner_id: int, at: datetime) -> dict[str, int]:
    """Undo `merge_accounts`; return the points that came back by wallet.

    Needs the transaction. What is left of the lots that went over returns to the lots it came
    from. What was spent, held or has expired since stays where that happened.
    """
    return _merge.hand_back(owner_id=owner_id, at=at)


def hand_over_rest(*, owner_ids: Iterable[int], at: datetime) -> int:
    """Hand over what was posted late to accounts that were merged; return how many had any."""
    with transaction.atomic():
        return _merge.hand_over_rest(owner_ids=owner_ids, at=at)
