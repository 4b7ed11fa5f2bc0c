"""What every kind of benefit can do, and the plain kind that most derive from."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Protocol

from django.utils.functional import Promise

from benefits.catalogue.errors import InvalidBenefitError


@dataclass(frozen=True, slots=True, kw_only=True)
class Right:
    """A member's new right to a benefit: what a kind needs to know when it is granted."""

    grant_id: int
    member_id: int
    quantity: int
    parameters: Mapping[str, Any]
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """One unit of a benefit in use. `parameters` are those frozen when it was granted."""

    redemption_id: int
    member_id: int
    parameters: Mapping[str, Any]
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What a use has done in our own books: points credited and what they cost the brand."""

    points: int = 0
    points_cost_minor: int = 0


class Kind(Protocol):
    """The behaviour of one kind of benefit. Called inside the caller's transaction.

    No method talks to the network; that is what channels are for.
    """

    code: ClassVar[str]
    label: ClassVar[str | Promise]
    icon: ClassVar[str]
    channels: ClassVar[frozenset[str]]

    def validate(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Return the checked parameters. :raises InvalidBenefitError: naming what is wrong."""

    def grant(self, right: Right) -> None:
        """Do what granting one by hand or by an event brings with it."""

    def redeem(self, use: Use) -> Effect:
        """Do what a fulfilled use brings with it, once per redemption."""

    def revoke(self, use: Use) -> None:
        """Undo the effect of a fulfilled use that was reversed."""

    def expected_cost(self, parameters: Mapping[str, Any]) -> int:
        """Return what the effect of one use will cost beside the unit, in minor units."""


class PlainKind:
    """A kind whose value lies outside our books: granting and using it moves nothing here."""

    def grant(self, right: Right) -> None:
        """Nothing is booked when it is granted."""

    def redeem(self, use: Use) -> Effect:
        """Nothing is booked but the unit's cost, which the redemption does."""
        return Effect()

    def revoke(self, use: Use) -> None:
        """Nothing was booked, so there is nothing to undo."""

    def expected_cost(self, parameters: Mapping[str, Any]) -> int:
        """Return zero: there is no effect of ours to pay for."""
        return 0


class Parameters:
    """Reads the parameters of a benefit one by one and refuses what nobody asked for."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self._given = dict(given)
        self._read: dict[str, Any] = {}

    def whole(self, name: str, *, minimum: int, maximum: int, required: bool = False) -> int | None:
        """Read a whole number within bounds."""
        value = self._take(name, required=required)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int):
            raise InvalidBenefitError("A whole number is needed.", pointer=f"/parameters/{name}")
        if not minimum <= value <= maximum:
            raise InvalidBenefitError(
                f"Must lie between {minimum} and {maximum}.", pointer=f"/parameters/{name}"
            )
        self._read[name] = value
        return value

    def text(self, name: str, *, longest: int = 120) -> str:
        """Read a short text; empty when it is not given."""
        value = self._take(name, required=False)
        if value is None or value == "":
            return ""
        if not isinstance(value, str) or len(value) > longest:
            raise InvalidBenefitError(
                f"A text of at most {longest} characters is needed.",
                pointer=f"/parameters/{name}",
            )
        self._read[name] = value.strip()
        return value.strip()

    def switch(self, name: str) -> bool:
        """Read a yes or no; no when it is not given."""
        value = self._take(name, required=False)
        if value is None:
            return False
        if not isinstance(value, bool):
            raise InvalidBenefitError("Yes or no is needed.", pointer=f"/parameters/{name}")
        self._read[name] = value
        return value

    def finish(self) -> dict[str, Any]:
        """Return what was read. :raises InvalidBenefitError: if something else was given."""
        for name in self._given:
            raise InvalidBenefitError(
                "This kind of benefit has no such parameter.", pointer=f"/parameters/{name}"
            )
        return self._read

    def _take(self, name: str, *, required: bool) -> Any:
        value = self._given.pop(name, None)
        if value is None and required:
            raise InvalidBenefitError("A value is needed.", pointer=f"/parameters/{name}")
        return value
