"""Earning rules and campaigns: to read, and to simulate a draft without storing it."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.base import BrandView
from api.brand_v1 import earning_shapes
from api.brand_v1.serializers import clean
from api.fields import StrictInteger, StrictSerializer, StrictText
from api.openapi import PROBLEMS
from core import clock
from members.earning import queries
from members.earning.campaign_operations import draft_campaign
from members.earning.models import Campaign, EarningRule
from members.earning.rule_operations import draft_rule
from members.earning.simulation import simulate_campaign, simulate_rule

_BIG = 1_000_000_000


class _PlacesIn(StrictSerializer):
    categories = serializers.ListField(child=StrictText(max_length=64), required=False)
    stores = serializers.ListField(child=StrictText(max_length=40), required=False)
    channels = serializers.ListField(child=StrictText(max_length=40), required=False)
    condition = serializers.DictField(required=False, allow_null=True)
    starts_at = serializers.DateTimeField(required=False, allow_null=True, default_timezone=None)
    ends_at = serializers.DateTimeField(required=False, allow_null=True, default_timezone=None)
    month = serializers.DateField(
        required=False, help_text="Any day of the month to simulate; by default the last one."
    )


class RuleDraftIn(_PlacesIn):
    """A rule on purchases as it might be."""

    name = StrictText(max_length=80, required=False, default="Draft")
    effect = serializers.ChoiceField(choices=EarningRule.Effect.choices)
    wallets = serializers.ChoiceField(
        choices=EarningRule.Wallets.choices, required=False, default="both"
    )
    points = StrictInteger(min_value=1, max_value=_BIG)
    unit = StrictInteger(min_value=1, max_value=_BIG, required=False, default=100)
    category_mode = serializers.ChoiceField(
        choices=EarningRule.CategoryMode.choices, required=False, default="only"
    )
    cap_per_day = StrictInteger(min_value=0, max_value=_BIG, required=False, allow_null=True)
    cap_per_month = StrictInteger(min_value=0, max_value=_BIG, required=False, allow_null=True)
    stacking = serializers.ChoiceField(
        choices=EarningRule.Stacking.choices, required=False, default="sum"
    )
    stack_group = StrictText(max_length=40, required=False, allow_blank=True, default="")
    priority = StrictInteger(min_value=0, max_value=32_767, required=False, default=100)


class CampaignDraftIn(_PlacesIn):
    """A campaign as it might be; its dates do not matter, as it counts for all of the month."""

    name = StrictText(max_length=80, required=False, default="Draft")
    effect = serializers.ChoiceField(choices=Campaign.Effect.choices)
    multiplier_bp = StrictInteger(min_value=1, max_value=_BIG, required=False, default=10_000)
    points = StrictInteger(min_value=0, max_value=_BIG, required=False, default=0)
    combine = serializers.ChoiceField(
        choices=Campaign.Combine.choices, required=False, default="best"
    )
    rules = serializers.ListField(child=StrictInteger(min_value=1), required=False)


class EarningRules(BrandView):
    """What is earned for what."""

    scopes = {"GET": "earning:read"}

    @extend_schema(
        operation_id="earning_rules_list",
        responses={200: earning_shapes.EarningRulesOut, **PROBLEMS},
    )
    def get(self, request: Request) -> Response:
        """List all earning rules, newest first."""
        return Response({"items": [earning_shapes.rule(row) for row in queries.list_rules()]})


class Campaigns(BrandView):
    """More points for a time."""

    scopes = {"GET": "earning:read"}

    @extend_schema(
        operation_id="campaigns_list", responses={200: earning_shapes.CampaignsOut, **PROBLEMS}
    )
    def get(self, request: Request) -> Response:
        """List all campaigns, the one that begins last first."""
        return Response(
            {"items": [earning_shapes.campaign(row) for row in queries.list_campaigns()]}
        )


class RuleSimulation(BrandView):
    """What a rule would have given."""

    scopes = {"POST": "earning:read"}

    @extend_schema(
        operation_id="earning_rules_simulate",
        request=RuleDraftIn,
        responses={200: earning_shapes.SimulationOut, **PROBLEMS},
    )
    def post(self, request: Request) -> Response:
        """Compute a draft on a month's real purchases; nothing is stored."""
        data: dict[str, Any] = clean(RuleDraftIn, request.data)
        month, at = data.pop("month", None), clock.now()
        draft = draft_rule({**data, "unit_minor": data.pop("unit")}, at=at)
        return Response(earning_shapes.simulation(simulate_rule(rule=draft, at=at, month=month)))


class CampaignSimulation(BrandView):
    """What a campaign would have added."""

    scopes = {"POST": "earning:read"}

    @extend_schema(
        operation_id="campaigns_simulate",
        request=CampaignDraftIn,
        responses={200: earning_shapes.SimulationOut, **PROBLEMS},
    )
    def post(self, request: Request) -> Response:
        """Compute a draft on a month's real purchases; nothing is stored."""
        data: dict[str, Any] = clean(CampaignDraftIn, request.data)
        month, at = data.pop("month", None), clock.now()
        draft = draft_campaign({**data, "rule_ids": data.pop("rules", [])}, at=at)
        return Response(
            earning_shapes.simulation(simulate_campaign(campaign=draft, at=at, month=month))
        )
