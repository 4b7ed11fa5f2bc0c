"""Tags and filters of every template (a template builtin: no `{% load %}` needed).

Filters that take a figure show "–" or "no data" for None: an unknown figure is never a zero.
"""

import json
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import segno
from django import template
from django.template.defaultfilters import stringfilter
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language, gettext

from core import clock
from core.web import charts, figures
from core.web.icons import icon_svg

register = template.Library()

Number = int | float | Decimal
_ABSENT = "–"


def _language() -> str:
    return get_language() or "en"


# --- Drawings -----------------------------------------------------------------------------


@register.simple_tag
def icon(name: str, css: str = "", label: str = "") -> SafeString:
    """Draw an icon: `{% icon "gift" %}`; with a label it is announced, else decorative."""
    return icon_svg(name or "", css, label)


@register.simple_tag
def sparkline(values: Sequence[Number | None], label: str = "") -> SafeString:
    """Draw a small line of the values, oldest first."""
    return charts.sparkline_svg(
        [None if v is None else float(v) for v in values or ()], label=label
    )


@register.simple_tag
def qr(text: str, label: str = "") -> SafeString:
    """Draw a QR code as inline SVG, black on white in light and dark mode alike."""
    code = segno.make(str(text), error="m", micro=False)
    matrix = list(code.matrix_iter(border=2))
    runs: list[str] = []
    for y, row in enumerate(matrix):
        x = 0
        cells = list(row)
        while x < len(cells):
            start = x
            while x < len(cells) and cells[x]:
                x += 1
            if x > start:
                runs.append(f"M{start} {y}h{x - start}v1h-{x - start}z")
            x += 1
    size = len(matrix)
    return format_html(
        '<svg class="qr" viewBox="0 0 {} {}" shape-rendering="crispEdges" role="img" aria-label="{}">'
        '<rect class="qr-paper" width="{}" height="{}"/><path class="qr-ink" d="{}"/></svg>',
        size,
        size,
        label or gettext("QR code"),
        size,
        size,
        "".join(runs),
    )


TONES: dict[str, tuple[str, ...]] = {
    "ok": (
        "active", "fulfilled", "completed", "published", "approved", "paid", "confirmed", "core",
        "star", "accepted", "delivered", "done", "succeeded", "open_for_use", "shipped", "returned",
    ),
    "bad": (
        "failed", "disputed", "refused", "declined", "timed_out", "blocked", "overdue", "dead",
        "unassigned", "out_of_stock", "erased", "suspended", "critical",
    ),
    "warn": (
        "watch", "pending", "requested", "offered", "paused", "expiring", "held", "open",
        "invited", "due", "low", "warning",
    ),
    "info": (
        "scheduled", "in_progress", "placed", "running", "pilot", "sent", "sandbox", "upcoming",
        "provisioning", "queued",
    ),
}  # fmt: skip
_TONE_OF = {state: tone for tone, states in TONES.items() for state in states}


@register.filter
def state_tone(state: str) -> str:
    """The colour of a state by its name: ok, bad, warn, info; muted for all others."""
    return _TONE_OF.get(str(state), "muted")


@register.simple_tag
def status(state: str, label: str = "", tone: str = "") -> SafeString:
    """Draw the state of a thing as a badge: `{% status order.state order.get_state_display %}`."""
    return format_html(
        '<span class="badge badge-{}"><span class="badge-dot"></span>{}</span>',
        tone or state_tone(state),
        label or state,
    )


@register.filter
def delta_tone(delta: Number, good: str = "up") -> str:
    """The colour of a change: good when it goes the good way; none when neither is."""
    if not delta or good not in {"up", "down"}:
        return ""
    return "tone-ok" if (delta > 0) == (good == "up") else "tone-bad"


# --- Figures ------------------------------------------------------------------------------


@register.filter
def money(minor: int | None, currency: str) -> str:
    """Minor units and a currency: `{{ order.amount_minor|money:brand.currency }}`."""
    if minor is None:
        return _ABSENT
    return figures.format_money(int(minor), currency, language=_language())


@register.filter
def money_short(minor: int | None, currency: str) -> str:
    """Minor units in few digits for a card: `¥1.86M`, `¥186万`."""
    if minor is None:
        return _ABSENT
    return figures.format_money(int(minor), currency, language=_language(), compact=True)


@register.filter
def money_signed(minor: int | None, currency: str) -> str:
    """Minor units with a plus or minus sign."""
    if minor is None:
        return _ABSENT
    return figures.format_money(int(minor), currency, language=_language(), sign=True)


@register.filter
def number(value: Number | None) -> str:
    """A count or points, grouped: `128,450`."""
    return _ABSENT if value is None else figures.format_number(value, language=_language())


@register.filter
def number_short(value: Number | None) -> str:
    """A count in few digits for a card: `3.42M`, `342万`."""
    if value is None:
        return _ABSENT
    return figures.format_number(value, language=_language(), compact=True)


@register.filter
def signed(value: Number | None) -> str:
    """A count or points with a plus or minus sign: `+1,200`."""
    if value is None:
        return _ABSENT
    return figures.format_number(value, language=_language(), sign=True)


