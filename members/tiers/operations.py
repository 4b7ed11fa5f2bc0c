"""Making tier schemes and moving members between tiers."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime, time
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

from django.db import connection, transaction
from django.db.models import Max

from core.actors import Actor
from core.clock import local_date
from members.tiers._evaluation import (
    Frame,
    evaluation_statement,
    multiplier_statement,
    raise_statement,
)
from members.tiers._holding import measure, published, read_holding
from members.tiers.errors import InvalidSchemeError, SchemeNotFoundError, SchemePublishedError
from members.tiers.models import MemberTier, Tier, TierChange, TierScheme
from members.tiers.queries import get_scheme
from members.tiers.rules import reached, window_on, won_until
from members.tiers.values import Holding, Measured, TierDraft
from tenants.audit.operations import record
from tenants.brands.context import current_brand
from tenants.events.operations import emit, emit_many
from tenants.jobs.operations import enqueue

EVALUATE = "tiers.evaluate"
_MAX_TIERS = 12
_MAX_DAYS = 366
_COLOUR = re.compile(r"^#[0-9a-f]{6}$")
_CODE = re.compile(r"^[a-z0-9][a-z0-9_-]{0,29}$")
_Told: TypeAlias = tuple[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What one range of members gave: how many rose, fell, were told of a danger."""

    upgraded: int = 0
    downgraded: int = 0
    told: int = 0


def create_scheme(
    *,
    metric: str,
    window: str,
    tiers: Sequence[TierDraft],
    window_months: int | None = None,
    downgrade_policy: str = TierScheme.DowngradePolicy.ONE_STEP,
    notice_days: int = 14,
    by: Actor,
    at: datetime,
) -> TierScheme:
    """Make a draft scheme with its tiers, lowest first; it gets the next version.

    :raises InvalidSchemeError: for a value that can not be, with a pointer to it.
    """
    _check_scheme(metric, window, window_months, downgrade_policy, notice_days)
    _check_tiers(tiers)
    with transaction.atomic():
        # Two drafts at once must not take one version; there are few schemes to lock.
        list(TierScheme.objects.select_for_update().values_list("pk"))
        last = TierScheme.objects.aggregate(last=Max("version"))["last"] or 0
        scheme = TierScheme.objects.create(
            version=last + 1,
            metric=metric,
            window=window,
            window_months=window_months,
            downgrade_policy=downgrade_policy,
            notice_days=notice_days,
        )
        Tier.objects.bulk_create(
            Tier(
                scheme=scheme,
                rank=rank,
                **{field.name: getattr(draft, field.name) for field in fields(TierDraft)},
            )
            for rank, draft in enumerate(tiers, start=1)
        )
        record(
            by=by,
            at=at,
            action="tier_scheme.created",
            target_type="tier_scheme",
            target_id=scheme.version,
        )
    return scheme


def delete_draft(*, scheme: TierScheme, by: Actor, at: datetime) -> None:
    """Remove a scheme that was never published, with its tiers.

    :raises SchemePublishedError: if it is published.
    :raises SchemeNotFoundError: if it is gone already.
    """
    with transaction.atomic():
        locked = _lock_draft(scheme)
        record(
            by=by,
            at=at,
            action="tier_scheme.deleted",
            target_type="tier_scheme",
            target_id=locked.version,
        )
        locked.delete()


def publish_scheme(*, scheme: TierScheme, starts_on: date, by: Actor, at: datetime) -> TierScheme:
    """Put a draft in force from a brand day, today or later; it can never be edited again.

    Members are placed in its tiers by an evaluation on that day.

    :raises SchemePublishedError: if it is published already.
    :raises InvalidSchemeError: if the day is past, or a later version is published already.
    """
    brand = current_brand()
    today = local_date(at, brand.timezone)
    if starts_on < today:
        raise InvalidSchemeError("A scheme starts today or later.", pointer="/starts_on")
    with transaction.atomic():
        locked = _lock_draft(scheme)
        if TierScheme.objects.filter(version__gt=locked.version).exclude(status="draft").exists():
            raise InvalidSchemeError("A later version is published already.", pointer="/version")
        locked.status, locked.starts_on = TierScheme.Status.PUBLISHED, starts_on
        locked.published_at = at
        locked.save(update_fields=["status", "starts_on", "published_at"])
        _mark_replaced(today)
        record(
            by=by,
            at=at,
            action="tier_scheme.published",
            target_type="tier_scheme",
            target_id=locked.version,
            changes={"starts_on": [None, starts_on.isoformat()]},
        )
        first_instant = datetime.combine(starts_on, time(), tzinfo=ZoneInfo(brand.timezone))
        enqueue(
            kind=EVALUATE,
            dedupe_key=f"scheme-{locked.version}",
            due_at=max(first_instant, at),
            by=by,
            at=at,
        )
    return locked


def hold_member(*, member_id: int, at: datetime) -> Holding:
    """Lock a member's row and read the tier held; for operations that then change the metric.

    Call it inside a transaction. Purchases of one member wait here for each other.

    :raises MemberNotFoundError: if there is no such member.
    """
    return read_holding(member_id=member_id, at=at, lock=True)


