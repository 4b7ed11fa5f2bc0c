"""The members of a segment as a file: which columns, who took it."""

from django import forms
from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l

from console.access import StaffRequest, staff_page
from console.nav import shell
from core import clock
from core.web import csv_out
from core.web.responses import render_page
from members.segments import operations, queries
from members.segments.conditions import parse
from members.segments.export import check_columns, export_audience, list_columns
from tenants.accounts import permissions as p
from tenants.brands.context import current_brand

_USUAL = ("number", "external_id", "name", "tier", "value_segment", "spend_365d")


class ColumnsForm(forms.Form):
    """Which columns the file has."""

    columns = forms.MultipleChoiceField(
        label=_l("Columns"), widget=forms.CheckboxSelectMultiple, initial=_USUAL
    )


@staff_page(p.SEGMENTS_EXPORT, methods=("GET", "POST"))
def export(request: StaffRequest, segment_id: int) -> HttpResponseBase:
    """Choose columns, then send the members of a segment as CSV; written into the audit."""
    segment = queries.get_segment(segment_id=segment_id)
    labels = {name: str(label) for name, label, _personal in list_columns()}
    form = ColumnsForm(request.POST if request.method == "POST" else None)
    form.fields["columns"].choices = list(labels.items())  # type: ignore[attr-defined]
    if form.is_valid():
        columns = check_columns(form.cleaned_data["columns"])
        at = clock.now()
        operations.note_export(segment_id=segment.pk, columns=columns, by=request.actor, at=at)
        rows = export_audience(
            condition=parse(segment.condition), columns=columns, brand=current_brand(), at=at
        )
        answer = StreamingHttpResponse(
            csv_out.stream([labels[name] for name in columns], rows),
            content_type="text/csv; charset=utf-8",
        )
        name = slugify(segment.name) or f"segment-{segment.pk}"
        answer["Content-Disposition"] = f'attachment; filename="{name}-{at:%Y%m%d}.csv"'
        answer["Cache-Control"] = "no-store"
        return answer
    context = {
        **shell(request, active="segments"),
        "page_title": _("Export %(name)s") % {"name": segment.name},
        "form": form,
        "action": request.path,
    }
    return _page(request, context, status=422 if form.is_bound else 200)


def _page(request: StaffRequest, context: dict[str, object], *, status: int) -> HttpResponse:
    return render_page(
        request, "console/segment_export.html", context, partial="form", status=status
    )
