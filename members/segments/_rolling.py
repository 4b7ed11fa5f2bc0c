"""Scoring from the run before: only those members whom the days since then can have changed.

What a score is made of moves in four ways. A member's days enter or leave the window, or changed
late: their facts are summed (`_MOVES`). The boundaries move for everybody: the members between the
old place of a boundary and the new one (`_BETWEEN`). A condition of the table compares the days
since joining: who passed that number since. Or it counts events: who had any. All others score
what is stored. The boundaries are exact: counted over all members, the fine ones in two steps, so
that nothing is sorted.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from math import ceil
from typing import Any, cast

from django.db import connection

from members.segments._scores import (
    TAKE,
    WINDOW_DAYS,
    rolled_facts,
    write_statement,
)
from members.segments.conditions import comparisons
from members.segments.value_segments import used_signals
from members.segments.values import Scheme

Boundaries = Mapping[str, Sequence[int]]

_STEPS = (0.2, 0.4, 0.6, 0.8)
# How far from an old boundary of spend the new one is looked for first, in thousandths.
_NEAR = (5, 25)

_TABLES = """
DROP TABLE IF EXISTS score_moves, score_between;
CREATE TEMPORARY TABLE score_moves (member_id bigint, last_on date, frequency bigint,
    monetary bigint, old_last_on date, old_frequency bigint, old_monetary bigint) ON COMMIT DROP
"""
_MOVES = """
WITH {take}, {facts}
INSERT INTO score_moves
SELECT facts.member_id, {last_on}, {frequency}, {monetary},
    old.last_purchase_on, COALESCE(old.frequency, 0), COALESCE(old.monetary_minor, 0)
FROM facts LEFT JOIN members_memberscore AS old ON old.member_id = facts.member_id
"""
# What is stored, less what moved, plus where it moved to. Read by itself, so that several
# processes may share the work.
_COUNT_STORED = """
SELECT {value}, count(*) FROM members_memberscore WHERE frequency > 0{only} GROUP BY 1
"""
_COUNT_MOVES = """
SELECT {value}, sum(sign)::bigint FROM (
    SELECT old_last_on AS last_purchase_on, old_frequency AS frequency,
        old_monetary AS monetary_minor, -1 AS sign FROM score_moves
    UNION ALL SELECT last_on, frequency, monetary, 1 FROM score_moves
) AS moved WHERE frequency > 0{only} GROUP BY 1
"""
_BETWEEN = """
CREATE TEMPORARY TABLE score_between ON COMMIT DROP AS
SELECT member_id FROM members_memberscore WHERE frequency > 0 AND ({ranges})
UNION ALL SELECT id FROM members_member AS member WHERE NOT EXISTS (
    SELECT FROM members_memberscore AS known WHERE known.member_id = member.id)
