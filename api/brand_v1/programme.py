"""The programme as it is set up: benefits, packages and rules to read; rights given and taken back."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.base import BrandView, write
from api.brand_v1 import shapes
from api.brand_v1.lookups import effect_key, member_of
from api.brand_v1.serializers import ReasonIn, clean
from api.fields import StrictInteger, StrictSerializer, StrictText, money
from api.openapi import PROBLEMS
from benefits.catalogue import queries as catalogue
from benefits.catalogue.models import Benefit, Package
from benefits.grants import operations, queries
from benefits.grants.errors import InvalidGrantError
from benefits.grants.models import Grant
from benefits.grants.rehearsing import trace_rule
from benefits.rules import queries as rules
from benefits.rules.models import GrantRule
from benefits.rules.publication import check_publication
from benefits.rules.terms import terms_of
from core import clock
from tenants.brands.context import current_brand


class BenefitOut(serializers.Serializer[Any]):
    """One benefit of the catalogue."""

    code = serializers.CharField()
    kind = serializers.CharField()
    name = serializers.DictField(child=serializers.CharField())
    stage = serializers.CharField()
    channel = serializers.CharField()
    category = serializers.CharField(allow_blank=True)
    sla_hours = serializers.IntegerField(allow_null=True)
    list_price = shapes.MoneyOut()
    regions = serializers.ListField(child=serializers.CharField())
    parameters = serializers.DictField()


class BenefitPage(serializers.Serializer[Any]):
    """The catalogue; one page."""

    items = BenefitOut(many=True)
    next = serializers.CharField(allow_null=True)


class PackageUnitOut(serializers.Serializer[Any]):
    """Units of one benefit that a package gives in all."""

    benefit = serializers.CharField()
    quantity = serializers.IntegerField()


class PackageOut(serializers.Serializer[Any]):
    """One package with what it gives, its parts included."""

    code = serializers.CharField()
    name = serializers.DictField(child=serializers.CharField())
    active = serializers.BooleanField()
    units = PackageUnitOut(many=True)


class PackagePage(serializers.Serializer[Any]):
    """The packages; one page."""

    items = PackageOut(many=True)
    next = serializers.CharField(allow_null=True)


class RuleOut(serializers.Serializer[Any]):
    """One grant rule with its terms as JSON."""

    code = serializers.CharField()
    name = serializers.CharField()
    status = serializers.CharField()
    version = serializers.IntegerField()
    terms = serializers.DictField()


class RulePage(serializers.Serializer[Any]):
    """The rules by priority; one page."""

    items = RuleOut(many=True)
    next = serializers.CharField(allow_null=True)


class FindingOut(serializers.Serializer[Any]):
    """Something that refuses a publication (error) or is to be known before it (warning)."""

    code = serializers.CharField()
    severity = serializers.ChoiceField(choices=["error", "warning"])
    data = serializers.DictField()  # type: ignore[assignment]


class RuleCheckOut(serializers.Serializer[Any]):
    """What publishing a rule now would mean."""

    audience = serializers.IntegerField()
    held_out = serializers.IntegerField()
    grants_per_month = serializers.IntegerField()
    cost_per_month = shapes.MoneyOut()
    cost_if_all_used = shapes.MoneyOut()
    budget_left = shapes.MoneyOut(allow_null=True)
    may_be_published = serializers.BooleanField()
    findings = FindingOut(many=True)


class RuleTestIn(StrictSerializer):
    """The member that a rule is asked about."""

    member = StrictText(max_length=64, help_text="The member's external id.")


class CheckOut(serializers.Serializer[Any]):
    """One question that was asked about the member, and its answer."""

    code = serializers.CharField()
    passed = serializers.BooleanField()
    data = serializers.DictField()  # type: ignore[assignment]


class RuleTestOut(serializers.Serializer[Any]):
    """How a rule decides about one member now."""

    granted = serializers.BooleanField()
    outcome = serializers.CharField()
    period = serializers.CharField()
    checks = CheckOut(many=True)


class GrantIn(StrictSerializer):
    """A right to give: to a benefit or a package."""

    benefit = StrictText(max_length=40, required=False, allow_blank=True, default="")
    package = StrictText(max_length=40, required=False, allow_blank=True, default="")
    quantity = StrictInteger(min_value=1, max_value=100_000, default=1)
    ends_at = serializers.DateTimeField(required=False, allow_null=True, default_timezone=None)


class GrantOut(serializers.Serializer[Any]):
    """A member's right to units of a benefit."""

    id = serializers.IntegerField()
    benefit = serializers.CharField()
    rule = serializers.CharField(allow_null=True)
    period = serializers.CharField()
    quantity = serializers.IntegerField()
    used = serializers.IntegerField()
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField(allow_null=True)
    revoked_at = serializers.DateTimeField(allow_null=True)
    reason = serializers.DictField()


