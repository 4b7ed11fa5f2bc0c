"""A partner's monthly statements: read, dispute line by line, agree."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.base import PartnerView, int_cursor, page, page_limit, write
from api.brand_v1.shapes import MoneyOut, day, time
from api.fields import StrictInteger, StrictSerializer, StrictText, money
from api.openapi import PROBLEMS, ListOf
from api.partner_v1.orders import IF_MATCH, if_version
from core import clock
from core.errors import InvalidError
from core.money import MAX_MINOR
from partners.settlements import disputes, operations, queries
from partners.settlements.disputes import TEXT_LENGTH
from partners.settlements.models import LineDispute, Statement, StatementLine
from partners.settlements.queries import LineView


class StatementOut(serializers.Serializer[Any]):
    """What you are owed for a month; `total` is the sum of its lines."""

    id = serializers.CharField()
    month = serializers.CharField(help_text="Such as 2026-03.")
    state = serializers.ChoiceField(choices=["sent", "disputed", "approved", "paid"])
    version = serializers.IntegerField()
    orders = serializers.IntegerField()
    service = MoneyOut()
    fees = MoneyOut()
    penalties = MoneyOut()
    commission = MoneyOut()
    corrections = MoneyOut()
    total = MoneyOut()
    prepaid = MoneyOut(help_text="Covered by what was paid ahead.")
    to_pay = MoneyOut()
    open_disputes = serializers.IntegerField()
    sent_at = serializers.DateTimeField(allow_null=True)
    objection_until = serializers.DateField(allow_null=True)
    agreed_at = serializers.DateTimeField(allow_null=True)
    approved_at = serializers.DateTimeField(allow_null=True)
    due_on = serializers.DateField(allow_null=True)
    paid_on = serializers.DateField(allow_null=True)
    paid_reference = serializers.CharField(allow_blank=True)


class LineOut(serializers.Serializer[Any]):
    """One thing that a statement pays, or takes off (below zero)."""

    id = serializers.IntegerField()
    kind = serializers.ChoiceField(choices=StatementLine.Kind.values)
    date = serializers.DateField()
    order = serializers.CharField(allow_null=True)
    benefit = serializers.CharField(allow_null=True)
    amount = MoneyOut()
    reason = serializers.CharField(allow_blank=True)
    corrects = serializers.IntegerField(allow_null=True)
    dispute = serializers.ChoiceField(choices=LineDispute.State.values, allow_null=True)


class MessageOut(serializers.Serializer[Any]):
    """One thing said in a dispute."""

    side = serializers.ChoiceField(choices=["partner", "brand"])
    text = serializers.CharField(allow_blank=True)
    at = serializers.DateTimeField()


class DisputeOut(serializers.Serializer[Any]):
    """Your objection to a line, and what came of it."""

    line = serializers.IntegerField()
    state = serializers.ChoiceField(choices=LineDispute.State.values)
    expected = MoneyOut(allow_null=True)
    granted = MoneyOut(allow_null=True)
    messages = MessageOut(many=True)


class ExpectedIn(StrictSerializer):
    """The amount you hold to be right; below zero for what is taken off."""

    amount = StrictInteger(min_value=-MAX_MINOR, max_value=MAX_MINOR)
    currency = serializers.RegexField(r"^[A-Z]{3}$")


class DisputeIn(StrictSerializer):
    """Why a line is wrong."""

    text = StrictText(max_length=TEXT_LENGTH)
    expected = ExpectedIn(required=False)


class WithdrawIn(StrictSerializer):
    """Why an objection is taken back."""

    text = StrictText(max_length=TEXT_LENGTH, required=False, allow_blank=True, default="")


_STATES = ["sent", "disputed", "approved", "paid"]


def _statement(row: Statement) -> dict[str, Any]:
    amounts = {
        name: money(getattr(row, f"{name}_minor"), row.currency)
        for name in (
            "service",
            "fees",
            "penalties",
            "commission",
            "corrections",
            "total",
            "prepaid",
            "to_pay",
        )
    }
    return {
        "id": row.number,
        "month": f"{row.month:%Y-%m}",
        "state": row.state,
        "version": row.version,
        "orders": row.orders,
        **amounts,
        "open_disputes": getattr(row, "open_disputes", None) or 0,
        "sent_at": time(row.sent_at),
        "objection_until": day(row.objection_until_on),
        "agreed_at": time(row.agreed_at),
        "approved_at": time(row.approved_at),
        "due_on": day(row.due_on),
        "paid_on": day(row.paid_on),
        "paid_reference": row.paid_reference,
    }


def _line(line: LineView, currency: str) -> dict[str, Any]:
    return {
        "id": line.id,
        "kind": line.kind,
        "date": day(line.on_date),
        "order": line.order or None,
        "benefit": line.benefit_code or None,
        "amount": money(line.amount_minor, currency),
        "reason": line.reason,
        "corrects": line.corrects,
        "dispute": line.dispute or None,
    }


def _dispute(found: LineDispute, currency: str) -> dict[str, Any]:
    thread = queries.list_messages(dispute_ids=[found.pk]).get(found.pk, [])
    return {
        "line": found.line_id,
        "state": found.state,
        "expected": money(found.expected_minor, currency),
        "granted": money(found.granted_minor, currency),
        "messages": [
            {
                "side": "partner" if message.by_kind == "partner" else "brand",
                "text": message.text,
                "at": time(message.at),
            }
            for message in thread
        ],
    }


def _answer(number: str, partner_id: int) -> Response:
    row = queries.get_statement(number=number, partner_id=partner_id)
    return Response(_statement(row), headers={"ETag": f'"{row.version}"'})


class StatementList(PartnerView):
    """Your statements."""

    scopes = {"GET": "statements:read"}

    @extend_schema(
        operation_id="statements_list",
        parameters=[
            OpenApiParameter("status", str, enum=_STATES),
            OpenApiParameter("cursor", str),
            OpenApiParameter("limit", int),
        ],
        responses={200: ListOf(StatementOut), **PROBLEMS},
    )
    def get(self, request: Request) -> Response:
        """List the statements sent to you, the newest first."""
        limit = page_limit(request)
        state = request.query_params.get("status") or None
        if state is not None and state not in _STATES:
            raise InvalidError("There is no such status.", pointer="/status")
        found = queries.list_statements(
            partner_id=self.partner_id,
            states=[state] if state else [],
            for_partner=True,
            after=int_cursor(request.query_params.get("cursor")),
            limit=limit + 1,
        )
        body = page(found, limit=limit, position=lambda row: row.pk)
        body["items"] = [_statement(row) for row in body["items"]]
        return Response(body)


class StatementDetail(PartnerView):
    """One statement."""

    scopes = {"GET": "statements:read"}

    @extend_schema(operation_id="statements_get", responses={200: StatementOut, **PROBLEMS})
    def get(self, request: Request, number: str) -> Response:
        """Return a statement; its ETag goes into `If-Match` of your answer."""
        return _answer(number, self.partner_id)


class StatementLines(PartnerView):
    """What a statement is made of."""

    scopes = {"GET": "statements:read"}

    @extend_schema(
        operation_id="statement_lines_list",
        parameters=[
            OpenApiParameter("kind", str, enum=StatementLine.Kind.values),
            OpenApiParameter("cursor", str),
            OpenApiParameter("limit", int),
        ],
        responses={200: ListOf(LineOut), **PROBLEMS},
    )
    def get(self, request: Request, number: str) -> Response:
        """List the lines of a statement in their order."""
        limit = page_limit(request)
        kind = request.query_params.get("kind") or None
        if kind is not None and kind not in StatementLine.Kind.values:
            raise InvalidError("There is no such kind.", pointer="/kind")
        row = queries.get_statement(number=number, partner_id=self.partner_id)
        found = queries.list_lines(
            statement=row,
            kinds=[kind] if kind else [],
            after=int_cursor(request.query_params.get("cursor")),
            limit=limit + 1,
        )
        body = page(found, limit=limit, position=lambda line: line.id)
        body["items"] = [_line(line, row.currency) for line in body["items"]]
        return Response(body)


class StatementApprove(PartnerView):
    """Your agreement."""

    scopes = {"POST": "statements:write"}

    @extend_schema(
        operation_id="statements_approve",
        parameters=[IF_MATCH],
        request=None,
        responses={200: StatementOut, **PROBLEMS},
    )
    @write()
    def post(self, request: Request, number: str) -> Response:
        """Agree to a statement; the brand approves it for payment after that."""
        operations.agree(
            statement=queries.get_statement(number=number, partner_id=self.partner_id),
            partner_id=self.partner_id,
            if_version=if_version(request),
            by=self.actor(request),
            at=clock.now(),
        )
        return _answer(number, self.partner_id)


class LineDisputeView(PartnerView):
    """An objection to one line."""

    scopes = {"GET": "statements:read", "POST": "statements:write"}

    @extend_schema(operation_id="statement_dispute_get", responses={200: DisputeOut, **PROBLEMS})
    def get(self, request: Request, number: str, line_id: int) -> Response:
        """Return the dispute of a line with all that was said."""
        row = queries.get_statement(number=number, partner_id=self.partner_id)
        found = queries.get_dispute(statement=row, line_id=line_id)
        return Response(_dispute(found, row.currency))

    @extend_schema(
        operation_id="statement_line_dispute",
        parameters=[IF_MATCH],
        request=DisputeIn,
        responses={200: DisputeOut, **PROBLEMS},
    )
    @write()
    def post(self, request: Request, number: str, line_id: int) -> Response:
        """Object to a line, or add to your objection while it is open."""
        checked = DisputeIn(data=request.data)
        checked.is_valid(raise_exception=True)
        row = queries.get_statement(number=number, partner_id=self.partner_id)
        expected = checked.validated_data.get("expected")
        if expected is not None and expected["currency"] != row.currency:
            raise InvalidError("The statement has another currency.", pointer="/expected/currency")
        found = disputes.dispute_line(
            statement=row,
            line_id=line_id,
            partner_id=self.partner_id,
            text=checked.validated_data["text"],
            expected_minor=expected["amount"] if expected else None,
            if_version=if_version(request),
            by=self.actor(request),
            at=clock.now(),
        )
        return Response(_dispute(found, row.currency))


class DisputeWithdraw(PartnerView):
    """An objection taken back."""

    scopes = {"POST": "statements:write"}

    @extend_schema(
        operation_id="statement_dispute_withdraw",
        request=WithdrawIn,
        responses={200: DisputeOut, **PROBLEMS},
    )
    @write()
    def post(self, request: Request, number: str, line_id: int) -> Response:
        """Take an objection back that was not answered yet."""
        checked = WithdrawIn(data=request.data or {})
        checked.is_valid(raise_exception=True)
        row = queries.get_statement(number=number, partner_id=self.partner_id)
        found = disputes.withdraw(
            statement=row,
            line_id=line_id,
            partner_id=self.partner_id,
            text=checked.validated_data["text"],
            by=self.actor(request),
            at=clock.now(),
        )
        return Response(_dispute(found, row.currency))
