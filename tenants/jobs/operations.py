"""Making jobs, running them, and never losing one.

A job is a row. The broker only carries hints that a row is due: when it loses them, the sweeper
sends them again. A row is closed by the very transaction that makes the job's effect, and only
by the run that holds it, so that a job has its effect once however often it is started.
"""

from collections.abc import Mapping
from contextlib import nullcontext
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from django.db import connection, transaction

from core import clock
from core.actors import Actor
from tenants.brands.context import current_brand, platform_context
from tenants.brands.models import Brand
from tenants.brands.queries import list_brands
from tenants.jobs import registry
from tenants.jobs.errors import (
    JobCancelled,
    JobFinishedError,
    UnknownKindError,
)
from tenants.jobs.models import Heartbeat, Job
from tenants.jobs.publishing import publish
from tenants.jobs.runs import LEASE_SECONDS, JobRun, LeaseKeeper

logger = structlog.get_logger(__name__)

RUN_TASK = "jobs.run"
MAX_ATTEMPTS = 5
# A published row that nobody has taken is published again after this long.
REPUBLISH_AFTER = timedelta(minutes=2)
_ENDED = (Job.State.DONE, Job.State.FAILED, Job.State.CANCELLED)


def enqueue(
    *,
    kind: str,
    dedupe_key: str,
    parameters: Mapping[str, Any] | None = None,
    due_at: datetime | None = None,
    by: Actor,
    at: datetime,
) -> Job:
    """Make a job of the current brand, in the caller's transaction; or return the one that is.

    The same kind and key give the same job, whatever became of it. Parameters hold keys, never
    amounts or personal data. It is handed to a worker after the commit.

    :raises UnknownKindError: if no room has registered the kind.
    """
    brand = current_brand()
    registry.get_kind(kind)
    due = due_at or at
    Job.objects.bulk_create(
        [
            Job(
                brand_id=brand.pk,
                kind=kind,
                dedupe_key=dedupe_key,
                parameters=dict(parameters or {}),
                due_at=due,
                published_at=at if due <= at else None,
                requested_by=by.key,
            )
        ],
        ignore_conflicts=True,
    )
    job = Job.objects.get(brand_id=brand.pk, kind=kind, dedupe_key=dedupe_key)
    if job.state == Job.State.OPEN and due <= at:
        transaction.on_commit(partial(_publish, job.pk, brand.schema_name))
    return job


def run_job(*, job_id: int, at: datetime) -> bool:
    """Run a job of the current brand to its end; return whether this call ran it.

    Does nothing when the job is not due, has ended, or another worker holds it. A failure is
    noted on the row and tried again later, five times in all.
    """
    job = _claim(job_id, at)
    if job is None:
        return False
    if job.cancel_requested:
        _finish(job, state=Job.State.CANCELLED, at=at)
        return True
    run = JobRun(job=job, at=at)
    try:
        handler = registry.get_kind(job.kind).handler
        # In a transaction of the caller's (tests) a failed statement must not spoil the rest.
        with transaction.atomic() if connection.in_atomic_block else nullcontext():
            with LeaseKeeper(job):
                handler(run)
            run.check_completed()
    except JobCancelled:
        _finish(job, state=Job.State.CANCELLED, at=at)
    except Exception as error:  # noqa: BLE001 - the edge: any failure belongs on the row
        _note_failure(job, error, at)
    return True


def run_pending(*, at: datetime, limit: int = 1000) -> int:
    """Run the current brand's due jobs here and now, oldest first; return how many.

    For commands, the demo's history and tests. Jobs that these make are run as well.
    """
    count = 0
    brand = current_brand()
    while count < limit:
        job_id = (
            Job.objects.filter(brand_id=brand.pk, state=Job.State.OPEN, due_at__lte=at)
            .order_by("due_at", "id")
            .values_list("pk", flat=True)
            .first()
        )
        if job_id is None or not run_job(job_id=job_id, at=at):
            break
        count += 1
    return count


def request_cancel(*, job: Job, by: Actor) -> None:
    """Ask a job to stop: a waiting one at once, a running one at its next step.

    :raises JobFinishedError: if it has ended.
    """
    changed = Job.objects.filter(pk=job.pk).exclude(state__in=_ENDED).update(cancel_requested=True)
    if not changed:
        raise JobFinishedError
    Job.objects.filter(pk=job.pk, state=Job.State.OPEN).update(
        state=Job.State.CANCELLED, finished_at=clock.now()
    )
    logger.info("job_cancel_requested", job=job.pk, by=by.key)
    job.refresh_from_db()


