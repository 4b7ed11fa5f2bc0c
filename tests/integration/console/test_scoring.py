"""The screens of scores, signals and the value table: what they show, change and refuse."""

from collections.abc import Callable, Iterator
from datetime import date, datetime
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from core import clock
from members.activity.models import MemberDay
from members.segments.models import BehaviourSignal, ScoreSetting, ValueSegmentRule
from members.segments.operations import recompute_scores
from members.segments.queries import get_value_table
from tests.integration.console.members_world import MembersWorld

HTMX = {"HX-Request": "true", "HX-Target": "dlg"}
LIMITS = {
    **{f"recency_{n}": f"{10 * (n + 1)}" for n in range(4)},
    **{f"frequency_{n}": f"{n + 1}" for n in range(4)},
    **{f"monetary_{n}": f"{n + 1}.50" for n in range(4)},
}


def url(name: str, *args: Any) -> str:
    return reverse(f"console:{name}", args=args)


@pytest.fixture
def client(brand: Any, at: datetime, staff_client: Callable[..., Client]) -> Iterator[Client]:
    """Return a client of an analyst, with three members who are scored."""
    with clock.at(at):
        world = MembersWorld(at)
        for number in range(3):
            MemberDay.objects.create(
                member=world.member(), on_date=date(2026, 3, 1), orders=number + 1, spend_minor=500
            )
        recompute_scores(on=date(2026, 3, 15), at=at)
        yield staff_client("analyst")


def test_each_page_shows_its_things_in_few_queries(client: Client) -> None:
    for address, word in {
        url("scoring"): "Champions",
        url("score_limits"): "By limits of our own",
        url("create_signal"): "Events counted",
        url("edit_signal", "visits_30d"): "check_in",
        url("create_value_row"): "unless a row above fits",
        url("edit_value_row", 1): "unless a row above fits",
        url("move_value_row", 2, "up"): "would move",
    }.items():
        with CaptureQueriesContext(connection) as queries:
            answer = client.get(address)
        assert answer.status_code == 200, address
        text = answer.content.decode()
        assert word in text, address
        assert "<c-" not in text, address
        assert len(queries) <= 12, (address, len(queries))


def test_limits_are_previewed_then_saved(client: Client) -> None:
    form = {"method": "thresholds", **LIMITS}
    shown = client.post(
        url("score_limits"), {**form, "preview": "1"}, headers={**HTMX, "HX-Target": "effect"}
    )
    text = shown.content.decode()
    assert text.lstrip().startswith('<div id="effect"')
    assert "would move" in text
    assert not ScoreSetting.objects.exists()
    assert client.post(url("score_limits"), form, headers=HTMX).status_code == 204
    assert ScoreSetting.objects.get().thresholds == {
        "recency": [10, 20, 30, 40], "frequency": [1, 2, 3, 4], "monetary": [150, 250, 350, 450],
    }  # fmt: skip
    assert "Not in effect yet" in client.get(url("scoring")).content.decode()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"recency_2": "5"}, "recency_2"),
        ({"monetary_0": "a lot"}, "monetary_0"),
        ({"frequency_3": ""}, "frequency_3"),
    ],
)
def test_a_wrong_limit_is_refused_beside_itself(
    client: Client, change: dict[str, str], field: str
) -> None:
    form = {"method": "thresholds", **LIMITS, **change}
    answer = client.post(url("score_limits"), form, headers=HTMX)
    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == [field]
    assert not ScoreSetting.objects.exists()


def test_a_row_is_added_previewed_moved_and_removed(client: Client) -> None:
    form = {
        "segment": "new", "condition-rows": "1", "condition-0-field": "f",
        "condition-0-op": "=", "condition-0-value": "1",
    }  # fmt: skip
    drawn = client.post(url("create_value_row") + "?preview=1", form, headers=HTMX)
    assert "would move" in drawn.content.decode()
    assert not ValueSegmentRule.objects.exists()
    assert client.post(url("create_value_row"), form, headers=HTMX).status_code == 204
    table = get_value_table()
    assert (len(table), table[-1][0]) == (6, "new")
    for _step in range(5):
        position = next(n for n, row in enumerate(get_value_table(), 1) if row[1] == table[-1][1])
        assert (
            client.post(url("move_value_row", position, "up"), {}, headers=HTMX).status_code == 204
        )
    assert get_value_table()[0] == table[-1]
    assert client.post(url("move_value_row", 1, "drop"), {}, headers=HTMX).status_code == 204
    assert get_value_table() == table[:-1]
    assert client.post(url("move_value_row", 1, "reset"), {}, headers=HTMX).status_code == 204
    assert not ValueSegmentRule.objects.exists()
    assert client.get(url("edit_value_row", 9)).status_code == 404
    assert client.get(url("move_value_row", 1, "sideways")).status_code == 404


def test_signals_are_added_changed_and_removed(client: Client) -> None:
    form = {"code": "calls_7d", "label": "Called", "events": "call, chat", "days": "7"}
    assert client.post(url("create_signal"), form, headers=HTMX).status_code == 204
    assert BehaviourSignal.objects.get().events == ["call", "chat"]
    assert client.post(url("create_signal"), form, headers=HTMX).status_code == 422
    changed = {**form, "days": "30", "code": "other"}
    assert client.post(url("edit_signal", "calls_7d"), changed, headers=HTMX).status_code == 204
    assert BehaviourSignal.objects.values_list("code", "days").get() == ("calls_7d", 30)
    wrong = client.post(url("create_signal"), {**form, "code": "R!"}, headers=HTMX)
    assert "code" in wrong.context["form"].errors
    assert client.post(url("delete_signal", "calls_7d"), {}, headers=HTMX).status_code == 204
    assert not BehaviourSignal.objects.exists()
    assert client.get(url("edit_signal", "calls_7d")).status_code == 404


def test_who_may_only_look_changes_nothing(brand: Any, staff_client: Callable[..., Client]) -> None:
    finance = staff_client("finance")
    assert finance.get(url("scoring")).status_code == 200
    for name, args in (("score_limits", ()), ("create_value_row", ()), ("create_signal", ())):
        assert finance.get(url(name, *args)).status_code == 403
    assert staff_client("support").get(url("scoring")).status_code == 403
