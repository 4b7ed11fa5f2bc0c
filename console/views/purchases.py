"""Purchases: what came in, with lines, refunds, and how what each earned was made."""

from datetime import timedelta
from typing import Any

from django import forms
from django.http import HttpResponse
from django.urls import reverse
from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l

from console.access import StaffRequest, staff_page
from console.dialogs import finish, show_form
from console.earning_words import earning_line
from console.fields import place_error
from console.forms import MoneyField
from console.nav import shell
from core import clock
from core.errors import DomainError
from core.ids import readable_code
from core.web.responses import render_page
from members.activity import queries
from members.activity.models import Purchase, PurchaseLine
from members.activity.operations import RefundItem
from members.earning.operations import record_refund
from members.earning.queries import explain_purchases
from tenants.accounts import permissions as p

PAGE = 40


@staff_page(p.MEMBERS_VIEW)
def index(request: StaffRequest) -> HttpResponse:
    """List purchases, the last recorded first, by id, member, shop and days."""
    after = request.GET.get("after", "")
    chosen = {name: request.GET.get(name, "").strip() for name in ("q", "store", "since", "until")}
    since, until = _day(chosen["since"]), _day(chosen["until"])
    found = queries.search_purchases(
        text=chosen["q"],
        store_code=chosen["store"],
        since=since,
        until=until + timedelta(days=1) if until is not None else None,
        refunded=bool(request.GET.get("refunded")),
        after=int(after) if after.isdigit() else None,
        limit=PAGE + 1,
    )
    shown = found[:PAGE]
    earned = explain_purchases(purchase_ids=[purchase.pk for purchase in shown])
    context = {
        **shell(request, active="purchases"),
        "page_title": _("Purchases"),
        **chosen,
        "refunded": bool(request.GET.get("refunded")),
        "stores": queries.list_stores(),
        "rows": [
            {
                "purchase": purchase,
                "points": _left(earned.get(purchase.pk, []), "points"),
                "growth": _left(earned.get(purchase.pk, []), "growth"),
            }
            for purchase in shown
        ],
        "next": str(shown[-1].pk) if len(found) > PAGE else "",
    }
    return render_page(request, "console/purchases.html", context, partial="rows")


def _day(text: str) -> Any:
    try:
        return parse_date(text)
    except ValueError:
        return None


def _left(explanations: Any, wallet: str) -> int:
    return sum(one.amount - one.reversed for one in explanations if one.wallet == wallet)


@staff_page(p.MEMBERS_VIEW)
def show(request: StaffRequest, purchase_id: int) -> HttpResponse:
    """Show one purchase with its lines, its refunds, and what each rule gave for it."""
    purchase = queries.get_purchase_by_key(purchase_id=purchase_id)
    refunds = queries.list_refunds(purchase_id=purchase.pk)
    back = queries.list_refund_lines(refund_ids=[row.pk for row in refunds])
    lines = queries.list_lines(purchase_id=purchase.pk)
    names = {line.position: line.sku for line in lines}
    earned = explain_purchases(purchase_ids=[purchase.pk]).get(purchase.pk, [])
    context = {
        **shell(request, active="purchases"),
        "page_title": purchase.external_id,
        "purchase": purchase,
        "lines": [
            {
                "line": line,
                "back": sum(row.quantity for row in back if row.position == line.position),
            }
            for line in lines
        ],
        "refunds": [
            {
                "refund": refund,
                "lines": [
                    {"sku": names.get(row.position, ""), "row": row}
                    for row in back
                    if row.refund_id == refund.pk
                ],
            }
            for refund in refunds
        ],
        "earned": [{"one": one, "words": earning_line(one)} for one in earned],
        "points": _left(earned, "points"),
        "growth": _left(earned, "growth"),
        "may_refund": purchase.net_minor > 0,
    }
    return render_page(request, "console/purchase.html", context, partial="purchase")


class LineRefundForm(forms.Form):
    """Pieces of each line that came back, or an amount for the purchase as a whole."""

    amount = MoneyField(
        label=_l("Amount in all"),
        required=False,
        help_text=_l("Empty: what the lines come to. More than that is for the whole purchase."),
    )
    external_id = forms.CharField(widget=forms.HiddenInput, max_length=100)

    def __init__(
        self, *args: Any, purchase: Purchase, lines: list[tuple[PurchaseLine, int]], **options: Any
    ) -> None:
        super().__init__(*args, **options)
        amount = self.fields["amount"]
        if isinstance(amount, MoneyField):
            amount.currency = purchase.currency
        amount.label = f"{amount.label} ({purchase.currency})"
        self.positions = [line.position for line, _pieces in lines]
        # How many are left is for the operation to say: a form sent twice is one refund.
        for line, left in lines:
            self.fields[f"line_{line.position}"] = forms.IntegerField(
                label=_("%(sku)s · pieces of %(left)s") % {"sku": line.sku, "left": left},
                min_value=0,
                required=False,
            )
        self.order_fields([f"line_{position}" for position in self.positions])

    def items(self) -> list[RefundItem]:
        """Return the lines that came back."""
        return [
            RefundItem(position, self.cleaned_data[f"line_{position}"])
            for position in self.positions
            if self.cleaned_data.get(f"line_{position}")
        ]

    def place(self, error: DomainError) -> None:
        """Put a refusal beside the line that it names, or where else it belongs."""
        steps = str(error.data.get("pointer", "")).split("/")
        if len(steps) > 2 and steps[1] == "lines" and steps[2].isdecimal():
            self.add_error(f"line_{self.items()[int(steps[2])].position}", error.detail)
        else:
            place_error(self, error)


@staff_page(p.MEMBERS_EDIT, methods=("GET", "POST"))
def refund(request: StaffRequest, purchase_id: int) -> HttpResponse:
    """Record that lines or a part of a purchase came back."""
    purchase = queries.get_purchase_by_key(purchase_id=purchase_id)
    back = queries.list_refund_lines(
        refund_ids=[row.pk for row in queries.list_refunds(purchase_id=purchase.pk)]
    )
    lines = [
        (line, line.quantity - sum(row.quantity for row in back if row.position == line.position))
        for line in queries.list_lines(purchase_id=purchase.pk)
    ]
    form = LineRefundForm(
        request.POST or None,
        purchase=purchase,
        lines=lines,
        # Sent twice by a double click it is one refund.
        initial={"external_id": f"C-{readable_code(10)}"},
    )
    facts: dict[str, Any] = {
        "title": _("Refund purchase %(id)s") % {"id": purchase.external_id},
        "lead": _("Points and growth it earned are taken back; the money is not moved."),
        "submit": _("Record the refund"),
        "active": "purchases",
    }
    if not form.is_valid():
        return show_form(request, form, **facts)
    at = clock.now()
    try:
        record_refund(
            purchase_external_id=purchase.external_id,
            external_id=form.cleaned_data["external_id"],
            amount_minor=form.cleaned_data["amount"],
            lines=form.items(),
            occurred_at=at,
            by=request.actor,
            at=at,
        )
    except DomainError as error:
        form.place(error)
        return show_form(request, form, **facts)
    url = reverse("console:purchase", args=[purchase_id])
    return finish(request, _("The refund is recorded."), changed="purchases", url=url)
