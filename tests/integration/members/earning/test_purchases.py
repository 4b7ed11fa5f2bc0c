"""A purchase with all its effects, in few statements, once."""

from datetime import date, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from core.actors import SYSTEM, Actor
from members.activity.errors import DuplicatePurchaseError
from members.activity.models import MemberDay, Purchase
from members.activity.operations import Line
from members.earning.errors import InvalidRuleError, RuleStateError
from members.earning.invariants import CHECKS
from members.earning.models import Earning, EarningRule
from members.earning.operations import record_purchase
from members.earning.rule_operations import activate_rule, create_rule, end_rule, pause_rule
from members.points.models import Entry, Lot
from members.points.queries import get_balance
from members.profiles.models import Member
from members.segments.models import LateActivity
from members.tiers.models import TierChange
from tenants.audit.models import AuditEntry
from tenants.brands.models import Brand
from tenants.events.models import Event
from tests.integration.members.earning.world import (
    AT,
    TODAY,
    buy,
    campaign,
    days_ago,
    join,
    moment,
    rule,
)
from tests.integration.members.tiers.world import make_scheme


def balance(member: Member, wallet: str = "points") -> int:
    return get_balance(owner_id=member.pk, wallet=wallet, at=AT).total


def test_purchase_earns_points_growth_and_a_tier(brand: Brand) -> None:
    rule()
    make_scheme(window="lifetime")
    member = join()
    first = buy(member, 9_900)
    assert (first.created, first.points, first.growth, first.tier_change) == (True, 99, 99, None)
    assert first.standing is not None
    assert (first.standing.tier.code, first.standing.missing) == ("basic", 1)
    second = buy(member, 199)
    assert (second.points, second.growth) == (1, 1)
    assert second.tier_change is not None
    assert second.tier_change.to_tier.code == "silver"
    assert second.tier_change.cause == TierChange.Cause.PURCHASE
    assert (second.tier_change.metric_value, second.tier_change.journal_seq) == (100, 2)
    assert second.standing is not None
    assert (second.standing.tier.code, second.standing.missing) == ("silver", 400)
    # The next one is multiplied by 1.2.
    third = buy(member, 1_000)
    assert (third.points, third.growth) == (12, 10)
    assert (balance(member), balance(member, "growth")) == (112, 110)
    assert [line for check in CHECKS.values() for line in check()] == []


def test_statements_of_a_purchase_are_few(brand: Brand) -> None:
    rule()
    make_scheme(window="rolling")
    member = join()
    buy(member, 1_000)
    with CaptureQueriesContext(
        connection,
    ) as seen:
        buy(member, 1_000)
    statements = [query["sql"] for query in seen if "SAVEPOINT" not in query["sql"]]
    assert len(statements) <= 8, "\n".join(statements)


def test_events_tell_of_it_without_personal_data(brand: Brand) -> None:
    rule()
    member = join(name="Wang Fang", email="fang@example.com")
    Event.objects.all().delete()
    outcome = buy(member, 1_000, key="A-1")
    recorded, credited = Event.objects.order_by("pk")
    assert (recorded.type, recorded.subject) == ("purchase.recorded", f"member:{member.pk}")
    assert recorded.data == {
        "member_id": member.pk,
        "purchase_id": outcome.purchase.pk,
        "purchase": "A-1",
        "points": 10,
        "growth": 10,
        "amount_minor": 1_000,
        "currency": "CNY",
        "channel": "",
        "store": "",
        "occurred_at": moment(TODAY).isoformat(),
    }
    assert (credited.type, credited.data["points"]) == ("points.credited", 10)


def test_same_purchase_again_changes_nothing(brand: Brand) -> None:
    rule()
    make_scheme(window="lifetime")
    member = join()
    first = buy(member, 20_000, key="A-1")
    before = (Entry.objects.count(), Earning.objects.count(), Event.objects.count())
    again = buy(member, 20_000, key="A-1")
    assert (again.created, again.points, again.growth) == (False, 200, 200)
    assert again.purchase.pk == first.purchase.pk
    assert again.tier_change == first.tier_change
    assert again.tier_change is not None
    assert again.standing == first.standing
    assert again.standing is not None
    assert again.standing.tier.code == "silver"
    assert (Entry.objects.count(), Earning.objects.count(), Event.objects.count()) == before
    assert TierChange.objects.count() == 1


