"""Pages of insights: measures with formulas, the rows behind them, files."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from benefits.catalogue.models import Benefit
from benefits.insights.facts import compute_month
from benefits.insights.models import ReturnEstimate
from benefits.insights.operations import open_alert
from core import clock
from tenants.audit.models import AuditEntry
from tests.integration.benefits.world import World


@pytest.fixture
def made(world_of_use: World, at: datetime) -> Iterator[World]:
    """Set the clock."""
    with clock.at(at):
        yield world_of_use


@pytest.fixture
def world_of_use(brand: Any, at: datetime) -> World:
    """Return a brand where one of two members has used a benefit in March."""
    world = World(at)
    benefit = world.benefit(code="care", unit_cost_minor=1_200)
    members = [world.member(), world.member()]
    grants = [world.grant(member, benefit) for member in members]
    world.redeem(members[0], grants[0])
    compute_month(day=at.date(), at=at)
    return world


@pytest.fixture
def client(made: World, staff_client: Callable[..., Client]) -> Client:
    """Return a client signed in as the owner."""
    return staff_client("owner")


def url(name: str, *args: Any) -> str:
    return reverse(f"console:{name}", args=args) + "?month=2026-03"


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("insights", ()),
        ("insight_return", ("care",)),
        ("insight_benefit", ("care",)),
        ("insight_rows", ("care", "users")),
    ],
)
def test_pages_take_few_queries(
    client: Client, name: str, args: tuple[str, ...], django_assert_max_num_queries: Any
) -> None:
    client.get(url(name, *args))
    with django_assert_max_num_queries(12):
        assert client.get(url(name, *args)).status_code == 200


def test_each_measure_says_how_it_is_computed(client: Client) -> None:
    page = client.get(url("insight_benefit", "care")).content.decode()
    assert "Members who held an active grant" in page
    assert "50.0%" in page
    assert f"{reverse('console:insight_rows', args=['care', 'target'])}?month=2026-03" in page
    assert "no data" in page  # nobody has answered


def test_the_rows_behind_a_figure_and_their_file(client: Client) -> None:
    page = client.get(url("insight_rows", "care", "target")).content.decode()
    assert page.count('class="row-sub">m-') == 2
    answer = client.get(url("insight_rows_file", "care", "target"))
    lines = b"".join(answer).decode("utf-8-sig").splitlines()  # type: ignore[arg-type]
    assert lines[0] == "id,number,external_id,amount,at"
    assert len(lines) == 3
    assert AuditEntry.objects.get(action="insights.exported").changes["rows"] == [None, "target"]
    assert client.get(url("insight_rows", "care", "secrets")).status_code == 404


def test_facts_come_as_a_file(client: Client) -> None:
    answer = client.get(reverse("console:insight_facts") + "?by=region&benefit=care")
    head, *lines = b"".join(answer).decode("utf-8-sig").splitlines()  # type: ignore[arg-type]
    assert head.startswith("month,benefit,dimension,value,target_members,users")
    assert [line.split(",")[:6] for line in lines] == [
        ["2026-03", "care", "region", "north", "2", "1"]
    ]
    programme = client.get(reverse("console:insight_facts") + "?by=programme")
    assert b"service_revenue_minor" in b"".join(programme)  # type: ignore[arg-type]


def test_members_and_files_are_not_for_every_role(
    made: World, staff_client: Callable[..., Client]
) -> None:
    assert staff_client("support").get(url("insights")).status_code == 200
    refused = staff_client("support").get(url("insight_rows_file", "care", "users"))
    assert refused.status_code == 403
    assert not AuditEntry.objects.filter(action="insights.exported").exists()


def test_the_overview_brings_what_waits_by_itself(client: Client, at: datetime) -> None:
    page = client.get(reverse("console:overview")).content.decode()
    assert f'hx-get="{reverse("console:todos")}"' in page
    open_alert(
        rule="cost_ratio_high", subject=("programme", 0), period="2026-02", severity="critical",
        figures={}, at=at,
    )  # fmt: skip
    fragment = client.get(reverse("console:todos"), headers={"HX-Request": "true"})
    assert b"Service cost is high against revenue" in fragment.content
    assert b"<html" not in fragment.content


def test_the_return_says_where_it_comes_from(client: Client, made: World, at: datetime) -> None:
    assert "Nothing is known yet" in client.get(url("insight_return", "care")).content.decode()
    refused = client.post(url("compute_return", "care"), headers={"HX-Request": "true"})
    assert refused.status_code == 204
    outcome = {"estimate": 500.0, "low": 100.0, "high": 900.0, "error": 200.0}
    means = {"treated_mean": 1500.0, "other_mean": 1000.0}
    shares = {"estimate": 0.01, "low": -0.02, "high": 0.04, "treated_mean": 0.3, "other_mean": 0.29}
    ReturnEstimate.objects.create(
        benefit=Benefit.objects.get(code="care"), method="matched", interval="normal",
        from_on=at.date(), until_on=at.date(), treated=40, others=60,
        outcomes={"spend": outcome | means, "repurchase": shares, "visits": shares},
        margin_rate=0.5, cost_minor=4_000, fees_minor=0, roi=2.5, roi_low=0.5, roi_high=4.5,
        computed_at=at,
    )  # fmt: skip
    page = client.get(url("insight_return", "care")).content.decode()
    assert "Weaker evidence" in page
    assert "clearly more" in page
    assert "no clear difference" in page
    assert "0.50 … 4.50" in page
