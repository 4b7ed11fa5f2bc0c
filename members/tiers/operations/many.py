"""Many members: the night, and the end of an import."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any, TypeAlias

from django.db import connection, transaction

from core.clock import local_date
from members.tiers._candidates import Last, candidates_query, leaving_queries
from members.tiers._evaluation import (
    evaluation_statement,
    multiplier_statement,
    raise_statement,
)
from members.tiers._frames import frame_on
from members.tiers._holding import published
from members.tiers.models import Tier, TierChange, TierRun, TierScheme
from members.tiers.queries import get_scheme
from members.tiers.values import Evaluated
from tenants.brands.context import current_brand
from tenants.events.operations import emit_many

# Past this the days that left the window are a large part of it.
_LONGEST_STEP = timedelta(days=45)
_LOCK = (
    "SELECT count(*) FROM (SELECT FROM members_membertier "
    "WHERE member_id = ANY(%s) ORDER BY member_id FOR UPDATE) AS locked"
)
_Told: TypeAlias = tuple[str, dict[str, Any]]


def evaluate_range(*, low: int, high: int, on: date, at: datetime) -> Evaluated:
    """Evaluate all members with keys in [low, high) as of a brand day, in one transaction.

    See `rules` for what becomes of whom. Run twice for one day: nothing changes.
    """
    return _evaluate("{key} >= %(low)s AND {key} < %(high)s", {"low": low, "high": high}, on, at)


def evaluate_members(*, member_ids: Sequence[int], on: date, at: datetime) -> Evaluated:
    """Evaluate these members as of a brand day, in one transaction; as `evaluate_range`."""
    if not member_ids:
        return Evaluated()
    return _evaluate("{key} = ANY(%(members)s)", {"members": list(member_ids)}, on, at)


def find_candidates(*, on: date) -> list[int] | None:
    """Return the members for whom a night can change anything since the last run.

    Takes what left their windows from what they have to spare; taking it again, after a run that
    broke off, only makes more members to look at. None when all must be looked at: no run before,
    one of another scheme, time zone or of a later day, or one too long ago. See `_candidates`.
    """
    scheme = get_scheme(on=on)
    last_run = TierRun.objects.order_by("-on").first()
    if scheme is None or last_run is None or last_run.scheme_version != scheme.version:
        return None
    # Days of another time zone begin at other instants: what left the windows is not known.
    if last_run.zone != current_brand().timezone:
        return None
    if not last_run.on <= on <= last_run.on + _LONGEST_STEP:
        return None
    last, tiers = Last(last_run.on, last_run.at), published(scheme.pk)[1]
    zone = current_brand().timezone
    query, params = candidates_query(scheme=scheme, tiers=tiers, last=last, on=on, zone=zone)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('statement_timeout', '600s', true)")
        for leaving, its_params in leaving_queries(
            scheme=scheme, tiers=tiers, last=last, on=on, zone=zone
        ):
            cursor.execute(leaving, its_params)
            _take_from_spare(cursor.fetchall())
        cursor.execute(query, params)
        return [row[0] for row in cursor.fetchall()]


def note_run(
    *,
    scheme: TierScheme,
    on: date,
    at: datetime,
    is_full: bool,
    looked_at: int,
    found: Evaluated,
) -> None:
    """Write down a nightly evaluation under a scheme; in the transaction of its last part."""
    # The tiers stored are no longer those of a later day.
    TierRun.objects.filter(on__gt=on).delete()
    values = {
        "at": at,
        "scheme_version": scheme.version,
        "is_full": is_full,
        "looked_at": looked_at,
        "upgraded": found.upgraded,
        "downgraded": found.downgraded,
        "told": found.told,
        "zone": current_brand().timezone,
    }
    TierRun.objects.bulk_create(
        [TierRun(on=on, **values)],
        update_conflicts=True,
        unique_fields=["on"],
        update_fields=list(values),
    )


def raise_many(*, member_ids: Sequence[int], at: datetime, cause: str) -> Evaluated:
    """Raise each of these members who reaches a higher tier now: `check_member` for many.

    Needs the transaction of what changed the metric, with the members' rows locked.
    """
    frame = frame_on(local_date(at, current_brand().timezone), at)
    if frame is None or not member_ids:
        return Evaluated()
    statement, params = raise_statement(frame)
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, [list(member_ids)])
        cursor.execute(statement, {**params, "members": list(member_ids), "cause": cause})
        return _tell(cursor.fetchall(), frame.scheme, at, cause=cause)


def write_multipliers(*, table: str, at: datetime) -> None:
    """Fill in the multiplier that was in force before each gain of a temporary table.

    As if the tier had been checked after each; see `_evaluation.multiplier_statement` for the
    columns. Without a scheme nothing is written.
    """
    frame = frame_on(local_date(at, current_brand().timezone), at)
    if frame is None:
        return
    statement, params = multiplier_statement(frame, table=table)
    with connection.cursor() as cursor:
        cursor.execute(statement, params)


def _take_from_spare(left: Sequence[tuple[int, int]]) -> None:
    """Lower what members have to spare; rows are locked in the order of their keys."""
    if not left:
        return
    members, amounts = [row[0] for row in left], [row[1] for row in left]
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, [members])
        cursor.execute(
            "UPDATE members_membertier AS stored SET spare = stored.spare - gone.amount "
            "FROM unnest(%s::bigint[], %s::bigint[]) AS gone (member_id, amount) "
            "WHERE stored.member_id = gone.member_id",
            [members, amounts],
        )


def _evaluate(members: str, keys: dict[str, Any], on: date, at: datetime) -> Evaluated:
    frame = frame_on(on, at)
    if frame is None:
        return Evaluated()
    statement, params = evaluation_statement(frame, members=members.format(key="member.id"))
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('statement_timeout', '600s', true)")
        # Its own statement: what a purchase has just changed is waited for, then seen.
        cursor.execute(
            "SELECT count(*) FROM (SELECT FROM members_membertier "  # noqa: S608
            f"WHERE {members.format(key='member_id')} ORDER BY member_id FOR UPDATE) AS locked",
            keys,
        )
        cursor.execute(statement, {**params, **keys})
        return _tell(cursor.fetchall(), frame.scheme, at, cause=TierChange.Cause.NIGHTLY)


def _tell(
    rows: Sequence[tuple[Any, ...]], scheme: TierScheme, at: datetime, *, cause: str
) -> Evaluated:
    """Write the events of one range; see `evaluation_statement` for the columns."""
    upgraded: list[_Told] = []
    downgraded: list[_Told] = []
    told: list[_Told] = []
    welcomed: list[_Told] = []
    codes = dict(Tier.objects.exclude(scheme__status="draft").values_list("pk", "code"))
    for member_id, from_id, to_id, steps, metric, keep, keep_metric, lost_on, notice, new in rows:
        subject = f"member:{member_id}"
        common = {
            "member_id": member_id,
            "cause": cause,
            "metric": scheme.metric,
            "metric_value": metric,
        }
        if notice:
            missing = max(keep - keep_metric, 0)
            told.append(
                (
                    subject,
                    {**common, "tier": codes[to_id], "missing": missing, "lost_on": str(lost_on)},
                )
            )
        if new:
            welcomed.append((subject, {"member_id": member_id, "tier": codes[to_id]}))
        if steps:
            move = {**common, "from": codes[from_id], "to": codes[to_id]}
            (upgraded if steps > 0 else downgraded).append((subject, move))
    emit_many(type="tier.upgraded", events=upgraded, at=at)
    emit_many(type="tier.welcomed", events=welcomed, at=at)
    emit_many(type="tier.downgraded", events=downgraded, at=at)
    emit_many(type="tier.will_downgrade", events=told, at=at)
    return Evaluated(len(upgraded), len(downgraded), len(told))
