"""Segments: what members are worth by their purchases, and saved conditions day by day."""

from datetime import date, timedelta
from typing import Any

from django import forms
from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l

from console.access import StaffRequest, staff_page
from console.conditions import ConditionRows
from console.dialogs import finish, refuse
from console.nav import shell
from core import clock
from core.errors import DomainError, NotFoundError
from core.web.charts import Chart, Series
from core.web.responses import render_page
from members.segments import operations, queries
from members.segments.conditions import ConditionError, Labels, describe, parse
from members.segments.models import SavedSegment, ScoreRun, SegmentDay, ValueSegment
from tenants.accounts import permissions as p
from tenants.brands.context import current_brand

_SAMPLE = 20
_LISTED = 50
_TREND = timedelta(days=30)
_SPANS = (30, 90, 365)


@staff_page(p.SEGMENTS_VIEW)
def index(request: StaffRequest) -> HttpResponse:
    """Show the value segments with the table behind them, and the saved segments."""
    sizes = queries.value_segment_sizes()
    run = queries.get_last_run()
    context = {
        **shell(request, active="segments"),
        "page_title": _("Segments"),
        "run": run,
        "waiting": operations.count_late(),
        "values": value_rows(sizes),
        "values_chart": Chart(
            kind="hbar",
            labels=[str(ValueSegment(code).label) for code in sizes],
            series=[Series(_("Members"), list(sizes.values()))],
            unit="number",
        ),
        "boundaries": boundary_rows(run),
        "saved": _saved_rows(queries.list_segments()),
    }
    return render_page(request, "console/segments.html", context, partial="segments")


def value_rows(sizes: dict[str, int]) -> list[dict[str, Any]]:
    """Return the value segments with their sizes and the sentences that place members in them."""
    total = sum(sizes.values())
    currency, labels = current_brand().currency, Labels()
    words: dict[ValueSegment, list[str]] = {}
    for segment, condition in queries.get_value_table():
        words.setdefault(segment, []).append(describe(condition, currency=currency, labels=labels))
    return [
        {
            "code": code,
            "label": ValueSegment(code).label,
            "members": members,
            "share": members / total if total else 0,
            "words": "; ".join(words.get(ValueSegment(code), [_("all others")])),
        }
        for code, members in sizes.items()
    ]


def boundary_rows(run: ScoreRun | None) -> list[dict[str, Any]]:
    """Return the limits between the five scores that the last run used."""
    if run is None or not run.boundaries:
        return []
    labels = {
        "recency": (_("Recency"), _("Days since the last purchase; fewer is better.")),
        "frequency": (_("Frequency"), _("Purchases in 365 days; more is better.")),
        "monetary": (_("Monetary"), _("Net spend in 365 days; more is better.")),
    }
    return [
        {
            "label": label,
            "hint": hint,
            "is_money": name == "monetary",
            "limits": run.boundaries[name],
        }
        for name, (label, hint) in labels.items()
        if run.boundaries.get(name)
    ]


def _saved_rows(segments: list[SavedSegment]) -> list[dict[str, Any]]:
    keys = [segment.pk for segment in segments]
    today = clock.today(current_brand().timezone)
    trends = queries.list_segment_days(segment_ids=keys, since=today - _TREND)
    last = queries.list_last_days(segment_ids=keys)
    labels = Labels()
    return [
        {
            "segment": segment,
            "words": words(segment.condition, labels),
            "day": last.get(segment.pk),
            "trend": [day.size for day in trends[segment.pk]],
        }
        for segment in segments
    ]


def words(tree: dict[str, Any], labels: Labels) -> str:
    """Return a stored condition as a sentence; one that no longer reads is said to be so."""
    try:
        condition = parse(tree)
    except ConditionError:
        return _("The condition names something that no longer exists.")
    return describe(condition, currency=current_brand().currency, labels=labels)


@staff_page(p.SEGMENTS_VIEW)
def show(request: StaffRequest, segment_id: int) -> HttpResponse:
    """Show one saved segment: its sentence, its days, who came and went, a sample of members."""
    segment = queries.get_segment(segment_id=segment_id)
    at = clock.now()
    span = _span(request.GET.get("days", ""))
    today = clock.today(current_brand().timezone)
    days = queries.list_segment_days(segment_ids=[segment.pk], since=today - timedelta(days=span))[
        segment.pk
    ]
    preview = queries.preview_audience(condition=parse(segment.condition), at=at, sample=_SAMPLE)
    address = reverse("console:segment", args=[segment.pk])
    context = {
        **shell(request, active="segments"),
        "page_title": segment.name,
        "page_pretitle": _("Segment"),
        "segment": segment,
        "words": words(segment.condition, Labels()),
        "preview": preview,
        "days": list(reversed(days)),
        "last": days[-1] if days else None,
        "chart": _days_chart(days),
        "spans": [
            {
                "url": f"{address}?days={length}",
                "label": _("%(days)s days") % {"days": length},
                "active": length == span,
            }
            for length in _SPANS
        ],
        "uses": queries.list_segment_uses(segment_id=segment.pk),
    }
    return render_page(request, "console/segment.html", context, partial="segment")


def _span(text: str) -> int:
    return int(text) if text in {str(length) for length in _SPANS} else _SPANS[0]


def _days_chart(days: list[SegmentDay]) -> Chart:
    return Chart(
        kind="bar",
        labels=[f"{day.on_date:%m-%d}" for day in days],
        series=[
            Series(_("Members"), [day.size for day in days], kind="line"),
            Series(_("Entered"), [day.entered for day in days], role="good"),
            Series(_("Left"), [-day.left for day in days], role="bad"),
        ],
        unit="number",
    )


