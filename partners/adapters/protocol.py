"""What an adapter to a partner's own system is."""

from collections.abc import Mapping
from typing import Any, Protocol

from partners.adapters.values import Answer, OrderFacts


class Adapter(Protocol):
    """Speaks with one kind of system. Touches no database and never raises for a bad answer."""

    @property
    def can_ask(self) -> bool:
        """Tell whether `status` is of use."""

    def request(self, facts: OrderFacts) -> Answer:
        """Ask the partner to take the order; the same `facts.key` again must not make a second."""

    def cancel(self, facts: OrderFacts) -> Answer:
        """Tell the partner that the order is no longer wanted."""

    def status(self, facts: OrderFacts) -> Answer:
        """Ask how the order stands."""


class AdapterKind(Protocol):
    """Makes adapters of a kind from a connection's settings."""

    def check(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Return the settings, complete and checked.

        :raises InvalidConnectionError: naming the setting that is wrong.
        """

    def build(self, settings: Mapping[str, Any], *, secret: str) -> Adapter:
        """Return an adapter for checked settings."""
