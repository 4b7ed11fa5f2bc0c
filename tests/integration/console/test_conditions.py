"""The form of a condition: what it shows is what it reads; rows and groups come and go."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from html.parser import HTMLParser
from typing import Any

import pytest
from django.db import connection
from django.http import QueryDict
from django.template.loader import render_to_string
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.translation import override

from console.conditions import MAX_ROWS, ConditionRows
from console.views.segments import words
from core import clock
from core.actors import SYSTEM
from members.activity.models import Store
from members.profiles.attribute_operations import define_attribute
from members.segments.conditions import ConditionError, Labels, parse, to_tree
from members.segments.membership import store_segment
from members.segments.models import SavedSegment
from members.segments.operations import save_segment
from members.segments.value_segments import facts_of
from tests.integration.benefits.world import World
from tests.integration.console.members_world import MembersWorld

NORTH = {"field": "region", "op": "=", "value": "north"}
RICH = {"field": "spend_365d", "op": ">=", "value": 50_050}
HTMX = {"HX-Request": "true"}


class Inputs(HTMLParser):
    """Reads what a browser would send of a form."""

    def __init__(self) -> None:
        super().__init__()
        self.data = QueryDict(mutable=True)
        self.select = ""
        self.options: list[tuple[str, bool]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "input":
            self.data.appendlist(found["name"] or "", found.get("value") or "")
        elif tag == "select":
            self.select, self.options = found["name"] or "", []
            self.is_multiple = "multiple" in found
        elif tag == "option" and self.select:
            self.options.append((found.get("value") or "", "selected" in found))

    def handle_endtag(self, tag: str) -> None:
        if tag != "select":
            return
        chosen = [value for value, is_chosen in self.options if is_chosen]
        if not chosen and not self.is_multiple:
            chosen = [self.options[0][0]]
        for value in chosen:
            self.data.appendlist(self.select, value)
        self.select = ""


def sent(rows: ConditionRows, **changes: str) -> QueryDict:
    """Return what a browser would send of these rows, with a button's name and value."""
    reader = Inputs()
    reader.feed(render_to_string("console/condition_rows.html", {"rows": rows, "rows_url": "/x"}))
    for name, value in changes.items():
        reader.data[name] = value
    return reader.data


@pytest.fixture
def world(brand: Any, at: datetime) -> Iterator[MembersWorld]:
    with clock.at(at):
        yield MembersWorld(at)


@pytest.fixture
def tea(world: MembersWorld, at: datetime) -> World:
    made = World(at)
    made.benefit(code="tea")
    save_segment(name="North", condition=NORTH, by=SYSTEM, at=at)
    define_attribute(code="size", type="number", label={"en": "Size"}, by=SYSTEM, at=at)
    return made


def trees() -> list[dict[str, Any]]:
    segment = SavedSegment.objects.get()
    leaves: list[dict[str, Any]] = [
        NORTH,
        RICH,
        {"field": "region", "op": "within", "value": ["cn/gd", "us"]},
        {"field": "tags", "op": "contains_all", "value": ["vip", "新客"]},
        {"field": "birthday_month", "op": "=", "value": 3},
        {"field": "days_since_joining", "op": "between", "value": [3, 90]},
        {"field": "spend_30d", "op": "in", "value": [100, 200]},
        {"field": "value_segment", "op": "in", "value": ["champions", "loyal"]},
        {"field": "gender", "op": "is_set", "value": False},
        {"field": "attribute.size", "op": "<", "value": 38.5},
        {"field": "consent", "args": {"purpose": "email"}, "op": "is", "value": False},
        {
            "field": "used_benefit",
            "args": {"benefit": "tea", "days": 30},
            "op": "is",
            "value": True,
        },
        {"field": "event_count", "args": {"event": "看展", "days": 7}, "op": ">", "value": 2},
        {"field": "in_segment", "args": {"segment": segment.pk}, "op": "is", "value": True},
    ]
    return [
        {},
        *({"all": [leaf]} for leaf in leaves),
        {"any": leaves},
        {"not": NORTH},
        {"not": {"all": [NORTH, RICH]}},
        {"not": {"any": [NORTH, RICH]}},
        {"all": [NORTH, {"any": [RICH, NORTH, {"not": RICH}]}, {"not": {"all": [NORTH, RICH]}}]},
    ]


def test_what_is_shown_is_what_is_read(tea: World) -> None:
    for tree in trees():
        shown = ConditionRows.from_tree(tree)
        assert shown.other is None, tree
        read = ConditionRows.from_post(sent(shown))
        assert read.tree() == tree
        assert to_tree(parse(read.tree())) == tree


def test_rows_and_groups_come_and_go(tea: World) -> None:
    rows = ConditionRows.from_tree({"all": [NORTH]})
    grown = ConditionRows.from_post(sent(rows, do="group:0"))
    assert grown.groups_count == 2
    # A group without a field chosen counts for nothing.
    assert grown.tree() == {"all": [NORTH]}
    data = sent(grown, **{"condition-1-field": "orders_90d"})
    typed = ConditionRows.from_post(data)
    filled = sent(typed, **{"condition-1-value": "3"})
    orders = {"field": "orders_90d", "op": ">=", "value": 3}
    both = ConditionRows.from_post(filled)
    assert both.tree() == {"all": [NORTH, {"any": [orders]}]}
    inner = ConditionRows.from_post(sent(both, do="row:1"))
    assert [len(group.rows) for group in inner.all_groups()] == [1, 2]
    fewer = ConditionRows.from_post(sent(inner, do="drop:0"))
    assert fewer.tree() == {"all": [{"any": [orders]}]}
    assert ConditionRows.from_post(sent(inner, do="ungroup:1")).tree() == {"all": [NORTH]}
    nothing = ConditionRows.from_post(sent(rows, do="drop:0"))
    assert nothing.tree() == {}


