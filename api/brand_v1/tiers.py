"""Tiers: where a member stands and why, tiers by hand, paid memberships, schemes, simulation."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.base import BrandView, int_cursor, page, page_limit, write
from api.brand_v1 import shapes
from api.brand_v1.lookups import member_of
from api.brand_v1.serializers import clean
from api.fields import MoneySerializer, StrictInteger, StrictSerializer, StrictText
from api.openapi import PROBLEMS, ListOf
from core import clock
from core.money import MAX_MINOR
from members.profiles.models import Member
from members.tiers import operations, paid, queries
from members.tiers.errors import NoSchemeError
from members.tiers.models import PaidPlan, PaidTerm, Tier, TierChange, TierPin, TierScheme


class OverrideIn(StrictSerializer):
    """A tier set by hand, in force from now through the day `until`."""

    tier = StrictText(max_length=30)
    mode = serializers.ChoiceField(choices=TierPin.Mode.values)
    until = serializers.DateField()
    reason = StrictText(max_length=200)


class ReasonIn(StrictSerializer):
    """Why."""

    reason = StrictText(max_length=200)


class PaymentIn(StrictSerializer):
    """A payment for a plan, taken by the brand's own shop."""

    plan = StrictText(max_length=30)
    reference = StrictText(max_length=100, help_text="The payment's id, unique for ever.")
    amount = MoneySerializer(required=False)


class TermRefundIn(StrictSerializer):
    """What was given back; without an amount, all of it."""

    reference = StrictText(max_length=100)
    amount = MoneySerializer(required=False)
    reason = StrictText(max_length=200, required=False, default="")


class RenewalIn(StrictSerializer):
    """Whether a payment is expected at the end of the term."""

    renews = serializers.BooleanField()


class TierIn(StrictSerializer):
    """One tier of a draft, lowest first."""

    code = StrictText(max_length=30)
    name = serializers.DictField(child=StrictText(max_length=60), required=False)
    entry_threshold = StrictInteger(min_value=0, max_value=MAX_MINOR)
    keep_threshold = StrictInteger(min_value=0, max_value=MAX_MINOR)
    multiplier_bp = StrictInteger(min_value=0, max_value=1_000_000, required=False, default=10_000)
    grace_days = StrictInteger(min_value=0, max_value=366, required=False, default=0)


class SchemeIn(StrictSerializer):
    """A scheme to try out."""

    metric = serializers.ChoiceField(choices=TierScheme.Metric.values)
    window = serializers.ChoiceField(choices=TierScheme.Window.values)
    window_months = StrictInteger(required=False, allow_null=True, default=None)
    downgrade_policy = serializers.ChoiceField(
        choices=TierScheme.DowngradePolicy.values, required=False, default="one_step"
    )
    notice_days = StrictInteger(min_value=0, max_value=366, required=False, default=14)
    tiers = TierIn(many=True, min_length=1, max_length=12)  # type: ignore[call-arg]


class PinOut(serializers.Serializer[Any]):
    """What holds the tier beside the metric."""

    source = serializers.ChoiceField(choices=TierPin.Source.values)  # type: ignore[assignment]
    mode = serializers.ChoiceField(choices=TierPin.Mode.values)
    ends_on = serializers.DateField(help_text="First day without it.")


class MemberTierOut(shapes.StandingOut):
    """Where a member stands, what is earned, and what holds the tier beside it."""

    earned = serializers.CharField()
    window_from = serializers.DateField(allow_null=True)
    window_to = serializers.DateField(help_text="First day after the window.")
    held_by = PinOut(allow_null=True)


class ChangeOut(serializers.Serializer[Any]):
    """One change with its evidence: a metric with its threshold, or what held the tier."""

    id = serializers.IntegerField()
    at = serializers.DateTimeField()
    from_tier = serializers.CharField()
    to_tier = serializers.CharField()
    earned = serializers.CharField()
    cause = serializers.ChoiceField(choices=TierChange.Cause.values)
    scheme = serializers.IntegerField()
    metric_value = serializers.IntegerField(allow_null=True)
    threshold = serializers.IntegerField(allow_null=True)
    window_from = serializers.DateField(allow_null=True)
    window_to = serializers.DateField(allow_null=True)
    held_by = PinOut(allow_null=True)


class PlanOut(serializers.Serializer[Any]):
    """A membership that can be bought."""

    code = serializers.CharField()
    name = serializers.DictField(child=serializers.CharField())
    tier = serializers.CharField()
    price = shapes.MoneyOut()
    period_months = serializers.IntegerField()
    renews = serializers.BooleanField()
    grace_days = serializers.IntegerField()
    offered = serializers.BooleanField()


class TermOut(serializers.Serializer[Any]):
    """One paid period of a member."""

    id = serializers.IntegerField()
    plan = serializers.CharField()
    reference = serializers.CharField()
    paid = shapes.MoneyOut()
    refunded = shapes.MoneyOut()
    starts_on = serializers.DateField()
    ends_on = serializers.DateField(help_text="First day after the period.")
    holds_until = serializers.DateField(help_text="First day without the tier, grace included.")
    renews = serializers.BooleanField()
    state = serializers.ChoiceField(choices=["scheduled", "active", *TierPin.Ending.values])


