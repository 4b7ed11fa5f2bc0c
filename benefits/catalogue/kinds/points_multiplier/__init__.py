"""Points multiplier: for a time, purchases earn the member more points."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from benefits.catalogue.kinds.base import Effect, Parameters, Right, Use
from members.earning.boosts import Boost, end_boost, start_boost
from members.points.values import Source


class PointsMultiplier:
    """More points per purchase for some days, from the moment the member switches it on.

    Parameters: `multiplier_bp` (20,000 is double points), `days`. In earning it counts like a
    campaign: where several hold at once, the greatest does. What the points cost shows in the
    liability when they are earned, so a use has no cost of its own.
    """

    code: ClassVar[str] = "points_multiplier"
    label: ClassVar[str | Promise] = _("Points multiplier")
    icon: ClassVar[str] = "trending-up"
    channels: ClassVar[frozenset[str]] = frozenset({"instant"})

    def validate(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Check `multiplier_bp` and `days`."""
        given = Parameters(parameters)
        given.whole("multiplier_bp", minimum=10_001, maximum=100_000, required=True)
        given.whole("days", minimum=1, maximum=366, required=True)
        return given.finish()

    def grant(self, right: Right) -> None:
        """It begins when the member switches it on, not before."""

    def redeem(self, use: Use) -> Effect:
        """Let it begin now, once per redemption."""
        start_boost(
            Boost(
                member_id=use.member_id,
                multiplier_bp=int(use.parameters["multiplier_bp"]),
                starts_at=use.at,
                ends_at=use.at + timedelta(days=int(use.parameters["days"])),
                source=Source("redemption", use.redemption_id),
            )
        )
        return Effect()

    def revoke(self, use: Use) -> None:
        """Let it end now; what was earned meanwhile stays earned."""
        end_boost(source=Source("redemption", use.redemption_id), at=use.at)

    def expected_cost(self, parameters: Mapping[str, Any]) -> int:
        """Return zero: what it multiplies is booked as points are earned."""
        return 0
