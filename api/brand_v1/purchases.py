"""Purchases, refunds and activity events from the brand's shop systems, one by one or many."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from api import problems
from api.base import BrandView, int_cursor, page, page_limit, write
from api.brand_v1 import earning_shapes, shapes
from api.brand_v1.lookups import member_of
from api.brand_v1.serializers import (
    BatchIn,
    BatchRefundIn,
    EventBatchIn,
    EventIn,
    PurchaseIn,
    RefundBatchIn,
    RefundIn,
    clean,
)
from api.fields import StrictSerializer
from api.openapi import PROBLEMS
from core import clock
from core.money import UnsupportedCurrencyError
from members.activity import queries
from members.activity.batches import EventDraft, Item, record_events
from members.activity.models import ActivityEvent
from members.activity.operations import Line, RefundItem, record_event
from members.earning.operations import (
    PurchaseDraft,
    RefundDraft,
    record_purchase,
    record_purchases,
    record_refund,
    record_refunds,
)
from members.earning.queries import explain_purchases
from tenants.brands.context import current_brand

_Draft = TypeVar("_Draft")
_Outcome = TypeVar("_Outcome")


def _purchase_facts(data: dict[str, Any]) -> dict[str, Any]:
    """Return what operations take of a purchase, without its member."""
    return {
        "external_id": data["external_id"],
        "occurred_at": data["occurred_at"],
        "amount_minor": data["amount"]["amount"],
        "currency": data["amount"]["currency"],
        "channel": data["channel"],
        "store_code": data["store"],
        "associate": data["associate"],
        "lines": [
            Line(
                sku=line["sku"],
                quantity=line["quantity"],
                amount_minor=line["amount"],
                category=line["category"],
                cost_minor=line.get("cost"),
            )
            for line in data["lines"]
        ],
    }


def _refund_facts(data: dict[str, Any]) -> dict[str, Any]:
    amount = data.get("amount")
    if amount is not None and amount["currency"] != current_brand().currency:
        raise UnsupportedCurrencyError(pointer="/amount/currency")
    return {
        "external_id": data["external_id"],
        "amount_minor": None if amount is None else amount["amount"],
        "lines": [
            RefundItem(line["line"], line["quantity"], line.get("amount")) for line in data["lines"]
        ],
        "occurred_at": data["occurred_at"],
    }


class Purchases(BrandView):
    """Purchases of members."""

    scopes = {"POST": "purchases:write"}

    @extend_schema(
        operation_id="purchases_create",
        request=PurchaseIn,
        responses={200: shapes.PurchaseOut, 201: shapes.PurchaseOut, **PROBLEMS},
    )
    @write()
    def post(self, request: Request) -> Response:
        """Record a purchase: points, growth and tier follow at once. The same id counts once."""
        data = clean(PurchaseIn, request.data)
        outcome = record_purchase(
            member=member_of(data["member"]),
            by=self.actor(request),
            at=clock.now(),
            **_purchase_facts(data),
        )
        return Response(shapes.purchase(outcome), status=201 if outcome.created else 200)


class PurchaseDetail(BrandView):
    """One purchase."""

    scopes = {"GET": "purchases:read"}

    @extend_schema(
        operation_id="purchases_retrieve",
        responses={200: earning_shapes.PurchaseDetailOut, **PROBLEMS},
    )
    def get(self, request: Request, external_id: str) -> Response:
        """Return a purchase with its lines, its refunds, and how what it earned was made."""
        purchase = queries.get_purchase(external_id=external_id)
        refunds = queries.list_refunds(purchase_id=purchase.pk)
        return Response(
            earning_shapes.purchase_detail(
                purchase,
                lines=queries.list_lines(purchase_id=purchase.pk),
                refunds=refunds,
                refund_lines=queries.list_refund_lines(refund_ids=[row.pk for row in refunds]),
                earned=explain_purchases(purchase_ids=[purchase.pk]).get(purchase.pk, []),
            )
        )


class MemberPurchases(BrandView):
    """The purchases of one member."""

    scopes = {"GET": "purchases:read"}

    @extend_schema(
        operation_id="members_purchases_list",
        responses={200: earning_shapes.PurchaseListOut, **PROBLEMS},
    )
    def get(self, request: Request, external_id: str) -> Response:
        """List a member's purchases, the last recorded first."""
        member = member_of(external_id)
        limit = page_limit(request)
        found = queries.list_recorded(
            member_id=member.pk,
            after=int_cursor(request.query_params.get("cursor")),
            limit=limit + 1,
        )
        body = page(found, limit=limit, position=lambda purchase: purchase.pk)
        body["items"] = [earning_shapes.purchase(row, member=member) for row in body["items"]]
        return Response(body)


class PurchaseBatch(BrandView):
    """Many purchases at once."""

    scopes = {"POST": "purchases:write"}

    @extend_schema(
        operation_id="purchases_batch",
        request=BatchIn,
        responses={200: earning_shapes.PurchaseBatchOut, **PROBLEMS},
    )
    @write()
    def post(self, request: Request) -> Response:
        """Record up to 1,000 purchases, each by itself: one result for each, in their order."""
        return _batch(
            clean(BatchIn, request.data)["purchases"],
            serializer=PurchaseIn,
            draft=lambda data: PurchaseDraft(member=data["member"], **_purchase_facts(data)),
            record=lambda drafts: record_purchases(
                drafts=drafts, by=self.actor(request), at=clock.now()
            ),
            shown=lambda outcome: (outcome.created, {"purchase": shapes.purchase(outcome)}),
        )


