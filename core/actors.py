"""Who does something: the `by` of every operation."""

from dataclasses import dataclass
from typing import Literal

ActorKind = Literal["system", "staff", "member", "partner", "api", "operator"]


@dataclass(frozen=True, slots=True)
class Actor:
    """An acting person or machine, as recorded in the audit and on rows.

    `id` is the key of the user, member, partner or API key; `label` is what staff read and
    holds no personal data of members. `address` is the IP address where one is known.
    """

    kind: ActorKind
    id: int | None = None
    label: str = ""
    address: str = ""

    @property
    def key(self) -> str:
        """Return a short text that names the actor for ever, such as `staff:12`."""
        return f"{self.kind}:{self.id}" if self.id is not None else self.kind


SYSTEM = Actor(kind="system", label="system")
