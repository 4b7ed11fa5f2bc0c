"""Times to choose from: the stores of a benefit, a week of days, and what is free."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from babel.dates import format_date
from django.http import Http404
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from benefits.booking import queries
from benefits.catalogue.models import Benefit
from core import clock
from members.activity.models import Store
from members.activity.queries import list_stores
from portal.dates import near_day
from tenants.brands.context import current_brand

WEEK = 7
_LOCALES = {"zh-hans": "zh_Hans", "zh-hant": "zh_Hant"}


@dataclass(frozen=True, slots=True)
class SlotDay:
    """A day with its free times: (value to send, text to show)."""

    on: date
    label: str
    times: list[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotChoice:
    """What the page of times shows; addresses are empty where there is nothing to go to."""

    stores: list[tuple[str, str]]
    store: str
    days: list[SlotDay]
    earlier: str
    later: str
    next_at: datetime | None
    next_url: str

    @property
    def is_empty(self) -> bool:
        return not any(day.times for day in self.days)


def slot_choice(
    *, benefit: Benefit, store: str, from_on: str, address: str, at: datetime, region: str = ""
) -> SlotChoice:
    """Return the week that begins at `from_on` (a date's text) in one of the benefit's stores.

    Without a store, the first of the member's region, else the first of all.
    """
    calendars = queries.list_calendars(benefit_id=benefit.pk)
    if not calendars:
        raise Http404(_("There is nothing to book here."))
    known = {row.code: row for row in list_stores()}
    stores = [
        (row.store_code, known[row.store_code].name if row.store_code in known else row.store_code)
        for row in calendars
    ]
    near = [row for row in calendars if region and _region(known, row.store_code) == region]
    chosen = next((row for row in calendars if row.store_code == store), (near or calendars)[0])
    zone = ZoneInfo(current_brand().timezone)
    today = clock.local_date(at, zone)
    first = max(_day(from_on) or today, today)
    days = queries.list_free_slots(calendar=chosen, from_on=first, days=WEEK, at=at)
    has_free = any(day.slots for day in days)
    next_at = None if has_free else queries.next_free_at(calendar=chosen, at=at)

    def link(on: date) -> str:
        return f"{address}?{urlencode({'store': chosen.store_code, 'from': on.isoformat()})}"

    end = first + timedelta(days=WEEK)
    return SlotChoice(
        stores=[(code, name or _("Any store")) for code, name in stores],
        store=chosen.store_code,
        days=[
            SlotDay(
                day.on,
                _day_label(day.on, today),
                [
                    (slot.starts_at.isoformat(), f"{slot.starts_at.astimezone(zone):%H:%M}")
                    for slot in day.slots
                ],
            )
            for day in days
            if day.slots
        ],
        earlier=link(max(first - timedelta(days=WEEK), today)) if first > today else "",
        later=link(end) if end <= today + timedelta(days=chosen.horizon_days) else "",
        next_at=next_at,
        next_url=link(clock.local_date(next_at, zone)) if next_at else "",
    )


def _region(known: Mapping[str, Store], code: str) -> str:
    return known[code].region if code in known else ""


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _day_label(on: date, today: date) -> str:
    if on == today:
        return _("Today")
    if on == today + timedelta(days=1):
        return _("Tomorrow")
    locale = _LOCALES.get(get_language() or "en", "en")
    return f"{format_date(on, 'EEE', locale=locale)} {near_day(on)}"
