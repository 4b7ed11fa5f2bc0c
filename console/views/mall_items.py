"""One item of the mall: stock and its movements, variants, who sees it, who waits, a preview."""

from typing import Any

from django import forms
from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l

from benefits.catalogue.models import CODE
from benefits.catalogue.queries import localized
from benefits.grants.reasons import reason_text
from benefits.mall import operations, queries
from benefits.mall.models import ItemVariant, MallItem
from console.access import StaffRequest, staff_page
from console.conditions import ConditionRows
from console.dialogs import finish, refuse, show_form
from console.fields import add_texts, initial_texts, place_error, texts_of
from console.nav import shell
from console.people import actor_names
from console.views.segments import words
from core import clock
from core.errors import DomainError
from core.web.responses import render_page
from members.points.queries import get_balance
from members.profiles.queries import get_member
from members.segments.conditions import ConditionError, Labels
from tenants.accounts import permissions as p


@staff_page(p.MALL_VIEW)
def show(request: StaffRequest, code: str) -> HttpResponse:
    """Show an item with its stock, movements, queue and last orders."""
    item = queries.get_item(code=code)
    movements = queries.list_movements(item=item, limit=20)
    names = actor_names([row.actor for row in movements])
    stock = queries.list_stock(item=item)
    context = {
        **shell(request, active="mall"),
        "page_title": localized(item.name, get_language()),
        "item": item,
        "stock": stock,
        "has_variants": any(line.variant is not None for line in stock),
        "audience": words(item.condition, Labels()) if item.condition else "",
        "movements": [(row, names[row.actor]) for row in movements],
        "waiting": queries.list_waiting(item=item, limit=20),
        "orders": queries.list_orders(item=item, limit=8),
        "moves": [
            (to, label, ask)
            for to, label, ask in (
                ("on_sale", _("Put on sale"), _("Put this item on sale?")),
                ("paused", _("Pause"), _("Take this item off sale for now?")),
                ("ended", _("End"), _("End this item? Orders placed go their way.")),
            )
            if to != item.status and not (to == "paused" and item.status != "on_sale")
        ],
    }
    return render_page(request, "console/mall_item.html", context, partial="item")


class VariantForm(forms.Form):
    """A size or colour; with an instance its code and stock are not here."""

    def __init__(self, *args: Any, variant: ItemVariant | None = None, **options: Any) -> None:
        super().__init__(*args, **options)
        self.variant = variant
        add_texts(self, "name", _l("Name"), required=True)
        if variant is None:
            self.fields["code"] = forms.CharField(
                label=_l("Code"), max_length=40, validators=[CODE]
            )
            self.fields["stock"] = forms.IntegerField(
                label=_l("Stock"), min_value=0, required=False, help_text=_l("Empty: unlimited.")
            )
        self.fields["extra_points"] = forms.IntegerField(
            label=_l("Points on top"), min_value=0, initial=0
        )
        if variant is not None:
            self.fields["is_active"] = forms.BooleanField(
                label=_l("Can be ordered"), required=False
            )

    def facts(self) -> dict[str, Any]:
        """Return what the operations take."""
        data = self.cleaned_data
        stored = self.variant.name if self.variant is not None else None
        found: dict[str, Any] = {
            name: data[name]
            for name in ("code", "stock", "extra_points", "is_active")
            if name in data
        }
        return {**found, "name": texts_of(self, "name", stored=stored)}


@staff_page(p.MALL_EDIT, methods=("GET", "POST"))
def add_variant(request: StaffRequest, code: str) -> HttpResponse:
    """Add a size or colour to an item."""
    item = queries.get_item(code=code)
    form = VariantForm(request.POST or None)
    lead = _("Each variant has stock of its own.")
    if form.is_valid():
        try:
            operations.add_variant(item=item, by=request.actor, at=clock.now(), **form.facts())
        except DomainError as error:
            place_error(form, error)
        else:
            return finish(request, _("Variant added."), changed="mall", url=item_url(item))
    return show_form(request, form, title=_("New variant"), lead=lead, active="mall")


@staff_page(p.MALL_EDIT, methods=("GET", "POST"))
def edit_variant(request: StaffRequest, code: str, variant: str) -> HttpResponse:
    """Change a size or colour; orders keep the price they were placed at."""
    item = queries.get_item(code=code)
    row = queries.get_variant(item=item, code=variant)
    initial = {
        "extra_points": row.extra_points,
        "is_active": row.is_active,
        **initial_texts("name", row.name),
    }
    form = VariantForm(request.POST or None, variant=row, initial=initial)
    if form.is_valid():
        try:
            operations.update_variant(variant=row, by=request.actor, at=clock.now(), **form.facts())
        except DomainError as error:
            place_error(form, error)
        else:
            return finish(request, _("Saved."), changed="mall", url=item_url(item))
    title = _("Change %(name)s") % {"name": localized(row.name, get_language())}
    return show_form(request, form, title=title, active="mall")


