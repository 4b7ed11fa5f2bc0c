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
<<<<<<< HEAD
    "Correction",
=======
    "Connection",
>>>>>>> 4218300 (partners: Systems of partners are called, whatever faults they have)
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
<<<<<<< HEAD
    "PartnerContract",
=======
    "PartnerCall",
>>>>>>> 4218300 (partners: Systems of partners are called, whatever faults they have)
    "PartnerScore",
    "PrepaidEntry",
    "Statement",
    "StatementLine",
]
