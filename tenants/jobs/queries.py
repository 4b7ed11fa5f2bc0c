"""Reading jobs: of the current brand, and of all for the operator."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Min, Q

from tenants.brands.context import current_brand, platform_context
from tenants.jobs.errors import UnknownJobError
from tenants.jobs.models import Heartbeat, Job

# A due job that has not ended after this long needs somebody's attention (I8).
DEADLINE = timedelta(minutes=15)


def get_job(*, job_id: int) -> Job:
    """Return a job of the current brand.

    :raises UnknownJobError: if there is none, or it is another brand's.
    """
    try:
        return Job.objects.get(pk=job_id, brand_id=current_brand().pk)
    except Job.DoesNotExist:
        raise UnknownJobError from None


def list_jobs(
    *,
    kind: str | None = None,
    state: str | None = None,
    before: int | None = None,
    limit: int = 50,
) -> list[Job]:
    """Return the current brand's jobs, newest first, those before the key `before`."""
    jobs = Job.objects.filter(brand_id=current_brand().pk).order_by("-id")
    if kind is not None:
        jobs = jobs.filter(kind=kind)
    if state is not None:
        jobs = jobs.filter(state=state)
    if before is not None:
        jobs = jobs.filter(pk__lt=before)
    return list(jobs[:limit])


def list_latest_jobs() -> dict[str, Job]:
    """Return the current brand's newest job of each kind."""
    jobs = Job.objects.filter(brand_id=current_brand().pk).order_by("kind", "-id").distinct("kind")
    return {job.kind: job for job in jobs}


@dataclass(frozen=True, slots=True)
class QueueState:
    """How much work waits, over all brands."""

    open: int
    running: int
    failed: int
    overdue: int
    oldest_due_at: datetime | None


def queue_state(*, at: datetime) -> QueueState:
    """Return the state of the queue over all brands; `overdue` breaks invariant I8."""
    waiting = Q(state__in=[Job.State.OPEN, Job.State.RUNNING])
    with platform_context():
        found = Job.objects.aggregate(
            open=Count("pk", filter=Q(state=Job.State.OPEN)),
            running=Count("pk", filter=Q(state=Job.State.RUNNING)),
            failed=Count("pk", filter=Q(state=Job.State.FAILED)),
            overdue=Count("pk", filter=waiting & Q(due_at__lt=at - DEADLINE)),
            oldest_due_at=Min("due_at", filter=waiting & Q(due_at__lte=at)),
        )
    return QueueState(**found)


def list_all_jobs(*, state: str | None = None, limit: int = 100) -> list[Job]:
    """Return jobs of all brands with their brand, newest first; for the operator."""
    with platform_context():
        jobs = Job.objects.select_related("brand").order_by("-id")
        if state is not None:
            jobs = jobs.filter(state=state)
        return list(jobs[:limit])


def last_heartbeat(name: str) -> datetime | None:
    """Return when a background process was last seen at work."""
    with platform_context():
        return Heartbeat.objects.filter(name=name).values_list("at", flat=True).first()
