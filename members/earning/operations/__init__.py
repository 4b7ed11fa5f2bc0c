"""Writing what purchases, refunds and occasions earn; see the modules for each."""

from members.earning.operations.batches import (
    PurchaseDraft,
    RefundDraft,
    record_purchases,
    record_refunds,
)
from members.earning.operations.birthdays import credit_birthdays
from members.earning.operations.occasions import earn_on_occasion, occasion_of_event
from members.earning.operations.purchases import apply_purchase, record_purchase
from members.earning.operations.refunds import record_refund

__all__ = [
    "PurchaseDraft",
    "RefundDraft",
    "apply_purchase",
    "credit_birthdays",
    "earn_on_occasion",
    "occasion_of_event",
    "record_purchase",
    "record_purchases",
    "record_refund",
    "record_refunds",
]
