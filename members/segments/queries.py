"""Reading scores, audiences and the facts of one member."""

from array import array
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import Count
from django.utils.translation import gettext_lazy as _

from core.remembered import remembered
from members.profiles.errors import MemberNotFoundError
from members.profiles.models import Member
from members.segments._scores import effect_statement
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
    BehaviourSignal,
    MemberScore,
    SavedSegment,
    ScoreRun,
    ScoreSetting,
    SegmentChange,
    SegmentDay,
    SegmentMember,
    ValueSegment,
    ValueSegmentRule,
)
from members.segments.usage import Use, list_uses, segments_in
from members.segments.value_segments import VISITS, Signal, Table, default_table, facts_of
from members.segments.values import AudiencePreview, Scheme, SchemeEffect
from tenants.brands.context import current_brand


def count_audience(*, condition: Condition, at: datetime) -> int:
    """Return how many active members a condition holds for."""
    sql, params = compile_sql(condition, at=at)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM ({sql}) AS audience", params)  # noqa: S608
        return int(cursor.fetchone()[0])


def count_shared(*, first: Condition, second: Condition, at: datetime) -> int:
    """Return how many active members both conditions hold for."""
    mine = compile_sql(first, at=at, prefix="mine")
    theirs = compile_sql(second, at=at, prefix="theirs")
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT count(*) FROM ({mine.sql} INTERSECT {theirs.sql}) AS shared",  # noqa: S608
            {**mine.params, **theirs.params},
        )
        return int(cursor.fetchone()[0])


def preview_audience(*, condition: Condition, at: datetime, sample: int = 5) -> AudiencePreview:
    """Return the size of an audience, some of its members and how many there are in all.

    Both come from one reading of the audience. The sample is picked as if at random.
    """
    sql, params = compile_sql(condition, at=at)
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH audience AS MATERIALIZED ({sql}) SELECT (SELECT count(*) FROM audience), "  # noqa: S608
            "ARRAY(SELECT id FROM audience ORDER BY hashint8(id), id LIMIT %(sample)s), "
            "(SELECT count(*) FROM members_member WHERE status = 'active')",
            {**params, "sample": sample},
        )
        size, keys, members = cursor.fetchone()
    found = Member.objects.in_bulk(keys)
    return AudiencePreview(size=size, members=members, sample=[found[key] for key in keys])


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


def read_keys(*, condition: Condition, at: datetime) -> "array[int]":
    """Return the keys of a whole audience in ascending order, eight bytes each.

    To go through many members piece by piece: the audience is looked up once.
    """
    sql, params = compile_sql(condition, at=at)
    keys = array("q")
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('statement_timeout', '600s', true)")
        # Streamed: a plain result would first lie in memory as text.
        text = f"COPY (SELECT id FROM ({sql}) AS audience ORDER BY id) TO STDOUT"  # noqa: S608
        with cursor.copy(text, params) as copy:
            for row in copy.rows():
                keys.append(int(row[0]))
    return keys


def get_members(*, member_ids: Sequence[int]) -> list[Member]:
    """Return members by their keys, in the order given, personal data included."""
    found = Member.objects.select_related("personal").in_bulk(member_ids)
    return [found[key] for key in member_ids if key in found]


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
    columns = ", ".join(f"({field.sql}) AS c{n}" for n, field in enumerate(known))
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
    """Return how many active members are in each of the six value segments.

    For pages: of up to five minutes ago where counting takes long.
    """
    counted = remembered(
        "value-segments",
        lambda: dict(
            MemberScore.objects.filter(member__status=Member.Status.ACTIVE)
            .values_list("value_segment")
            .annotate(members=Count("pk"))
        ),
    )
    return {segment.value: counted.get(segment.value, 0) for segment in ValueSegment}


def get_score(*, member_id: int) -> MemberScore | None:
    """Return a member's scores of the last run; None before the first one."""
    return MemberScore.objects.filter(pk=member_id).first()


def get_last_run() -> ScoreRun | None:
    """Return the last recomputation of all scores, with the boundaries it used."""
    return ScoreRun.objects.order_by("-as_of").first()


def list_signals() -> list[Signal]:
    """Return the behaviour signals of the brand; the default one when it has none of its own."""
    own = [
        Signal(row.code, row.label, tuple(row.events), row.days)
        for row in BehaviourSignal.objects.order_by("pk")
    ]
    return own if any(signal.code == VISITS.code for signal in own) else [VISITS, *own]


