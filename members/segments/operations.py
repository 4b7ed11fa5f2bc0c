"""Writing scores, value segments and saved segments."""

import json
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.utils.translation import gettext as _

from core.actors import Actor
from core.errors import InvalidError
from members.segments._scores import score_statement
from members.segments.conditions import parse
from members.segments.errors import SegmentNameTakenError, SegmentNotFoundError
from members.segments.models import (
    LateActivity,
    SavedSegment,
    ScoreRun,
    ValueSegment,
    ValueSegmentRule,
)
from members.segments.queries import get_value_table
from members.segments.value_segments import FACTS
from tenants.audit.operations import record
from tenants.brands.context import current_brand

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
        last = ScoreRun.objects.order_by("-as_of").first()
        rolls = last is not None and not full and last.as_of <= on <= last.as_of + _LONGEST_ROLL
        statement, params = score_statement(
            as_of=on,
            zone=current_brand().timezone,
            table=get_value_table(),
            last_as_of=last.as_of if last is not None and rolls else None,
        )
        cursor.execute(statement, params)
        scored, changed, boundaries = cursor.fetchone()
        # A run of a later day no longer describes the stored scores.
        ScoreRun.objects.filter(as_of__gt=on).delete()
        run, _created = ScoreRun.objects.update_or_create(
            as_of=on,
            defaults={
                "boundaries": json.loads(boundaries),
                "scored": scored,
                "changed": changed,
                "finished_at": at,
            },
        )
    return run


def mark_late(*, member_ids: Sequence[int]) -> None:
    """Note that days before today have changed for these members; call it in that transaction."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO members_lateactivity (member_id) SELECT unnest(%s::bigint[])",
            [list(member_ids)],
        )


def set_value_table(
    *, rows: Sequence[tuple[str, dict[str, Any]]], by: Actor, at: datetime
) -> list[ValueSegmentRule]:
    """Replace the brand's table of value segments; no rows: the default table.

    The next recomputation uses it.

    :raises ConditionError: for a wrong condition; the pointer begins with the row's number.
    :raises InvalidError: for an unknown segment.
    """
    for index, (segment, tree) in enumerate(rows):
        if segment not in ValueSegment.values:
            raise InvalidError(_("There is no such value segment."), pointer=f"/{index}")
        try:
            parse(tree, catalogue=FACTS)
        except InvalidError as error:
            error.data["pointer"] = f"/{index}{error.data.get('pointer', '')}"
            raise
    with transaction.atomic():
        before = list(
            ValueSegmentRule.objects.order_by("position").values_list("segment", "condition")
        )
        ValueSegmentRule.objects.all().delete()
        made = ValueSegmentRule.objects.bulk_create(
            ValueSegmentRule(position=index, segment=segment, condition=tree)
            for index, (segment, tree) in enumerate(rows, start=1)
        )
        record(
            by=by,
            at=at,
            action="value_table.set",
            target_type="value_table",
            changes={"rows": [[list(row) for row in before], [list(row) for row in rows]]},
        )
    return made


def save_segment(*, name: str, condition: dict[str, Any], by: Actor, at: datetime) -> SavedSegment:
    """Keep a condition under a new name.

    :raises ConditionError: if the tree is no condition.
    :raises SegmentNameTakenError: if a segment of this name exists.
    """
    parse(condition)
    try:
        with transaction.atomic():
            segment = SavedSegment.objects.create(
                name=name, condition=condition, created_at=at, updated_at=at
            )
            _record(
                segment, "segment.saved", by=by, at=at, changes={"condition": [None, condition]}
            )
    except IntegrityError:
        raise SegmentNameTakenError(name=name) from None
    return segment


def change_segment(
    *, segment_id: int, condition: dict[str, Any], by: Actor, at: datetime
) -> SavedSegment:
    """Give a saved segment another condition.

    :raises ConditionError: if the tree is no condition.
    :raises SegmentNotFoundError: if there is no such segment.
    """
    parse(condition)
    with transaction.atomic():
        segment = _lock(segment_id)
        changes = {"condition": [segment.condition, condition]}
        segment.condition, segment.updated_at = condition, at
        segment.save(update_fields=["condition", "updated_at"])
        _record(segment, "segment.changed", by=by, at=at, changes=changes)
    return segment


def delete_segment(*, segment_id: int, by: Actor, at: datetime) -> None:
    """Remove a saved segment.

    :raises SegmentNotFoundError: if there is no such segment.
    """
    with transaction.atomic():
        segment = _lock(segment_id)
        _record(
            segment,
            "segment.deleted",
            by=by,
            at=at,
            changes={"condition": [segment.condition, None]},
        )
        segment.delete()


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
