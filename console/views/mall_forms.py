"""The dialog of an item of the points mall."""

from typing import Any

from django import forms
from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l

from benefits.catalogue.models import CODE, CodePool, Package
from benefits.catalogue.queries import get_benefit, list_benefits, localized
from benefits.catalogue.stages import LIVE
from benefits.mall import operations, queries
from benefits.mall.models import MallItem
from console.access import StaffRequest, staff_page
from console.dialogs import finish, show_form
from console.fields import (
    FoldedForm,
    IconField,
    MomentField,
    NamedField,
    PriceField,
    add_texts,
    initial_texts,
    place_error,
    texts_of,
    with_currency,
)
from core import clock
from core.errors import DomainError, NotFoundError
from tenants.accounts import permissions as p

_PLAIN = (
    "icon",
    "category",
    "points",
    "cash_minor",
    "unit_cost_minor",
    "per_member_limit",
    "limit_days",
    "pay_minutes",
    "offer_hours",
    "benefit_validity_days",
    "starts_at",
    "ends_at",
)
_FOLDED = (
    "icon",
    "category",
    "limit_days",
    "pay_minutes",
    "offer_hours",
    "unit_rows",
    "starts_at",
    "ends_at",
)
_WITH_BENEFIT = (MallItem.Kind.BENEFIT, MallItem.Kind.PARTNER)


class ItemForm(FoldedForm):
    """An item of one kind; with an instance its code, kind and stock are not here."""

    folded_label = _l("More: icon, category, dates, other languages")

    def __init__(self, *args: Any, kind: str, item: MallItem | None = None, **options: Any) -> None:
        super().__init__(*args, **options)
        fields = self.fields
        self.item = item
        is_new = item is None
        others = add_texts(self, "name", _l("Name"), required=True)
        if is_new:
            fields["code"] = forms.CharField(
                label=_l("Code"),
                max_length=40,
                validators=[CODE],
                help_text=_l("Small letters, digits and hyphens; fixed for good."),
            )
        others += add_texts(self, "summary", _l("In one sentence"))
        if kind in _WITH_BENEFIT:
            fields["benefit"] = forms.ChoiceField(
                label=_l("Benefit"),
                choices=[
                    (row.code, localized(row.name, get_language()))
                    for row in list_benefits()
                    # What the item grants now stays to be chosen, whatever its stage.
                    if row.stage in LIVE or (item is not None and row.pk == item.benefit_id)
                ],
            )
            fields["benefit_validity_days"] = forms.IntegerField(
                label=_l("Valid for (days)"),
                min_value=1,
                required=False,
                help_text=_l("Empty: without an end."),
            )
        if kind == MallItem.Kind.PACKAGE:
            fields["package"] = NamedField(
                label=_l("Package"),
                queryset=Package.objects.filter(is_active=True).order_by("code"),
                to_field_name="code",
            )
        if kind == MallItem.Kind.CODE:
            fields["code_pool"] = NamedField(
                label=_l("Code pool"),
                queryset=CodePool.objects.order_by("code"),
                to_field_name="code",
            )
        fields["points"] = forms.IntegerField(label=_l("Points"), min_value=1)
        fields["cash_minor"] = PriceField(
            label=_l("And to pay"), initial=0, help_text=_l("0: points only.")
        )
        fields["unit_cost_minor"] = PriceField(
            label=_l("Unit cost"), initial=0, help_text=_l("What one costs you, without points.")
        )
        if is_new:
            fields["stock"] = forms.IntegerField(
                label=_l("Stock"), min_value=0, required=False, help_text=_l("Empty: unlimited.")
            )
        fields["per_member_limit"] = forms.IntegerField(
            label=_l("Per member at most"), min_value=1, required=False
        )
        fields["limit_days"] = forms.IntegerField(
            label=_l("The limit holds for (days)"),
            min_value=1,
            required=False,
            help_text=_l("Empty: for good."),
        )
        fields["pay_minutes"] = forms.IntegerField(
            label=_l("An order waits for its cash (minutes)"),
            min_value=1,
            initial=30,
            required=False,
        )
        fields["offer_hours"] = forms.IntegerField(
            label=_l("Kept for the next one waiting (hours)"),
            min_value=1,
            initial=24,
            required=False,
        )
        if is_new:
            fields["unit_rows"] = forms.BooleanField(
                label=_l("Made for a rush: many buyers in the same second"), required=False
            )
            fields["on_sale"] = forms.BooleanField(
                label=_l("Put it on sale at once"), required=False
            )
        fields["category"] = forms.CharField(label=_l("Category"), max_length=40, required=False)
        fields["icon"] = IconField(label=_l("Icon"), initial="gift")
        fields["starts_at"] = MomentField(label=_l("Starts"), required=False)
        fields["ends_at"] = MomentField(label=_l("Ends"), required=False)
        self.folded = (*_FOLDED, *others)
        with_currency(self)

    def facts(self) -> dict[str, Any]:
        """Return what the operations take."""
        data = self.cleaned_data
        found = {name: data[name] for name in (*_PLAIN, "code_pool", "package") if name in data}
        found |= {
            name: texts_of(self, name, stored=getattr(self.item, name, None))
            for name in ("name", "summary")
        }
        if "benefit" in data:
            found["benefit"] = get_benefit(code=data["benefit"])
        return found


def _initial(item: MallItem) -> dict[str, Any]:
    return {
        **{name: getattr(item, name) for name in _PLAIN},
        **initial_texts("name", item.name),
        **initial_texts("summary", item.summary),
        "benefit": item.benefit.code if item.benefit is not None else "",
        "code_pool": item.code_pool.code if item.code_pool is not None else "",
        "package": item.package.code if item.package is not None else "",
    }


@staff_page(p.MALL_EDIT, methods=("GET", "POST"))
def create(request: StaffRequest, kind: str) -> HttpResponse:
    """Put an item of one kind into the mall."""
    if kind not in MallItem.Kind.values:
        raise NotFoundError
    asked = {"package": request.GET.get("package", "")}
    form = ItemForm(request.POST or None, kind=kind, initial=asked)
    title = _("New item: %(kind)s") % {"kind": MallItem.Kind(kind).label}
    if not form.is_valid():
        return show_form(request, form, title=title, active="mall")
    data = form.cleaned_data
    try:
        operations.create_item(
            code=data["code"],
            kind=kind,
            stock=data["stock"],
            unit_rows=data["unit_rows"],
            on_sale=data["on_sale"],
            by=request.actor,
            at=clock.now(),
            **form.facts(),
        )
    except DomainError as error:
        place_error(form, error)
        return show_form(request, form, title=title, active="mall")
    return finish(request, _("Item added."), changed="mall", url=reverse("console:mall"))


@staff_page(p.MALL_EDIT, methods=("GET", "POST"))
def edit(request: StaffRequest, code: str) -> HttpResponse:
    """Change an item; orders keep the price they were placed at."""
    item = queries.get_item(code=code)
    form = ItemForm(request.POST or None, kind=item.kind, item=item, initial=_initial(item))
    title = _("Change %(name)s") % {"name": localized(item.name, get_language())}
    lead = _("Orders keep the price they were placed at.")
    if not form.is_valid():
        return show_form(request, form, title=title, lead=lead, active="mall")
    try:
        operations.update_item(item=item, by=request.actor, at=clock.now(), **form.facts())
    except DomainError as error:
        place_error(form, error)
        return show_form(request, form, title=title, lead=lead, active="mall")
    return finish(request, _("Item saved."), changed="mall", url=reverse("console:mall"))
