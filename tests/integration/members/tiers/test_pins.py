"""Memberships that are bought and tiers set by hand: given, told of, ended, explained."""

from datetime import date, timedelta
from typing import Any

import pytest

from core.actors import SYSTEM, Actor
from members.profiles.models import Member
from members.tiers.errors import (
    DuplicatePaymentError,
    InvalidOverrideError,
    InvalidPaymentError,
    InvalidPlanError,
    NoOverrideError,
    NoSchemeError,
    PlanNotOfferedError,
    TermOverError,
    TermRefundedError,
    TermRenewedError,
    UnknownTierError,
)
from members.tiers.invariants import CHECKS
from members.tiers.models import MemberTier, PaidTerm, TierChange, TierPin, TierWelcome
from members.tiers.operations import (
    Bought,
    change_plan,
    check_member,
    create_plan,
    lift_override,
    record_payment,
    refund_term,
    set_override,
    set_renewal,
)
from members.tiers.paid import list_revenue
from members.tiers.queries import get_standing, list_changes, tier_as_of
from tenants.audit.models import AuditEntry
from tenants.brands.models import Brand
from tenants.events.models import Event
from tenants.jobs.operations import enqueue, run_pending
from tests.integration.members.tiers.world import give, join, make_scheme, noon

STAFF = Actor(kind="staff", id=7, label="Lin")
DAY = date(2026, 1, 31)


def plan(**fields: Any) -> str:
    values: dict[str, Any] = {
        "code": "club", "name": {"en": "Club"}, "tier_code": "gold", "price_minor": 9_900,
        "period_months": 1, "renews": True, "grace_days": 7, **fields,
    }  # fmt: skip
    return create_plan(by=STAFF, at=noon(DAY), **values).code


def pay(member: Member, reference: str = "p-1", *, on: date = DAY, **fields: Any) -> Bought:
    values: dict[str, Any] = {"plan": "club", **fields}
    return record_payment(member=member, reference=reference, by=SYSTEM, at=noon(on), **values)


def nights(first: date, last: date) -> None:
    """Run the nightly job of each brand day, through the job itself."""
    on = first
    while on <= last:
        enqueue(kind="tiers.evaluate", dedupe_key=f"night-{on}", by=SYSTEM, at=noon(on))
        run_pending(at=noon(on))
        on += timedelta(days=1)


def held(member: Member) -> str:
    row = MemberTier.objects.select_related("tier").filter(pk=member.pk).first()
    return row.tier.code if row else "basic"


def told(kind: str, member: Member) -> list[dict[str, Any]]:
    found = Event.objects.filter(type=kind, subject=f"member:{member.pk}").order_by("pk")
    return [event.data for event in found]


def problems() -> list[str]:
    return [line for check in CHECKS.values() for line in check()]


def test_paid_tier_is_given_at_once_and_explained(brand: Brand) -> None:
    make_scheme()
    plan()
    member = join()
    bought = pay(member)
    assert bought.created
    assert (bought.term.starts_on, bought.term.ends_on) == (DAY, date(2026, 2, 28))
    assert held(member) == "gold"
    (change,) = list_changes(member_id=member.pk)
    assert (change.from_tier.code, change.to_tier.code, change.cause) == ("basic", "gold", "paid")
    assert change.earned_tier is not None
    assert (change.earned_tier.code, change.metric_value, change.pin) == (
        "basic",
        None,
        bought.term.pin,
    )
    standing = get_standing(member_id=member.pk, at=noon(DAY))
    assert standing is not None
    assert standing.pin is not None
    assert (standing.tier.code, standing.earned.code, standing.pin.source) == (
        "gold",
        "basic",
        "paid",
    )
    assert (standing.missing_to_keep, standing.valid_until) == (500, date(2026, 3, 7))
    assert [event["to"] for event in told("tier.upgraded", member)] == ["gold"]
    assert [event["tier"] for event in told("tier.welcomed", member)] == ["gold"]
    assert problems() == []


