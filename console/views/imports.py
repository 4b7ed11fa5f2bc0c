"""Imports: files of members and purchases, from upload over mapping and check to applying."""

from typing import Any

from django import forms
from django.http import FileResponse, Http404, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l
from django.utils.translation import pgettext

from console.access import StaffRequest, staff_page
from console.dialogs import finish, refuse
from console.nav import shell
from console.people import actor_names
from core import clock
from core.errors import DomainError
from core.web.responses import render_page
from members.activity.imports.sources import ENCODINGS
from members.imports import files, operations
from members.imports.jobs import FILES_DAYS
from members.imports.models import FileImport
from members.imports.preview import Preview, look_at
from members.imports.queries import get_import, list_bad_rows, list_imports
from tenants.accounts import permissions as p
from tenants.jobs.models import Job
from tenants.jobs.queries import get_job

PAGE = 30
_SHOWN = 50
_MOVING = (FileImport.State.CHECKING, FileImport.State.APPLYING)
_MAPPABLE = (
    FileImport.State.UPLOADED,
    FileImport.State.CHECKED,
    FileImport.State.REFUSED,
)


class UploadForm(forms.Form):
    """A file and what is in it."""

    kind = forms.ChoiceField(
        label=_l("What is in it"), choices=FileImport.Kind.choices, widget=forms.RadioSelect
    )
    file = forms.FileField(
        label=_l("File"),
        help_text=_l("CSV or text with a line of column names, plain or gzip, up to 300 MB."),
        allow_empty_file=True,
    )
    encoding = forms.ChoiceField(
        label=_l("Encoding"),
        required=False,
        choices=[("", _l("Find out"))],
        help_text=_l("Only needed where Chinese characters come out wrong, such as with Big5."),
    )

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        choices = [("", _("Find out")), *((code, code.upper()) for code in ENCODINGS)]
        self.fields["encoding"].choices = choices  # type: ignore[attr-defined]


@staff_page(p.MEMBERS_EDIT)
def index(request: StaffRequest) -> HttpResponse:
    """List the files that came in, the newest first."""
    after = request.GET.get("after", "")
    found = list_imports(before=int(after) if after.isdigit() else None, limit=PAGE + 1)
    names = actor_names(row.uploaded_by for row in found)
    context = {
        **shell(request, active="imports"),
        "page_title": _("Imports"),
        "rows": [{"item": row, "by": names[row.uploaded_by]} for row in found[:PAGE]],
        "next": str(found[PAGE - 1].pk) if len(found) > PAGE else "",
        "is_moving": any(row.state in _MOVING for row in found),
    }
    return render_page(request, "console/imports.html", context, partial="rows")


@staff_page(p.MEMBERS_EDIT, methods=("GET", "POST"))
def upload(request: StaffRequest) -> HttpResponse:
    """Take a file and go to its page."""
    form = UploadForm(request.POST or None, request.FILES or None, initial={"kind": "members"})
    if form.is_valid():
        given = form.cleaned_data["file"]
        try:
            item = operations.upload(
                kind=form.cleaned_data["kind"],
                file_name=given.name,
                chunks=given.chunks(),
                encoding=form.cleaned_data["encoding"],
                by=request.actor,
                at=clock.now(),
            )
        except DomainError as error:
            refuse(form, error)
        else:
            return finish(
                request,
                _("The file is here. Say which column is which."),
                changed="imports",
                url=reverse("console:import", args=[item.pk]),
            )
    context = {
        **shell(request, active="imports"),
        "page_title": _("Upload a file"),
        "form": form,
        "days": FILES_DAYS,
    }
    status = 422 if form.is_bound and form.errors else 200
    return render_page(request, "console/import_new.html", context, status=status)


@staff_page(p.MEMBERS_EDIT)
def show(request: StaffRequest, import_id: int) -> HttpResponse:
    """Show one import: its columns and first rows, what is wrong, how far it is."""
    return _page(request, import_id)


@staff_page(p.MEMBERS_EDIT, methods=("POST",))
def check(request: StaffRequest, import_id: int) -> HttpResponse:
    """Have the file judged with the columns as chosen."""
    item = get_import(import_id=import_id)
    names = {
        name.removeprefix("column_"): theirs
        for name, theirs in request.POST.items()
        if name.startswith("column_") and isinstance(theirs, str)
    }
    try:
        operations.check(
            import_id=item.pk,
            names=names,
            create_members=bool(request.POST.get("create_members")),
            by=request.actor,
            at=clock.now(),
        )
    except DomainError as error:
        return _page(request, import_id, refusal=error.detail)
    return _page(request, import_id)


