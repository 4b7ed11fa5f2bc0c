"""What is earned without a purchase: joining, events, birthdays, invitations; each once."""

from datetime import date, timedelta
from uuid import uuid4

import pytest

from core.actors import SYSTEM
from members.activity.operations import record_event
from members.earning.errors import InvalidOccasionError
from members.earning.invariants import CHECKS
from members.earning.models import OccasionEarning
from members.earning.operations import credit_birthdays, earn_on_occasion
from members.earning.operations.birthdays import birthdays_on
from members.points.models import Entry
from members.points.queries import get_balance
from members.profiles.models import Member
from members.profiles.operations import block_member, enrol_many
from members.tiers.models import MemberTier
from tenants.brands.models import Brand
from tenants.events.models import Event
from tenants.events.operations import deliver_pending
from tenants.jobs.operations import enqueue, run_pending
from tests.integration.members.earning.world import (
    AT,
    TODAY,
    buy,
    days_ago,
    join,
    moment,
    rule,
)
from tests.integration.members.tiers.world import make_scheme


def points(member: Member, wallet: str = "points") -> int:
    return get_balance(owner_id=member.pk, wallet=wallet, at=AT + timedelta(days=400)).total


def gift(trigger: str, amount: int = 50, **fields: object):  # type: ignore[no-untyped-def]
    return rule(
        name=trigger, trigger=trigger, effect="fixed", points=amount, wallets="points", **fields
    )


def night(on: date) -> dict[str, int]:
    at = moment(on, 5)
    job = enqueue(kind="earning.birthdays", dedupe_key=str(uuid4()), by=SYSTEM, at=at)
    run_pending(at=at)
    job.refresh_from_db()
    assert (job.state, job.error) == ("done", "")
    return dict(job.result)


def test_joining_earns_once_but_not_for_an_imported_history(brand: Brand) -> None:
    gift("enrolment")
    member = join(TODAY)
    enrol_many(members=[("old-1", moment(days_ago(900)))], by=SYSTEM, at=AT)
    deliver_pending(at=AT)
    deliver_pending(at=AT)
    assert points(member) == 50
    assert points(Member.objects.get(external_id="old-1")) == 0
    earning = OccasionEarning.objects.get()
    assert (earning.occasion, earning.raw, earning.tier_bp) == ("enrolment", 50, 10_000)
    entry = Entry.objects.get(source_type="occasion")
    assert (entry.source_id, entry.cause) == (
        earning.pk,
        {"rule": earning.rule_id, "trigger": "enrolment"},
    )


