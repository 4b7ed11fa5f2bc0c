"""Files on their way in: uploaded, checked, applied all or nothing, dropped."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from django.db import transaction

from core.actors import Actor
from core.errors import InvalidError
from members.imports import files
from members.imports.errors import ImportFilesGoneError, ImportNotFoundError, ImportStateError
from members.imports.models import FileImport
from members.imports.preview import look_at
from tenants.audit.operations import record
from tenants.jobs.models import Job
from tenants.jobs.operations import enqueue, request_cancel
from tenants.jobs.queries import get_job

__all__ = ["APPLY", "CHECK", "apply", "cancel", "check", "drop", "upload"]

CHECK, APPLY = "imports.check", "imports.apply"
_State = FileImport.State
_CHECKABLE = (_State.UPLOADED, _State.CHECKED, _State.REFUSED)
_ENDED = (Job.State.DONE, Job.State.FAILED, Job.State.CANCELLED)


def upload(
    *,
    kind: str,
    file_name: str,
    chunks: Iterable[bytes],
    by: Actor,
    at: datetime,
    encoding: str = "",
) -> FileImport:
    """Take a file as it comes and look whether it can be read; nothing of it is applied yet.

    :raises FileTooLargeError: past 300 MB.
    :raises BadImportFileError: if it can not be read.
    :raises InvalidError: for a kind that does not exist.
    """
    if kind not in FileImport.Kind.values:
        raise InvalidError(pointer="/kind")
    item = FileImport.objects.create(
        kind=kind,
        file_name=file_name[:200],
        size=0,
        digest="",
        encoding=encoding,
        uploaded_at=at,
        uploaded_by=by.key,
    )
    try:
        item.size, item.digest = files.store(item.pk, chunks)
        preview = look_at(item=item, at=at)
    except Exception:
        files.remove(item.pk)
        item.delete()
        raise
    item.names = dict(preview.guess)
    item.save(update_fields=["size", "digest", "names"])
    return item


def check(
    *, import_id: int, names: Mapping[str, str], by: Actor, at: datetime,
    create_members: bool = False,
) -> FileImport:  # fmt: skip
    """Have the whole file read and judged, writing nothing; bad rows are listed afterwards.

    :raises ImportNotFoundError, ImportFilesGoneError: if there is none, or no file any more.
    :raises ImportStateError: while it is being checked or applied, or after it was applied.
    """
    with transaction.atomic():
        item = _lock(import_id, _CHECKABLE)
        item.names = {ours: theirs for ours, theirs in names.items() if theirs}
        item.options = {"create_members": create_members}
        return _start(item, CHECK, _State.CHECKING, by, at)


def apply(*, import_id: int, by: Actor, at: datetime) -> FileImport:
    """Have a file applied that was checked without bad rows: all of it or nothing.

    :raises ImportNotFoundError, ImportFilesGoneError: if there is none, or no file any more.
    :raises ImportStateError: unless it was checked, with no bad row.
    """
    with transaction.atomic():
        item = _lock(import_id, (_State.CHECKED,))
        if item.bad:
            raise ImportStateError(state=item.state, bad=item.bad)
        started = _start(item, APPLY, _State.APPLYING, by, at)
        record(
            by=by,
            at=at,
            action="import.applied",
            target_type="import",
            target_id=item.pk,
            changes={"kind": [None, item.kind], "rows": [None, item.total]},
        )
        return started


def cancel(*, import_id: int, by: Actor) -> None:
    """Stop a check or an application; what it has done is undone.

    :raises ImportNotFoundError: if there is none.
    :raises JobFinishedError: if it has ended.
    """
    item = _find(import_id)
    if item.job_id is None:
        raise ImportStateError(state=item.state)
    job = get_job(job_id=item.job_id)
    request_cancel(job=job, by=by)
    if job.state == Job.State.CANCELLED:  # it had not begun
        before = _State.UPLOADED if item.state == _State.CHECKING else _State.CHECKED
        FileImport.objects.filter(pk=item.pk).update(state=before)


def drop(*, import_id: int, by: Actor, at: datetime) -> None:
    """Remove the file and the list of bad rows now; the row stays.

    :raises ImportNotFoundError: if there is none.
    :raises ImportStateError: while it is being checked or applied.
    """
    with transaction.atomic():
        item = FileImport.objects.select_for_update().filter(pk=import_id).first()
        if item is None:
            raise ImportNotFoundError
        if item.state in {_State.CHECKING, _State.APPLYING} and not _has_ended(item):
            raise ImportStateError(state=item.state)
        if item.state != _State.APPLIED:
            item.state = _State.DROPPED
        item.ended_at = item.ended_at or at
        item.files_gone_at = at
        item.save()
        record(by=by, at=at, action="import.dropped", target_type="import", target_id=item.pk)
    files.remove(import_id)


def _find(import_id: int) -> FileImport:
    item = FileImport.objects.filter(pk=import_id).first()
    if item is None:
        raise ImportNotFoundError
    return item


def _lock(import_id: int, states: tuple[str, ...]) -> FileImport:
    item = FileImport.objects.select_for_update().filter(pk=import_id).first()
    if item is None:
        raise ImportNotFoundError
    if item.files_gone_at is not None:
        raise ImportFilesGoneError
    # A run that gave up leaves the import where it was.
    if item.state not in states and not (
        item.state in {_State.CHECKING, _State.APPLYING} and _has_ended(item)
    ):
        raise ImportStateError(state=item.state)
    return item


def _has_ended(item: FileImport) -> bool:
    return item.job_id is None or get_job(job_id=item.job_id).state in _ENDED


def _start(item: FileImport, kind: str, state: str, by: Actor, at: datetime) -> FileImport:
    job = enqueue(
        kind=kind,
        dedupe_key=f"{item.pk}-{at.isoformat()}",
        parameters={"import": item.pk},
        by=by,
        at=at,
    )
    item.job_id, item.state, item.failure = job.pk, state, ""
    item.save()
    return item
