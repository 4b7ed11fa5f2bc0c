"""The budget and its agile reserve, to read. Nothing is asked for or decided with a key."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.base import BrandView, decode_cursor, page, page_limit
from api.brand_v1 import shapes
from api.fields import money
from api.openapi import PROBLEMS
from benefits.budget import queries
from benefits.budget.models import BudgetEntry, ReserveDraw, ReserveSnapshot
from benefits.budget.queries import BudgetSummary, LineSummary


class BudgetOut(serializers.Serializer[Any]):
    """One budget in figures; `late_spent` is what was spent since the close."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    status = serializers.CharField()
    starts_on = serializers.DateField()
    ends_on = serializers.DateField(help_text="First day after the period.")
    total = shapes.MoneyOut()
    opening_reserve = shapes.MoneyOut()
    reserve_left = shapes.MoneyOut()
    floor = shapes.MoneyOut()
    planned = shapes.MoneyOut()
    committed = shapes.MoneyOut()
    spent = shapes.MoneyOut()
    late_spent = shapes.MoneyOut(allow_null=True)


class BudgetPage(serializers.Serializer[Any]):
    """The budgets, the latest period first; one page."""

    items = BudgetOut(many=True)
    next = serializers.CharField(allow_null=True)


class LineOut(serializers.Serializer[Any]):
    """One line of a budget."""

    code = serializers.CharField()
    name = serializers.CharField()
    kind = serializers.CharField()
    policy = serializers.CharField()
    planned = shapes.MoneyOut()
    from_reserve = shapes.MoneyOut()
    committed = shapes.MoneyOut()
    spent = shapes.MoneyOut()
    left = shapes.MoneyOut()


class LinePage(serializers.Serializer[Any]):
    """The lines of a budget; one page."""

    items = LineOut(many=True)
    next = serializers.CharField(allow_null=True)


class MovementOut(serializers.Serializer[Any]):
    """One movement of a budget, never changed."""

    id = serializers.IntegerField()
    kind = serializers.CharField()
    line = serializers.CharField()
    amount = shapes.MoneyOut()
    at = serializers.DateTimeField()
    source_type = serializers.CharField(allow_blank=True)
    source_id = serializers.IntegerField(allow_null=True)


class MovementPage(serializers.Serializer[Any]):
    """Movements, newest first."""

    items = MovementOut(many=True)
    next = serializers.CharField(allow_null=True)


class DrawOut(serializers.Serializer[Any]):
    """One draw on the reserve."""

    id = serializers.IntegerField()
    line = serializers.CharField()
    purpose = serializers.CharField()
    state = serializers.CharField()
    amount = shapes.MoneyOut()
    returned = shapes.MoneyOut()
    exit_on = serializers.DateField()
    asked_at = serializers.DateTimeField()
    decided_at = serializers.DateTimeField(allow_null=True)


class DayOut(serializers.Serializer[Any]):
    """What the tracker found on a day."""

    on_date = serializers.DateField()
    reserve_left = shapes.MoneyOut()
    spent = shapes.MoneyOut()
    spend_per_day = shapes.MoneyOut()
    exhausted_on = serializers.DateField(allow_null=True)
    projected_low = shapes.MoneyOut()
    projected = shapes.MoneyOut()
    projected_high = shapes.MoneyOut()
    free_share = serializers.FloatField()


class ReserveOut(serializers.Serializer[Any]):
    """The reserve of a budget: its draws, and its days, oldest first."""

    draws = DrawOut(many=True)
    days = DayOut(many=True)


def _budget(found: BudgetSummary) -> dict[str, Any]:
    row = found.budget
    late = found.late_spent
    return {
        "id": row.pk,
        "name": row.name,
        "status": row.status,
        "starts_on": shapes.day(row.starts_on),
        "ends_on": shapes.day(row.ends_on),
        "total": money(row.total_minor, row.currency),
        "opening_reserve": money(row.opening_reserve_minor, row.currency),
        "reserve_left": money(found.reserve_left, row.currency),
        "floor": money(row.floor_minor, row.currency),
        "planned": money(found.planned, row.currency),
        "committed": money(found.committed, row.currency),
        "spent": money(found.spent, row.currency),
        "late_spent": None if late is None else money(late, row.currency),
    }


