"""The whole catalogue: facts by hand, the Python evaluator and SQL agree on generated conditions.

`test_audience` does the same for what members are and bought; here are fields with arguments,
paths, answers, points that expire, and texts in Chinese.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.utils.translation import override
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benefits.catalogue.models import Benefit
from benefits.grants.models import Grant, Redemption
from core.actors import SYSTEM
from members.activity.models import ActivityEvent, Purchase, PurchaseLine
from members.points.models import Account, Lot
from members.profiles.attribute_operations import define_attribute
from members.profiles.models import Member, MemberPersonal
from members.segments import queries
from members.segments.conditions import (
    FIELDS,
    ConditionError,
    Field,
    FieldType,
    compile_sql,
    describe,
    evaluate,
    parse,
    to_tree,
)
from members.segments.conditions.naming import key_of
from members.segments.models import SavedSegment, SegmentMember
from tenants.brands.models import Brand
from tests.integration.benefits.world import World

AT = datetime(2026, 3, 15, 4, 0, tzinfo=UTC)  # 12:00 in Shanghai
TODAY = date(2026, 3, 15)
MIDNIGHT = datetime(2026, 3, 14, 16, 0, tzinfo=UTC)  # TODAY begins in Shanghai
_numbers = count(1)

REGIONS = ("", "cn", "cn/gd", "cn/gd/深圳", "cn/gd_x", "cng")
CATEGORIES = ("护肤", "tea's", "50%")
EVENTS = ("check_in", "visit", "看展")
PURPOSES = ("email", "短信")
DAYS = (1, 2, 30, 90)
TEXTS = (*REGIONS[1:], "female", "女", "male", "zh-hans", "store-1", "'; --%s %(x)s")


ATTRIBUTES = {
    "words": "text",
    "shoe_size": "number",
    "wedding": "date",
    "has_child": "boolean",
    "skin": "choice",
}
READ: dict[str, Callable[[Any], Any]] = {
    "text": str,
    "choice": str,
    "boolean": bool,
    "number": lambda value: Decimal(str(value)),
    "date": date.fromisoformat,
}


def noon(ago: int) -> datetime:
    """Return noon in Shanghai so many days ago."""
    return AT - timedelta(days=ago)


@dataclass(frozen=True)
class Person:
    """A member as the test sees one: what is known, without any SQL."""

    region: str = ""
    gender: str = ""
    store: str = ""
    locale: str = ""
    birthday: date | None = None
    has_personal: bool = True
    consents: dict[str, bool] = field(default_factory=dict)
    # Points and the day they expire, from today on; whether they still wait.
    lots: tuple[tuple[int, int, bool], ...] = ()
    # Days ago, category, how much was given back of 100.
    bought: tuple[tuple[int, str, int], ...] = ()
    events: tuple[tuple[int, str], ...] = ()
    # Days ago, state, answer to NPS.
    used: tuple[tuple[int, str, int | None], ...] = ()
    attributes: dict[str, Any] = field(default_factory=dict)
    referred: int = 0
    in_segment: bool = False

    def facts(self, segment: int) -> dict[str, Any]:
        known = self.has_personal
        answers = [
            (-ago, place, nps) for place, (ago, _s, nps) in enumerate(self.used) if nps is not None
        ]
        facts: dict[str, Any] = {
            "region": self.region or None,
            "gender": (self.gender or None) if known else None,
            "store": self.store or None,
            "locale": self.locale or None,
            "days_to_birthday": to_birthday(self.birthday) if known else None,
            "points_expiring_30d": sum(
                n for n, on, waits in self.lots if 0 <= on <= 30 and not waits
            ),
            "check_in_streak": self.streak(),
            "referred_members": self.referred,
            "nps_last_score": max(answers)[2] if answers else None,
            key_of("in_segment", [("segment", segment)]): self.in_segment,
        }
        for code, kind in ATTRIBUTES.items():
            value = self.attributes.get(code)
            facts[f"attribute.{code}"] = value if value is None else READ[kind](value)
        for purpose in PURPOSES:
            consent = self.consents.get(purpose) if known else None
            facts[key_of("consent", [("purpose", purpose)])] = consent
        for days in DAYS:
            for category in CATEGORIES:
                facts[key_of("bought_category", [("category", category), ("days", days)])] = any(
                    ago < days and found == category and back < 100
                    for ago, found, back in self.bought
                )
            for event in EVENTS:
                facts[key_of("event_count", [("event", event), ("days", days)])] = sum(
                    ago < days and found == event for ago, found in self.events
                )
            facts[key_of("used_benefit", [("benefit", "tea"), ("days", days)])] = any(
                ago < days and state not in {"cancelled", "failed"} for ago, state, _n in self.used
            )
        return facts

    def streak(self) -> int:
        checked = {ago for ago, name in self.events if name == "check_in"}
        start = next((ago for ago in (0, 1) if ago in checked), None)
        if start is None:
            return 0
        return next(n for n in count() if start + n not in checked)


def to_birthday(born: date | None) -> int | None:
    if born is None:
        return None
    for ahead in range(367):
        day = TODAY + timedelta(days=ahead)
        is_leap = day.year % 4 == 0
        celebrated = (
            (2, 28) if (born.month, born.day) == (2, 29) and not is_leap else (born.month, born.day)
        )
        if (day.month, day.day) == celebrated:
            return ahead
    raise AssertionError(born)


def some(*parts: Any, most: int = 3) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(st.tuples(*parts), max_size=most).map(tuple)


AGO = st.sampled_from([0, 1, 2, 29, 30, 89, 90, 91])
PEOPLE = st.builds(
    Person,
    region=st.sampled_from(REGIONS),
    gender=st.sampled_from(["", "female", "女"]),
    store=st.sampled_from(["", "store-1"]),
    locale=st.sampled_from(["", "zh-hans"]),
    birthday=st.none()
    | st.sampled_from(
        [
            TODAY.replace(year=1990),
            TODAY.replace(year=1990, day=14),
            date(2000, 2, 29),
            date(1985, 4, 1),
        ]
    ),
    has_personal=st.booleans(),
    consents=st.dictionaries(st.sampled_from(PURPOSES), st.booleans()),
    lots=some(st.sampled_from([1, 50]), st.sampled_from([0, 30, 31]), st.booleans(), most=2),
    bought=some(AGO, st.sampled_from(CATEGORIES), st.sampled_from([0, 99, 100])),
    events=some(st.sampled_from([0, 1, 2, 3, 29, 30, 90]), st.sampled_from(EVENTS), most=5),
    used=some(
        AGO,
        st.sampled_from(["requested", "cancelled", "failed", "expired"]),
        st.none() | st.integers(0, 10),
    ),
    attributes=st.fixed_dictionaries(
        {},
        optional={
            "words": st.sampled_from(["深圳", "a'b"]),
            "shoe_size": st.sampled_from([38, 38.5, -1, 0.1]),
            "wedding": st.sampled_from(["2020-02-29", "2026-03-15"]),
            "has_child": st.booleans(),
            "skin": st.sampled_from(["dry", "oily"]),
        },
    ),
    referred=st.sampled_from([0, 0, 1, 2]),
    in_segment=st.booleans(),
)
NUMBERS = st.sampled_from([0, 1, 2, 3, 5, 9, 10, 14, 17, 30, 49, 50, 51, 350, 365])


@st.composite
def comparisons(draw: st.DrawFn) -> dict[str, Any]:
    name = draw(st.sampled_from(sorted(Person().facts(segment=1))))
    prefix, _dot, code = name.partition(".")
    if prefix == "attribute":
        # Their definitions are there only while a test runs.
        kind = FieldType("text" if ATTRIBUTES[code] == "choice" else ATTRIBUTES[code])
        found = Field(name=name, type=kind, label=name, sql="")
    else:
        found = FIELDS.get(name)  # type: ignore[assignment]
    values: st.SearchStrategy[Any] = st.sampled_from(["dry", "oily"] if code == "skin" else TEXTS)
    if found.type is FieldType.NUMBER:
        values = st.sampled_from([38, 38.5, 38.0, -1, 0.1, 0.10000001, 39])
    if found.type is FieldType.DATE:
        values = st.sampled_from(["2020-02-28", "2020-02-29", "2026-03-15", "2030-01-01"])
    if found.type is FieldType.INTEGER:
        top = found.high if found.high is not None else 400
        values = NUMBERS.filter(lambda number: number <= top)
    op = draw(st.sampled_from(found.ops))
    value: Any
    if op in {"is", "is_set"}:
        value = draw(st.booleans())
    elif op == "between":
        value = sorted(draw(st.tuples(values, values)))
    elif op in {"in", "not_in", "within"}:
        value = draw(st.lists(values, min_size=1, max_size=3))
    else:
        value = draw(values)
    tree = {"field": name, "op": op, "value": value}
    # Both ways to name a field with arguments mean the same.
    return to_tree(parse(tree)) if "(" in name and draw(st.booleans()) else tree


CONDITIONS = st.recursive(
    comparisons(),
    lambda inner: (
        st.builds(lambda parts: {"all": parts}, st.lists(inner, min_size=1, max_size=3))
        | st.builds(lambda parts: {"any": parts}, st.lists(inner, min_size=1, max_size=3))
        | st.builds(lambda part: {"not": part}, inner)
    ),
    max_leaves=5,
)


@dataclass
class Stage:
    """What all examples share: a benefit with a grant to point at, and a segment."""

    benefit: Benefit
    grant: Grant
    segment: SavedSegment

    def put(self, people: list[Person]) -> dict[int, Person]:
        """Write people straight into the tables; return them by key."""
        run = next(_numbers)
        members = Member.objects.bulk_create(
            Member(
                external_id=f"w{run}-{number}",
                enrolled_at=noon(400),
                region=person.region,
                store_code=person.store,
                attributes=person.attributes,
                locale=person.locale,
            )
            for number, person in enumerate(people)
        )
        made = {member.pk: person for member, person in zip(members, people, strict=True)}
        Member.objects.bulk_create(
            Member(external_id=f"r{run}-{key}-{n}", enrolled_at=noon(1), referred_by_id=key)
            for key, person in made.items()
            for n in range(person.referred)
        )
        MemberPersonal.objects.bulk_create(
            MemberPersonal(
                member_id=key,
                gender=person.gender,
                birthday=person.birthday,
                consents=person.consents,
            )
            for key, person in made.items()
            if person.has_personal
        )
        accounts = Account.objects.bulk_create(
            Account(wallet_id=1, owner_id=key, balance=0, opened_at=AT) for key in made
        )
        Lot.objects.bulk_create(
            Lot(
                account=account,
                seq=seq,
                earned=points,
                remaining=points,
                expires_on=TODAY + timedelta(days=on),
                is_pending=waits,
            )
            for account, person in zip(accounts, people, strict=True)
            for seq, (points, on, waits) in enumerate(person.lots)
        )
        purchases = Purchase.objects.bulk_create(
            Purchase(
                external_id=f"p{run}-{key}-{n}",
                member_id=key,
                occurred_at=noon(ago),
                local_date=TODAY - timedelta(days=ago),
                amount_minor=100,
                refunded_minor=back,
                currency="CNY",
                digest=b"",
            )
            for key, person in made.items()
            for n, (ago, _category, back) in enumerate(person.bought)
        )
        bought = [row for person in people for row in person.bought]
        PurchaseLine.objects.bulk_create(
            PurchaseLine(
                purchase=purchase,
                position=1,
                sku="s",
                category=category,
                quantity=1,
                amount_minor=1,
            )
            for purchase, (_ago, category, _back) in zip(purchases, bought, strict=True)
        )
        ActivityEvent.objects.bulk_create(
            ActivityEvent(member_id=key, name=name, at=noon(ago), digest=b"")
            for key, person in made.items()
            for ago, name in person.events
        )
        Redemption.objects.bulk_create(
            Redemption(
                key=uuid4(),
                grant=self.grant,
                member_id=key,
                benefit=self.benefit,
                channel="staff",
                state=state,
                requested_by="member:1",
                requested_at=noon(ago),
                nps=nps,
                rated_at=None if nps is None else noon(ago),
            )
            for key, person in made.items()
            for ago, state, nps in person.used
        )
        SegmentMember.objects.bulk_create(
            SegmentMember(segment=self.segment, member_id=key, since=TODAY)
            for key, person in made.items()
            if person.in_segment
        )
        return made


@pytest.fixture
def stage(brand: Brand) -> Stage:
    world = World(AT)
    benefit = world.benefit(code="tea")
    grant = world.grant(world.member(), benefit)
    segment = SavedSegment.objects.create(
        id=1, name="One", condition={}, created_at=AT, updated_at=AT
    )
    for code, kind in ATTRIBUTES.items():
        choices = [{"code": word, "label": {"en": word}} for word in ("dry", "oily")]
        define_attribute(
            code=code,
            type=kind,
            label={"en": code.title(), "zh-hans": f"属性{code}"},
            choices=choices if kind == "choice" else [],
            by=SYSTEM,
            at=AT,
        )
    return Stage(benefit, grant, segment)


def audience(tree: dict[str, Any], among: dict[int, Person]) -> set[int]:
    sql, params = compile_sql(parse(tree), at=AT)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT id FROM ({sql}) AS found WHERE id = ANY(%(among)s)",
            {**params, "among": list(among)},
        )
        return {row[0] for row in cursor.fetchall()}


@settings(
    max_examples=45,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    people=st.lists(PEOPLE, min_size=2, max_size=6),
    trees=st.lists(CONDITIONS, min_size=10, max_size=14),
)
def test_the_whole_catalogue_agrees_with_facts_by_hand(
    stage: Stage, people: list[Person], trees: list[dict[str, Any]]
) -> None:
    made = stage.put(people)
    facts = {key: person.facts(stage.segment.pk) for key, person in made.items()}
    read = queries.list_facts(member_ids=list(made), fields=next(iter(facts.values())), at=AT)
    assert read == facts
    key = next(iter(made))
    assert queries.member_facts(member_id=key, fields=facts[key], at=AT) == facts[key]
    for tree in trees:
        condition = parse(tree)
        expected = {key for key in made if evaluate(condition, facts[key])}
        assert audience(tree, made) == expected, tree


def test_the_generated_conditions_use_the_whole_catalogue() -> None:
    """Each registered field is in this test or in `test_audience`: a new one has to join them."""
    elsewhere = {
        "tier", "value_segment", "points_balance", "days_since_last_purchase",
        "days_since_joining", "birthday_month", "tags", "r_score", "f_score", "m_score",
        *(f"{what}_{days}d" for what in ("spend", "orders") for days in (30, 90, 365)),
    }  # fmt: skip
    here = {name.partition("(")[0] for name in Person().facts(segment=1)}
    here = {name for name in here if not name.startswith("attribute.")}
    registered = {found.name for found in FIELDS} | {found.name for found in FIELDS.templates()}
    assert registered == here | elsewhere


def test_windows_begin_at_midnight_of_the_brand(stage: Stage) -> None:
    key = next(iter(stage.put([Person()])))
    first = MIDNIGHT - timedelta(days=1)
    ActivityEvent.objects.bulk_create(
        ActivityEvent(member_id=key, name="visit", at=moment, digest=b"")
        for moment in (
            first - timedelta(microseconds=1),
            first,
            MIDNIGHT,
            MIDNIGHT + timedelta(days=1),
        )
    )
    names = {days: f"event_count(event=visit,days={days})" for days in (1, 2, 3)}
    read = queries.member_facts(member_id=key, fields=names.values(), at=AT)
    assert [read[names[days]] for days in (1, 2, 3)] == [1, 2, 3]


def test_a_name_with_quotes_reads_no_other_rows(stage: Stage) -> None:
    """Arguments come from people; they stay texts whatever is in them."""
    made = stage.put([Person(bought=((0, "tea's", 0),)), Person(bought=((0, "护肤", 0),))])
    for category in ("x' OR 'a'='a", "%s", "%(at)s", "\\", "') --", "tea's"):
        tree = {
            "field": "bought_category",
            "args": {"category": category, "days": 30},
            "op": "is",
            "value": True,
        }
        expected = {next(iter(made))} if category == "tea's" else set()
        assert audience(tree, made) == expected
        assert parse(to_tree(parse(tree))) == parse(tree)


def test_an_attribute_is_compared_by_its_type_or_refused(stage: Stage) -> None:
    made = stage.put([Person(attributes={"shoe_size": 38.5, "skin": "dry"}), Person()])
    first = next(iter(made))
    tree: dict[str, Any] = {"field": "attribute.shoe_size", "op": ">", "value": 38.4}
    assert audience(tree, made) == {first}
    skin = {"field": "attribute.skin", "op": "=", "value": "dry"}
    with override("zh-hans"):
        assert describe(parse(skin), currency="CNY").startswith("属性skin")
    for wrong, pointer in (
        ({"field": "attribute.shoes", "op": "=", "value": 1}, "/field"),
        ({"field": "attribute.", "op": "=", "value": 1}, "/field"),
        ({"field": "attribute.shoe_size", "op": "=", "value": "38"}, "/value"),
        ({"field": "attribute.shoe_size", "op": "contains", "value": 38}, "/op"),
        ({"field": "attribute.skin", "op": "in", "value": ["dry", "wet"]}, "/value/1"),
        ({"field": "attribute.wedding", "op": "<", "value": "tomorrow"}, "/value"),
        ({"field": "attribute.has_child", "op": "=", "value": True}, "/op"),
        ({"field": "attribute.has_child", "op": "is", "value": 1}, "/value"),
    ):
        with pytest.raises(ConditionError) as refused:
            parse({"any": [skin, wrong]})
        assert refused.value.data["pointer"] == f"/any/1{pointer}"
    # Values from before the definition are not of its type: not known.
    Member.objects.filter(pk=first).update(
        attributes={"shoe_size": "large", "wedding": "2026-02-31", "has_child": "yes"}
    )
    names = [f"attribute.{code}" for code in ("shoe_size", "wedding", "has_child")]
    assert queries.member_facts(member_id=first, fields=names, at=AT) == dict.fromkeys(names)


def test_stored_conditions_read_on_though_new_ones_may_not_name_what_is_gone(stage: Stage) -> None:
    used = {"field": "used_benefit", "args": {"benefit": "gone"}, "op": "is", "value": True}
    for tree, pointer in (
        ({"all": [used]}, "/all/0/args/benefit"),
        (
            {"field": "in_segment", "args": {"segment": 99}, "op": "is", "value": True},
            "/args/segment",
        ),
        ({"field": "tier", "op": "in", "value": ["none"]}, "/value/0"),
        ({"field": "tier", "op": "=", "value": "none"}, "/value"),
    ):
        assert audience(tree, stage.put([Person()])) == set()
        with pytest.raises(ConditionError) as refused:
            parse(tree, is_new=True)
        assert refused.value.data["pointer"] == pointer