class SchemeTierOut(shapes.TierOut):
    """One tier of a version."""

    grace_days = serializers.IntegerField()


class SchemeOut(serializers.Serializer[Any]):
    """One version of the tiers."""

    version = serializers.IntegerField()
    status = serializers.ChoiceField(choices=TierScheme.Status.values)
    metric = serializers.CharField()
    window = serializers.CharField()
    window_months = serializers.IntegerField(allow_null=True)
    downgrade_policy = serializers.CharField()
    notice_days = serializers.IntegerField()
    starts_on = serializers.DateField(allow_null=True)
    tiers = SchemeTierOut(many=True)


class MemberTier(BrandView):
    """The tier of one member."""

    scopes = {"GET": "members:read"}

    @extend_schema(operation_id="member_tier_get", responses={200: MemberTierOut, **PROBLEMS})
    def get(self, request: Request, external_id: str) -> Response:
        """Return where a member stands, what lacks to rise and to stay, and what holds the tier."""
        return Response(_standing(member_of(external_id)))


class MemberTierChanges(BrandView):
    """Why a member has the tier."""

    scopes = {"GET": "members:read"}

    @extend_schema(
        operation_id="member_tier_changes",
        parameters=[OpenApiParameter("cursor", str), OpenApiParameter("limit", int)],
        responses={200: ListOf(ChangeOut), **PROBLEMS},
    )
    def get(self, request: Request, external_id: str) -> Response:
        """List all changes, newest first, each with the evidence that decided it."""
        limit = page_limit(request)
        found = queries.list_changes(
            member_id=member_of(external_id).pk,
            before=int_cursor(request.query_params.get("cursor")),
            limit=limit + 1,
        )
        body = page(found, limit=limit, position=lambda change: change.pk)
        body["items"] = [_change(change) for change in body["items"]]
        return Response(body)


class Override(BrandView):
    """A tier set by hand."""

    scopes = {"PUT": "members:write", "DELETE": "members:write"}

    @extend_schema(
        operation_id="member_tier_override",
        request=OverrideIn,
        responses={200: MemberTierOut, **PROBLEMS},
    )
    @write(key_required=True)
    def put(self, request: Request, external_id: str) -> Response:
        """Hold a member at a tier from now through a day; it replaces what was set before."""
        member = member_of(external_id)
        operations.set_override(
            member=member, by=self.actor(request), at=clock.now(), **clean(OverrideIn, request.data)
        )
        return Response(_standing(member))

    @extend_schema(
        operation_id="member_tier_override_lift",
        request=ReasonIn,
        responses={200: MemberTierOut, **PROBLEMS},
    )
    @write(key_required=True)
    def delete(self, request: Request, external_id: str) -> Response:
        """End what was set by hand before its day."""
        member = member_of(external_id)
        operations.lift_override(
            member=member, by=self.actor(request), at=clock.now(), **clean(ReasonIn, request.data)
        )
        return Response(_standing(member))


class PaidMemberships(BrandView):
    """Memberships that a member has paid for."""

    scopes = {"GET": "members:read", "POST": "members:write"}

    @extend_schema(
        operation_id="paid_memberships_list", responses={200: ListOf(TermOut), **PROBLEMS}
    )
    def get(self, request: Request, external_id: str) -> Response:
        """List the terms of a member, newest first."""
        terms = paid.list_terms(member_id=member_of(external_id).pk)
        return Response({"items": [_term(term) for term in terms], "next": None})

    @extend_schema(
        operation_id="paid_memberships_create",
        request=PaymentIn,
        responses={200: TermOut, 201: TermOut, **PROBLEMS},
    )
    @write(key_required=True)
    def post(self, request: Request, external_id: str) -> Response:
        """Take down a payment: the first of a membership, or the renewal of one that runs."""
        data = clean(PaymentIn, request.data)
        amount = data.get("amount") or {}
        bought = operations.record_payment(
            member=member_of(external_id),
            plan=data["plan"],
            reference=data["reference"],
            amount_minor=amount.get("amount"),
            currency=amount.get("currency"),
            by=self.actor(request),
            at=clock.now(),
        )
        term = paid.get_term(term_id=bought.term.pk)
        return Response(_term(term), status=201 if bought.created else 200)


class PaidMembershipRefund(BrandView):
    """The end of a term by refund."""

    scopes = {"POST": "members:write"}

    @extend_schema(
        operation_id="paid_memberships_refund",
        request=TermRefundIn,
        responses={200: TermOut, **PROBLEMS},
    )
    @write(key_required=True)
    def post(self, request: Request, term_id: int) -> Response:
        """End a term at once and take down what was given back."""
        data = clean(TermRefundIn, request.data)
        operations.refund_term(
            term_id=term_id,
            reference=data["reference"],
            amount_minor=(data.get("amount") or {}).get("amount"),
            reason=data["reason"],
            by=self.actor(request),
            at=clock.now(),
        )
        return Response(_term(paid.get_term(term_id=term_id)))


