"""The points mall: items with their stock, and orders on their way."""

from django.http import HttpResponse
from django.utils.translation import gettext as _

from benefits.mall import queries
from console.access import StaffRequest, staff_page
from console.nav import shell
from core.web.responses import render_page
from tenants.accounts import permissions as p

PAGE = 30


@staff_page(p.MALL_VIEW)
def index(request: StaffRequest) -> HttpResponse:
    """List the items with price and stock."""
    context = {
        **shell(request, active="mall"),
        "page_title": _("Points mall"),
        "items": queries.list_shelf(),
    }
    return render_page(request, "console/mall.html", context, partial="rows")


@staff_page(p.MALL_VIEW)
def orders(request: StaffRequest) -> HttpResponse:
    """List the orders, newest first."""
    after = request.GET.get("after", "")
    found = queries.list_orders(after=int(after) if after.isdigit() else None, limit=PAGE + 1)
    context = {
        **shell(request, active="mall"),
        "page_title": _("Points mall"),
        "orders": found[:PAGE],
        "next": str(found[PAGE - 1].pk) if len(found) > PAGE else "",
    }
    return render_page(request, "console/mall_orders.html", context, partial="rows")
