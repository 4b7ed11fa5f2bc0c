"""The queue for what is sold out: places in it, and the offers made from it."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from benefits.mall.models import ItemVariant, MallItem, MallOrder, WaitingEntry
from members.profiles.models import Member
from tenants.events.operations import emit

_State = WaitingEntry.State


def next_in_line(item: MallItem, variant: ItemVariant | None) -> Iterator[WaitingEntry]:
    """Yield those who wait, first come first, each locked; never waits for a locked one."""
    while True:
        entry = (
            WaitingEntry.objects.select_for_update(skip_locked=True, of=("self",))
            .filter(
                item=item,
                variant=variant,
                state=_State.WAITING,
                member__status=Member.Status.ACTIVE,
            )
            .order_by("pk")
            .first()
        )
        if entry is None:
            return
        yield entry


def make_offer(entry: WaitingEntry, *, hours: int, at: datetime) -> None:
    """Say that a unit is kept for a member, and until when."""
    entry.state, entry.offered_at = _State.OFFERED, at
    entry.offer_ends_at = at + timedelta(hours=hours)
    entry.save(update_fields=["state", "offered_at", "offer_ends_at"])
    tell(entry, "offered", at)


def claim(
    member: Member, item: MallItem, variant: ItemVariant | None, *, at: datetime
) -> WaitingEntry | None:
    """Return the member's open offer, locked, or None."""
    return (
        WaitingEntry.objects.select_for_update(of=("self",))
        .filter(
            member=member,
            item=item,
            variant=variant,
            state=_State.OFFERED,
            offer_ends_at__gt=at,
        )
        .first()
    )


def fulfil(entry: WaitingEntry, order: MallOrder, *, at: datetime) -> None:
    """Close a place by the order that it led to."""
    entry.state, entry.order, entry.closed_at = _State.ORDERED, order, at
    entry.save(update_fields=["state", "order", "closed_at"])


def close(entry: WaitingEntry, state: str, *, at: datetime) -> None:
    """Close a place without an order."""
    entry.state, entry.closed_at = state, at
    entry.save(update_fields=["state", "closed_at"])
    tell(entry, state, at)


def tell(entry: WaitingEntry, step: str, at: datetime) -> None:
    """Write the event of a step."""
    ends = entry.offer_ends_at
    emit(
        type=f"mall_waiting.{step}",
        subject=f"member:{entry.member_id}",
        data={
            "waiting": entry.pk,
            "member_id": entry.member_id,
            "item": entry.item.code,
            "variant": entry.variant.code if entry.variant is not None else None,
            "until": ends.isoformat() if ends is not None else None,
        },
        at=at,
    )
