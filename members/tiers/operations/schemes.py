"""Making and publishing tier schemes."""

from collections.abc import Sequence
from dataclasses import fields
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import Max
from django.utils.translation import gettext as _

from core.actors import Actor
from core.clock import local_date
from members.tiers._drafts import check_draft
from members.tiers.errors import (
    InvalidSchemeError,
    OverlappingSchemeError,
    SchemeNotFoundError,
    SchemePublishedError,
)
from members.tiers.models import Tier, TierScheme
from members.tiers.queries import get_scheme
from members.tiers.values import SchemeDraft, TierDraft
from tenants.audit.operations import record
from tenants.brands.context import current_brand
from tenants.jobs.operations import enqueue

EVALUATE = "tiers.evaluate"


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
    draft = SchemeDraft(
        metric=metric,
        window=window,
        window_months=window_months,
        downgrade_policy=downgrade_policy,
        notice_days=notice_days,
        tiers=tuple(tiers),
    )
    check_draft(draft)
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
