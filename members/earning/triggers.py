"""What can set off an earning rule. A room that knows a trigger registers it at start.

`purchase` has an operation of its own; the others are occasions (`operations.earn_on_occasion`).
Joining and events are heard of through the outbox; answering a survey and doing a mission are
events with a fixed name. Birthdays come by a nightly job. A referral is told by the room that
sees the invited member's first kept purchase.
"""

from collections.abc import Mapping

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

PURCHASE = "purchase"
EVENT = "event"
ENROLMENT = "enrolment"
BIRTHDAY = "birthday"
REFERRAL = "referral"
SURVEY = "survey"
MISSION = "mission"
# Events by these names also set off the rules of these triggers.
NAMED_EVENTS = {"survey_answered": SURVEY, "mission_done": MISSION}
_triggers: dict[str, str | Promise] = {}


def register_trigger(code: str, *, label: str | Promise) -> None:
    """Make a trigger known by its stable code."""
    if code in _triggers:
        raise ValueError(f"trigger {code!r} is registered twice")
    _triggers[code] = label


def list_triggers() -> Mapping[str, str | Promise]:
    """Return all triggers with their labels."""
    return dict(_triggers)


register_trigger(PURCHASE, label=_("Purchase"))
register_trigger(EVENT, label=_("An event"))
register_trigger(ENROLMENT, label=_("Joining"))
register_trigger(BIRTHDAY, label=_("Birthday"))
register_trigger(REFERRAL, label=_("Invited a member who bought"))
register_trigger(SURVEY, label=_("Answered a survey"))
register_trigger(MISSION, label=_("Completed a mission"))
