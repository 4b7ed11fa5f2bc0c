"""Cards of this wing on the to-do list of the overview."""

from datetime import datetime

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from benefits.insights.registry import Todo
from members.profiles.queries import count_asked_erasures


def asked_erasures(at: datetime) -> list[Todo]:
    """Return a card when members wait to be erased."""
    count = count_asked_erasures()
    if not count:
        return []
    text = ngettext_lazy(
        "%(count)d member wants to be erased", "%(count)d members want to be erased", count
    ) % {"count": count}
    return [Todo(kind="erasures", text=text, badge=_("Member data"), count=count)]
