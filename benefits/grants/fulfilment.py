"""Who carries a redemption out: channels behind one protocol.

Benefits set others in motion without knowing them: a higher room registers its channel at start.
The call for a channel that works outside this transaction comes from the handler of the event
`redemption.requested` (or `redemption.cancelled`), after the commit and at most once in effect.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Protocol

from benefits.grants.models import Redemption


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelStatus:
    """Where the work stands, in the channel's own words, with what a page may show of it."""

    state: str
    detail: dict[str, Any] = field(default_factory=dict)


class Channel(Protocol):
    """One way to carry out redemptions.

    `inline` channels only write rows of ours and are called inside the redemption's own
    transaction, so that its result is there at once; the others after the commit. A channel
    moves the redemption on through `grants.operations` (`confirm`, `fulfil`, `fail`).
    """

    inline: ClassVar[bool]

    def request(self, redemption: Redemption, *, at: datetime) -> None:
        """Begin to carry it out. May be called again for the same redemption."""

    def cancel(self, redemption: Redemption, *, at: datetime) -> None:
        """Stop carrying it out: the redemption was cancelled or has expired."""

    def status(self, redemption: Redemption) -> ChannelStatus:
        """Return where the work stands."""


_channels: dict[str, Channel] = {}


def register_channel(name: str, channel: Channel) -> None:
    """Make a channel known under a name of `Benefit.Channel`; the same again changes nothing."""
    known = _channels.get(name)
    if known is not None and type(known) is not type(channel):
        raise ValueError(f"The channel {name!r} is registered twice.")
    _channels[name] = channel


def get_channel(name: str) -> Channel:
    """Return a channel. A missing one is a mistake in the set-up, not the caller's."""
    try:
        return _channels[name]
    except KeyError:
        raise RuntimeError(f"No channel {name!r} is registered.") from None