def retry_job(*, job_id: int, by: Actor, at: datetime) -> None:
    """Start a failed or cancelled job of any brand afresh; for operators.

    :raises JobFinishedError: if it is done, has not ended, or does not exist.
    """
    changed = Job.objects.filter(
        pk=job_id, state__in=[Job.State.FAILED, Job.State.CANCELLED]
    ).update(
        state=Job.State.OPEN,
        due_at=at,
        attempts=0,
        cancel_requested=False,
        finished_at=None,
        published_at=None,
    )
    if not changed:
        raise JobFinishedError
    logger.info("job_retried", job=job_id, by=by.key)


def tick(*, at: datetime) -> int:
    """Make the rows of all scheduled jobs that have fallen due, of all active brands.

    However many schedulers tick, each period has one row. Return how many were new.
    """
    wanted = [
        Job(
            brand=brand,
            kind=kind.kind,
            dedupe_key=occurrence.key,
            due_at=occurrence.due_at,
            requested_by="schedule",
        )
        for brand in list_brands()
        for kind in registry.list_kinds()
        if kind.schedule is not None
        for occurrence in [kind.schedule.latest(at=at, zone=ZoneInfo(brand.timezone))]
    ]
    with platform_context(), transaction.atomic():
        known = set(
            Job.objects.filter(dedupe_key__in={job.dedupe_key for job in wanted}).values_list(
                "brand_id", "kind", "dedupe_key"
            )
        )
        new = [job for job in wanted if (job.brand_id, job.kind, job.dedupe_key) not in known]
        before = Job.objects.count() if new else 0
        Job.objects.bulk_create(new, ignore_conflicts=True)
        return Job.objects.count() - before if new else 0


def sweep(*, at: datetime) -> int:
    """Re-open jobs whose worker died, and publish all that is due; return how many were sent."""
    beat(name="sweeper", at=at)
    with platform_context():
        with connection.cursor() as cursor:
            cursor.execute(
                # A job that kills its worker time and again is given up like any other.
                "UPDATE jobs_job SET leased_until = NULL, published_at = NULL, "
                "state = CASE WHEN attempts < %s THEN 'open' ELSE 'failed' END, "
                "error = 'The worker died.' "
                "WHERE state = 'running' AND leased_until < clock_timestamp() "
                "RETURNING id, kind, attempts",
                [MAX_ATTEMPTS],
            )
            for job_id, kind, attempts in cursor.fetchall():
                logger.warning("job_lease_expired", job=job_id, kind=kind, attempts=attempts)
        due = Job.objects.filter(
            state=Job.State.OPEN, due_at__lte=at, brand__status=Brand.Status.ACTIVE
        ).exclude(published_at__gt=at - REPUBLISH_AFTER)
        rows = list(due.order_by("due_at", "id").values_list("pk", "brand__schema_name")[:5000])
        sent = [job_id for job_id, schema in rows if _publish(job_id, schema)]
        Job.objects.filter(pk__in=sent, state=Job.State.OPEN).update(published_at=at)
    return len(sent)


def beat(*, name: str, at: datetime) -> None:
    """Note that a background process is at work."""
    with platform_context():
        Heartbeat.objects.update_or_create(name=name, defaults={"at": at})


def _publish(job_id: int, schema: str) -> bool:
    return publish(RUN_TASK, schema=schema, job_id=job_id)


def _claim(job_id: int, at: datetime) -> Job | None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE jobs_job SET state = 'running', attempts = attempts + 1, progress_done = 0, "
            "leased_until = clock_timestamp() + make_interval(secs => %s) "
            "WHERE id = %s AND brand_id = %s AND due_at <= %s AND (state = 'open' "
            "OR (state = 'running' AND leased_until < clock_timestamp()))",
            [LEASE_SECONDS, job_id, current_brand().pk, at],
        )
        if cursor.rowcount != 1:
            return None
    return Job.objects.get(pk=job_id)


def _finish(job: Job, *, state: Job.State, at: datetime) -> None:
    Job.objects.filter(pk=job.pk, state=Job.State.RUNNING, attempts=job.attempts).update(
        state=state, leased_until=None, finished_at=at
    )


def _note_failure(job: Job, error: Exception, at: datetime) -> None:
    text = f"{type(error).__name__}: {error}"[:2000]
    gives_up = job.attempts >= MAX_ATTEMPTS or isinstance(error, UnknownKindError)
    logger.error(
        "job_failed",
        job=job.pk,
        kind=job.kind,
        attempts=job.attempts,
        gives_up=gives_up,
        exc_info=error,
    )
    mine = Job.objects.filter(pk=job.pk, state=Job.State.RUNNING, attempts=job.attempts)
    if gives_up:
        mine.update(state=Job.State.FAILED, error=text, leased_until=None, finished_at=at)
    else:
        mine.update(
            state=Job.State.OPEN,
            error=text,
            leased_until=None,
            published_at=None,
            due_at=at + timedelta(seconds=30 * 2 ** (job.attempts - 1)),
        )
