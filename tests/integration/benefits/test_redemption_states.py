"""The life of a redemption: every illegal move is refused, every repeat changes nothing."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from benefits.grants import operations as grants
from benefits.grants.errors import InvalidGrantError, InvalidStateError, UnknownRedemptionError
from benefits.grants.models import Grant, Redemption, RedemptionNote, RedemptionStep
from benefits.grants.queries import find_by_code, get_redemption, list_steps
from benefits.grants.states import NEXT
from core.actors import SYSTEM, Actor
from members.points.models import Entry
from tenants.audit.models import AuditEntry
from tenants.events.models import Event
from tests.integration.benefits.world import (
    STAFF,
    World,
    acting,
    event_types,
    figures,
    problems,
)

State = Redemption.State
Move = Callable[[Redemption, World], Redemption]

MOVES: dict[str, Move] = {
    State.CONFIRMED: lambda r, w: grants.confirm(redemption=r, by=STAFF, at=w.at),
    State.FULFILLED: lambda r, w: grants.fulfil(redemption=r, by=STAFF, at=w.at),
    State.CANCELLED: lambda r, w: grants.cancel(redemption=r, by=STAFF, at=w.at),
    State.FAILED: lambda r, w: grants.fail(redemption=r, reason="closed", by=STAFF, at=w.at),
    State.EXPIRED: lambda r, w: grants.expire(redemption_id=r.pk, at=w.at),
    State.REVERSED: lambda r, w: grants.reverse(redemption=r, reason="error", by=STAFF, at=w.at),
}
WAYS: dict[str, list[str]] = {
    State.REQUESTED: [],
    State.CONFIRMED: [State.CONFIRMED],
    State.FULFILLED: [State.FULFILLED],
    State.CANCELLED: [State.CANCELLED],
    State.FAILED: [State.FAILED],
    State.EXPIRED: [State.EXPIRED],
    State.REVERSED: [State.FULFILLED, State.REVERSED],
}


def brought_to(world: World, state: str) -> Redemption:
    """Return a redemption in a state."""
    made = world.redemption()
    for step in WAYS[state]:
        made = MOVES[step](made, world)
    assert made.state == state
    return made


def snapshot() -> tuple[Any, ...]:
    """Return everything that a refused or repeated move must leave as it was."""
    return (
        list(Redemption.objects.order_by("pk").values()),
        list(Grant.objects.order_by("pk").values_list("pk", "used")),
        RedemptionStep.objects.count(),
        Event.objects.count(),
        Entry.objects.count(),
        AuditEntry.objects.count(),
    )


LEGAL = [(before, after) for before in NEXT for after in MOVES if after in NEXT[before]]
ILLEGAL = [
    (before, after)
    for before in NEXT
    for after in MOVES
    if after not in NEXT[before] and after != before
]


def test_the_tables_cover_every_pair() -> None:
    assert len(LEGAL) == 10
    assert len(LEGAL) + len(ILLEGAL) == len(State) * len(MOVES) - len(MOVES)


@pytest.mark.parametrize(("before", "after"), ILLEGAL)
def test_illegal_moves_change_nothing(world: World, before: str, after: str) -> None:
    made = brought_to(world, before)
    was = snapshot()

    with pytest.raises(InvalidStateError) as refused:
        MOVES[after](made, world)

    assert refused.value.status == 409
    assert refused.value.data == {"state": before, "to": after}
    assert snapshot() == was


@pytest.mark.parametrize(("before", "after"), LEGAL)
def test_legal_moves_are_written_once(world: World, before: str, after: str) -> None:
    made = brought_to(world, before)
    moved = MOVES[after](made, world)
    was = snapshot()

    again = MOVES[after](made, world)

    assert (moved.state, again.state) == (after, after)
    assert snapshot() == was
    last = list_steps(redemption=made)[-1]
    assert (last.from_state, last.to_state) == (before, after)
    assert event_types(f"redemption:{made.pk}")[-1] == f"redemption.{after}"
    assert problems() == []


@pytest.mark.parametrize(
    ("by", "allows", "back"),
    [
        ("member", True, True),
        ("member", False, False),
        ("staff", False, True),
    ],
)
def test_cancelling_gives_the_unit_back_as_the_terms_say(
    world: World, by: str, *, allows: bool, back: bool
) -> None:
    member = world.member()
    grant = world.grant(member, world.benefit(cancel_returns_unit=allows))
    made = world.redeem(member, grant)
    who = acting(member) if by == "member" else STAFF

    done = grants.cancel(redemption=made, by=who, at=world.at, reason="changed my mind")

    grant.refresh_from_db()
    assert (done.unit_returned, grant.used) == (back, 0 if back else 1)
    assert problems() == []


def test_failure_always_gives_the_unit_back_and_it_can_be_used_again(world: World) -> None:
    member = world.member()
    grant = world.grant(member, world.benefit(cancel_returns_unit=False))
    made = world.redeem(member, grant)

    done = grants.fail(redemption=made, reason="no_taker", by=SYSTEM, at=world.at)

    assert (done.unit_returned, done.failure_code) == (True, "no_taker")
    assert world.redeem(member, grant).state == "requested"
    assert problems() == []


@pytest.mark.parametrize("ending", [State.CANCELLED, State.FAILED, State.EXPIRED])
def test_what_was_promised_is_released(world: World, ending: str) -> None:
    line = world.line()
    benefit = world.benefit()
    member = world.member()
    grant = world.grant(member, benefit, rule=world.rule(benefit, budget_line=line))
    made = world.redeem(member, grant)
    assert figures(line) == (1_200, 0)

    MOVES[ending](made, world)

    assert figures(line) == (0, 0)


def test_the_line_made_for_the_benefit_pays_without_a_rule(world: World) -> None:
    benefit = world.benefit()
    line = world.line(target_id=benefit.pk)
    member = world.member()

    world.redeem(member, world.grant(member, benefit))

    assert figures(line) == (1_200, 0)


def test_reversing_takes_the_points_back_and_keeps_the_cost(world: World) -> None:
    member = world.member()
    benefit = world.benefit(
        kind="points_credit", channel="instant", parameters={"points": 80}, unit_cost_minor=5
    )
    grant = world.grant(member, benefit)
    made = world.redeem(member, grant)
    assert world.balance(member) == (80, 0)

    done = grants.reverse(redemption=made, reason="mistake", give_back=True, by=STAFF, at=world.at)

    grant.refresh_from_db()
    assert world.balance(member) == (0, 0)
    assert (done.state, done.unit_returned, grant.used) == ("reversed", True, 0)
    assert done.cost_minor is not None
    assert done.cost_minor >= 5
    assert problems() == []


def test_staff_moves_are_audited_and_members_own_are_not(world: World) -> None:
    member = world.member()
    made = world.redeem(member, world.grant(member, world.benefit()))
    assert not AuditEntry.objects.filter(target_type="redemption").exists()

    grants.confirm(redemption=made, by=STAFF, at=world.at)

    entry = AuditEntry.objects.get(target_type="redemption")
    assert (entry.action, entry.actor_id) == ("redemption.confirmed", 7)
    assert entry.changes == {"state": ["requested", "confirmed"]}


def test_rating_is_for_fulfilled_ones_and_the_last_answer_counts(world: World) -> None:
    made = world.redemption()
    who = Actor(kind="member", id=made.member_id)
    with pytest.raises(InvalidStateError) as refused:
        grants.rate(redemption=made, rating=5, by=who, at=world.at)
    assert refused.value.data == {"state": "requested"}
    grants.fulfil(redemption=made, by=STAFF, at=world.at)

    grants.rate(redemption=made, rating=4, nps=9, comment="Nice", by=who, at=world.at)
    rated = grants.rate(redemption=made, rating=2, nps=3, by=who, at=world.at)
    grants.rate(redemption=made, rating=2, nps=3, by=who, at=world.at)

    assert (rated.rating, rated.nps, rated.rated_at) == (2, 3, world.at)
    assert RedemptionNote.objects.get(redemption=made).comment == "Nice"
    assert Event.objects.filter(type="redemption.rated").count() == 2


@pytest.mark.parametrize(
    ("answer", "pointer"),
    [({"rating": 0}, "/rating"), ({"rating": 6}, "/rating"), ({"rating": 3, "nps": 11}, "/nps")],
)
def test_rating_refuses_numbers_out_of_range(
    world: World, answer: dict[str, int], pointer: str
) -> None:
    made = brought_to(world, State.FULFILLED)
    was = snapshot()
    with pytest.raises(InvalidGrantError) as refused:
        grants.rate(redemption=made, by=STAFF, at=world.at, **answer)
    assert refused.value.data == {"pointer": pointer}
    assert snapshot() == was


def test_the_job_ends_what_is_out_of_time_and_nothing_else(
    world: World, run: Callable[..., Any]
) -> None:
    late = world.redemption()
    confirmed = grants.confirm(redemption=world.redemption(), by=STAFF, at=world.at)
    done = brought_to(world, State.FULFILLED)
    by_partner = world.redemption(kind="partner_service", channel="partner")
    end = late.grant.ends_at
    assert end is not None

    kind = "grants.expire_redemptions"
    results = [run(kind, at=when) for when in (end - timedelta(microseconds=1), end, end)]

    assert results == [{"expired": 0}, {"expired": 2}, {"expired": 0}]
    states = {
        made.pk: Redemption.objects.get(pk=made.pk).state
        for made in (late, confirmed, done, by_partner)
    }
    assert list(states.values()) == ["expired", "expired", "fulfilled", "requested"]
    assert problems() == []


def test_a_code_is_found_at_the_till_however_it_is_typed(world: World) -> None:
    made = world.redemption()

    assert find_by_code(code=f" {made.code.lower()} ").pk == made.pk
    for nonsense in ("", "NOSUCHCODE"):
        with pytest.raises(UnknownRedemptionError):
            find_by_code(code=nonsense)


def test_another_members_redemption_is_not_found(world: World) -> None:
    made, other = world.redemption(), world.member()
    with pytest.raises(UnknownRedemptionError) as refused:
        get_redemption(id=made.pk, member=other)
    assert refused.value.status == 404
