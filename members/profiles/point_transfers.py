"""Points that one member passes on to another: who may, on top of the wallet's own rules."""

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from core.actors import Actor
from core.errors import ConflictError
from members.points.errors import ReceiverMissingError
from members.points.operations import transfer
from members.points.values import Posting
from members.profiles.errors import BlockedMemberError, ErasedMemberError, MemberNotFoundError
from members.profiles.models import Member
from members.profiles.operations import require_active
from members.profiles.queries import get_member


class MemberNotActiveError(ConflictError):
    """One of the two is blocked; `side` in the data says which."""

    code = "member_not_active"
    message = _("Points can not be passed on at the moment.")


def transfer_points(
    *,
    sender: Member,
    receiver_number: str,
    amount: int,
    key: UUID,
    by: Actor,
    at: datetime,
    wallet: str = "points",
) -> Posting:
    """Pass a member's points on to another, named by the number on their card.

    :raises ReceiverMissingError: if nobody has that number, also for who is blocked or erased:
        a sender learns nothing about others.
    :raises MemberNotActiveError: if the sender is blocked.
    :raises DomainError: as `points.operations.transfer`.
    """
    if not sender.is_active:
        raise MemberNotActiveError(side="sender")
    try:
        receiver = get_member(number=receiver_number.strip())
    except MemberNotFoundError:
        raise ReceiverMissingError(pointer="/receiver") from None
    if not receiver.is_active or receiver.pk == sender.pk:
        raise ReceiverMissingError(pointer="/receiver")
    with transaction.atomic():
        # As they are now, and until it is done; in the order of their keys.
        for key_of, error in sorted(
            (
                (sender.pk, MemberNotActiveError(side="sender")),
                (receiver.pk, ReceiverMissingError(pointer="/receiver")),
            ),
            key=lambda one: one[0],
        ):
            try:
                require_active(member_id=key_of)
            except (BlockedMemberError, ErasedMemberError):
                raise error from None
        return transfer(
            from_owner_id=sender.pk,
            to_owner_id=receiver.pk,
            amount=amount,
            key=key,
            by=by,
            at=at,
            wallet=wallet,
        )
