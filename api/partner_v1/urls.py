"""Addresses of the partner API v1."""

from datetime import date

from django.urls import URLPattern, path, register_converter

from api import webhooks
from api.partner_v1 import callbacks, offerings, orders, statements


class DateConverter:
    """A date such as 2026-11-30."""

    regex = r"\d{4}-\d{2}-\d{2}"

    def to_python(self, value: str) -> date:
        return date.fromisoformat(value)

    def to_url(self, value: date | str) -> str:
        return str(value)


register_converter(DateConverter, "date")
_for = webhooks.for_partner

urlpatterns: list[URLPattern] = [
    path("orders", orders.OrderList.as_view()),
    path("orders/<str:number>", orders.OrderDetail.as_view()),
    path("orders/<str:number>/accept", orders.Accept.as_view()),
    path("orders/<str:number>/decline", orders.Decline.as_view()),
    path("orders/<str:number>/schedule", orders.Schedule.as_view()),
    path("orders/<str:number>/start", orders.Start.as_view()),
    path("orders/<str:number>/fulfil", orders.Fulfil.as_view()),
    path("orders/<str:number>/fail", orders.Fail.as_view()),
    path("orders/<str:number>/cancel", orders.Cancel.as_view()),
    path("orders/<str:number>/verify", orders.Verify.as_view()),
    path("offerings", offerings.OfferingList.as_view()),
    path("offerings/<int:offering_id>", offerings.OfferingDetail.as_view()),
    path("offerings/<int:offering_id>/capacity/<date:on_date>", offerings.Capacity.as_view()),
    path("callbacks/<str:partner>", callbacks.Callback.as_view()),
    path("scorecard", offerings.ScorecardView.as_view()),
    path("statements", statements.StatementList.as_view()),
    path("statements/<str:number>", statements.StatementDetail.as_view()),
    path("statements/<str:number>/lines", statements.StatementLines.as_view()),
    path("statements/<str:number>/approve", statements.StatementApprove.as_view()),
    path(
        "statements/<str:number>/lines/<int:line_id>/dispute",
        statements.LineDisputeView.as_view(),
    ),
    path(
        "statements/<str:number>/lines/<int:line_id>/dispute/withdraw",
        statements.DisputeWithdraw.as_view(),
    ),
    path("events", _for(webhooks.Events).as_view()),
    path("webhook-endpoints", _for(webhooks.Endpoints).as_view()),
    path("webhook-endpoints/<int:endpoint_id>", _for(webhooks.EndpointDetail).as_view()),
    path("webhook-endpoints/<int:endpoint_id>/secret", _for(webhooks.EndpointSecret).as_view()),
    path("webhook-endpoints/<int:endpoint_id>/test", _for(webhooks.EndpointTest).as_view()),
    path("webhook-endpoints/<int:endpoint_id>/deliveries", _for(webhooks.Deliveries).as_view()),
    path("webhook-deliveries/<int:delivery_id>/replay", _for(webhooks.DeliveryReplay).as_view()),
]
