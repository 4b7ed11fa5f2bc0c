"""Members, schemes and growth for the tests of tiers."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from itertools import count
from uuid import uuid4
from zoneinfo import ZoneInfo

from django.db import connection

from core.actors import SYSTEM
from members.activity.models import MemberDay, Purchase, Refund
from members.points.operations import Source, earn
from members.profiles.models import Member
from members.profiles.operations import enrol
from members.tiers.errors import OverlappingSchemeError
from members.tiers.models import TierScheme
from members.tiers.operations import create_scheme, publish_scheme
from members.tiers.values import TierDraft

ZONE = ZoneInfo("Asia/Shanghai")
DRAFTS = (
    TierDraft(code="basic", name={"en": "Basic"}, entry_threshold=0, keep_threshold=0),
    TierDraft(
        code="silver",
        name={"en": "Silver"},
        entry_threshold=100,
        keep_threshold=80,
        multiplier_bp=12_000,
        grace_days=30,
    ),
    TierDraft(
        code="gold",
        name={"en": "Gold"},
        entry_threshold=500,
        keep_threshold=400,
        multiplier_bp=15_000,
        grace_days=10,
    ),
)
_numbers = count(1)


def noon(on: date) -> datetime:
    """Return noon of a brand day."""
    return datetime.combine(on, time(12), tzinfo=ZONE).astimezone(UTC)


def make_scheme(
    *,
    metric: str = "growth",
    window: str = "rolling",
    months: int | None = 12,
    policy: str = "one_step",
    notice_days: int = 14,
    tiers: Sequence[TierDraft] = DRAFTS,
    starts_on: date = date(2024, 1, 1),
) -> TierScheme:
    """Publish a scheme that is in force from a day."""
    draft = create_scheme(
        metric=metric,
        window=window,
        window_months=months if window == "rolling" else None,
        downgrade_policy=policy,
        notice_days=notice_days,
        tiers=tiers,
        by=SYSTEM,
        at=noon(starts_on),
    )
    try:
        return publish_scheme(scheme=draft, starts_on=starts_on, by=SYSTEM, at=noon(starts_on))
    except OverlappingSchemeError:
        # Examples of one test follow each other in one brand.
        at = noon(starts_on)
        TierScheme.objects.filter(pk=draft.pk).update(
            status="published", starts_on=starts_on, published_at=at
        )
        return TierScheme.objects.get(pk=draft.pk)


def give(member: Member, amount: int, *, on: date, wallet: str = "growth") -> None:
    """Credit growth or points at noon of a day."""
    earn(
        owner_id=member.pk,
        wallet=wallet,
        amount=amount,
        key=uuid4(),
        at=noon(on),
        available_at=noon(on),
        source=Source("test", 1),
    )


def shop(member: Member, amount: int, *, on: date, metric: str) -> None:
    """Add to spend, by one purchase of which something came back, or to orders, by as many."""
    is_spend = metric == "spend"
    day, _ = MemberDay.objects.get_or_create(pk=(member.pk, on))
    day.orders += 1 if is_spend else amount
    day.spend_minor += amount + 7 * is_spend
    day.refunded_minor += 7 * is_spend
    day.save()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO members_purchase (external_id, member_id, occurred_at, local_date, "
            "amount_minor, refunded_minor, currency, channel, store_code, associate, digest) "
            "SELECT %s || number, %s, %s, %s, %s, %s, 'CNY', '', '', '', '' "
            "FROM generate_series(1, %s) AS number",
            [
                f"shop-{next(_numbers)}-", member.pk, noon(on), on,
                amount + 7 if is_spend else 1, 7 * is_spend, 1 if is_spend else amount,
            ],
        )  # fmt: skip
    if is_spend:
        bought = Purchase.objects.latest("pk")
        Refund.objects.create(purchase=bought, external_id="part", amount_minor=7, at=noon(on))


def join(on: date = date(2024, 1, 1)) -> Member:
    """Enrol a member on a brand day."""
    number = next(_numbers)
    return enrol(external_id=f"t{number}", at=noon(on) - timedelta(hours=1), by=SYSTEM)
