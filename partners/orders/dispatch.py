"""Finding a partner for an order: rank, reserve a day, offer; and the next one after a refusal.

The reservation and the offer are one transaction. Locks are taken in the order redemption →
order → capacity day, and never two days in any but their key order.
"""

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

from django.db import transaction

from benefits.catalogue.models import Benefit
from benefits.grants.models import Redemption
from core import ids
from core.actors import SYSTEM, Actor
from core.clock import local_date
from partners.orders import codes
from partners.orders.models import DispatchPolicy, FulfilmentOrder, OrderOffer
from partners.orders.scoring import PARTS, Assessment, Ranked, Weights, Wish, assess
from partners.orders.timeline import Step, advance, write
from partners.pool.errors import NoCapacityError
from partners.pool.operations import release, reserve
from partners.pool.queries import Supply, list_supply
from tenants.brands.context import current_brand

_NUMBER_LENGTH = 9
Hold = tuple[int, date]  # offering and day


def get_policy() -> DispatchPolicy:
    """Return the brand's dispatch policy, or the defaults where it has set none."""
    return DispatchPolicy.objects.first() or DispatchPolicy()


def weights_of(policy: DispatchPolicy) -> Weights:
    """Return the policy's weights as plain values."""
    return Weights(**{name: getattr(policy, f"weight_{name}") for name in PARTS})


def look(
    *,
    benefit_id: int,
    region: str,
    wanted_at: datetime | None,
    at: datetime,
    policy: DispatchPolicy,
    asked: frozenset[int] = frozenset(),
    own: Hold | None = None,
    everything: bool = False,
) -> Assessment:
    """Rank the partners for a wish, in one query; with `everything`, say why others are out.

    The unit that the order itself holds (`own`) counts as free.
    """
    zone = current_brand().timezone
    today = local_date(at, zone)
    last = max(today, local_date(wanted_at, zone)) if wanted_at else today
    supplies = list_supply(
        benefit_id=benefit_id,
        region=region,
        today=today,
        until=last + timedelta(days=policy.horizon_days),
        everything=everything,
    )
    if own is not None:
        supplies = [_without(supply, own) for supply in supplies]
    wish = Wish(region, at, wanted_at, zone, policy.horizon_days)
    return assess(supplies, wish, weights_of(policy), asked=asked)


def open_order(*, redemption: Redemption, benefit: Benefit, at: datetime) -> FulfilmentOrder:
    """Make the order of a redemption and offer it to the best partner; at most once each.

    The caller holds the redemption's lock.
    """
    existing = (
        FulfilmentOrder.objects.select_related("benefit").filter(redemption=redemption).first()
    )
    if existing is not None:
        return existing
    region = redemption.region or redemption.member.region
    policy = get_policy()
    found = look(
        benefit_id=benefit.pk, region=region, wanted_at=redemption.slot_at, at=at, policy=policy
    )
    choice = _reserve_best(found.ranked)
    number = f"F{ids.readable_code(_NUMBER_LENGTH)}"
    order = FulfilmentOrder(
        number=number,
        redemption=redemption,
        benefit=benefit,
        member_id=redemption.member_id,
        region=region,
        wanted_at=redemption.slot_at,
        verification_digest=codes.digest(number=number, code=redemption.code),
        requested_at=redemption.requested_at,
        state=FulfilmentOrder.State.UNASSIGNED,
        updated_at=at,
        version=1,
    )
    if choice is None:
        steps = [_nobody(found, policy)]
    else:
        steps = [_offered(choice, at, policy)]
        for name, value in _assignment(choice, at, policy).items():
            setattr(order, name, value)
    order.state = steps[0].to_state
    order.save(force_insert=True)
    if choice is not None:
        _offer(order, choice, number=1, at=at, policy=policy)
    write(order, steps, before="", number=0, by=SYSTEM, at=at)
    return order


def pass_on(
    order: FulfilmentOrder,
    first: Step,
    *,
    offer_state: str,
    new_round: bool = False,
    by: Actor,
    at: datetime,
) -> None:
    """Take the order from its partner, if it has one, and offer it to the next best.

    The caller holds the order's lock; `first` is the step that brought this about.
    """
    policy = get_policy()
    given_up = _hold_of(order)
    round_number = order.round + 1 if new_round else order.round
    offers = list(order.offers.order_by("number"))
    asked = frozenset(each.partner_id for each in offers if each.round == round_number)
    found = look(
        benefit_id=order.benefit_id,
        region=order.region,
        wanted_at=order.wanted_at,
        at=at,
        policy=policy,
        asked=asked,
        own=given_up,
    )
    # Who has it now is asked again only when nobody else can take it.
    others = [each for each in found.ranked if each.supply.partner_id != order.partner_id]
    same = [each for each in found.ranked if each.supply.partner_id == order.partner_id]
    choice = _exchange(given_up, [*others, *same])
    if choice is None:
        steps = [first, _nobody(found, policy)]
        fields = _NO_ASSIGNMENT
    else:
        steps = [first, _offered(choice, at, policy)]
        fields = _assignment(choice, at, policy)
    order.offers.filter(state__in=["offered", "accepted"]).update(
        state=offer_state, reason=first.reason, answered_at=at, updated_at=at
    )
    advance(order, steps, by=by, at=at, round=round_number, **fields)
    if choice is not None:
        _offer(order, choice, number=len(offers) + 1, at=at, policy=policy)


