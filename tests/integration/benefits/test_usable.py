"""What a member may use, and why or why not."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import translation

from benefits.catalogue.operations import create_package
from benefits.grants.operations import revoke
from benefits.grants.queries import UsableBenefit, what_may_i_use
from benefits.grants.reasons import reason_text
from benefits.grants.usability import Reason
from benefits.rules.hold_out import is_held_out
from benefits.rules.models import GrantRule
from members.profiles.operations import block_member
from tests.integration.benefits.world import STAFF, World


def usable(world: World, member: Any, **asked: Any) -> dict[str, UsableBenefit]:
    """Return what a member may use, by the benefit's code."""
    facts = {"member": member, "at": world.at, "lang": "en", **asked}
    return {item.benefit.code: item for item in what_may_i_use(**facts)}


def test_a_right_can_be_used_and_says_why(world: World) -> None:
    member = world.member()
    benefit = world.benefit(
        code="tea",
        summary={"en": "For a quiet hour", "zh-hans": "静享时光"},
        terms={"en": "At any shop"},
        list_price_minor=3_000,
    )
    rule = world.rule(
        benefit, quantity=3, condition={"field": "region", "op": "=", "value": "north"}
    )
    grant = world.grant(
        member, benefit, rule=rule, quantity=3, reason={"facts": {"region": "north"}}
    )
    world.redeem(member, grant)

    found = usable(world, member)["tea"]

    assert found.usable
    assert found.reasons == []
    assert (found.remaining, found.granted, found.grant_id) == (2, 3, grant.pk)
    assert (found.name, found.summary, found.terms) == (
        "Tea box",
        "For a quiet hour",
        "At any shop",
    )
    assert found.list_price_minor == 3_000
    assert found.resets_at == datetime(2026, 3, 31, 16, tzinfo=UTC)
    assert found.ends_at == grant.ends_at
    assert found.why == [Reason("fact", {"field": "region", "value": "north"})]
    assert usable(world, member, lang="zh-hans")["tea"].name == "茶礼盒"


def test_each_reason_comes_with_what_is_needed(world: World) -> None:
    member = world.member()
    starts = world.at + timedelta(days=2)
    facts: dict[str, dict[str, Any]] = {
        "used": {},
        "later": {"starts_at": starts},
        "elsewhere": {},
        "taken-back": {},
    }
    benefits = {
        code: world.benefit(code=code, regions=["south"] if code == "elsewhere" else [])
        for code in facts
    }
    made = {code: world.grant(member, benefits[code], **changes) for code, changes in facts.items()}
    world.redeem(member, made["used"])
    revoke(grant=made["taken-back"], reason="mistake", by=STAFF, at=world.at)
    world.benefit(code="never")
    world.benefit(code="idea", stage="idea")
    world.grant(member, world.benefit(code="over"), ends_at=world.at + timedelta(seconds=1))

    found = usable(world, member, at=world.at + timedelta(seconds=1))

    assert {code: item.reasons for code, item in found.items()} == {
        "used": [Reason("quota_used", {"next_at": None})],
        "later": [Reason("not_yet_started", {"starts_at": starts})],
        "elsewhere": [Reason("outside_region", {"regions": ["south"]})],
        "taken-back": [Reason("revoked")],
        "never": [Reason("not_granted")],
        "over": [Reason("not_granted")],
    }
    assert not any(item.usable for item in found.values())
    assert (found["used"].remaining, found["used"].granted) == (0, 1)
    assert (found["later"].remaining, found["later"].granted) == (0, 0)
    assert usable(world, member, region="south")["elsewhere"].usable


def test_the_right_to_use_next_is_the_usable_one_that_ends_first(world: World) -> None:
    member, benefit = world.member(), world.benefit(code="tea")
    used = world.grant(member, benefit, ends_at=world.at + timedelta(days=1))
    world.redeem(member, used)
    world.grant(member, benefit, ends_at=None, quantity=5)
    soon = world.grant(member, benefit, ends_at=world.at + timedelta(days=4), quantity=2)

    found = usable(world, member)["tea"]

    assert (found.usable, found.grant_id) == (True, soon.pk)
    assert (found.remaining, found.granted) == (7, 8)


