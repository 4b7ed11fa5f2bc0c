"""Free service: something the brand's own people do for the member."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from benefits.catalogue.kinds.base import Parameters, PlainKind


class FreeService(PlainKind):
    """A service at a shop or on the phone, at no charge.

    Parameters: `duration_minutes`, `by_appointment`, `place` (all optional).
    """

    code: ClassVar[str] = "free_service"
    label: ClassVar[str | Promise] = _("Free service")
    icon: ClassVar[str] = "heart-handshake"
    channels: ClassVar[frozenset[str]] = frozenset({"staff", "code", "partner"})

    def validate(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Check `duration_minutes`, `by_appointment` and `place`."""
        given = Parameters(parameters)
        given.whole("duration_minutes", minimum=1, maximum=7 * 24 * 60)
        given.switch("by_appointment")
        given.text("place")
        return given.finish()
