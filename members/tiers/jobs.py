"""The nightly evaluation, in parts, each a transaction of its own."""

from collections.abc import Callable
from datetime import date
from functools import partial

from django.db import transaction
from django.db.models import Max, Min

from core.clock import local_date
from members.profiles.models import Member
from members.tiers.operations import (
    Evaluated,
    evaluate_members,
    evaluate_range,
    find_candidates,
    mark_replaced,
    note_run,
)
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
    mark_replaced(on=on)
    members = None if run.parameters.get("full") else find_candidates(on=on)
    looked_at, parts = _parts(members, run, on)
    found = Evaluated()
    for number, evaluate in enumerate(parts, start=1):
        run.progress(number - 1, len(parts))
        with transaction.atomic():
            found += evaluate()
            if number == len(parts):
                note_run(
                    on=on, at=run.at, is_full=members is None, looked_at=looked_at, found=found
                )
                run.complete(
                    {
                        "upgraded": found.upgraded,
                        "downgraded": found.downgraded,
                        "told": found.told,
                    }
                )


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