@staff_page(p.MEMBERS_EDIT, methods=("POST",))
def apply(request: StaffRequest, import_id: int) -> HttpResponse:
    """Have a checked file applied."""
    try:
        operations.apply(import_id=import_id, by=request.actor, at=clock.now())
    except DomainError as error:
        return _page(request, import_id, refusal=error.detail)
    return _page(request, import_id)


@staff_page(p.MEMBERS_EDIT, methods=("POST",))
def stop(request: StaffRequest, import_id: int) -> HttpResponse:
    """Stop a check or an application."""
    operations.cancel(import_id=import_id, by=request.actor)
    return _page(request, import_id)


@staff_page(p.MEMBERS_EDIT, methods=("POST",))
def drop(request: StaffRequest, import_id: int) -> HttpResponse:
    """Remove the file and the list of bad rows now."""
    operations.drop(import_id=import_id, by=request.actor, at=clock.now())
    return _page(request, import_id)


@staff_page(p.MEMBERS_EDIT)
def problems(request: StaffRequest, import_id: int) -> FileResponse:
    """Hand out the list of all bad rows."""
    item = get_import(import_id=import_id)
    path = files.problems_of(item.pk)
    if not path.exists():
        raise Http404
    return FileResponse(
        path.open("rb"),
        as_attachment=True,
        filename=f"import-{item.pk}-problems.csv",
        content_type="text/csv; charset=utf-8",
    )


def _page(request: StaffRequest, import_id: int, *, refusal: str = "") -> HttpResponse:
    item = get_import(import_id=import_id)
    job = None if item.job_id is None else get_job(job_id=item.job_id)
    has_stopped = job is not None and job.state in {Job.State.FAILED, Job.State.CANCELLED}
    is_moving = item.state in _MOVING and not has_stopped
    preview, unreadable = None, ""
    if item.files_gone_at is None and (item.state in _MAPPABLE or has_stopped):
        try:
            preview = look_at(item=item, at=clock.now())
        except DomainError as error:
            unreadable = error.detail
    context = {
        **shell(request, active="imports"),
        "page_title": item.file_name,
        "page_pretitle": item.get_kind_display(),
        "item": item,
        "by": actor_names([item.uploaded_by])[item.uploaded_by],
        "job": job,
        "is_moving": is_moving,
        "bar_done": job.progress_done if job else 0,
        "bar_total": (job.progress_total or 0) if job else 0,
        "preview": preview,
        "columns": _columns(item, preview) if preview else [],
        "refusal": refusal or unreadable,
        "results": _results(item),
        "bad_rows": list_bad_rows(import_id=item.pk, limit=_SHOWN) if item.bad else [],
        "has_problems": files.problems_of(item.pk).exists(),
        "steps": _steps(item),
        "days": FILES_DAYS,
    }
    status = 422 if refusal else 200
    return render_page(request, "console/import.html", context, partial="import", status=status)


def _columns(item: FileImport, preview: Preview) -> list[dict[str, Any]]:
    names = {**preview.guess, **item.names}
    return [
        {
            "ours": ours,
            "label": _label(ours),
            "is_required": ours in preview.required,
            "theirs": names.get(ours, ""),
        }
        for ours in preview.ours
    ]


def _label(column: str) -> str:
    labels = {
        "external_id": _("Id in your systems"), "name": pgettext("of a person", "Name"), "email": _("E-mail"),
        "phone": _("Phone"), "birthday": _("Birthday"), "gender": _("Gender"),
        "region": _("Region"), "store_code": _("Store"), "locale": _("Language"),
        "tags": _("Tags"), "member": _("Member"), "occurred_at": _("Time"),
        "amount": _("Amount"), "currency": _("Currency"), "channel": _("Channel"),
        "store": _("Store"), "associate": _("Associate"),
    }  # fmt: skip
    prefix, separator, code = column.partition(".")
    if not separator:
        return labels[column]
    return _("Consent: %(code)s") % {"code": code} if prefix == "consents" else code


def _results(item: FileImport) -> list[tuple[str, Any]]:
    labels = {
        "enrolled": _("Members enrolled"),
        "changed": _("Members changed"),
        "added": _("Purchases added"),
        "unchanged": _("Found as they were"),
    }
    return [(label, item.result[name]) for name, label in labels.items() if name in item.result]


def _steps(item: FileImport) -> list[dict[str, Any]]:
    order = {
        FileImport.State.UPLOADED: 1, FileImport.State.CHECKING: 2, FileImport.State.CHECKED: 2,
        FileImport.State.APPLYING: 3, FileImport.State.APPLIED: 4,
    }  # fmt: skip
    reached = order.get(FileImport.State(item.state), 1)
    labels = [_("Upload"), _("Columns"), _("Check"), _("Apply")]
    return [
        {"label": label, "is_done": number < reached + 1, "is_now": number == reached + 1}
        for number, label in enumerate(labels, start=1)
    ]
