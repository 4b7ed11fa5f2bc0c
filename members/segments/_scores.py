"""The statement that scores all members, and where its facts come from.

Facts are recency, frequency and net spend of each member with an order in the window. They are
read from the members' days in full, or, when a run of an earlier day is there, only for members
whose days entered, left or changed; all others are read from the scores themselves.
"""

from datetime import date, timedelta
from typing import Any

from members.segments.conditions import compile_expression
from members.segments.models import ValueSegment
from members.segments.value_segments import VISITS, Table

WINDOW_DAYS = 365
VISIT_DAYS = 30

_FULL_FACTS = """
facts AS (
    SELECT member_id, max(on_date) FILTER (WHERE orders > 0) AS last_on,
        sum(orders) AS frequency, sum(spend_minor - refunded_minor)::bigint AS monetary
    FROM members_memberday
    WHERE on_date >= %(from_on)s AND on_date < %(as_of)s
    GROUP BY member_id HAVING sum(orders) > 0
)"""

_ROLLED_FACTS = """
moved AS MATERIALIZED (
    SELECT unnest(%(late)s::bigint[]) AS member_id
    UNION
    SELECT member_id FROM members_memberday
    WHERE on_date >= %(last_as_of)s AND on_date < %(as_of)s
    UNION
    SELECT member_id FROM members_memberday
    WHERE on_date >= %(last_from_on)s AND on_date < %(from_on)s
), facts AS (
    SELECT score.member_id, score.last_purchase_on AS last_on,
        score.frequency::bigint AS frequency, score.monetary_minor AS monetary
    FROM members_memberscore AS score
    WHERE score.frequency > 0
        AND NOT EXISTS (SELECT FROM moved WHERE moved.member_id = score.member_id)
    UNION ALL
    SELECT moved.member_id, days.last_on, days.frequency, days.monetary
    FROM moved CROSS JOIN LATERAL (
        SELECT max(day.on_date) FILTER (WHERE day.orders > 0) AS last_on,
            sum(day.orders) AS frequency,
            sum(day.spend_minor - day.refunded_minor)::bigint AS monetary
        FROM members_memberday AS day
        WHERE day.member_id = moved.member_id
            AND day.on_date >= %(from_on)s AND day.on_date < %(as_of)s
    ) AS days
    WHERE days.frequency > 0
)"""

# A score counts the boundaries below the value, so that equal values share a score.
_SCORE = """
WITH {facts}, bounds AS (
    SELECT
        percentile_disc(ARRAY[0.2, 0.4, 0.6, 0.8])
            WITHIN GROUP (ORDER BY %(as_of)s::date - last_on) AS recency,
        percentile_disc(ARRAY[0.2, 0.4, 0.6, 0.8]) WITHIN GROUP (ORDER BY frequency) AS frequency,
        percentile_disc(ARRAY[0.2, 0.4, 0.6, 0.8]) WITHIN GROUP (ORDER BY monetary) AS monetary
    FROM facts
), scored AS (
    SELECT facts.member_id, facts.last_on, facts.frequency, facts.monetary,
        5 - {recency_above} AS r,
        1 + {frequency_above} AS f,
        1 + {monetary_above} AS m
    FROM facts CROSS JOIN bounds
), target AS (
    SELECT member.id AS member_id, scored.r, scored.f, scored.m,
        scored.last_on AS last_purchase_on,
        COALESCE(scored.frequency, 0)::int AS frequency,
        COALESCE(scored.monetary, 0) AS monetary_minor,
        CASE {segments} ELSE '{otherwise}' END AS value_segment
    FROM members_member AS member
    LEFT JOIN scored ON scored.member_id = member.id
    LEFT JOIN (
        SELECT member_id, count(*) AS visits FROM members_activityevent
        WHERE name = ANY(%(visits)s)
            AND at >= ((%(as_of)s::date - {visit_days})::timestamp AT TIME ZONE %(zone)s)
            AND at < (%(as_of)s::date::timestamp AT TIME ZONE %(zone)s)
        GROUP BY member_id
    ) AS visited ON visited.member_id = member.id
)"""

