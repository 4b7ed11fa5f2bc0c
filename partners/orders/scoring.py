"""Who should get an order, and why. Pure functions over plain values.

Every part is an integer from 0 to 10,000, and so is the score: the mean of the parts by the
brand's weights, rounded down.

- coverage: how closely the offering's regions fit the member's (`pool.regions.nearness`)
- capacity: share of the day's capacity that is still free
- price: the cheapest price asked ÷ this price
- scorecard: acceptance, on-time, success and rating of 90 days (`scorecard`)
- lead time: 24 ÷ (24 + hours until the service could start)
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

from core.clock import local_date
from partners.pool.queries import Day, Record, Supply
from partners.pool.regions import ancestors, fit

FULL = 10_000
PARTS = ("coverage", "capacity", "price", "scorecard", "lead_time")
# What is believed of a partner before it has a record, and how many orders' worth of it.
_PRIOR = 9_000
_PRIOR_WEIGHT = 5

LeftOutReason = Literal[
    "partner_not_active",
    "offering_not_active",
    "outside_region",
    "no_price",
    "no_capacity",
    "not_valid",
    "already_asked",
]


@dataclass(frozen=True, slots=True)
class Weights:
    """How much each part counts; only their proportions matter."""

    coverage: int = 15
    capacity: int = 25
    price: int = 25
    scorecard: int = 25
    lead_time: int = 10


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for: where, from when on, and how far ahead a free day is looked for."""

    region: str
    at: datetime
    wanted_at: datetime | None
    zone: str
    horizon_days: int


class Ranked(NamedTuple):
    """A partner that could take the order, with the day it would be and the parts of its score."""

    supply: Supply
    price_minor: int
    service_on: date
    score: int
    parts: dict[str, int]


class LeftOut(NamedTuple):
    """A partner that could not, and the first reason."""

    supply: Supply
    reason: LeftOutReason


@dataclass(frozen=True, slots=True)
class Assessment:
    """All that dispatch knows about one order: the best first, then who was left out."""

    ranked: list[Ranked]
    left_out: list[LeftOut]


def scorecard(record: Record) -> int:
    """Return one figure for a record: 30 % acceptance, 30 % on time, 20 % success, 20 % rating.

    Each share is drawn towards 90 % as if five such orders had gone before, so that one refusal
    does not end a newcomer. Ratings 1 to 5 count as 0 to 100 %.
    """
    rating = FULL * (record.rating_sum - record.ratings) // 4
    return (
        30 * _share(record.offers_accepted, record.offers_answered)
        + 30 * _share(record.orders_on_time, record.orders_fulfilled)
        + 20 * _share(record.orders_closed - record.orders_failed, record.orders_closed)
        + 20 * _drawn(rating, record.ratings)
    ) // 100


def assess(
    supplies: Iterable[Supply], wish: Wish, weights: Weights, *, asked: Collection[int] = ()
) -> Assessment:
    """Rank the offerings for a wish; partners whose key is in `asked` are left out.

    Equal scores go to the cheaper, then to the lower key, so that the answer is always the same.
    """
    paths = ancestors(wish.region)
    starts: dict[int, _Start] = {}
    fits: list[tuple[Supply, int, Day, int]] = []
    left_out: list[LeftOut] = []
    for supply in supplies:
        start = starts.get(supply.lead_time_hours)
        if start is None:
            start = starts[supply.lead_time_hours] = _start(wish, supply.lead_time_hours)
        found = _fit(supply, wish, start, paths, asked)
        if isinstance(found, str):
            left_out.append(LeftOut(supply, found))
        else:
            fits.append((supply, *found))
    cheapest = min((supply.price_minor or 0 for supply, *_ in fits), default=0)
    shares = {name: int(getattr(weights, name)) for name in PARTS}
    total = sum(shares.values()) or 1
    ranked = [
        _ranked(supply, near, day, wait, cheapest, shares, total)
        for supply, near, day, wait in fits
    ]
    ranked.sort(key=lambda each: (-each.score, each.price_minor, each.supply.partner_id))
    return Assessment(ranked, left_out)


