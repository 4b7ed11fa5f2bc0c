"""Segments: what members are worth by their purchases, and saved conditions with their size."""

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
from core.errors import DomainError
from core.web.charts import Chart, Series
from core.web.responses import render_page
from members.segments import operations, queries
from members.segments.conditions import describe, parse
from members.segments.models import SavedSegment, ScoreRun, ValueSegment
from tenants.accounts import permissions as p
from tenants.brands.context import current_brand

_SAMPLE = 20
# Each size is one query: the others are a click away.
_COUNTED = 4


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
        "values": _value_rows(sizes),
        "values_chart": Chart(
            kind="hbar",
            labels=[str(ValueSegment(code).label) for code in sizes],
            series=[Series(_("Members"), list(sizes.values()))],
            unit="number",
        ),
        "boundaries": _boundaries(run),
        "saved": _saved_rows(queries.list_segments()),
    }
    return render_page(request, "console/segments.html", context, partial="segments")


def _value_rows(sizes: dict[str, int]) -> list[dict[str, Any]]:
    total = sum(sizes.values())
    currency = current_brand().currency
    words = {
        segment: describe(condition, currency=currency)
        for segment, condition in queries.get_value_table()
    }
    return [
        {
            "code": code,
            "label": ValueSegment(code).label,
            "members": members,
            "share": members / total if total else 0,
            "words": words.get(ValueSegment(code), _("all others")),
        }
        for code, members in sizes.items()
    ]


def _boundaries(run: ScoreRun | None) -> list[dict[str, Any]]:
    """Return the limits between the five scores, as the last run found them."""
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
    at = clock.now()
    currency = current_brand().currency
    rows = []
    for place, segment in enumerate(segments):
        condition = parse(segment.condition)
        counted = place < _COUNTED
        rows.append(
            {
                "segment": segment,
                "words": describe(condition, currency=currency),
                "is_counted": counted,
                "members": queries.count_audience(condition=condition, at=at) if counted else None,
            }
        )
    return rows


@staff_page(p.SEGMENTS_VIEW)
def show(request: StaffRequest, segment_id: int) -> HttpResponse:
    """Show one saved segment: its sentence, its size now, a sample of members."""
    segment = queries.get_segment(segment_id=segment_id)
    condition = parse(segment.condition)
    at = clock.now()
    context = {
        **shell(request, active="segments"),
        "page_title": segment.name,
        "page_pretitle": _("Segment"),
        "segment": segment,
        "words": describe(condition, currency=current_brand().currency),
        "members": queries.count_audience(condition=condition, at=at),
        "sample": queries.sample_audience(condition=condition, at=at, limit=_SAMPLE),
    }
    return render_page(request, "console/segment.html", context, partial="segment")


class SegmentForm(forms.Form):
    """The name of a segment; its condition has rows of its own."""

    name = forms.CharField(label=_l("Name"), max_length=80)


@staff_page(p.SEGMENTS_EDIT, methods=("GET", "POST"))
def create(request: StaffRequest) -> HttpResponse:
    """Keep a condition under a new name."""
    form = SegmentForm(request.POST or None)
    rows = ConditionRows.from_post(request.POST) if form.is_bound else ConditionRows.from_tree(None)
    if form.is_valid():
        try:
            operations.save_segment(
                name=form.cleaned_data["name"],
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
    """Give a saved segment another condition; its name stays."""
    segment = queries.get_segment(segment_id=segment_id)
    form = SegmentForm(request.POST or None, initial={"name": segment.name})
    form.fields["name"].disabled = True
    stored = ConditionRows.from_tree(segment.condition)
    rows = stored
    if form.is_bound and stored.other is None:
        rows = ConditionRows.from_post(request.POST)
    if form.is_valid():
        try:
            operations.change_segment(
                segment_id=segment_id, condition=rows.tree(), by=request.actor, at=clock.now()
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
    """Draw the rows of the condition again, with one more if asked, and count whom they reach."""
    found = ConditionRows.from_post(request.POST, more="add" in request.POST)
    context: dict[str, Any] = _rows_context(found)
    try:
        condition = parse(found.tree())
        context |= {
            "words": describe(condition, currency=current_brand().currency),
            "reach": queries.count_audience(condition=condition, at=clock.now()),
        }
    except DomainError:
        # A row that is not complete yet: what is wrong stands beside it once it is sent.
        for row in found.rows:
            row.error = row.error if row.value else ""
    return render_page(request, "console/condition_rows.html", context)


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
    status = 422 if form.is_bound else 200
    return render_page(request, "console/segment_form.html", context, partial="form", status=status)
