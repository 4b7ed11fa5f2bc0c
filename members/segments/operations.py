"""Writing scores, value segments and saved segments."""

import json
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.utils.translation import gettext as _

from core.actors import Actor
from members.segments._rolling import Before, roll
from members.segments._scores import score_statement
from members.segments.conditions import parse
from members.segments.errors import (
    SegmentCircleError,
    SegmentInUseError,
    SegmentNameTakenError,
    SegmentNotFoundError,
)
from members.segments.membership import forget_members
from members.segments.models import (
    LateActivity,
    SavedSegment,
    ScoreRun,
)
from members.segments.queries import get_scheme, get_segment, list_segment_uses
from members.segments.usage import segments_in
from members.segments.values import Scheme
from tenants.audit.operations import record
from tenants.brands.context import current_brand
from tenants.jobs.operations import enqueue

STORE = "segments.store"

# Past this the days that moved are a large part of all days.
_LONGEST_ROLL = timedelta(days=60)


def recompute_scores(*, on: date, at: datetime, full: bool = False) -> ScoreRun:
    """Score all members as of a brand day, over the window [on − 365 days, on), and place them.

    One statement, which writes the rows that change. From the last run's scores and the days
    that entered, left or changed since; from all days when there is no usable last run, or when
    asked (`full`). The result is the same. Run twice for one day: nothing changes.

    Source of the formulas: DOMAIN §3 (RFM, value segment).
    """
    with transaction.atomic(), connection.cursor() as cursor:
        # Many rows, no row that a request waits for; the limits of requests are too tight here.
        cursor.execute(
            "SELECT set_config('statement_timeout', '600s', true), "
            "set_config('work_mem', '64MB', true)"
        )
        # Runs take turns: one that began before another's end would neither see the marks of late
        # activity that the other took nor what it wrote for them.
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext(current_schema() || ' scores'))")
        last = ScoreRun.objects.order_by("-as_of").first()
        rolls = last is not None and not full and last.as_of <= on <= last.as_of + _LONGEST_ROLL
        scheme, zone = get_scheme(), current_brand().timezone
        before = _before(last, scheme, zone) if rolls else None
        if before is not None:
            scored, changed, boundaries = roll(as_of=on, zone=zone, scheme=scheme, before=before)
        else:
            statement, params = score_statement(
                as_of=on,
                zone=zone,
                scheme=scheme,
                last_as_of=last.as_of if last is not None and rolls else None,
            )
            cursor.execute(statement, params)
            scored, changed, found = cursor.fetchone()
            boundaries = json.loads(found)
        # A run of a later day no longer describes the stored scores.
        ScoreRun.objects.filter(as_of__gt=on).delete()
        run, _created = ScoreRun.objects.update_or_create(
            as_of=on,
            defaults={
                "boundaries": boundaries,
                "method": "quintiles" if scheme.thresholds is None else "thresholds",
                "scheme": scheme.digest,
                "zone": zone,
                "scored": scored,
                "changed": changed,
                "finished_at": at,
            },
        )
    return run


def _before(last: ScoreRun | None, scheme: Scheme, zone: str) -> Before | None:
    """Return the last run if what is stored was scored as now; None when all must be looked at."""
    if last is None or (last.scheme, last.zone) != (scheme.digest, zone):
        return None
    # Nobody was scored: there are no boundaries to go by.
    if any(
        len(last.boundaries.get(name) or ()) != 4 for name in ("recency", "frequency", "monetary")
    ):
        return None
    return Before(as_of=last.as_of, boundaries=last.boundaries)