def check_member(*, member_id: int, at: datetime, cause: str) -> TierChange | None:
    """Raise a member's tier at once when the metric now reaches a higher one.

    Never lowers. Writes the evidence and the event `tier.upgraded`.

    :raises MemberNotFoundError: if there is no such member.
    """
    with transaction.atomic():
        holding = hold_member(member_id=member_id, at=at)
        if holding.scheme is None:
            return None
        return raise_tier(holding=holding, measured=measure(holding), at=at, cause=cause)


def measure_member(*, holding: Holding) -> Measured:
    """Return the metric now of a member that is held, for `raise_tier` and the standing."""
    return measure(holding)


def raise_tier(
    *, holding: Holding, measured: Measured, at: datetime, cause: str
) -> TierChange | None:
    """Raise the tier of a member held by `hold_member` when the metric reaches a higher one."""
    scheme, tier = holding.scheme, holding.tier
    if scheme is None or tier is None:
        return None
    target = reached(holding.tiers, measured.metric)
    if target.rank <= tier.rank:
        return None
    if not _store_raise(holding, target, measured, at):
        # The nightly evaluation has just changed the row: look again.
        return check_member(member_id=holding.member_id, at=at, cause=cause)
    span = window_on(scheme, on=holding.on, enrolled_on=holding.enrolled_on)
    change = TierChange.objects.create(
        member_id=holding.member_id,
        from_tier_id=holding.stored_tier_id or tier.pk,
        to_tier=target,
        at=at,
        cause=cause,
        metric_value=measured.metric,
        threshold=target.entry_threshold,
        window_from=span.from_on,
        window_to=span.to_on,
        journal_seq=measured.journal_seq,
        scheme_version=scheme.version,
    )
    emit(
        type="tier.upgraded",
        subject=f"member:{holding.member_id}",
        data={
            "member_id": holding.member_id,
            "from": tier.code,
            "to": target.code,
            "rank": target.rank,
            "cause": cause,
            "metric": scheme.metric,
            "metric_value": measured.metric,
            "threshold": target.entry_threshold,
        },
        at=at,
    )
    return change


def evaluate_range(*, low: int, high: int, on: date, at: datetime) -> Evaluated:
    """Evaluate all members with keys in [low, high) as of a brand day, in one transaction.

    See `rules` for what becomes of whom. Run twice for one day: nothing changes.
    """
    frame = _frame(on, at)
    if frame is None:
        return Evaluated()
    statement, params = evaluation_statement(frame)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('statement_timeout', '600s', true)")
        # Its own statement: what a purchase has just changed is waited for, then seen.
        cursor.execute(
            "SELECT count(*) FROM (SELECT FROM members_membertier "
            "WHERE member_id >= %s AND member_id < %s ORDER BY member_id FOR UPDATE) AS locked",
            [low, high],
        )
        cursor.execute(statement, {**params, "low": low, "high": high})
        return _tell(cursor.fetchall(), frame.scheme, at, cause=TierChange.Cause.NIGHTLY)


def raise_many(*, member_ids: Sequence[int], at: datetime, cause: str) -> Evaluated:
    """Raise each of these members who reaches a higher tier now: `check_member` for many.

    Needs the transaction of what changed the metric, with the members' rows locked.
    """
    frame = _frame(local_date(at, current_brand().timezone), at)
    if frame is None or not member_ids:
        return Evaluated()
    statement, params = raise_statement(frame)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM (SELECT FROM members_membertier "
            "WHERE member_id = ANY(%s) ORDER BY member_id FOR UPDATE) AS locked",
            [list(member_ids)],
        )
        cursor.execute(statement, {**params, "members": list(member_ids), "cause": cause})
        return _tell(cursor.fetchall(), frame.scheme, at, cause=cause)


def write_multipliers(*, table: str, at: datetime) -> None:
    """Fill in the multiplier that was in force before each gain of a temporary table.

    As if the tier had been checked after each; see `_evaluation.multiplier_statement` for the
    columns. Without a scheme nothing is written.
    """
    frame = _frame(local_date(at, current_brand().timezone), at)
    if frame is None:
        return
    statement, params = multiplier_statement(frame, table=table)
    with connection.cursor() as cursor:
        cursor.execute(statement, params)


def mark_replaced(*, on: date) -> None:
    """Mark the versions that a later one has followed by a brand day."""
    _mark_replaced(on)


def _store_raise(holding: Holding, target: Tier, measured: Measured, at: datetime) -> bool:
    """Write the higher tier where the row is as it was read; say whether it was."""
    scheme = holding.scheme
    if scheme is None:
        return False
    values: dict[str, Any] = {
        "tier_id": target.pk,
        "since": at,
        "evaluated_on": holding.on,
        "metric_value": measured.metric,
        "valid_until": won_until(scheme, on=holding.on, enrolled_on=holding.enrolled_on),
        "grace_until": None,
    }
    if holding.stored_tier_id is not None:
        found = MemberTier.objects.filter(
            pk=holding.member_id, tier_id=holding.stored_tier_id
        ).update(**values)
        return found == 1
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO members_membertier (member_id, tier_id, since, evaluated_on, "
            "metric_value, valid_until, grace_until) VALUES (%(member)s, %(tier_id)s, %(since)s, "
            "%(evaluated_on)s, %(metric_value)s, %(valid_until)s, %(grace_until)s) "
            "ON CONFLICT (member_id) DO NOTHING",
            {"member": holding.member_id, **values},
        )
        return bool(cursor.rowcount == 1)