"""
_LISTED = "SELECT member_id FROM score_moves UNION SELECT member_id FROM score_between"
_JOINED = """
    UNION SELECT id FROM members_member
    WHERE enrolled_at >= ((%(as_of)s::date - {most})::timestamp AT TIME ZONE %(zone)s)
        AND enrolled_at < ((%(as_of)s::date - {least})::timestamp AT TIME ZONE %(zone)s)"""
_EVENTS = """
    UNION SELECT member_id FROM members_activityevent
    WHERE name = ANY(%(signal_{code})s)
        AND at >= ((%(last_as_of)s::date - {days})::timestamp AT TIME ZONE %(zone)s)
        AND at < (%(as_of)s::date::timestamp AT TIME ZONE %(zone)s)"""
# A value is on one side of a boundary before and on the other now.
_RANGE = "{column} > %(low_{name})s AND {column} <= %(high_{name})s"
_COLUMNS = {"frequency": "frequency", "monetary": "monetary_minor"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """The last run: the day that the stored scores are of, and its boundaries."""

    as_of: date
    boundaries: Boundaries


def roll(
    *, as_of: date, zone: str, scheme: Scheme, before: Before
) -> tuple[int, int, dict[str, list[int]]]:
    """Bring the stored scores from an earlier day, of the same scheme and zone, to `as_of`.

    Returns the members with facts, the rows written and the boundaries. In the caller's
    transaction, which keeps other runs away.
    """
    with connection.cursor() as cursor:
        params: dict[str, Any] = {
            "as_of": as_of,
            "from_on": as_of - timedelta(days=WINDOW_DAYS),
            "last_as_of": before.as_of,
            "last_from_on": before.as_of - timedelta(days=WINDOW_DAYS),
        }
        facts, (last_on, frequency, monetary) = rolled_facts()
        cursor.execute(_TABLES)
        cursor.execute(
            _MOVES.format(
                take=TAKE, facts=facts, last_on=last_on, frequency=frequency, monetary=monetary
            ),
            params,
        )
        cursor.execute("ANALYZE score_moves")
        recency = {
            (as_of - cast("date", on)).days: count
            for on, count in _count("last_purchase_on").items()
        }
        scored = sum(recency.values())
        boundaries = (
            {name: list(limits) for name, limits in scheme.thresholds.items()}
            if scheme.thresholds is not None
            else {
                "recency": pick(recency, ranks(scored)),
                "frequency": pick(_count("frequency"), ranks(scored)),
                "monetary": _pick_spend(before.boundaries["monetary"], ranks(scored)),
            }
        )
        ranges, its_params = _moved(as_of, before, boundaries)
        cursor.execute(_BETWEEN.format(ranges=" OR ".join(ranges) or "FALSE"), its_params)
        cursor.execute("ANALYZE score_between")
        statement, values = write_statement(
            as_of=as_of,
            zone=zone,
            scheme=scheme,
            boundaries=boundaries,
            listed=_LISTED + _joined(scheme, before.as_of, as_of) + _signals(scheme),
        )
        cursor.execute(statement, {**values, "last_as_of": before.as_of})
        changed: int = cursor.fetchone()[0]
        cursor.execute("DROP TABLE score_moves, score_between")
    return scored, changed, boundaries


def ranks(count: int) -> list[int]:
    """Return the places of the quintile boundaries among so many values, as `percentile_disc`."""
    return [max(ceil(step * count), 1) for step in _STEPS]


def pick(counts: Mapping[int, int], places: Sequence[int]) -> list[int]:
    """Return the values at these places, counted from 1 in ascending order of the values.

    Empty if there are fewer values than the last place.
    """
    found: list[int] = []
    seen = 0
    for value in sorted(counts):
        seen += counts[value]
        while len(found) < len(places) and places[len(found)] <= seen:
            found.append(value)
    return found if len(found) == len(places) else []


def _pick_spend(old: Sequence[int], places: Sequence[int]) -> list[int]:
    """Return the quintile boundaries of net spend: by ranges first, then within four of them."""
    edges = sorted(
        {
            int(value * (1000 + sign * near) / 1000)
            for value in old
            for near in _NEAR
            for sign in (-1, 1)
        }
    )
    by_range = Counter(
        _count("width_bucket(monetary_minor, %(edges)s::bigint[])", params={"edges": edges})
    )
    ranges: list[tuple[int, int]] = []
    for place in places:
        below, number = 0, 0
        while number <= len(edges) and below + by_range[number] < place:
            below += by_range[number]
            number += 1
        ranges.append((number, below))
    if not sum(by_range.values()):
        return []
    values = _spend_within(edges, {number for number, _below in ranges})
    found: list[int] = []
    for place, (number, below) in zip(places, ranges, strict=True):
        inside = {
            value: count for value, count in values.items() if bisect_right(edges, value) == number
        }
        found += pick(inside, [place - below])
    return found


def _spend_within(edges: Sequence[int], numbers: set[int]) -> Mapping[int, int]:
    """Return how often each value of net spend occurs in some ranges; each begins at its edge."""
    parts: list[str] = []
    params: dict[str, int] = {}
    for number in numbers:
        limits = ["TRUE"]
        if number > 0:
            params[f"low_{number}"] = edges[number - 1]
            limits.append(f"monetary_minor >= %(low_{number})s")
        if number < len(edges):
            params[f"high_{number}"] = edges[number]
            limits.append(f"monetary_minor < %(high_{number})s")
        parts.append(f"({' AND '.join(limits)})")
    return _count("monetary_minor", only=f" AND ({' OR '.join(parts)})", params=params)


def _count(value: str, *, only: str = "", params: dict[str, Any] | None = None) -> dict[Any, int]:
    counts: Counter[Any] = Counter()
    with connection.cursor() as cursor:
        for text in (_COUNT_STORED, _COUNT_MOVES):
            cursor.execute(text.format(value=value, only=only), params)
            counts.update(dict(cursor.fetchall()))
    return {key: count for key, count in counts.items() if count}


def _moved(as_of: date, before: Before, now: Boundaries) -> tuple[list[str], dict[str, Any]]:
    """Return conditions for the rows that a boundary has passed, and their parameters."""
    ranges: list[str] = []
    params: dict[str, Any] = {}

    # Nobody has facts: there is nobody between.
    if not all(now.values()):
        return ranges, params

    def add(column: str, old: Iterable[Any], new: Iterable[Any]) -> None:
        for one, other in zip(old, new, strict=True):
            if one != other:
                name = str(len(ranges))
                low, high = sorted((one, other))
                params.update({f"low_{name}": low, f"high_{name}": high})
                ranges.append(f"({_RANGE.format(column=column, name=name)})")

    for name, column in _COLUMNS.items():
        add(column, before.boundaries[name], now[name])
    # More days than the boundary: before that day, at most the day before it.
    add("last_purchase_on", *(
        [day - timedelta(days=days + 1) for days in limits]
        for day, limits in (
            (before.as_of, before.boundaries["recency"]), (as_of, now["recency"]),
        )
    ))  # fmt: skip
    return ranges, params


def _joined(scheme: Scheme, last_as_of: date, as_of: date) -> str:
    """Return who passed a number of days since joining that the table compares."""
    numbers: set[int] = set()
    for _segment, condition in scheme.table:
        for test in comparisons(condition):
            if test.field.name == "days_since_joining" and test.op != "is_set":
                value = test.value
                numbers |= set(cast("tuple[int, ...]", value)) if isinstance(value, tuple) else {
                    cast("int", value)}  # fmt: skip
    # Days on either side: whether the number itself counts depends on the operator.
    passed = (as_of - last_as_of).days
    return "".join(
        _JOINED.format(most=number + passed + 1, least=number - 2) for number in sorted(numbers)
    )


def _signals(scheme: Scheme) -> str:
    """Return who had an event that counts, on the last day or now, whenever it was sent."""
    return "".join(
        _EVENTS.format(code=signal.code, days=int(signal.days))
        for signal in used_signals(scheme.table, scheme.signals)
    )
