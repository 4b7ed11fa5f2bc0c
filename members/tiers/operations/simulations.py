"""Simulations as jobs: asked for, worked on by a worker, kept with what they found."""

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from core.actors import Actor
from members.tiers._drafts import check_draft
from members.tiers.models import TierSimulation
from members.tiers.simulation import Simulation
from members.tiers.values import SchemeDraft
from tenants.jobs.operations import enqueue

SIMULATE = "tiers.simulate"
# Members move on; what was found long ago says nothing any more.
_KEPT = timedelta(days=90)


def start_simulation(*, draft: SchemeDraft, by: Actor, at: datetime) -> TierSimulation:
    """Ask for a draft to be tried out on the members of today, by a job.

    :raises InvalidSchemeError: for a draft that can not be, with a pointer to the place.
    """
    check_draft(draft)
    with transaction.atomic():
        TierSimulation.objects.filter(asked_at__lt=at - _KEPT).delete()
        made = TierSimulation.objects.create(draft=asdict(draft), asked_by=by.key, asked_at=at)
        made.job_id = enqueue(
            kind=SIMULATE,
            dedupe_key=f"simulation:{made.pk}",
            parameters={"simulation": made.pk},
            by=by,
            at=at,
        ).pk
        made.save(update_fields=["job_id"])
    return made


def note_found(*, simulation: TierSimulation, found: Simulation, at: datetime) -> None:
    """Write down what a simulation found; in the transaction that closes its job."""
    result: dict[str, Any] = {
        "on": found.on.isoformat(),
        "old_tiers": [tier.pk for tier in found.old_tiers],
        "moves": [[move.old_rank, move.new_rank, move.members] for move in found.moves],
        "costs": [[cost.name, cost.now_minor, cost.then_minor] for cost in found.costs],
        "yardstick": asdict(found.yardstick),
        "risen": found.risen,
        "fallen": found.fallen,
    }
    TierSimulation.objects.filter(pk=simulation.pk).update(result=result, finished_at=at)
