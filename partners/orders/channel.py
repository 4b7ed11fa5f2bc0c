"""The channel by which benefits are delivered by partners, without benefits knowing of them."""

from datetime import datetime
from typing import ClassVar

from benefits.grants.fulfilment import ChannelStatus
from benefits.grants.models import Redemption
from core.actors import SYSTEM
from partners.orders.models import FulfilmentOrder
from partners.orders.operations import request_order, withdraw_order


class PartnerChannel:
    """Makes a fulfilment order for each redemption, after the commit of the redemption.

    Not inline: it reserves a partner's day, a row that members share.
    """

    inline: ClassVar[bool] = False

    def request(self, redemption: Redemption, *, at: datetime) -> None:
        """Offer the redemption to the best partner, once."""
        request_order(redemption_id=redemption.pk, at=at)

    def cancel(self, redemption: Redemption, *, at: datetime) -> None:
        """Cancel the order of a redemption that is no longer wanted."""
        withdraw_order(redemption_id=redemption.pk, reason=redemption.state, by=SYSTEM, at=at)

    def status(self, redemption: Redemption) -> ChannelStatus:
        """Return the state of the order; `requested` until it is made."""
        order = (
            FulfilmentOrder.objects.select_related("partner").filter(redemption=redemption).first()
        )
        if order is None:
            return ChannelStatus(state="requested")
        times = {
            "scheduled_for": order.scheduled_for,
            "due_at": order.due_at,
            "fulfilled_at": order.fulfilled_at,
        }
        detail = {name: value.isoformat() for name, value in times.items() if value}
        # Who was merely asked is not yet news for the member.
        if order.partner is not None and order.accepted_at is not None:
            detail["partner"] = order.partner.name
        return ChannelStatus(state=order.state, detail={"order": order.number, **detail})
