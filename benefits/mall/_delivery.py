"""What an order of something that is not goods gives, and taking it back."""

from datetime import datetime, timedelta

from benefits.catalogue.codes import give_back_codes, hand_over_codes, take_codes
from benefits.grants import operations as grants
from benefits.grants.models import Grant
from benefits.mall.errors import AlreadyUsedError
from benefits.mall.models import MallOrder, WaitingEntry
from core.actors import SYSTEM, Actor


def keep_codes(order: MallOrder, at: datetime, *, kept: WaitingEntry | None) -> None:
    """Set codes aside for an order that waits for its cash part. :raises PoolEmptyError: if none."""
    _gather(order, _held_for(order), at, kept=kept)


def give_up_codes(order: MallOrder) -> None:
    """Free the codes set aside for an order that ended before anybody saw them."""
    if order.item.code_pool_id is not None:
        give_back_codes(taken_for=_held_for(order))


def deliver(order: MallOrder, at: datetime, *, kept: WaitingEntry | None = None) -> None:
    """Hand out codes, give the benefit or the package; `kept` brings the code kept for it."""
    item = order.item
    order.codes = _gather(order, f"mall_order:{order.pk}", at, kept=kept)
    days = item.benefit_validity_days
    ends_at = at + timedelta(days=days) if days is not None else None
    reason = {"code": "bought", "order": order.pk}
    if item.benefit is not None:
        order.grant = grants.grant(
            member=order.member,
            benefit=item.benefit,
            quantity=order.quantity,
            period_key=_period(order),
            ends_at=ends_at,
            reason=reason,
            by=SYSTEM,
            at=at,
        )
    if item.package is not None:
        grants.grant_package(
            member=order.member,
            package=item.package,
            quantity=order.quantity,
            period_key=_period(order),
            ends_at=ends_at,
            reason=reason,
            by=SYSTEM,
            at=at,
        )


def take_back(order: MallOrder, *, reason: str, by: Actor, at: datetime) -> None:
    """Revoke the rights an order gave. :raises AlreadyUsedError: if one of them was used."""
    if order.grant is None and order.item.package_id is None:
        return
    # Before the account: using a right locks it first, too.
    rights = list(
        Grant.objects.select_for_update()
        .filter(member_id=order.member_id, rule__isnull=True, period_key=_period(order))
        .order_by("pk")
    )
    if any(right.used for right in rights):
        raise AlreadyUsedError
    for right in rights:
        grants.revoke(grant=right, reason=reason, by=by, at=at)


def _gather(order: MallOrder, holder: str, at: datetime, *, kept: WaitingEntry | None) -> list[str]:
    """Bring all codes of an order under one name: those set aside for it, then free ones."""
    pool_id = order.item.code_pool_id
    if pool_id is None:
        return []
    codes = hand_over_codes(taken_for=_held_for(order), to=holder)
    if kept is not None:
        codes += hand_over_codes(taken_for=kept.holder, to=holder)
    if order.quantity > len(codes):
        codes += take_codes(
            pool_id=pool_id, count=order.quantity - len(codes), taken_for=holder, at=at
        )
    return codes


def _held_for(order: MallOrder) -> str:
    return f"mall_hold:{order.pk}"


def _period(order: MallOrder) -> str:
    return f"mall:{order.pk}"