def test_strange_numbers_do_no_harm(tea: World) -> None:
    for text in (
        "condition-rows=x", "condition-rows=-4", "condition-rows=9999", "do=row:99", "do=drop:x",
        "do=group:-1", "condition-groups=5&group-1-mode=any&group-1-parent=4",
        "condition-groups=2&group-1-mode=any&group-1-parent=1", "do=ungroup:0", "do=",
        "condition-rows=1&condition-0-group=7&condition-0-field=region",
        "condition-rows=1&condition-0-field=used_benefit(benefit=tea,days=30)",
    ):  # fmt: skip
        found = ConditionRows.from_post(QueryDict(text))
        assert len(found.rows) <= MAX_ROWS
        assert render_to_string("console/condition_rows.html", {"rows": found, "rows_url": "/x"})


def test_a_wrong_row_says_so_beside_itself(tea: World) -> None:
    rows = ConditionRows.from_tree({"all": [NORTH, RICH]})
    wrong = ConditionRows.from_post(sent(rows, **{"condition-1-value": "a lot"}))
    with pytest.raises(ConditionError):
        wrong.tree()
    assert [row.error for row in wrong.rows] == ["", "Give an amount such as 1250."]
    assert "Give an amount such as 1250." in render_to_string(
        "console/condition_rows.html", {"rows": wrong, "rows_url": "/x"}
    )


def test_what_is_too_large_for_the_form_is_kept(tea: World) -> None:
    deep: dict[str, Any] = {"any": [NORTH, RICH]}
    for _level in range(4):
        deep = {"any": [{"all": [deep, NORTH]}, RICH]}
    for tree in (deep, {"all": [NORTH] * (MAX_ROWS + 1)}):
        found = ConditionRows.from_tree(tree)
        assert found.rows == []
        assert found.tree() == tree


def test_the_form_reads_facts_of_the_value_table_too(tea: World) -> None:
    facts = facts_of()
    tree = {
        "any": [
            {"field": "r", "op": ">=", "value": 4},
            {"not": {"field": "visits_30d", "op": "=", "value": 0}},
        ]
    }
    rows = ConditionRows.from_tree(tree, catalogue=facts)
    assert ConditionRows.from_post(sent(rows), catalogue=facts).tree() == tree
    names = {name for _kind, fields in rows.fields for name, _label in fields}
    assert names == {"r", "f", "m", "days_since_joining", "visits_30d"}


def test_the_builder_tells_size_share_and_sample(
    tea: World, world: MembersWorld, staff_client: Callable[..., Client], at: datetime
) -> None:
    near = world.member()
    world.member(region="south")
    client = staff_client("analyst")
    data = sent(ConditionRows.from_tree({"all": [NORTH]})).dict()
    with clock.at(at), CaptureQueriesContext(connection) as queries:
        answer = client.post(
            reverse("console:segment_rows"), data, headers={**HTMX, "HX-Target": "reach"}
        )
    text = " ".join(answer.content.decode().split())
    assert '<b class="tnum tone-brand">1</b>' in text
    assert "50.0% of all members" in text or "50% of all members" in text
    assert near.number in text
    # Only the part that is put in place.
    assert text.lstrip().startswith('<div id="reach"')
    assert len(queries) <= 10
    wrong = client.post(reverse("console:segment_rows"), {**data, "condition-0-field": "spend_30d"})
    assert wrong.status_code == 200
    assert "Give an amount" in wrong.content.decode()
    assert "Reaches now" not in wrong.content.decode()


def test_a_segment_shows_its_days_and_who_moved(
    tea: World, world: MembersWorld, staff_client: Callable[..., Client], at: datetime
) -> None:
    stays, goes = world.member(), world.member()
    segment = SavedSegment.objects.get()
    day = clock.local_date(at, "Asia/Shanghai")
    store_segment(segment_id=segment.pk, on=day - timedelta(days=1), at=at)
    type(goes).objects.filter(pk=goes.pk).update(region="south")
    store_segment(segment_id=segment.pk, on=day, at=at)
    client = staff_client("analyst")
    with clock.at(at):
        listed = client.get(reverse("console:segments"))
        shown = client.get(reverse("console:segment", args=[segment.pk]))
        moved = client.get(reverse("console:segment_changes", args=[segment.pk, f"{day}"]))
        unknown = client.get(reverse("console:segment_changes", args=[segment.pk, "yesterday"]))
    assert [row["day"].left for row in listed.context["saved"]] == [1]
    assert listed.context["saved"][0]["trend"] == [2, 1]
    assert [(each.size, each.left) for each in shown.context["days"]] == [(1, 1), (2, 0)]
    assert goes.number in moved.content.decode()
    assert stays.number not in moved.content.decode()
    assert unknown.status_code == 404


def test_sentences_name_tiers_stores_benefits_and_segments(tea: World) -> None:

    Store.objects.create(code="s1", name="静安店", region="cn/sh")
    segment = SavedSegment.objects.get()
    tree = {
        "all": [
            {"field": "store", "op": "=", "value": "s1"},
            {"field": "used_benefit", "args": {"benefit": "tea"}, "op": "is", "value": False},
            {"field": "in_segment", "args": {"segment": segment.pk}, "op": "is", "value": True},
        ]
    }
    assert words(tree, Labels()) == (
        "Store is 静安店 and has not used Tea box in the last 90 days and is in the segment “North”"
    )
    with override("zh-hans"):
        assert "茶礼盒" in words(tree, Labels())
