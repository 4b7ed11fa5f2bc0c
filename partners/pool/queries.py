"""What the pool holds and can still take."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery

from benefits.grants.models import Redemption
from core.clock import local_date
from partners.pool.errors import OfferingNotFoundError, PartnerNotFoundError
from partners.pool.models import CapacityDay, Offering, OfferingPrice, Partner
from partners.pool.regions import ancestors, fit
from tenants.brands.context import current_brand

_AHEAD_DAYS = 14
_BACK_DAYS = 28


class Record(NamedTuple):
    """Counts of what a partner did over 90 days; all zero for a newcomer."""

    offers_answered: int = 0
    offers_accepted: int = 0
    orders_closed: int = 0
    orders_failed: int = 0
    orders_fulfilled: int = 0
    orders_on_time: int = 0
    ratings: int = 0
    rating_sum: int = 0


class Day(NamedTuple):
    """One day of an offering: what it takes and what is reserved."""

    on_date: date
    capacity: int
    reserved: int
    is_set: bool = False

    @property
    def left(self) -> int:
        """Return how many units can still be reserved."""
        return max(self.capacity - self.reserved, 0)


class Supply(NamedTuple):
    """An offering as dispatch sees it on one day; `days` holds only days that have a row.

    A named tuple, like its parts, because dispatch makes some hundred for each order.

    `price_minor` is None where no price has begun yet.
    """

    offering_id: int
    partner_id: int
    partner_code: str
    partner_name: str
    partner_status: str
    status: str
    regions: list[str]
    capacity_per_day: int
    lead_time_hours: int
    sla_hours: int
    valid_from: date
    valid_to: date | None
    price_minor: int | None
    record: Record
    days: dict[date, Day]


@dataclass(frozen=True, slots=True)
class OfferingView:
    """An offering with the price in force and the one that follows, if any."""

    offering: Offering
    price_minor: int | None
    next_price_minor: int | None
    next_price_from: date | None


@dataclass(frozen=True, slots=True)
class RegionCoverage:
    """One region's target members, and who can serve them today."""

    region: str
    members: int
    offerings: int
    capacity_left: int


@dataclass(frozen=True, slots=True)
class Coverage:
    """How far a benefit's pool reaches; `share` in 0..1, None without target members."""

    members: int
    covered: int
    regions: list[RegionCoverage]

    @property
    def share(self) -> float | None:
        """Return the share of target members whom somebody can serve today."""
        return self.covered / self.members if self.members else None


@dataclass(frozen=True, slots=True)
class Elasticity:
    """Capacity left over the next 14 days against the demand that the last 28 days let expect."""

    capacity_left: int
    expected_demand: float

    @property
    def ratio(self) -> float | None:
        """Return capacity left ÷ expected demand, or None without demand."""
        return self.capacity_left / self.expected_demand if self.expected_demand else None


def get_partner(*, partner_id: int | None = None, code: str | None = None) -> Partner:
    """Return a partner by its key or its code.

    :raises PartnerNotFoundError: if there is none.
    """
    found = Partner.objects.filter(
        Q(pk=partner_id) if partner_id is not None else Q(code=code)
    ).first()
    if found is None:
        raise PartnerNotFoundError
    return found


def list_partners(*, status: str | None = None) -> QuerySet[Partner]:
    """Return the partners by name, each with `offerings_active` and its stored `score`."""
    partners = Partner.objects.select_related("score").annotate(
        offerings_active=Count("offerings", filter=Q(offerings__status="active"))
    )
    if status:
        partners = partners.filter(status=status)
    return partners.order_by("name", "pk")


def get_offering(*, offering_id: int, partner_id: int | None = None) -> Offering:
    """Return an offering; with `partner_id`, only that partner's own.

    :raises OfferingNotFoundError: if there is none.
    """
    offerings = Offering.objects.select_related("partner", "benefit").filter(pk=offering_id)
    if partner_id is not None:
        offerings = offerings.filter(partner_id=partner_id)
    found = offerings.first()
    if found is None:
        raise OfferingNotFoundError
    return found


def list_offerings(
    *,
    on: date,
    partner_id: int | None = None,
    benefit_id: int | None = None,
    after: int | None = None,
    limit: int = 200,
) -> list[OfferingView]:
    """Return offerings by key, with their prices as of a day, in one query."""
    prices = OfferingPrice.objects.filter(offering=OuterRef("pk"))
    current = prices.filter(valid_from__lte=on).order_by("-valid_from")
    coming = prices.filter(valid_from__gt=on).order_by("valid_from")
    offerings = Offering.objects.select_related("partner", "benefit").annotate(
        price_now=Subquery(current.values("price_minor")[:1]),
        price_next=Subquery(coming.values("price_minor")[:1]),
        price_next_from=Subquery(coming.values("valid_from")[:1]),
    )
    if partner_id is not None:
        offerings = offerings.filter(partner_id=partner_id)
    if benefit_id is not None:
        offerings = offerings.filter(benefit_id=benefit_id)
    if after is not None:
        offerings = offerings.filter(pk__gt=after)
    return [
        OfferingView(
            offering=found,
            price_minor=found.price_now,
            next_price_minor=found.price_next,
            next_price_from=found.price_next_from,
        )
        for found in offerings.order_by("pk")[:limit]
    ]


def get_price(*, offering_id: int, on: date) -> int | None:
    """Return the unit price in force on a day, or None before the first price begins."""
    return (
        OfferingPrice.objects.filter(offering_id=offering_id, valid_from__lte=on)
        .order_by("-valid_from")
        .values_list("price_minor", flat=True)
        .first()
    )