class PaidMembershipRenewal(BrandView):
    """Whether a term is to be renewed."""

    scopes = {"PUT": "members:write"}

    @extend_schema(
        operation_id="paid_memberships_renewal",
        request=RenewalIn,
        responses={200: TermOut, **PROBLEMS},
    )
    @write()
    def put(self, request: Request, term_id: int) -> Response:
        """Stop or resume the renewal of a term."""
        operations.set_renewal(
            term_id=term_id,
            by=self.actor(request),
            at=clock.now(),
            **clean(RenewalIn, request.data),
        )
        return Response(_term(paid.get_term(term_id=term_id)))


class Plans(BrandView):
    """Memberships on offer."""

    scopes = {"GET": "members:read"}

    @extend_schema(operation_id="tier_plans", responses={200: ListOf(PlanOut), **PROBLEMS})
    def get(self, request: Request) -> Response:
        """List the plans, those on offer first."""
        return Response({"items": [_plan(plan) for plan in paid.list_plans()], "next": None})


class Schemes(BrandView):
    """Versions of the tiers."""

    scopes = {"GET": "members:read"}

    @extend_schema(operation_id="tier_schemes", responses={200: ListOf(SchemeOut), **PROBLEMS})
    def get(self, request: Request) -> Response:
        """List all versions with their tiers, newest first."""
        tiers = queries.list_tiers_by_scheme()
        items = [_scheme(row, tiers.get(row.pk, [])) for row in queries.list_schemes()]
        return Response({"items": items, "next": None})


class SchemeDetail(BrandView):
    """One version of the tiers."""

    scopes = {"GET": "members:read"}

    @extend_schema(operation_id="tier_scheme", responses={200: SchemeOut, **PROBLEMS})
    def get(self, request: Request, version: int) -> Response:
        """Return a version with its tiers."""
        scheme = queries.get_scheme_version(version=version)
        return Response(_scheme(scheme, queries.list_scheme_tiers(scheme=scheme)))


def _standing(member: Member) -> dict[str, Any]:
    found = queries.get_standing(member_id=member.pk, at=clock.now())
    if found is None:
        raise NoSchemeError
    pin = found.pin
    return {
        **(shapes.standing(found) or {}),
        "earned": found.earned.code,
        "window_from": shapes.day(found.window_from),
        "window_to": shapes.day(found.window_to),
        "held_by": _pin(pin.source, pin.mode, pin.ends_on) if pin else None,
    }


def _pin(source: str, mode: str, ends_on: Any) -> dict[str, Any]:
    return {"source": source, "mode": mode, "ends_on": shapes.day(ends_on)}


def _change(change: TierChange) -> dict[str, Any]:
    pin = change.pin
    return {
        "id": change.pk,
        "at": shapes.time(change.at),
        "from_tier": change.from_tier.code,
        "to_tier": change.to_tier.code,
        "earned": (change.earned_tier or change.to_tier).code,
        "cause": change.cause,
        "scheme": change.scheme_version,
        "metric_value": change.metric_value,
        "threshold": change.threshold,
        "window_from": shapes.day(change.window_from),
        "window_to": shapes.day(change.window_to),
        "held_by": _pin(pin.source, pin.mode, pin.ends_on) if pin else None,
    }


def _money(amount: int, currency: str) -> dict[str, Any]:
    return {"amount": amount, "currency": currency}


def _plan(plan: PaidPlan) -> dict[str, Any]:
    return {
        "code": plan.code,
        "name": plan.name,
        "tier": plan.tier_code,
        "price": _money(plan.price_minor, plan.currency),
        "period_months": plan.period_months,
        "renews": plan.renews,
        "grace_days": plan.grace_days,
        "offered": plan.is_offered,
    }


def _term(term: PaidTerm) -> dict[str, Any]:
    return {
        "id": term.pk,
        "plan": term.plan.code,
        "reference": term.reference,
        "paid": _money(term.price_minor, term.currency),
        "refunded": _money(term.refunded_minor, term.currency),
        "starts_on": shapes.day(term.starts_on),
        "ends_on": shapes.day(term.ends_on),
        "holds_until": shapes.day(term.pin.ends_on),
        "renews": term.renews,
        "state": term.pin.state,
    }


def _scheme(scheme: TierScheme, tiers: list[Tier]) -> dict[str, Any]:
    return {
        "version": scheme.version,
        "status": scheme.status,
        "metric": scheme.metric,
        "window": scheme.window,
        "window_months": scheme.window_months,
        "downgrade_policy": scheme.downgrade_policy,
        "notice_days": scheme.notice_days,
        "starts_on": shapes.day(scheme.starts_on),
        "tiers": [{**shapes.tier(tier), "grace_days": tier.grace_days} for tier in tiers],
    }