@staff_page(p.SEGMENTS_VIEW)
def changes(request: StaffRequest, segment_id: int, day: str) -> HttpResponse:
    """List who entered and who left a segment on one day."""
    segment = queries.get_segment(segment_id=segment_id)
    try:
        on = date.fromisoformat(day)
    except ValueError:
        raise NotFoundError(day=day) from None
    stored = queries.list_segment_days(segment_ids=[segment.pk], since=on, until=on)[segment.pk]
    context = {
        **shell(request, active="segments"),
        "page_title": segment.name,
        "segment": segment,
        "on": on,
        "day": stored[0] if stored else None,
        "sides": [
            {
                "title": title,
                "icon": icon,
                "count": getattr(stored[0], field) if stored else 0,
                "rows": queries.list_changes(
                    segment_id=segment.pk, on=on, entered=field == "entered", limit=_LISTED
                ),
            }
            for field, title, icon in (
                ("entered", _("Entered"), "arrow-up"),
                ("left", _("Left"), "arrow-down"),
            )
        ],
        "listed": _LISTED,
    }
    return render_page(request, "console/segment_changes.html", context)


class SegmentForm(forms.Form):
    """The name of a segment; its condition has rows of its own."""

    name = forms.CharField(label=_l("Name"), max_length=80)
    tells = forms.BooleanField(
        label=_l("Send an event for each member who enters or leaves"),
        required=False,
        help_text=_l("Each night, to webhooks and handlers: segment.entered and segment.left."),
    )


@staff_page(p.SEGMENTS_EDIT, methods=("GET", "POST"))
def create(request: StaffRequest) -> HttpResponse:
    """Keep a condition under a new name."""
    form = SegmentForm(request.POST or None)
    rows = ConditionRows.from_post(request.POST) if form.is_bound else ConditionRows.from_tree(None)
    if form.is_valid():
        try:
            operations.save_segment(
                name=form.cleaned_data["name"],
                tells=form.cleaned_data["tells"],
                condition=rows.tree(),
                by=request.actor,
                at=clock.now(),
            )
        except DomainError as error:
            _refuse(form, error)
        else:
            url = reverse("console:segments")
            return finish(request, _("The segment is saved."), changed="segments", url=url)
    return _show_form(request, form, rows, title=_("New segment"))


@staff_page(p.SEGMENTS_EDIT, methods=("GET", "POST"))
def edit(request: StaffRequest, segment_id: int) -> HttpResponse:
    """Give a saved segment another condition or name."""
    segment = queries.get_segment(segment_id=segment_id)
    form = SegmentForm(request.POST or None, initial={"name": segment.name, "tells": segment.tells})
    stored = ConditionRows.from_tree(segment.condition)
    rows = stored
    if form.is_bound and stored.other is None:
        rows = ConditionRows.from_post(request.POST)
    if form.is_valid():
        try:
            operations.change_segment(
                segment_id=segment_id,
                condition=rows.tree(),
                name=form.cleaned_data["name"],
                tells=form.cleaned_data["tells"],
                by=request.actor,
                at=clock.now(),
            )
        except DomainError as error:
            _refuse(form, error)
        else:
            url = reverse("console:segment", args=[segment_id])
            return finish(request, _("The segment is saved."), changed="segments", url=url)
    return _show_form(request, form, rows, title=_("Change %(name)s") % {"name": segment.name})


def _refuse(form: SegmentForm, error: DomainError) -> None:
    if error.code == "segment_name_taken":
        form.add_error("name", error.detail)
    else:
        refuse(form, error)


@staff_page(p.SEGMENTS_EDIT, methods=("POST",))
def delete(request: StaffRequest, segment_id: int) -> HttpResponse:
    """Remove a saved segment; members and what they have stay as they are."""
    operations.delete_segment(segment_id=segment_id, by=request.actor, at=clock.now())
    url = reverse("console:segments")
    return finish(request, _("The segment is removed."), changed="segments", url=url)


@staff_page(p.SEGMENTS_EDIT, methods=("POST",))
def rows(request: StaffRequest) -> HttpResponse:
    """Draw the form of the condition again, and count whom it reaches, with a sample."""
    found = ConditionRows.from_post(request.POST, more="add" in request.POST)
    context: dict[str, Any] = {**_rows_context(found), **_reach(found)}
    return render_page(request, "console/condition_rows.html", context, partial={"reach": "reach"})


def _reach(found: ConditionRows) -> dict[str, Any]:
    try:
        condition = parse(found.tree())
    except DomainError as error:
        # A row that is not complete yet: what is wrong stands beside it once it is sent.
        for row in found.rows:
            row.error = row.error if row.value else ""
        return {"unread": error.detail if any(row.error for row in found.rows) else ""}
    preview = queries.preview_audience(condition=condition, at=clock.now())
    return {
        "words": describe(condition, currency=current_brand().currency, labels=found.names.labels),
        "reach": preview.size,
        "share": preview.share,
        "sample": preview.sample,
    }


def _rows_context(found: ConditionRows) -> dict[str, Any]:
    return {
        "rows": found,
        "rows_url": reverse("console:segment_rows"),
        "rows_legend": _("Who is in it"),
    }


def _show_form(
    request: StaffRequest, form: SegmentForm, found: ConditionRows, *, title: str
) -> HttpResponse:
    context = {
        **shell(request, active="segments"),
        "page_title": title,
        "form": form,
        "action": request.path,
        **_rows_context(found),
    }
    if not form.is_bound and found.other is None and any(not row.is_empty for row in found.rows):
        context |= _reach(found)
    status = 422 if form.is_bound else 200
    return render_page(request, "console/segment_form.html", context, partial="form", status=status)
