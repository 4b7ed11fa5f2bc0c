"""Evaluation of many members as one statement: `rules.decide` and `rules.held_rank` in SQL.

`rank` is of the tier earned, `held_rank` of the tier held, which differs under a pin. Arrays hold what belongs to each tier, at the place of its rank. The statement writes the rows
that change, appends the evidence, and gives back what has to be told. In three forms: the night
over a range of keys; upgrades only, over a list of members, after an import; and the multiplier
that was in force before each purchase of an import.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, TypeAlias

from django.db import connection

from members.tiers._metrics import has_merged, metric_sql, receipt_sql, wallet_of
from members.tiers.models import Tier, TierScheme
from members.tiers.rules import is_periodic, keep_window, match_tier, window_on

_STATE = """
WITH state AS (
    SELECT member.id AS member_id, stored.tier_id AS old_tier_id, stored.earned_tier_id,
        COALESCE(known.rank, 1) AS rank, COALESCE(known.is_other, FALSE) AS is_other,
        COALESCE(held.rank, 1) AS held_rank, COALESCE(held.is_other, FALSE) AS is_held_other,
        pinned.exact_rank, pinned.least_rank,
        stored.valid_until, stored.grace_until,
        COALESCE(stored.evaluated_on >= %(on)s AND stored.tier_id = ANY(%(tier_ids)s::bigint[]),
            FALSE) AS is_fresh,
        COALESCE(stored.is_due, FALSE) AS is_due, stored.spare,
        (member.enrolled_at AT TIME ZONE %(zone)s)::date AS enrolled_on
    FROM members_member AS member
    LEFT JOIN members_membertier AS stored ON stored.member_id = member.id
    LEFT JOIN unnest(%(known_ids)s::bigint[], %(known_ranks)s::int[], %(known_other)s::bool[])
        AS known (tier_id, rank, is_other)
        ON known.tier_id = COALESCE(stored.earned_tier_id, stored.tier_id)
    LEFT JOIN unnest(%(known_ids)s::bigint[], %(known_ranks)s::int[], %(known_other)s::bool[])
        AS held (tier_id, rank, is_other) ON held.tier_id = stored.tier_id
    CROSS JOIN LATERAL (
        SELECT max(pin_rank) FILTER (WHERE mode = 'exactly') AS exact_rank,
            max(pin_rank) FILTER (WHERE mode = 'at_least') AS least_rank
        FROM (
            SELECT mode, (%(known_ranks)s::int[])[
                array_position(%(known_ids)s::bigint[], tier_id)] AS pin_rank
            FROM members_tierpin
            WHERE stored.earned_tier_id IS NOT NULL AND member_id = member.id
                AND applied_at IS NOT NULL AND ended_at IS NULL
        ) AS pin
    ) AS pinned
    WHERE {members} AND member.status NOT IN ('erased', 'merged')
), dated AS (
    SELECT state.*, {dates}
    FROM state {periods}
), measured AS (
    SELECT dated.*, sums.metric, sums.keep_metric,
        GREATEST(width_bucket(sums.metric, %(entries)s::bigint[]), 1) AS target,
        (%(keeps)s::bigint[])[rank] AS keep,
        (%(graces)s::int[])[rank] AS grace_days
    FROM dated CROSS JOIN LATERAL ({metric}) AS sums
)"""

_WRITE = """, {decided}, outcome AS (
    SELECT decided.*,
        COALESCE(old_tier_id, (%(tier_ids)s::bigint[])[1]) AS from_tier_id,
        (%(tier_ids)s::bigint[])[new_held_rank] AS new_tier_id,
        CASE WHEN earned_tier_id IS NOT NULL THEN new_reached_id END AS new_earned_id,
        new_held_rank <> held_rank OR is_held_other AS is_change,
        new_rank <> rank OR is_other AS is_earned_change,
        new_held_rank - held_rank AS steps,
        -- Told of a danger that a pin averts, a member would not understand.
        is_notice AND exact_rank IS NULL AND COALESCE(least_rank, 0) < rank AS is_told,
        CASE WHEN is_fresh AND new_rank = rank THEN spare
            WHEN %(is_rolling)s AND rank > 1 AND new_rank = rank AND NOT is_other
            THEN keep_metric - keep END AS new_spare,
        ((%(tier_ids)s::bigint[])[new_held_rank],
            CASE WHEN earned_tier_id IS NOT NULL THEN new_reached_id END,
            new_valid_until, new_grace_until)
            IS DISTINCT FROM (old_tier_id, earned_tier_id, valid_until, grace_until) AS is_moved
    FROM (
        SELECT decided.*, (%(tier_ids)s::bigint[])[new_rank] AS new_reached_id,
            COALESCE(exact_rank, GREATEST(new_rank, least_rank)) AS new_held_rank
        FROM decided
    ) AS decided
), updated AS (
    UPDATE members_membertier AS stored SET
        tier_id = outcome.new_tier_id, earned_tier_id = new_earned_id,
        since = CASE WHEN is_change THEN %(at)s ELSE stored.since END,
        evaluated_on = CASE WHEN is_moved THEN %(on)s ELSE stored.evaluated_on END,
        metric_value = CASE WHEN is_moved THEN outcome.metric ELSE stored.metric_value END,
        valid_until = new_valid_until, grace_until = new_grace_until,
        is_due = outcome.is_due AND is_fresh, spare = new_spare
    FROM outcome
    WHERE stored.member_id = outcome.member_id AND outcome.old_tier_id IS NOT NULL
        AND (is_moved OR (outcome.is_due AND NOT is_fresh)
            OR outcome.spare IS DISTINCT FROM new_spare)
    RETURNING stored.member_id
), added AS (
    INSERT INTO members_membertier (member_id, tier_id, since, evaluated_on, metric_value,
        valid_until, grace_until)
    SELECT member_id, new_tier_id, %(at)s, %(on)s, metric, new_valid_until, new_grace_until
    FROM outcome WHERE old_tier_id IS NULL AND new_rank > 1
    ON CONFLICT (member_id) DO NOTHING
    RETURNING member_id
), written AS (
    SELECT member_id FROM updated UNION ALL SELECT member_id FROM added
), evidence AS (
    INSERT INTO members_tierchange (member_id, from_tier_id, to_tier_id, earned_tier_id, at, cause,
        metric_value, threshold, window_from, window_to, journal_seq, purchase_ids, refund_ids,
        scheme_version, zone)
    SELECT member_id, from_tier_id, new_tier_id, new_reached_id, %(at)s,
        {cause},
        {evidence_metric},
        CASE WHEN new_rank < rank THEN keep ELSE (%(entries)s::bigint[])[new_rank] END,
        {evidence_from}, %(to_on)s,
        (SELECT seq FROM members_account
            WHERE owner_id = member_id AND wallet_id = %(wallet)s::smallint),
        {purchase_ids}, {refund_ids}, %(version)s, %(zone)s
    FROM outcome JOIN written USING (member_id)
    WHERE is_change OR is_earned_change
    ORDER BY member_id
), welcomed AS (
    INSERT INTO members_tierwelcome (member_id, tier_code, at)
    SELECT member_id, (%(codes)s::varchar[])[new_held_rank], %(at)s
    FROM outcome JOIN written USING (member_id)
    WHERE steps > 0
    ORDER BY member_id
    ON CONFLICT DO NOTHING
    RETURNING member_id
)
SELECT member_id, from_tier_id, new_tier_id, steps, {evidence_metric}, keep,
    keep_metric, new_grace_until, is_told, welcomed.member_id IS NOT NULL