_WRITE = """, written AS (
    INSERT INTO members_memberscore AS score (member_id, r, f, m, last_purchase_on, frequency,
        monetary_minor, value_segment, changed_on)
    SELECT target.*, %(as_of)s
    FROM target LEFT JOIN members_memberscore AS old ON old.member_id = target.member_id
    WHERE old.member_id IS NULL
        OR (old.r, old.f, old.m, old.last_purchase_on, old.frequency, old.monetary_minor,
            old.value_segment)
        IS DISTINCT FROM (target.r, target.f, target.m, target.last_purchase_on,
            target.frequency, target.monetary_minor, target.value_segment)
    ON CONFLICT (member_id) DO UPDATE SET
        r = EXCLUDED.r, f = EXCLUDED.f, m = EXCLUDED.m,
        last_purchase_on = EXCLUDED.last_purchase_on, frequency = EXCLUDED.frequency,
        monetary_minor = EXCLUDED.monetary_minor, value_segment = EXCLUDED.value_segment,
        changed_on = EXCLUDED.changed_on
    RETURNING 1
)
SELECT (SELECT count(*) FROM facts), (SELECT count(*) FROM written),
    (SELECT to_jsonb(bounds) FROM bounds)
"""

# For the invariant: how many stored scores differ from a computation over all days.
_COMPARE = """
SELECT target.member_id
FROM target LEFT JOIN members_memberscore AS score ON score.member_id = target.member_id
WHERE (score.r, score.f, score.m, score.last_purchase_on, score.frequency, score.monetary_minor,
        score.value_segment)
    IS DISTINCT FROM (target.r, target.f, target.m, target.last_purchase_on, target.frequency,
        target.monetary_minor, target.value_segment)
ORDER BY target.member_id LIMIT 20
"""


def score_statement(
    *, as_of: date, zone: str, table: Table, last_as_of: date | None, late: list[int]
) -> tuple[str, dict[str, Any]]:
    """Return the statement that writes all scores, and its parameters.

    `last_as_of` is the run that the stored scores are of, or None to read all days; `late` are
    the members whose older days have changed since. It gives one row: members with facts, rows
    written, boundaries as JSON.
    """
    head, params = _scoring(as_of=as_of, zone=zone, table=table, rolled=last_as_of is not None)
    if last_as_of is not None:
        params |= {
            "late": late,
            "last_as_of": last_as_of,
            "last_from_on": last_as_of - timedelta(days=WINDOW_DAYS),
        }
    return head + _WRITE, params


def compare_statement(*, as_of: date, zone: str, table: Table) -> tuple[str, dict[str, Any]]:
    """Return the query for members whose stored score differs from a full computation."""
    head, params = _scoring(as_of=as_of, zone=zone, table=table, rolled=False)
    return head + _COMPARE, params


def _scoring(*, as_of: date, zone: str, table: Table, rolled: bool) -> tuple[str, dict[str, Any]]:
    params: dict[str, Any] = {
        "as_of": as_of,
        "from_on": as_of - timedelta(days=WINDOW_DAYS),
        "zone": zone,
        "visits": list(VISITS),
    }
    cases = []
    for position, (segment, condition) in enumerate(table):
        sql, values = compile_expression(condition, prefix=f"s{position}")
        params |= values
        cases.append(f"WHEN {sql} THEN '{segment.value}'")
    text = _SCORE.format(
        facts=_ROLLED_FACTS if rolled else _FULL_FACTS,
        recency_above=_count_above("%(as_of)s::date - facts.last_on", "recency"),
        frequency_above=_count_above("facts.frequency", "frequency"),
        monetary_above=_count_above("facts.monetary", "monetary"),
        segments=" ".join(cases) or "WHEN FALSE THEN ''",
        otherwise=ValueSegment.DORMANT.value,
        visit_days=VISIT_DAYS,
    )
    return text, params


def _count_above(value: str, bound: str) -> str:
    terms = [f"(({value}) > bounds.{bound}[{number}])::int" for number in range(1, 5)]
    return "(" + " + ".join(terms) + ")"
