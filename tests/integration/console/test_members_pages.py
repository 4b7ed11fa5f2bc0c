"""Pages about members, tiers and segments: who may see them, what they show, what they cost."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from core import clock
from core.actors import SYSTEM
from members.profiles.models import Member
from members.segments.operations import save_segment
from members.tiers.operations import create_scheme
from tests.integration.console.members_world import DRAFTS, MembersWorld

LIMIT = 12


@pytest.fixture
def world(brand: Any, at: datetime) -> Iterator[MembersWorld]:
    """Return makers inside `brand`, with the clock set."""
    with clock.at(at):
        yield MembersWorld(at)


def url(name: str, *args: Any) -> str:
    return reverse(f"console:{name}", args=args)


def count(queries: CaptureQueriesContext) -> int:
    """Return how many statements read or wrote; turning to the brand's schema does neither."""
    return sum(1 for query in queries if not query["sql"].startswith("SET search_path"))


def pages(world: MembersWorld, at: datetime) -> dict[str, str]:
    """Make one of everything; return each page's address with a word it has to show."""
    member, grant = world.life()
    create_scheme(metric="spend", window="lifetime", tiers=DRAFTS, by=SYSTEM, at=at)
    segment = save_segment(
        name="Northern gold",
        condition={"all": [{"field": "tier", "op": "=", "value": "gold"}]},
        by=SYSTEM,
        at=at,
    )
    home = url("member", member.number)
    return {
        url("members"): "Ann Lee",
        url("members") + "?q=ann+lee": member.number,
        url("members") + "?tier=gold": member.number,
        url("enrol"): "Customer id",
        home: "ann1@example.com",
        home + "?tab=points": "One for one: CN¥600.00 × 1 per CN¥1.00",
        home + "?tab=points&wallet=growth": "Refund back-1 of purchase order-1",
        home + "?tab=lots": "Lot and where it came from",
        home + "?tab=purchases": "−CN¥50.00",
        home + "?tab=usable": "Members alike",
        home + "?tab=grants": "Take back",
        home + "?tab=redemptions": "Tea box",
        home + "?tab=tiers": "Basic → Gold",
        home + "?tab=audit": "What people did about this member",
        url("edit_member", member.number): "ann1@example.com",
        url("block_member", member.number): "Reason",
        url("unblock_member", member.number): "Reason",
        url("adjust_points", member.number): "Take away",
        url("refund_purchase", member.number) + "?purchase=order-1": "550",
        url("give_benefit", member.number): "Tea box",
        url("revoke_grant", member.number, grant.pk): "Reason",
        url("tiers"): "600 ≥ 500",
        url("create_scheme"): "Save the draft",
        url("tier_version", 1): "Rolling months",
        url("publish_scheme", 2): "In force from",
        url("segments"): "Northern gold",
        url("create_segment"): "Who is in it",
        url("segment", segment.pk): member.number,
        url("edit_segment", segment.pk): "Northern gold",
    }


def test_each_page_shows_its_things_in_few_queries(
    world: MembersWorld, at: datetime, staff_client: Callable[..., Client]
) -> None:
    client = staff_client("owner")
    for address, word in pages(world, at).items():
        with CaptureQueriesContext(connection) as queries:
            answer = client.get(address)
        text = answer.content.decode()
        assert answer.status_code == 200, address
        assert word in text, (address, word)
        assert "<c-" not in text, address
        assert 'style="' not in text, address
        assert count(queries) <= LIMIT, (address, count(queries))


def test_only_staff_get_in(
    world: MembersWorld, at: datetime, brand: Any, client_for: Callable[..., Client], staff: Any
) -> None:
    stranger = client_for(brand)
    for address in pages(world, at):
        answer = stranger.get(address)
        assert answer.status_code == 302, address
        assert answer["Location"].startswith("/accounts/login/"), address