FROM outcome JOIN written USING (member_id) LEFT JOIN welcomed USING (member_id)
WHERE is_change OR is_told
ORDER BY member_id
"""

_ROLLING = """
stepped AS (
    SELECT measured.*, target > rank AS is_up, rank = 1 OR %(never)s AS is_fixed,
        keep_metric >= keep AS is_kept,
        grace_until IS NULL OR (grace_until <= %(on)s AND metric >= keep) AS is_new
    FROM measured
), timed AS (
    SELECT stepped.*, is_fixed OR is_fresh OR is_kept AS is_safe,
        CASE WHEN is_new THEN %(on)s::date + GREATEST(%(notice_days)s, grace_days)
            ELSE grace_until END AS lost_on
    FROM stepped
), fallen AS (
    SELECT timed.*, NOT is_up AND NOT is_safe AND lost_on <= %(on)s AND metric < keep AS is_down
    FROM timed
), decided AS (
    SELECT fallen.*,
        CASE WHEN is_up THEN target WHEN is_down THEN {lower} ELSE rank END AS new_rank,
        NULL::date AS new_valid_until,
        CASE WHEN is_up OR is_fixed OR is_down THEN NULL
            WHEN is_fresh THEN grace_until
            WHEN NOT is_kept THEN lost_on END AS new_grace_until,
        NOT is_up AND NOT is_safe AND NOT is_down AND is_new AS is_notice
    FROM fallen
)"""

_YEARLY = """
stepped AS (
    SELECT measured.*, target > rank AS is_up, rank = 1 OR %(never)s AS is_fixed,
        keep_metric >= keep AS is_kept,
        valid_or_next + grace_days AS lost_on
    FROM measured
), timed AS (
    SELECT stepped.*,
        grace_until IS NULL
            AND %(on)s >= GREATEST(lost_on - %(notice_days)s::int, keep_from) AS is_new
    FROM stepped
), graced AS (
    SELECT timed.*,
        CASE WHEN is_new THEN GREATEST(lost_on, %(on)s::date + %(notice_days)s::int)
            ELSE grace_until END AS ends_on
    FROM timed
), fallen AS (
    SELECT graced.*,
        NOT is_up AND NOT is_fixed AND NOT is_fresh AND NOT is_kept AND COALESCE(ends_on <= %(on)s, FALSE)
            AS is_down
    FROM graced
), lowered AS (
    SELECT fallen.*,
        CASE WHEN is_up THEN target WHEN is_down THEN {lower} ELSE rank END AS new_rank
    FROM fallen
), decided AS (
    SELECT lowered.*,
        CASE WHEN is_up AND NOT %(never)s THEN next_end
            WHEN is_up THEN NULL
            WHEN is_fixed THEN NULL
            WHEN is_fresh THEN valid_until
            WHEN is_kept THEN CASE WHEN %(on)s >= valid_or_next THEN this_end ELSE valid_or_next END
            WHEN is_down THEN CASE WHEN new_rank > 1 THEN this_end END
            ELSE valid_or_next END AS new_valid_until,
        CASE WHEN is_up OR is_fixed OR is_down THEN NULL
            WHEN is_fresh THEN grace_until
            WHEN NOT is_kept THEN ends_on END AS new_grace_until,
        NOT is_up AND NOT is_fixed AND NOT is_fresh AND NOT is_kept AND NOT is_down AND is_new
            AS is_notice
    FROM lowered
)"""


_UP_ONLY = """
decided AS (
    SELECT measured.*, target AS new_rank, {until} AS new_valid_until,
        NULL::date AS new_grace_until, FALSE AS is_notice
    FROM measured WHERE target > rank
)"""

_MEASURED = (
    " SELECT member_id, rank, held_rank, metric, keep_metric, keep FROM measured ORDER BY member_id"
)

# Gains count in their order; the tier before the first is the one held.
_MULTIPLIERS = """
UPDATE {table} AS gained SET multiplier_bp = (%(multipliers)s::int[])[before.rank]
FROM (
    SELECT listed.ordinal, COALESCE(measured.exact_rank, GREATEST(measured.least_rank,
        measured.rank, width_bucket(
        measured.metric - CASE WHEN %(is_counted)s THEN
            sum(listed.counts) OVER (PARTITION BY listed.member_id) ELSE 0 END
        + sum(listed.counts) OVER (PARTITION BY listed.member_id ORDER BY listed.ordinal
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING),
        %(entries)s::bigint[]))) AS rank
    FROM measured JOIN LATERAL (
        SELECT gain.ordinal, gain.member_id,
            CASE WHEN gain.local_date < %(to_on)s AND (measured.metric_from IS NULL
                OR gain.local_date >= measured.metric_from) THEN gain.amount ELSE 0 END AS counts
        FROM {table} AS gain WHERE gain.member_id = measured.member_id
    ) AS listed ON TRUE
) AS before
WHERE before.ordinal = gained.ordinal
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A scheme with its tiers in order of rank, the tiers of all others, a day and the zone."""

    scheme: TierScheme
    tiers: Sequence[Tier]
    other_tiers: Sequence[Tier]
    on: date
    at: datetime
    zone: str


@dataclass(frozen=True, slots=True)
class MeasuredMember:
    """Ranks earned and held of one member, the metric for rising and keeping, the keep threshold."""

    member_id: int
    rank: int
    held_rank: int
    metric: int
    keep_metric: int
    keep: int


Statement: TypeAlias = tuple[str, dict[str, Any]]


def evaluation_statement(frame: Frame, *, members: str) -> Statement:
    """Return the statement that evaluates some members, and its parameters.

    `members` is a condition on `member.id`, whose parameters the caller adds. One row for each
    member to be told of something: member, tier before, tier now, steps, metric, keep threshold,
    keep metric, day of loss, is it a notice, is it the first time in that tier.
    """
    periodic = is_periodic(frame.scheme.window)
    lower = "rank - 1"
    if frame.scheme.downgrade_policy == TierScheme.DowngradePolicy.RECOMPUTE:
        judged = "keep_metric" if periodic else "metric"
        reached = f"GREATEST(width_bucket({judged}, %(entries)s::bigint[]), 1)"
        lower = f"LEAST({reached}, rank - 1)"
    state, params = _state(frame, members)
    write = _write(
        frame,
        decided=(_YEARLY if periodic else _ROLLING).format(lower=lower).strip(),
        cause="CASE WHEN is_other THEN 'scheme' ELSE 'nightly' END",
    )
    return state + write, params


def raise_statement(frame: Frame) -> Statement:
    """Return the statement that raises the members with keys `members` who reach a higher tier.

    The caller adds `members` and `cause`. The rows are those of `evaluation_statement`.
    """
    periodic = is_periodic(frame.scheme.window)
    state, params = _state(frame, "member.id = ANY(%(members)s)")
    until = "CASE WHEN NOT %(never)s THEN next_end END" if periodic else "NULL::date"
    write = _write(frame, decided=_UP_ONLY.format(until=until).strip(), cause="%(cause)s")
    return state + write, params


def multiplier_statement(frame: Frame, *, table: str) -> Statement:
    """Return the statement that fills `multiplier_bp` of a temporary table of gains.

    The table has ordinal, member_id, local_date, amount (what each gain adds to the metric, not
    below zero) and multiplier_bp: that of the tier held before the gain, when the metric is
    looked at after each. Gains of spend and orders are part of the members' days already.
    """
    state, params = _state(frame, f"member.id IN (SELECT member_id FROM {table})")  # noqa: S608
    params |= {
        "multipliers": [tier.multiplier_bp for tier in frame.tiers],
        "is_counted": wallet_of(frame.scheme.metric) is None,
    }
    return state + _MULTIPLIERS.format(table=table), params


def measure_many(frame: Frame, *, member_ids: Sequence[int]) -> list[MeasuredMember]:
    """Return where members stand by the metric, as the night would see it; erased ones left out."""
    text, params = _state(frame, "member.id = ANY(%(members)s)")
    with connection.cursor() as cursor:
        cursor.execute(text + _MEASURED, {**params, "members": list(member_ids)})
        return [MeasuredMember(*row) for row in cursor.fetchall()]


def _write(frame: Frame, *, decided: str, cause: str) -> str:
    periodic = is_periodic(frame.scheme.window)
    evidence_from = (
        "CASE WHEN new_rank < rank THEN keep_from ELSE metric_from END"
        if periodic
        else "metric_from"
    )
    purchase_ids, refund_ids = receipt_sql(
        frame.scheme.metric,
        member="outcome.member_id",
        from_on=f"({evidence_from})",
        to_on="%(to_on)s::date",
    )
    return _WRITE.format(
        decided=decided,
        cause=cause,
        purchase_ids=purchase_ids,
        refund_ids=refund_ids,
        evidence_from=evidence_from,
        evidence_metric=(
            "CASE WHEN new_rank < rank THEN keep_metric ELSE metric END" if periodic else "metric"
        ),
    )


def _state(frame: Frame, members: str) -> Statement:
    """Return the beginning of all statements, up to `measured`, and the parameters of all."""
    scheme, tiers, on = frame.scheme, frame.tiers, frame.on
    periodic = is_periodic(scheme.window)
    span = window_on(scheme, on=on, enrolled_on=on)
    params: dict[str, Any] = {
        "zone": frame.zone,
        "on": on,
        "at": frame.at,
        "to_on": on + timedelta(days=1),
        "from_on": None if periodic else span.from_on,
        "tier_ids": [tier.pk for tier in tiers],
        "codes": [tier.code for tier in tiers],
        "entries": [tier.entry_threshold for tier in tiers],
        "keeps": [tier.keep_threshold for tier in tiers],
        "graces": [tier.grace_days for tier in tiers],
        "keep_froms": [
            None
            if periodic
            else keep_window(scheme, tier=tier, valid_until=None, on=on, enrolled_on=on).from_on
            for tier in tiers
        ],
        "never": scheme.downgrade_policy == TierScheme.DowngradePolicy.NEVER,
        "notice_days": scheme.notice_days,
        "is_rolling": scheme.window == TierScheme.Window.ROLLING,
        "wallet": wallet_of(scheme.metric),
        "version": scheme.version,
        **_known(tiers, frame.other_tiers),
    }
    text = _STATE.format(
        members=members,
        dates=_YEAR_DATES if periodic else _ROLLING_DATES,
        periods=_periods(scheme.window) if periodic else "",
        metric=metric_sql(
            scheme.metric,
            member="dated.member_id",
            metric_from="dated.metric_from",
            keep_from="dated.keep_from",
            to_on="%(to_on)s::date",
            merged=has_merged(),
        ),
    )
    return text, params


_ROLLING_DATES = "%(from_on)s::date AS metric_from, (%(keep_froms)s::date[])[rank] AS keep_from"
_YEAR_DATES = (
    "this.start AS metric_from, kept.start AS keep_from, ends.this_end, ends.next_end, "
    "ends.valid_or_next"
)


def _periods(window: str) -> str:
    """Return the joins that give the years around the day, as `rules.period_start` and `_end`."""
    start_on = _period_start(window, "%(on)s::date")
    start_kept = _period_start(window, "(ends.valid_or_next - 1)")
    if window == TierScheme.Window.CALENDAR_YEAR:
        this_end = "(this.start + interval '1 year')::date"
        next_end = "(this.start + interval '2 years')::date"
    else:
        years = "(EXTRACT(year FROM this.start) - EXTRACT(year FROM state.enrolled_on))::int"
        this_end = f"(state.enrolled_on + make_interval(years => {years} + 1))::date"
        next_end = f"(state.enrolled_on + make_interval(years => {years} + 2))::date"
    return (
        f"CROSS JOIN LATERAL (SELECT {start_on} AS start) AS this "
        f"CROSS JOIN LATERAL (SELECT {this_end} AS this_end, {next_end} AS next_end, "
        f"COALESCE(state.valid_until, {next_end}) AS valid_or_next) AS ends "
        f"CROSS JOIN LATERAL (SELECT {start_kept} AS start) AS kept"
    )


def _period_start(window: str, day: str) -> str:
    if window == TierScheme.Window.CALENDAR_YEAR:
        return f"date_trunc('year', {day})::date"
    years = f"(EXTRACT(year FROM {day}) - EXTRACT(year FROM state.enrolled_on))::int"
    this = f"(state.enrolled_on + make_interval(years => {years}))::date"
    last = f"(state.enrolled_on + make_interval(years => {years} - 1))::date"
    return f"CASE WHEN {this} <= {day} THEN {this} ELSE {last} END"


def _known(tiers: Sequence[Tier], other_tiers: Sequence[Tier]) -> dict[str, list[Any]]:
    """Return what each stored tier means under this scheme: its rank, and if it is another."""
    ids, ranks, other = [], [], []
    for tier in (*tiers, *other_tiers):
        now = match_tier(tiers, tier)
        ids.append(tier.pk)
        ranks.append(now.rank)
        other.append(now.code != tier.code)
    return {"known_ids": ids, "known_ranks": ranks, "known_other": other}