def favour_newcomer(ranked: list[Ranked], *, draw: int, percent: int, offers: int) -> list[Ranked]:
    """Put the best newcomer first for `percent` of 100 draws, so that it can earn a record.

    A newcomer has answered fewer than `offers` offers. `draw` is 0 to 99, the same for the same
    order. The part `newcomer` says that this, and not the score, has put it first.
    """
    if draw >= percent:
        return ranked
    best = next((each for each in ranked if each.supply.record.offers_answered < offers), None)
    if best is None or best is ranked[0]:
        return ranked
    first = best._replace(parts={**best.parts, "newcomer": FULL})
    return [first, *(each for each in ranked if each is not best)]


def first_day(supply: Supply, wish: Wish) -> tuple[Day, int] | LeftOutReason:
    """Return the first day with room, and the hours until the service could start then.

    The search begins when the lead time is over, or when the member wants it if that is later.
    """
    return _first_day(supply, wish, _start(wish, supply.lead_time_hours))


class _Start(NamedTuple):
    """When a service with some lead time could begin: the instant, its brand day, the hours."""

    instant: datetime
    on_date: date
    wait: int


def _start(wish: Wish, lead_time_hours: int) -> _Start:
    earliest = wish.at + timedelta(hours=lead_time_hours)
    instant = max(earliest, wish.wanted_at) if wish.wanted_at else earliest
    return _Start(instant, local_date(instant, wish.zone), _hours(wish, instant))


def _hours(wish: Wish, instant: datetime) -> int:
    waited = (instant - (wish.wanted_at or wish.at)).total_seconds()
    return max(int(waited // 3600), 0)


def _first_day(supply: Supply, wish: Wish, start: _Start) -> tuple[Day, int] | LeftOutReason:
    reason: LeftOutReason = "not_valid"
    for number in range(wish.horizon_days):
        on_date = start.on_date + timedelta(days=number) if number else start.on_date
        if on_date < supply.valid_from:
            continue
        if supply.valid_to is not None and on_date >= supply.valid_to:
            break
        reason = "no_capacity"
        day = supply.days.get(on_date) or Day(on_date, supply.capacity_per_day, 0)
        if day.reserved < day.capacity:
            if number == 0:
                return day, start.wait
            return day, _hours(wish, datetime.combine(on_date, time(), ZoneInfo(wish.zone)))
    return reason


def _fit(
    supply: Supply, wish: Wish, start: _Start, paths: Sequence[str], asked: Collection[int]
) -> tuple[int, Day, int] | LeftOutReason:
    if supply.partner_status != "active":
        return "partner_not_active"
    if supply.status != "active":
        return "offering_not_active"
    near = fit(supply.regions, paths)
    if near is None:
        return "outside_region"
    if supply.partner_id in asked:
        return "already_asked"
    if supply.price_minor is None:
        return "no_price"
    found = _first_day(supply, wish, start)
    return found if isinstance(found, str) else (near, *found)


def _ranked(
    supply: Supply,
    near: int,
    day: Day,
    wait: int,
    cheapest: int,
    shares: dict[str, int],
    total: int,
) -> Ranked:
    price = supply.price_minor or 0
    parts = {
        "coverage": near,
        "capacity": FULL * day.left // day.capacity,
        "price": FULL * cheapest // price if price else FULL,
        "scorecard": scorecard(supply.record),
        "lead_time": FULL * 24 // (24 + wait),
    }
    score = sum(parts[name] * share for name, share in shares.items()) // total
    return Ranked(supply, price, day.on_date, score, parts)


def _share(count: int, total: int) -> int:
    return _drawn(FULL * count, total)


def _drawn(total: int, count: int) -> int:
    """Return the mean of `count` values that sum to `total`, drawn towards the prior."""
    return (total + _PRIOR * _PRIOR_WEIGHT) // (count + _PRIOR_WEIGHT)