def _frame(on: date, at: datetime) -> Frame | None:
    """Return the scheme in force with all that the statements need; None without one."""
    scheme = get_scheme(on=on)
    if scheme is None:
        return None
    return Frame(
        scheme=scheme,
        tiers=published(scheme.pk)[1],
        other_tiers=list(Tier.objects.exclude(scheme=scheme).exclude(scheme__status="draft")),
        on=on,
        at=at,
        zone=current_brand().timezone,
    )


def _tell(
    rows: Sequence[tuple[Any, ...]], scheme: TierScheme, at: datetime, *, cause: str
) -> Evaluated:
    """Write the events of one range; see `evaluation_statement` for the columns."""
    upgraded: list[_Told] = []
    downgraded: list[_Told] = []
    told: list[_Told] = []
    codes = dict(Tier.objects.exclude(scheme__status="draft").values_list("pk", "code"))
    for member_id, from_id, to_id, steps, metric, keep, keep_metric, lost_on, notice, _ in rows:
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
        elif steps:
            move = {**common, "from": codes[from_id], "to": codes[to_id]}
            (upgraded if steps > 0 else downgraded).append((subject, move))
    emit_many(type="tier.upgraded", events=upgraded, at=at)
    emit_many(type="tier.downgraded", events=downgraded, at=at)
    emit_many(type="tier.will_downgrade", events=told, at=at)
    return Evaluated(len(upgraded), len(downgraded), len(told))


def _lock_draft(scheme: TierScheme) -> TierScheme:
    locked = TierScheme.objects.select_for_update().filter(pk=scheme.pk).first()
    if locked is None:
        raise SchemeNotFoundError(version=scheme.version)
    if locked.status != TierScheme.Status.DRAFT:
        raise SchemePublishedError(version=locked.version)
    return locked


def _mark_replaced(on: date) -> None:
    in_force = get_scheme(on=on)
    if in_force is not None:
        TierScheme.objects.filter(
            status=TierScheme.Status.PUBLISHED, version__lt=in_force.version
        ).update(status=TierScheme.Status.REPLACED)


def _check_scheme(
    metric: str, window: str, window_months: int | None, policy: str, notice_days: int
) -> None:
    for name, value, known in (
        ("metric", metric, TierScheme.Metric.values),
        ("window", window, TierScheme.Window.values),
        ("downgrade_policy", policy, TierScheme.DowngradePolicy.values),
    ):
        if value not in known:
            raise InvalidSchemeError(f"{value!r:.40} is not known.", pointer=f"/{name}")
    is_rolling = window == TierScheme.Window.ROLLING
    if is_rolling != (window_months is not None) or (
        window_months is not None and not 1 <= window_months <= 120
    ):
        raise InvalidSchemeError(
            "A rolling window has 1 to 120 months, the others have none.",
            pointer="/window_months",
        )
    if not 0 <= notice_days <= _MAX_DAYS:
        raise InvalidSchemeError("Notice is 0 to 366 days.", pointer="/notice_days")


def _check_tiers(tiers: Sequence[TierDraft]) -> None:
    if not 1 <= len(tiers) <= _MAX_TIERS:
        raise InvalidSchemeError("A scheme has 1 to 12 tiers.", pointer="/tiers")
    codes: set[str] = set()
    entry = -1
    for index, draft in enumerate(tiers):
        pointer = f"/tiers/{index}"
        if not _CODE.match(draft.code) or draft.code in codes:
            raise InvalidSchemeError("Codes are short and differ.", pointer=f"{pointer}/code")
        if not draft.name or not all(draft.name.values()):
            raise InvalidSchemeError("A tier has a name.", pointer=f"{pointer}/name")
        if draft.entry_threshold <= entry or (index == 0 and draft.entry_threshold != 0):
            raise InvalidSchemeError(
                "Thresholds rise from 0.", pointer=f"{pointer}/entry_threshold"
            )
        if not 0 <= draft.keep_threshold <= draft.entry_threshold:
            raise InvalidSchemeError(
                "Keeping is not harder than entering.", pointer=f"{pointer}/keep_threshold"
            )
        if not 0 <= draft.grace_days <= _MAX_DAYS:
            raise InvalidSchemeError("Grace is 0 to 366 days.", pointer=f"{pointer}/grace_days")
        if not 0 <= draft.multiplier_bp <= 1_000_000:
            raise InvalidSchemeError("Multiplier too large.", pointer=f"{pointer}/multiplier_bp")
        if not _COLOUR.match(draft.colour):
            raise InvalidSchemeError("A colour is #rrggbb.", pointer=f"{pointer}/colour")
        codes.add(draft.code)
        entry = draft.entry_threshold