def test_same_payment_again_changes_nothing_and_another_body_is_refused(brand: Brand) -> None:
    make_scheme()
    plan()
    member, other = join(), join()
    first = pay(member)
    again = pay(member, on=DAY + timedelta(days=1))
    assert (again.created, again.term) == (False, first.term)
    with pytest.raises(DuplicatePaymentError):
        pay(member, amount_minor=1)
    with pytest.raises(DuplicatePaymentError):
        pay(other)
    assert PaidTerm.objects.count() == 1
    assert held(other) == "basic"


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"amount_minor": -1}, InvalidPaymentError),
        ({"currency": "USD"}, InvalidPaymentError),
        ({"reference": " "}, InvalidPaymentError),
    ],
)
def test_wrong_payment_is_refused_and_gives_nothing(
    brand: Brand, fields: dict[str, Any], error: type[Exception]
) -> None:
    make_scheme()
    plan()
    member = join()
    with pytest.raises(error):
        pay(member, **{"reference": "p-1", **fields})
    assert not PaidTerm.objects.exists()
    assert held(member) == "basic"


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"code": "No Code"}, "/code"),
        ({"tier_code": "basic"}, "/tier_code"),
        ({"tier_code": "ruby"}, "/tier_code"),
        ({"period_months": 0}, "/period_months"),
        ({"price_minor": -1}, "/price"),
        ({"grace_days": 91}, "/grace_days"),
        ({"name": {}}, "/name"),
    ],
)
def test_wrong_plan_is_refused_with_its_place(
    brand: Brand, fields: dict[str, Any], pointer: str
) -> None:
    make_scheme()
    with pytest.raises(InvalidPlanError) as refused:
        plan(**fields)
    assert refused.value.data["pointer"] == pointer


def test_unpaid_renewal_lapses_after_the_grace_days(brand: Brand) -> None:
    make_scheme(notice_days=14)
    plan()
    member = join()
    pay(member)
    nights(date(2026, 2, 13), date(2026, 2, 13))
    assert told("membership.renewal_due", member) == []
    nights(date(2026, 2, 14), date(2026, 2, 27))
    assert [event["ends_on"] for event in told("membership.renewal_due", member)] == ["2026-02-28"]
    assert told("tier.will_downgrade", member) == []
    nights(date(2026, 2, 28), date(2026, 3, 6))
    assert held(member) == "gold"
    (warning,) = told("tier.will_downgrade", member)
    assert (warning["tier"], warning["to"], warning["missing"], warning["lost_on"]) == (
        "gold",
        "basic",
        500,
        "2026-03-07",
    )
    nights(date(2026, 3, 7), date(2026, 3, 8))
    assert held(member) == "basic"
    assert TierPin.objects.get().ending == "lapsed"
    assert [event["reference"] for event in told("membership.lapsed", member)] == ["p-1"]
    assert [event["cause"] for event in told("tier.downgraded", member)] == ["paid_ended"]
    assert problems() == []
    with pytest.raises(TermOverError):
        refund_term(term_id=PaidTerm.objects.get().pk, reference="r", by=STAFF, at=noon(DAY))


def test_without_renewal_the_term_expires_on_its_day(brand: Brand) -> None:
    make_scheme()
    plan(renews=False)
    member = join()
    pay(member)
    nights(date(2026, 2, 14), date(2026, 2, 27))
    assert held(member) == "gold"
    assert [event["lost_on"] for event in told("tier.will_downgrade", member)] == ["2026-02-28"]
    nights(date(2026, 2, 28), date(2026, 2, 28))
    assert held(member) == "basic"
    assert TierPin.objects.get().ending == "expired"
    assert told("membership.renewal_due", member) == []


