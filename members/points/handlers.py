"""What this room does when it hears of something."""

from collections.abc import Sequence
from datetime import date, datetime

from members.points._calls import brand_day
from members.points.operations import note_activity
from tenants.events.models import Event


def extend_points(events: Sequence[Event]) -> None:
    """Extend points that are good while their owner is active, by the days of the activities."""
    owners: dict[date, set[int]] = {}
    for event in events:
        kind, _separator, owner = event.subject.partition(":")
        if kind != "member" or not owner.isdigit():
            continue
        told = event.data.get("occurred_at")
        on = brand_day(datetime.fromisoformat(told) if told else event.at)
        owners.setdefault(on, set()).add(int(owner))
    for on, found in sorted(owners.items()):
        note_activity(owner_ids=sorted(found), on=on)
