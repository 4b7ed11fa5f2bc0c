"""Packages: benefits and other packages with quantities, granted by rules or sold in the mall."""

from typing import Any

from django import forms
from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l

from benefits.catalogue import operations, queries
from benefits.catalogue.models import CODE, Package
from benefits.mall.queries import list_shelf
from benefits.rules.queries import list_rules
from console.access import StaffRequest, staff_page
from console.dialogs import finish, lead_on
from console.fields import FoldedForm, IconField, add_texts, initial_texts, place_error, texts_of
from console.nav import shell
from console.package_rows import PackageRows, posted_package, totals
from console.views.benefits import catalogue_tabs
from core import clock
from core.errors import DomainError
from core.web.responses import render_page
from tenants.accounts import permissions as p


@staff_page(p.BENEFITS_VIEW)
def index(request: StaffRequest) -> HttpResponse:
    """List the packages with what they hold."""
    context = {
        **shell(request, active="benefits"),
        "page_title": _("Benefits"),
        "tabs": catalogue_tabs("packages"),
        "packages": queries.list_packages(active_only=False, with_parts=True),
    }
    return render_page(request, "console/packages.html", context, partial="rows")


@staff_page(p.BENEFITS_VIEW)
def show(request: StaffRequest, code: str) -> HttpResponse:
    """Show one package: what it gives in all, what that costs, and where it is used."""
    package = queries.get_package(code=code)
    context = {
        **shell(request, active="benefits"),
        "page_title": queries.localized(package.name, get_language()),
        "package": package,
        "summary": queries.localized(package.summary, get_language()),
        "totals": totals(dict(queries.list_package_units(package=package))),
        "items": package.items.all(),
        "parts": package.parts.all(),
        "rules": list_rules(package=package),
        "around": queries.list_packages_around(package=package),
        "sold": list_shelf(package=package),
    }
    return render_page(request, "console/package.html", context, partial="package")


class PackageForm(FoldedForm):
    """What a package is called; what it holds are rows of their own."""

    folded_label = _l("Icon, other languages")

    def __init__(self, *args: Any, package: Package | None = None, **options: Any) -> None:
        super().__init__(*args, **options)
        self.package = package
        others = add_texts(self, "name", _l("Name"), required=True)
        if package is None:
            self.fields["code"] = forms.CharField(
                label=_l("Code"),
                max_length=40,
                validators=[CODE],
                help_text=_l("Small letters, digits and hyphens; fixed for good."),
            )
        others += add_texts(self, "summary", _l("In one sentence"))
        self.fields["icon"] = IconField(label=_l("Icon"), initial="package")
        self.folded = (*others, "icon")

    def facts(self) -> dict[str, Any]:
        """Return what the operations take, without what the package holds."""
        return {
            "icon": self.cleaned_data["icon"],
            **{
                name: texts_of(self, name, stored=getattr(self.package, name, None))
                for name in ("name", "summary")
            },
        }


@staff_page(p.BENEFITS_EDIT, methods=("GET", "POST"))
def create(request: StaffRequest) -> HttpResponse:
    """Put benefits and packages together to a package."""
    form = PackageForm(request.POST or None)
    rows = PackageRows.from_post(request.POST) if form.is_bound else PackageRows.from_package(None)
    content = rows.content() if form.is_bound else None
    if form.is_valid() and content is not None:
        try:
            package = operations.create_package(
                code=form.cleaned_data["code"],
                items=content[0],
                parts=content[1],
                by=request.actor,
                at=clock.now(),
                **form.facts(),
            )
        except DomainError as error:
            _refuse(form, rows, error)
        else:
            url = reverse("console:package", args=[package.code])
            return lead_on(
                request, _("Package added. A rule or the mall can give it now."), url=url
            )
    return _show(request, form, rows, title=_("New package"))


@staff_page(p.BENEFITS_EDIT, methods=("GET", "POST"))
def edit(request: StaffRequest, code: str) -> HttpResponse:
    """Change a package; rights that members hold stay as they are."""
    package = queries.get_package(code=code)
    initial = {
        **initial_texts("name", package.name),
        **initial_texts("summary", package.summary),
        "icon": package.icon,
    }
    form = PackageForm(request.POST or None, package=package, initial=initial)
    rows = (
        PackageRows.from_post(request.POST, package=package)
        if form.is_bound
        else PackageRows.from_package(package)
    )
    content = rows.content() if form.is_bound else None
    if form.is_valid() and content is not None:
        try:
            operations.update_package(
                package=package,
                items=content[0],
                parts=content[1],
                by=request.actor,
                at=clock.now(),
                **form.facts(),
            )
        except DomainError as error:
            _refuse(form, rows, error)
        else:
            url = reverse("console:package", args=[code])
            return finish(request, _("Package saved."), changed="packages", url=url)
    title = _("Change %(name)s") % {"name": queries.localized(package.name, get_language())}
    return _show(request, form, rows, title=title)


@staff_page(p.BENEFITS_EDIT, methods=("POST",))
def rows(request: StaffRequest) -> HttpResponse:
    """Draw the rows of the builder again, with one more or fewer, and what they come to."""
    found = PackageRows.from_post(request.POST, package=posted_package(request))
    context = {"rows": found, "package": found.package, "totals": found.totals()}
    return render_page(request, "console/package_rows.html", context)


@staff_page(p.BENEFITS_EDIT, methods=("POST",))
def switch(request: StaffRequest, code: str, way: str) -> HttpResponse:
    """Let a package be chosen for rules and the mall, or no longer."""
    package = queries.get_package(code=code)
    operations.update_package(
        package=package, is_active=way == "on", by=request.actor, at=clock.now()
    )
    message = _("It can be given again.") if way == "on" else _("It is no longer offered.")
    url = reverse("console:package", args=[code])
    return finish(request, message, changed="packages", url=url)


def _refuse(form: forms.Form, rows: PackageRows, error: DomainError) -> None:
    if not rows.refuse(error):
        place_error(form, error)


def _show(
    request: StaffRequest, form: PackageForm, rows: PackageRows, *, title: str
) -> HttpResponse:
    is_wrong = form.is_bound and (bool(form.errors) or any(row.error for row in rows.rows))
    context = {
        **shell(request, active="benefits"),
        "page_title": title,
        "form": form,
        "rows": rows,
        "package": rows.package,
        "totals": None if is_wrong else rows.totals(),
        "action": request.get_full_path(),
    }
    status = 422 if is_wrong else 200
    return render_page(request, "console/package_form.html", context, partial="form", status=status)
