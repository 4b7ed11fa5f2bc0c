"""The pieces of a benefit: how many are free, put in, taken out, and where they went."""

from typing import Any

from django import forms
from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l

from benefits.catalogue import queries, stock
from benefits.catalogue.models import Benefit
from console.access import StaffRequest, staff_page
from console.dialogs import finish, refuse, show_form
from console.people import actor_names
from core import clock
from core.errors import DomainError
from tenants.accounts import permissions as p
from tenants.audit.queries import list_entries

_SHOWN = 12


def stock_tab(benefit: Benefit) -> dict[str, Any]:
    """Return how many pieces there are, what came in and out, and who got the last ones."""
    total, free = stock.count_units(benefit=benefit)
    entries = list_entries(
        target_type="benefit", target_id=benefit.pk, action="benefit.stock_", limit=_SHOWN
    )
    names = actor_names(f"{row.actor_kind}:{row.actor_id}" for row in entries)
    return {
        "total": total,
        "free": free,
        "used": total - free,
        "is_low": total > 0 and free * 10 < total,
        "movements": [
            {
                "entry": row,
                "units": (row.changes["units"][1] or 0) - (row.changes["units"][0] or 0),
                "by": names[f"{row.actor_kind}:{row.actor_id}"],
            }
            for row in entries
        ],
        "taken": [
            {"unit": unit, "redemption": unit.taken_for.partition(":")[2]}
            for unit in stock.list_taken_units(benefit=benefit, limit=_SHOWN)
        ],
    }


class PiecesForm(forms.Form):
    """How many pieces; with a reason when they are taken out."""

    quantity = forms.IntegerField(label=_l("Pieces"), min_value=1)

    def __init__(self, *args: Any, way: str, **options: Any) -> None:
        super().__init__(*args, **options)
        if way == "out":
            self.fields["reason"] = forms.CharField(label=_l("Reason"), max_length=200)


@staff_page(p.BENEFITS_EDIT, methods=("GET", "POST"))
def change(request: StaffRequest, code: str, way: str) -> HttpResponse:
    """Put pieces into a benefit's stock, or take free ones out."""
    benefit = queries.get_benefit(code=code)
    form = PiecesForm(request.POST or None, way=way)
    title = _("Add stock") if way == "in" else _("Take out")
    lead = ""
    if way == "in" and not benefit.is_stocked:
        lead = _(
            "From now on its units are counted one by one: without a free one nobody can use it."
        )
    if form.is_valid():
        facts = {"benefit": benefit, "by": request.actor, "at": clock.now(), **form.cleaned_data}
        write = stock.add_units if way == "in" else stock.remove_units
        try:
            free = write(**facts)
        except DomainError as error:
            left = error.data.get("free")
            if left is None:
                refuse(form, error)
            else:
                form.add_error("quantity", _("Only %(free)s are free.") % {"free": left})
        else:
            url = reverse("console:benefit", args=[code]) + "?tab=stock"
            done = _("%(free)s are free now.") % {"free": free}
            return finish(request, done, changed="benefits", url=url)
    return show_form(request, form, title=title, lead=lead, active="benefits")
