"""The nightly jobs of this room."""

from django.db import transaction

from core.clock import local_date
from members.segments.errors import SegmentNotFoundError
from members.segments.membership import prune_changes, store_segment, storing_order
from members.segments.operations import recompute_scores
from members.segments.queries import list_segments
from tenants.brands.context import current_brand
from tenants.jobs.runs import JobRun

_SUNDAY = 6


def run_recompute(run: JobRun) -> None:
    """Score all members as of today in the brand's time zone; on Sundays from all their days.

    Rolled scores do not drift; if they ever did, it would not last longer than a week.
    """
    on = local_date(run.at, current_brand().timezone)
    with transaction.atomic():
        done = recompute_scores(on=on, at=run.at, full=on.weekday() == _SUNDAY)
        run.complete({"scored": done.scored, "changed": done.changed})


def run_store(run: JobRun) -> None:
    """Store who is in each saved segment as of today, or in the one that the parameters name.

    A transaction each; those that others depend on come first. A segment removed meanwhile is
    passed over.
    """
    on = local_date(run.at, current_brand().timezone)
    only = run.parameters.get("segment")
    segments = [row for row in storing_order(segments=list_segments()) if only in {None, row.pk}]
    entered = left = 0
    for number, segment in enumerate(segments):
        run.progress(number, len(segments))
        try:
            stored = store_segment(segment_id=segment.pk, on=on, at=run.at)
        except SegmentNotFoundError:
            continue
        entered, left = entered + stored.entered, left + stored.left
    with transaction.atomic():
        pruned = prune_changes(on=on) if only is None else 0
        run.complete(
            {"segments": len(segments), "entered": entered, "left": left, "pruned": pruned}
        )