def mark_late(*, member_ids: Sequence[int]) -> None:
    """Note that days before today have changed for these members; call it in that transaction."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO members_lateactivity (member_id) SELECT unnest(%s::bigint[])",
            [list(member_ids)],
        )


def save_segment(
    *, name: str, condition: dict[str, Any], by: Actor, at: datetime, tells: bool = False
) -> SavedSegment:
    """Keep a condition under a new name; who is in it is stored by a job at once and each night.

    With `tells`, each night's members who enter or leave are told of by events.

    :raises ConditionError: if the tree is no condition, or names what is not there.
    :raises SegmentNameTakenError: if a segment of this name exists.
    """
    parse(condition, is_new=True)
    try:
        with transaction.atomic():
            segment = SavedSegment.objects.create(
                name=name.strip(), condition=condition, tells=tells, created_at=at, updated_at=at
            )
            _record(
                segment, "segment.saved", by=by, at=at, changes={"condition": [None, condition]}
            )
            _ask_to_store(segment, by=by, at=at)
    except IntegrityError:
        raise SegmentNameTakenError(name=name) from None
    return segment


def change_segment(
    *,
    segment_id: int,
    condition: dict[str, Any],
    by: Actor,
    at: datetime,
    name: str | None = None,
    tells: bool | None = None,
) -> SavedSegment:
    """Give a saved segment another condition, name or say whether it tells of its members.

    :raises ConditionError: if the tree is no condition, or names what is not there.
    :raises SegmentCircleError: if the segment would depend on itself.
    :raises SegmentNameTakenError: if another segment has the name.
    :raises SegmentNotFoundError: if there is no such segment.
    """
    parse(condition, is_new=True)
    try:
        with transaction.atomic():
            segment = _lock(segment_id)
            _refuse_circle(segment, condition)
            wanted = {
                "condition": condition,
                "name": segment.name if name is None else name.strip(),
                "tells": segment.tells if tells is None else tells,
            }
            changes = {
                field: [getattr(segment, field), value]
                for field, value in wanted.items()
                if getattr(segment, field) != value
            }
            if not changes:
                return segment
            for field, (_before, value) in changes.items():
                setattr(segment, field, value)
            segment.updated_at = at
            if "condition" in changes:
                segment.version += 1
            segment.save(update_fields=[*changes, "updated_at", "version"])
            _record(segment, "segment.changed", by=by, at=at, changes=changes)
            if "condition" in changes:
                _ask_to_store(segment, by=by, at=at)
    except IntegrityError:
        raise SegmentNameTakenError(name=name) from None
    return segment


def delete_segment(*, segment_id: int, by: Actor, at: datetime) -> None:
    """Remove a saved segment with what was stored of its members.

    :raises SegmentNotFoundError: if there is no such segment.
    :raises SegmentInUseError: if a rule, an offer or another segment needs it.
    """
    with transaction.atomic():
        segment = _lock(segment_id)
        uses = list_segment_uses(segment_id=segment_id)
        if uses:
            names = "; ".join(f"{use.kind} “{use.name}”" for use in uses[:5])
            raise SegmentInUseError(
                _("The segment is in use by: %(names)s.") % {"names": names},
                used_by=[use.name for use in uses],
            )
        _record(
            segment,
            "segment.deleted",
            by=by,
            at=at,
            changes={"condition": [segment.condition, None]},
        )
        forget_members(segment_id=segment_id)
        segment.delete()


def note_export(*, segment_id: int, columns: Sequence[str], by: Actor, at: datetime) -> None:
    """Write into the audit that the members of a segment leave the system, and what of them.

    :raises SegmentNotFoundError: if there is no such segment.
    """
    segment = get_segment(segment_id=segment_id)
    _record(segment, "segment.exported", by=by, at=at, changes={"columns": [None, list(columns)]})


def _refuse_circle(segment: SavedSegment, condition: dict[str, Any]) -> None:
    trees = dict(SavedSegment.objects.values_list("pk", "condition"))
    trees[segment.pk] = condition
    seen: set[int] = set()
    waiting = segments_in(condition)
    while waiting:
        key = waiting.pop()
        if key == segment.pk:
            raise SegmentCircleError(pointer="/condition")
        if key not in seen:
            seen.add(key)
            waiting |= segments_in(trees.get(key))


def _ask_to_store(segment: SavedSegment, *, by: Actor, at: datetime) -> None:
    enqueue(
        kind=STORE,
        dedupe_key=f"segment:{segment.pk}:v{segment.version}",
        parameters={"segment": segment.pk},
        by=by,
        at=at,
    )


def count_late() -> int:
    """Return how many members wait for the next recomputation because of older days."""
    return LateActivity.objects.values("member").distinct().count()


def _lock(segment_id: int) -> SavedSegment:
    segment = SavedSegment.objects.select_for_update().filter(pk=segment_id).first()
    if segment is None:
        raise SegmentNotFoundError(segment_id=segment_id)
    return segment


def _record(
    segment: SavedSegment, action: str, *, by: Actor, at: datetime, changes: dict[str, list[Any]]
) -> None:
    record(
        by=by,
        at=at,
        action=action,
        target_type="segment",
        target_id=segment.pk,
        changes=changes,
    )
