"""Names for the values of fields: what the brand calls its stores, what is there to choose from.

Each is read when a page or a sentence needs it, never while a condition is evaluated. Those of
things that members bring along (regions, tags, categories, events) are what came up lately: to
choose from, not to refuse others.
"""

from collections.abc import Mapping

from django.db import connection
from django.utils.functional import Promise
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from members.activity.models import Store
from members.profiles.models import ConsentPurpose
from members.segments.models import SavedSegment

_RECENT = 3_000

_EVENTS: dict[str, str | Promise] = {
    "visit": _("Visit"),
    "view": _("View"),
    "check_in": _("Check-in"),
    "survey": _("Survey"),
}
GENDERS: dict[str, str | Promise] = {
    "female": _("Female"),
    "male": _("Male"),
    "other": _("Other"),
}
PURPOSES: dict[str, str | Promise] = {
    "email": _("E-mail"),
    "sms": _("Text messages"),
    "push": _("Push messages"),
    "marketing": _("Marketing"),
    "profiling": _("Profiling"),
}


def store_names() -> Mapping[str, str | Promise]:
    """Return the stores by code."""
    return dict(Store.objects.order_by("name").values_list("code", "name"))


def region_names() -> Mapping[str, str | Promise]:
    """Return the regions of stores and of the newest members, with those that they lie in."""
    found = _texts(
        "SELECT region FROM members_store UNION SELECT region FROM "  # noqa: S608
        f"(SELECT region FROM members_member ORDER BY id DESC LIMIT {_RECENT}) AS recent"
    )
    wider = {
        "/".join(region.split("/")[:step])
        for region in found
        for step in range(1, region.count("/") + 1)
    }
    return {region: region for region in sorted({*found, *wider})}


def tag_names() -> Mapping[str, str | Promise]:
    """Return the tags of the newest members."""
    return _same(
        "SELECT DISTINCT unnest(tags) FROM "  # noqa: S608
        f"(SELECT tags FROM members_member ORDER BY id DESC LIMIT {_RECENT}) AS recent"
    )


def category_names() -> Mapping[str, str | Promise]:
    """Return the categories of the newest purchases."""
    return _same(
        "SELECT DISTINCT category FROM "  # noqa: S608
        f"(SELECT category FROM members_purchaseline ORDER BY id DESC LIMIT {_RECENT}) AS recent"
    )


def event_names() -> Mapping[str, str | Promise]:
    """Return the events that everybody knows, and the newest ones by their own names."""
    own = _same(
        "SELECT DISTINCT name FROM "  # noqa: S608
        f"(SELECT name FROM members_activityevent ORDER BY id DESC LIMIT {_RECENT}) AS recent"
    )
    return {**own, **_EVENTS}


def gender_names() -> Mapping[str, str | Promise]:
    """Return the usual words for gender; a brand's systems may send others."""
    return GENDERS


def purpose_names() -> Mapping[str, str | Promise]:
    """Return what the brand asks consent for; the usual purposes while it has named none."""
    language = get_language() or "en"
    own = {
        code: label.get(language) or label.get("en") or next(iter(label.values()), code)
        for code, label in ConsentPurpose.objects.order_by("position", "pk").values_list(
            "code", "label"
        )
    }
    return own or PURPOSES


def segment_names() -> Mapping[str, str | Promise]:
    """Return the saved segments by key."""
    return {
        str(key): name
        for key, name in SavedSegment.objects.order_by("name").values_list("pk", "name")
    }


def _same(sql: str) -> Mapping[str, str | Promise]:
    return {text: text for text in _texts(sql)}


def _texts(sql: str) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return sorted(row[0] for row in cursor.fetchall() if row[0])
