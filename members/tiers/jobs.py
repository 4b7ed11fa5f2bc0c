"""The nightly evaluation, in parts, each a transaction of its own; simulations."""

from collections.abc import Callable
from datetime import date
from functools import partial

from django.db import transaction
from django.db.models import Max, Min

from core.clock import local_date
from members.profiles.models import Member
from members.tiers.models import TierScheme, TierSimulation
from members.tiers.operations import (
    Evaluated,
    Settled,
    evaluate_members,
    evaluate_range,
    find_candidates,
    list_due,
    mark_replaced,
    note_found,
    note_run,
    settle_members,
    tell_of_endings,
    tell_of_renewals,
)
from members.tiers.simulation import simulate
from members.tiers.simulations import draft_of
from tenants.brands.context import current_brand
from tenants.jobs.runs import JobRun

# Members per transaction: about half a second, during which purchases of these members that reach
# a higher tier wait.
PART = 10_000


def run_evaluate(run: JobRun) -> None:
    """Evaluate as of today in the brand's time zone: whoever can have changed, or all.

    `full` in the parameters looks at all members whatever the last run.
    """
    on = local_date(run.at, current_brand().timezone)
    scheme = mark_replaced(on=on)
    if scheme is None:
        with transaction.atomic():
            run.complete({"upgraded": 0, "downgraded": 0, "told": 0})
        return
    settled = _settle(run, scheme, on)
    members = None if run.parameters.get("full") else find_candidates(on=on)
    looked_at, parts = _parts(members, run, on)
    found = Evaluated()
    for number, evaluate in enumerate(parts, start=1):
        run.progress(number - 1, len(parts))
        with transaction.atomic():
            found += evaluate()
            if number == len(parts):
                note_run(
                    scheme=scheme,
                    on=on,
                    at=run.at,
                    is_full=members is None,
                    looked_at=looked_at,
                    found=found,
                )
                run.complete(
                    {
                        "upgraded": found.upgraded,
                        "downgraded": found.downgraded,
                        "told": found.told,
                        **settled,
                    }
                )


def _settle(run: JobRun, scheme: TierScheme, on: date) -> dict[str, int]:
    """Begin and end what was bought or set by hand, and tell of what will end."""
    settled = Settled()
    parts = list_due(on=on)
    for number, members in enumerate(parts):
        run.progress(number, len(parts))
        settled += settle_members(member_ids=members, on=on, at=run.at)
    found = {
        "pins_began": settled.began,
        "pins_ended": settled.ended,
        "endings_told": tell_of_endings(on=on, at=run.at, notice_days=scheme.notice_days),
        "renewals_told": tell_of_renewals(on=on, at=run.at, notice_days=scheme.notice_days),
    }
    return {name: count for name, count in found.items() if count}


def _parts(
    members: list[int] | None, run: JobRun, on: date
) -> tuple[int, list[Callable[[], Evaluated]]]:
    """Return how many members there are and what evaluates them, part by part; at least one."""
    if members is not None:
        chunks = [members[start : start + PART] for start in range(0, len(members), PART)] or [[]]
        return len(members), [
            partial(evaluate_members, member_ids=chunk, on=on, at=run.at) for chunk in chunks
        ]
    keys = Member.objects.aggregate(first=Min("pk"), last=Max("pk"))
    low, end = keys["first"] or 0, (keys["last"] or 0) + 1
    return Member.objects.count(), [
        partial(evaluate_range, low=start, high=start + PART, on=on, at=run.at)
        for start in range(low, end, PART)
    ]


def run_simulate(run: JobRun) -> None:
    """Try out the draft that the parameters name; nothing but what is found is stored."""
    simulation = TierSimulation.objects.filter(pk=run.parameters["simulation"]).first()
    if simulation is None:
        with transaction.atomic():
            run.complete()
        return
    found = simulate(
        draft=draft_of(simulation=simulation), at=simulation.asked_at, progress=run.progress
    )
    with transaction.atomic():
        note_found(simulation=simulation, found=found, at=run.at)
        run.complete({"members": found.members, "risen": found.risen, "fallen": found.fallen})
