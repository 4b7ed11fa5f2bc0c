"""The events of redemptions: one shape for all of them."""

from datetime import datetime
from typing import Any

from benefits.grants.models import Redemption
from tenants.events.operations import emit


def tell(type_: str, redemption: Redemption, *, at: datetime, **more: Any) -> None:
    """Write an event of a redemption in the caller's transaction."""
    emit(
        type=type_,
        subject=f"redemption:{redemption.pk}",
        data={
            "redemption": redemption.pk,
            "member_id": redemption.member_id,
            "benefit": redemption.benefit.code,
            "grant": redemption.grant_id,
            "channel": redemption.channel,
            "state": redemption.state,
            **more,
        },
        at=at,
    )
