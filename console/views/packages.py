"""Packages: benefits with quantities that are granted together."""

from typing import Any

from django import forms
from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l

from benefits.catalogue import operations, queries
from benefits.catalogue.models import CODE, Benefit
from benefits.catalogue.stages import LIVE
from console.access import StaffRequest, staff_page
from console.dialogs import finish, show_form
from console.fields import FoldedForm, add_texts, place_error, texts_of
from console.nav import shell
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
        "packages": queries.list_packages(active_only=False),
    }
    return render_page(request, "console/packages.html", context, partial="rows")


class PackageForm(FoldedForm):
    """A package: its name, and how many units of each benefit it holds."""

    folded_label = _l("Other languages")

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        others = add_texts(self, "name", _l("Name"), required=True)
        self.fields["code"] = forms.CharField(
            label=_l("Code"),
            max_length=40,
            validators=[CODE],
            help_text=_l("Small letters, digits and hyphens; fixed for good."),
        )
        others += add_texts(self, "summary", _l("In one sentence"))
        self.folded = others
        self.benefits: dict[str, Benefit] = {}
        for benefit in queries.list_benefits(stages=LIVE):
            key = f"units_{benefit.pk}"
            self.benefits[key] = benefit
            self.fields[key] = forms.IntegerField(
                label=_("Units of %(name)s")
                % {"name": queries.localized(benefit.name, get_language())},
                min_value=0,
                max_value=1000,
                required=False,
            )

    def items(self) -> list[tuple[Benefit, int]]:
        """Return the benefits with a quantity."""
        units = {key: self.cleaned_data.get(key) or 0 for key in self.benefits}
        return [(self.benefits[key], count) for key, count in units.items() if count]


@staff_page(p.BENEFITS_EDIT, methods=("GET", "POST"))
def create(request: StaffRequest) -> HttpResponse:
    """Put benefits together to a package."""
    form = PackageForm(request.POST or None)
    title = _("New package")
    if not form.is_valid():
        return show_form(request, form, title=title, active="benefits")
    try:
        operations.create_package(
            code=form.cleaned_data["code"],
            name=texts_of(form, "name"),
            summary=texts_of(form, "summary"),
            items=form.items(),
            by=request.actor,
            at=clock.now(),
        )
    except DomainError as error:
        place_error(form, error)
        return show_form(request, form, title=title, active="benefits")
    url = reverse("console:packages")
    return finish(request, _("Package added."), changed="packages", url=url)
