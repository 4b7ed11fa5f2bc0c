"""Purchases and refunds with all their effects."""

from collections.abc import Sequence
from datetime import datetime

from core.actors import Actor
from members.activity.operations import Line
from members.earning.values import PurchaseOutcome, RefundOutcome
from members.profiles.models import Member


def record_purchase(
    *,
    external_id: str,
    member: Member,
    occurred_at: datetime,
    amount_minor: int,
    currency: str,
    channel: str = "",
    store_code: str = "",
    associate: str = "",
    lines: Sequence[Line] = (),
    by: Actor,
    at: datetime,
) -> PurchaseOutcome:
    """Record a purchase, credit what it earns and raise the tier, in one transaction."""
    raise NotImplementedError


def record_refund(
    *,
    purchase_external_id: str,
    external_id: str,
    amount_minor: int,
    occurred_at: datetime,
    by: Actor,
    at: datetime,
) -> RefundOutcome:
    """Record that part or all of a purchase was given back, and take back what it earned."""
    raise NotImplementedError
