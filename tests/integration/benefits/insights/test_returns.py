"""What a benefit brings, from rows: by hold-out on a fixed day, by matching, before publishing."""

from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from benefits.catalogue.models import Benefit
from benefits.grants.models import Grant, HoldOut, Redemption
from benefits.grants.terms import freeze
from benefits.insights import returns
from benefits.insights.models import ReturnEstimate
from benefits.rules.models import GrantRule
from benefits.rules.publication import check_publication
from core import ids
from members.activity.models import MemberDay, Purchase, PurchaseLine
from members.profiles.models import Member
from tests.integration.benefits.world import World

BEGIN = datetime(2025, 11, 3, 4, tzinfo=returns.ZoneInfo("UTC"))
READY = date(2025, 11, 3) + timedelta(days=91)
EFFECT = 2_000


def _people(count: int) -> list[Member]:
    return Member.objects.bulk_create(
        Member(external_id=f"t-{n}", enrolled_at=BEGIN - timedelta(days=200)) for n in range(count)
    )


def _spend(people: list[Member], treated: set[int], seed: int = 5) -> None:
    """Give each a habit: bought before and after; the treated bring EFFECT more."""
    chance = np.random.default_rng(seed)
    rows = []
    for member in people:
        habit = float(chance.gamma(2.0, 3_000.0))
        for days, more in ((-20, 0), (10, EFFECT if member.pk in treated else 0)):
            spend = round(habit * float(chance.gamma(6.0, 1 / 6))) + more
            day = BEGIN.date() + timedelta(days=days)
            rows.append(MemberDay(member=member, on_date=day, orders=1, spend_minor=spend))
    MemberDay.objects.bulk_create(rows)


def _trial(world: World, *, members: int = 600, held_out: int = 250) -> tuple[Benefit, GrantRule]:
    benefit = world.benefit(list_price_minor=9_900)
    rule = world.rule(benefit, hold_out_bp=4_000)
    people = _people(members)
    terms = freeze(benefits=[benefit], at=BEGIN)[benefit.pk]
    given = people[held_out:]
    grants = Grant.objects.bulk_create(
        Grant(
            member=m, benefit=benefit, rule=rule, rule_version=1, terms=terms, period_key="2025-11",
            quantity=1, issued_at=BEGIN, starts_at=BEGIN, reason={},
        )
        for m in given
    )  # fmt: skip
    HoldOut.objects.bulk_create(
        HoldOut(rule=rule, member=m, period_key="2025-11", since=BEGIN) for m in people[:held_out]
    )
    _spend(people, {m.pk for m in given})
    _use(benefit, grants[:100])
    return benefit, rule


def _use(benefit: Benefit, grants: list[Grant]) -> None:
    Redemption.objects.bulk_create(
        Redemption(
            key=ids.uuid7(), grant=g, member_id=g.member_id, benefit=benefit, channel="staff",
            state="fulfilled", requested_by="test", requested_at=BEGIN + timedelta(days=2),
            fulfilled_at=BEGIN + timedelta(days=3), unit_cost_minor=1_200, partner_price_minor=0,
            points_cost_minor=0, cost_minor=1_200,
        )
        for g in grants
    )  # fmt: skip


def _margin(member: Member) -> None:
    purchase = Purchase.objects.create(
        external_id="m", member=member, occurred_at=BEGIN, local_date=BEGIN.date(),
        amount_minor=1_000, currency="CNY", digest=b"",
    )  # fmt: skip
    PurchaseLine.objects.create(
        purchase=purchase, position=1, sku="x", quantity=1, amount_minor=1_000, cost_minor=400
    )


def _noon(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 4, tzinfo=BEGIN.tzinfo)


def test_the_result_by_hold_out_comes_on_its_day_once(world: World) -> None:
    benefit, rule = _trial(world)
    _margin(Member.objects.order_by("pk")[0])
    trial = returns.find_trial(benefit=benefit)
    assert trial is not None
    assert trial == returns.Trial(rule, date(2025, 11, 3), READY)
    found = returns.estimate_return(benefit=benefit, at=_noon(READY))
    assert found is not None
    assert (found.method, found.interval, found.treated, found.others) == (
        "hold_out", "welch", 350, 250,
    )  # fmt: skip
    spend = found.outcomes["spend"]
    assert spend["low"] < EFFECT < spend["high"]
    assert spend["low"] > 0
    assert found.narrowed is not None
    assert found.narrowed > 0.3
    assert (found.cost_minor, found.fees_minor) == (120_000, 0)
    assert found.margin_rate == pytest.approx(0.6)
    assert found.roi == pytest.approx(spend["estimate"] * 0.6 * 350 / 120_000)
    assert found.roi_low is not None
    assert found.roi_high is not None
    assert found.roi_low < found.roi < found.roi_high
    later = returns.estimate_return(benefit=benefit, at=_noon(READY + timedelta(days=40)))
    assert later == found
    assert ReturnEstimate.objects.count() == 1


