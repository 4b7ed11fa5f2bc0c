"""Gathers the rooms' models, so that the wing is one Django app with one migration history."""

from partners.adapters.models import Connection, PartnerCall
from partners.orders.models import (
    CodeAttempts,
    DispatchPolicy,
    FulfilmentOrder,
    OrderCharge,
    OrderOffer,
    OrderTransition,
)
from partners.pool.models import (
    CapacityDay,
    Offering,
    OfferingPrice,
    Partner,
    PartnerContract,
    PartnerScore,
)
from partners.settlements.models import (
    Correction,
    DisputeMessage,
    LineDispute,
    PrepaidEntry,
    Statement,
    StatementLine,
)

__all__ = [
    "CapacityDay",
    "CodeAttempts",
    "Connection",
    "Correction",
    "DispatchPolicy",
    "DisputeMessage",
    "FulfilmentOrder",
    "LineDispute",
    "Offering",
    "OfferingPrice",
    "OrderCharge",
    "OrderOffer",
    "OrderTransition",
    "Partner",
    "PartnerCall",
    "PartnerContract",
    "PartnerScore",
    "PrepaidEntry",
    "Statement",
    "StatementLine",
]
