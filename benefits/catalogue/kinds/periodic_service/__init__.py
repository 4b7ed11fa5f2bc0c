"""Periodic service: the same service every few months, booked and reminded of."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from benefits.catalogue.kinds.base import Parameters, PlainKind


class PeriodicService(PlainKind):
    """A service that falls due every `every_months`: an inspection, a refill, a fitting.

    A rule of the cadence “every few months” grants it. Parameters: `every_months`,
    `remind_days` (days before the right ends that a member who has not booked is reminded;
    14 unless given), `duration_minutes` (optional). It is always by appointment.
    """

    code: ClassVar[str] = "periodic_service"
    label: ClassVar[str | Promise] = _("Periodic service")
    icon: ClassVar[str] = "calendar-time"
    channels: ClassVar[frozenset[str]] = frozenset({"staff", "partner"})

    def validate(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Check `every_months`, `remind_days` and `duration_minutes`."""
        given = Parameters({"remind_days": 14, **parameters})
        given.whole("every_months", minimum=1, maximum=120, required=True)
        given.whole("remind_days", minimum=1, maximum=365)
        given.whole("duration_minutes", minimum=1, maximum=7 * 24 * 60)
        return given.finish()