def test_renewals_follow_without_a_gap_and_keep_the_day_of_the_month(brand: Brand) -> None:
    make_scheme()
    plan()
    member = join()
    pay(member)
    # Ahead of the end, then in the grace days.
    second = pay(member, "p-2", on=date(2026, 2, 20)).term
    assert (second.starts_on, second.ends_on) == (date(2026, 2, 28), date(2026, 3, 31))
    nights(date(2026, 2, 27), date(2026, 4, 2))
    third = pay(member, "p-3", on=date(2026, 4, 3)).term
    assert (third.starts_on, third.ends_on) == (date(2026, 3, 31), date(2026, 4, 30))
    nights(date(2026, 4, 4), date(2026, 4, 10))
    assert held(member) == "gold"
    assert len(list_changes(member_id=member.pk)) == 1
    assert told("tier.downgraded", member) == []
    assert list(TierPin.objects.order_by("pk").values_list("ending", flat=True)) == [
        "renewed",
        "renewed",
        "",
    ]
    assert len(told("membership.renewed", member)) == 2
    assert problems() == []


def test_refund_ends_the_term_at_once_and_is_taken_down_once(brand: Brand) -> None:
    make_scheme()
    plan()
    member = join()
    term = pay(member).term
    day = date(2026, 2, 10)
    for _ in range(2):
        done = refund_term(
            term_id=term.pk, reference="r-1", amount_minor=5_000, by=STAFF, at=noon(day)
        )
        assert (done.refunded_minor, done.refund_reference) == (5_000, "r-1")
    assert held(member) == "basic"
    assert len(told("membership.refunded", member)) == 1
    with pytest.raises(TermRefundedError):
        refund_term(term_id=term.pk, reference="r-2", by=STAFF, at=noon(day))
    january, february = list_revenue(first=date(2026, 1, 1), until=date(2026, 3, 1))
    assert (january.month, january.terms, january.paid_minor, january.refunded_minor) == (
        date(2026, 1, 1),
        1,
        9_900,
        0,
    )
    assert (february.month, february.terms, february.net_minor) == (date(2026, 2, 1), 0, -5_000)
    assert problems() == []


def test_refund_of_a_renewal_leaves_the_term_before_it(brand: Brand) -> None:
    make_scheme()
    plan()
    member = join()
    first = pay(member).term
    second = pay(member, "p-2").term
    with pytest.raises(TermRenewedError):
        refund_term(term_id=first.pk, reference="r", by=STAFF, at=noon(DAY))
    with pytest.raises(InvalidPaymentError):
        refund_term(term_id=second.pk, reference="r", amount_minor=9_901, by=STAFF, at=noon(DAY))
    refund_term(term_id=second.pk, reference="r", by=STAFF, at=noon(DAY))
    first.pin.refresh_from_db()
    assert (first.pin.ended_at, first.pin.ends_on) == (None, date(2026, 3, 7))
    assert held(member) == "gold"
    again = pay(member, "p-3").term
    assert (again.previous, again.starts_on) == (first, date(2026, 2, 28))


def test_stopped_renewal_ends_without_grace(brand: Brand) -> None:
    make_scheme()
    plan()
    member = join()
    term = pay(member).term
    set_renewal(term_id=term.pk, renews=False, by=STAFF, at=noon(date(2026, 2, 1)))
    nights(date(2026, 2, 28), date(2026, 2, 28))
    assert held(member) == "basic"
    with pytest.raises(TermOverError):
        set_renewal(term_id=term.pk, renews=True, by=STAFF, at=noon(date(2026, 3, 1)))


def test_plan_no_longer_offered_is_renewed_but_not_sold(brand: Brand) -> None:
    make_scheme()
    plan()
    member, other = join(), join()
    pay(member)
    change_plan(code="club", is_offered=False, price_minor=19_900, by=STAFF, at=noon(DAY))
    assert pay(member, "p-2").term.price_minor == 19_900
    with pytest.raises(PlanNotOfferedError):
        pay(other, "p-3")
    audited = AuditEntry.objects.get(action="paid_plan.changed")
    assert audited.changes == {"is_offered": [True, False], "price_minor": [9_900, 19_900]}


