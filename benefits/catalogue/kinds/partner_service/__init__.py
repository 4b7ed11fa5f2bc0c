"""Partner service: something a third party does for the member."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from benefits.catalogue.kinds.base import Parameters, PlainKind


class PartnerService(PlainKind):
    """A service by a partner of the pool.

    Parameters: `duration_minutes` and `by_appointment` (both optional), what the partner and
    the member need to know to book it.
    """

    code: ClassVar[str] = "partner_service"
    label: ClassVar[str | Promise] = _("Partner service")
    icon: ClassVar[str] = "building-store"
    channels: ClassVar[frozenset[str]] = frozenset({"partner"})

    def validate(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Check `duration_minutes` and `by_appointment`."""
        given = Parameters(parameters)
        given.whole("duration_minutes", minimum=1, maximum=7 * 24 * 60)
        given.switch("by_appointment")
        return given.finish()
