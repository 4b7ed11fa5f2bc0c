"""The channels that need nobody else: at once, code, staff. Partners register their own."""

from datetime import datetime
from typing import ClassVar

from benefits.catalogue.codes import take_codes
from benefits.catalogue.models import Benefit
from benefits.grants._moves import confirm, fulfil
from benefits.grants.fulfilment import ChannelStatus, register_channel
from benefits.grants.models import Redemption
from core.actors import SYSTEM
from core.ids import readable_code

_CODE_LENGTH = 12


class Instant:
    """Carried out by us, in the same transaction: crediting points."""

    inline: ClassVar[bool] = True

    def request(self, redemption: Redemption, *, at: datetime) -> None:
        """Carry it out."""
        fulfil(redemption=redemption, by=SYSTEM, at=at)

    def cancel(self, redemption: Redemption, *, at: datetime) -> None:
        """It is never open, so there is nothing to stop."""

    def status(self, redemption: Redemption) -> ChannelStatus:
        """Return the redemption's own state."""
        return ChannelStatus(state=redemption.state)


class Code:
    """A code is handed out: one of a pool, or one made for this redemption.

    What happens to a pool's code is not seen by us, so handing it out is the service. A code of
    our own is taken at the till, which then fulfils the redemption.
    """

    inline: ClassVar[bool] = True

    def request(self, redemption: Redemption, *, at: datetime) -> None:
        """Hand out a code. :raises PoolEmptyError: if the pool has none left."""
        pool_id = redemption.benefit.code_pool_id
        if pool_id is None:
            code = readable_code(_CODE_LENGTH)
        else:
            taken_for = f"redemption:{redemption.pk}"
            (code,) = take_codes(pool_id=pool_id, count=1, taken_for=taken_for, at=at)
        Redemption.objects.filter(pk=redemption.pk, code="").update(code=code)
        if pool_id is None:
            confirm(redemption=redemption, by=SYSTEM, at=at)
        else:
            fulfil(redemption=redemption, by=SYSTEM, at=at)

    def cancel(self, redemption: Redemption, *, at: datetime) -> None:
        """The till asks us before it takes a code, so its state is enough."""

    def status(self, redemption: Redemption) -> ChannelStatus:
        """Return the redemption's own state."""
        return ChannelStatus(state=redemption.state)


class Staff:
    """Brand staff carry it out: it waits in their queue until they confirm and fulfil it."""

    inline: ClassVar[bool] = True

    def request(self, redemption: Redemption, *, at: datetime) -> None:
        """The open redemption itself is the task."""

    def cancel(self, redemption: Redemption, *, at: datetime) -> None:
        """A closed redemption leaves the queue by itself."""

    def status(self, redemption: Redemption) -> ChannelStatus:
        """Return the redemption's own state."""
        return ChannelStatus(state=redemption.state)


def register() -> None:
    """Make the built-in channels known; called once at start."""
    register_channel(Benefit.Channel.INSTANT, Instant())
    register_channel(Benefit.Channel.CODE, Code())
    register_channel(Benefit.Channel.STAFF, Staff())