def test_events_earn_by_their_name_within_the_cap_of_the_day(brand: Brand) -> None:
    gift("event", 5, event_name="visit", cap_per_day=12)
    gift("survey", 20)
    member = join()
    for number, name in enumerate(["visit", "view", "visit", "visit", "survey_answered"]):
        record_event(
            member=member,
            name=name,
            occurred_at=moment(TODAY, 8 + number // 2),
            external_id=f"E-{number}",
            at=AT,
        )
    deliver_pending(at=AT)
    assert points(member) == 5 + 5 + 2 + 20
    cut = OccasionEarning.objects.order_by("pk").values_list("raw", "amount")
    assert list(cut) == [(5, 5), (5, 5), (5, 2), (20, 20)]
    # Sent again it is no new event, and earns nothing.
    record_event(
        member=member, name="visit", occurred_at=moment(TODAY, 8), external_id="E-0", at=AT
    )
    deliver_pending(at=AT)
    assert points(member) == 32
    assert [line for check in CHECKS.values() for line in check()] == []


def test_an_occasion_told_again_changes_nothing(brand: Brand) -> None:
    gift("referral", 100)
    make_scheme(window="lifetime")
    member = join()
    buy(member, 1)
    before = Event.objects.filter(type="points.credited").count()
    for _ in range(3):
        outcome = earn_on_occasion(
            member=member,
            trigger="referral",
            occasion="referral:7",
            occurred_at=moment(TODAY),
            at=AT,
        )
        assert (outcome.points, outcome.growth) == (100, 0)
    assert points(member) == 100
    assert Event.objects.filter(type="points.credited").count() == before + 1


def test_growth_of_an_occasion_raises_the_tier(brand: Brand) -> None:
    rule(name="mission", trigger="mission", effect="fixed", points=600)
    make_scheme(window="lifetime")
    member = join()
    earn_on_occasion(
        member=member, trigger="mission", occasion="mission:1", occurred_at=moment(TODAY), at=AT
    )
    assert MemberTier.objects.get(pk=member.pk).tier.code == "gold"


def test_blocked_members_earn_nothing_on_occasions(brand: Brand) -> None:
    gift("referral")
    member = join()
    block_member(member=member, reason="x", by=SYSTEM, at=AT)
    outcome = earn_on_occasion(
        member=member, trigger="referral", occasion="referral:1", occurred_at=AT, at=AT
    )
    assert (outcome.points, OccasionEarning.objects.count()) == (0, 0)


@pytest.mark.parametrize(
    ("trigger", "occasion"), [("purchase", "x"), ("moon", "x"), ("referral", "")]
)
def test_no_such_occasion(brand: Brand, trigger: str, occasion: str) -> None:
    with pytest.raises(InvalidOccasionError):
        earn_on_occasion(member=join(), trigger=trigger, occasion=occasion, occurred_at=AT, at=AT)
    assert not OccasionEarning.objects.exists()


@pytest.mark.parametrize(
    ("day", "kept"),
    [
        (date(2026, 2, 28), ["02-28", "02-29"]),
        (date(2028, 2, 28), ["02-28"]),
        (date(2028, 2, 29), ["02-29"]),
        (date(2026, 3, 1), ["03-01"]),
    ],
)
def test_who_was_born_on_29_february_has_it_on_the_28th(day: date, kept: list[str]) -> None:
    assert birthdays_on(day) == kept


def test_birthdays_come_once_a_year_with_the_multiplier_of_the_tier(brand: Brand) -> None:
    gift("birthday", 50, condition={"field": "region", "op": "=", "value": "north"})
    make_scheme(window="lifetime")
    rule(wallets="growth")
    plain = join(birthday=date(1990, 3, 20), region="north")
    silver = join(birthday=date(2001, 3, 20), region="north")
    south = join(birthday=date(1990, 3, 20), region="south")
    tomorrow = join(birthday=date(1990, 3, 21), region="north")
    buy(silver, 20_000)
    assert night(date(2026, 3, 20)) == {"members": 2, "points": 110}
    assert night(date(2026, 3, 20)) == {"members": 0, "points": 0}
    assert [points(one) for one in (plain, silver, south, tomorrow)] == [50, 60, 0, 0]
    # A night that was missed is made up for.
    assert night(date(2026, 3, 24)) == {"members": 1, "points": 50}
    assert night(date(2027, 3, 20)) == {"members": 2, "points": 110}
    assert points(plain) == 100
    assert [line for check in CHECKS.values() for line in check()] == []


def test_birthdays_before_joining_or_before_the_rule_do_not_count(brand: Brand) -> None:
    gift("birthday")
    join(date(2026, 3, 18), birthday=date(1990, 3, 17))
    join(birthday=date(1990, 3, 14))
    assert night(date(2026, 3, 19)) == {"members": 0, "points": 0}


def test_caps_and_groups_hold_for_birthdays(brand: Brand) -> None:
    gift("birthday", 80, cap_per_month=30, stacking="best", stack_group="b")
    gift("birthday", 70, stacking="best", stack_group="b")
    member = join(birthday=date(1990, 3, 16))
    found = credit_birthdays(low=0, high=member.pk + 1, on=date(2026, 3, 16), at=AT)
    assert (found.members, found.points) == (1, 30)
    earning = OccasionEarning.objects.get()
    assert (earning.raw, earning.amount) == (80, 30)
