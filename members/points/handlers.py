"""What this room does when it hears of something."""

from datetime import datetime

from members.points._calls import brand_day
from members.points.operations import note_activity
from tenants.events.models import Event


def extend_points(event: Event) -> None:
    """Extend points that are good while their owner is active, by the day of the activity."""
    kind, _separator, owner = event.subject.partition(":")
    if kind != "member" or not owner.isdigit():
        return
    told = event.data.get("occurred_at")
    note_activity(
        owner_ids=[int(owner)], on=brand_day(datetime.fromisoformat(told) if told else event.at)
    )
