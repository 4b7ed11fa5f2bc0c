"""Members spending points: who is blocked spends nothing, and no reason in the ledger names them.

The points room knows owners, not members; callers who act for a member come here.
"""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from members.points import operations as points
from members.points.values import EntryRef, Posting, Source
from members.profiles.models import Member
from members.profiles.operations import require_active
from members.profiles.words import refuse_naming


def spend_points(
    *,
    member: Member,
    amount: int,
    key: UUID,
    at: datetime,
    source: Source,
    wallet: str = "points",
    reason: str = "",
) -> Posting:
    """Spend a number of points that a member has chosen.

    :raises BlockedMemberError, ErasedMemberError: if the member may not spend.
    :raises NamesMemberError: if the reason, which stays for ever, names the member.
    :raises DomainError: as `points.operations.spend`.
    """
    with transaction.atomic():
        require_active(member_id=member.pk)
        refuse_naming(member_id=member.pk, text=reason)
        return points.spend(
            owner_id=member.pk,
            amount=amount,
            wallet=wallet,
            key=key,
            at=at,
            source=source,
            cause={"reason": reason} if reason else None,
        )


def hold_points(
    *, member: Member, amount: int, key: UUID, at: datetime, until: datetime, source: Source
) -> None:
    """Set points of a member aside until captured, released or `until`.

    :raises BlockedMemberError, ErasedMemberError: if the member may not spend.
    :raises DomainError: as `points.operations.hold`.
    """
    with transaction.atomic():
        require_active(member_id=member.pk)
        points.hold(
            owner_id=member.pk,
            amount=amount,
            key=key,
            at=at,
            until=until,
            source=source,
            is_chosen=True,
        )


def undo_entry(
    *,
    member: Member,
    entry: EntryRef,
    amount: int | None,
    key: UUID,
    at: datetime,
    source: Source,
    reason: str = "",
) -> Posting:
    """Undo an entry of a member, wholly or in part.

    :raises NamesMemberError: if the reason, which stays for ever, names the member.
    :raises DomainError: as `points.operations.reverse`.
    """
    with transaction.atomic():
        refuse_naming(member_id=member.pk, text=reason)
        return points.reverse(
            entry_ref=entry,
            amount=amount,
            key=key,
            at=at,
            source=source,
            cause={"reason": reason} if reason else None,
        )
