"""Orders as staff, partners and the board see them; scorecards; who would get an order."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Window
from django.db.models.functions import Coalesce, RowNumber

from core.errors import InvalidError
from partners.orders import dispatch
from partners.orders.errors import OrderNotFoundError
from partners.orders.models import FulfilmentOrder, OrderOffer, OrderTransition
from partners.orders.scoring import Assessment
from partners.orders.states import OPEN
from partners.pool.queries import Record
from tenants.brands.context import current_brand

_State = FulfilmentOrder.State
SCORECARD_DAYS = 90
_BOARD_STATES = (
    _State.UNASSIGNED,
    _State.OFFERED,
    _State.ACCEPTED,
    _State.SCHEDULED,
    _State.IN_PROGRESS,
)


@dataclass(frozen=True, slots=True)
class OrderView:
    """An order as one partner may see it.

    `state` is the order's while the partner has it, else how its own offer ended (`declined`,
    `timed_out`, `withdrawn`); what happened to the order afterwards is not this partner's.
    """

    order: FulfilmentOrder
    offer: OrderOffer
    state: str

    @property
    def updated_at(self) -> datetime:
        """Return the last change that this partner may see."""
        return self.offer.updated_at


@dataclass(frozen=True, slots=True)
class Card:
    """One order on the board with its clock: what must happen by when."""

    order: FulfilmentOrder
    deadline: datetime | None
    is_late: bool


@dataclass(frozen=True, slots=True)
class Column:
    """One state of the board: how many orders, and the most urgent of them."""

    state: str
    label: str
    count: int
    late: int
    cards: list[Card]


@dataclass(frozen=True, slots=True)
class Scorecard:
    """A partner's 90 days; shares in 0..1, the rating in 1..5; None where there is nothing yet."""

    record: Record
    acceptance: float | None
    on_time: float | None
    failure: float | None
    rating: float | None


def represent(order: FulfilmentOrder, *, state: str | None = None) -> dict[str, Any]:
    """Return the JSON form of an order, as both APIs and refusals give it; nothing personal."""
    brand = current_brand()
    price = order.price_minor
    return {
        "id": order.number,
        "state": state or order.state,
        "version": order.version,
        "benefit": {"code": order.benefit.code, "name": order.benefit.name},
        "region": order.region,
        "wanted_at": _iso(order.wanted_at),
        "service_on": order.service_on.isoformat() if order.service_on else None,
        "requested_at": _iso(order.requested_at),
        "offered_at": _iso(order.offered_at),
        "accept_by": _iso(order.accept_by),
        "accepted_at": _iso(order.accepted_at),
        "due_at": _iso(order.due_at),
        "scheduled_for": _iso(order.scheduled_for),
        "fulfilled_at": _iso(order.fulfilled_at),
        "failure_reason": order.failure_reason,
        "price": None if price is None else {"amount": price, "currency": brand.currency},
        "updated_at": _iso(order.updated_at),
    }


def represent_view(view: OrderView) -> dict[str, Any]:
    """Return the JSON form of an order for its partner; a lost one shows the offer only."""
    order, offer = view.order, view.offer
    found = represent(order, state=view.state)
    if view.state != order.state:
        for name in ("scheduled_for", "accepted_at", "due_at", "fulfilled_at"):
            found[name] = None
        found["failure_reason"] = ""
        found["price"] = None
    if found["price"] is None:
        found["price"] = {"amount": offer.price_minor, "currency": current_brand().currency}
    found["service_on"] = (
        found["service_on"] if view.state == order.state else offer.service_on.isoformat()
    )
    found["offered_at"] = _iso(offer.offered_at)
    found["accept_by"] = _iso(offer.accept_by)
    found["updated_at"] = _iso(offer.updated_at)
    return found


def get_order(*, number: str | None = None, redemption_id: int | None = None) -> FulfilmentOrder:
    """Return an order by its number or its redemption, for staff and the brand's systems.

    :raises OrderNotFoundError: if there is none.
    """
    found = (
        FulfilmentOrder.objects.select_related("benefit", "partner", "member", "redemption")
        .filter(Q(number=number) if number is not None else Q(redemption_id=redemption_id))
        .first()
    )
    if found is None:
        raise OrderNotFoundError
    return found


def get_partner_order(*, number: str, partner_id: int) -> OrderView:
    """Return an order that was offered to this partner at some time.

    :raises OrderNotFoundError: if it was not; whether it exists is not told.
    """
    offer = (
        OrderOffer.objects.select_related("order__benefit")
        .filter(order__number=number, partner_id=partner_id)
        .order_by("-number")
        .first()
    )
    if offer is None:
        raise OrderNotFoundError
    return _view(offer)