def test_a_benefit_not_held_says_what_is_missing(world: World) -> None:
    member = world.member(region="south", tags=["vip"])
    world.rule(
        world.benefit(code="north-only"),
        code="r-north",
        condition={
            "all": [
                {"field": "tags", "op": "contains", "value": "vip"},
                {"field": "region", "op": "=", "value": "north"},
            ]
        },
    )
    world.rule(world.benefit(code="tomorrow"), code="r-all")
    world.rule(world.benefit(code="shopping"), code="r-buy", cadence=GrantRule.Cadence.ON_PURCHASE)
    spring = create_package(
        code="spring",
        name={"en": "Spring"},
        items=[(world.benefit(code="in-package"), 1)],
        by=STAFF,
        at=world.at,
    )
    world.rule(package=spring, code="r-package")
    world.rule(world.benefit(code="draft-only"), publish=False)

    found = usable(world, member)

    assert {code: item.reasons for code, item in found.items()} == {
        "north-only": [
            Reason(
                "not_granted",
                {
                    "rule": "r-north",
                    "needs": {"field": "region", "op": "=", "value": "north"},
                },
            )
        ],
        "tomorrow": [Reason("coming", {"rule": "r-all"})],
        "shopping": [Reason("not_granted", {"rule": "r-buy", "cadence": "on_purchase"})],
        "in-package": [Reason("coming", {"rule": "r-package"})],
        "draft-only": [Reason("not_granted")],
    }


def test_a_member_held_out_is_promised_nothing(world: World) -> None:
    members = [world.member() for _one in range(30)]
    world.rule(world.benefit(code="tea"), code="tea-rule", hold_out_bp=5_000)
    promised = {
        member.pk: usable(world, member)["tea"].reasons[0].code == "coming" for member in members
    }
    assert promised == {
        member.pk: not is_held_out(rule_code="tea-rule", member_id=member.pk, hold_out_bp=5_000)
        for member in members
    }
    assert set(promised.values()) == {True, False}


def test_a_blocked_member_sees_rights_but_can_use_none(world: World) -> None:
    member = world.member()
    world.grant(member, world.benefit(code="tea"))
    block_member(member=member, reason="fraud", by=STAFF, at=world.at)
    member.refresh_from_db()

    found = usable(world, member)["tea"]

    assert (found.usable, found.reasons) == (False, [Reason("blocked_member")])


def test_usable_ones_come_first(world: World) -> None:
    member = world.member()
    for code in ("c", "a", "b"):
        world.benefit(code=code)
    world.grant(member, world.benefit(code="z"))

    order = [item.benefit.code for item in what_may_i_use(member=member, at=world.at, lang="en")]

    assert order == ["z", "a", "b", "c"]


def test_fifty_benefits_and_two_hundred_rules_take_three_queries(
    world: World, django_assert_num_queries: Any
) -> None:
    member = world.member()
    benefits = [world.benefit(code=f"b-{number}") for number in range(50)]
    for number in range(200):
        world.rule(
            benefits[number % 50],
            condition={
                "all": [
                    {"field": "spend_365d", "op": ">=", "value": number * 100},
                    {"field": "region", "op": "=", "value": "north"},
                ]
            },
        )
    for benefit in benefits[:20]:
        world.grant(member, benefit, quantity=2)

    with django_assert_num_queries(3):
        found = what_may_i_use(member=member, at=world.at, lang="en")

    assert len(found) == 50
    assert sum(item.usable for item in found) == 20


@pytest.mark.parametrize(
    ("reason", "english"),
    [
        (Reason("quota_used", {"next_at": None}), "All units are used."),
        (
            Reason("quota_used", {"next_at": datetime(2026, 3, 31, 16, tzinfo=UTC)}),
            "All used. The next ones come on April 1, 2026.",
        ),
        (
            Reason("not_yet_started", {"starts_at": "2026-03-31T16:00:00+00:00"}),
            "From April 1, 2026.",
        ),
        (
            Reason("ended", {"ended_at": datetime(2026, 3, 15, 4, tzinfo=UTC)}),
            "Ended on March 15, 2026.",
        ),
        (Reason("outside_region", {"regions": ["north", "east"]}), "Only in north, east."),
        (
            Reason("not_granted", {"needs": {"field": "region", "op": "=", "value": "north"}}),
            "For members with: Region is north",
        ),
        (
            Reason("fact", {"field": "region", "value": "north"}),
            "Because: Region is north",
        ),
        (Reason("insufficient_points", {"missing": 1}), "1 point is missing."),
        (Reason("insufficient_points", {"missing": 30}), "30 points are missing."),
        (Reason("bought", {"order": 3}), "Because you got it for points"),
        (Reason("something_new"), "something_new"),
    ],
)
def test_reasons_read_as_sentences(brand: Any, reason: Reason, english: str) -> None:
    with translation.override("en"):
        assert reason_text(reason) == english