def test_same_id_with_another_body_is_refused(brand: Brand) -> None:
    rule()
    member = join()
    buy(member, 20_000, key="A-1")
    before = (Entry.objects.count(), Earning.objects.count(), Event.objects.count())
    with pytest.raises(DuplicatePurchaseError):
        buy(member, 20_001, key="A-1")
    assert (Entry.objects.count(), Earning.objects.count(), Event.objects.count()) == before
    assert Purchase.objects.get(external_id="A-1").amount_minor == 20_000


def test_failure_in_the_middle_leaves_nothing(
    brand: Brand, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule()
    member = join()
    before = Event.objects.count()

    def fail(**_: object) -> None:
        raise RuntimeError("the machine stops here")

    monkeypatch.setattr("members.earning.operations.purchases.emit_each", fail)
    with pytest.raises(RuntimeError):
        buy(member, 1_000, key="A-1")
    assert (balance(member), balance(member, "growth")) == (0, 0)
    assert not Purchase.objects.filter(external_id="A-1").exists()
    assert not MemberDay.objects.filter(member=member).exists()
    assert Event.objects.count() == before


def test_points_count_from_the_day_of_the_purchase(brand: Brand) -> None:
    rule()
    make_scheme(window="rolling")
    member = join()
    old, recent = buy(member, 50_000, on=days_ago(400)), buy(member, 9_000, on=days_ago(300))
    assert old.tier_change is None
    assert recent.standing is not None
    assert recent.standing.metric_value == 90
    entry = Entry.objects.filter(source_id=old.purchase.pk).first()
    assert entry is not None
    assert entry.at == moment(days_ago(400))
    assert set(Earning.objects.filter(purchase=old.purchase).values_list("on_date", flat=True)) == {
        days_ago(400)
    }


def test_purchase_of_a_clock_that_runs_ahead_past_midnight_counts_at_once(brand: Brand) -> None:
    rule()
    make_scheme(window="rolling")
    midnight = moment(TODAY, 0)
    outcome = record_purchase(
        external_id="ahead",
        member=join(),
        occurred_at=midnight + timedelta(minutes=2),
        amount_minor=10_000,
        currency="CNY",
        by=SYSTEM,
        at=midnight - timedelta(minutes=2),
    )
    assert outcome.purchase.local_date == TODAY
    assert outcome.tier_change is not None
    assert outcome.tier_change.window_to == TODAY + timedelta(days=1)
    assert not LateActivity.objects.exists()


def test_late_purchase_is_marked_for_the_scores(brand: Brand) -> None:
    member, other = join(), join()
    buy(member, 100, on=days_ago(1))
    buy(other, 100, on=TODAY)
    assert set(LateActivity.objects.values_list("member", flat=True)) == {member.pk}


def test_blocked_member_earns_nothing(brand: Brand) -> None:
    rule()
    member = join()
    Member.objects.filter(pk=member.pk).update(status=Member.Status.BLOCKED)
    member.refresh_from_db()
    outcome = buy(member, 1_000)
    assert (outcome.created, outcome.points, outcome.growth) == (True, 0, 0)
    assert balance(member) == 0


def test_brand_without_rules_and_scheme_records_only(brand: Brand) -> None:
    outcome = buy(join(), 1_000)
    assert (outcome.points, outcome.growth, outcome.standing) == (0, 0, None)
    assert not Event.objects.filter(type="points.credited").exists()


def test_dates_conditions_and_states_choose_the_rules(brand: Brand) -> None:
    rule(name="north", condition={"field": "region", "op": "=", "value": "north"})
    rule(name="first", effect="fixed", points=7, condition={
        "field": "orders_365d", "op": "=", "value": 1})  # fmt: skip
    rule(name="over", starts_at=moment(days_ago(9)), ends_at=moment(TODAY, 10))
    rule(name="yet to come", starts_at=moment(TODAY, 11))
    paused = rule(name="paused")
    pause_rule(rule_id=paused.pk, by=SYSTEM, at=AT)
    create_rule(name="draft", effect="per_unit", points=1, by=SYSTEM, at=AT)
    north, south = join(region="north"), join(region="south")
    assert buy(north, 1_000).points == 17
    assert buy(north, 1_000).points == 10
    assert buy(south, 1_000).points == 7


def test_caps_hold_per_day_and_month_of_the_purchase(brand: Brand) -> None:
    rule(cap_per_day=15, cap_per_month=25, wallets="points")
    member = join()
    begin = date(2026, 2, 1)
    given = [
        buy(member, 1_000, on=begin + timedelta(days=day)).points
        for day in (0, 0, 0, 1, 1, 27, 28, 28)
    ]
    assert given == [10, 5, 0, 10, 0, 0, 10, 5]


def test_pending_days_of_the_rule_come_before_the_wallets(brand: Brand) -> None:
    rule(pending_days=3, wallets="points")
    member = join()
    buy(member, 1_000, on=TODAY)
    buy(member, 1_000, on=days_ago(5))
    found = get_balance(owner_id=member.pk, at=AT)
    assert (found.available, found.pending) == (10, 10)
    assert Lot.objects.filter(is_pending=True).first() is not None


def test_category_lines_and_campaign(brand: Brand) -> None:
    rule(categories=["skin"], wallets="points")
    double = campaign(starts_at=moment(TODAY, 0), ends_at=moment(TODAY, 13))
    member = join()
    lines = (Line("a", 1, 600, "skin"), Line("b", 1, 500, "tea"))
    assert buy(member, 1_100, lines=lines, hour=11).points == 12
    assert buy(member, 1_100, lines=lines, on=days_ago(1)).points == 6
    earning = Earning.objects.get(campaign_bp=20_000)
    assert (earning.eligible_minor, earning.amount, earning.tier_bp) == (600, 12, 10_000)
    assert (earning.base, earning.raw, earning.campaigns) == (6, 12, [double.pk])


def test_staff_leave_a_trace_in_the_audit(brand: Brand) -> None:
    member = join()
    AuditEntry.objects.count()
    record_purchase(
        external_id="B-1",
        member=member,
        occurred_at=moment(TODAY),
        amount_minor=100,
        currency="CNY",
        by=Actor(kind="staff", id=5, label="Li"),
        at=AT,
    )
    entry = AuditEntry.objects.get(action="purchase.recorded")
    assert (entry.actor_kind, entry.actor_id, entry.target_id) == ("staff", 5, "B-1")


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"name": " "}, "/name"),
        ({"trigger": "moon"}, "/trigger"),
        ({"effect": "magic"}, "/effect"),
        ({"wallets": "cash"}, "/wallets"),
        ({"points": 0}, "/points"),
        ({"points": -1}, "/points"),
        ({"event_name": "visit"}, "/event_name"),
        ({"trigger": "event", "effect": "fixed"}, "/event_name"),
        ({"trigger": "birthday"}, "/effect"),
        ({"trigger": "birthday", "effect": "fixed", "stores": ["S1"]}, "/stores"),
        ({"stacking": "best"}, "/stack_group"),
        ({"stack_group": "g"}, "/stack_group"),
        ({"priority": -1}, "/priority"),
        ({"unit_minor": 0}, "/unit_minor"),
        ({"categories": [""]}, "/categories"),
        ({"cap_per_day": -1}, "/cap_per_day"),
        ({"pending_days": 400}, "/pending_days"),
        ({"starts_at": AT, "ends_at": AT}, "/ends_at"),
        ({"condition": {"field": "moon", "op": "=", "value": 1}}, "/condition/field"),
    ],
)
def test_wrong_rule_is_refused(brand: Brand, fields: dict[str, object], pointer: str) -> None:
    values = {"name": "base", "effect": "per_unit", "points": 1, **fields}
    with pytest.raises(InvalidRuleError) as refused:
        create_rule(by=SYSTEM, at=AT, **values)  # type: ignore[arg-type]
    assert refused.value.data["pointer"] == pointer
    assert not EarningRule.objects.exists()


def test_rules_move_forward_only(brand: Brand) -> None:
    made = create_rule(name="base", effect="per_unit", points=1, by=SYSTEM, at=AT)
    with pytest.raises(RuleStateError):
        pause_rule(rule_id=made.pk, by=SYSTEM, at=AT)
    activate_rule(rule_id=made.pk, by=SYSTEM, at=AT)
    end_rule(rule_id=made.pk, by=SYSTEM, at=AT)
    with pytest.raises(RuleStateError) as refused:
        activate_rule(rule_id=made.pk, by=SYSTEM, at=AT)
    assert refused.value.data["status"] == "ended"
    assert EarningRule.objects.get().status == "ended"
    moves = AuditEntry.objects.filter(action="earning_rule.moved").order_by("pk")
    assert [entry.changes["status"] for entry in moves] == [
        ["draft", "active"],
        ["active", "ended"],
    ]
