"""Making and publishing tier schemes."""

import re
from collections.abc import Sequence
from dataclasses import fields
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import Max
from django.utils.translation import gettext as _

from core.actors import Actor
from core.clock import local_date
from members.tiers.errors import (
    InvalidSchemeError,
    OverlappingSchemeError,
    SchemeNotFoundError,
    SchemePublishedError,
)
from members.tiers.models import Tier, TierScheme
from members.tiers.queries import get_scheme
from members.tiers.values import TierDraft
from tenants.audit.operations import record
from tenants.brands.context import current_brand
from tenants.jobs.operations import enqueue

EVALUATE = "tiers.evaluate"
_MAX_TIERS = 12
_MAX_DAYS = 366
_COLOUR = re.compile(r"^#[0-9a-f]{6}$")
_CODE = re.compile(r"^[a-z0-9][a-z0-9_-]{0,29}$")


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
    :raises OverlappingSchemeError: if another version starts on that day or after it.
    """
    brand = current_brand()
    today = local_date(at, brand.timezone)
    if starts_on < today:
        raise InvalidSchemeError(_("A scheme starts today or later."), pointer="/starts_on")
    with transaction.atomic():
        locked = _lock_draft(scheme)
        others = TierScheme.objects.exclude(status="draft")
        if others.filter(version__gt=locked.version).exists():
            raise InvalidSchemeError(_("A later version is published already."), pointer="/version")
        last = others.filter(starts_on__gte=starts_on).order_by("-starts_on").first()
        if last is not None and last.starts_on is not None:
            earliest = last.starts_on + timedelta(days=1)
            raise OverlappingSchemeError(
                _("Version %(version)s is in force from %(day)s; the next can start on %(next)s.")
                % {"version": last.version, "day": last.starts_on, "next": earliest},
                pointer="/starts_on",
                version=last.version,
                earliest=earliest.isoformat(),
            )
        locked.status, locked.starts_on = TierScheme.Status.PUBLISHED, starts_on
        locked.published_at = at
        locked.save(update_fields=["status", "starts_on", "published_at"])
        mark_replaced(on=today)
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


def mark_replaced(*, on: date) -> TierScheme | None:
    """Mark the versions that a later one has followed by a brand day; return the one in force."""
    in_force = get_scheme(on=on)
    if in_force is not None:
        TierScheme.objects.filter(
            status=TierScheme.Status.PUBLISHED, version__lt=in_force.version
        ).update(status=TierScheme.Status.REPLACED)
    return in_force


def _lock_draft(scheme: TierScheme) -> TierScheme:
    locked = TierScheme.objects.select_for_update().filter(pk=scheme.pk).first()
    if locked is None:
        raise SchemeNotFoundError(version=scheme.version)
    if locked.status != TierScheme.Status.DRAFT:
        raise SchemePublishedError(version=locked.version)
    return locked


def _check_scheme(
    metric: str, window: str, window_months: int | None, policy: str, notice_days: int
) -> None:
    for name, value, known in (
        ("metric", metric, TierScheme.Metric.values),
        ("window", window, TierScheme.Window.values),
        ("downgrade_policy", policy, TierScheme.DowngradePolicy.values),
    ):
        if value not in known:
            raise InvalidSchemeError(
                _("%(value)s is not known.") % {"value": f"{value!r:.40}"}, pointer=f"/{name}"
            )
    is_rolling = window == TierScheme.Window.ROLLING
    if is_rolling != (window_months is not None) or (
        window_months is not None and not 1 <= window_months <= 120
    ):
        raise InvalidSchemeError(
            _("A rolling window has 1 to 120 months, the others have none."),
            pointer="/window_months",
        )
    if not 0 <= notice_days <= _MAX_DAYS:
        raise InvalidSchemeError(_("Notice is 0 to 366 days."), pointer="/notice_days")


def _check_tiers(tiers: Sequence[TierDraft]) -> None:
    if not 1 <= len(tiers) <= _MAX_TIERS:
        raise InvalidSchemeError(_("A scheme has 1 to 12 tiers."), pointer="/tiers")
    codes: set[str] = set()
    entry = -1
    for index, draft in enumerate(tiers):
        pointer = f"/tiers/{index}"
        if not _CODE.match(draft.code) or draft.code in codes:
            raise InvalidSchemeError(_("Codes are short and differ."), pointer=f"{pointer}/code")
        if not draft.name or not all(draft.name.values()):
            raise InvalidSchemeError(_("A tier has a name."), pointer=f"{pointer}/name")
        if draft.entry_threshold <= entry or (index == 0 and draft.entry_threshold != 0):
            raise InvalidSchemeError(
                _("Thresholds rise from 0."), pointer=f"{pointer}/entry_threshold"
            )
        if not 0 <= draft.keep_threshold <= draft.entry_threshold:
            raise InvalidSchemeError(
                _("Keeping is not harder than entering."), pointer=f"{pointer}/keep_threshold"
            )
        if not 0 <= draft.grace_days <= _MAX_DAYS:
            raise InvalidSchemeError(_("Grace is 0 to 366 days."), pointer=f"{pointer}/grace_days")
        if not 0 <= draft.multiplier_bp <= 1_000_000:
            raise InvalidSchemeError(_("Multiplier too large."), pointer=f"{pointer}/multiplier_bp")
        if not _COLOUR.match(draft.colour):
            raise InvalidSchemeError(_("A colour is #rrggbb."), pointer=f"{pointer}/colour")
        codes.add(draft.code)
        entry = draft.entry_threshold
