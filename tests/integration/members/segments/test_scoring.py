"""How a brand scores: its own limits, signals, the value table; previewed, audited, refused."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from core.actors import SYSTEM
from members.activity.models import ActivityEvent, MemberDay
from members.profiles.models import Member
from members.segments.errors import InvalidSchemeError
from members.segments.invariants import check_scores
from members.segments.models import BehaviourSignal, MemberScore, ScoreSetting
from members.segments.operations import recompute_scores
from members.segments.queries import get_scheme, list_signals, preview_scheme
from members.segments.scoring import (
    RECOMPUTE,
    read_value_table,
    scheme_with,
    set_score_setting,
    set_signals,
    set_value_table,
)
from tenants.audit.models import AuditEntry
from tenants.brands.models import Brand
from tenants.jobs.models import Job

AS_OF = date(2026, 3, 15)
AT = datetime(2026, 3, 15, 4, 0, tzinfo=UTC)
LIMITS = {"recency": [10, 20, 30, 40], "frequency": [1, 2, 3, 4], "monetary": [100, 200, 300, 400]}
VIEWS = {"code": "views_7d", "label": "Looked lately", "events": ["view"], "days": 7}


@pytest.fixture
def people(brand: Brand) -> list[int]:
    """Return five members; number n bought n times for 100 each, last 10·n days ago."""
    made = Member.objects.bulk_create(
        Member(external_id=f"s{number}", enrolled_at=AT - timedelta(days=400))
        for number in range(5)
    )
    for number, member in enumerate(made):
        if number:
            MemberDay.objects.create(
                member=member,
                on_date=AS_OF - timedelta(days=10 * number),
                orders=number,
                spend_minor=100 * number,
            )
    recompute_scores(on=AS_OF, at=AT)
    return [member.pk for member in made]


def scores(keys: list[int]) -> list[tuple[int | None, ...]]:
    found = MemberScore.objects.in_bulk(keys)
    return [(found[key].r, found[key].f, found[key].m) for key in keys]


def segments(keys: list[int]) -> list[str]:
    found = MemberScore.objects.in_bulk(keys)
    return [found[key].value_segment for key in keys]


def test_own_limits_score_like_boundaries(people: list[int]) -> None:
    set_score_setting(method="thresholds", thresholds=LIMITS, by=SYSTEM, at=AT)
    run = recompute_scores(on=AS_OF, at=AT)
    # Equal to a limit is not above it; for days it is the other way round.
    assert scores(people) == [(None,) * 3, (5, 1, 1), (4, 2, 2), (3, 3, 3), (2, 4, 4)]
    assert (run.boundaries, run.method, run.scored) == (LIMITS, "thresholds", 4)
    assert check_scores() == []
    # The same, from the state of the night before and from all days.
    recompute_scores(on=AS_OF + timedelta(days=1), at=AT + timedelta(days=1))
    assert scores(people)[1:] == [(4, 1, 1), (3, 2, 2), (2, 3, 3), (1, 4, 4)]
    assert check_scores() == []
    set_score_setting(method="quintiles", by=SYSTEM, at=AT)
    setting = ScoreSetting.objects.get()
    assert (setting.method, setting.thresholds) == ("quintiles", LIMITS)


def test_a_preview_says_what_comes_and_writes_nothing(people: list[int]) -> None:
    before = (scores(people), segments(people))
    now = preview_scheme(scheme=get_scheme())
    assert (now.members, now.moved) == (5, 0)
    effect = preview_scheme(scheme=scheme_with(thresholds=LIMITS))
    assert (scores(people), segments(people)) == before
    assert effect.scores["f"] == {1: 1, 2: 1, 3: 1, 4: 1, 5: 0}
    set_score_setting(method="thresholds", thresholds=LIMITS, by=SYSTEM, at=AT)
    recompute_scores(on=AS_OF, at=AT)
    then = segments(people)
    moves: dict[tuple[str, str], int] = {}
    for old, new in zip(before[1], then, strict=True):
        moves[old, new] = moves.get((old, new), 0) + 1
    assert effect.moves == moves
    assert effect.moved == sum(old != new for old, new in zip(before[1], then, strict=True))
    assert effect.sizes()["at_risk"] == (before[1].count("at_risk"), then.count("at_risk"))


def test_nothing_scored_yet_is_no_effect(brand: Brand) -> None:
    effect = preview_scheme(scheme=get_scheme())
    assert (effect.members, effect.moved, effect.scores) == (0, 0, {})


@pytest.mark.parametrize(
    ("limits", "pointer"),
    [
        ({}, "/thresholds/recency"),
        ({**LIMITS, "recency": [1, 2, 3]}, "/thresholds/recency"),
        ({**LIMITS, "recency": [1, 3, 2, 4]}, "/thresholds/recency/2"),
        ({**LIMITS, "frequency": [1, 1, 2, 3]}, "/thresholds/frequency/1"),
        ({**LIMITS, "recency": [1, 2, 3, 366]}, "/thresholds/recency/3"),
        ({**LIMITS, "monetary": [-1, 2, 3, 4]}, "/thresholds/monetary/0"),
        ({**LIMITS, "monetary": [True, 2, 3, 4]}, "/thresholds/monetary/0"),
        ({**LIMITS, "monetary": "1234"}, "/thresholds/monetary"),
        ({**LIMITS, "height": [1, 2, 3, 4]}, "/thresholds/height"),
    ],
)
def test_wrong_limits_are_refused_by_their_place(
    brand: Brand, limits: dict[str, Any], pointer: str
) -> None:
    with pytest.raises(InvalidSchemeError) as refused:
        set_score_setting(method="thresholds", thresholds=limits, by=SYSTEM, at=AT)
    assert refused.value.data["pointer"] == pointer
    assert not ScoreSetting.objects.exists()
    assert not AuditEntry.objects.filter(target_type="score_setting").exists()


def test_own_limits_need_limits(brand: Brand) -> None:
    for method, pointer in (("thresholds", "/thresholds"), ("guess", "/method")):
        with pytest.raises(InvalidSchemeError) as refused:
            set_score_setting(method=method, by=SYSTEM, at=AT)
        assert refused.value.data["pointer"] == pointer


def test_signals_move_members(people: list[int]) -> None:
    never = people[0]
    for ago in (1, 7, 8):
        ActivityEvent.objects.create(
            member_id=never, name="view", at=AT - timedelta(days=ago), digest=b""
        )
    set_signals(signals=[VIEWS], by=SYSTEM, at=AT)
    assert [signal.code for signal in list_signals()] == ["visits_30d", "views_7d"]
    rows = [("loyal", {"field": "views_7d", "op": "=", "value": 2})]
    table = read_value_table(rows)
    assert preview_scheme(scheme=scheme_with(table=table)).moves["dormant", "loyal"] == 1
    set_value_table(rows=rows, by=SYSTEM, at=AT)
    recompute_scores(on=AS_OF, at=AT)
    assert segments(people) == ["loyal", *["dormant"] * 4]
    assert check_scores() == []
    # The default signal counts what the brand says.
    set_signals(
        signals=[VIEWS, {**VIEWS, "code": "visits_30d", "events": ["call"], "days": 30}],
        by=SYSTEM,
        at=AT,
    )
    assert [signal.events for signal in list_signals()] == [("view",), ("call",)]


def test_a_signal_that_the_table_needs_stays(brand: Brand) -> None:
    set_signals(signals=[VIEWS], by=SYSTEM, at=AT)
    set_value_table(
        rows=[("loyal", {"field": "views_7d", "op": ">", "value": 2})], by=SYSTEM, at=AT
    )
    with pytest.raises(InvalidSchemeError) as refused:
        set_signals(signals=[], by=SYSTEM, at=AT)
    assert refused.value.data["needed"] == ["views_7d"]
    assert BehaviourSignal.objects.count() == 1


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"code": "r"}, "/0/code"),
        ({"code": "Views"}, "/0/code"),
        ({"code": "x; DROP"}, "/0/code"),
        ({"label": " "}, "/0/label"),
        ({"events": []}, "/0/events"),
        ({"events": "view"}, "/0/events"),
        ({"days": 0}, "/0/days"),
        ({"days": 366}, "/0/days"),
    ],
)
def test_wrong_signals_are_refused_by_their_place(
    brand: Brand, change: dict[str, Any], pointer: str
) -> None:
    with pytest.raises(InvalidSchemeError) as refused:
        set_signals(signals=[{**VIEWS, **change}], by=SYSTEM, at=AT)
    assert refused.value.data["pointer"] == pointer
    with pytest.raises(InvalidSchemeError, match="Another signal"):
        set_signals(signals=[VIEWS, VIEWS], by=SYSTEM, at=AT)
    assert not BehaviourSignal.objects.exists()


def test_each_change_is_audited_and_asks_for_new_scores(brand: Brand) -> None:
    set_signals(signals=[VIEWS], by=SYSTEM, at=AT)
    set_score_setting(
        method="thresholds", thresholds=LIMITS, by=SYSTEM, at=AT + timedelta(seconds=1)
    )
    set_value_table(rows=[], by=SYSTEM, at=AT + timedelta(seconds=2))
    assert list(
        AuditEntry.objects.exclude(target_type="brand")
        .order_by("pk")
        .values_list("action", flat=True)
    ) == [
        "signals.set",
        "score_setting.set",
        "value_table.set",
    ]
    assert Job.objects.filter(kind=RECOMPUTE).count() == 3


def test_scores_of_the_old_way_are_no_contradiction(people: list[int]) -> None:
    set_score_setting(method="thresholds", thresholds=LIMITS, by=SYSTEM, at=AT)
    assert check_scores() == []
    MemberScore.objects.filter(pk=people[1]).update(f=5)
    recompute_scores(on=AS_OF + timedelta(days=1), at=AT + timedelta(days=1))
    assert check_scores() == []
    MemberScore.objects.filter(pk=people[1]).update(monetary_minor=1)
    assert len(check_scores()) == 1
