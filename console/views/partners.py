"""Partners: who delivers, how well, where, at what price, and how much they still can take."""

from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from console.access import StaffRequest, staff_page
from console.dialogs import finish
from console.nav import shell
from core import clock
from core.web.charts import Chart, Series
from core.web.responses import render_page
from partners.orders.queries import Scorecard, board, get_scorecard, scorecard_of
from partners.pool import operations, queries
from partners.pool.contracts import get_contract
from partners.pool.models import Partner
from partners.pool.queries import Record
from tenants.accounts import permissions as p
from tenants.accounts.keys import list_api_keys
from tenants.accounts.permissions import has_permission
from tenants.brands.context import current_brand

DAYS = 14


@staff_page(p.PARTNERS_VIEW)
def index(request: StaffRequest) -> HttpResponse:
    """List the partners by name, each with the scorecard of the last night."""
    status = request.GET.get("status", "")
    status = status if status in Partner.Status.values else ""
    address = reverse("console:partners")
    context = {
        **shell(request, active="partners"),
        "page_title": _("Partners"),
        "tabs": [
            {
                "url": f"{address}?status={value}" if value else address,
                "label": label,
                "active": value == status,
            }
            for value, label in [("", _("All")), *Partner.Status.choices]
        ],
        "rows": [
            {"partner": partner, "card": _stored_card(partner)}
            for partner in queries.list_partners(status=status or None)
        ],
    }
    return render_page(request, "console/partners.html", context, partial="rows")


def _stored_card(partner: Partner) -> Scorecard:
    score = getattr(partner, "score", None)
    if score is None:
        return scorecard_of(Record())
    return scorecard_of(Record(*(getattr(score, name) for name in Record._fields)))


@staff_page(p.PARTNERS_VIEW)
def show(request: StaffRequest, code: str) -> HttpResponse:
    """Show one partner: scorecard, offerings with prices, capacity, keys."""
    partner = queries.get_partner(code=code)
    now = clock.now()
    today = clock.local_date(now, current_brand().timezone)
    offerings = queries.list_offerings(on=today, partner_id=partner.pk)
    asked = request.GET.get("offering", "")
    shown = next(
        (view.offering for view in offerings if str(view.offering.pk) == asked),
        offerings[0].offering if offerings else None,
    )
    may_edit = has_permission(request.staff, p.PARTNERS_EDIT)
    contract = get_contract(partner_id=partner.pk, on=today)
    context = {
        **shell(request, active="partners"),
        "page_title": partner.name,
        "partner": partner,
        "card": get_scorecard(partner_id=partner.pk, at=now),
        "offerings": offerings,
        "shown": shown,
        "days": queries.list_days(offering=shown, start=today, days=DAYS) if shown else [],
        "open_orders": sum(
            column.count for column in board(at=now, partner_id=partner.pk, limit=1)
        ),
        "keys": list_api_keys(kind="partner", owner_id=partner.pk) if may_edit else [],
        "now": now,
        "moves": _moves(partner),
        "contract": contract,
        "shares": {
            name: getattr(contract, f"{name}_bp") / 10_000
            for name in ("commission", "late_penalty", "cancel_fee")
        }
        if contract
        else {},
    }
    if shown is not None:
        context["capacity_chart"] = _capacity_chart(context["days"])
    return render_page(request, "console/partner.html", context, partial="partner")


def _moves(partner: Partner) -> dict[str, bool]:
    status = partner.status
    kinds = Partner.Status
    return {
        "sandbox": status == kinds.INVITED,
        "activate": status in {kinds.INVITED, kinds.SANDBOX, kinds.PAUSED},
        "pause": status == kinds.ACTIVE,
        "end": status != kinds.ENDED,
    }


def _capacity_chart(days: list[queries.Day]) -> Chart:
    return Chart(
        kind="bar",
        labels=[f"{day.on_date:%m-%d}" for day in days],
        series=[
            Series(_("Reserved"), [day.reserved for day in days]),
            Series(_("Takes"), [day.capacity for day in days], role="target", kind="line"),
        ],
    )


@staff_page(p.PARTNERS_EDIT, methods=("POST",))
def activate(request: StaffRequest, code: str) -> HttpResponse:
    """Let a partner be offered orders."""
    partner = queries.get_partner(code=code)
    operations.activate_partner(partner=partner, by=request.actor, at=clock.now())
    return finish(
        request,
        _("Active: orders are offered from now on."),
        changed="partners",
        url=url_of(partner),
    )


@staff_page(p.PARTNERS_EDIT, methods=("POST",))
def open_sandbox(request: StaffRequest, code: str) -> HttpResponse:
    """Let an invited partner try the API."""
    partner = queries.get_partner(code=code)
    operations.open_sandbox(partner=partner, by=request.actor, at=clock.now())
    return finish(request, _("The sandbox is open."), changed="partners", url=url_of(partner))


@staff_page(p.PARTNERS_EDIT, methods=("POST",))
def revoke_key(request: StaffRequest, code: str, key_id: int) -> HttpResponse:
    """Make a key of a partner useless."""
    partner = queries.get_partner(code=code)
    operations.revoke_key(partner=partner, key_id=key_id, by=request.actor, at=clock.now())
    return finish(request, _("Revoked."), changed="partners", url=url_of(partner))


def url_of(partner: Partner) -> str:
    """Return the address of a partner's page."""
    return reverse("console:partner", args=[partner.code])