def get_value_table() -> Table:
    """Return the table of value segments in use: the brand's own, or the default one."""
    return _value_table(None)


def _value_table(signals: Sequence[Signal] | None) -> Table:
    rows = list(ValueSegmentRule.objects.order_by("position"))
    if not rows:
        return default_table()
    facts = facts_of(list_signals() if signals is None else signals)
    return [(ValueSegment(row.segment), parse(row.condition, catalogue=facts)) for row in rows]


def has_own_value_table() -> bool:
    """Say whether the brand has a table of its own."""
    return ValueSegmentRule.objects.exists()


def get_score_setting() -> ScoreSetting:
    """Return how the brand scores; unsaved, by quintiles, when it never said."""
    return ScoreSetting.objects.filter(pk=1).first() or ScoreSetting()


def get_scheme() -> Scheme:
    """Return all that scores and places members: limits, signals, table."""
    setting = get_score_setting()
    own = setting.method == ScoreSetting.Method.THRESHOLDS
    signals = list_signals()
    return Scheme(
        table=_value_table(signals),
        signals=signals,
        thresholds=setting.thresholds if own else None,
    )


def preview_scheme(*, scheme: Scheme, run: ScoreRun | None = None) -> SchemeEffect:
    """Return what another scheme would make of the members as the last run saw them.

    Nothing is written. Before the first run there is nothing to see: all figures are zero. `run`
    is the last one, where it has been read already.
    """
    run = run or get_last_run()
    if run is None:
        return SchemeEffect()
    statement, params = effect_statement(
        as_of=run.as_of, zone=current_brand().timezone, scheme=scheme
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        rows = cursor.fetchall()
    scores: dict[str, dict[int, int]] = {letter: dict.fromkeys(range(1, 6), 0) for letter in "rfm"}
    for kind, _now, then, members in rows:
        if kind != "segment" and then is not None:
            scores[kind][int(then)] += members
    segments = [row[1:] for row in rows if row[0] == "segment"]
    return SchemeEffect(
        members=sum(row[2] for row in segments),
        moved=sum(row[2] for row in segments if row[0] != row[1]),
        moves={(row[0], row[1]): row[2] for row in segments},
        scores=scores,
    )


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


def list_segment_uses(*, segment_id: int) -> list[Use]:
    """Return what is in force and names a saved segment: rules, offers, other segments."""
    others = [
        Use(_("segment"), row.name, row.condition)
        for row in SavedSegment.objects.exclude(pk=segment_id).order_by("name")
    ]
    return [use for use in [*list_uses(), *others] if segment_id in segments_in(use.tree)]


def list_segment_days(
    *, segment_ids: Sequence[int], since: date, until: date | None = None
) -> dict[int, list[SegmentDay]]:
    """Return how segments stood on each stored day since a day, the first one first."""
    days = SegmentDay.objects.filter(segment_id__in=segment_ids, on_date__gte=since)
    if until is not None:
        days = days.filter(on_date__lte=until)
    found: dict[int, list[SegmentDay]] = {key: [] for key in segment_ids}
    for day in days.order_by("on_date"):
        found[day.segment_id].append(day)
    return found


def list_last_days(*, segment_ids: Sequence[int]) -> dict[int, SegmentDay]:
    """Return the last stored day of each segment that has one."""
    days = SegmentDay.objects.filter(segment_id__in=segment_ids)
    return {
        day.segment_id: day
        for day in days.order_by("segment_id", "-on_date").distinct("segment_id")
    }


def list_changes(
    *, segment_id: int, on: date, entered: bool, after: int = 0, limit: int = 50
) -> list[Member]:
    """Return members who entered (or left) a segment on a day, in the order of their keys."""
    keys = list(
        SegmentChange.objects.filter(
            segment_id=segment_id, on_date=on, entered=entered, member_id__gt=after
        )
        .order_by("member_id")
        .values_list("member_id", flat=True)[:limit]
    )
    return get_members(member_ids=keys)


def list_segments_of(*, member_id: int) -> list[tuple[SavedSegment, date]]:
    """Return the saved segments a member was in when they were last stored, and since when."""
    rows = SegmentMember.objects.filter(
        member_id=member_id, segment_id__in=SavedSegment.objects.values("pk")
    ).select_related("segment")
    return sorted(((row.segment, row.since) for row in rows), key=lambda pair: pair[0].name)
