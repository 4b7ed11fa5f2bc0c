"""Caps of money, of members, and exclusivity groups hold when events come at the same moment.

Each race again with its lock off passes the cap, so it can fail.
"""

from functools import partial
from typing import Any

import pytest
from django.db import connection, transaction

from benefits.grants import _together, issuing
from benefits.grants._together import Occasion, issue_for
from benefits.grants.models import Grant, RulePeriod
from benefits.rules.models import GrantRule
from benefits.rules.periods import Period
from members.profiles.models import Member
from tenants.brands.models import Brand
from tests.integration.benefits.world import World, problems
from tests.races import together

pytestmark = pytest.mark.race

THREADS = 8
# Long enough that all threads have read before the first one writes.
PAUSE = 0.05
ON_EVENT = GrantRule.Cadence.ON_EVENT


def pause() -> None:
    connection.cursor().execute("SELECT pg_sleep(%s)", [PAUSE])


def happen(member: Member, key: str, name: str, world: World) -> int:
    """Grant for one event in a transaction of its own."""
    occasion = Occasion(
        member_id=member.pk, key=f"event:{key}", cause={}, at=world.at, event_name=name
    )
    with transaction.atomic():
        return issue_for(occasions=[occasion], cadence=ON_EVENT)


def visits(brand: Brand, world: World, members: list[Member]) -> list[Any]:
    """Let members visit at the same moment."""
    calls = [
        partial(happen, member, str(number), "visit", world)
        for number, member in enumerate(members)
    ]
    return together(brand, calls)


def money_together(brand: Brand, world: World) -> list[Any]:
    """Eight members visit; the rule may cost three rights a day."""
    world.rule(
        world.benefit(unit_cost_minor=1_200),
        cadence=ON_EVENT, event_name="visit", cap_minor_per_day=3 * 1_200 + 1_199,
    )  # fmt: skip
    return visits(brand, world, [world.member() for _one in range(THREADS)])


def test_a_cap_of_money_holds(committed_brand: Brand, committed_world: World) -> None:
    assert sorted(money_together(committed_brand, committed_world)) == [0] * 5 + [1] * 3

    assert Grant.objects.count() == 3
    assert RulePeriod.objects.get(scope="day").cost_minor == 3_600
    assert problems() == []


def test_without_the_counters_lock_the_cap_of_money_is_passed(
    committed_brand: Brand, committed_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unlocked(
        rule: GrantRule, _period: Period, at: Any, *, scopes: tuple[str, ...]
    ) -> dict[str, RulePeriod]:
        found, _new = RulePeriod.objects.get_or_create(
            rule=rule, scope="day", period_key="2026-03-15",
            defaults={"first_issued_at": at, "last_issued_at": at},
        )  # fmt: skip
        pause()
        return {"day": found}

    monkeypatch.setattr(_together, "lock_counters", unlocked)

    money_together(committed_brand, committed_world)

    assert Grant.objects.count() > 3


def own_cap_together(brand: Brand, world: World) -> list[Any]:
    """One member visits eight times; the rule gives to a member once."""
    world.rule(world.benefit(), cadence=ON_EVENT, event_name="visit", cap_per_member=1)
    return visits(brand, world, [world.member()] * THREADS)


def test_a_cap_of_one_member_holds(committed_brand: Brand, committed_world: World) -> None:
    assert sorted(own_cap_together(committed_brand, committed_world)) == [0] * 7 + [1]

    assert Grant.objects.count() == 1
    assert problems() == []


def test_without_the_members_lock_the_cap_is_passed(
    committed_brand: Brand, committed_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_together, "_wait_turns", lambda rules, members: None)
    real = _together._decide

    def late(*arguments: Any) -> Any:
        pause()
        return real(*arguments)

    monkeypatch.setattr(_together, "_decide", late)

    own_cap_together(committed_brand, committed_world)

    assert Grant.objects.count() > 1


def group_together(brand: Brand, world: World) -> int:
    """One member sets off two rules of a group at once; return of how many rights are held."""
    for name in ("visit", "check_in"):
        world.rule(
            world.benefit(), cadence=ON_EVENT, event_name=name, validity_days=30,
            exclusivity_group="once",
        )  # fmt: skip
    member = world.member()
    calls = [
        partial(happen, member, str(number), ("visit", "check_in")[number % 2], world)
        for number in range(THREADS)
    ]
    results = together(brand, calls)
    assert not [result for result in results if isinstance(result, Exception)], results
    live = Grant.objects.filter(member=member, revoked_at__isnull=True)
    return len(set(live.values_list("rule_id", flat=True)))


def test_a_member_holds_rights_of_one_rule_of_a_group(
    committed_brand: Brand, committed_world: World
) -> None:
    assert group_together(committed_brand, committed_world) == 1


def test_without_waiting_a_member_holds_two(
    committed_brand: Brand, committed_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_together, "_wait_turns", lambda rules, members: None)
    monkeypatch.setattr(issuing, "_wait_turn", lambda rule, member: None)
    real = issuing._tell

    def late(*arguments: Any) -> None:
        pause()
        real(*arguments)

    monkeypatch.setattr(issuing, "_tell", late)

    assert group_together(committed_brand, committed_world) == 2
