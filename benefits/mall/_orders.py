"""Orders of the mall, each step one transaction.

Lock order everywhere: the place in the queue → the order's own row → account → lots → hold →
budget line → payment → stock → others' places in the queue, which nobody waits for.
"""

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from benefits.mall import _cash, _costs, _delivery, _stock, _waiting
from benefits.mall._addresses import save_address
from benefits.mall._limits import check_limit
from benefits.mall._sale import check_on_sale, check_variant
from benefits.mall.errors import (
    InvalidOrderError,
    KeyReusedError,
    OrderStateError,
    TooManyAddressesError,
)
from benefits.mall.models import ItemVariant, MallAddress, MallItem, MallOrder
from benefits.mall.states import may_follow
from core.actors import SYSTEM, Actor
from core.ids import derived_uuid
from members.points import operations as points
from members.points.errors import HoldNotOpenError
from members.points.values import Source
from members.profiles.errors import BlockedMemberError
from members.profiles.models import Member
from members.profiles.operations import require_active
from tenants.audit.operations import record, verify_identity
from tenants.events.operations import emit

_State = MallOrder.State
_Kind = MallItem.Kind
# How long the points of an order wait for its confirmation.
HOLD_FOR = timedelta(hours=72)
_MAX_QUANTITY = 1_000
_AUDITED = frozenset({"staff", "operator", "api"})


def place_order(
    *,
    member: Member,
    item: MallItem,
    key: UUID,
    by: Actor,
    at: datetime,
    quantity: int = 1,
    variant: ItemVariant | None = None,
    address: Mapping[str, str] | None = None,
    keep_address: bool = False,
) -> MallOrder:
    """Order an item: points held and stock set aside, or neither.

    What needs no hand (virtual items, codes, benefits without a cash part) is confirmed and
    completed at once; what has a cash part waits for it. `address` (`recipient`, `phone`,
    `lines`) is needed for goods, and kept for the next order with `keep_address`; `variant` for
    items that have some. A unit kept for the member
    by the waiting list is used. The same key again returns the first order.

    :raises NotOnSaleError, NotForYouError, LimitUsedError, OutOfStockError,
        InsufficientPointsError, BlockedMemberError, PoolEmptyError: nothing has changed then.
    :raises InvalidOrderError: if quantity or address is wrong; `pointer` names it.
    :raises KeyReusedError: if the key belongs to another order.
    """
    _check(item, quantity, address)
    check_variant(item, variant)
    seen = _find(key, member, item, variant, quantity)
    if seen is not None:
        return seen
    if not member.is_active:
        raise BlockedMemberError
    check_on_sale(item, member, at)
    try:
        with transaction.atomic():
            verify_identity()
            order = _place(member, item, variant, quantity, key, address, by, at)
            if keep_address and address is not None:
                _keep(member, address, by, at)
            return order
    except IntegrityError:
        # The same key at the same moment: the other call has placed it.
        seen = _find(key, member, item, variant, quantity)
        if seen is None:
            raise
        return seen


def confirm_order(*, order: MallOrder, by: Actor, at: datetime) -> MallOrder:
    """Capture the points held for an order; from here on it can be shipped or handed over.

    :raises OrderStateError: from a state that it cannot follow.
    :raises PaymentDueError: if its cash part is not paid.
    :raises HoldNotOpenError: if the points are no longer held.
    """
    with transaction.atomic():
        verify_identity()
        row, moves = _begin(order, to=_State.CONFIRMED)
        if moves:
            _cash.require_paid(row)
            _capture(row, at)
            _finish(row, _State.CONFIRMED, by=by, at=at)
            if _needs_no_hand(row.item):
                _delivery.deliver(row, at)
                _complete(row, by=by, at=at)
            _stock.sell_held(row)
    return row


def ship_order(
    *, order: MallOrder, by: Actor, at: datetime, tracking: str = "", carrier: str = ""
) -> MallOrder:
    """Say that goods are on their way; their cost is booked.

    :raises OrderStateError: from a state that it cannot follow.
    """
    with transaction.atomic():
        row, moves = _begin(order, to=_State.SHIPPED)
        if moves:
            row.shipped_at, row.carrier, row.tracking = at, carrier[:40], tracking[:120]
            _costs.spend(row, by, at)
            _finish(row, _State.SHIPPED, by=by, at=at)
    return row


def complete_order(*, order: MallOrder, by: Actor, at: datetime) -> MallOrder:
    """Say that the member has what was ordered; members themselves, once it was shipped.

    :raises OrderStateError: from a state that it cannot follow.
    """
    with transaction.atomic():
        row, moves = _begin(order, to=_State.COMPLETED)
        if moves and by.kind == "member" and row.state != _State.SHIPPED:
            raise OrderStateError(state=row.state, to=_State.COMPLETED)
        if moves:
            _complete(row, by=by, at=at)
    return row


