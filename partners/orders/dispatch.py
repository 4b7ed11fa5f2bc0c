"""Finding a partner for an order: rank, reserve a day, offer; and the next one after a refusal.

The reservation and the offer are one transaction. Locks are taken in the order redemption →
order → capacity day, and never two days in any but their key order.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from django.db import connection, transaction

from benefits.catalogue.models import Benefit
from benefits.grants.models import Redemption
from core import ids
from core.actors import SYSTEM, Actor
from core.clock import local_date
from partners.orders import codes
from partners.orders.models import FulfilmentOrder, OrderOffer
from partners.orders.scoring import Assessment, Ranked, Weights, Wish, assess, favour_newcomer
from partners.orders.timeline import Step, advance, tell
from partners.pool.errors import NoCapacityError
from partners.pool.operations import release, reserve
from partners.pool.queries import Supply, list_supply
from tenants.brands.context import current_brand

_NUMBER_LENGTH = 9
_OPEN_REDEMPTION = (Redemption.State.REQUESTED, Redemption.State.CONFIRMED)
Hold = tuple[int, date]  # offering and day


_KNOWN = """
SELECT EXISTS (SELECT 1 FROM partners_fulfilmentorder WHERE redemption_id = %s),
       weight_coverage, weight_capacity, weight_price, weight_scorecard, weight_lead_time,
       accept_minutes, horizon_days, newcomer_percent, newcomer_offers
  FROM (VALUES (1)) one (row) LEFT JOIN partners_dispatchpolicy ON true
"""
_POLICY = _KNOWN.replace("redemption_id = %s", "false")
_REQUEST = """
SELECT r.state, r.benefit_id, b.code, r.member_id, coalesce(nullif(r.region, ''), m.region),
       r.slot_at, r.requested_at, r.code
  FROM benefits_redemption r
  JOIN benefits_benefit b ON b.id = r.benefit_id
  JOIN members_member m ON m.id = r.member_id
 WHERE r.id = %s
   FOR NO KEY UPDATE OF r
"""
_INSERT = """
WITH made AS (
    INSERT INTO partners_fulfilmentorder
        (number, redemption_id, benefit_id, member_id, region, wanted_at, state, version, round,
         partner_id, offering_id, service_on, verification_digest, requested_at, offered_at,
         accept_by, failure_reason, note, evidence, updated_at)
    VALUES (%(number)s, %(redemption_id)s, %(benefit_id)s, %(member_id)s, %(region)s,
            %(wanted_at)s, %(state)s, %(version)s, %(round)s, %(partner_id)s, %(offering_id)s,
            %(service_on)s, %(verification_digest)s, %(requested_at)s, %(offered_at)s,
            %(accept_by)s, '', '', %(evidence)s, %(updated_at)s)
    RETURNING id
), asked AS (
    INSERT INTO partners_orderoffer
        (order_id, number, round, partner_id, offering_id, service_on, price_minor, score, parts,
         state, reason, offered_at, accept_by, updated_at)
    SELECT id, 1, %(round)s, %(partner_id)s, %(offering_id)s, %(service_on)s, %(offer_price)s,
           %(score)s, %(parts)s, 'offered', '', %(at)s, %(accept_by)s, %(at)s
      FROM made WHERE %(partner_id)s IS NOT NULL
), stepped AS (
    INSERT INTO partners_ordertransition
        (order_id, number, event, from_state, to_state, partner_id, actor_kind, actor_label,
         reason, data, at)
    SELECT id, %(version)s, %(event)s, '', %(state)s, %(partner_id)s, %(actor)s, %(label)s, '',
           %(data)s, %(at)s
      FROM made
)
SELECT id FROM made
"""


class _Request(NamedTuple):
    """What a redemption asks for, as dispatch needs it."""

    state: str
    benefit: Benefit
    member_id: int
    region: str
    wanted_at: datetime | None
    requested_at: datetime
    code: str


@dataclass(frozen=True, slots=True)
class Policy:
    """The brand's dispatch policy as plain values."""

    weights: Weights = field(default_factory=Weights)
    accept_minutes: int = 30
    horizon_days: int = 7
    newcomer_percent: int = 5
    newcomer_offers: int = 10


def get_policy() -> Policy:
    """Return the brand's dispatch policy, or the defaults where it has set none."""
    with connection.cursor() as cursor:
        cursor.execute(_POLICY)
        row = cursor.fetchone()
    return _policy(row[1:])


def _policy(row: Sequence[Any]) -> Policy:
    return Policy() if row[0] is None else Policy(Weights(*row[:5]), *row[5:])