def list_days(*, offering: Offering, start: date, days: int = 14) -> list[Day]:
    """Return every day from `start` on, also those that nobody has touched."""
    rows = {
        row.on_date: Day(row.on_date, row.capacity, row.reserved, row.is_set)
        for row in CapacityDay.objects.filter(
            offering=offering, on_date__gte=start, on_date__lt=start + timedelta(days=days)
        )
    }
    dates = (start + timedelta(days=number) for number in range(days))
    return [rows.get(day) or Day(day, offering.capacity_per_day, 0) for day in dates]


_SUPPLY = """
SELECT o.id, o.partner_id, p.code, p.name, p.status, o.status, o.regions, o.capacity_per_day,
       o.lead_time_hours, o.sla_hours, o.valid_from, o.valid_to,
       (SELECT price_minor FROM partners_offeringprice
         WHERE offering_id = o.id AND valid_from <= %(today)s
         ORDER BY valid_from DESC LIMIT 1),
       coalesce(s.offers_answered, 0), coalesce(s.offers_accepted, 0),
       coalesce(s.orders_closed, 0), coalesce(s.orders_failed, 0),
       coalesce(s.orders_fulfilled, 0), coalesce(s.orders_on_time, 0),
       coalesce(s.ratings, 0), coalesce(s.rating_sum, 0),
       ARRAY(SELECT ARRAY[on_date - %(today)s, capacity, reserved]
               FROM partners_capacityday
              WHERE offering_id = o.id AND on_date BETWEEN %(today)s AND %(until)s)
  FROM partners_offering o
  JOIN partners_partner p ON p.id = o.partner_id
  LEFT JOIN partners_partnerscore s ON s.partner_id = o.partner_id
 WHERE o.benefit_id = %(benefit)s
"""
_SERVING = """
   AND o.status = 'active' AND p.status = 'active'
   AND (o.regions = '{}' OR o.regions && %(regions)s::varchar[])
"""


def list_supply(
    *, benefit_id: int, region: str, today: date, until: date, everything: bool = False
) -> list[Supply]:
    """Return the active offerings of a benefit that serve a region, in one query.

    `today` is the brand day whose prices hold; reserved days are read up to `until`. With
    `everything`, offerings that cannot take part are returned as well, to say why.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            _SUPPLY + ("" if everything else _SERVING) + " ORDER BY o.id",
            {
                "benefit": benefit_id,
                "regions": ancestors(region),
                "today": today,
                "until": until,
            },
        )
        rows = cursor.fetchall()
    return [_supply(row, today) for row in rows]


def _supply(row: tuple[Any, ...], today: date) -> Supply:
    days: dict[date, Day] = {}
    for number, capacity, reserved in row[21]:
        day = today + timedelta(days=number)
        days[day] = Day(day, capacity, reserved)
    return Supply._make((*row[:13], Record._make(row[13:21]), days))


_TARGETS = """
SELECT m.region, count(DISTINCT g.member_id)
  FROM benefits_grant g
  JOIN members_member m ON m.id = g.member_id
 WHERE g.benefit_id = %(benefit)s AND g.revoked_at IS NULL
   AND g.starts_at <= %(at)s AND (g.ends_at IS NULL OR g.ends_at > %(at)s)
 GROUP BY m.region
 ORDER BY m.region
"""


def get_coverage(*, benefit_id: int, at: datetime) -> Coverage:
    """Return the share of a benefit's target members whose region can be served today.

    Target members hold an active grant now; a region is covered when at least one active
    offering with a price serves it and has capacity left today (DOMAIN §9). Two queries.
    """
    today = local_date(at, current_brand().timezone)
    with connection.cursor() as cursor:
        cursor.execute(_TARGETS, {"benefit": benefit_id, "at": at})
        targets = cursor.fetchall()
    supplies = [
        (supply, left)
        for supply in _list_active(benefit_id, today=today, until=today)
        if (left := _left(supply, today))
    ]
    regions = []
    for region, members in targets:
        paths = ancestors(region)
        serving = [left for supply, left in supplies if fit(supply.regions, paths) is not None]
        regions.append(RegionCoverage(region, members, len(serving), sum(serving)))
    return Coverage(
        members=sum(each.members for each in regions),
        covered=sum(each.members for each in regions if each.offerings),
        regions=regions,
    )


def get_elasticity(*, benefit_id: int, at: datetime) -> Elasticity:
    """Return how much room a benefit's pool has over the next 14 days, today included.

    Expected demand = half of what was requested in the 28 days before now (DOMAIN §9).
    """
    today = local_date(at, current_brand().timezone)
    days = [today + timedelta(days=number) for number in range(_AHEAD_DAYS)]
    left = sum(
        _left(supply, day)
        for supply in _list_active(benefit_id, today=today, until=days[-1])
        for day in days
    )
    requested = Redemption.objects.filter(
        benefit_id=benefit_id,
        requested_at__gte=at - timedelta(days=_BACK_DAYS),
        requested_at__lt=at,
    ).count()
    return Elasticity(left, requested * _AHEAD_DAYS / _BACK_DAYS)


def _list_active(benefit_id: int, *, today: date, until: date) -> list[Supply]:
    supplies = list_supply(
        benefit_id=benefit_id, region="", today=today, until=until, everything=True
    )
    return [
        supply
        for supply in supplies
        if supply.status == "active"
        and supply.partner_status == "active"
        and supply.price_minor is not None
    ]


def _left(supply: Supply, day: date) -> int:
    if day < supply.valid_from or (supply.valid_to is not None and day >= supply.valid_to):
        return 0
    found = supply.days.get(day)
    return found.left if found else supply.capacity_per_day