def list_partner_orders(
    *,
    partner_id: int,
    state: str | None = None,
    updated_since: datetime | None = None,
    after: str | None = None,
    limit: int = 50,
) -> list[OrderView]:
    """Return what this partner was ever offered, the longest unchanged first, in one query.

    `after` is the `position` of the last one seen. An order that changes moves to the end, so
    following the list misses nothing; callers let `updated_since` overlap by a minute, because
    a change can be committed a moment after its time.

    :raises InvalidError: if `after` is no position.
    """
    later = OrderOffer.objects.filter(
        order=OuterRef("order"), partner=OuterRef("partner"), number__gt=OuterRef("number")
    )
    offers = OrderOffer.objects.select_related("order__benefit").filter(
        ~Exists(later), partner_id=partner_id
    )
    if updated_since is not None:
        offers = offers.filter(updated_at__gte=updated_since)
    if state is not None:
        theirs = Q(order__partner_id=F("partner_id"))
        offers = offers.filter(
            theirs & Q(order__state=state)
            | ~theirs & Q(state=state)
            | Q(order__partner__isnull=True, state=state)
        )
    if after is not None:
        offers = offers.filter(_beyond(after))
    return [_view(offer) for offer in offers.order_by("updated_at", "pk")[:limit]]


def list_orders(
    *,
    partner_id: int | None = None,
    benefit_id: int | None = None,
    member_id: int | None = None,
    state: str | None = None,
    updated_since: datetime | None = None,
    after: str | None = None,
    limit: int = 50,
) -> list[FulfilmentOrder]:
    """Return orders for staff, the last changed first; with `updated_since`, the other way round.

    `after` is the `position` of the last one seen.

    :raises InvalidError: if `after` is no position.
    """
    orders = FulfilmentOrder.objects.select_related("benefit", "partner", "member")
    given = {
        "partner_id": partner_id,
        "benefit_id": benefit_id,
        "member_id": member_id,
        "state": state,
        "updated_at__gte": updated_since,
    }
    orders = orders.filter(**{name: value for name, value in given.items() if value is not None})
    if updated_since is not None:
        orders = orders.filter(_beyond(after)) if after else orders
        return list(orders.order_by("updated_at", "pk")[:limit])
    orders = orders.filter(_before(after)) if after else orders
    return list(orders.order_by("-updated_at", "-pk")[:limit])


def position(item: FulfilmentOrder | OrderView) -> str:
    """Return the place of an item in its list, for `after`."""
    row = item.offer if isinstance(item, OrderView) else item
    return f"{row.updated_at.isoformat()},{row.pk}"


def list_transitions(*, order_id: int) -> QuerySet[OrderTransition]:
    """Return the timeline of an order, first step first."""
    return OrderTransition.objects.filter(order_id=order_id).order_by("number")


def list_offers(*, order_id: int) -> QuerySet[OrderOffer]:
    """Return whom the order was offered to, with the score's parts, first offer first."""
    return OrderOffer.objects.select_related("partner").filter(order_id=order_id).order_by("number")


def count_unassigned() -> int:
    """Return how many orders wait for staff because no partner takes them."""
    return FulfilmentOrder.objects.filter(state=_State.UNASSIGNED).count()


def board(*, at: datetime, partner_id: int | None = None, limit: int = 20) -> list[Column]:
    """Return the open orders by state, the most urgent `limit` of each, in two queries.

    The clock of an offer is its answer, of an accepted order its service standard, and of one
    without a partner the service standard of the benefit.
    """
    orders = FulfilmentOrder.objects.filter(state__in=OPEN)
    if partner_id is not None:
        orders = orders.filter(partner_id=partner_id)
    orders = orders.annotate(
        deadline=Coalesce("due_at", "accept_by", "redemption__due_at"),
    )
    counts = {
        row["state"]: (row["count"], row["late"])
        for row in orders.values("state").annotate(
            count=Count("pk"), late=Count("pk", filter=Q(deadline__lt=at))
        )
    }
    urgent = orders.annotate(
        place=Window(
            RowNumber(),
            partition_by="state",
            order_by=[F("deadline").asc(nulls_last=True), F("pk").asc()],
        )
    ).filter(place__lte=limit)
    cards: dict[str, list[Card]] = {state: [] for state in _BOARD_STATES}
    for order in urgent.select_related("benefit", "partner", "member").order_by("place"):
        deadline = order.deadline
        cards[order.state].append(Card(order, deadline, deadline is not None and deadline < at))
    return [
        Column(
            state=state.value,
            label=str(state.label),
            count=counts.get(state.value, (0, 0))[0],
            late=counts.get(state.value, (0, 0))[1],
            cards=cards[state],
        )
        for state in _BOARD_STATES
    ]