def cancel_order(
    *,
    order: MallOrder,
    by: Actor,
    at: datetime,
    reason: str = "",
    restock: bool | None = None,
) -> MallOrder:
    """Call an order off: held points are released; captured ones go back to their lots.

    Members can call off what is not confirmed yet. `restock` says whether units come back to
    the stock; by default those not shipped do. A benefit that was given is taken back, a code
    that was handed out stays handed out, cash that was paid falls due for refund.

    :raises OrderStateError: if it is closed, or confirmed and a member asks.
    :raises AlreadyUsedError: if the benefit it gave has been used.
    """
    with transaction.atomic():
        verify_identity()
        row = _lock(order.pk)
        if row.state in {_State.CANCELLED, _State.REFUNDED}:
            return row
        if row.state == _State.PLACED:
            row.closed_at, row.reason = at, reason[:200]
            _release(row, at)
            _costs.give_up_promise(row, by, at)
            _finish(row, _State.CANCELLED, by=by, at=at)
            _cash.give_back(row, at)
            _delivery.give_up_codes(row)
            _stock.give_up(row, at=at)
            return row
        if by.kind == "member":
            raise OrderStateError(state=row.state, to=_State.CANCELLED)
        _refund(row, by=by, at=at, reason=reason, restock=restock)
    return row


def expire_order(*, order_id: int, at: datetime) -> MallOrder:
    """Cancel an order that nobody confirmed in time. :raises OrderStateError: if it moved on."""
    with transaction.atomic():
        row = _lock(order_id)
        if row.state != _State.PLACED or row.hold_ends_at > at:
            raise OrderStateError(state=row.state)
        reason = "not_paid_in_time" if row.cash_minor else "not_confirmed_in_time"
        return cancel_order(order=row, by=SYSTEM, at=at, reason=reason)


def _check(item: MallItem, quantity: int, address: Mapping[str, str] | None) -> None:
    if isinstance(quantity, bool) or not 1 <= quantity <= _MAX_QUANTITY:
        raise InvalidOrderError(_("The quantity is out of range."), pointer="/quantity")
    if item.kind != _Kind.PHYSICAL:
        return
    for name, longest in (("recipient", 120), ("phone", 40), ("lines", 1_000)):
        value = (address or {}).get(name, "")
        if not value.strip() or len(value) > longest:
            raise InvalidOrderError(
                _("Goods need an address."), pointer=f"/address/{name}", longest=longest
            )


def _find(
    key: UUID, member: Member, item: MallItem, variant: ItemVariant | None, quantity: int
) -> MallOrder | None:
    seen = MallOrder.objects.select_related("item", "variant").filter(key=key).first()
    if seen is None:
        return None
    wanted = (member.pk, item.pk, variant.pk if variant is not None else None, quantity)
    if (seen.member_id, seen.item_id, seen.variant_id, seen.quantity) != wanted:
        raise KeyReusedError(key=str(key))
    return seen


def _place(
    member: Member,
    item: MallItem,
    variant: ItemVariant | None,
    quantity: int,
    key: UUID,
    address: Mapping[str, str] | None,
    by: Actor,
    at: datetime,
) -> MallOrder:
    # As the member is now, and until it is done.
    require_active(member_id=member.pk)
    kept = _waiting.claim(member, item, variant, at=at)
    line = _costs.line_of(item, at)
    waits = timedelta(minutes=item.pay_minutes) if item.cash_minor else HOLD_FOR
    order = MallOrder.objects.create(
        key=key,
        member=member,
        item=item,
        variant=variant,
        quantity=quantity,
        points=(item.points + (variant.extra_points if variant is not None else 0)) * quantity,
        cash_minor=item.cash_minor * quantity,
        member_limit=item.per_member_limit,
        limit_days=item.limit_days,
        hold_key=derived_uuid("mall-hold", str(key)),
        budget_line=line,
        committed_minor=item.unit_cost_minor * quantity if line is not None else 0,
        placed_by=by.key,
        placed_at=at,
        hold_ends_at=at + waits,
    )
    if address is not None and item.kind == _Kind.PHYSICAL:
        MallAddress.objects.create(
            order=order, **{name: address[name].strip() for name in ("recipient", "phone", "lines")}
        )
    # Takes the account's lock: from here on, this member's orders are made one by one.
    points.hold(
        owner_id=member.pk,
        amount=order.points,
        key=order.hold_key,
        at=at,
        until=order.hold_ends_at,
        source=Source("mall_order", order.pk),
    )
    check_limit(order)
    _costs.promise(order, by, at)
    _tell(order, "placed", at)
    _audit(order, "placed", by, at, {"item": [None, item.code], "points": [None, order.points]})
    if kept is not None:
        _waiting.fulfil(kept, order, at=at)
    # The row that all buyers share comes last, so that it is locked for as short as can be.
    if _needs_no_hand(item) and not order.cash_minor:
        _capture(order, at)
        _delivery.deliver(order, at, kept=kept)
        _finish(order, _State.CONFIRMED, by=by, at=at)
        _complete(order, by=by, at=at)
        _stock.sell(order, kept)
    else:
        _delivery.keep_codes(order, at, kept=kept)
        _stock.hold(order, kept)
    order.refresh_from_db(fields=["number"])
    return order


