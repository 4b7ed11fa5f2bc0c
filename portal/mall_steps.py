"""What happened to an order of the mall, in the member's words, and where its parcel is."""

from collections.abc import Sequence
from urllib.parse import quote

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from benefits.mall.models import MallOrder
from benefits.mall.payments.models import MallPayment
from portal.order_steps import Step

_ENDS: dict[str, str | Promise] = {
    "member": _("You called it off"),
    "not_paid_in_time": _("Not paid in time"),
    "not_confirmed_in_time": _("Not confirmed in time"),
}
# Where the sites of carriers show a parcel; others are shown as text.
_SITES = {
    "sf": "https://www.sf-express.com/chn/en/waybill/waybill-detail/{}",
    "ems": "https://www.ems.com.cn/queryList?mailNum={}",
    "dhl": "https://www.dhl.com/en/express/tracking.html?AWB={}",
    "ups": "https://www.ups.com/track?tracknum={}",
    "fedex": "https://www.fedex.com/fedextrack/?trknbr={}",
    "usps": "https://tools.usps.com/go/TrackConfirmAction?tLabels={}",
}


def steps_of(order: MallOrder, payments: Sequence[MallPayment]) -> list[Step]:
    """Return the steps of an order, newest first."""
    found = [Step(_("Ordered, points set aside"), "shopping-cart", "info", order.placed_at)]
    for payment in payments:
        if payment.paid_at is not None:
            found.append(Step(_("Cash part paid"), "credit-card", "ok", payment.paid_at))
        if payment.refunded_at is not None:
            found.append(
                Step(_("Cash part given back"), "receipt-refund", "info", payment.refunded_at)
            )
    for title, icon, tone, at in (
        (_("Confirmed"), "check", "ok", order.confirmed_at),
        (_("On its way"), "truck-delivery", "info", order.shipped_at),
        (_("Yours"), "circle-check", "ok", order.completed_at),
        (
            _ENDS.get(order.reason, _("Ended, points back")),
            "arrow-back-up",
            "muted",
            order.closed_at,
        ),
    ):
        if at is not None:
            found.append(Step(title, icon, tone, at))
    return sorted(found, key=lambda step: step.at, reverse=True)


def tracking_url(carrier: str, number: str) -> str:
    """Return the carrier's page of a parcel; empty where there is none that we know."""
    site = _SITES.get(carrier.strip().lower())
    return site.format(quote(number.strip(), safe="")) if site and number.strip() else ""
