"""Checking and applying a file; removing files after their time."""

import csv
import time
from datetime import timedelta
from typing import Any

import psycopg
from django.db import transaction
from django.utils import translation

from core.actors import SYSTEM, Actor
from members.activity.imports.messages import describe_file_error, describe_problem
from members.activity.imports.rows import Problem
from members.activity.imports.run import BadRowsError, ImportOptions, import_purchases
from members.activity.imports.sources import BadFileError
from members.imports import files
from members.imports.member_file import import_members
from members.imports.models import FileImport
from tenants.brands.connections import connect_directly
from tenants.brands.context import current_brand
from tenants.jobs.errors import JobCancelled
from tenants.jobs.registry import JobRun

FILES_DAYS = 14
_State = FileImport.State
_FORMULA = ("=", "+", "-", "@", "\t")


def run_check(run: JobRun) -> None:
    """Read and judge a whole file; all that it would write is taken back."""
    _run(run, dry=True)


def run_apply(run: JobRun) -> None:
    """Apply a file: all of it in the transaction that closes the job, or nothing."""
    _run(run, dry=False)


def run_clean(run: JobRun) -> None:
    """Remove files and lists of bad rows whose time is over: they hold personal data."""
    before = run.at - timedelta(days=FILES_DAYS)
    old = list(
        FileImport.objects.filter(files_gone_at__isnull=True, uploaded_at__lt=before)
        .exclude(state__in=[_State.CHECKING, _State.APPLYING])
        .values_list("pk", flat=True)
    )
    for import_id in old:
        files.remove(import_id)
    with transaction.atomic():
        FileImport.objects.filter(pk__in=old).update(files_gone_at=run.at)
        FileImport.objects.filter(pk__in=old, ended_at__isnull=True).update(
            ended_at=run.at, state=_State.DROPPED
        )
        run.complete({"imports": len(old)})


def _run(run: JobRun, *, dry: bool) -> None:
    item = FileImport.objects.get(pk=run.parameters["import"])
    goes_on = _State.CHECKED if dry else _State.APPLIED
    with _Watch(run) as watch, _Report(item.pk) as report:
        try:
            with transaction.atomic():
                result = _take(item, run, watch, report)
                if dry:
                    transaction.set_rollback(True)
                else:
                    _close(item, goes_on, run, result=result, bad=0)
            if dry:
                with transaction.atomic():
                    _close(item, goes_on, run, result=result, bad=0)
        except BadRowsError as error:
            with transaction.atomic():
                state = _State.CHECKED if dry else _State.REFUSED
                result = {"rows": error.rows + report.in_file}
                _close(item, state, run, result=result, bad=report.count)
        except BadFileError as error:
            with transaction.atomic():
                _fail(item, run, describe_file_error(error))
        except JobCancelled:
            FileImport.objects.filter(pk=item.pk).update(
                state=_State.UPLOADED if dry else _State.CHECKED
            )
            raise


def _take(item: FileImport, run: JobRun, watch: "_Watch", report: "_Report") -> dict[str, Any]:
    by = _actor(run.job.requested_by)
    path = files.file_of(item.pk)
    encoding = item.encoding or None
    if item.kind == FileImport.Kind.MEMBERS:
        members = import_members(
            path=path, names=item.names, tell=report.tell, progress=watch.progress, by=by,
            at=run.at, encoding=encoding,
        )  # fmt: skip
        return {
            "rows": members.rows,
            "enrolled": members.enrolled,
            "changed": members.changed,
            "unchanged": members.unchanged,
        }
    purchases = import_purchases(
        purchases=path,
        options=ImportOptions(
            names=item.names,
            encoding=encoding,
            create_members=bool(item.options.get("create_members")),
        ),
        tell=report.tell,
        progress=watch.progress,
        by=by,
        at=run.at,
    )
    return {
        "rows": purchases.rows,
        "added": purchases.added,
        "added_minor": purchases.added_minor,
        "unchanged": purchases.unchanged,
        "enrolled": purchases.enrolled,
    }


def _close(item: FileImport, state: str, run: JobRun, *, result: dict[str, Any], bad: int) -> None:
    rows = max(int(result["rows"]), bad)
    FileImport.objects.filter(pk=item.pk).update(
        state=state,
        total=rows,
        good=rows - bad,
        bad=bad,
        result=result,
        ended_at=None if state == _State.CHECKED else run.at,
    )
    run.complete({**result, "bad": bad, "import": item.pk})


def _fail(item: FileImport, run: JobRun, text: str) -> None:
    FileImport.objects.filter(pk=item.pk).update(
        state=_State.REFUSED, failure=text[:400], ended_at=run.at
    )
    run.complete({"import": item.pk, "failure": text[:400]})


def _actor(key: str) -> Actor:
    kind, _separator, number = key.partition(":")
    if kind in {"staff", "api"} and number.isdigit():
        return Actor(kind="staff" if kind == "staff" else "api", id=int(number))
    return SYSTEM


class _Report:
    """Writes bad rows to a file as they are found, whatever their number."""

    def __init__(self, import_id: int) -> None:
        self._path = files.problems_of(import_id)
        self.count = self.in_file = 0

    def __enter__(self) -> "_Report":
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # With a mark, so that spreadsheets read Chinese characters.
        self._file = self._path.open("w", newline="", encoding="utf-8-sig")
        self._writer = csv.writer(self._file)
        self._writer.writerow(["file", "line", "column", "code", "value", "text"])
        self._language = translation.override(current_brand().locale)
        self._language.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self._language.__exit__(None, None, None)
        self._file.close()

    def tell(self, file: str, problem: Problem) -> None:
        """Write one bad row; cells that a spreadsheet would calculate are made texts."""
        self.count += 1
        if problem.code not in _JUDGED:
            self.in_file += 1
        cells = [file, problem.line, problem.column, problem.code, problem.value]
        self._writer.writerow([*map(_safe, cells), _safe(describe_problem(problem))])


# Found among rows that were staged; all others were never counted as rows.
_JUDGED = frozenset(
    {
        "repeated_member", "erased_member", "repeated_email", "email_taken", "missing_attribute",
        "unknown_member", "duplicate_purchase",
    }
)  # fmt: skip


def _safe(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell


class _Watch:
    """Shows progress and hears of a wish to stop, beside the one transaction of an import."""

    def __init__(self, run: JobRun) -> None:
        self._run = run
        self._next = 0.0
        self._own: psycopg.Connection[Any] | None = None

    def __enter__(self) -> "_Watch":
        self._own = connect_directly()
        return self

    def __exit__(self, *exception: object) -> None:
        if self._own is not None:
            self._own.close()

    def progress(self, stage: str, done: int, total: int) -> None:
        """Show how far the import is, at most once a second.

        :raises JobCancelled: when somebody asked it to stop.
        """
        if stage == "writing":
            done, total = 80 + 20 * done // max(total, 1), 100
        else:
            done, total = 80 * done // max(total, 1), 100
        now = time.monotonic()
        if now < self._next or self._own is None:
            return
        self._next = now + 0.7
        found = self._own.execute(
            "UPDATE jobs_job SET progress_done = %s, progress_total = %s "
            "WHERE id = %s AND attempts = %s AND state = 'running' RETURNING cancel_requested",
            [done, total, self._run.job.pk, self._run.job.attempts],
        ).fetchone()
        if found is not None and found[0]:
            raise JobCancelled