class GrantPage(serializers.Serializer[Any]):
    """Rights of a member; one page."""

    items = GrantOut(many=True)
    next = serializers.CharField(allow_null=True)


def _benefit(value: Benefit) -> dict[str, Any]:
    return {
        "code": value.code,
        "kind": value.kind,
        "name": value.name,
        "stage": value.stage,
        "channel": value.channel,
        "category": value.category,
        "sla_hours": value.sla_hours,
        "list_price": money(value.list_price_minor, current_brand().currency),
        "regions": value.regions,
        "parameters": value.parameters,
    }


def _package(value: Package) -> dict[str, Any]:
    units = sorted(value.units.all(), key=lambda unit: unit.benefit.code)
    return {
        "code": value.code,
        "name": value.name,
        "active": value.is_active,
        "units": [{"benefit": unit.benefit.code, "quantity": unit.quantity} for unit in units],
    }


def _rule(value: GrantRule) -> dict[str, Any]:
    return {
        "code": value.code,
        "name": value.name,
        "status": value.status,
        "version": value.version,
        "terms": terms_of(value),
    }


def _grant(value: Grant) -> dict[str, Any]:
    return {
        "id": value.pk,
        "benefit": value.benefit.code,
        "rule": value.rule.code if value.rule is not None else None,
        "period": value.period_key,
        "quantity": value.quantity,
        "used": value.used,
        "starts_at": shapes.time(value.starts_at),
        "ends_at": shapes.time(value.ends_at),
        "revoked_at": shapes.time(value.revoked_at),
        "reason": value.reason,
    }


class Benefits(BrandView):
    """The catalogue."""

    scopes = {"GET": "benefits:read"}

    @extend_schema(
        operation_id="benefits_list",
        parameters=[OpenApiParameter("stage", str), OpenApiParameter("kind", str)],
        responses={200: BenefitPage, **PROBLEMS},
    )
    def get(self, request: Request) -> Response:
        """List the benefits, all or those of a stage or kind."""
        found = catalogue.list_benefits(
            stage=request.query_params.get("stage") or None,
            kind=request.query_params.get("kind") or None,
        )
        return Response({"items": [_benefit(value) for value in found], "next": None})


class Packages(BrandView):
    """Benefits that go together."""

    scopes = {"GET": "benefits:read"}

    @extend_schema(operation_id="packages_list", responses={200: PackagePage, **PROBLEMS})
    def get(self, request: Request) -> Response:
        """List the packages with the units that each gives in all."""
        found = catalogue.list_packages(active_only=False, with_parts=True)
        return Response({"items": [_package(value) for value in found], "next": None})


class Rules(BrandView):
    """Who gets what, how often."""

    scopes = {"GET": "benefits:read"}

    @extend_schema(
        operation_id="rules_list",
        parameters=[OpenApiParameter("status", str)],
        responses={200: RulePage, **PROBLEMS},
    )
    def get(self, request: Request) -> Response:
        """List the grant rules by priority, all or those of a status."""
        found = rules.list_rules(status=request.query_params.get("status") or None)
        return Response({"items": [_rule(value) for value in found], "next": None})