def _keep(member: Member, address: Mapping[str, str], by: Actor, at: datetime) -> None:
    # One address too many is no reason to refuse an order.
    with suppress(TooManyAddressesError):
        save_address(
            member=member,
            recipient=address["recipient"],
            phone=address["phone"],
            lines=address["lines"],
            by=by,
            at=at,
        )


def _needs_no_hand(item: MallItem) -> bool:
    return item.kind != _Kind.PHYSICAL


def _capture(order: MallOrder, at: datetime) -> None:
    order.debit_key = derived_uuid("mall-debit", order.pk)
    points.capture(
        hold_ref=order.hold_key,
        key=order.debit_key,
        at=at,
        source=Source("mall_order", order.pk),
    )


def _release(order: MallOrder, at: datetime) -> None:
    try:
        points.release(
            hold_ref=order.hold_key,
            key=derived_uuid("mall-release", order.pk),
            at=at,
            source=Source("mall_order", order.pk),
        )
    except HoldNotOpenError as error:
        # The ledger's own job releases holds that have run out; the points are back already.
        if error.data.get("state") != "released":
            raise


def _complete(order: MallOrder, *, by: Actor, at: datetime) -> None:
    if order.cost_minor is None:
        _costs.spend(order, by, at)
    order.completed_at = at
    _finish(order, _State.COMPLETED, by=by, at=at)


def _refund(
    order: MallOrder, *, by: Actor, at: datetime, reason: str, restock: bool | None
) -> None:
    _delivery.take_back(order, reason=reason, by=by, at=at)
    order.refund_key = derived_uuid("mall-refund", order.pk)
    if order.debit_key is None:
        raise RuntimeError(f"Order {order.pk} is {order.state} without a debit.")
    points.reverse(
        entry_ref=order.debit_key,
        key=order.refund_key,
        at=at,
        source=Source("mall_order", order.pk),
    )
    if order.cost_minor is None:
        _costs.give_up_promise(order, by, at)
    order.restocked = order.shipped_at is None if restock is None else restock
    order.closed_at, order.reason = at, reason[:200]
    _finish(order, _State.REFUNDED, by=by, at=at)
    _cash.give_back(order, at)
    if order.restocked:
        _stock.take_back(order, at=at)


def _lock(order_id: int) -> MallOrder:
    return (
        MallOrder.objects.select_for_update(of=("self",))
        .select_related(
            "item__benefit",
            "item__code_pool",
            "item__package",
            "variant",
            "member",
            "budget_line",
            "grant",
        )
        .get(pk=order_id)
    )


def _begin(order: MallOrder, *, to: str) -> tuple[MallOrder, bool]:
    """Lock the row; return it and whether it moves, which it does not when it is there already."""
    row = _lock(order.pk)
    # An order completed at once has been confirmed, too.
    if row.state == to or (to == _State.CONFIRMED and row.state == _State.COMPLETED):
        return row, False
    if not may_follow(to, after=row.state):
        raise OrderStateError(state=row.state, to=to)
    return row, True


_MOVING = [
    "state",
    "debit_key",
    "refund_key",
    "restocked",
    "grant",
    "codes",
    "carrier",
    "tracking",
    "cost_minor",
    "reason",
    "confirmed_at",
    "shipped_at",
    "completed_at",
    "closed_at",
]


def _finish(order: MallOrder, to: str, *, by: Actor, at: datetime) -> None:
    before, order.state = order.state, to
    if to == _State.CONFIRMED:
        order.confirmed_at = at
    order.save(update_fields=_MOVING)
    _tell(order, to, at)
    _audit(order, to, by, at, {"state": [before, to]})


def _audit(
    order: MallOrder, step: str, by: Actor, at: datetime, changes: dict[str, list[Any]]
) -> None:
    if by.kind in _AUDITED:
        record(
            by=by,
            at=at,
            action=f"mall_order.{step}",
            target_type="mall_order",
            target_id=order.pk,
            changes=changes,
            reason=order.reason,
        )


def _tell(order: MallOrder, step: str, at: datetime) -> None:
    data: dict[str, Any] = {
        "order": order.pk,
        "member_id": order.member_id,
        "item": order.item.code,
        "variant": order.variant.code if order.variant is not None else None,
        "quantity": order.quantity,
        "points": order.points,
        "state": order.state,
    }
    emit(type=f"mall_order.{step}", subject=f"mall_order:{order.pk}", data=data, at=at)
