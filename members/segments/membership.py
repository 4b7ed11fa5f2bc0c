"""Storing who is in a saved segment, day by day."""

from datetime import date, datetime, timedelta

from django.db import connection, transaction

from members.segments.conditions import compile_sql, parse
from members.segments.errors import SegmentNotFoundError
from members.segments.models import SavedSegment, SegmentChange, SegmentDay, SegmentMember
from members.segments.usage import segments_in
from members.segments.values import Stored
from tenants.events.operations import emit, emit_many

# How long the lists of who came and went are kept; the figures of each day stay.
KEEP_CHANGES = timedelta(days=395)
# Above this a segment tells of its members by one event alone, so that a wide change of a large
# segment does not fill the outbox.
MOST_EVENTS = 5_000

# Everything sees the same snapshot. Who came and went on one day, in either order, has done
# neither: the day's row goes. A new condition writes no rows of who came and went.
_STORE = """
WITH target AS MATERIALIZED ({audience}), entered AS (
    INSERT INTO members_segmentmember (segment_id, member_id, since)
    SELECT %(segment)s, target.id, %(day)s FROM target
    WHERE NOT EXISTS (SELECT FROM members_segmentmember AS old
        WHERE old.segment_id = %(segment)s AND old.member_id = target.id)
    RETURNING member_id
), gone AS (
    DELETE FROM members_segmentmember AS old
    WHERE old.segment_id = %(segment)s
        AND NOT EXISTS (SELECT FROM target WHERE target.id = old.member_id)
    RETURNING old.member_id
), moved AS (
    SELECT member_id, TRUE AS entered FROM entered WHERE NOT %(is_baseline)s
    UNION ALL SELECT member_id, FALSE FROM gone WHERE NOT %(is_baseline)s
), undone AS (
    DELETE FROM members_segmentchange AS noted USING moved
    WHERE noted.segment_id = %(segment)s AND noted.on_date = %(day)s
        AND noted.member_id = moved.member_id AND noted.entered <> moved.entered
    RETURNING noted.member_id
), noted AS (
    INSERT INTO members_segmentchange (segment_id, on_date, member_id, entered)
    SELECT %(segment)s, %(day)s, member_id, entered FROM moved
    WHERE NOT EXISTS (SELECT FROM undone WHERE undone.member_id = moved.member_id)
    RETURNING entered
)
SELECT (SELECT count(*) FROM target),
    (SELECT count(*) FROM noted WHERE entered), (SELECT count(*) FROM noted WHERE NOT entered)
"""


def store_segment(*, segment_id: int, on: date, at: datetime) -> Stored:
    """Store who is in a segment on a brand day, and who came and went since it was last stored.

    One statement, however many members; twice with nothing changed writes nothing. The first
    time, and after its condition has changed, is a baseline: nobody came or went. Another run of
    the same day adds to the first. A day before the last one stored changes nothing.

    :raises SegmentNotFoundError: if there is no such segment.
    """
    with transaction.atomic():
        # Two runs of one segment take turns.
        segment = SavedSegment.objects.select_for_update().filter(pk=segment_id).first()
        if segment is None:
            raise SegmentNotFoundError(segment_id=segment_id)
        last = SegmentDay.objects.filter(segment=segment).order_by("-on_date").first()
        if last is not None and last.on_date > on:
            return _stored(last)
        is_baseline = last is None or last.version != segment.version
        size = _write(segment, on=on, at=at, is_baseline=is_baseline)
        today = last if last is not None and last.on_date == on else None
        changes = SegmentChange.objects.filter(segment=segment, on_date=on)
        if is_baseline and today is not None:
            # What the old condition said of this day no longer counts.
            changes.delete()
        day, _created = SegmentDay.objects.update_or_create(
            segment=segment,
            on_date=on,
            defaults={
                "version": segment.version,
                "size": size,
                "entered": changes.filter(entered=True).count(),
                "left": changes.filter(entered=False).count(),
                "is_baseline": is_baseline or (today is not None and today.is_baseline),
                "finished_at": at,
            },
        )
        if segment.tells and not is_baseline:
            _tell(segment, day, was=today, at=at)
    return _stored(day)


def prune_changes(*, on: date) -> int:
    """Remove the lists of who came and went that are older than a year and a month."""
    gone, _by_model = SegmentChange.objects.filter(on_date__lt=on - KEEP_CHANGES).delete()
    return gone


def storing_order(*, segments: list[SavedSegment]) -> list[SavedSegment]:
    """Return segments so that each comes after those that its condition names."""
    known = {segment.pk: segment for segment in segments}
    found: dict[int, SavedSegment] = {}

    def visit(segment: SavedSegment, above: frozenset[int]) -> None:
        if segment.pk in found or segment.pk in above:
            return
        for key in sorted(segments_in(segment.condition) & known.keys()):
            visit(known[key], above | {segment.pk})
        found[segment.pk] = segment

    for segment in segments:
        visit(segment, frozenset())
    return list(found.values())


def forget_members(*, segment_id: int) -> None:
    """Remove what was stored of a segment, in the transaction that removes it."""
    SegmentMember.objects.filter(segment_id=segment_id).delete()
    SegmentChange.objects.filter(segment_id=segment_id).delete()


def _write(segment: SavedSegment, *, on: date, at: datetime, is_baseline: bool) -> int:
    sql, params = compile_sql(parse(segment.condition), at=at)
    with connection.cursor() as cursor:
        # Many rows that no request waits for; the limits of requests are too tight here.
        cursor.execute(
            "SELECT set_config('statement_timeout', '600s', true), "
            "set_config('work_mem', '64MB', true)"
        )
        cursor.execute(
            _STORE.format(audience=sql),
            {**params, "segment": segment.pk, "day": on, "is_baseline": is_baseline},
        )
        size, _entered, _left = cursor.fetchone()
    return int(size)


def _tell(segment: SavedSegment, day: SegmentDay, *, was: SegmentDay | None, at: datetime) -> None:
    """Tell of the day's members once: a later run of the day tells of nothing again."""
    moved = day.entered + day.left
    if moved == 0 or was is not None:
        return
    facts = {"segment": segment.pk, "name": segment.name, "on": f"{day.on_date}"}
    emit(
        type="segment.changed",
        subject=f"segment:{segment.pk}",
        data={**facts, "size": day.size, "entered": day.entered, "left": day.left},
        at=at,
    )
    if moved > MOST_EVENTS:
        return
    rows = SegmentChange.objects.filter(segment=segment, on_date=day.on_date).order_by("member_id")
    for entered, kind in ((True, "segment.entered"), (False, "segment.left")):
        keys = rows.filter(entered=entered).values_list("member_id", flat=True)
        emit_many(type=kind, events=[(f"member:{key}", facts) for key in keys], at=at)


def _stored(day: SegmentDay) -> Stored:
    return Stored(
        on=day.on_date,
        size=day.size,
        entered=day.entered,
        left=day.left,
        is_baseline=day.is_baseline,
    )
