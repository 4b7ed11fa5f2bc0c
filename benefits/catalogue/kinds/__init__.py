"""The kinds of benefit there are: one folder each, listed here and nowhere else."""

from typing import Final

from benefits.catalogue.errors import UnknownKindError
from benefits.catalogue.kinds.base import Effect, Kind, Right, Use
from benefits.catalogue.kinds.content import Content
from benefits.catalogue.kinds.discount import Discount
from benefits.catalogue.kinds.free_service import FreeService
from benefits.catalogue.kinds.gift import Gift
from benefits.catalogue.kinds.partner_service import PartnerService
from benefits.catalogue.kinds.periodic_service import PeriodicService
from benefits.catalogue.kinds.points_credit import PointsCredit
from benefits.catalogue.kinds.points_multiplier import PointsMultiplier
from benefits.catalogue.kinds.upgrade import Upgrade

KINDS: Final[dict[str, Kind]] = {
    "gift": Gift(),
    "discount": Discount(),
    "free_service": FreeService(),
    "partner_service": PartnerService(),
    "periodic_service": PeriodicService(),
    "points_credit": PointsCredit(),
    "points_multiplier": PointsMultiplier(),
    "content": Content(),
    "upgrade": Upgrade(),
}

__all__ = ["KINDS", "Effect", "Kind", "Right", "Use", "get_kind"]


def get_kind(code: str) -> Kind:
    """Return a kind. :raises UnknownKindError: if there is none of this name."""
    try:
        return KINDS[code]
    except KeyError:
        raise UnknownKindError(kind=code, known=sorted(KINDS), pointer="/kind") from None
