"""Issuing what rules grant: sets, caps, hold-outs, events, repeats."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from benefits.catalogue.operations import create_package, update_benefit
from benefits.grants.errors import InvalidGrantError, KeyReusedError
from benefits.grants.issuing import issue
from benefits.grants.models import Grant, HoldOut, RulePeriod
from benefits.grants.operations import grant
from benefits.rules.errors import BenefitNotLiveError
from benefits.rules.hold_out import held_out_sql, is_held_out
from benefits.rules.models import GrantRule
from benefits.rules.operations import end_rule, pause_rule, publish_rule, update_rule
from benefits.rules.periods import Period
from members.activity.operations import record_event
from members.earning.operations import record_purchase
from members.profiles.errors import BlockedMemberError
from members.profiles.operations import block_member
from members.tiers.operations import create_scheme, publish_scheme
from members.tiers.values import TierDraft
from tenants.events.models import Event
from tenants.events.operations import deliver_pending
from tests.integration.benefits.world import STAFF, World, problems

Run = Callable[..., dict[str, Any]]
ISSUE = "grants.issue"


def held_by(member: Any) -> list[tuple[str, str, int]]:
    """Return what a member was granted: benefit, period, quantity."""
    return sorted(
        Grant.objects.filter(member=member).values_list("benefit__code", "period_key", "quantity")
    )


def test_the_job_grants_everybody_who_matches_once_a_period(world: World, run: Run) -> None:
    north = [world.member() for _one in range(3)]
    south = world.member(region="south")
    blocked = world.member()
    block_member(member=blocked, reason="fraud", by=STAFF, at=world.at)
    benefit = world.benefit(code="tea")
    rule = world.rule(
        benefit, quantity=2, condition={"field": "region", "op": "=", "value": "north"}
    )

    first = run(ISSUE, at=world.at)
    again = run(ISSUE, at=world.at + timedelta(days=1))
    joined = world.member(at=world.at + timedelta(days=2))
    catch_up = run(ISSUE, at=world.at + timedelta(days=2))
    april = run(ISSUE, at=datetime(2026, 3, 31, 16, tzinfo=UTC))

    assert first == {"rules": 1, "members": 3, "units": 6, "held_out": 0}
    assert again == {"rules": 1, "members": 0, "units": 0, "held_out": 0}
    assert catch_up == {"rules": 1, "members": 1, "units": 2, "held_out": 0}
    assert april == {"rules": 1, "members": 4, "units": 8, "held_out": 0}
    assert held_by(north[0]) == [("tea", "2026-03", 2), ("tea", "2026-04", 2)]
    assert held_by(joined) == [("tea", "2026-03", 2), ("tea", "2026-04", 2)]
    assert held_by(south) == held_by(blocked) == []
    made = Grant.objects.get(member=north[0], period_key="2026-03")
    assert (made.rule_id, made.rule_version, made.used) == (rule.pk, 1, 0)
    assert (made.starts_at, made.issued_at) == (world.at, world.at)
    assert made.ends_at == datetime(2026, 3, 31, 16, tzinfo=UTC)
    assert made.reason == {"facts": {"region": "north"}}
    assert made.terms.content["name"] == {"en": "Tea box", "zh-hans": "茶礼盒"}
    counter = RulePeriod.objects.get(period_key="2026-03")
    assert (counter.members, counter.units, counter.cost_minor) == (4, 8, 8 * 1_200)
    assert problems() == []


def test_one_event_tells_of_many_grants(world: World, run: Run) -> None:
    for _one in range(3):
        world.member()
    rule = world.rule(world.benefit(code="tea"))

    run(ISSUE, at=world.at)
    run(ISSUE, at=world.at)

    event = Event.objects.get(type="grant.issued")
    keys = sorted(Grant.objects.values_list("pk", flat=True))
    assert event.subject == f"rule:{rule.pk}"
    assert event.data == {
        "rule": rule.code,
        "benefit": "tea",
        "period": "2026-03",
        "member_id": None,
        "count": 3,
        "first_grant": keys[0],
        "last_grant": keys[2],
    }


def test_a_package_grants_all_its_benefits(world: World, run: Run) -> None:
    member = world.member()
    tea, wash = world.benefit(code="tea"), world.benefit(code="wash")
    package = create_package(
        code="spring", name={"en": "Spring"}, items=[(tea, 1), (wash, 3)], by=STAFF, at=world.at
    )
    world.rule(package=package, quantity=2)

    result = run(ISSUE, at=world.at)

    assert result == {"rules": 1, "members": 1, "units": 8, "held_out": 0}
    assert held_by(member) == [("tea", "2026-03", 2), ("wash", "2026-03", 6)]
    assert set(Grant.objects.values_list("package_id", flat=True)) == {package.pk}


def test_terms_are_frozen_and_shared(world: World, run: Run) -> None:
    for _one in range(3):
        world.member()
    benefit = world.benefit()
    world.rule(benefit)
    run(ISSUE, at=world.at)
    update_benefit(benefit=benefit, terms={"en": "Only on Mondays"}, by=STAFF, at=world.at)
    run(ISSUE, at=datetime(2026, 4, 2, tzinfo=UTC))

    terms = {
        (row.period_key, row.terms_id): row.terms.content["terms"]
        for row in Grant.objects.select_related("terms")
    }
    assert len(terms) == 2
    assert {key[0]: text for key, text in terms.items()} == {
        "2026-03": {},
        "2026-04": {"en": "Only on Mondays"},
    }


def test_held_out_members_are_written_down_and_get_nothing(world: World, run: Run) -> None:
    members = [world.member() for _one in range(40)]
    rule = world.rule(world.benefit(), code="tea-rule", hold_out_bp=2_500)
    out = {
        one.pk
        for one in members
        if is_held_out(rule_code="tea-rule", member_id=one.pk, hold_out_bp=2_500)
    }
    assert 0 < len(out) < 40

    first = run(ISSUE, at=world.at)
    again = run(ISSUE, at=world.at)

    assert first["held_out"] == len(out)
    assert again == {"rules": 1, "members": 0, "units": 0, "held_out": 0}
    assert set(HoldOut.objects.filter(rule=rule).values_list("member_id", flat=True)) == out
    assert set(Grant.objects.values_list("member_id", flat=True)) == (
        {one.pk for one in members} - out
    )
    assert problems() == []


def test_python_and_sql_hold_out_the_same(world: World) -> None:
    sql = held_out_sql(member="n", code="%(code)s", share="%(share)s::int")
    for code, share in (("tea", 0), ("tea", 1_000), ("会员-rule", 9_999)):
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT n FROM generate_series(1, 3000) n WHERE {sql}",
                {"code": code, "share": share},
            )
            found = {row[0] for row in cursor.fetchall()}
        assert found == {
            n
            for n in range(1, 3_001)
            if is_held_out(rule_code=code, member_id=n, hold_out_bp=share)
        }


@pytest.mark.parametrize(
    ("caps", "members"),
    [
        ({"cap_units_per_period": 5}, 2),
        ({"cap_minor_per_period": 7_199}, 2),
        ({"cap_minor_per_period": 7_200}, 3),
        ({"cap_units_per_period": 100, "cap_minor_per_period": 2_400}, 1),
    ],
)
def test_caps_of_a_period_hold_over_runs(
    world: World, run: Run, caps: dict[str, int], members: int
) -> None:
    for _one in range(6):
        world.member()
    world.rule(world.benefit(), quantity=2, **caps)

    runs = [run(ISSUE, at=world.at)["members"] for _time in range(2)]
    april = run(ISSUE, at=datetime(2026, 4, 2, tzinfo=UTC))["members"]

    assert runs == [members, 0]
    assert april == members
    assert problems() == []


def test_the_cap_per_member_counts_all_periods(world: World, run: Run) -> None:
    member = world.member()
    world.rule(world.benefit(), quantity=2, cap_per_member=5)
    months = [datetime(2026, month, 2, tzinfo=UTC) for month in (3, 4, 5, 6)]

    given = [run(ISSUE, at=when)["units"] for when in months]

    assert given == [2, 2, 0, 0]
    assert len(held_by(member)) == 2
    assert problems() == []


def test_a_changed_rule_never_grants_a_period_twice(world: World, run: Run) -> None:
    member = world.member()
    rule = world.rule(world.benefit(code="tea"))
    run(ISSUE, at=world.at)
    pause_rule(rule=rule, by=STAFF, at=world.at)
    assert run(ISSUE, at=world.at)["rules"] == 0
    update_rule(rule=rule, quantity=5, by=STAFF, at=world.at)
    publish_rule(rule=rule, by=STAFF, at=world.at)

    assert run(ISSUE, at=world.at)["members"] == 0
    assert run(ISSUE, at=datetime(2026, 4, 2, tzinfo=UTC))["members"] == 1

    assert held_by(member) == [("tea", "2026-03", 1), ("tea", "2026-04", 5)]
    assert set(Grant.objects.values_list("period_key", "rule_version")) == {
        ("2026-03", 1),
        ("2026-04", 2),
    }


def test_rules_out_of_force_grant_nothing(world: World, run: Run) -> None:
    world.member()
    benefit = world.benefit()
    world.rule(benefit, publish=False)
    world.rule(benefit, starts_at=world.at + timedelta(days=1))
    world.rule(benefit, ends_at=world.at)
    end_rule(rule=world.rule(benefit), by=STAFF, at=world.at)

    assert run(ISSUE, at=world.at)["rules"] == 0
    assert not Grant.objects.exists()


def test_a_birthday_gift_comes_once_a_year_and_tells_no_birthday(world: World, run: Run) -> None:
    march = world.member(birthday=date(1990, 3, 2))
    world.member(birthday=date(1990, 4, 2))
    world.member()
    world.rule(world.benefit(code="cake"), cadence=GrantRule.Cadence.BIRTHDAY_MONTH)

    days = [run(ISSUE, at=world.at + timedelta(days=n))["members"] for n in (0, 3)]

    assert days == [1, 0]
    assert held_by(march) == [("cake", "birthday-2026", 1)]
    assert Grant.objects.get().reason == {"facts": {}}


def test_a_grant_ends_with_its_benefit(world: World, run: Run) -> None:
    world.member()
    end = world.at + timedelta(days=3)
    world.rule(world.benefit(ends_at=end))
    world.rule(world.benefit(ends_at=world.at))

    assert run(ISSUE, at=world.at)["members"] == 1
    assert list(Grant.objects.values_list("ends_at", flat=True)) == [end]


def test_joining_brings_the_welcome_gift_once(world: World) -> None:
    before = world.member()
    deliver_pending(at=world.at)
    world.rule(world.benefit(code="welcome"), cadence=GrantRule.Cadence.ON_JOIN, validity_days=30)
    joined = world.member()

    for _time in range(3):
        deliver_pending(at=world.at)

    assert held_by(joined) == [("welcome", "join", 1)]
    assert held_by(before) == []
    made = Grant.objects.get()
    assert made.reason == {"code": "joined", "facts": {}}
    # 30 whole days after the day of joining, which is 15 March in Shanghai.
    assert made.ends_at == datetime(2026, 4, 14, 16, tzinfo=UTC)
    assert Event.objects.get(type="grant.issued").subject == f"member:{joined.pk}"


def tiers(world: World) -> None:
    """Publish a scheme by spend: base, silver from 100, gold from 500."""
    scheme = create_scheme(
        metric="spend",
        window="lifetime",
        tiers=[
            TierDraft(code="base", name={"en": "Base"}, entry_threshold=0, keep_threshold=0),
            TierDraft(
                code="silver", name={"en": "Silver"}, entry_threshold=10_000, keep_threshold=0
            ),
            TierDraft(code="gold", name={"en": "Gold"}, entry_threshold=50_000, keep_threshold=0),
        ],
        by=STAFF,
        at=world.at,
    )
    publish_scheme(scheme=scheme, starts_on=date(2026, 3, 15), by=STAFF, at=world.at)


def buy(world: World, member: Any, amount_minor: int) -> Any:
    """Record a purchase."""
    return record_purchase(
        external_id=f"P-{world.next()}",
        member=member,
        occurred_at=world.at,
        amount_minor=amount_minor,
        currency="CNY",
        by=STAFF,
        at=world.at,
    )


def test_a_new_tier_brings_its_gift_once(world: World) -> None:
    tiers(world)
    world.rule(
        world.benefit(code="gold-box"),
        cadence=GrantRule.Cadence.ON_TIER_UP,
        condition={"field": "tier", "op": "=", "value": "gold"},
    )
    member = world.member()

    for amount in (10_000, 40_000, 90_000):
        buy(world, member, amount)
        deliver_pending(at=world.at)

    assert held_by(member) == [("gold-box", "tier:gold", 1)]
    assert Grant.objects.get().reason == {
        "code": "tier_reached",
        "tier": "gold",
        "facts": {"tier": "gold"},
    }
    assert problems() == []


def test_a_purchase_and_a_named_event_bring_theirs(world: World) -> None:
    member = world.member()
    world.rule(world.benefit(code="sample"), cadence=GrantRule.Cadence.ON_PURCHASE)
    world.rule(world.benefit(code="cup"), cadence=GrantRule.Cadence.ON_EVENT, event_name="check_in")
    purchase = buy(world, member, 500).purchase
    visit, _new = record_event(
        member=member, name="check_in", occurred_at=world.at, at=world.at, external_id="E-1"
    )
    record_event(member=member, name="other", occurred_at=world.at, at=world.at)

    for _time in range(2):
        deliver_pending(at=world.at)

    assert held_by(member) == [
        ("cup", f"event:{visit.pk}", 1),
        ("sample", f"purchase:{purchase.pk}", 1),
    ]


def test_caps_of_event_rules_count_per_month(world: World) -> None:
    rule = world.rule(
        world.benefit(), cadence=GrantRule.Cadence.ON_PURCHASE, cap_units_per_period=2
    )
    members = [world.member() for _one in range(3)]
    april = datetime(2026, 4, 2, tzinfo=UTC)

    given = [
        issue(
            rule=rule,
            period=Period(f"purchase:{number}", None, None),
            at=when,
            member_id=members[number % 3].pk,
        ).units
        for number, when in enumerate([world.at] * 4 + [april] * 3)
    ]

    assert given == [1, 1, 0, 0, 1, 1, 0]
    assert dict(RulePeriod.objects.values_list("period_key", "units")) == {
        "2026-03": 2,
        "2026-04": 2,
    }


def test_grant_by_hand_once_per_key(world: World) -> None:
    member, benefit = world.member(), world.benefit()
    first = world.grant(member, benefit, period_key="sorry-1", quantity=2)
    events = Event.objects.count()

    again = world.grant(member, benefit, period_key="sorry-1", quantity=2)

    assert again.pk == first.pk
    assert Event.objects.count() == events
    with pytest.raises(KeyReusedError):
        world.grant(member, benefit, period_key="sorry-1", quantity=3)
    assert Grant.objects.get().quantity == 2


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"quantity": 0}, "/quantity"),
        ({"period_key": ""}, "/period_key"),
        ({"period_key": "x" * 61}, "/period_key"),
        ({"ends_at": datetime(2026, 3, 15, 4, tzinfo=UTC)}, "/ends_at"),
    ],
)
def test_grant_refuses_wrong_values(world: World, changes: dict[str, Any], pointer: str) -> None:
    member, benefit = world.member(), world.benefit()
    with pytest.raises(InvalidGrantError) as refused:
        world.grant(member, benefit, **changes)
    assert refused.value.data == {"pointer": pointer}
    assert not Grant.objects.exists()


def test_grant_refuses_ideas_and_blocked_members(world: World) -> None:
    member = world.member()
    with pytest.raises(BenefitNotLiveError) as refused:
        world.grant(member, world.benefit(stage="idea", code="dream"))
    assert refused.value.data == {"benefit": "dream", "stage": "idea"}
    block_member(member=member, reason="fraud", by=STAFF, at=world.at)
    member.refresh_from_db()
    with pytest.raises(BlockedMemberError):
        grant(member=member, benefit=world.benefit(), period_key="x", by=STAFF, at=world.at)
    assert not Grant.objects.exists()


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        ("UPDATE benefits_grant SET used = 2", "I14 units used within units granted"),
        ("UPDATE benefits_grant SET member_id = 0", "grants: keys lead somewhere"),
        ("UPDATE benefits_grant SET rule_version = 9", "grants: keys lead somewhere"),
        ("UPDATE benefits_grantrule SET cap_per_member = 1", "I14 caps per member hold"),
        ("UPDATE benefits_grantrule SET hold_out_bp = 9999", "grants: held out get nothing"),
    ],
)
def test_the_invariants_find_damage(world: World, run: Run, damage: str, found: str) -> None:
    world.member()
    world.rule(world.benefit(), quantity=3)
    run(ISSUE, at=world.at)
    assert problems() == []

    with connection.cursor() as cursor:
        cursor.execute(damage)

    assert [line for line in problems() if line.startswith(found)]
