"""Using a unit: what is written, what is refused, what a repeat does."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from benefits.budget.errors import LineExhaustedError
from benefits.budget.models import BudgetEntry
from benefits.catalogue.codes import create_pool, import_codes
from benefits.catalogue.errors import PoolEmptyError
from benefits.catalogue.models import PoolCode
from benefits.catalogue.operations import set_cost
from benefits.grants.errors import (
    EndedError,
    InvalidGrantError,
    KeyReusedError,
    NotGrantedError,
    NotYetStartedError,
    OutsideRegionError,
    QuotaUsedError,
    RevokedError,
)
from benefits.grants.models import Grant, Redemption, RedemptionNote, RedemptionStep
from benefits.grants.operations import redeem, revoke
from members.profiles.errors import BlockedMemberError
from members.profiles.operations import block_member
from tenants.events.models import Event
from tests.integration.benefits.world import (
    STAFF,
    World,
    acting,
    event_types,
    figures,
    problems,
    some_key,
)


def counts() -> tuple[int, ...]:
    """Return what a refused redemption must leave as it was."""
    return (
        Redemption.objects.count(),
        sum(Grant.objects.values_list("used", flat=True)),
        BudgetEntry.objects.count(),
        Event.objects.filter(type__startswith="redemption.").count(),
        RedemptionStep.objects.count(),
        PoolCode.objects.filter(taken_at__isnull=False).count(),
    )


def test_redeem_takes_a_unit_and_waits_for_staff(world: World) -> None:
    member = world.member()
    benefit = world.benefit(sla_hours=48)
    grant = world.grant(member, benefit, quantity=2)

    made = world.redeem(member, grant, note="After five, please")

    grant.refresh_from_db()
    assert grant.used == 1
    assert (made.state, made.channel, made.region) == ("requested", "staff", "north")
    assert made.due_at == world.at + timedelta(hours=48)
    assert made.expires_at == grant.ends_at
    assert (made.cost_minor, made.requested_by) == (None, f"member:{member.pk}")
    assert len(made.code) == 8
    assert RedemptionNote.objects.get(redemption=made).note == "After five, please"
    event = Event.objects.get(type="redemption.requested")
    assert event.subject == f"redemption:{made.pk}"
    assert event.data == {
        "redemption": made.pk,
        "member_id": member.pk,
        "benefit": benefit.code,
        "grant": grant.pk,
        "channel": "staff",
        "state": "requested",
    }
    assert problems() == []


def test_redeem_by_benefit_takes_the_right_that_ends_first(world: World) -> None:
    member, benefit = world.member(), world.benefit()
    open_ended = world.grant(member, benefit, ends_at=None)
    late = world.grant(member, benefit, ends_at=world.at + timedelta(days=20))
    soon = world.grant(member, benefit, ends_at=world.at + timedelta(days=2))

    used = [
        redeem(
            member=member,
            benefit_code=benefit.code,
            key=some_key(),
            by=acting(member),
            at=world.at,
        ).grant_id
        for _time in range(3)
    ]

    assert used == [soon.pk, late.pk, open_ended.pk]


def test_redeem_again_with_the_same_key_returns_the_first(world: World) -> None:
    member, benefit = world.member(), world.benefit()
    grant = world.grant(member, benefit, quantity=3)
    key = some_key()
    first = world.redeem(member, grant, key=key)
    before = counts()

    again = world.redeem(member, grant, key=key, at=world.at + timedelta(days=3))
    by_benefit = redeem(
        member=member, benefit_code=benefit.code, key=key, by=acting(member), at=world.at
    )

    assert again.pk == by_benefit.pk == first.pk
    assert counts() == before


def test_redeem_refuses_a_key_of_another_request(world: World) -> None:
    member, other = world.member(), world.member()
    benefit = world.benefit()
    grant, second = world.grant(member, benefit), world.grant(member, benefit)
    foreign = world.grant(other, benefit)
    key = some_key()
    world.redeem(member, grant, key=key)
    before = counts()

    for who, what in ((member, second), (other, foreign)):
        with pytest.raises(KeyReusedError) as refused:
            world.redeem(who, what, key=key)
        assert (refused.value.code, refused.value.status) == ("key_reused", 422)
    assert counts() == before


def test_redeem_refuses_when_all_units_are_used_and_says_when_more_come(world: World) -> None:
    member, benefit = world.member(), world.benefit()
    rule = world.rule(benefit)
    grant = world.grant(member, benefit, rule=rule)
    world.redeem(member, grant)
    before = counts()

    with pytest.raises(QuotaUsedError) as refused:
        world.redeem(member, grant)

    # The next month begins at midnight in Shanghai.
    assert refused.value.data == {"next_at": "2026-03-31T16:00:00+00:00"}
    assert (refused.value.code, refused.value.status) == ("quota_used", 409)
    assert counts() == before


def test_redeem_refuses_before_the_start(world: World) -> None:
    member = world.member()
    start = world.at + timedelta(days=1)
    grant = world.grant(member, world.benefit(), starts_at=start)

    with pytest.raises(NotYetStartedError) as refused:
        world.redeem(member, grant)

    assert refused.value.data == {"starts_at": start.isoformat()}
    assert counts() == (0, 0, 0, 0, 0, 0)


def test_redeem_refuses_from_the_instant_of_the_end(world: World) -> None:
    member, benefit = world.member(), world.benefit()
    end = world.at + timedelta(hours=1)
    grant = world.grant(member, benefit, quantity=2, ends_at=end)
    world.redeem(member, grant, at=end - timedelta(microseconds=1))
    before = counts()

    with pytest.raises(EndedError) as by_grant:
        world.redeem(member, grant, at=end)
    with pytest.raises(EndedError) as by_code:
        redeem(
            member=member,
            benefit_code=benefit.code,
            key=some_key(),
            by=acting(member),
            at=end,
        )

    assert by_grant.value.data == by_code.value.data == {"ended_at": end.isoformat()}
    assert counts() == before


def test_redeem_refuses_a_revoked_right(world: World) -> None:
    member = world.member()
    grant = world.grant(member, world.benefit())
    revoke(grant=grant, reason="mistake", by=STAFF, at=world.at)

    with pytest.raises(RevokedError):
        world.redeem(member, grant)

    assert counts() == (0, 0, 0, 0, 0, 0)


def test_redeem_refuses_outside_the_regions_promised(world: World) -> None:
    member = world.member(region="south")
    grant = world.grant(member, world.benefit(regions=["north", "east"]))

    with pytest.raises(OutsideRegionError) as refused:
        world.redeem(member, grant)
    assert refused.value.data == {"regions": ["east", "north"]}
    assert counts() == (0, 0, 0, 0, 0, 0)

    assert world.redeem(member, grant, region="east").region == "east"


def test_redeem_refuses_another_members_right_and_none_at_all(world: World) -> None:
    member, other, benefit = world.member(), world.member(), world.benefit()
    grant = world.grant(other, benefit)

    with pytest.raises(NotGrantedError):
        world.redeem(member, grant)
    with pytest.raises(NotGrantedError):
        redeem(
            member=member,
            benefit_code=benefit.code,
            key=some_key(),
            by=acting(member),
            at=world.at,
        )

    assert counts() == (0, 0, 0, 0, 0, 0)


def test_redeem_refuses_a_blocked_member_whatever_the_caller_knew(world: World) -> None:
    member = world.member()
    grant = world.grant(member, world.benefit())
    stale = type(member).objects.get(pk=member.pk)
    block_member(member=member, by=STAFF, at=world.at, reason="fraud")

    for who in (member, stale):
        with pytest.raises(BlockedMemberError) as refused:
            world.redeem(who, grant)
        assert refused.value.code == "blocked_member"
    assert counts() == (0, 0, 0, 0, 0, 0)


def test_redeem_wants_a_grant_or_a_benefit(world: World) -> None:
    member = world.member()
    for names in ({}, {"grant_id": 1, "benefit_code": "tea"}):
        with pytest.raises(InvalidGrantError) as refused:
            redeem(member=member, key=some_key(), by=acting(member), at=world.at, **names)
        assert refused.value.data == {"pointer": "/grant_id"}


def test_redeem_honours_what_was_promised_after_the_benefit_changed(world: World) -> None:
    from benefits.catalogue.operations import change_stage, update_benefit

    member, benefit = world.member(region="south"), world.benefit(sla_hours=24)
    grant = world.grant(member, benefit)
    update_benefit(benefit=benefit, regions=["north"], sla_hours=999, by=STAFF, at=world.at)
    change_stage(benefit=benefit, to="watch", reason="weak", by=STAFF, at=world.at)
    change_stage(benefit=benefit, to="retired", reason="weak", by=STAFF, at=world.at)

    made = world.redeem(member, grant)

    assert made.state == "requested"
    assert made.due_at == world.at + timedelta(hours=24)


def test_points_credit_is_fulfilled_and_booked_at_once(world: World) -> None:
    member = world.member()
    benefit = world.benefit(
        kind="points_credit", channel="instant", parameters={"points": 250}, unit_cost_minor=0
    )
    grant = world.grant(member, benefit)
    key = some_key()

    made = world.redeem(member, grant, key=key)
    world.redeem(member, grant, key=key)

    assert made.state == "fulfilled"
    assert made.fulfilled_at == world.at
    assert world.balance(member) == (250, 0)
    assert (made.unit_cost_minor, made.partner_price_minor) == (0, None)
    assert made.cost_minor == made.points_cost_minor
    assert event_types(f"redemption:{made.pk}") == ["redemption.requested", "redemption.fulfilled"]
    assert problems() == []


def test_a_code_of_our_own_is_confirmed_and_waits_for_the_till(world: World) -> None:
    made = world.redemption(
        kind="discount", channel="code", parameters={"percent_bp": 1_000}, unit_cost_minor=0
    )

    assert (made.state, len(made.code)) == ("confirmed", 12)
    assert made.confirmed_at == world.at


def test_codes_of_a_pool_are_handed_out_once_each(world: World) -> None:
    pool = create_pool(code="tea", name="Tea", by=STAFF, at=world.at)
    import_codes(pool=pool, codes=["A-1", "A-2"], by=STAFF, at=world.at)
    benefit = world.benefit(channel="code", code_pool=pool)
    member = world.member()
    grant = world.grant(member, benefit, quantity=3)

    made = [world.redeem(member, grant) for _time in range(2)]
    assert {one.code for one in made} == {"A-1", "A-2"}
    assert {one.state for one in made} == {"fulfilled"}
    before = counts()

    with pytest.raises(PoolEmptyError) as refused:
        world.redeem(member, grant)

    assert refused.value.code == "out_of_stock"
    assert counts() == before
    assert problems() == []


def test_the_cost_is_promised_then_spent_at_the_cost_in_force(world: World) -> None:
    from benefits.grants.operations import fulfil

    line = world.line()
    benefit = world.benefit()
    rule = world.rule(benefit, budget_line=line)
    member = world.member()
    grant = world.grant(member, benefit, rule=rule)
    made = world.redeem(member, grant)
    assert (made.budget_line_id, made.committed_minor) == (line.pk, 1_200)
    assert figures(line) == (1_200, 0)
    later = datetime(2026, 4, 2, 3, 0, tzinfo=UTC)
    set_cost(
        benefit=benefit,
        unit_cost_minor=1_500,
        valid_from=datetime(2026, 4, 1, tzinfo=UTC).date(),
        by=STAFF,
        at=world.at,
    )

    done = fulfil(redemption=made, partner_price_minor=700, by=STAFF, at=later)
    fulfil(redemption=made, partner_price_minor=700, by=STAFF, at=later)

    assert (done.unit_cost_minor, done.partner_price_minor, done.cost_minor) == (1_500, 700, 2_200)
    assert figures(line) == (0, 2_200)
    assert problems() == []


def test_redeem_refuses_when_the_budget_line_is_exhausted(world: World) -> None:
    line = world.line(planned=1_199)
    benefit = world.benefit()
    member = world.member()
    grant = world.grant(member, benefit, rule=world.rule(benefit, budget_line=line))
    before = counts()

    with pytest.raises(LineExhaustedError):
        world.redeem(member, grant)

    assert counts() == before
    assert figures(line) == (0, 0)


def test_redeem_in_few_statements(world: World, django_assert_max_num_queries: Any) -> None:
    member, benefit = world.member(), world.benefit()
    grant = world.grant(member, benefit, quantity=2)
    key = some_key()

    with django_assert_max_num_queries(10):
        redeem(member=member, grant_id=grant.pk, key=key, by=acting(member), at=world.at)
    with django_assert_max_num_queries(1):
        redeem(member=member, grant_id=grant.pk, key=key, by=acting(member), at=world.at)
