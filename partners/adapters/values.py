"""What goes to a partner's own system and what comes back, as plain values."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum


class Action(StrEnum):
    """What is asked of the partner's system."""

    REQUEST = "request"
    CANCEL = "cancel"
    STATUS = "status"


class Verdict(StrEnum):
    """What an answer says of the order, or why it says nothing.

    The first seven are states of the partner's order. `refused`: it will never be taken as it
    was sent. `retry`: the partner asks for another try. `unclear`: nobody knows whether the
    partner has acted. `gone`: the address has ended for good.
    """

    PENDING = "pending"
    ACCEPTED = "accepted"
    SCHEDULED = "scheduled"
    STARTED = "started"
    FULFILLED = "fulfilled"
    FAILED = "failed"
    CANCELLED = "cancelled"
    DECLINED = "declined"
    NOT_FOUND = "not_found"
    REFUSED = "refused"
    RETRY = "retry"
    UNCLEAR = "unclear"
    GONE = "gone"


# What a partner's own words may be mapped to.
PARTNER_STATES = (
    Verdict.PENDING,
    Verdict.ACCEPTED,
    Verdict.SCHEDULED,
    Verdict.STARTED,
    Verdict.FULFILLED,
    Verdict.FAILED,
    Verdict.CANCELLED,
    Verdict.DECLINED,
)


@dataclass(frozen=True, slots=True)
class OrderFacts:
    """What a partner's system is told of an order: nothing personal.

    `key` is the same for every try of the same action; `reference` is the partner's own number
    of the order, once it has told us.
    """

    number: str
    key: str
    sent_at: datetime
    benefit: str
    benefit_name: str
    region: str
    wanted_at: datetime | None
    service_on: date | None
    price_minor: int
    currency: str
    reference: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `status` is that of HTTP, `error` says in short what was wrong."""

    verdict: Verdict
    status: int | None = None
    error: str = ""
    reference: str = ""
    when: datetime | None = None
    reason: str = ""
    code: str = ""
    retry_after: int = 0  # seconds
