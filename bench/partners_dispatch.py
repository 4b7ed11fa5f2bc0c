"""Dispatch: 2,000 orders over 200 partners, three regions deep, every fifth offer declined.

Regions are a nation of 5 provinces of 8 cities. Of the partners 40 % serve two cities, 40 % a
province and 20 % the nation, so that an order of a city has some sixty candidates. Each order is
requested as the event handler does it: lock, rank, reserve, offer, timeline, outbox, commit.
"""

import multiprocessing
import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from django.db import connection, transaction

from bench.harness import BENCH, Result
from benefits.catalogue.models import Benefit
from benefits.grants.models import Grant, Redemption
from benefits.grants.terms import freeze
from core import ids
from core.actors import SYSTEM, Actor
from members.profiles.models import Member
from partners.orders.invariants import CHECKS
from partners.orders.models import FulfilmentOrder, OrderOffer
from partners.orders.operations import decline, request_order
from partners.pool.models import Offering, OfferingPrice, Partner
from tenants.brands.context import platform_context, tenant_context
from tenants.brands.models import Brand
from tenants.brands.operations import create_brand

ORDERS = 2_000
PARTNERS = 200
ROUNDS = 3
AT = datetime(2026, 3, 15, 4, 0, tzinfo=UTC)
CITIES = [f"cn/{province:02}/{city:02}" for province in range(5) for city in range(8)]


@contextmanager
def fresh_brand() -> Iterator[Brand]:
    """Make a brand for one run and remove it afterwards."""
    slug = f"bench-{ids.readable_code(8).lower()}"
    brand = create_brand(
        slug=slug, name="Bench", locale="en", timezone="Asia/Shanghai", currency="CNY", by=SYSTEM
    )
    try:
        with tenant_context(brand):
            yield brand
    finally:
        with platform_context(), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f'DROP SCHEMA "{brand.schema_name}" CASCADE')
            brand.delete()


def fill(*, orders: int, partners: int) -> list[int]:
    """Make the pool and the redemptions; return the redemptions' keys."""
    chance = random.Random(7)
    benefit = Benefit.objects.create(
        code="care", kind="partner_service", name={"en": "Care"}, channel="partner", created_at=AT
    )
    made = Partner.objects.bulk_create(
        Partner(code=f"p{n}", name=f"Partner {n}", status="active", invited_at=AT)
        for n in range(partners)
    )
    offerings = Offering.objects.bulk_create(
        Offering(
            partner=partner,
            benefit=benefit,
            regions=_served(number, chance),
            # room for everything, so that scoring and not refusal is measured
            capacity_per_day=chance.randint(20, 60),
            lead_time_hours=chance.choice([0, 4, 24, 48]),
            valid_from=AT.date() - timedelta(days=30),
            updated_at=AT,
        )
        for number, partner in enumerate(made)
    )
    OfferingPrice.objects.bulk_create(
        OfferingPrice(
            offering=offering,
            valid_from=AT.date() - timedelta(days=30 - back),
            price_minor=chance.randint(3_000, 9_000),
            set_at=AT,
        )
        for offering in offerings
        for back in (0, 20)
    )
    members = Member.objects.bulk_create(
        Member(external_id=f"m{n}", enrolled_at=AT, region=chance.choice(CITIES))
        for n in range(orders)
    )
    terms = freeze(benefits=[benefit], at=AT)[benefit.pk]
    grants = Grant.objects.bulk_create(
        Grant(
            member=member,
            benefit=benefit,
            terms=terms,
            period_key="bench",
            quantity=1,
            used=1,
            issued_at=AT,
            starts_at=AT - timedelta(days=1),
            reason={},
        )
        for member in members
    )
    redemptions = Redemption.objects.bulk_create(
        Redemption(
            key=ids.uuid7(),
            grant=grant,
            member=member,
            benefit=benefit,
            channel="partner",
            code=ids.readable_code(8),
            region=member.region,
            requested_at=AT,
            requested_by="system",
        )
        for grant, member in zip(grants, members, strict=True)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return [redemption.pk for redemption in redemptions]


def _served(number: int, chance: random.Random) -> list[str]:
    share = number % 10
    if share < 4:
        return sorted(chance.sample(CITIES, 2))
    if share < 8:
        return [chance.choice(CITIES).rsplit("/", 1)[0]]
    return ["cn"]


def work(brand: Brand, keys: list[int], seed: int) -> None:
    """Request the orders; decline every fifth offer, which sends the order to the next."""
    chance = random.Random(seed)
    with tenant_context(brand):
        for key in keys:
            order = request_order(redemption_id=key, at=AT)
            if order is not None and order.state == "offered" and chance.random() < 0.2:
                actor = Actor(kind="partner", id=order.partner_id)
                decline(order=order, partner_id=order.partner_id, by=actor, at=AT)
    connection.close()


def dispatch_all(processes: int) -> tuple[float, str]:
    """Return orders per second and what became of them."""
    with fresh_brand() as brand:
        keys = fill(orders=ORDERS, partners=PARTNERS)
        connection.close()
        connection.close_pool()  # type: ignore[attr-defined]
        context = multiprocessing.get_context("fork")
        workers = [
            context.Process(target=work, args=(brand, keys[number::processes], number))
            for number in range(processes)
        ]
        start = time.perf_counter()
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        elapsed = time.perf_counter() - start
        if any(worker.exitcode for worker in workers):
            raise RuntimeError("A dispatching process failed.")
        wrong = [line for check in CHECKS.values() for line in check()]
        if wrong or FulfilmentOrder.objects.count() != ORDERS:
            raise RuntimeError(f"The orders are not whole: {wrong[:3]}")
        declined = OrderOffer.objects.filter(state="declined").count()
        unassigned = FulfilmentOrder.objects.filter(state="unassigned").count()
    return ORDERS / elapsed, f"{declined} declined, {unassigned} without a partner"


@BENCH.register("partners", "dispatch of 2,000 orders over 200 partners")
def dispatch() -> list[Result]:
    """Measure dispatch with one process per core, as workers run it."""
    processes = os.cpu_count() or 1
    runs = sorted(dispatch_all(processes) for _ in range(ROUNDS))
    rate, what = runs[len(runs) // 2]
    return [
        Result(
            section="partners",
            name=f"dispatch of {ORDERS:,} orders over {PARTNERS} partners, 20 % declines",
            value=rate,
            unit="orders/s",
            floor=100,
            goal=400,
            better="higher",
            runs=ROUNDS,
            note=f"{processes} processes; {what}",
        )
    ]
