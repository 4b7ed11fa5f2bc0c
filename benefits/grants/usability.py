"""Whether a grant can be used, and if not, why. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from benefits.catalogue.regions import lies_in
from benefits.grants.errors import (
    EndedError,
    NotGrantedError,
    NotYetStartedError,
    OutsideRegionError,
    QuotaUsedError,
    RevokedError,
)
from core.errors import DomainError
from members.profiles.errors import BlockedMemberError


@dataclass(frozen=True, slots=True)
class Reason:
    """Why something can not be used, or why it was granted: a stable code with its data."""

    code: str
    data: dict[str, Any] = field(default_factory=dict)


class Right(Protocol):
    """What counts of a grant."""

    @property
    def quantity(self) -> int: ...
    @property
    def used(self) -> int: ...
    @property
    def starts_at(self) -> datetime: ...
    @property
    def ends_at(self) -> datetime | None: ...
    @property
    def revoked_at(self) -> datetime | None: ...


# The refusal that belongs to each reason.
REFUSALS: dict[str, type[DomainError]] = {
    error.code: error
    for error in (
        NotGrantedError,
        QuotaUsedError,
        NotYetStartedError,
        EndedError,
        RevokedError,
        OutsideRegionError,
        BlockedMemberError,
    )
}


def why_not(
    right: Right,
    *,
    at: datetime,
    region: str,
    regions: Sequence[str],
    next_at: datetime | None,
) -> Reason | None:
    """Return the first reason why a right can not be used now, or None when it can.

    `regions` are those frozen in its terms, empty for everywhere. `next_at` is when the rule
    behind the right grants again, where it does.
    """
    if right.revoked_at is not None:
        return Reason("revoked")
    if right.ends_at is not None and right.ends_at <= at:
        return Reason("ended", {"ended_at": right.ends_at})
    if right.starts_at > at:
        return Reason("not_yet_started", {"starts_at": right.starts_at})
    if right.used >= right.quantity:
        return Reason("quota_used", {"next_at": next_at})
    if not lies_in(region, regions):
        return Reason("outside_region", {"regions": list(regions)})
    return None


def refusal(reason: Reason) -> DomainError:
    """Return the error that refuses for this reason, times as texts of RFC 3339."""
    data = {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in reason.data.items()
    }
    return REFUSALS[reason.code](**data)
