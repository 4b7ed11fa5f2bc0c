"""What rules and campaigns are checked for alike."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.utils.translation import gettext as _

from core.errors import InvalidError
from members.earning.models import Campaign, EarningRule
from members.segments.conditions import ConditionError, parse

Wrong = tuple[str, str]
_LENGTHS = {"categories": 64, "stores": 40, "channels": 40}
_MOST = 200


def first_wrong(checks: Iterable[tuple[bool, str, str]]) -> Wrong | None:
    """Return the field and the message of the first check that found something."""
    return next(((field, message) for is_wrong, field, message in checks if is_wrong), None)


def check_places(item: EarningRule | Campaign, *, is_purchase: bool = True) -> Wrong | None:
    """Return what is wrong with categories, stores and channels, if anything."""
    for field, length in _LENGTHS.items():
        values = getattr(item, field)
        if values and not is_purchase:
            return field, _("Only purchases have this.")
        if not isinstance(values, list) or len(values) > _MOST:
            return field, _("Give up to %(most)s short texts.") % {"most": _MOST}
        if not all(isinstance(value, str) and 0 < len(value) <= length for value in values):
            return field, _("Give up to %(most)s short texts.") % {"most": _MOST}
    return None


def check_condition(tree: Mapping[str, Any] | None, *, error: type[InvalidError]) -> None:
    """Refuse a condition that does not read, with the place in it."""
    try:
        parse(dict(tree) if tree else None)
    except ConditionError as found:
        raise error(found.detail, pointer=f"/condition{found.data.get('pointer', '')}") from None
