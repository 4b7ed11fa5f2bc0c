"""Days of the brand where clocks jump, at the ends of months, and when the time zone changes."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest

from core.actors import SYSTEM
from members.points.operations import Source, earn
from members.profiles.models import Member
from members.profiles.operations import enrol
from members.tiers.invariants import CHECKS
from members.tiers.models import MemberTier, TierRun
from members.tiers.operations import check_member, evaluate_range, find_candidates
from members.tiers.queries import get_standing
from tenants.brands.context import tenant_context
from tenants.brands.models import Brand
from tenants.jobs.operations import enqueue, run_pending
from tests.integration.members.tiers.world import join, make_scheme, noon


@contextmanager
def zone_of(brand: Brand, zone: str) -> Iterator[None]:
    """Let the brand live in a time zone."""
    before, brand.timezone = brand.timezone, zone
    try:
        with tenant_context(brand):
            yield
    finally:
        brand.timezone = before


def give_at(member: Member, amount: int, at: datetime) -> None:
    earn(
        owner_id=member.pk, wallet="growth", amount=amount, key=uuid4(), at=at,
        available_at=at, source=Source("test", 1),
    )  # fmt: skip


def metric(member: Member, at: datetime) -> int:
    standing = get_standing(member_id=member.pk, at=at)
    assert standing is not None
    return standing.metric_value


# Havana goes back from 1:00 to 0:00: 3 November 2024 has two midnights, at 4:00 and 5:00 UTC.
# Santiago goes on from 0:00 to 1:00: 8 September 2024 begins at 4:00 UTC and has no midnight.
@pytest.mark.parametrize(
    ("zone", "day", "begins"),
    [
        ("America/Havana", date(2024, 11, 3), datetime(2024, 11, 3, 4, tzinfo=UTC)),
        ("America/Santiago", date(2024, 9, 8), datetime(2024, 9, 8, 4, tzinfo=UTC)),
        ("America/New_York", date(2024, 3, 10), datetime(2024, 3, 10, 5, tzinfo=UTC)),
        ("America/New_York", date(2024, 11, 3), datetime(2024, 11, 3, 4, tzinfo=UTC)),
        ("Australia/Lord_Howe", date(2024, 4, 7), datetime(2024, 4, 6, 13, tzinfo=UTC)),
        ("Asia/Kathmandu", date(2024, 1, 1), datetime(2023, 12, 31, 18, 15, tzinfo=UTC)),
    ],
)
def test_a_brand_day_begins_where_its_clocks_say(
    brand: Brand, zone: str, day: date, begins: datetime
) -> None:
    with zone_of(brand, zone):
        # A window of one month whose first day is the day looked at.
        make_scheme(months=1)
        last_on = (day + timedelta(days=31)).replace(day=day.day) - timedelta(days=1)
        at = datetime.combine(last_on, time(12), tzinfo=ZoneInfo(zone))
        member = join(date(2023, 12, 1))
        give_at(member, 1, begins - timedelta(seconds=1))
        assert metric(member, at) == 0
        give_at(member, 10, begins)
        give_at(member, 100, begins + timedelta(minutes=30))
        assert metric(member, at) == 110
        evaluate_range(low=member.pk, high=member.pk + 1, on=last_on, at=at)
        assert MemberTier.objects.get(pk=member.pk).metric_value == 110


def test_anniversary_of_29_february_is_the_28th_in_common_years(brand: Brand) -> None:
    make_scheme(window="anniversary_year")
    member = join(date(2024, 2, 29))
    give_at(member, 70, noon(date(2025, 2, 27)))
    give_at(member, 60, noon(date(2025, 2, 28)))
    assert metric(member, noon(date(2025, 2, 27))) == 70
    assert metric(member, noon(date(2025, 2, 28))) == 60
    assert metric(member, noon(date(2026, 2, 27))) == 60
    assert metric(member, noon(date(2026, 2, 28))) == 0
    give_at(member, 50, noon(date(2028, 2, 28)))
    give_at(member, 40, noon(date(2028, 2, 29)))
    # 2028 has the day itself again.
    assert metric(member, noon(date(2028, 2, 28))) == 50
    assert metric(member, noon(date(2028, 2, 29))) == 40


def test_rolling_months_end_with_the_month(brand: Brand) -> None:
    make_scheme(months=1)
    member = join()
    for day, amount in ((29, 1), (30, 10), (31, 100)):
        give_at(member, amount, noon(date(2025, 1, day)))
    # 28 February looks back to 1 February; 27 February to 28 January.
    assert metric(member, noon(date(2025, 2, 27))) == 111
    assert metric(member, noon(date(2025, 2, 28))) == 0


def test_new_time_zone_moves_the_days_and_keeps_the_evidence(brand: Brand) -> None:
    make_scheme(months=1)
    member = enrol(external_id="mover", at=datetime(2024, 1, 1, tzinfo=UTC), by=SYSTEM)
    # 1 March 0:30 in Shanghai is 29 February in New York.
    give_at(member, 500, datetime(2024, 2, 29, 16, 30, tzinfo=UTC))
    at = datetime(2024, 3, 31, 4, tzinfo=UTC)
    change = check_member(member_id=member.pk, at=at, cause="purchase")
    assert change is not None
    assert (change.to_tier.code, change.zone) == ("gold", "Asia/Shanghai")
    enqueue(kind="tiers.evaluate", dedupe_key="before", by=SYSTEM, at=at)
    run_pending(at=at)
    assert TierRun.objects.get().zone == "Asia/Shanghai"
    assert find_candidates(on=date(2024, 3, 31)) is not None
    with zone_of(brand, "America/New_York"):
        # What was decided stays proven in the time zone of its day…
        assert [line for check in CHECKS.values() for line in check()] == []
        # … and the next night looks at everybody, as days begin at other instants.
        assert find_candidates(on=date(2024, 3, 31)) is None
        assert metric(member, datetime(2024, 3, 31, 12, tzinfo=UTC)) == 0
        later = datetime(2024, 4, 1, 12, tzinfo=UTC)
        enqueue(kind="tiers.evaluate", dedupe_key="after", by=SYSTEM, at=later)
        run_pending(at=later)
        assert TierRun.objects.order_by("at").last().zone == "America/New_York"  # type: ignore[union-attr]
        row = MemberTier.objects.get(pk=member.pk)
        assert row.grace_until == date(2024, 4, 15)
        assert [line for check in CHECKS.values() for line in check()] == []
