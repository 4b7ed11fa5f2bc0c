"""The brand API of segments: catalogue, sizes, members, days, files, scores."""

import csv
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest

from core import clock
from core.actors import SYSTEM
from members.profiles.operations import enrol, update_profile
from members.profiles.queries import get_member
from members.segments.membership import store_segment
from members.segments.models import SavedSegment
from members.segments.operations import recompute_scores, save_segment
from tenants.accounts.keys import create_api_key
from tenants.audit.models import AuditEntry
from tenants.brands.models import Brand
from tests.integration.api.conftest import Api

NORTH = {"field": "region", "op": "=", "value": "north"}


def key(*scopes: str, at: Any) -> str:
    made = create_api_key(kind="brand", name="test", scopes=scopes, is_live=True, by=SYSTEM, at=at)
    return made[1]


@pytest.fixture
def people(brand: Brand, at: Any) -> Any:
    with clock.at(at):
        for number in range(3):
            enrol(external_id=f"n-{number}", region="north", at=at, by=SYSTEM)
        enrol(external_id="s-1", region="south", at=at, by=SYSTEM)
        yield


@pytest.fixture
def api(brand: Brand, people: None, at: Any) -> Api:
    return Api(brand, key("segments:read", "segments:export", at=at), "/api/brand/v1")


@pytest.fixture
def segment(api: Api, at: Any) -> SavedSegment:
    made = save_segment(name="Near", condition=NORTH, by=SYSTEM, at=at)
    store_segment(segment_id=made.pk, on=clock.local_date(at, "Asia/Shanghai"), at=at)
    return made


def test_the_catalogue_says_how_to_ask(api: Api) -> None:
    found = {row["name"]: row for row in api("GET", "/segments/fields").json()["items"]}
    assert found["region"]["ops"][0] == "within"
    assert found["value_segment"]["values"]["champions"] == "Champions"
    assert [row["name"] for row in found["used_benefit"]["args"]] == ["benefit", "days"]
    assert found["used_benefit"]["args"][1]["default"] == 90
    assert found["spend_30d"]["unit"] == "money"


def test_any_condition_is_counted_or_refused_by_its_place(api: Api) -> None:
    answer = api("POST", "/segments/size", {"condition": NORTH})
    assert answer.json() == {"size": 3, "members": 4, "sentence": "Region is north"}
    wrong = api("POST", "/segments/size", {"condition": {"all": [{**NORTH, "op": "<"}]}})
    assert (wrong.status_code, wrong.json()["code"]) == (422, "invalid_condition")
    assert wrong.json()["errors"][0]["pointer"] == "/condition/all/0/op"
    gone = {"field": "used_benefit", "args": {"benefit": "x"}, "op": "is", "value": True}
    refused = api("POST", "/segments/size", {"condition": gone}).json()
    assert refused["errors"][0]["pointer"] == "/condition/args/benefit"


def test_a_saved_segment_is_read_from_every_side(api: Api, segment: SavedSegment) -> None:
    listed = api("GET", "/segments").json()["items"]
    assert [(row["name"], row["last"]["size"]) for row in listed] == [("Near", 3)]
    one = api("GET", f"/segments/{segment.pk}").json()
    assert one["condition"] == NORTH
    assert one["days"] == [
        {"on": "2026-03-15", "size": 3, "entered": 0, "left": 0, "is_baseline": True}
    ]
    assert api("GET", f"/segments/{segment.pk}/size").json()["size"] == 3
    first = api("GET", f"/segments/{segment.pk}/members?limit=2").json()
    assert [row["external_id"] for row in first["items"]] == ["n-0", "n-1"]
    rest = api("GET", f"/segments/{segment.pk}/members?limit=2&cursor={first['next']}").json()
    assert [row["external_id"] for row in rest["items"]] == ["n-2"]
    assert rest["next"] is None
    for path in ("", "/size", "/members", "/export"):
        assert api("GET", f"/segments/99{path}").status_code == 404


def test_the_members_come_as_a_file_and_it_is_written_down(api: Api, segment: SavedSegment) -> None:
    answer: Any = api("GET", f"/segments/{segment.pk}/export?columns=external_id,region")
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    assert list(csv.reader(StringIO(text))) == [
        ["external_id", "region"], *([f"n-{number}", "north"] for number in range(3)),
    ]  # fmt: skip
    entry = AuditEntry.objects.get(action="segment.exported")
    assert (entry.actor_kind, entry.changes["columns"][1]) == ("api", ["external_id", "region"])
    wrong = api("GET", f"/segments/{segment.pk}/export?columns=secret")
    assert (wrong.status_code, wrong.json()["code"]) == (422, "invalid_column")


def test_a_member_has_scores_and_segments(api: Api, segment: SavedSegment, at: Any) -> None:
    empty = api("GET", "/members/n-0/scores").json()
    assert (empty["value_segment"], empty["as_of"]) == (None, None)
    recompute_scores(on=clock.local_date(at, "Asia/Shanghai"), at=at)
    found = api("GET", "/members/n-0/scores").json()
    assert found == {
        "value_segment": "new", "r": None, "f": None, "m": None, "last_purchase_on": None,
        "frequency": 0, "monetary": 0, "as_of": "2026-03-15",
        "segments": [{"id": segment.pk, "name": "Near", "since": "2026-03-15"}],
    }  # fmt: skip
    assert api("GET", "/members/s-1/scores").json()["segments"] == []
    assert api("GET", "/members/nobody/scores").status_code == 404


def test_each_scope_opens_its_own(api: Api, segment: SavedSegment, brand: Brand, at: Any) -> None:
    reader, other = key("segments:read", at=at), key("members:read", at=at)
    assert api.with_key(reader)("GET", f"/segments/{segment.pk}/export").status_code == 403
    for path in ("/segments", "/segments/fields", "/members/n-0/scores"):
        assert api.with_key(reader)("GET", path).status_code == 200
        assert api.with_key(other)("GET", path).status_code == 403
        assert api.with_key("")("GET", path).status_code == 401


def test_who_came_and_went_is_listed_by_day(api: Api, segment: SavedSegment, at: Any) -> None:
    on = clock.local_date(at, "Asia/Shanghai") + timedelta(days=1)
    for external_id, region in (("n-0", "south"), ("s-1", "north")):
        member = get_member(external_id=external_id)
        update_profile(member=member, region=region, by=SYSTEM, at=at)
    store_segment(segment_id=segment.pk, on=on, at=at + timedelta(days=1))
    path = f"/segments/{segment.pk}/changes"
    entered, left = (api("GET", f"{path}?side={side}").json() for side in ("entered", "left"))
    assert [one["external_id"] for one in entered["items"]] == ["s-1"]
    assert [one["external_id"] for one in left["items"]] == ["n-0"]
    assert api("GET", f"{path}?on={on - timedelta(days=1)}").json() == {"items": [], "next": None}
    for wrong, place in (("on=today", "/on"), ("side=both", "/side")):
        refused = api("GET", f"{path}?{wrong}")
        assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, place)
    assert api("GET", "/segments/999/changes").status_code == 404