@register.filter
def percent(ratio: Number | None, digits: int = 1) -> str:
    """A ratio as per cent: 0.674 is `67.4%`; None is “no data”."""
    if ratio is None:
        return gettext("no data")
    return figures.format_percent(ratio, language=_language(), digits=int(digits))


@register.filter
def percent_signed(ratio: Number | None, digits: int = 1) -> str:
    """A change as per cent with its sign: `+8.2%`; None is “no data”."""
    if ratio is None:
        return gettext("no data")
    return figures.format_percent(ratio, language=_language(), digits=int(digits), sign=True)


# --- Time, in the zone of the request: the brand's own ----------------------------------------


def _local_day(value: date | datetime) -> date:
    return timezone.localtime(value).date() if isinstance(value, datetime) else value


@register.filter(expects_localtime=False)
def localtime(value: datetime | None) -> str:
    """An instant as date and time in the brand's zone."""
    if value is None:
        return _ABSENT
    zone = timezone.get_current_timezone()
    return figures.format_datetime(value, language=_language(), zone=zone)


@register.filter(expects_localtime=False)
def clocktime(value: datetime | None) -> str:
    """The time of day of an instant in the brand's zone: `14:05`."""
    if value is None:
        return _ABSENT
    zone = timezone.get_current_timezone()
    return figures.format_time(value, language=_language(), zone=zone)


@register.filter(expects_localtime=False)
def day(value: date | datetime | None) -> str:
    """A date, or an instant's date in the brand's zone: `31 Dec 2027`."""
    return (
        _ABSENT if value is None else figures.format_date(_local_day(value), language=_language())
    )


@register.filter(expects_localtime=False)
def day_short(value: date | datetime | None) -> str:
    """A date without its year: `31 Dec`."""
    if value is None:
        return _ABSENT
    return figures.format_date(_local_day(value), language=_language(), year=False)


@register.filter(expects_localtime=False)
def month(value: date | datetime | None) -> str:
    """A date's month: `Nov 2026`."""
    if value is None:
        return _ABSENT
    return figures.format_month(_local_day(value), language=_language())


@register.filter(expects_localtime=False)
def ago(value: datetime | date | None) -> SafeString | str:
    """How far away an instant or a day is (`3 hours ago`, `in 2 days`), with the full time on hover."""
    if value is None:
        return _ABSENT
    now = clock.now()
    if not isinstance(value, datetime):
        days = (value - timezone.localtime(now).date()).days
        if days == 0:
            return gettext("today")
        text = figures.format_relative(now + timedelta(days=days), now=now, language=_language())
        return format_html('<time datetime="{}" title="{}">{}</time>', value, day(value), text)
    if abs(value - now) < timedelta(minutes=1):
        text = gettext("just now")
    else:
        text = figures.format_relative(value, now=now, language=_language())
    return format_html(
        '<time datetime="{}" title="{}">{}</time>', value.isoformat(), localtime(value), text
    )


# --- Data for scripts and links -----------------------------------------------------------------


@register.filter
def tojson(value: Any) -> str:
    """Compact JSON for a `data-…` attribute (escaped by the template as any text)."""
    if isinstance(value, charts.Chart):
        return value.as_json()
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)


@register.filter
@stringfilter
def initials(name: str) -> str:
    """One or two letters for an avatar: `Mei Lin` is ML, `王小美` is 王."""
    words = name.split()
    if not words:
        return "?"
    if len(words) == 1 or not words[0].isascii():
        return words[0][:1].upper()
    return (words[0][:1] + words[-1][:1]).upper()


@register.simple_tag(takes_context=True)
def sort_link(context: template.Context, column: str) -> dict[str, str]:
    """Return `url` and `state` (ascending, descending or none) of a sortable column.

    Sorting is kept in the query string as `sort=name` or `sort=-name`; a cursor is dropped.
    """
    query = context["request"].GET.copy()
    current = query.get("sort", "")
    query.pop("after", None)
    states = {column: "ascending", f"-{column}": "descending"}
    state = states.get(current, "none")
    query["sort"] = f"-{column}" if state == "ascending" else column
    return {"url": f"?{query.urlencode()}", "state": state}


@register.simple_tag(takes_context=True)
def page_links(context: template.Context, param: str, cursor: str | None) -> dict[str, str]:
    """Return the addresses of the `first` and the `next` page of a cursor list; empty for none."""
    query = context["request"].GET.copy()
    here = query.pop(param, [""])[-1]
    first = f"?{query.urlencode()}" if here else ""
    if not cursor:
        return {"first": first, "next": ""}
    query[param] = str(cursor)
    return {"first": first, "next": f"?{query.urlencode()}"}


@register.filter
def unlocalize_number(value: Number | None) -> str:
    """A number as HTML wants it: a point, no grouping."""
    if value is None:
        return "0"
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


@register.filter
def times(count: int | str) -> range:
    """A range to repeat something: `{% for _ in 3|times %}`."""
    return range(int(count))


@register.filter
def attributes(values: dict[str, str] | None) -> SafeString:
    """Write a dictionary as escaped HTML attributes."""
    parts = [format_html(' {}="{}"', key, value) for key, value in (values or {}).items()]
    return mark_safe("".join(parts))  # noqa: S308 — each part is escaped above
