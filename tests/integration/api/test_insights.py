"""Facts and measures over the brand API."""

import pytest

from benefits.insights.facts import compute_month
from core import clock
from tests.integration.api.conftest import Api


@pytest.fixture
def month(api: Api) -> str:
    """Return a month whose facts have been computed."""
    now = clock.now()
    compute_month(day=now.date(), at=now)
    return f"{now:%Y-%m}"


def test_facts_by_month_as_json_and_csv(api: Api, month: str) -> None:
    answer = api("GET", f"insights/benefits?from={month}&to={month}&benefit=facial")
    assert answer.status_code == 200, answer.content
    body = answer.json()
    assert body["currency"] == "CNY"
    assert [(row["month"], row["benefit"]) for row in body["items"]] == [(month, "facial")]
    file = api("GET", f"insights/benefits?from={month}&to={month}&benefit=facial&as=csv")
    head, line = file.content.decode("utf-8-sig").splitlines()
    assert head.startswith("month,benefit,target_members")
    assert line.startswith(f"{month},facial,")
    (whole,) = api("GET", f"insights/programme?from={month}&to={month}").json()["items"]
    assert whole["month"] == month
    assert api("GET", "insights/benefits?by=tier").json()["items"] == []


def test_measures_say_how_they_are_made(api: Api, month: str) -> None:
    body = api("GET", f"insights/measures?month={month}&benefit=facial").json()
    measures = {row["code"]: row for row in body["items"]}
    assert measures["penetration"]["value"] is None  # nobody holds it: no data, not zero
    assert measures["penetration"]["denominator"] == 0
    assert "÷" in measures["penetration"]["formula"]
    assert body["stale"] is False
    codes = [row["code"] for row in api("GET", f"insights/measures?month={month}").json()["items"]]
    assert "service_share" in codes


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("insights/benefits?from=2026-13", 422),
        ("insights/benefits?from=2020-01&to=2026-01", 422),
        ("insights/benefits?by=colour", 422),
        ("insights/measures?month=x", 422),
        ("insights/measures?benefit=none", 404),
    ],
)
def test_bad_questions_are_refused(api: Api, path: str, status: int) -> None:
    assert api("GET", path).status_code == status


def test_it_is_for_reading_only(api: Api) -> None:
    assert api("POST", "insights/benefits", {}).status_code == 405
