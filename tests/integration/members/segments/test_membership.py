"""Who is in a saved segment, stored day by day: who came, who went, told once."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from core.actors import SYSTEM
from members.profiles.models import Member
from members.segments import queries, usage
from members.segments.errors import SegmentCircleError, SegmentInUseError, SegmentNotFoundError
from members.segments.membership import KEEP_CHANGES, prune_changes, store_segment, storing_order
from members.segments.models import SavedSegment, SegmentChange, SegmentDay, SegmentMember
from members.segments.operations import STORE, change_segment, delete_segment, save_segment
from members.segments.usage import Use
from tenants.brands.models import Brand
from tenants.events.models import Event
from tenants.jobs.models import Job
from tenants.jobs.operations import enqueue, run_pending

AT = datetime(2026, 3, 15, 4, 0, tzinfo=UTC)
DAY = date(2026, 3, 15)
NORTH = {"field": "region", "op": "=", "value": "north"}
SOUTH = {"field": "region", "op": "=", "value": "south"}


def within(segment: SavedSegment) -> dict[str, Any]:
    return {"field": "in_segment", "args": {"segment": segment.pk}, "op": "is", "value": True}


@pytest.fixture
def people(brand: Brand) -> list[int]:
    """Return four members in the north."""
    made = Member.objects.bulk_create(
        Member(external_id=f"n{number}", enrolled_at=AT, region="north") for number in range(4)
    )
    return [member.pk for member in made]


def move(*keys: int, to: str) -> None:
    Member.objects.filter(pk__in=keys).update(region=to)


def store(segment: SavedSegment, days: int = 0) -> tuple[int, int, int, bool]:
    done = store_segment(
        segment_id=segment.pk, on=DAY + timedelta(days=days), at=AT + timedelta(days=days)
    )
    return done.size, done.entered, done.left, done.is_baseline


def stored(segment: SavedSegment) -> set[int]:
    return set(SegmentMember.objects.filter(segment=segment).values_list("member_id", flat=True))


def changes(segment: SavedSegment, days: int) -> dict[int, bool]:
    rows = SegmentChange.objects.filter(segment=segment, on_date=DAY + timedelta(days=days))
    return dict(rows.values_list("member_id", "entered"))


def segment_of(tree: dict[str, Any], name: str = "North", **options: Any) -> SavedSegment:
    return save_segment(name=name, condition=tree, by=SYSTEM, at=AT, **options)


def test_who_came_and_went_is_kept_by_day(people: list[int]) -> None:
    one, two, three, four = people
    move(four, to="south")
    segment = segment_of(NORTH)
    assert store(segment) == (3, 0, 0, True)
    assert changes(segment, 0) == {}
    move(one, to="south")
    move(four, to="north")
    assert store(segment, 1) == (3, 1, 1, False)
    assert stored(segment) == {two, three, four}
    assert changes(segment, 1) == {one: False, four: True}
    assert [m.pk for m in queries.list_changes(
        segment_id=segment.pk, on=DAY + timedelta(days=1), entered=True)] == [four]  # fmt: skip
    assert queries.list_segments_of(member_id=four) == [(segment, DAY + timedelta(days=1))]
    assert queries.list_last_days(segment_ids=[segment.pk])[segment.pk].size == 3


def test_running_again_writes_nothing_and_a_day_keeps_its_net(people: list[int]) -> None:
    one, two, *_ = people
    segment = segment_of(NORTH)
    store(segment)
    move(one, to="south")
    for _time in range(3):
        assert store(segment, 1) == (3, 0, 1, False)
    # Back on the same day: neither came nor went. Another one goes.
    move(one, to="north")
    move(two, to="south")
    assert store(segment, 1) == (3, 0, 1, False)
    assert changes(segment, 1) == {two: False}
    assert SegmentDay.objects.filter(segment=segment).count() == 2


def test_an_earlier_day_changes_nothing(people: list[int]) -> None:
    segment = segment_of(NORTH)
    store(segment, 1)
    move(people[0], to="south")
    assert store(segment, 0) == (4, 0, 0, True)
    assert stored(segment) == set(people)


def test_a_new_condition_is_a_baseline(people: list[int]) -> None:
    segment = segment_of(NORTH)
    store(segment)
    move(people[0], to="south")
    store(segment, 1)
    assert changes(segment, 1) == {people[0]: False}
    change_segment(segment_id=segment.pk, condition=SOUTH, by=SYSTEM, at=AT)
    assert store(segment, 1) == (1, 0, 0, True)
    assert changes(segment, 1) == {}
    assert stored(segment) == {people[0]}
    # The rest of that day belongs to the new condition.
    move(people[1], to="south")
    assert store(segment, 1) == (2, 1, 0, True)
    assert store(segment, 2) == (2, 0, 0, False)


def test_blocked_members_leave(people: list[int]) -> None:
    segment = segment_of(NORTH)
    store(segment)
    Member.objects.filter(pk=people[0]).update(status=Member.Status.BLOCKED)
    assert store(segment, 1) == (3, 0, 1, False)


def test_events_tell_once_of_each_member(
    people: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    segment = segment_of(NORTH, tells=True)
    quiet = segment_of(NORTH, name="Quiet")
    store(segment)
    assert not Event.objects.filter(type__startswith="segment.").exists()
    move(people[0], to="south")
    for _time in range(3):
        store(segment, 1)
        store(quiet, 1)
    told = Event.objects.filter(type__startswith="segment.").order_by("pk")
    assert [(event.type, event.subject) for event in told] == [
        ("segment.changed", f"segment:{segment.pk}"),
        ("segment.left", f"member:{people[0]}"),
    ]
    assert told[0].data["left"] == 1
    monkeypatch.setattr("members.segments.membership.MOST_EVENTS", 1)
    move(*people[1:], to="south")
    store(segment, 2)
    assert Event.objects.filter(type="segment.changed").count() == 2
    assert Event.objects.filter(type="segment.left").count() == 1


def test_storing_is_one_statement_however_many_members(people: list[int]) -> None:
    segment = segment_of(NORTH)
    store(segment)
    Member.objects.bulk_create(
        Member(external_id=f"more{number}", enrolled_at=AT, region="north") for number in range(50)
    )
    with CaptureQueriesContext(connection) as few:
        store(segment, 1)
    with CaptureQueriesContext(connection) as none:
        store(segment, 2)
    assert len(few) == len(none)


def test_job_run_three_times_has_one_effect(people: list[int]) -> None:
    segment = segment_of(NORTH)
    inner = segment_of({"all": [within(segment)]}, name="Again")
    # Saving asked for each of them.
    assert Job.objects.filter(kind=STORE).count() == 2
    run_pending(at=AT)
    assert stored(segment) == stored(inner) == set(people)
    move(people[0], to="south")
    for time in range(3):
        later = AT + timedelta(days=1, minutes=time)
        enqueue(kind=STORE, dedupe_key=f"test:{time}", by=SYSTEM, at=later)
        run_pending(at=later)
        # The inner one follows in the same night: it comes after what it names.
        assert stored(segment) == stored(inner) == set(people[1:])
    assert changes(inner, 1) == {people[0]: False}
    last = Job.objects.filter(kind=STORE).order_by("pk").last()
    assert last is not None
    assert last.state == Job.State.DONE
    assert last.result == {"segments": 2, "entered": 0, "left": 2, "pruned": 0}


def test_old_lists_go_and_figures_stay(people: list[int]) -> None:
    segment = segment_of(NORTH)
    store(segment)
    move(people[0], to="south")
    store(segment, 1)
    assert prune_changes(on=DAY + timedelta(days=1) + KEEP_CHANGES) == 0
    assert prune_changes(on=DAY + timedelta(days=2) + KEEP_CHANGES) == 1
    assert SegmentDay.objects.filter(segment=segment).count() == 2


def test_a_segment_in_use_is_not_removed(
    people: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    segment = segment_of(NORTH)
    outer = segment_of({"not": within(segment)}, name="Not north")
    store(segment)
    with pytest.raises(SegmentInUseError, match="Not north"):
        delete_segment(segment_id=segment.pk, by=SYSTEM, at=AT)
    delete_segment(segment_id=outer.pk, by=SYSTEM, at=AT)
    rule = Use("grant rule", "Spring", {"any": [NORTH, {"not": within(segment)}]})
    monkeypatch.setattr(usage, "_finders", [lambda: [rule]])
    with pytest.raises(SegmentInUseError) as refused:
        delete_segment(segment_id=segment.pk, by=SYSTEM, at=AT)
    assert refused.value.data["used_by"] == ["Spring"]
    assert stored(segment) == set(people)
    monkeypatch.setattr(usage, "_finders", [])
    delete_segment(segment_id=segment.pk, by=SYSTEM, at=AT)
    assert not SegmentMember.objects.exists()
    assert not SegmentDay.objects.exists()
    with pytest.raises(SegmentNotFoundError):
        store(segment)


def test_a_segment_does_not_depend_on_itself(people: list[int]) -> None:
    first = segment_of(NORTH, name="First")
    second = segment_of(within(first), name="Second")
    third = segment_of({"not": within(second)}, name="Third")
    for tree in (within(first), {"any": [SOUTH, within(third)]}):
        with pytest.raises(SegmentCircleError):
            change_segment(segment_id=first.pk, condition=tree, by=SYSTEM, at=AT)
    first.refresh_from_db()
    assert (first.condition, first.version) == (NORTH, 1)
    assert storing_order(segments=[third, second, first]) == [first, second, third]