def test_what_is_earned_goes_on_under_a_paid_tier(brand: Brand) -> None:
    make_scheme()
    plan(tier_code="silver", renews=False)
    member = join()
    pay(member)
    give(member, 120, on=DAY)
    # Silver is held already: what was earned is evidence, not a move.
    assert check_member(member_id=member.pk, at=noon(DAY), cause="purchase") is None
    earned, _paid = list_changes(member_id=member.pk)
    assert earned.earned_tier is not None
    assert (earned.from_tier.code, earned.to_tier.code, earned.earned_tier.code) == (
        "silver",
        "silver",
        "silver",
    )
    give(member, 400, on=DAY)
    change = check_member(member_id=member.pk, at=noon(DAY), cause="purchase")
    assert change is not None
    assert (change.from_tier.code, change.to_tier.code) == ("silver", "gold")
    nights(date(2026, 2, 28), date(2026, 3, 1))
    assert held(member) == "gold"
    assert MemberTier.objects.get(pk=member.pk).earned_tier is None
    assert told("tier.downgraded", member) == []
    assert problems() == []


def test_danger_that_a_pin_averts_is_told_when_the_pin_ends(brand: Brand) -> None:
    make_scheme(notice_days=60)
    plan(renews=False, period_months=3)
    member = join()
    give(member, 500, on=date(2025, 3, 15))
    check_member(member_id=member.pk, at=noon(date(2025, 3, 15)), cause="purchase")
    pay(member)
    nights(date(2026, 2, 1), date(2026, 2, 20))
    assert MemberTier.objects.get(pk=member.pk).grace_until is not None
    assert told("tier.will_downgrade", member) == []
    term = PaidTerm.objects.get()
    refund_term(term_id=term.pk, reference="r", by=STAFF, at=noon(date(2026, 2, 21)))
    assert held(member) == "gold"
    (warning,) = told("tier.will_downgrade", member)
    row = MemberTier.objects.get(pk=member.pk)
    assert row.grace_until is not None
    assert (warning["tier"], warning["lost_on"]) == ("gold", row.grace_until.isoformat())
    assert problems() == []


def test_override_holds_exactly_and_ends_by_itself(brand: Brand) -> None:
    make_scheme()
    member = join()
    give(member, 500, on=DAY)
    check_member(member_id=member.pk, at=noon(DAY), cause="purchase")
    until = date(2026, 2, 10)
    set_override(
        member=member, tier="silver", mode="exactly", until=until, reason="Returns abuse",
        by=STAFF, at=noon(DAY),
    )  # fmt: skip
    assert held(member) == "silver"
    give(member, 100, on=DAY)
    assert check_member(member_id=member.pk, at=noon(DAY), cause="purchase") is None
    nights(date(2026, 2, 1), until)
    assert held(member) == "silver"
    nights(date(2026, 2, 11), date(2026, 2, 11))
    assert held(member) == "gold"
    causes = [change.cause for change in list_changes(member_id=member.pk)]
    assert causes == ["override_ended", "override", "purchase"]
    # Gold was welcomed long ago: going down and up again is no first time.
    assert [event["tier"] for event in told("tier.welcomed", member)] == ["gold"]
    assert TierWelcome.objects.filter(member=member).count() == 1
    audited = AuditEntry.objects.get(action="tier_override.set")
    assert (audited.reason, audited.changes["tier"]) == ("Returns abuse", [None, "silver"])
    assert problems() == []


def test_override_replaces_the_one_before_and_can_be_lifted(brand: Brand) -> None:
    make_scheme()
    member = join()
    values: dict[str, Any] = {"member": member, "reason": "Guest", "by": STAFF, "at": noon(DAY)}
    set_override(tier="silver", mode="at_least", until=DAY, **values)
    set_override(tier="gold", mode="at_least", until=DAY, **values)
    assert held(member) == "gold"
    assert list(TierPin.objects.order_by("pk").values_list("ending", flat=True)) == ["replaced", ""]
    lift_override(member=member, reason="Left", by=STAFF, at=noon(DAY))
    assert held(member) == "basic"
    with pytest.raises(NoOverrideError):
        lift_override(member=member, reason="Left", by=STAFF, at=noon(DAY))
    assert problems() == []


