"""Both evaluators of conditions agree, and both agree with facts worked out by hand."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from members.activity.models import MemberDay
from members.points.models import Account
from members.profiles.models import Member, MemberPersonal
from members.segments import queries
from members.segments.conditions import FIELDS, FieldType, compile_sql, evaluate, parse
from members.segments.models import MemberScore, ValueSegment
from members.tiers.models import MemberTier, Tier, TierScheme
from tenants.brands.models import Brand

AT = datetime(2026, 3, 15, 4, 0, tzinfo=UTC)  # 12:00 in Shanghai
TODAY = date(2026, 3, 15)
REGIONS = ("", "north", "south")
TAGS = ("vip", "press", "staff")
FIRST_TEN = (
    "tier",
    "value_segment",
    "points_balance",
    "spend_365d",
    "orders_365d",
    "days_since_last_purchase",
    "days_since_joining",
    "birthday_month",
    "region",
    "tags",
)


@dataclass(frozen=True)
class Person:
    """A member as the test sees one: what is known, without any SQL."""

    joined_on: date = date(2025, 1, 1)
    region: str = ""
    tags: tuple[str, ...] = ()
    birthday: date | None = None
    has_personal: bool = True
    segment: str | None = None
    scores: tuple[int, int, int] | None = None
    tier: int | None = None
    balance: int = 0
    pending: int = 0
    # Days ago → (orders, spend, refunded).
    days: dict[int, tuple[int, int, int]] = field(default_factory=dict)

    def facts(self) -> dict[str, Any]:
        def total(window: int, part: Any) -> int:
            return sum(part(*day) for ago, day in self.days.items() if ago < window)

        ordered = [ago for ago, day in self.days.items() if day[0] > 0]
        facts: dict[str, Any] = {
            "tier": f"tier{self.tier or 1}",
            "value_segment": self.segment,
            "points_balance": self.balance - self.pending,
            "days_since_last_purchase": min(ordered, default=None),
            "days_since_joining": (TODAY - self.joined_on).days,
            "birthday_month": self.birthday.month if self.birthday and self.has_personal else None,
            "region": self.region or None,
            "tags": list(self.tags),
        }
        for window in (30, 90, 365):
            facts[f"spend_{window}d"] = total(window, lambda _n, spend, back: spend - back)
            facts[f"orders_{window}d"] = total(window, lambda orders, _s, _b: orders)
        for index, letter in enumerate("rfm"):
            facts[f"{letter}_score"] = self.scores[index] if self.scores and self.segment else None
        return facts


def days() -> st.SearchStrategy[dict[int, tuple[int, int, int]]]:
    figures = st.tuples(st.integers(0, 2), st.sampled_from([0, 100, 500]), st.just(0)) | st.just(
        (0, 500, 500)
    )
    return st.dictionaries(
        st.sampled_from([0, 1, 29, 30, 31, 89, 90, 91, 364, 365, 366]), figures, max_size=4
    )


PEOPLE = st.builds(
    Person,
    joined_on=st.sampled_from([TODAY, TODAY - timedelta(days=1), date(2024, 2, 29)]),
    region=st.sampled_from(REGIONS),
    tags=st.lists(st.sampled_from(TAGS), unique=True, max_size=3).map(tuple),
    birthday=st.none() | st.sampled_from([date(1990, 3, 1), date(2000, 2, 29), date(1985, 12, 31)]),
    has_personal=st.booleans(),
    segment=st.none() | st.sampled_from(ValueSegment.values),
    scores=st.none() | st.tuples(*[st.integers(1, 5)] * 3),
    tier=st.none() | st.integers(1, 2),
    balance=st.sampled_from([0, 1, 99, 100, 101]),
    pending=st.just(0),
    days=days(),
) | st.builds(Person, balance=st.just(100), pending=st.sampled_from([1, 100]))

NUMBERS = st.sampled_from([0, 1, 2, 3, 12, 29, 30, 31, 99, 100, 101, 364, 365, 366, 500, 1000])


@st.composite
def comparisons(draw: st.DrawFn) -> dict[str, Any]:
    known = [FIELDS.get(name) for name in Person().facts()]
    found = draw(st.sampled_from([item for item in known if item is not None]))
    op = draw(st.sampled_from(found.ops))
    values: st.SearchStrategy[Any]
    if found.name in {"r_score", "f_score", "m_score"}:
        values = st.integers(1, 5)
    elif found.name == "birthday_month":
        values = st.integers(1, 12)
    elif found.type in {FieldType.INTEGER, FieldType.MONEY}:
        values = NUMBERS
    elif found.name == "value_segment":
        values = st.sampled_from(ValueSegment.values)
    elif found.name == "tags":
        values = st.sampled_from(TAGS)
    else:
        values = st.sampled_from(["north", "south", "tier1", "tier2", "'; --%s %(x)s"])
    value: Any
    if op == "is_set":
        value = draw(st.booleans())
    elif op == "between":
        value = sorted(draw(st.tuples(values, values)))
    elif op in {"in", "not_in", "within", "contains_any", "contains_all"}:
        value = draw(st.lists(values, min_size=1, max_size=3))
    else:
        value = draw(values)
    return {"field": found.name, "op": op, "value": value}


CONDITIONS = st.recursive(
    comparisons(),
    lambda inner: (
        st.builds(lambda parts: {"all": parts}, st.lists(inner, min_size=1, max_size=3))
        | st.builds(lambda parts: {"any": parts}, st.lists(inner, min_size=1, max_size=3))
        | st.builds(lambda part: {"not": part}, inner)
    ),
    max_leaves=6,
)


@pytest.fixture
def tiers() -> list[Tier]:
    scheme = TierScheme.objects.create(
        version=1, metric="growth", window="lifetime", starts_on=None, published_at=None
    )
    made = [
        Tier.objects.create(
            scheme=scheme,
            rank=rank,
            code=f"tier{rank}",
            name={"en": f"Tier {rank}"},
            entry_threshold=(rank - 1) * 100,
            keep_threshold=0,
        )
        for rank in (1, 2)
    ]
    scheme.status, scheme.starts_on, scheme.published_at = "published", date(2026, 1, 1), AT
    scheme.save()
    return made


def put(people: list[Person], tiers: list[Tier]) -> dict[int, Person]:
    """Write people straight into the tables; return them by key."""
    with connection.cursor() as cursor:
        for table in ("memberday", "memberscore", "membertier", "memberpersonal"):
            cursor.execute(f"DELETE FROM members_{table}")
    made = {}
    for number, person in enumerate(people):
        joined = datetime.combine(person.joined_on, datetime.min.time(), tzinfo=UTC)
        member = Member.objects.create(
            external_id=f"x{number}-{Member.objects.count()}",
            enrolled_at=joined - timedelta(hours=8),
            region=person.region,
            tags=list(person.tags),
        )
        if person.has_personal:
            MemberPersonal.objects.create(member=member, birthday=person.birthday)
        if person.segment is not None:
            r, f, m = person.scores or (None, None, None)
            MemberScore.objects.create(
                member=member, r=r, f=f, m=m, value_segment=person.segment, changed_on=TODAY
            )
        if person.tier is not None:
            MemberTier.objects.create(
                member=member,
                tier=tiers[person.tier - 1],
                since=AT,
                evaluated_on=TODAY,
                metric_value=0,
            )
        Account.objects.create(
            wallet_id=1,
            owner_id=member.pk,
            balance=person.balance,
            pending=person.pending,
            opened_at=AT,
        )
        for ago, (orders, spend, refunded) in person.days.items():
            MemberDay.objects.create(
                member=member,
                on_date=TODAY - timedelta(days=ago),
                orders=orders,
                spend_minor=spend,
                refunded_minor=refunded,
            )
        made[member.pk] = person
    return made


def audience(tree: dict[str, Any], among: dict[int, Person]) -> set[int]:
    sql, params = compile_sql(parse(tree), at=AT)
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return {row[0] for row in cursor.fetchall()} & set(among)


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    people=st.lists(PEOPLE, min_size=1, max_size=6),
    trees=st.lists(CONDITIONS, min_size=8, max_size=12),
)
def test_both_evaluators_agree_with_facts_by_hand(
    brand: Brand, tiers: list[Tier], people: list[Person], trees: list[dict[str, Any]]
) -> None:
    made = put(people, tiers)
    for member_id, person in made.items():
        names = person.facts()
        read = queries.member_facts(member_id=member_id, fields=names, at=AT)
        assert {**read, "tags": sorted(read["tags"])} == {**names, "tags": sorted(names["tags"])}
    for tree in trees:
        condition = parse(tree)
        expected = {key for key, person in made.items() if evaluate(condition, person.facts())}
        assert audience(tree, made) == expected, tree
    # One statement may hold two compiled conditions.
    first = compile_sql(parse(trees[0]), at=AT, prefix="a")
    second = compile_sql(parse(trees[1]), at=AT, prefix="b")
    with connection.cursor() as cursor:
        cursor.execute(f"({first.sql}) INTERSECT ({second.sql})", {**first.params, **second.params})
        both = {row[0] for row in cursor.fetchall()} & set(made)
    assert both == audience(trees[0], made) & audience(trees[1], made)


def test_catalogue_knows_the_first_ten_fields() -> None:
    assert {name for name in FIRST_TEN if FIELDS.get(name) is None} == set()


def test_tier_is_unknown_before_the_first_scheme(brand: Brand) -> None:
    made = put([Person()], [])
    assert queries.member_facts(member_id=next(iter(made)), fields=["tier"], at=AT) == {
        "tier": None
    }


def test_audience_holds_active_members_only(brand: Brand) -> None:
    made = list(put([Person(), Person(), Person()], []))
    Member.objects.filter(pk=made[0]).update(status=Member.Status.BLOCKED)
    Member.objects.filter(pk=made[1]).update(status=Member.Status.ERASED)
    everybody = parse(None)
    assert (
        queries.count_audience(condition=everybody, at=AT)
        == Member.objects.filter(status="active").count()
    )
    assert made[0] not in queries.list_audience(condition=everybody, at=AT, limit=1000)
    assert made[1] not in queries.list_audience(condition=everybody, at=AT, limit=1000)
    assert made[2] in queries.list_audience(condition=everybody, at=AT, limit=1000)


def test_sample_and_pages_come_from_the_audience(brand: Brand) -> None:
    people = [Person(region="north")] * 5 + [Person(region="south")] * 5
    made = put(people, [])
    north = parse({"field": "region", "op": "=", "value": "north"})
    keys = sorted(key for key, person in made.items() if person.region == "north")
    assert queries.count_audience(condition=north, at=AT) == 5
    sample = queries.sample_audience(condition=north, at=AT, limit=3)
    assert len(sample) == 3
    assert {member.pk for member in sample} <= set(keys)
    assert sample == queries.sample_audience(condition=north, at=AT, limit=3)
    assert queries.list_audience(condition=north, at=AT, limit=2) == keys[:2]
    assert queries.list_audience(condition=north, at=AT, after=keys[1], limit=9) == keys[2:]
    assert queries.is_in_audience(condition=north, member_id=keys[0], at=AT) is True