def _line(found: LineSummary, currency: str) -> dict[str, Any]:
    return {
        "code": found.line.code,
        "name": found.line.name,
        "kind": found.line.kind,
        "policy": found.line.policy,
        "planned": money(found.planned, currency),
        "from_reserve": money(found.drawn, currency),
        "committed": money(found.committed, currency),
        "spent": money(found.spent, currency),
        "left": money(found.left, currency),
    }


def _movement(row: BudgetEntry, currency: str) -> dict[str, Any]:
    return {
        "id": row.pk,
        "kind": row.kind,
        "line": row.line.code,
        "amount": money(row.amount_minor, currency),
        "at": shapes.time(row.at),
        "source_type": row.source_type,
        "source_id": row.source_id,
    }


def _draw(row: ReserveDraw, currency: str) -> dict[str, Any]:
    return {
        "id": row.pk,
        "line": row.line.code,
        "purpose": row.purpose,
        "state": row.state,
        "amount": money(row.amount_minor, currency),
        "returned": money(row.returned_minor, currency),
        "exit_on": shapes.day(row.exit_on),
        "asked_at": shapes.time(row.asked_at),
        "decided_at": shapes.time(row.decided_at),
    }


def _day(row: ReserveSnapshot, currency: str) -> dict[str, Any]:
    return {
        "on_date": shapes.day(row.on_date),
        "reserve_left": money(row.left_minor, currency),
        "spent": money(row.spent_minor, currency),
        "spend_per_day": money(row.burn_per_day_minor, currency),
        "exhausted_on": shapes.day(row.exhausted_on),
        "projected_low": money(row.projected_low_minor, currency),
        "projected": money(row.projected_minor, currency),
        "projected_high": money(row.projected_high_minor, currency),
        "free_share": row.free_share,
    }


class Budgets(BrandView):
    """The budgets of all periods."""

    scopes = {"GET": "budget:read"}

    @extend_schema(operation_id="budgets_list", responses={200: BudgetPage, **PROBLEMS})
    def get(self, request: Request) -> Response:
        """List the budgets with their figures, the latest period first."""
        items = [_budget(queries.summary(budget=row)) for row in queries.list_budgets()]
        return Response({"items": items, "next": None})


class BudgetLines(BrandView):
    """What the parts of a budget are for."""

    scopes = {"GET": "budget:read"}

    @extend_schema(operation_id="budget_lines_list", responses={200: LinePage, **PROBLEMS})
    def get(self, request: Request, budget_id: int) -> Response:
        """List the lines of a budget with what was planned, promised and spent."""
        budget = queries.get_budget(budget_id=budget_id)
        found = queries.line_summaries(budget=budget)
        return Response({"items": [_line(one, budget.currency) for one in found], "next": None})


class BudgetMovements(BrandView):
    """The movements of a budget."""

    scopes = {"GET": "budget:read"}

    @extend_schema(
        operation_id="budget_movements_list",
        parameters=[
            OpenApiParameter("kind", str),
            OpenApiParameter("cursor", str),
            OpenApiParameter("limit", int),
        ],
        responses={200: MovementPage, **PROBLEMS},
    )
    def get(self, request: Request, budget_id: int) -> Response:
        """List movements, newest first; all or those of a kind."""
        budget = queries.get_budget(budget_id=budget_id)
        limit = page_limit(request)
        before = decode_cursor(request.query_params.get("cursor"))
        kind = request.query_params.get("kind")
        found = queries.list_entries(
            budget=budget,
            kinds=[kind] if kind else [],
            before_id=int(before) if before and before.isdigit() else None,
            limit=limit,
        )
        items = [_movement(row, budget.currency) for row in found]
        return Response(page(items, limit=limit, position=lambda item: item["id"]))


class BudgetReserve(BrandView):
    """The agile reserve of a budget."""

    scopes = {"GET": "budget:read"}

    @extend_schema(operation_id="budget_reserve", responses={200: ReserveOut, **PROBLEMS})
    def get(self, request: Request, budget_id: int) -> Response:
        """Show the draws on the reserve and what the tracker found day by day."""
        budget = queries.get_budget(budget_id=budget_id)
        return Response(
            {
                "draws": [_draw(row, budget.currency) for row in queries.list_draws(budget=budget)],
                "days": [_day(row, budget.currency) for row in queries.history(budget=budget)],
            }
        )
