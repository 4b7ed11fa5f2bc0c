"""Points credit: using it credits points. Crediting points is just a kind of benefit."""

from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, ClassVar
from uuid import UUID

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from benefits.catalogue.kinds.base import Effect, Parameters, Right, Use
from core.ids import derived_uuid
from members.points.models import Wallet
from members.points.operations import earn, reverse
from members.points.values import MAX_POINTS, Source


class PointsCredit:
    """Points for the member, credited once per use. Parameters: `points`."""

    code: ClassVar[str] = "points_credit"
    label: ClassVar[str | Promise] = _("Points credit")
    icon: ClassVar[str] = "coins"
    channels: ClassVar[frozenset[str]] = frozenset({"instant"})

    def validate(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Check `points`."""
        given = Parameters(parameters)
        given.whole("points", minimum=1, maximum=MAX_POINTS, required=True)
        return given.finish()

    def grant(self, right: Right) -> None:
        """Points are credited when the member uses the right, not before."""

    def redeem(self, use: Use) -> Effect:
        """Credit the points, once per redemption, and say what they cost."""
        points = int(use.parameters["points"])
        earn(
            owner_id=use.member_id,
            amount=points,
            key=_key(use),
            at=use.at,
            source=Source("redemption", use.redemption_id),
            cause={"kind": self.code},
        )
        return Effect(points=points, points_cost_minor=self.expected_cost(use.parameters))

    def expected_cost(self, parameters: Mapping[str, Any]) -> int:
        """Return what the points cost at the cost per point in force."""
        micro = Wallet.objects.values_list("cost_per_point_micro", flat=True).get(code="points")
        return points_cost(int(parameters["points"]), micro)

    def revoke(self, use: Use) -> None:
        """Take the credited points back."""
        reverse(
            entry_ref=_key(use),
            key=derived_uuid("redemption-points-back", use.redemption_id),
            at=use.at,
            source=Source("redemption", use.redemption_id),
        )


def points_cost(points: int, cost_per_point_micro: int) -> int:
    """Return what points cost in minor units, rounded half-even once."""
    exact = Decimal(points) * cost_per_point_micro / 1_000_000
    return int(exact.quantize(Decimal(1), ROUND_HALF_EVEN))


def _key(use: Use) -> UUID:
    return derived_uuid("redemption-points", use.redemption_id)
