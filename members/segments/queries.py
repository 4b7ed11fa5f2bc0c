"""Reading scores, audiences and the facts of one member."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import Count

from members.profiles.errors import MemberNotFoundError
from members.profiles.models import Member
from members.segments.conditions import (
    FIELDS,
    Condition,
    compile_sql,
    evaluate,
    fields_of,
    join_sources,
    moment_parameters,
    parse,
)
from members.segments.errors import SegmentNotFoundError
from members.segments.models import (
    MemberScore,
    SavedSegment,
    ScoreRun,
    ValueSegment,
    ValueSegmentRule,
)
from members.segments.value_segments import FACTS, Table, default_table
from tenants.brands.context import current_brand


def count_audience(*, condition: Condition, at: datetime) -> int:
    """Return how many active members a condition holds for."""
    sql, params = compile_sql(condition, at=at)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM ({sql}) AS audience", params)  # noqa: S608
        return int(cursor.fetchone()[0])


def sample_audience(*, condition: Condition, at: datetime, limit: int = 20) -> list[Member]:
    """Return up to `limit` members of an audience, picked as if at random, always the same."""
    sql, params = compile_sql(condition, at=at)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT id FROM ({sql}) AS audience ORDER BY hashint8(id), id LIMIT %(limit)s",  # noqa: S608
            {**params, "limit": limit},
        )
        keys = [row[0] for row in cursor.fetchall()]
    found = Member.objects.in_bulk(keys)
    return [found[key] for key in keys]


def list_audience(*, condition: Condition, at: datetime, after: int = 0, limit: int) -> list[int]:
    """Return the keys of an audience in ascending order, from behind `after`: a page."""
    sql, params = compile_sql(condition, at=at)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT id FROM ({sql}) AS audience WHERE id > %(after)s ORDER BY id LIMIT %(limit)s",  # noqa: S608
            {**params, "after": after, "limit": limit},
        )
        return [row[0] for row in cursor.fetchall()]


def member_facts(*, member_id: int, fields: Iterable[str], at: datetime) -> dict[str, Any]:
    """Return what these fields of the catalogue are for one member; None where not known.

    :raises MemberNotFoundError: if there is no such member.
    """
    found = [FIELDS.get(name) for name in sorted(set(fields))]
    known = [field for field in found if field is not None]
    if len(known) != len(found):
        raise KeyError("unknown field")
    if not known:
        return {}
    columns = ", ".join(f"({field.sql})" for field in known)
    joins = join_sources({field.source for field in known})
    params = moment_parameters(at=at, zone=current_brand().timezone)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {columns} FROM members_member AS member{joins} "  # noqa: S608
            "WHERE member.id = %(member_id)s",
            {**params, "member_id": member_id},
        )
        row = cursor.fetchone()
    if row is None:
        raise MemberNotFoundError(member_id=member_id)
    return {field.name: value for field, value in zip(known, row, strict=True)}


def list_facts(
    *, member_ids: Sequence[int], fields: Iterable[str], at: datetime
) -> dict[int, dict[str, Any]]:
    """Return what these fields of the catalogue are for each member of a page, in one query."""
    known = [field for name in sorted(set(fields)) if (field := FIELDS.get(name)) is not None]
    columns = ", ".join(f"({field.sql}) AS {field.name}" for field in known)
    joins = join_sources({field.source for field in known})
    with connection.cursor() as cursor:
        # OFFSET 0 keeps the inner query apart, so that each source is read for one member at a
        # time and not for all of them.
        cursor.execute(
            "SELECT wanted.id, facts.* FROM unnest(%(member_ids)s::bigint[]) AS wanted (id) "  # noqa: S608
            f"CROSS JOIN LATERAL (SELECT {columns} FROM members_member AS member{joins} "
            "WHERE member.id = wanted.id OFFSET 0) AS facts",
            {
                **moment_parameters(at=at, zone=current_brand().timezone),
                "member_ids": list(member_ids),
            },
        )
        rows = cursor.fetchall()
    return {
        row[0]: {field.name: value for field, value in zip(known, row[1:], strict=True)}
        for row in rows
    }


def is_in_audience(*, condition: Condition, member_id: int, at: datetime) -> bool:
    """Say whether a condition holds for one member, whatever the member's status.

    :raises MemberNotFoundError: if there is no such member.
    """
    return evaluate(
        condition, member_facts(member_id=member_id, fields=fields_of(condition), at=at)
    )


def value_segment_sizes() -> dict[str, int]:
    """Return how many active members are in each of the six value segments."""
    counted = dict(
        MemberScore.objects.filter(member__status=Member.Status.ACTIVE)
        .values_list("value_segment")
        .annotate(members=Count("pk"))
    )
    return {segment.value: counted.get(segment.value, 0) for segment in ValueSegment}


def get_score(*, member_id: int) -> MemberScore | None:
    """Return a member's scores of the last run; None before the first one."""
    return MemberScore.objects.filter(pk=member_id).first()


def get_last_run() -> ScoreRun | None:
    """Return the last recomputation of all scores, with the boundaries it used."""
    return ScoreRun.objects.order_by("-as_of").first()


def get_value_table() -> Table:
    """Return the table of value segments in use: the brand's own, or the default one."""
    rows = ValueSegmentRule.objects.order_by("position")
    own = [(ValueSegment(row.segment), parse(row.condition, catalogue=FACTS)) for row in rows]
    return own or default_table()


def get_segment(*, segment_id: int) -> SavedSegment:
    """Return a saved segment.

    :raises SegmentNotFoundError: if there is no such segment.
    """
    segment = SavedSegment.objects.filter(pk=segment_id).first()
    if segment is None:
        raise SegmentNotFoundError(segment_id=segment_id)
    return segment


def list_segments() -> list[SavedSegment]:
    """Return all saved segments by name."""
    return list(SavedSegment.objects.order_by("name"))
