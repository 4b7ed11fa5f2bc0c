"""What a benefit costs and is worth over time: set from a day on, ended, called off."""

from datetime import date, datetime, timedelta
from typing import Any

from django import forms
from django.http import HttpResponse
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l

from benefits.catalogue import operations, queries
from benefits.catalogue.models import Benefit
from console.access import StaffRequest, staff_page
from console.dialogs import finish, show_form
from console.fields import PriceField, place_error, with_currency
from console.forms import DateInput
from core import clock
from core.errors import DomainError, NotFoundError
from core.web.figures import format_date
from tenants.accounts import permissions as p
from tenants.brands.context import current_brand

_TITLES: dict[str, str | Promise] = {
    "cost": _l("Unit cost of %(name)s"),
    "price": _l("List price of %(name)s"),
}
_LABELS: dict[str, str | Promise] = {"cost": _l("Unit cost"), "price": _l("List price")}
_FIELDS = {"cost": "unit_cost_minor", "price": "list_price_minor"}


def amounts_tab(benefit: Benefit, at: datetime) -> dict[str, Any]:
    """Return the two lists of amounts, the latest first, each row with its state today."""
    today = clock.local_date(at, current_brand().timezone)
    costs = [
        _row(cost, cost.unit_cost_minor, today) for cost in queries.list_costs(benefit=benefit)
    ]
    prices = [
        _row(price, price.list_price_minor, today) for price in queries.list_prices(benefit=benefit)
    ]
    return {
        "ledgers": [
            {
                "what": "cost",
                "title": _("Unit cost"),
                "lead": _("What one unit costs you, by the day it is fulfilled"),
                "rows": costs,
                "set": _("Set cost"),
                "none": _("No cost is known"),
                "why": _("Rules cannot be published before a benefit has a unit cost."),
            },
            {
                "what": "price",
                "title": _("List price"),
                "lead": _("What it is worth to the member, by day"),
                "rows": prices,
                "set": _("Set price"),
                "none": _("No list price is known"),
                "why": _("Without one the margin test has nothing to measure against."),
            },
        ],
        "has_gap": bool(costs) and not any(row["state"] == "now" for row in costs),
    }


def _row(row: Any, minor: int, today: date) -> dict[str, Any]:
    state = "past"
    if row.valid_from > today:
        state = "coming"
    elif row.valid_to is None or row.valid_to > today:
        state = "now"
    return {
        "valid_from": row.valid_from,
        # The last day it holds: people read that, not the first day it does not.
        "last": row.valid_to - timedelta(days=1) if row.valid_to else None,
        "minor": minor,
        "state": state,
    }


class AmountForm(forms.Form):
    """An amount from a day on, for good or through a last day."""

    amount = PriceField(label=_l("Amount"))
    valid_from = forms.DateField(label=_l("From"), widget=DateInput())
    last_on = forms.DateField(
        label=_l("Through"),
        widget=DateInput(),
        required=False,
        help_text=_l("Empty: until the next one. With a last day, what held before holds again."),
    )

    def __init__(self, *args: Any, what: str, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["amount"].label = str(_LABELS[what])
        with_currency(self)


def _refuse(form: forms.Form, error: DomainError) -> None:
    """Put a refusal beside its field, with the day that is in the way."""
    starts = error.data.get("valid_from")
    if error.code == "periods_overlap" and starts:
        day = format_date(date.fromisoformat(str(starts)), language=get_language() or "en")
        form.add_error("last_on", _("Another amount begins on %(day)s.") % {"day": day})
        return
    names = {"valid_to": "last_on", "unit_cost_minor": "amount", "list_price_minor": "amount"}
    place_error(form, error, names=names)


@staff_page(p.BENEFITS_EDIT, methods=("GET", "POST"))
def set_amount(request: StaffRequest, code: str, what: str) -> HttpResponse:
    """Set what one unit costs, or is worth, from a day on."""
    benefit = queries.get_benefit(code=code)
    today = clock.today(current_brand().timezone)
    form = AmountForm(request.POST or None, what=what, initial={"valid_from": today})
    title = _title(benefit, what)
    if form.is_valid():
        last_on = form.cleaned_data["last_on"]
        facts: dict[str, Any] = {
            "benefit": benefit,
            "valid_from": form.cleaned_data["valid_from"],
            "valid_to": last_on + timedelta(days=1) if last_on else None,
            _FIELDS[what]: form.cleaned_data["amount"],
            "by": request.actor,
            "at": clock.now(),
        }
        write = operations.set_cost if what == "cost" else operations.set_list_price
        try:
            write(**facts)
        except DomainError as error:
            _refuse(form, error)
        else:
            return finish(request, _("Saved."), changed="benefits", url=_url(benefit))
    return show_form(request, form, title=title, active="benefits")


class LastDayForm(forms.Form):
    """The last day on which an amount holds."""

    last_on = forms.DateField(label=_l("Last day"), widget=DateInput())


@staff_page(p.BENEFITS_EDIT, methods=("GET", "POST"))
def close_amount(request: StaffRequest, code: str, what: str, day: str) -> HttpResponse:
    """End an amount that would go on."""
    benefit = queries.get_benefit(code=code)
    today = clock.today(current_brand().timezone)
    form = LastDayForm(request.POST or None, initial={"last_on": today})
    if form.is_valid():
        try:
            operations.close_amount(
                benefit=benefit,
                what=what,
                valid_from=_day(day),
                valid_to=form.cleaned_data["last_on"] + timedelta(days=1),
                by=request.actor,
                at=clock.now(),
            )
        except DomainError as error:
            _refuse(form, error)
        else:
            return finish(request, _("Ended."), changed="benefits", url=_url(benefit))
    lead = _("Afterwards none is known until you set another.")
    return show_form(
        request, form, title=_title(benefit, what), lead=lead, active="benefits", submit=_("End")
    )


@staff_page(p.BENEFITS_EDIT, methods=("POST",))
def call_off(request: StaffRequest, code: str, what: str, day: str) -> HttpResponse:
    """Take back an amount that was to begin on a day to come."""
    benefit = queries.get_benefit(code=code)
    operations.call_off_amount(
        benefit=benefit, what=what, valid_from=_day(day), by=request.actor, at=clock.now()
    )
    return finish(request, _("Called off."), changed="benefits", url=_url(benefit))


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise NotFoundError from None


def _title(benefit: Benefit, what: str) -> str:
    return str(_TITLES[what]) % {"name": queries.localized(benefit.name, get_language())}


def _url(benefit: Benefit) -> str:
    return reverse("console:benefit", args=[benefit.code]) + "?tab=costs"
