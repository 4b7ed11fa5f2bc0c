"""Pools of codes: how full they are, importing a file, and what is wrong with its lines."""

from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpResponse
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l

from benefits.catalogue import codes, queries
from benefits.catalogue.code_files import MAX_BYTES
from benefits.catalogue.models import CODE
from console.access import StaffRequest, staff_page
from console.dialogs import finish, lead_on, refuse, show_form
from console.nav import shell
from console.people import actor_names
from console.views.mall import mall_tabs
from core import clock
from core.errors import DomainError
from core.web.responses import render_page
from tenants.accounts import permissions as p

_SHOWN = 200
PROBLEMS: dict[str, str | Promise] = {
    "empty": _l("The line is empty."),
    "too_long": _l("A code has at most 120 characters."),
    "control": _l("The code holds signs that cannot be printed."),
    "twice": _l("The code comes twice in this file."),
    "in_pool": _l("The code is in the pool already."),
    "handed_out": _l("The code was handed out already."),
}
REASONS: dict[str, str | Promise] = {
    "empty": _l("There is no code in this file."),
    "too_large": _l("The file is too large: 16 MB at most."),
    "too_many": _l("The file has too many lines: 200,000 at most."),
    "encoding": _l("The file is not text that we can read. Save it as CSV in UTF-8."),
}


@staff_page(p.MALL_VIEW)
def index(request: StaffRequest) -> HttpResponse:
    """List the pools with how many of their codes are free."""
    context = {
        **shell(request, active="mall"),
        "page_title": _("Points mall"),
        "tabs": mall_tabs("pools"),
        "rows": queries.list_pool_fill(),
    }
    return render_page(request, "console/code_pools.html", context, partial="rows")


class PoolForm(forms.Form):
    """A pool: its name, and when it counts as low."""

    name = forms.CharField(label=_l("Name"), max_length=120)
    code = forms.CharField(label=_l("Code"), max_length=40, validators=[CODE])
    low_at = forms.IntegerField(
        label=_l("Tell us below"),
        min_value=1,
        required=False,
        help_text=_l("Free codes; empty: never."),
    )


@staff_page(p.MALL_EDIT, methods=("GET", "POST"))
def create(request: StaffRequest) -> HttpResponse:
    """Make an empty pool."""
    form = PoolForm(request.POST or None)
    if form.is_valid():
        try:
            pool = codes.create_pool(by=request.actor, at=clock.now(), **form.cleaned_data)
        except DomainError as error:
            refuse(form, error)
        else:
            url = reverse("console:code_pool", args=[pool.code])
            return lead_on(request, _("Pool made. Now import its codes."), url=url)
    return show_form(request, form, title=_("New code pool"), active="mall")


class MarkForm(forms.Form):
    """When a pool counts as low."""

    low_at = forms.IntegerField(
        label=_l("Tell us below"),
        min_value=1,
        required=False,
        help_text=_l("Free codes; empty: never."),
    )


@staff_page(p.MALL_EDIT, methods=("GET", "POST"))
def set_mark(request: StaffRequest, code: str) -> HttpResponse:
    """Say at how many free codes the brand is told."""
    pool = queries.get_pool(code=code)
    form = MarkForm(request.POST or None, initial={"low_at": pool.low_at})
    if form.is_valid():
        codes.set_low_at(pool=pool, by=request.actor, at=clock.now(), **form.cleaned_data)
        url = reverse("console:code_pool", args=[pool.code])
        return finish(request, _("Saved."), changed="pool", url=url)
    return show_form(request, form, title=_("When is it low?"), active="mall")


class FileForm(forms.Form):
    """A file of codes, one a line."""

    file = forms.FileField(
        label=_l("File"), help_text=_l("CSV or text, one code a line; the first column counts.")
    )


@staff_page(p.MALL_VIEW, methods=("GET", "POST"))
def show(request: StaffRequest, code: str) -> HttpResponse:
    """Show a pool; a file that is sent is looked through first and changes nothing."""
    pool = queries.get_pool(code=code)
    (fill,) = queries.list_pool_fill(pool=pool)
    imports = queries.list_imports(pool=pool)
    names = actor_names([row.actor for row in imports])
    context: dict[str, Any] = {
        **shell(request, active="mall"),
        "page_title": pool.name,
        "pool": pool,
        "fill": fill,
        "imports": [(row, names[row.actor]) for row in imports],
        "handed_out": queries.list_handed_out(pool=pool, limit=15),
        "form": FileForm(),
    }
    return render_page(request, "console/code_pool.html", context, partial="pool")


@staff_page(p.MALL_EDIT, methods=("POST",))
def import_file(request: StaffRequest, code: str) -> HttpResponse:
    """Import a file whole, or say of every bad line what is wrong with it."""
    pool = queries.get_pool(code=code)
    form = FileForm(request.POST, request.FILES)
    context: dict[str, Any] = {
        **shell(request, active="mall"),
        "page_title": pool.name,
        "pool": pool,
        "form": form,
    }
    if form.is_valid():
        file: UploadedFile[bytes] = form.cleaned_data["file"]
        content = file.read(MAX_BYTES + 1)
        try:
            done = codes.import_file(
                pool=pool,
                content=content,
                file_name=str(file.name),
                by=request.actor,
                at=clock.now(),
            )
        except DomainError as error:
            problems = error.data.get("problems", [])
            reason = REASONS.get(str(error.data.get("reason", "")))
            form.add_error("file", str(reason) if reason else error.detail)
            context |= {
                "count": error.data.get("count", 0),
                "problems": [(row["line"], PROBLEMS[row["code"]]) for row in problems[:_SHOWN]],
            }
        else:
            message = (
                _("This file went in before: nothing was changed.")
                if done.is_known
                else _("%(count)s codes imported.") % {"count": len(done.codes)}
            )
            return lead_on(request, message, url=reverse("console:code_pool", args=[pool.code]))
    return render_page(request, "console/code_import.html", context, partial="import", status=422)
