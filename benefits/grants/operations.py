"""All writes of this room: rights given and taken back, and their use."""

from benefits.grants._moves import cancel, confirm, expire, fail, fulfil, rate, reverse
from benefits.grants._redeem import redeem
from benefits.grants._rights import grant, grant_package, revoke
from benefits.grants.appointments import reschedule
from benefits.grants.issuing import Issued, issue

__all__ = [
    "Issued",
    "cancel",
    "confirm",
    "expire",
    "fail",
    "fulfil",
    "grant",
    "grant_package",
    "issue",
    "rate",
    "redeem",
    "reschedule",
    "reverse",
    "revoke",
]
