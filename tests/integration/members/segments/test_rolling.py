"""Scores rolled on from the run before, over lives with all that can move a member."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.actors import SYSTEM
from members.activity.models import ActivityEvent, MemberDay
from members.profiles.models import Member
from members.segments import _rolling
from members.segments.invariants import check_scores
from members.segments.models import MemberScore
from members.segments.operations import mark_late, recompute_scores
from members.segments.scoring import set_value_table
from tenants.brands.models import Brand

DAY = date(2026, 3, 16)
AT = datetime(2026, 3, 16, 4, 0, tzinfo=UTC)
TABLE: list[tuple[str, dict[str, Any]]] = [
    ("new", {"field": "days_since_joining", "op": "<", "value": 60}),
    ("champions", {"field": "days_since_joining", "op": "between", "value": [90, 95]}),
    ("at_risk", {"not": {"field": "days_since_joining", "op": "!=", "value": 100}}),
    (
        "loyal",
        {
            "all": [
                {"field": "visits_30d", "op": ">=", "value": 2},
                {"field": "days_since_joining", "op": "in", "value": [120, 125]},
            ]
        },
    ),
    ("potential", {"field": "visits_30d", "op": "=", "value": 1}),
    ("loyal", {"field": "m", "op": ">=", "value": 3}),
]
Life = Sequence[tuple[int, list[tuple[int, int, int]], list[tuple[int, int]], list[int]]]


def at_noon(on: date) -> datetime:
    return datetime.combine(on, time(12), tzinfo=UTC)


def join(number: int, on: date) -> int:
    return Member.objects.create(external_id=f"roll-{number}", enrolled_at=at_noon(on)).pk


def buy(member_id: int, on: date, spend: int, *, today: date) -> None:
    day, created = MemberDay.objects.get_or_create(
        pk=(member_id, on), defaults={"orders": 1, "spend_minor": spend}
    )
    if not created:
        MemberDay.objects.filter(pk=day.pk).update(
            orders=day.orders + 1, spend_minor=day.spend_minor + spend
        )
    if on < today:
        mark_late(member_ids=[member_id])


PURCHASES = st.lists(
    st.tuples(st.integers(0, 11), st.integers(0, 370), st.integers(0, 400)), max_size=8
)
EVENTS = st.lists(st.tuples(st.integers(0, 11), st.integers(0, 33)), max_size=3)
JOINING = st.lists(st.integers(0, 130), max_size=2)


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    life=st.lists(st.tuples(st.integers(0, 6), PURCHASES, EVENTS, JOINING), min_size=2, max_size=6)
)
def test_rolled_scores_are_those_of_all_days(brand: Brand, life: Life) -> None:
    with connection.cursor() as cursor:
        for table in ("memberday", "memberscore", "scorerun", "lateactivity"):
            cursor.execute(f"DELETE FROM members_{table}")
    set_value_table(rows=TABLE, by=SYSTEM, at=AT)
    made = Member.objects.count()
    members = [join(made + n, DAY - timedelta(days=50 + 7 * n)) for n in range(12)]
    today = DAY
    for number, member in enumerate(members):
        buy(member, DAY - timedelta(days=3 * number), 100 * (number + 1), today=today)
    for ahead, purchases, events, joining in life:
        today += timedelta(days=ahead)
        for index, ago, spend in purchases:
            buy(members[index], today - timedelta(days=ago), spend, today=today)
        ActivityEvent.objects.bulk_create(
            ActivityEvent(
                member_id=members[index],
                name="visit",
                at=at_noon(today - timedelta(days=ago)),
                digest=b"",
            )
            for index, ago in events
        )
        for ago in joining:
            members.append(join(made + len(members), today - timedelta(days=ago)))
        rolled = recompute_scores(on=today, at=AT)
        assert check_scores() == []
        boundaries, scored = rolled.boundaries, rolled.scored
        full = recompute_scores(on=today, at=AT, full=True)
        assert (full.changed, full.scored, full.boundaries) == (0, scored, boundaries)
        assert MemberScore.objects.count() == Member.objects.count()


def test_forgetting_the_moved_boundaries_would_be_found(
    brand: Brand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control: without the members between old and new boundaries, scores differ."""
    members = [join(n, DAY - timedelta(days=400)) for n in range(10)]
    for number, member in enumerate(members):
        buy(member, DAY - timedelta(days=20 * number + 1), 100 * (number + 1), today=DAY)
    recompute_scores(on=DAY, at=AT)
    for member in members[5:]:
        buy(member, DAY, 5_000, today=DAY)
    monkeypatch.setattr(_rolling, "_moved", lambda *_: ([], {}))
    recompute_scores(on=DAY + timedelta(days=1), at=AT)
    assert check_scores() != []
    monkeypatch.undo()
    recompute_scores(on=DAY + timedelta(days=1), at=AT, full=True)
    assert check_scores() == []


def test_last_member_with_facts_leaves_the_window(brand: Brand) -> None:
    member = join(0, DAY - timedelta(days=400))
    buy(member, DAY - timedelta(days=1), 100, today=DAY)
    first = recompute_scores(on=DAY, at=AT)
    assert first.scored == 1
    later = recompute_scores(on=DAY + timedelta(days=50), at=AT)
    assert later.scored == 1
    for days in (100, 150, 200, 250, 300, 365):
        later = recompute_scores(on=DAY + timedelta(days=days), at=AT)
    assert later.scored == 0
    assert check_scores() == []
    buy(member, DAY + timedelta(days=365), 100, today=DAY + timedelta(days=365))
    again = recompute_scores(on=DAY + timedelta(days=366), at=AT)
    assert (again.scored, check_scores()) == (1, [])