def test_override_wins_over_what_is_paid(brand: Brand) -> None:
    make_scheme()
    plan()
    member = join()
    pay(member)
    set_override(
        member=member, tier="silver", mode="exactly", until=DAY, reason="Dispute",
        by=STAFF, at=noon(DAY),
    )  # fmt: skip
    assert held(member) == "silver"
    nights(DAY + timedelta(days=1), DAY + timedelta(days=1))
    assert held(member) == "gold"
    assert problems() == []


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"tier": "ruby"}, UnknownTierError),
        ({"mode": "maybe"}, InvalidOverrideError),
        ({"reason": " "}, InvalidOverrideError),
        ({"until": DAY - timedelta(days=1)}, InvalidOverrideError),
        ({"until": DAY + timedelta(days=2000)}, InvalidOverrideError),
    ],
)
def test_wrong_override_is_refused(
    brand: Brand, fields: dict[str, Any], error: type[Exception]
) -> None:
    make_scheme()
    member = join()
    values: dict[str, Any] = {
        "tier": "gold", "mode": "at_least", "until": DAY, "reason": "Guest", **fields,
    }  # fmt: skip
    with pytest.raises(error):
        set_override(member=member, by=STAFF, at=noon(DAY), **values)
    assert not TierPin.objects.exists()
    assert not TierChange.objects.exists()


def test_nothing_is_given_without_a_scheme(brand: Brand) -> None:
    member = join()
    with pytest.raises(NoSchemeError):
        set_override(
            member=member, tier="gold", mode="exactly", until=DAY, reason="x",
            by=STAFF, at=noon(DAY),
        )  # fmt: skip


def test_a_night_missed_is_made_up_for(brand: Brand) -> None:
    make_scheme()
    plan(renews=False)
    member = join()
    pay(member)
    pay(member, "p-2")
    # Both terms ran out while no night ran.
    nights(date(2026, 5, 1), date(2026, 5, 1))
    assert held(member) == "basic"
    assert list(TierPin.objects.order_by("pk").values_list("ending", flat=True)) == [
        "renewed",
        "expired",
    ]
    assert problems() == []


def test_new_scheme_carries_pins_by_their_code(brand: Brand) -> None:
    make_scheme()
    plan(period_months=12)
    member = join()
    pay(member)
    make_scheme(window="lifetime", starts_on=DAY + timedelta(days=5))
    nights(DAY + timedelta(days=5), DAY + timedelta(days=6))
    assert held(member) == "gold"
    pay(member, "p-2", on=DAY + timedelta(days=7))
    assert len(list_changes(member_id=member.pk)) == 1
    assert problems() == []


def test_tier_as_of_any_instant(brand: Brand) -> None:
    make_scheme()
    plan(renews=False)
    member = join()
    pay(member)
    nights(date(2026, 2, 28), date(2026, 2, 28))
    expected = {
        DAY - timedelta(days=1): "basic",
        DAY: "gold",
        date(2026, 2, 27): "gold",
        date(2026, 2, 28): "basic",
    }
    for on, code in expected.items():
        assert tier_as_of(member_id=member.pk, at=noon(on)).code == code, on


def test_checks_see_what_contradicts_the_pins(brand: Brand) -> None:
    make_scheme()
    plan()
    member = join()
    pay(member)
    MemberTier.objects.filter(pk=member.pk).update(earned_tier=None)
    assert any("does not agree" in line for line in problems())
    MemberTier.objects.filter(pk=member.pk).update(earned_tier=TierChange.objects.get().from_tier)
    assert problems() == []
    TierPin.objects.update(ended_at=noon(DAY + timedelta(days=3)), ending="expired")
    assert any("held rank 3" in line for line in problems())