def look(
    *,
    benefit_id: int,
    region: str,
    wanted_at: datetime | None,
    at: datetime,
    policy: Policy,
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
    return assess(supplies, wish, policy.weights, asked=asked)


def open_order(*, redemption_id: int, at: datetime) -> FulfilmentOrder | None:
    """Make the order of a redemption and offer it to the best partner; at most once each.

    Return None when the redemption was closed before anybody was asked. The work of one order
    in eight statements, written in SQL where the ORM's own time would be the larger part.
    """
    wanted = _lock_request(redemption_id)
    has_order, policy = _read_after_lock(redemption_id)
    if has_order:
        return FulfilmentOrder.objects.select_related("benefit").get(redemption_id=redemption_id)
    if wanted.state not in _OPEN_REDEMPTION:
        return None
    found = look(
        benefit_id=wanted.benefit.pk,
        region=wanted.region,
        wanted_at=wanted.wanted_at,
        at=at,
        policy=policy,
    )
    ranked = favour_newcomer(
        found.ranked,
        draw=redemption_id % 100,
        percent=policy.newcomer_percent,
        offers=policy.newcomer_offers,
    )
    choice = _reserve_best(ranked)
    number = f"F{ids.readable_code(_NUMBER_LENGTH)}"
    step = _nobody(found, policy) if choice is None else _offered(choice, at, policy)
    order = FulfilmentOrder(
        number=number,
        redemption_id=redemption_id,
        benefit=wanted.benefit,
        member_id=wanted.member_id,
        region=wanted.region,
        wanted_at=wanted.wanted_at,
        state=step.to_state,
        verification_digest=codes.digest(number=number, code=wanted.code),
        requested_at=wanted.requested_at,
        updated_at=at,
        **(_assignment(choice, at, policy) if choice else _NO_ASSIGNMENT),
    )
    _insert(order, step, choice, at=at, policy=policy)
    tell(order, step, version=1, at=at)
    return order


def _lock_request(redemption_id: int) -> _Request:
    with connection.cursor() as cursor:
        cursor.execute(_REQUEST, [redemption_id])
        state, benefit_id, benefit_code, *rest = cursor.fetchone()
    # Its other fields are loaded when somebody asks for them.
    benefit = Benefit.from_db(None, ["id", "code"], [benefit_id, benefit_code])
    return _Request(state, benefit, *rest)


def _read_after_lock(redemption_id: int) -> tuple[bool, Policy]:
    """Return whether there is an order already, and the policy.

    A statement of its own: the one that waited for the lock has seen the time before it.
    """
    with connection.cursor() as cursor:
        cursor.execute(_KNOWN, [redemption_id])
        has_order, *row = cursor.fetchone()
    return has_order, _policy(row)


def _insert(
    order: FulfilmentOrder, step: Step, choice: Ranked | None, *, at: datetime, policy: Policy
) -> None:
    """Write the order, its first offer if there is one, and its first transition."""
    values: dict[str, Any] = {
        **vars(order),
        "evidence": "{}",
        "score": choice.score if choice else None,
        "offer_price": choice.price_minor if choice else None,
        "parts": json.dumps(_parts(choice, policy)) if choice else None,
        "event": step.event,
        "actor": SYSTEM.kind,
        "label": SYSTEM.label,
        "data": json.dumps(step.data),
        "at": at,
    }
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, values)
        (order.pk,) = cursor.fetchone()
    # Django's documented way to say that an instance is stored.
    order._state.adding = False  # noqa: SLF001
    order._state.db = connection.alias  # noqa: SLF001


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
    return supply._replace(days={**supply.days, own[1]: day._replace(reserved=day.reserved - 1)})


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


def _assignment(choice: Ranked, at: datetime, policy: Policy) -> dict[str, Any]:
    return {
        **_NO_ASSIGNMENT,
        "partner_id": choice.supply.partner_id,
        "offering_id": choice.supply.offering_id,
        "service_on": choice.service_on,
        "offered_at": at,
        "accept_by": at + timedelta(minutes=policy.accept_minutes),
    }


def _offered(choice: Ranked, at: datetime, policy: Policy) -> Step:
    return Step(
        event="offered",
        to_state=FulfilmentOrder.State.OFFERED,
        partner_id=choice.supply.partner_id,
        data={
            "service_on": choice.service_on.isoformat(),
            "accept_by": (at + timedelta(minutes=policy.accept_minutes)).isoformat(),
            "price": {"amount": choice.price_minor, "currency": current_brand().currency},
        },
    )


def _nobody(found: Assessment, policy: Policy) -> Step:
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
    order: FulfilmentOrder, choice: Ranked, *, number: int, at: datetime, policy: Policy
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
        parts=_parts(choice, policy),
        offered_at=at,
        accept_by=at + timedelta(minutes=policy.accept_minutes),
        updated_at=at,
    )


def _parts(choice: Ranked, policy: Policy) -> dict[str, Any]:
    return {**choice.parts, "weights": asdict(policy.weights)}
