"""The statement that scores all members, and where its facts come from.

Facts are recency, frequency and net spend of each member with an order in the window. In full they
are summed from the members' days. When a run of an earlier day is there, they are its scores, plus
the days that entered the window, minus those that left it; only members marked as late are summed
again. That is exact: the last purchase leaves the window after all others of its member, and days
that changed after they were counted have a mark.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from members.segments.conditions import compile_expression
from members.segments.models import ValueSegment
from members.segments.value_segments import used_signals
from members.segments.values import Scheme

WINDOW_DAYS = 365

TAKE = "taken AS (DELETE FROM members_lateactivity RETURNING member_id)"

_FULL_FACTS = """
facts AS (
    SELECT member_id, max(on_date) FILTER (WHERE orders > 0) AS last_on,
        sum(orders) AS frequency, sum(spend_minor - refunded_minor)::bigint AS monetary
    FROM members_memberday
    WHERE on_date >= %(from_on)s AND on_date < %(as_of)s
    GROUP BY member_id HAVING sum(orders) > 0
)"""
_FULL = ("facts.last_on", "COALESCE(facts.frequency, 0)", "COALESCE(facts.monetary, 0)")

_ROLLED_FACTS = """
late AS MATERIALIZED (
    SELECT DISTINCT member_id FROM taken
), moved AS (
    SELECT member_id, 1 AS sign, on_date, orders, spend_minor - refunded_minor AS net
    FROM members_memberday WHERE on_date >= %(last_as_of)s AND on_date < %(as_of)s
    UNION ALL
    SELECT member_id, -1, on_date, orders, spend_minor - refunded_minor
    FROM members_memberday WHERE on_date >= %(last_from_on)s AND on_date < %(from_on)s
), facts AS (
    SELECT member_id, FALSE AS is_late, max(on_date) FILTER (WHERE sign = 1 AND orders > 0) AS last_on,
        sum(sign * orders) AS frequency, sum(sign * net)::bigint AS monetary
    FROM moved
    WHERE NOT EXISTS (SELECT FROM late WHERE late.member_id = moved.member_id)
    GROUP BY member_id
    UNION ALL
    SELECT late.member_id, TRUE, max(day.on_date) FILTER (WHERE day.orders > 0),
        COALESCE(sum(day.orders), 0),
        COALESCE(sum(day.spend_minor - day.refunded_minor), 0)::bigint
    FROM late
    LEFT JOIN members_memberday AS day ON day.member_id = late.member_id
        AND day.on_date >= %(from_on)s AND day.on_date < %(as_of)s
    GROUP BY late.member_id
)"""
_ROLLED = (
    (
        "CASE WHEN facts.is_late THEN facts.last_on "
        "ELSE GREATEST(old.last_purchase_on, facts.last_on) END"
    ),
    (
        "CASE WHEN facts.is_late THEN facts.frequency "
        "ELSE COALESCE(old.frequency, 0) + COALESCE(facts.frequency, 0) END"
    ),
    (
        "CASE WHEN facts.is_late THEN facts.monetary "
        "ELSE COALESCE(old.monetary_minor, 0) + COALESCE(facts.monetary, 0) END"
    ),
)

# A score counts the boundaries below the value (those up to one less: values are whole), so that
# equal values share a score. Materialised: otherwise a score is worked out wherever it is named.
_SCORE = """
{facts}, present AS MATERIALIZED (
    SELECT member.id AS member_id, member.enrolled_at, old.member_id AS old_id, old.r AS old_r,
        old.f AS old_f, old.m AS old_m, old.last_purchase_on AS old_last_on,
        old.frequency AS old_frequency, old.monetary_minor AS old_monetary,
        old.value_segment AS old_segment,
        {last_on} AS last_on, {frequency} AS frequency, {monetary} AS monetary
    FROM {members} AS member
    LEFT JOIN members_memberscore AS old ON old.member_id = member.id
    LEFT JOIN facts ON facts.member_id = member.id
), bounds AS (
    SELECT {bounds}, count(*) AS scored FROM present WHERE frequency > 0
), scored AS MATERIALIZED (
    SELECT present.member_id, present.enrolled_at, old_id, old_r, old_f, old_m, old_last_on,
        old_frequency, old_monetary, old_segment,
        CASE WHEN present.frequency > 0 THEN last_on END AS last_on,
        present.frequency::int AS frequency,
        CASE WHEN present.frequency > 0 THEN present.monetary ELSE 0 END AS monetary,
        CASE WHEN present.frequency > 0
            THEN 5 - width_bucket(%(as_of)s::date - last_on - 1, bounds.recency) END AS r,
        CASE WHEN present.frequency > 0
            THEN 1 + width_bucket(present.frequency - 1, bounds.frequency) END AS f,
        CASE WHEN present.frequency > 0
            THEN 1 + width_bucket(present.monetary - 1, bounds.monetary) END AS m
    FROM present CROSS JOIN bounds
), target AS (
    SELECT scored.*, CASE {segments} ELSE '{otherwise}' END AS value_segment
    FROM scored{signals}
), different AS (
    SELECT * FROM target
    WHERE old_id IS NULL
        OR (old_r, old_f, old_m, old_last_on, old_frequency, old_monetary, old_segment)
            IS DISTINCT FROM (r, f, m, last_on, frequency, monetary, value_segment)
)"""

_QUINTILES = """
        percentile_disc(ARRAY[0.2, 0.4, 0.6, 0.8])
            WITHIN GROUP (ORDER BY %(as_of)s::date - last_on) AS recency,
        percentile_disc(ARRAY[0.2, 0.4, 0.6, 0.8]) WITHIN GROUP (ORDER BY frequency) AS frequency,
        percentile_disc(ARRAY[0.2, 0.4, 0.6, 0.8]) WITHIN GROUP (ORDER BY monetary) AS monetary"""
_THRESHOLDS = """
        %(limits_recency)s::bigint[] AS recency, %(limits_frequency)s::bigint[] AS frequency,
        %(limits_monetary)s::bigint[] AS monetary"""
_SIGNAL = """
    LEFT JOIN (
        SELECT member_id, count(*) AS events FROM members_activityevent
        WHERE name = ANY(%(signal_{code})s)
            AND at >= ((%(as_of)s::date - {days})::timestamp AT TIME ZONE %(zone)s)
            AND at < (%(as_of)s::date::timestamp AT TIME ZONE %(zone)s)
        GROUP BY member_id
    ) AS signal_{code} ON signal_{code}.member_id = scored.member_id"""

_WRITE = """, written AS (
    INSERT INTO members_memberscore (member_id, r, f, m, last_purchase_on, frequency,
        monetary_minor, value_segment, changed_on)
    SELECT member_id, r, f, m, last_on, frequency, monetary, value_segment, %(as_of)s
    FROM different
    ON CONFLICT (member_id) DO UPDATE SET
        r = EXCLUDED.r, f = EXCLUDED.f, m = EXCLUDED.m,
        last_purchase_on = EXCLUDED.last_purchase_on, frequency = EXCLUDED.frequency,
        monetary_minor = EXCLUDED.monetary_minor, value_segment = EXCLUDED.value_segment,
        changed_on = EXCLUDED.changed_on
    RETURNING 1
)
SELECT bounds.scored, (SELECT count(*) FROM written), to_jsonb(bounds) - 'scored' FROM bounds
"""

# Of listed members only, between boundaries that are known; the facts of those who moved are there.
_LISTED = """(SELECT member.id, member.enrolled_at FROM ({listed}) AS listed
        JOIN members_member AS member ON member.id = listed.member_id)"""
_MOVED_FACTS = "facts AS (SELECT * FROM score_moves)"
_MOVED = tuple(
    f"CASE WHEN facts.member_id IS NULL THEN {stored} ELSE facts.{moved} END"
    for stored, moved in (
        ("old.last_purchase_on", "last_on"),
        ("COALESCE(old.frequency, 0)", "frequency"),
        ("COALESCE(old.monetary_minor, 0)", "monetary"),
    )
)
_WRITE_LISTED = """, updated AS (
    UPDATE members_memberscore AS score SET
        r = different.r, f = different.f, m = different.m,
        last_purchase_on = different.last_on, frequency = different.frequency,
        monetary_minor = different.monetary, value_segment = different.value_segment,
        changed_on = %(as_of)s
    FROM different WHERE score.member_id = different.member_id AND old_id IS NOT NULL
    RETURNING 1
), added AS (
    INSERT INTO members_memberscore (member_id, r, f, m, last_purchase_on, frequency,
        monetary_minor, value_segment, changed_on)
    SELECT member_id, r, f, m, last_on, frequency, monetary, value_segment, %(as_of)s
    FROM different WHERE old_id IS NULL
    RETURNING 1
)
SELECT (SELECT count(*) FROM updated) + (SELECT count(*) FROM added)
"""

# For the invariant: whose stored scores differ from a computation over all days.
_COMPARE = "SELECT member_id FROM different ORDER BY member_id LIMIT 20"

# What another scheme would make of the scores as they are stored: nothing is read again.
_STORED_FACTS = "facts AS (SELECT NULL::bigint AS member_id WHERE FALSE)"
_STORED = (
    "old.last_purchase_on",
    "COALESCE(old.frequency, 0)",
    "COALESCE(old.monetary_minor, 0)",
)
_EFFECT = """, active AS MATERIALIZED (
    SELECT target.* FROM target JOIN members_member AS member ON member.id = target.member_id
    WHERE member.status = 'active' AND old_id IS NOT NULL
)
SELECT 'segment', old_segment, value_segment, count(*) FROM active GROUP BY 2, 3
UNION ALL SELECT 'r', old_r::text, r::text, count(*) FROM active GROUP BY 2, 3
UNION ALL SELECT 'f', old_f::text, f::text, count(*) FROM active GROUP BY 2, 3
UNION ALL SELECT 'm', old_m::text, m::text, count(*) FROM active GROUP BY 2, 3
"""


def score_statement(
    *, as_of: date, zone: str, scheme: Scheme, last_as_of: date | None
) -> tuple[str, dict[str, Any]]:
    """Return the statement that writes all scores, and its parameters.

    `last_as_of` is the run that the stored scores are of, or None to read all days. The marks of
    late activity are taken by it. It gives one row: members with facts, rows written, boundaries
    as JSON.
    """
    rolls = last_as_of is not None
    head, params = _scoring(
        as_of=as_of,
        zone=zone,
        scheme=scheme,
        facts=_ROLLED_FACTS if rolls else _FULL_FACTS,
        figures=_ROLLED if rolls else _FULL,
    )
    if last_as_of is not None:
        params |= {
            "last_as_of": last_as_of,
            "last_from_on": last_as_of - timedelta(days=WINDOW_DAYS),
        }
    return f"WITH {TAKE}, {head}{_WRITE}", params


def rolled_facts() -> tuple[str, tuple[str, str, str]]:
    """Return what sums the facts of members whose days moved, and what each fact then is."""
    return _ROLLED_FACTS.strip(), _ROLLED


def write_statement(
    *,
    as_of: date,
    zone: str,
    scheme: Scheme,
    boundaries: Mapping[str, Sequence[int]],
    listed: str,
) -> tuple[str, dict[str, Any]]:
    """Return the statement that scores the members of a query by known boundaries.

    The table `score_moves` has the facts of those whose days moved. It gives the rows written.
    """
    head, params = _scoring(
        as_of=as_of,
        zone=zone,
        scheme=replace(scheme, thresholds=boundaries),
        facts=_MOVED_FACTS,
        figures=(_MOVED[0], _MOVED[1], _MOVED[2]),
        members=_LISTED.format(listed=listed),
    )
    return f"WITH {head}{_WRITE_LISTED}", params


def compare_statement(*, as_of: date, zone: str, scheme: Scheme) -> tuple[str, dict[str, Any]]:
    """Return the query for members whose stored score differs from a full computation."""
    head, params = _scoring(as_of=as_of, zone=zone, scheme=scheme, facts=_FULL_FACTS, figures=_FULL)
    return f"WITH {head} {_COMPARE}", params


def effect_statement(*, as_of: date, zone: str, scheme: Scheme) -> tuple[str, dict[str, Any]]:
    """Return the query for what another scheme would change, as of the last run.

    Rows: `segment`, `r`, `f` or `m`; value now; value then; active members.
    """
    head, params = _scoring(
        as_of=as_of, zone=zone, scheme=scheme, facts=_STORED_FACTS, figures=_STORED
    )
    return f"WITH {head}{_EFFECT}", params


def _scoring(
    *,
    as_of: date,
    zone: str,
    scheme: Scheme,
    facts: str,
    figures: tuple[str, str, str],
    members: str = "members_member",
) -> tuple[str, dict[str, Any]]:
    signals = used_signals(scheme.table, scheme.signals)
    params: dict[str, Any] = {
        "as_of": as_of,
        "from_on": as_of - timedelta(days=WINDOW_DAYS),
        "zone": zone,
        **{f"signal_{signal.code}": list(signal.events) for signal in signals},
    }
    if scheme.thresholds is not None:
        params |= {
            f"limits_{name}": list(scheme.thresholds[name])
            for name in ("recency", "frequency", "monetary")
        }
    cases = []
    for position, (segment, condition) in enumerate(scheme.table):
        sql, values = compile_expression(condition, prefix=f"s{position}")
        params |= values
        cases.append(f"WHEN {sql} THEN '{segment.value}'")
    last_on, frequency, monetary = figures
    text = _SCORE.format(
        facts=facts.strip(),
        members=members,
        last_on=last_on,
        frequency=frequency,
        monetary=monetary,
        bounds=_QUINTILES if scheme.thresholds is None else _THRESHOLDS,
        segments=" ".join(cases) or "WHEN FALSE THEN ''",
        otherwise=ValueSegment.DORMANT.value,
        signals="".join(_SIGNAL.format(code=each.code, days=int(each.days)) for each in signals),
    )
    return text, params
