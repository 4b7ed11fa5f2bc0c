"""Gathers the rooms' models, so that the wing is one Django app with one migration history."""

from partners.orders.models import (
    CodeAttempts,
    DispatchPolicy,
    FulfilmentOrder,
    OrderOffer,
    OrderTransition,
)
from partners.pool.models import CapacityDay, Offering, OfferingPrice, Partner, PartnerScore

__all__ = [
    "CapacityDay",
    "CodeAttempts",
    "DispatchPolicy",
    "FulfilmentOrder",
    "Offering",
    "OfferingPrice",
    "OrderOffer",
    "OrderTransition",
    "Partner",
    "PartnerScore",
]