def change_day(order: FulfilmentOrder, on_date: date) -> None:
    """Move the order's reserved unit to another day of the same offering.

    :raises NoCapacityError: if nothing is left on that day.
    """
    hold = _hold_of(order)
    if hold is None or hold[1] == on_date:
        return
    offering_id, before = hold
    if before < on_date:
        release(offering_id=offering_id, on_date=before)
    reserve(offering_id=offering_id, on_date=on_date)
    if before > on_date:
        release(offering_id=offering_id, on_date=before)


def let_go(order: FulfilmentOrder) -> None:
    """Give the order's reserved unit back, in the transaction that ends its work."""
    hold = _hold_of(order)
    if hold is not None:
        release(offering_id=hold[0], on_date=hold[1])


def _hold_of(order: FulfilmentOrder) -> Hold | None:
    if order.offering_id is None or order.service_on is None:
        return None
    return order.offering_id, order.service_on


def _without(supply: Supply, own: Hold) -> Supply:
    day = supply.days.get(own[1]) if supply.offering_id == own[0] else None
    if day is None:
        return supply
    return replace(supply, days={**supply.days, own[1]: replace(day, reserved=day.reserved - 1)})


def _reserve_best(ranked: list[Ranked]) -> Ranked | None:
    """Reserve the day of the best partner that still has room, and return it."""
    for choice in ranked:
        try:
            reserve(offering_id=choice.supply.offering_id, on_date=choice.service_on)
        except NoCapacityError:
            continue
        return choice
    return None


def _exchange(given_up: Hold | None, ranked: list[Ranked]) -> Ranked | None:
    """Give one unit back and reserve another, touching the two days in key order.

    Two orders that change places would otherwise wait for each other.
    """
    if given_up is None:
        return _reserve_best(ranked)
    for choice in ranked:
        wanted = (choice.supply.offering_id, choice.service_on)
        try:
            with transaction.atomic():
                if given_up <= wanted:
                    release(offering_id=given_up[0], on_date=given_up[1])
                reserve(offering_id=wanted[0], on_date=wanted[1])
                if given_up > wanted:
                    release(offering_id=given_up[0], on_date=given_up[1])
        except NoCapacityError:
            continue
        return choice
    release(offering_id=given_up[0], on_date=given_up[1])
    return None


_NO_ASSIGNMENT: dict[str, Any] = {
    "partner_id": None,
    "offering_id": None,
    "service_on": None,
    "price_minor": None,
    "offered_at": None,
    "accept_by": None,
    "accepted_at": None,
    "due_at": None,
    "scheduled_for": None,
}


def _assignment(choice: Ranked, at: datetime, policy: DispatchPolicy) -> dict[str, Any]:
    return {
        **_NO_ASSIGNMENT,
        "partner_id": choice.supply.partner_id,
        "offering_id": choice.supply.offering_id,
        "service_on": choice.service_on,
        "offered_at": at,
        "accept_by": at + timedelta(minutes=policy.accept_minutes),
    }


def _offered(choice: Ranked, at: datetime, policy: DispatchPolicy) -> Step:
    return Step(
        event="offered",
        to_state=FulfilmentOrder.State.OFFERED,
        partner_id=choice.supply.partner_id,
        data={
            "service_on": choice.service_on.isoformat(),
            "accept_by": (at + timedelta(minutes=policy.accept_minutes)).isoformat(),
            "price_minor": choice.price_minor,
            "score": choice.score,
        },
    )


def _nobody(found: Assessment, policy: DispatchPolicy) -> Step:
    reasons: dict[str, int] = {}
    for each in found.left_out:
        reasons[each.reason] = reasons.get(each.reason, 0) + 1
    if found.ranked:  # all of them were taken between the look and the reservation
        reasons["no_capacity"] = reasons.get("no_capacity", 0) + len(found.ranked)
    return Step(
        event="unassigned",
        to_state=FulfilmentOrder.State.UNASSIGNED,
        data={"left_out": reasons, "horizon_days": policy.horizon_days},
    )


def _offer(
    order: FulfilmentOrder, choice: Ranked, *, number: int, at: datetime, policy: DispatchPolicy
) -> None:
    OrderOffer.objects.create(
        order=order,
        number=number,
        round=order.round,
        partner_id=choice.supply.partner_id,
        offering_id=choice.supply.offering_id,
        service_on=choice.service_on,
        price_minor=choice.price_minor,
        score=choice.score,
        parts={
            **choice.parts,
            "weights": {name: getattr(policy, f"weight_{name}") for name in PARTS},
        },
        offered_at=at,
        accept_by=at + timedelta(minutes=policy.accept_minutes),
        updated_at=at,
    )
