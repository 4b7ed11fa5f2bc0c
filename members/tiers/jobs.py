"""The nightly evaluation of all members, in ranges, each a transaction of its own."""

from django.db import transaction
from django.db.models import Max, Min

from core.clock import local_date
from members.profiles.models import Member
from members.tiers.operations import evaluate_range, mark_replaced
from tenants.brands.context import current_brand
from tenants.jobs.runs import JobRun

# Keys per transaction: about half a second, during which purchases of these members that reach a
# higher tier wait.
RANGE = 10_000


def run_evaluate(run: JobRun) -> None:
    """Evaluate every member as of today in the brand's time zone."""
    on = local_date(run.at, current_brand().timezone)
    mark_replaced(on=on)
    keys = Member.objects.aggregate(first=Min("pk"), last=Max("pk"))
    low, end = keys["first"] or 0, (keys["last"] or 0) + 1
    total = end - low
    counts = {"upgraded": 0, "downgraded": 0, "told": 0}
    for start in range(low, end, RANGE):
        run.progress(start - low, total)
        is_last = start + RANGE >= end
        with transaction.atomic():
            done = evaluate_range(low=start, high=start + RANGE, on=on, at=run.at)
            counts["upgraded"] += done.upgraded
            counts["downgraded"] += done.downgraded
            counts["told"] += done.told
            if is_last:
                run.complete(counts)
    if not run.is_completed:
        run.complete(counts)
