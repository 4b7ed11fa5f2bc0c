"""Joining and leaving the queue for what is sold out."""

from datetime import datetime

from django.db import transaction

from benefits.mall import _stock, _waiting
from benefits.mall._sale import check_on_sale, check_variant
from benefits.mall.errors import StillInStockError, UnknownWaitingError
from benefits.mall.models import ItemVariant, MallItem, WaitingEntry
from core.actors import Actor
from members.profiles.errors import BlockedMemberError
from members.profiles.models import Member

_State = WaitingEntry.State


def join_waiting_list(
    *,
    member: Member,
    item: MallItem,
    by: Actor,
    at: datetime,
    variant: ItemVariant | None = None,
) -> WaitingEntry:
    """Give a member a place in the queue for what is sold out; again returns the same place.

    :raises StillInStockError: if it can be ordered now, or its stock has no limit.
    :raises NotOnSaleError, NotForYouError, BlockedMemberError, InvalidOrderError: as an order.
    """
    check_variant(item, variant)
    if not member.is_active:
        raise BlockedMemberError
    check_on_sale(item, member, at)
    with transaction.atomic():
        entry, made = WaitingEntry.objects.get_or_create(
            member=member,
            item=item,
            variant=variant,
            state__in=WaitingEntry.LIVE,
            defaults={"state": _State.WAITING, "joined_at": at},
        )
        if not made:
            return entry
        free = _stock.count_free(item, variant)
        if free is None or free > 0:
            raise StillInStockError(left=free)
        _waiting.tell(entry, "joined", at)
        # A unit may have come back between looking and joining.
        _stock.offer(item, variant, at=at)
        entry.refresh_from_db()
    return entry


def leave_waiting_list(*, entry: WaitingEntry, by: Actor, at: datetime) -> WaitingEntry:
    """Give a place up; a unit kept for it goes to the next one. Again changes nothing.

    :raises UnknownWaitingError: if it is another member's.
    """
    return _end(entry, _State.LEFT, by=by, at=at)


def lapse_offer(*, entry_id: int, at: datetime) -> bool:
    """End an offer whose time is over; return whether there was one to end."""
    with transaction.atomic():
        row = _lock(entry_id)
        if row.state != _State.OFFERED or row.offer_ends_at is None or row.offer_ends_at > at:
            return False
        _waiting.close(row, _State.LAPSED, at=at)
        _stock.give_up_offer(row, at=at)
    return True


def _end(entry: WaitingEntry, state: str, *, by: Actor, at: datetime) -> WaitingEntry:
    with transaction.atomic():
        row = _lock(entry.pk)
        if by.kind == "member" and by.id != row.member_id:
            raise UnknownWaitingError
        if row.state not in WaitingEntry.LIVE:
            return row
        was_offered = row.state == _State.OFFERED
        _waiting.close(row, state, at=at)
        if was_offered:
            _stock.give_up_offer(row, at=at)
    return row


def _lock(entry_id: int) -> WaitingEntry:
    return (
        WaitingEntry.objects.select_for_update(of=("self",))
        .select_related("item", "variant")
        .get(pk=entry_id)
    )
