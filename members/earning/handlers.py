"""What this room does when somebody joined or did something with a name."""

from members.activity.queries import get_event
from members.earning.operations import earn_on_occasion, occasion_of_event
from members.earning.triggers import ENROLMENT, EVENT, NAMED_EVENTS
from members.profiles.queries import get_member
from tenants.events.models import Event
from tenants.events.registry import on_event


def earn_on_joining(event: Event) -> None:
    """Credit what joining gives; members of an imported history have joined long ago."""
    if event.data.get("imported"):
        return
    member = get_member(id=int(event.subject.partition(":")[2]))
    earn_on_occasion(
        member=member,
        trigger=ENROLMENT,
        occasion=ENROLMENT,
        occurred_at=member.enrolled_at,
        at=event.at,
    )


def earn_on_activity(event: Event) -> None:
    """Credit what a named thing gives that a member did."""
    activity = get_event(event_id=event.data["activity"])
    also = NAMED_EVENTS.get(activity.name)
    earn_on_occasion(
        member=activity.member,
        trigger=EVENT,
        also=() if also is None else (also,),
        event_name=activity.name,
        occasion=occasion_of_event(event_id=activity.pk),
        occurred_at=activity.at,
        at=event.at,
    )


def register() -> None:
    """Make the handlers known; called once at start. The names are stored: never change them."""
    on_event("member.enrolled", name="earning.earn_on_joining")(earn_on_joining)
    on_event("activity.recorded", name="earning.earn_on_activity")(earn_on_activity)