@pytest.mark.parametrize(
    ("role", "name", "status"),
    [
        ("analyst", "members", 200),
        ("analyst", "enrol", 403),
        ("analyst", "create_segment", 200),
        ("support", "enrol", 200),
        ("support", "segments", 403),
        ("support", "create_scheme", 403),
        ("manager", "create_scheme", 200),
        ("finance", "tiers", 200),
    ],
)
def test_a_role_opens_what_is_its_own(
    world: MembersWorld, staff_client: Callable[..., Client], role: str, name: str, status: int
) -> None:
    assert staff_client(role).get(url(name)).status_code == status


def test_the_list_costs_the_same_with_one_member_and_with_twenty(
    world: MembersWorld, staff_client: Callable[..., Client]
) -> None:
    world.programme()
    client = staff_client()
    counts = []
    for more in (1, 19):
        for _ in range(more):
            world.buyer()
        client.get(url("members"))
        with CaptureQueriesContext(connection) as queries:
            answer = client.get(url("members"))
        counts.append(count(queries))
    assert answer.content.decode().count('<td><a class="row-link"') == 20
    assert counts[0] == counts[1] <= 8


def test_the_list_goes_on_behind_a_cursor_and_finds_by_filter(
    world: MembersWorld, staff_client: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    world.programme()
    monkeypatch.setattr("console.views.members.PAGE", 2)
    basic = world.buyer(10_000, region="")
    gold = [world.buyer() for _ in range(3)]
    client = staff_client()

    def numbers(query: str) -> list[str]:
        rows = client.get(url("members") + query).context["rows"]
        return [row["member"].number for row in rows]

    assert numbers("") == [gold[2].number, gold[1].number]
    after = client.get(url("members")).context["next"]
    assert numbers(f"?after={after}") == [gold[0].number, basic.number]
    assert numbers("?tier=basic") == [basic.number]
    assert numbers(f"?tier=gold&after={gold[1].pk}") == [gold[0].number]
    assert numbers(f"?tier=basic&q={gold[0].number}") == []
    assert numbers("?q=lee&tier=basic") == [basic.number]
    assert numbers("?tier=unknown") == [gold[2].number, gold[1].number]
    row = client.get(url("members") + "?tier=basic").context["rows"][0]
    assert (row["tier"], row["points"], row["spend"], f"{row['last_on']}") == (
        "Basic",
        100,
        10_000,
        "2026-03-05",
    )


def test_a_tab_is_read_alone(world: MembersWorld, staff_client: Callable[..., Client]) -> None:
    member, _grant = world.life()
    client = staff_client()
    address = url("member", member.number) + "?tab=lots"
    whole = client.get(address)
    part = client.get(address, headers={"HX-Request": "true", "HX-Target": "body"})
    head = client.get(address, headers={"HX-Request": "true", "HX-Target": "head"})
    assert "<html" in whole.content.decode()
    assert part.content.decode().strip().startswith('<div id="body"')
    assert "standing" not in part.context
    assert head.content.decode().strip().startswith('<div id="head"')
    assert "rows" not in head.context


def test_another_brands_member_does_not_exist_here(
    world: MembersWorld, staff_client: Callable[..., Client]
) -> None:
    client = staff_client()
    assert client.get(url("member", "M9999999")).status_code == 404
    assert client.get(url("segment", 999)).status_code == 404
    assert client.get(url("tier_version", 99)).status_code == 404


def test_the_audit_tab_is_for_those_who_may_read_it(
    world: MembersWorld, staff_client: Callable[..., Client]
) -> None:
    member, _grant = world.life()
    address = url("member", member.number) + "?tab=audit"
    assert staff_client("owner").get(address).context["tab"] == "audit"
    assert staff_client("support").get(address).context["tab"] == "overview"


def test_a_wrong_cursor_is_refused(
    world: MembersWorld, staff_client: Callable[..., Client]
) -> None:
    member: Member = world.member()
    address = url("member", member.number) + "?tab=purchases&after=x_1"
    assert staff_client().get(address).status_code == 422