class RuleCheck(BrandView):
    """What publishing a rule would mean."""

    scopes = {"GET": "benefits:read"}

    @extend_schema(operation_id="rules_check", responses={200: RuleCheckOut, **PROBLEMS})
    def get(self, request: Request, code: str) -> Response:
        """Say reach, cost a month, what is left on the line, and what stands in the way."""
        found = check_publication(rule=rules.get_rule(code=code), at=clock.now())
        currency = current_brand().currency
        return Response(
            {
                "audience": found.preview.audience,
                "held_out": found.preview.held_out,
                "grants_per_month": found.monthly.grants,
                "cost_per_month": money(found.monthly.expected_minor, currency),
                "cost_if_all_used": money(found.monthly.most_minor, currency),
                "budget_left": money(found.line_left_minor, currency),
                "may_be_published": found.may_be_published,
                "findings": [
                    {"code": one.code, "severity": one.severity, "data": one.data}
                    for one in found.findings
                ],
            }
        )


class RuleTest(BrandView):
    """A rule asked about one member."""

    scopes = {"POST": "benefits:read"}

    @extend_schema(
        operation_id="rules_test", request=RuleTestIn, responses={200: RuleTestOut, **PROBLEMS}
    )
    def post(self, request: Request, code: str) -> Response:
        """Say whether the member would get it now, with every question; nothing is granted."""
        data = clean(RuleTestIn, request.data)
        found = trace_rule(
            rule=rules.get_rule(code=code), member=member_of(data["member"]), at=clock.now()
        )
        checks = (*found.in_force, *found.decision.checks)
        return Response(
            {
                "granted": found.is_granted,
                "outcome": found.decision.outcome,
                "period": found.period.key,
                "checks": [
                    {"code": one.code, "passed": one.passed, "data": one.data} for one in checks
                ],
            }
        )


class MemberGrants(BrandView):
    """The rights of a member."""

    scopes = {"GET": "benefits:read", "POST": "grants:write"}

    @extend_schema(operation_id="grants_list", responses={200: GrantPage, **PROBLEMS})
    def get(self, request: Request, external_id: str) -> Response:
        """List the member's rights that have not ended or been taken back, newest first."""
        found = queries.list_grants(member=member_of(external_id), active_at=clock.now())
        return Response({"items": [_grant(value) for value in found], "next": None})

    @extend_schema(
        operation_id="grants_create", request=GrantIn, responses={201: GrantPage, **PROBLEMS}
    )
    @write(key_required=True)
    def post(self, request: Request, external_id: str) -> Response:
        """Give a member units of a benefit, or a package; once per Idempotency-Key."""
        data = clean(GrantIn, request.data)
        if bool(data["benefit"]) == bool(data["package"]):
            raise InvalidGrantError("Name either a benefit or a package.", pointer="/benefit")
        facts: dict[str, Any] = {
            "member": member_of(external_id),
            "period_key": f"api:{effect_key(request, 'grant')}",
            "quantity": data["quantity"],
            "ends_at": data.get("ends_at"),
            "reason": {"code": "granted_by_staff"},
            "by": self.actor(request),
            "at": clock.now(),
        }
        if data["benefit"]:
            benefit = catalogue.get_benefit(code=data["benefit"])
            made = [operations.grant(benefit=benefit, **facts)]
        else:
            package = catalogue.get_package(code=data["package"])
            made = operations.grant_package(package=package, **facts)
        return Response({"items": [_grant(value) for value in made], "next": None}, status=201)


class GrantRevoke(BrandView):
    """The end of a right before its time."""

    scopes = {"POST": "grants:write"}

    @extend_schema(
        operation_id="grants_revoke", request=ReasonIn, responses={200: GrantOut, **PROBLEMS}
    )
    @write()
    def post(self, request: Request, grant_id: int) -> Response:
        """Take back what is left of a right; what was used stays used."""
        found = queries.get_grant(grant_id=grant_id)
        reason = clean(ReasonIn, request.data or {})["reason"]
        operations.revoke(grant=found, reason=reason, by=self.actor(request), at=clock.now())
        return Response(_grant(queries.get_grant(grant_id=grant_id)))
