"""Scores of all members as one statement: against pandas, by hand, rolled on and in full."""

import gzip
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from django.conf import settings
from django.db import connection
from django.db.models import F
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from core.actors import SYSTEM
from core.errors import InvalidError
from members.activity.models import ActivityEvent, MemberDay
from members.profiles.models import Member
from members.segments import queries
from members.segments.conditions import ConditionError
from members.segments.invariants import check_scores
from members.segments.models import LateActivity, MemberScore, ScoreRun, ValueSegmentRule
from members.segments.operations import mark_late, recompute_scores
from members.segments.scoring import set_value_table
from tenants.brands.models import Brand
from tenants.jobs.models import Job
from tenants.jobs.operations import enqueue, run_pending

SAMPLE = Path(settings.BASE_DIR) / "config/demo/data/cdnow_sample.txt.gz"
AS_OF = date(2026, 3, 15)
AT = datetime(2026, 3, 15, 4, 0, tzinfo=UTC)


def enrol(count: int, *, joined_on: date = date(2024, 1, 1)) -> list[int]:
    joined = datetime.combine(joined_on, datetime.min.time(), tzinfo=UTC)
    made = Member.objects.bulk_create(
        Member(external_id=f"s{joined_on}-{number}", enrolled_at=joined) for number in range(count)
    )
    return [member.pk for member in made]


def bought(member_id: int, on: date, *, orders: int = 1, spend: int = 100, back: int = 0) -> None:
    MemberDay.objects.create(
        member_id=member_id, on_date=on, orders=orders, spend_minor=spend, refunded_minor=back
    )


def scores() -> dict[int, tuple[object, ...]]:
    rows = MemberScore.objects.values_list(
        "pk", "r", "f", "m", "last_purchase_on", "frequency", "monetary_minor", "value_segment"
    )
    return {row[0]: row[1:] for row in rows}


def read_sample() -> pd.DataFrame:
    if not SAMPLE.exists():
        pytest.skip("the CDNOW sample is not there yet")
    with gzip.open(SAMPLE, "rt") as file:
        frame = pd.read_csv(file, sep=r"\s+", dtype={"customer_id": str, "date": str})
    frame["on"] = pd.to_datetime(frame["date"], format="%Y%m%d").dt.date
    frame["minor"] = (frame["dollar_value"] * 100).round().astype(int)
    return frame


