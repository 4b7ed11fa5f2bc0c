"""Orders as staff, partners and the board see them; scorecards; who would get an order."""

import json
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

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


class OrderView(NamedTuple):
    """An order as one partner may see it, in plain values: a list of them is one cheap query.

    `state` is the order's while the partner has it, else how its own offer ended (`declined`,
    `timed_out`, `withdrawn`); what happened to the order afterwards is not this partner's.
    `price_minor` is the price offered until it is accepted, then the one that will be settled.
    """

    offer_id: int
    number: str
    state: str
    version: int
    benefit_code: str
    benefit_name: dict[str, str]
    region: str
    wanted_at: datetime | None
    service_on: date
    requested_at: datetime
    offered_at: datetime
    accept_by: datetime
    accepted_at: datetime | None
    due_at: datetime | None
    scheduled_for: datetime | None
    fulfilled_at: datetime | None
    failure_reason: str
    price_minor: int
    updated_at: datetime


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
    """Return the JSON form of an order for its partner: the same members as `represent`."""
    return {
        "id": view.number,
        "state": view.state,
        "version": view.version,
        "benefit": {"code": view.benefit_code, "name": view.benefit_name},
        "region": view.region,
        "wanted_at": _iso(view.wanted_at),
        "service_on": view.service_on.isoformat(),
        "requested_at": _iso(view.requested_at),
        "offered_at": _iso(view.offered_at),
        "accept_by": _iso(view.accept_by),
        "accepted_at": _iso(view.accepted_at),
        "due_at": _iso(view.due_at),
        "scheduled_for": _iso(view.scheduled_for),
        "fulfilled_at": _iso(view.fulfilled_at),
        "failure_reason": view.failure_reason,
        "price": {"amount": view.price_minor, "currency": current_brand().currency},
        "updated_at": _iso(view.updated_at),
    }


def get_order(
    *, number: str | None = None, redemption_id: int | None = None, partner_id: int | None = None
) -> FulfilmentOrder:
    """Return an order by its number or its redemption, to act on.

    With `partner_id`, only an order that was offered to this partner at some time.

    :raises OrderNotFoundError: if there is none; to a partner it is not told why.
    """
    orders = FulfilmentOrder.objects.select_related("benefit", "partner", "member", "redemption")
    if partner_id is not None:
        orders = orders.filter(
            Exists(OrderOffer.objects.filter(order=OuterRef("pk"), partner_id=partner_id))
        )
    found = orders.filter(
        Q(number=number) if number is not None else Q(redemption_id=redemption_id)
    ).first()
    if found is None:
        raise OrderNotFoundError
    return found


_VIEW = """
SELECT f.id, o.number, CASE WHEN mine THEN o.state ELSE f.state END, o.version,
       b.code, b.name, o.region, o.wanted_at,
       CASE WHEN mine THEN o.service_on ELSE f.service_on END,
       o.requested_at, f.offered_at, f.accept_by,
       CASE WHEN mine THEN o.accepted_at END,
       CASE WHEN mine THEN o.due_at END,
       CASE WHEN mine THEN o.scheduled_for END,
       CASE WHEN mine THEN o.fulfilled_at END,
       CASE WHEN mine THEN o.failure_reason ELSE '' END,
       coalesce(CASE WHEN mine THEN o.price_minor END, f.price_minor),
       f.updated_at
  FROM partners_orderoffer f
  JOIN partners_fulfilmentorder o ON o.id = f.order_id
  JOIN benefits_benefit b ON b.id = o.benefit_id
 CROSS JOIN LATERAL (SELECT o.partner_id IS NOT DISTINCT FROM f.partner_id AS mine) whose
 WHERE f.partner_id = %(partner)s
   AND NOT EXISTS (SELECT 1 FROM partners_orderoffer later
                    WHERE later.order_id = f.order_id AND later.partner_id = f.partner_id
                      AND later.number > f.number)
"""


def get_partner_order(*, number: str, partner_id: int) -> OrderView:
    """Return what this partner may see of an order that was offered to it at some time.

    :raises OrderNotFoundError: if it was not; whether it exists is not told.
    """
    found = _views(_VIEW + " AND o.number = %(number)s", {"partner": partner_id, "number": number})
    if not found:
        raise OrderNotFoundError
    return found[0]


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
    values: dict[str, Any] = {"partner": partner_id, "limit": limit}
    conditions = ""
    if updated_since is not None:
        values["since"] = updated_since
        conditions += " AND f.updated_at >= %(since)s"
    if state is not None:
        values["state"] = state
        conditions += " AND CASE WHEN mine THEN o.state ELSE f.state END = %(state)s"
    if after is not None:
        values["instant"], values["key"] = _parse(after)
        conditions += " AND (f.updated_at, f.id) > (%(instant)s, %(key)s)"
    return _views(_VIEW + conditions + " ORDER BY f.updated_at, f.id LIMIT %(limit)s", values)


def _views(sql: str, values: dict[str, Any]) -> list[OrderView]:
    names: dict[str, dict[str, str]] = {}
    views = []
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        for row in cursor.fetchall():
            name = names.get(row[5])
            if name is None:
                name = names[row[5]] = json.loads(row[5])
            views.append(OrderView._make((*row[:5], name, *row[6:])))
    return views


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
    key = item.offer_id if isinstance(item, OrderView) else item.pk
    return f"{item.updated_at.isoformat()},{key}"


def list_transitions(*, order_id: int) -> QuerySet[OrderTransition]:
    """Return the timeline of an order, first step first."""
    return OrderTransition.objects.filter(order_id=order_id).order_by("number")


def list_offers(*, order_id: int) -> QuerySet[OrderOffer]:
    """Return whom the order was offered to, with the score's parts, first offer first."""
    return OrderOffer.objects.select_related("partner").filter(order_id=order_id).order_by("number")


def count_for_staff(*, at: datetime) -> tuple[int, int]:
    """Return how many orders no partner takes, and how many accepted ones are late: one query."""
    found = FulfilmentOrder.objects.filter(state__in={*OPEN, _State.UNASSIGNED}).aggregate(
        unassigned=Count("pk", filter=Q(state=_State.UNASSIGNED)),
        late=Count("pk", filter=Q(state__in=OPEN, due_at__lt=at)),
    )
    return found["unassigned"], found["late"]


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
