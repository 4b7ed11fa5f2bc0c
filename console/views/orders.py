"""Fulfilment orders: the board by state with its clock."""

from django.http import HttpResponse
from django.utils.translation import gettext as _

from console.access import StaffRequest, staff_page
from console.nav import shell
from core import clock
from core.web.responses import render_page
from partners.orders import queries
from tenants.accounts import permissions as p


@staff_page(p.ORDERS_VIEW)
def index(request: StaffRequest) -> HttpResponse:
    """Show the open orders by state, the most urgent first."""
    context = {
        **shell(request, active="orders"),
        "page_title": _("Fulfilment"),
        "columns": queries.board(at=clock.now()),
    }
    return render_page(request, "console/orders.html", context, partial="board")