def test_there_is_nothing_to_peek_at(world: World) -> None:
    benefit, _rule = _trial(world)
    early = returns.estimate_return(benefit=benefit, at=_noon(READY - timedelta(days=1)))
    assert early is None or early.method == "matched"
    assert not ReturnEstimate.objects.filter(method="hold_out").exists()


def test_small_groups_are_resampled(world: World) -> None:
    benefit, _rule = _trial(world, members=160, held_out=60)
    found = returns.estimate_return(benefit=benefit, at=_noon(READY))
    assert found is not None
    assert (found.interval, found.others) == ("bootstrap", 60)
    assert found.outcomes["spend"]["low"] < EFFECT < found.outcomes["spend"]["high"]


def test_too_few_say_nothing_and_no_margin_or_cost_gives_no_return(world: World) -> None:
    benefit, _rule = _trial(world, members=200, held_out=29)
    assert returns.estimate_return(benefit=benefit, at=_noon(READY)) is None


def test_without_a_known_margin_there_is_no_return_on_cost(world: World) -> None:
    benefit, _rule = _trial(world)
    found = returns.estimate_return(benefit=benefit, at=_noon(READY))
    assert found is not None
    assert (found.margin_rate, found.roi, found.roi_low) == (None, None, None)


def test_without_a_hold_out_alike_members_are_compared(world: World) -> None:
    benefit = world.benefit()
    people = _people(500)
    terms = freeze(benefits=[benefit], at=BEGIN)[benefit.pk]
    grants = Grant.objects.bulk_create(
        Grant(
            member=m, benefit=benefit, terms=terms, period_key="x", quantity=2, issued_at=BEGIN,
            starts_at=BEGIN, reason={},
        )
        for m in people
    )  # fmt: skip
    users = grants[::2]
    _use(benefit, users)
    _spend(people, {g.member_id for g in users})
    at = _noon(date(2026, 2, 10))
    found = returns.estimate_return(benefit=benefit, at=at)
    assert found is not None
    assert (found.method, found.rule, found.from_on) == ("matched", None, date(2025, 11, 1))
    assert found.outcomes["spend"]["low"] < EFFECT < found.outcomes["spend"]["high"]
    assert returns.estimate_return(benefit=benefit, at=at) == found
    assert ReturnEstimate.objects.count() == 1


def test_nobody_alike_gives_nothing(world: World) -> None:
    assert returns.estimate_return(benefit=world.benefit(), at=_noon(READY)) is None


def test_a_hold_out_too_small_is_told_before_publishing(world: World, at: datetime) -> None:
    people = _people(400)
    chance = np.random.default_rng(2)
    MemberDay.objects.bulk_create(
        MemberDay(
            member=m, on_date=at.date() - timedelta(days=9), orders=1,
            spend_minor=round(float(chance.normal(10_000, 2_500))),
        )
        for m in people
    )  # fmt: skip
    benefit = world.benefit()
    for share, expected in ((100, ["hold_out_small"]), (4_000, []), (0, [])):
        rule = world.rule(benefit, publish=False, hold_out_bp=share)
        findings = check_publication(rule=rule, at=at).findings
        told = [finding for finding in findings if finding.code.startswith("hold_out")]
        assert [finding.code for finding in told] == expected
        assert all(finding.severity == "warning" for finding in told)
    plan = returns.plan_hold_out(audience=400, held_out=4, at=at)
    assert plan is not None
    assert plan.least is not None
    assert plan.power < 0.8 <= effects_power(plan.least, plan.effect_minor)
    assert plan.effect_minor == pytest.approx(1_000, rel=0.05)
    assert returns.plan_hold_out(audience=400, held_out=4, at=at - timedelta(days=90)) is None


def effects_power(others: int, effect: int) -> float:
    return returns.effects.power(
        effect=effect, deviation=2_400, treated=400 - others, others=others, alpha=0.05
    )


def test_the_job_runs_thrice(world: World, run: Any) -> None:
    _trial(world)
    results = [run("insights.returns", at=_noon(READY)) for _again in range(3)]
    assert results == [{"benefits": 1, "estimates": 1}] * 3
    assert ReturnEstimate.objects.count() == 1
