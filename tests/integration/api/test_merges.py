"""Merges through the brand API: works, repeats, refuses, and is nobody else's."""

from collections.abc import Callable

import pytest
from django.test import Client

from config.demo.programme import Programme
from core import clock
from core.actors import SYSTEM
from members.merging.models import MemberMerge
from members.profiles.operations import enrol
from tenants.brands.context import tenant_context
from tenants.brands.models import Brand
from tests.integration.api.conftest import Api


@pytest.fixture
def api2(trial: tuple[Api, Programme]) -> Api:
    api, _made = trial
    for key in ("ann", "anne", "third"):
        enrol(external_id=key, name=key.title(), by=SYSTEM, at=clock.now())
    return api


BODY = {"survivor": "ann", "merged": "anne", "reason": "one card"}


def test_merge_look_and_undo(api2: Api) -> None:
    made = api2("POST", "merges", BODY, idempotency_key="m1")
    assert made.status_code == 201
    body = made.json()
    assert (body["survivor"], body["merged"], body["undone_at"]) == ("ann", "anne", None)
    assert api2("GET", "members/anne").json()["external_id"] == "ann"
    again = api2("POST", "merges", BODY, idempotency_key="m1")
    assert (again.content, again["Idempotent-Replayed"]) == (made.content, "true")
    assert MemberMerge.objects.count() == 1
    assert api2("GET", "merges").json()["items"] == [body]
    assert api2("GET", f"merges/{body['id']}").json() == body
    undone = api2("POST", f"merges/{body['id']}/undo", {"reason": "two sisters"})
    assert undone.status_code == 200
    assert undone.json()["undone_at"] is not None
    assert api2("GET", "members/anne").json()["external_id"] == "anne"


def test_a_dry_run_leaves_two(api2: Api) -> None:
    assert api2("POST", "merges?dry_run=true", BODY).status_code == 201
    assert MemberMerge.objects.count() == 0


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({**BODY, "merged": "ann"}, 422, "same_member"),
        ({**BODY, "merged": "nobody"}, 404, "member_not_found"),
        ({**BODY, "reason": ""}, 422, "invalid"),
        ({**BODY, "more": 1}, 422, "invalid"),
    ],
)
def test_refusals(api2: Api, body: dict[str, object], status: int, code: str) -> None:
    answer = api2("POST", "merges", body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert MemberMerge.objects.count() == 0


def test_wrong_method_and_no_key(api2: Api) -> None:
    assert api2("DELETE", "merges").status_code == 405
    assert api2.with_key("")("POST", "merges", BODY).status_code == 401
    assert api2("POST", "merges/999/undo", {"reason": "x"}).status_code == 404


def test_another_brands_merge_is_not_found(
    api2: Api, other_brand: Brand, client_for: Callable[[Brand], Client]
) -> None:
    made = api2("POST", "merges", BODY).json()
    with tenant_context(other_brand):
        assert MemberMerge.objects.count() == 0
    answer = client_for(other_brand).get(
        f"/api/brand/v1/merges/{made['id']}", HTTP_AUTHORIZATION=f"Bearer {api2.key}"
    )
    assert answer.status_code == 401
