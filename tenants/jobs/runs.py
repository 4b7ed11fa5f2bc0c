"""One run of one job: what a handler holds while it works."""

import threading
from datetime import datetime
from typing import Any

import psycopg
import structlog
from django.db import connection
from psycopg.types.json import Jsonb

from core import clock
from tenants.brands.connections import connect_directly
from tenants.jobs.errors import JobCancelled, LeaseLostError, NotCompletedError
from tenants.jobs.models import Job

logger = structlog.get_logger(__name__)

# A worker that dies gives its job back after this long.
LEASE_SECONDS = 60
_RENEW_SECONDS = 20


class JobRun:
    """The job, its parameters, the instant it runs at; ways to show progress and to complete."""

    def __init__(self, *, job: Job, at: datetime) -> None:
        self.job = job
        self.parameters: dict[str, Any] = job.parameters
        self.at = at
        self.is_completed = False

    def progress(self, done: int, total: int | None = None) -> None:
        """Show how far the job is; call it between the transactions of a long job.

        :raises JobCancelled: when somebody asked the job to stop.
        :raises LeaseLostError: when another worker has taken it over.
        """
        self.job.progress_done, self.job.progress_total = done, total
        if connection.in_atomic_block:
            # Written there it would stay unseen, and lock the row, until the commit.
            return
        found = _execute(
            "UPDATE jobs_job SET progress_done = %s, progress_total = %s, "
            "leased_until = clock_timestamp() + make_interval(secs => %s) "
            "WHERE id = %s AND attempts = %s AND state = 'running' RETURNING cancel_requested",
            [done, total, LEASE_SECONDS, self.job.pk, self.job.attempts],
        )
        if found is None:
            raise LeaseLostError(f"Job {self.job.pk} was taken over.")
        if found[0]:
            raise JobCancelled

    def check_completed(self) -> None:
        """Check that the handler has closed the job.

        :raises NotCompletedError: if it has not.
        """
        if not self.is_completed:
            raise NotCompletedError(f"{self.job.kind} returned without run.complete().")

    def complete(self, result: dict[str, Any] | None = None) -> None:
        """Close the job, inside the transaction of its (last) effect: both happen or neither.

        :raises LeaseLostError: when another worker has taken the job over; let it roll back
            the transaction.
        """
        found = _execute(
            "UPDATE jobs_job SET state = 'done', result = %s, finished_at = %s, error = '', "
            "leased_until = NULL, progress_done = coalesce(progress_total, progress_done) "
            "WHERE id = %s AND attempts = %s AND state = 'running' RETURNING id",
            [
                Jsonb(result or {}),
                clock.now(),
                self.job.pk,
                self.job.attempts,
            ],
        )
        if found is None:
            raise LeaseLostError(f"Job {self.job.pk} was taken over.")
        self.is_completed = True


class LeaseKeeper:
    """Renews the lease of a long run from a thread and a connection of its own.

    So a job may work for minutes inside one transaction, while a worker that is killed gives
    the job back within `LEASE_SECONDS`. Short jobs end before the thread does anything.
    """

    def __init__(self, job: Job) -> None:
        self._job_id, self._attempts = job.pk, job.attempts
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._renew, name=f"lease-{job.pk}", daemon=True)

    def __enter__(self) -> "LeaseKeeper":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(timeout=5)

    def _renew(self) -> None:
        while not self._ended.wait(_RENEW_SECONDS):
            try:
                with connect_directly() as own:
                    own.execute(
                        "UPDATE jobs_job SET leased_until = "
                        "clock_timestamp() + make_interval(secs => %s) "
                        "WHERE id = %s AND attempts = %s AND state = 'running'",
                        [LEASE_SECONDS, self._job_id, self._attempts],
                    )
            except psycopg.Error as error:
                logger.warning("lease_not_renewed", job=self._job_id, error=str(error))


def _execute(sql: str, parameters: list[Any]) -> tuple[Any, ...] | None:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        found: tuple[Any, ...] | None = cursor.fetchone()
        return found
