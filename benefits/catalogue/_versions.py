"""The history of a benefit's definition."""

from datetime import datetime
from typing import Any

from benefits.catalogue.models import Benefit, BenefitVersion
from core.actors import Actor

_KEPT = (
    "name",
    "summary",
    "terms",
    "category",
    "icon",
    "channel",
    "code_pool",
    "sla_hours",
    "service_steps",
    "list_price_minor",
    "regions",
    "linked_categories",
    "cancel_returns_unit",
    "starts_at",
    "ends_at",
    "parameters",
)


def keep_version(*, benefit: Benefit, by: Actor, at: datetime, only_first: bool = False) -> None:
    """Write down how a benefit is defined now; with `only_first` unless there is a version yet.

    Needs the lock on the benefit's row.
    """
    last = (
        BenefitVersion.objects.filter(benefit=benefit)
        .order_by("-version")
        .values_list("version", flat=True)
        .first()
    )
    if only_first and last is not None:
        return
    BenefitVersion.objects.create(
        benefit=benefit,
        version=(last or 0) + 1,
        content={name: _plain(getattr(benefit, name)) for name in _KEPT},
        actor=by.key,
        at=at,
    )


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return getattr(value, "code", value)
