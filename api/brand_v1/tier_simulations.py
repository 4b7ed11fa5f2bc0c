"""Trying a draft of the tiers out on the members of today."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.base import BrandView, write
from api.brand_v1 import shapes
from api.brand_v1.serializers import clean
from api.brand_v1.tiers import SchemeIn
from api.openapi import PROBLEMS
from core import clock
from members.tiers import operations
from members.tiers.models import TierSimulation
from members.tiers.simulation import Simulation
from members.tiers.simulations import found_by, get_simulation
from members.tiers.values import SchemeDraft, TierDraft
from tenants.brands.context import current_brand
from tenants.jobs.queries import get_job


class MoveOut(serializers.Serializer[Any]):
    """Members who would go from a tier of today to one of the draft, or stay."""

    from_tier = serializers.CharField(allow_null=True)
    to_tier = serializers.CharField()
    members = serializers.IntegerField()


class CostOut(serializers.Serializer[Any]):
    """What one thing costs a month, in minor units."""

    name = serializers.CharField()
    now = serializers.IntegerField()
    then = serializers.IntegerField()


class SimulationOut(serializers.Serializer[Any]):
    """What a draft would do to the members of today."""

    on = serializers.DateField()
    members = serializers.IntegerField()
    risen = serializers.IntegerField()
    fallen = serializers.IntegerField()
    moves = MoveOut(many=True)
    costs = CostOut(many=True)
    currency = serializers.CharField()
    budget_per_month = serializers.IntegerField(allow_null=True)
    revenue_per_month = serializers.IntegerField(allow_null=True)
    cost_ratio_now = serializers.FloatField(allow_null=True)
    cost_ratio_then = serializers.FloatField(allow_null=True)
    over_budget = serializers.BooleanField()
    over_line = serializers.BooleanField()


class TierSimulationOut(serializers.Serializer[Any]):
    """A simulation that was asked for: its job, and its result once that is done."""

    id = serializers.IntegerField()
    job = serializers.IntegerField()
    state = serializers.CharField()
    result = SimulationOut(allow_null=True)


class Simulations(BrandView):
    """Trying out a scheme."""

    scopes = {"POST": "members:read"}

    @extend_schema(
        operation_id="tier_simulate",
        request=SchemeIn,
        responses={202: TierSimulationOut, **PROBLEMS},
    )
    @write()
    def post(self, request: Request) -> Response:
        """Ask for a draft to be tried out on the members of today; it changes nothing for them.

        The answer names the job; `GET tiers/simulations/{id}` has the result once it is done.
        """
        data = clean(SchemeIn, request.data)
        tiers = tuple(
            TierDraft(**{**tier, "name": tier.get("name") or {"en": tier["code"]}})
            for tier in data.pop("tiers")
        )
        made = operations.start_simulation(
            draft=SchemeDraft(**data, tiers=tiers), by=self.actor(request), at=clock.now()
        )
        return Response(_shape(made), status=202)


class SimulationDetail(BrandView):
    """One simulation of a scheme."""

    scopes = {"GET": "members:read"}

    @extend_schema(operation_id="tier_simulation", responses={200: TierSimulationOut, **PROBLEMS})
    def get(self, request: Request, simulation_id: int) -> Response:
        """Return how far a simulation is and, once it is done, what it found."""
        return Response(_shape(get_simulation(simulation_id=simulation_id)))


def _shape(simulation: TierSimulation) -> dict[str, Any]:
    found = found_by(simulation=simulation)
    job = simulation.job_id or 0
    return {
        "id": simulation.pk,
        "job": job,
        "state": "done" if found else get_job(job_id=job).state,
        "result": None if found is None else _result(found),
    }


def _result(found: Simulation) -> dict[str, Any]:
    old = [tier.code for tier in found.old_tiers]
    return {
        "on": shapes.day(found.on),
        "members": found.members,
        "risen": found.risen,
        "fallen": found.fallen,
        "moves": [
            {
                "from_tier": old[move.old_rank - 1] if old else None,
                "to_tier": found.draft.tiers[move.new_rank - 1].code,
                "members": move.members,
            }
            for move in found.moves
        ],
        "costs": [
            {"name": cost.name, "now": cost.now_minor, "then": cost.then_minor}
            for cost in found.costs
        ],
        "currency": current_brand().currency,
        "budget_per_month": found.yardstick.budget_minor,
        "revenue_per_month": found.yardstick.revenue_minor,
        "cost_ratio_now": found.ratio(found.now_minor),
        "cost_ratio_then": found.ratio(found.then_minor),
        "over_budget": found.is_over_budget,
        "over_line": found.is_over_line,
    }