class StockForm(forms.Form):
    """Units that come in or go out."""

    variant = forms.ChoiceField(label=_l("Which one"))
    quantity = forms.IntegerField(label=_l("Units"), min_value=1)
    reason = forms.CharField(label=_l("Reason"), max_length=200, required=False)

    def __init__(self, *args: Any, item: MallItem, **options: Any) -> None:
        super().__init__(*args, **options)
        self._variants = {
            line.variant.code: line.variant
            for line in queries.list_stock(item=item)
            if line.variant is not None and line.total is not None
        }
        if self._variants:
            self.fields["variant"].choices = [  # type: ignore[attr-defined]
                (code, localized(row.name, get_language())) for code, row in self._variants.items()
            ]
        else:
            del self.fields["variant"]

    def facts(self) -> dict[str, Any]:
        """Return what the operations take."""
        data = self.cleaned_data
        return {
            "variant": self._variants.get(data.get("variant", "")),
            "quantity": data["quantity"],
            "reason": data["reason"],
        }


@staff_page(p.MALL_EDIT, methods=("GET", "POST"))
def change_stock(request: StaffRequest, code: str, way: str) -> HttpResponse:
    """Let units come in, or take free ones out."""
    item = queries.get_item(code=code)
    is_in = way == "in"
    form = StockForm(request.POST or None, item=item)
    form.fields["reason"].required = not is_in
    if form.is_valid():
        move = operations.add_stock if is_in else operations.remove_stock
        try:
            move(item=item, by=request.actor, at=clock.now(), **form.facts())
        except DomainError as error:
            refuse(form, error)
        else:
            message = _("Stock added.") if is_in else _("Stock taken out.")
            return finish(request, message, changed="mall", url=item_url(item))
    return show_form(
        request,
        form,
        title=_("Add stock") if is_in else _("Take stock out"),
        lead=""
        if is_in
        else _("Only free units can go: what orders hold or have bought stays theirs."),
        active="mall",
    )


class AudienceForm(forms.Form):
    """The condition has rows of its own."""


@staff_page(p.MALL_EDIT, methods=("GET", "POST"))
def audience(request: StaffRequest, code: str) -> HttpResponse:
    """Say who can have an item; the others do not see it."""
    item = queries.get_item(code=code)
    form = AudienceForm(request.POST or None)
    rows = ConditionRows.from_tree(item.condition)
    if request.method == "POST":
        if rows.other is None:
            rows = ConditionRows.from_post(request.POST)
        form = AudienceForm(request.POST)
        form.is_valid()
        try:
            operations.update_item(
                item=item,
                condition=(rows.tree() or None) if rows.other is None else item.condition,
                by=request.actor,
                at=clock.now(),
            )
        except (ConditionError, DomainError) as error:
            form.add_error(None, error.detail)
        else:
            return finish(request, _("Saved."), changed="mall", url=item_url(item))
    context = {
        **shell(request, active="mall"),
        "page_title": _("Who can have it"),
        "form": form,
        "rows": rows,
        "rows_url": reverse("console:segment_rows"),
        "rows_legend": _("Members with"),
        "action": request.get_full_path(),
    }
    status = 422 if form.is_bound and form.errors else 200
    return render_page(
        request, "console/mall_audience.html", context, partial="form", status=status
    )


@staff_page(p.MALL_VIEW)
def preview(request: StaffRequest) -> HttpResponse:
    """Show the mall as one member sees it, with the reasons why not."""
    number = request.GET.get("member", "").strip()
    context: dict[str, Any] = {
        **shell(request, active="mall"),
        "page_title": _("The mall as a member sees it"),
        "number": number,
    }
    if number:
        at = clock.now()
        try:
            member = get_member(number=number.upper())
        except DomainError as error:
            context["problem"] = error.detail
        else:
            offers = queries.list_items(member=member, at=at, lang=get_language() or "")
            context |= {
                "member": member,
                "balance": get_balance(owner_id=member.pk, at=at),
                "offers": [
                    (offer, [reason_text(reason) for reason in offer.reasons]) for offer in offers
                ],
            }
    return render_page(request, "console/mall_preview.html", context, partial="shelf")


def item_url(item: MallItem) -> str:
    """Return the page of an item."""
    return reverse("console:mall_item", args=[item.code])
