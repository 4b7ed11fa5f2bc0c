"""What can set off an earning rule. A room that knows a trigger registers it at start.

`purchase` is this room's own. Others (enrolment, birthday, referral, survey, mission) come with
the rooms that see them happen.
"""

from collections.abc import Mapping

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

PURCHASE = "purchase"
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