def pandas_score(values: pd.Series, *, ascending: bool) -> pd.Series:
    """Score by the definition: boundaries are values at ranks ⌈q·n⌉ of the sorted list."""
    ordered = sorted(values)
    count = len(ordered)
    bounds = [ordered[-(-count * step // 5) - 1] for step in (1, 2, 3, 4)]
    above = values.map(lambda value: sum(value > bound for bound in bounds))
    return 1 + above if ascending else 5 - above


@pytest.mark.parametrize("as_of", [date(1998, 7, 1), date(1998, 1, 1)])
def test_scores_equal_pandas_on_cdnow(brand: Brand, as_of: date) -> None:
    frame = read_sample()
    keys = sorted(frame["customer_id"].unique())
    made = Member.objects.bulk_create(
        Member(external_id=f"c{key}", enrolled_at=datetime(1996, 1, 1, tzinfo=UTC)) for key in keys
    )
    member_of = {key: member.pk for key, member in zip(keys, made, strict=True)}
    grouped = frame.groupby(["customer_id", "on"]).agg(n=("minor", "size"), minor=("minor", "sum"))
    MemberDay.objects.bulk_create(
        MemberDay(
            member_id=member_of[key], on_date=on, orders=int(row.n), spend_minor=int(row.minor)
        )
        for (key, on), row in grouped.iterrows()
    )
    recompute_scores(on=as_of, at=AT)

    start = as_of - timedelta(days=365)
    inside = frame[(frame["on"] >= start) & (frame["on"] < as_of)]
    facts = inside.groupby("customer_id").agg(
        last=("on", "max"), f=("minor", "size"), m=("minor", "sum")
    )
    facts["r_days"] = facts["last"].map(lambda on: (as_of - on).days)
    expected = pd.DataFrame(
        {
            "r": pandas_score(facts["r_days"], ascending=False),
            "f": pandas_score(facts["f"], ascending=True),
            "m": pandas_score(facts["m"], ascending=True),
        }
    )

    def segment(row: pd.Series) -> str:
        if row.r >= 4 and row.f >= 4 and row.m >= 4:
            return "champions"
        if row.r <= 2 and (row.f >= 3 or row.m >= 3):
            return "at_risk"
        if row.r >= 3 and row.f >= 3:
            return "loyal"
        if row.f == 1 and row.r >= 4:
            return "new"
        return "potential" if row.r >= 3 else "dormant"

    expected["segment"] = expected.apply(segment, axis=1)
    found = scores()
    assert len(found) == Member.objects.count()
    for key in keys:
        r, f, m, last, frequency, monetary, value_segment = found[member_of[key]]
        if key in expected.index:
            row, fact = expected.loc[key], facts.loc[key]
            assert (r, f, m, value_segment) == (row.r, row.f, row.m, row.segment), key
            assert (last, frequency, monetary) == (fact["last"], fact.f, fact.m), key
        else:
            assert (r, f, m, value_segment) == (None, None, None, "dormant"), key
            assert (last, frequency, monetary) == (None, 0, 0), key
    run = ScoreRun.objects.get()
    assert (run.as_of, run.scored) == (as_of, len(expected))


def test_equal_values_share_a_score_and_boundaries_are_kept(brand: Brand) -> None:
    members = enrol(10)
    for number, member in enumerate(members):
        bought(member, AS_OF - timedelta(days=1 + number), spend=100 * (1 + number // 2))
    run = recompute_scores(on=AS_OF, at=AT)
    assert run.boundaries == {
        "recency": [2, 4, 6, 8],
        "frequency": [1, 1, 1, 1],
        "monetary": [100, 200, 300, 400],
    }
    found = scores()
    assert [found[member][0] for member in members] == [5, 5, 4, 4, 3, 3, 2, 2, 1, 1]
    assert [found[member][1] for member in members] == [1] * 10
    assert [found[member][2] for member in members] == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]


def test_window_is_half_open(brand: Brand) -> None:
    inside, too_old, too_new = enrol(3)
    bought(inside, AS_OF - timedelta(days=365))
    bought(too_old, AS_OF - timedelta(days=366))
    bought(too_new, AS_OF)
    recompute_scores(on=AS_OF, at=AT)
    found = scores()
    assert found[inside][3:6] == (AS_OF - timedelta(days=365), 1, 100)
    assert found[too_old][:6] == found[too_new][:6] == (None, None, None, None, 0, 0)


def test_refunds_lower_the_spend_and_full_ones_do_not_count(brand: Brand) -> None:
    partly, wholly = enrol(2)
    bought(partly, AS_OF - timedelta(days=2), orders=2, spend=300, back=100)
    bought(partly, AS_OF - timedelta(days=1), orders=0, spend=100, back=100)
    bought(wholly, AS_OF - timedelta(days=1), orders=0, spend=100, back=100)
    recompute_scores(on=AS_OF, at=AT)
    found = scores()
    assert found[partly][3:6] == (AS_OF - timedelta(days=2), 2, 200)
    assert found[wholly][:6] == (None, None, None, None, 0, 0)


def test_new_members_and_visitors_have_segments_without_purchases(brand: Brand) -> None:
    (new,) = enrol(1, joined_on=AS_OF - timedelta(days=59))
    (sixty,) = enrol(1, joined_on=AS_OF - timedelta(days=60))
    visitor, earlier, later = enrol(3)
    midnight = datetime(2026, 3, 14, 16, tzinfo=UTC)  # the beginning of AS_OF in Shanghai
    for member, at in (
        (visitor, midnight - timedelta(days=30)),
        (earlier, midnight - timedelta(days=30, seconds=1)),
        (later, midnight),
    ):
        ActivityEvent.objects.create(member_id=member, name="visit", at=at, digest=b"")
    ActivityEvent.objects.create(
        member_id=sixty, name="survey", at=midnight - timedelta(1), digest=b""
    )
    recompute_scores(on=AS_OF, at=AT)
    found = {member: row[6] for member, row in scores().items()}
    assert found[new] == "new"
    assert found[sixty] == "dormant"
    assert found[visitor] == "potential"
    assert found[earlier] == found[later] == "dormant"
    sizes = queries.value_segment_sizes()
    assert sizes["new"] == 1
    assert sizes["potential"] == 1
    assert sum(sizes.values()) == Member.objects.filter(status="active").count()


def test_second_run_of_a_day_writes_nothing(brand: Brand) -> None:
    for number, member in enumerate(enrol(5)):
        bought(member, AS_OF - timedelta(days=1 + number))
    first = recompute_scores(on=AS_OF, at=AT)
    before = set(MemberScore.objects.values_list("pk", "changed_on"))
    again = recompute_scores(on=AS_OF, at=AT)
    full = recompute_scores(on=AS_OF, at=AT, full=True)
    assert first.changed == Member.objects.count()
    assert (again.changed, full.changed) == (0, 0)
    assert (again.scored, again.boundaries) == (first.scored, first.boundaries)
    assert set(MemberScore.objects.values_list("pk", "changed_on")) == before
    assert ScoreRun.objects.count() == 1


DAYS = st.integers(-420, 15).map(lambda ago: AS_OF + timedelta(days=ago))


@hypothesis_settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    steps=st.lists(
        st.tuples(
            st.lists(st.tuples(st.integers(0, 4), DAYS), max_size=6),
            st.lists(st.tuples(st.integers(0, 4), st.integers(0, 5)), max_size=2),
            st.integers(0, 70),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_rolled_scores_equal_full_ones(
    brand: Brand,
    steps: Sequence[tuple[list[tuple[int, date]], list[tuple[int, int]], int]],
) -> None:
    with connection.cursor() as cursor:
        for table in ("memberday", "memberscore", "scorerun", "lateactivity"):
            cursor.execute(f"DELETE FROM members_{table}")
    members = [
        Member.objects.get_or_create(
            external_id=f"roll-{number}", defaults={"enrolled_at": datetime(2024, 1, 1, tzinfo=UTC)}
        )[0].pk
        for number in range(5)
    ]
    today = AS_OF
    for purchases, refunds, ahead in steps:
        today += timedelta(days=ahead)
        for index, on in purchases:
            if on > today:
                continue
            day, created = MemberDay.objects.get_or_create(
                pk=(members[index], on), defaults={"orders": 1, "spend_minor": 100 * (index + 1)}
            )
            if not created:
                MemberDay.objects.filter(pk=day.pk).update(orders=day.orders + 1)
            if on < today:
                mark_late(member_ids=[members[index]])
        for index, number in refunds:
            listed = list(MemberDay.objects.filter(member_id=members[index]).order_by("on_date"))
            if number < len(listed) and listed[number].on_date <= today:
                MemberDay.objects.filter(pk=listed[number].pk).update(
                    orders=0, refunded_minor=F("spend_minor")
                )
                mark_late(member_ids=[members[index]])
        recompute_scores(on=today, at=AT)
        rolled = scores()
        assert check_scores() == []
        recompute_scores(on=today, at=AT, full=True)
        assert scores() == rolled
    assert LateActivity.objects.count() == 0


def test_rolling_without_the_mark_would_miss_a_late_purchase(brand: Brand) -> None:
    """The negative control of the marks: the check sees what the roll does not."""
    (member,) = enrol(1)
    recompute_scores(on=AS_OF, at=AT)
    bought(member, AS_OF - timedelta(days=10))
    recompute_scores(on=AS_OF + timedelta(days=1), at=AT)
    assert check_scores() == [f"member {member}: stored score differs from its days"]
    mark_late(member_ids=[member])
    recompute_scores(on=AS_OF + timedelta(days=1), at=AT)
    assert check_scores() == []
    assert scores()[member][4] == 1


def test_going_back_a_day_computes_in_full(brand: Brand) -> None:
    (member,) = enrol(1)
    bought(member, AS_OF)
    recompute_scores(on=AS_OF + timedelta(days=1), at=AT)
    assert scores()[member][4] == 1
    recompute_scores(on=AS_OF, at=AT)
    assert scores()[member][4] == 0
    assert [run.as_of for run in ScoreRun.objects.all()] == [AS_OF]


def test_brand_table_replaces_the_default_one(brand: Brand) -> None:
    (member,) = enrol(1)
    bought(member, AS_OF - timedelta(days=1))
    rows = [
        ("loyal", {"field": "r", "op": "=", "value": 1}),
        ("champions", {"field": "f", "op": ">=", "value": 1}),
    ]
    set_value_table(rows=rows, by=SYSTEM, at=AT)
    recompute_scores(on=AS_OF, at=AT)
    assert scores()[member][6] == "champions"
    set_value_table(rows=[], by=SYSTEM, at=AT)
    recompute_scores(on=AS_OF, at=AT)
    assert scores()[member][6] == "new"


def test_wrong_table_is_refused_and_changes_nothing(brand: Brand) -> None:
    good = ("loyal", {"field": "r", "op": "=", "value": 1})
    set_value_table(rows=[good], by=SYSTEM, at=AT)
    with pytest.raises(ConditionError) as refused:
        set_value_table(
            rows=[good, ("new", {"field": "spend_30d", "op": "=", "value": 1})], by=SYSTEM, at=AT
        )
    assert refused.value.data["pointer"] == "/1/field"
    with pytest.raises(InvalidError):
        set_value_table(rows=[("best", good[1])], by=SYSTEM, at=AT)
    assert [row.segment for row in ValueSegmentRule.objects.all()] == ["loyal"]


def test_job_run_three_times_has_one_effect(brand: Brand) -> None:
    (member,) = enrol(1)
    bought(member, AS_OF - timedelta(days=1))
    for _ in range(3):
        enqueue(kind="segments.recompute", dedupe_key="2026-03-15", by=SYSTEM, at=AT)
        run_pending(at=AT)
    job = Job.objects.get(kind="segments.recompute", brand_id=brand.pk)
    assert (job.state, job.result["scored"]) == ("done", 1)
    assert scores()[member][:3] == (5, 1, 1)