def preview(
    *, benefit_id: int, region: str, at: datetime, wanted_at: datetime | None = None
) -> Assessment:
    """Say who would get an order for this benefit there, and why; and why others would not."""
    return dispatch.look(
        benefit_id=benefit_id,
        region=region,
        wanted_at=wanted_at,
        at=at,
        policy=dispatch.get_policy(),
        everything=True,
    )


_RECORD = """
SELECT p.id AS partner_id,
       coalesce(f.answered, 0), coalesce(f.accepted, 0),
       coalesce(o.closed, 0), coalesce(o.failed, 0), coalesce(o.fulfilled, 0),
       coalesce(o.on_time, 0), coalesce(o.ratings, 0), coalesce(o.rating_sum, 0)
  FROM partners_partner p
  LEFT JOIN (
       SELECT partner_id, count(*) AS answered,
              count(*) FILTER (WHERE state = 'accepted') AS accepted
         FROM partners_orderoffer
        WHERE state IN ('accepted', 'declined', 'timed_out')
          AND answered_at > %(since)s AND answered_at <= %(at)s
        GROUP BY partner_id) f ON f.partner_id = p.id
  LEFT JOIN (
       SELECT o.partner_id, count(*) AS closed,
              count(*) FILTER (WHERE o.state = 'failed') AS failed,
              count(*) FILTER (WHERE o.state <> 'failed') AS fulfilled,
              count(*) FILTER (WHERE o.state <> 'failed' AND o.fulfilled_at <= o.due_at)
                AS on_time,
              count(r.rating) AS ratings, sum(r.rating) AS rating_sum
         FROM partners_fulfilmentorder o
         JOIN benefits_redemption r ON r.id = o.redemption_id
        WHERE o.state IN ('fulfilled', 'disputed', 'failed') AND o.partner_id IS NOT NULL
          AND o.closed_at > %(since)s AND o.closed_at <= %(at)s
        GROUP BY o.partner_id) o ON o.partner_id = p.id
"""


def get_scorecard(*, partner_id: int, at: datetime) -> Scorecard:
    """Return a partner's scorecard over the 90 days to `at`, counted from the orders."""
    with connection.cursor() as cursor:
        cursor.execute(
            _RECORD + " WHERE p.id = %(partner)s",
            {"since": at - timedelta(days=SCORECARD_DAYS), "at": at, "partner": partner_id},
        )
        row = cursor.fetchone()
    return scorecard_of(Record(*row[1:]) if row else Record())


def scorecard_of(record: Record) -> Scorecard:
    """Return the shares of a record."""

    def share(count: int, total: int) -> float | None:
        return count / total if total else None

    return Scorecard(
        record=record,
        acceptance=share(record.offers_accepted, record.offers_answered),
        on_time=share(record.orders_on_time, record.orders_fulfilled),
        failure=share(record.orders_failed, record.orders_closed),
        rating=share(record.rating_sum, record.ratings),
    )


def record_sql() -> str:
    """Return the statement that counts every partner's record, for the nightly job.

    Parameters: `since`, `at`.
    """
    return _RECORD


def _view(offer: OrderOffer) -> OrderView:
    order = offer.order
    return OrderView(
        order, offer, order.state if order.partner_id == offer.partner_id else offer.state
    )


def _iso(instant: datetime | None) -> str | None:
    return instant.isoformat() if instant else None


def _parse(after: str) -> tuple[datetime, int]:
    instant, _, key = after.partition(",")
    try:
        return datetime.fromisoformat(instant), int(key)
    except ValueError:
        raise InvalidError("This is no position in the list.", pointer="/after") from None


def _beyond(after: str) -> Q:
    instant, key = _parse(after)
    # The first part is the range that the index can use.
    return Q(updated_at__gte=instant) & (Q(updated_at__gt=instant) | Q(pk__gt=key))


def _before(after: str) -> Q:
    instant, key = _parse(after)
    return Q(updated_at__lte=instant) & (Q(updated_at__lt=instant) | Q(pk__lt=key))