class Refunds(BrandView):
    """Money given back for a purchase."""

    scopes = {"POST": "purchases:write"}

    @extend_schema(
        operation_id="refunds_create",
        request=RefundIn,
        responses={200: shapes.RefundOut, 201: shapes.RefundOut, **PROBLEMS},
    )
    @write()
    def post(self, request: Request, external_id: str) -> Response:
        """Refund a purchase, wholly, in part or by line; points and growth go back in proportion.

        A refund that comes before its purchase is refused with `purchase_not_found`: send it
        again once the purchase is recorded.
        """
        data = clean(RefundIn, request.data)
        outcome = record_refund(
            purchase_external_id=external_id,
            by=self.actor(request),
            at=clock.now(),
            **_refund_facts(data),
        )
        return Response(shapes.refund(outcome), status=201 if outcome.created else 200)


class RefundBatch(BrandView):
    """Many refunds at once."""

    scopes = {"POST": "purchases:write"}

    @extend_schema(
        operation_id="refunds_batch",
        request=RefundBatchIn,
        responses={200: earning_shapes.RefundBatchOut, **PROBLEMS},
    )
    @write()
    def post(self, request: Request) -> Response:
        """Record up to 1,000 refunds, each by itself: one result for each, in their order."""
        return _batch(
            clean(RefundBatchIn, request.data)["refunds"],
            serializer=BatchRefundIn,
            draft=lambda data: RefundDraft(purchase=data["purchase"], **_refund_facts(data)),
            record=lambda drafts: record_refunds(
                drafts=drafts, by=self.actor(request), at=clock.now()
            ),
            shown=lambda outcome: (outcome.created, {"refund": shapes.refund(outcome)}),
        )


class ActivityEvents(BrandView):
    """Named things that members did."""

    scopes = {"POST": "events:write", "GET": "events:read"}

    @extend_schema(
        operation_id="events_create",
        request=EventIn,
        responses={200: shapes.ActivityOut, 201: shapes.ActivityOut, **PROBLEMS},
    )
    @write()
    def post(self, request: Request) -> Response:
        """Record a visit, a check-in, a survey or anything else with a name."""
        data = clean(EventIn, request.data)
        event, created = record_event(
            member=member_of(data["member"]),
            name=data["name"],
            occurred_at=data["occurred_at"],
            properties=data["properties"],
            external_id=data.get("external_id"),
            at=clock.now(),
        )
        return Response(_event(event), status=201 if created else 200)


class EventBatch(BrandView):
    """Many events at once."""

    scopes = {"POST": "events:write"}

    @extend_schema(
        operation_id="events_batch",
        request=EventBatchIn,
        responses={200: earning_shapes.EventBatchOut, **PROBLEMS},
    )
    @write()
    def post(self, request: Request) -> Response:
        """Record up to 1,000 events, each by itself: one result for each, in their order."""
        return _batch(
            clean(EventBatchIn, request.data)["events"],
            serializer=EventIn,
            draft=lambda data: EventDraft(**data),
            record=lambda drafts: record_events(drafts=drafts, at=clock.now()),
            shown=lambda outcome: (outcome[1], {"event": _event(outcome[0])}),
        )


def _event(event: ActivityEvent) -> dict[str, Any]:
    return {
        "id": event.pk,
        "member": event.member.external_id,
        "name": event.name,
        "occurred_at": shapes.time(event.at),
    }


def _batch(
    given: Sequence[Any],
    *,
    serializer: type[StrictSerializer],
    draft: Callable[[dict[str, Any]], _Draft],
    record: Callable[[list[_Draft]], list[Item[_Outcome]]],
    shown: Callable[[_Outcome], tuple[bool, dict[str, Any]]],
) -> Response:
    """Read the items, have the good ones recorded, and answer for each in its place."""
    results: list[dict[str, Any] | None] = []
    drafts: list[_Draft] = []
    for data in given:
        try:
            drafts.append(draft(clean(serializer, data)))
        except (ValidationError, UnsupportedCurrencyError) as error:
            answer = problems.exception_handler(error, {})
            body = None if answer is None else answer.data
            results.append({"status": 422 if body is None else body["status"], "problem": body})
        else:
            results.append(None)
    recorded = iter(record(drafts))
    items = [_shown(next(recorded), shown) if result is None else result for result in results]
    return Response({"items": items})


def _shown(
    item: Item[_Outcome], shown: Callable[[_Outcome], tuple[bool, dict[str, Any]]]
) -> dict[str, Any]:
    if item.error is not None:
        body = problems.from_domain_error(item.error)
        return {"status": body["status"], "problem": body}
    if item.outcome is None:
        raise TypeError("An item has an outcome or an error.")
    created, body = shown(item.outcome)
    return {"status": 201 if created else 200, **body}
