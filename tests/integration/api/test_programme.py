"""The programme over the brand API: the catalogue, rules asked, rights given and taken back."""

from benefits.grants.models import Grant
from tests.integration.api.conftest import Api


def test_catalogue_packages_and_rules_are_listed(api: Api) -> None:
    benefits = {row["code"]: row for row in api("GET", "benefits").json()["items"]}
    assert benefits["facial"]["kind"] == "partner_service"
    kinds = {row["kind"] for row in api("GET", "benefits?kind=gift").json()["items"]}
    assert kinds <= {"gift"}
    (package, *_more) = api("GET", "packages").json()["items"]
    assert package["units"]
    rules = {row["code"]: row for row in api("GET", "rules?status=published").json()["items"]}
    assert rules["facial-monthly"]["terms"]["benefit"] == "facial"


def test_a_rule_is_checked_and_asked_about_one_member(api: Api) -> None:
    assert api("PUT", "members/ann", {"name": "Ann", "region": "cn/sh"}).status_code == 201
    check = api("GET", "rules/facial-monthly/check").json()
    assert check["may_be_published"] is True
    assert check["cost_per_month"]["currency"] == "CNY"
    answer = api("POST", "rules/facial-monthly/test", {"member": "ann"})
    assert answer.status_code == 200, answer.content
    asked = answer.json()
    assert (asked["granted"], asked["outcome"]) == (False, "condition")
    codes = [row["code"] for row in asked["checks"]]
    assert codes[:4] == ["published", "within_dates", "benefit_live", "member_active"]
    assert not Grant.objects.exists()
    assert api("GET", "rules/none/check").status_code == 404


def test_a_right_is_given_once_and_taken_back(api: Api) -> None:
    api("PUT", "members/ann", {"name": "Ann", "region": "cn/sh"})
    body = {"benefit": "facial", "quantity": 2}
    first = api("POST", "members/ann/grants", body, idempotency_key="g-1")
    assert first.status_code == 201, first.content
    again = api("POST", "members/ann/grants", body, idempotency_key="g-1")
    assert again.content == first.content
    (made,) = first.json()["items"]
    assert (made["benefit"], made["quantity"], made["rule"]) == ("facial", 2, None)
    listed = api("GET", "members/ann/grants").json()["items"]
    assert [row["id"] for row in listed] == [made["id"]]

    back = api("POST", f"grants/{made['id']}/revoke", {"reason": "By mistake"}, idempotency_key="r")
    assert back.status_code == 200, back.content
    assert back.json()["revoked_at"] is not None
    assert api("GET", "members/ann/grants").json()["items"] == []


def test_a_right_needs_a_benefit_or_a_package(api: Api) -> None:
    api("PUT", "members/ann", {"name": "Ann"})
    for body in ({}, {"benefit": "facial", "package": "x"}):
        refused = api("POST", "members/ann/grants", body, idempotency_key="g-2")
        assert refused.status_code == 422
        assert refused.json()["code"] == "invalid_grant"
    assert (
        api("POST", "members/ann/grants", {"benefit": "no"}, idempotency_key="g-3").status_code
        == 404
    )
    assert not Grant.objects.exists()
