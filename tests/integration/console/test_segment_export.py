"""A segment as a file: its columns, its cells, who may take it, and that it is written down."""

import csv
from collections.abc import Callable, Iterator
from datetime import datetime
from io import StringIO
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from core import clock
from core.actors import SYSTEM
from core.web.csv_out import cell
from members.profiles.operations import update_profile
from members.segments import export
from members.segments.export import InvalidColumnError, check_columns
from members.segments.models import SavedSegment
from members.segments.operations import save_segment
from tenants.audit.models import AuditEntry
from tests.integration.console.members_world import MembersWorld

NORTH = {"field": "region", "op": "=", "value": "north"}


@pytest.fixture
def world(brand: Any, at: datetime) -> Iterator[MembersWorld]:
    with clock.at(at):
        yield MembersWorld(at)


@pytest.fixture
def segment(world: MembersWorld, at: datetime) -> SavedSegment:
    return save_segment(name="Near", condition=NORTH, by=SYSTEM, at=at)


def rows_of(answer: Any) -> list[list[str]]:
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    return list(csv.reader(StringIO(text)))


def test_the_file_has_the_columns_chosen_for_who_is_in_it_now(
    world: MembersWorld, segment: SavedSegment, at: datetime, staff_client: Callable[..., Client],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(export, "CHUNK", 2)
    near = [world.member() for _one in range(5)]
    world.member(region="south")
    update_profile(
        member=near[0],
        name="=cmd|' /C calc'!A0",
        tags=["+vip", "b"],
        by=SYSTEM,
        at=at,
    )
    form = {"columns": ["number", "name", "tags", "spend_365d", "days_to_birthday"]}
    answer = staff_client("manager").post(
        reverse("console:export_segment", args=[segment.pk]), form
    )
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Content-Disposition"].startswith('attachment; filename="near-2026')
    head, *rows = rows_of(answer)
    assert head[:2] == ["Number", "Name"]
    assert [row[0] for row in rows] == [member.number for member in near]
    assert rows[0][1:4] == ["'=cmd|' /C calc'!A0", "'+vip; b", "0.00"]
    entry = AuditEntry.objects.get(action="segment.exported")
    assert entry.changes == {"columns": [None, form["columns"]]}
    assert entry.target_id == str(segment.pk)


def test_an_export_without_columns_or_permission_is_refused(
    segment: SavedSegment, staff_client: Callable[..., Client]
) -> None:
    address = reverse("console:export_segment", args=[segment.pk])
    assert staff_client("analyst").get(address).status_code == 403
    client = staff_client("manager")
    assert "Days to the next birthday" in client.get(address).content.decode()
    for form in ({}, {"columns": ["password"]}):
        assert client.post(address, form).status_code == 422
    assert client.get(reverse("console:export_segment", args=[99])).status_code == 404
    assert not AuditEntry.objects.filter(action="segment.exported").exists()
    for columns, pointer in (([], "/columns"), (["number", "no"], "/columns/1")):
        with pytest.raises(InvalidColumnError) as refused:
            check_columns(columns)
        assert refused.value.data["pointer"] == pointer


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("=1+1", "'=1+1"), ("@x", "'@x"), ("-1", "'-1"), ("\tx", "'\tx"), ("＝1", "'＝1"),
        (-1, "-1"), (None, ""), (True, "true"), (["a", "b"], "a; b"), (["=a"], "'=a"),
        ("a=b", "a=b"), ("深圳", "深圳"),
    ],
)  # fmt: skip
def test_no_cell_is_a_formula(value: Any, text: str) -> None:
    assert cell(value) == text
