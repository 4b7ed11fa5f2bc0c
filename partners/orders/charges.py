"""What the contract makes due when an order is late, fails, is handed back or called off late.

Fixed at that moment, by the contract in force when the order was accepted; at most once each.
"""

from datetime import datetime

from core.clock import local_date
from partners.orders.models import FulfilmentOrder, OrderCharge
from partners.pool.contracts import get_contract, is_late_to_cancel, share
from partners.pool.models import PartnerContract
from tenants.brands.context import current_brand

_Kind = OrderCharge.Kind


def charge_lateness(*, order: FulfilmentOrder, at: datetime) -> int:
    """Take the agreed share off the price of an order fulfilled after its time; the amount."""
    if order.due_at is None or at <= order.due_at:
        return 0
    contract = _contract(order)
    if contract is None:
        return 0
    amount = -share(order.price_minor or 0, contract.late_penalty_bp)
    return _charge(order, _Kind.LATE_PENALTY, amount, contract, at)


def charge_failure(*, order: FulfilmentOrder, handed_back: bool, at: datetime) -> int:
    """Take the agreed amount off for an accepted order that failed or was handed back."""
    contract = _contract(order)
    if contract is None:
        return 0
    kind = _Kind.HANDBACK_PENALTY if handed_back else _Kind.FAILURE_PENALTY
    return _charge(order, kind, -contract.failure_penalty_minor, contract, at)


def charge_cancellation(*, order: FulfilmentOrder, at: datetime) -> int:
    """Owe the partner the agreed share of the price when an appointment is called off too late."""
    contract = _contract(order)
    if contract is None or not is_late_to_cancel(
        at=at,
        appointment=order.scheduled_for,
        notice_hours=contract.cancel_notice_hours,
    ):
        return 0
    amount = share(order.price_minor or 0, contract.cancel_fee_bp)
    return _charge(order, _Kind.CANCEL_FEE, amount, contract, at)


def list_charges(*, order_id: int) -> list[OrderCharge]:
    """Return what was charged for an order, in its order."""
    return list(OrderCharge.objects.filter(order_id=order_id).order_by("pk"))


def _contract(order: FulfilmentOrder) -> PartnerContract | None:
    """Return the terms of an accepted order; an offer that nobody accepted has none."""
    if order.partner_id is None or order.accepted_at is None:
        return None
    zone = current_brand().timezone
    return get_contract(partner_id=order.partner_id, on=local_date(order.accepted_at, zone))


def _charge(
    order: FulfilmentOrder, kind: str, amount: int, contract: PartnerContract, at: datetime
) -> int:
    if amount == 0 or order.partner_id is None:
        return 0
    made, _created = OrderCharge.objects.get_or_create(
        order_id=order.pk,
        partner_id=order.partner_id,
        kind=kind,
        defaults={
            "amount_minor": amount,
            "contract_id": contract.pk,
            "on_date": local_date(at, current_brand().timezone),
            "at": at,
        },
    )
    return made.amount_minor
