"""Every check of DOMAIN §10 that the rooms offer, for one brand at any time."""

from collections.abc import Callable, Iterator

from benefits.booking import invariants as booking
from benefits.budget import invariants as budget
from benefits.grants import invariants as grants
from benefits.insights import invariants as insights
from benefits.mall import invariants as mall
from members.activity import invariants as activity
from members.earning import invariants as earning
from members.merging import invariants as merging
from members.points import invariants as points
from members.segments import invariants as segments
from members.tiers import invariants as tiers
from partners.orders import invariants as orders
from partners.settlements import invariants as settlements
from tenants.audit import invariants as audit
from tenants.events import invariants as events
from tenants.jobs import invariants as jobs

Check = Callable[[], list[str]]

ALL: dict[str, dict[str, Check]] = {
    "audit": audit.CHECKS,
    "jobs": jobs.CHECKS,
    "events": events.CHECKS,
    "points": points.CHECKS,
    "merging": merging.CHECKS,
    "activity": activity.CHECKS,
    "segments": segments.CHECKS,
    "tiers": tiers.CHECKS,
    "earning": earning.CHECKS,
    "booking": booking.CHECKS,
    "budget": budget.CHECKS,
    "grants": grants.CHECKS,
    "mall": mall.CHECKS,
    "insights": insights.CHECKS,
    "orders": orders.CHECKS,
    "settlements": settlements.CHECKS,
}


def check_brand() -> Iterator[tuple[str, list[str]]]:
    """Run all checks inside the current brand; yields each one's name and what it found wrong."""
    for room, checks in ALL.items():
        for name, check in checks.items():
            yield f"{room}: {name}", check()
