"""Facts and measures to read: by month, whole or by tier, region and so on; JSON or CSV."""

from datetime import date
from typing import Any

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.base import BrandView
from api.openapi import PROBLEMS
from benefits.catalogue.models import Benefit
from benefits.catalogue.queries import get_benefit
from benefits.insights import pages
from benefits.insights.formulas import Figure
from benefits.insights.models import BenefitSlice
from benefits.insights.months import first_of
from core import clock
from core.errors import InvalidError
from core.web import csv_out
from tenants.brands.context import current_brand

MOST_MONTHS = 36
_MONTHS = [
    OpenApiParameter("from", str, description="First month, such as 2026-01; default: a year ago."),
    OpenApiParameter("to", str, description="Last month; default: the running one."),
    OpenApiParameter("as", str, enum=["json", "csv"], description="Default json."),
]


class FactsOut(serializers.Serializer[Any]):
    """Facts by month: whole numbers, from which every measure is divided; money in minor units."""

    currency = serializers.CharField()
    items = serializers.ListField(child=serializers.DictField())


class MeasureOut(serializers.Serializer[Any]):
    """One measure with its formula and both of its parts; a value of null means no data."""

    code = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    formula = serializers.CharField()
    period = serializers.CharField()
    numerator = serializers.IntegerField()
    denominator = serializers.IntegerField()
    value = serializers.FloatField(allow_null=True)
    previous = serializers.FloatField(allow_null=True)
    unit = serializers.CharField()


class MeasuresOut(serializers.Serializer[Any]):
    """All measures of a month."""

    month = serializers.CharField()
    stale = serializers.BooleanField(help_text="Late data came; the month will be recomputed.")
    items = MeasureOut(many=True)


class BenefitFacts(BrandView):
    """Facts of benefits."""

    scopes = {"GET": "insights:read"}

    @extend_schema(
        operation_id="insights_benefit_facts",
        parameters=[
            *_MONTHS,
            OpenApiParameter("benefit", str, description="Code of one benefit."),
            OpenApiParameter("by", str, enum=BenefitSlice.Dimension.values),
        ],
        responses={200: FactsOut, (200, "text/csv"): OpenApiTypes.STR, **PROBLEMS},
    )
    def get(self, request: Request) -> Response | HttpResponse:
        """Return facts of benefits by month, whole or by the values of one dimension."""
        first, last = _months(request)
        code, dimension = request.query_params.get("benefit"), request.query_params.get("by", "")
        if dimension and dimension not in BenefitSlice.Dimension.values:
            raise InvalidError("by must be one of the dimensions.", pointer="/by")
        benefit = get_benefit(code=code) if code else None
        return _answer(
            request,
            pages.list_facts(first=first, last=last, benefit=benefit, dimension=dimension),
        )


class ProgrammeFacts(BrandView):
    """Facts of the whole programme."""

    scopes = {"GET": "insights:read"}

    @extend_schema(
        operation_id="insights_programme_facts",
        parameters=_MONTHS,
        responses={200: FactsOut, (200, "text/csv"): OpenApiTypes.STR, **PROBLEMS},
    )
    def get(self, request: Request) -> Response | HttpResponse:
        """Return facts of the programme by month."""
        first, last = _months(request)
        return _answer(request, pages.list_programme_facts(first=first, last=last))


class Measures(BrandView):
    """Measures of the programme, or of one benefit."""

    scopes = {"GET": "insights:read"}

    @extend_schema(
        operation_id="insights_measures",
        parameters=[
            OpenApiParameter("month", str, description="Default: the last whole month."),
            OpenApiParameter("benefit", str, description="Code; without: the whole programme."),
        ],
        responses={200: MeasuresOut, **PROBLEMS},
    )
    def get(self, request: Request) -> Response:
        """Return the measures of a month, each with formula, numerator and denominator."""
        today = clock.today(current_brand().timezone)
        month = _month(request, "month", first_of(today, back=1))
        code = request.query_params.get("benefit")
        found: pages.BenefitPage | pages.ProgrammePage
        if code:
            found = pages.get_benefit_page(benefit=_benefit(code), month=month)
        else:
            found = pages.get_programme_page(month=month)
        return Response(
            {
                "month": f"{month:%Y-%m}",
                "stale": found.status is not None and found.status.stale_at is not None,
                "items": [_measure(figure) for figure in found.figures],
            }
        )


def _benefit(code: str) -> Benefit:
    return get_benefit(code=code)


def _measure(figure: Figure) -> dict[str, Any]:
    m = figure.measure
    return {
        "code": m.code,
        "label": str(m.label),
        "formula": str(m.formula),
        "period": str(figure.period),
        "numerator": m.numerator,
        "denominator": m.denominator,
        "value": m.value,
        "previous": figure.before,
        "unit": m.unit,
    }


def _month(request: Request, name: str, default: date) -> date:
    text = request.query_params.get(name)
    if text is None:
        return default
    try:
        return date.fromisoformat(f"{text}-01")
    except ValueError:
        raise InvalidError(f"{name} must be a month such as 2026-01.", pointer=f"/{name}") from None


def _months(request: Request) -> tuple[date, date]:
    today = clock.today(current_brand().timezone)
    last = _month(request, "to", first_of(today))
    first = _month(request, "from", first_of(last, back=11))
    if first > last or first < first_of(last, back=MOST_MONTHS - 1):
        raise InvalidError(f"Ask for 1 to {MOST_MONTHS} months.", pointer="/from")
    return first, last


def _answer(request: Request, rows: list[dict[str, Any]]) -> Response | HttpResponse:
    if request.query_params.get("as") == "csv":
        head = list(rows[0]) if rows else ["month"]
        body = b"".join(csv_out.stream(head, [[list(row.values()) for row in rows]]))
        return HttpResponse(body, content_type="text/csv; charset=utf-8")
    return Response({"currency": current_brand().currency, "items": rows})
