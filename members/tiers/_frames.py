"""The scheme in force with all that the statements over many members need."""

from datetime import date, datetime

from members.tiers._evaluation import Frame
from members.tiers._holding import published
from members.tiers.models import Tier
from members.tiers.queries import get_scheme
from tenants.brands.context import current_brand


def frame_on(on: date, at: datetime) -> Frame | None:
    """Return the scheme in force on a day, framed; None without one."""
    scheme = get_scheme(on=on)
    if scheme is None:
        return None
    return Frame(
        scheme=scheme,
        tiers=published(scheme.pk)[1],
        other_tiers=list(Tier.objects.exclude(scheme=scheme).exclude(scheme__status="draft")),
        on=on,
        at=at,
        zone=current_brand().timezone,
    )
