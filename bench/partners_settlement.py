"""Settlement of a month with a million fulfilled orders of 200 partners.

The month before was settled too, so that the search for what is still unpaid has a past to leave
aside. Afterwards the totals are held against an independent sum, and the checks of I10 are run.
"""

from datetime import UTC, date, datetime, timedelta

from django.db import connection, transaction

from bench.harness import BENCH, Result, seconds
from bench.partners_dispatch import fresh_brand
from benefits.catalogue.models import Benefit
from partners.pool.models import Offering, Partner, PartnerContract
from partners.settlements.generation import make_statements
from partners.settlements.invariants import CHECKS
from partners.settlements.models import Statement

ORDERS = 1_000_000
BEFORE = 200_000
PARTNERS = 200
MARCH = datetime(2026, 3, 1, tzinfo=UTC)

# Only what settlement reads: the order, its partner, its price, when it was delivered.
_ORDERS = """
INSERT INTO partners_fulfilmentorder
       (number, redemption_id, benefit_id, member_id, region, state, version, round, partner_id,
        offering_id, service_on, price_minor, verification_digest, requested_at, accepted_at,
        due_at, closed_at, fulfilled_at, failure_reason, note, evidence, updated_at)
SELECT 'F' || (n + %(first)s), n + %(first)s, %(benefit)s, n + %(first)s, 'cn', 'fulfilled', 4, 1,
       %(partner)s + n %% %(partners)s, %(offering)s + n %% %(partners)s, t::date,
       3000 + n %% 6000, '', t, t, t + interval '2 days', t, t, '', '', '{}', t
  FROM generate_series(1, %(orders)s) n,
       LATERAL (SELECT %(start)s + n * (interval '26 days' / %(orders)s) AS t) clock
"""


def fill() -> None:
    """Make the partners and two months of orders, without the members behind them."""
    benefit = Benefit.objects.create(
        code="care",
        kind="partner_service",
        name={"en": "Care"},
        channel="partner",
        created_at=MARCH,
    )
    partners = Partner.objects.bulk_create(
        Partner(
            code=f"p{n}",
            name=f"Partner {n}",
            status="active",
            invited_at=MARCH,
            activated_at=MARCH - timedelta(days=90),
        )
        for n in range(PARTNERS)
    )
    offerings = Offering.objects.bulk_create(
        Offering(
            partner=partner,
            benefit=benefit,
            capacity_per_day=1_000,
            valid_from=date(2026, 1, 1),
            updated_at=MARCH,
        )
        for partner in partners
    )
    PartnerContract.objects.bulk_create(
        PartnerContract(
            partner=partner,
            valid_from=date(2026, 1, 1),
            commission_bp=250,
            monthly_fee_minor=10_000,
            created_at=MARCH,
        )
        for partner in partners
    )
    with transaction.atomic(), connection.cursor() as cursor:
        # The members and redemptions behind the orders would take longer than all the rest.
        cursor.execute(
            "SELECT conname FROM pg_constraint WHERE contype = 'f'"
            " AND conrelid = 'partners_fulfilmentorder'::regclass"
            " AND confrelid IN ('members_member'::regclass, 'benefits_redemption'::regclass)"
        )
        for (name,) in cursor.fetchall():
            cursor.execute(f'ALTER TABLE partners_fulfilmentorder DROP CONSTRAINT "{name}"')
        for first, orders, start in (
            (0, BEFORE, datetime(2026, 2, 1, tzinfo=UTC)),
            (BEFORE, ORDERS, MARCH),
        ):
            cursor.execute(
                _ORDERS,
                {
                    "first": first,
                    "benefit": benefit.pk,
                    "partner": partners[0].pk,
                    "offering": offerings[0].pk,
                    "partners": PARTNERS,
                    "orders": orders,
                    "start": start,
                },
            )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def check() -> None:
    """Hold the statements against an independent sum, and run the checks but the budget's."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT sum(price_minor) FROM partners_fulfilmentorder WHERE closed_at >= %s", [MARCH]
        )
        (prices,) = cursor.fetchone()
    found = list(Statement.objects.filter(month=MARCH.date()).order_by("pk"))
    kept = sum(-(-(row.service_minor * 250 * 2 + 10_000) // 20_000) for row in found)
    expected = int(prices) + PARTNERS * 10_000
    if (
        len(found) != PARTNERS
        or sum(row.orders for row in found) != ORDERS
        or abs(expected - kept - sum(row.total_minor for row in found)) > PARTNERS
    ):
        raise RuntimeError("The statements do not add up.")
    wrong = [line for name, run in CHECKS.items() if "booked" not in name for line in run()]
    if wrong:
        raise RuntimeError(f"The statements are not whole: {wrong[:3]}")


@BENCH.register("partners", "settlement of 1 M fulfilled orders")
def settlement() -> list[Result]:
    """Measure the month's job, and the same again when nothing is left to do."""
    at = datetime(2026, 4, 2, tzinfo=UTC)
    with fresh_brand():
        fill()
        make_statements(month=date(2026, 2, 1), at=at)
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE partners_statementline")
        taken = seconds(lambda: make_statements(month=date(2026, 3, 1), at=at))
        again = seconds(lambda: make_statements(month=date(2026, 3, 1), at=at))
        check()
    return [
        Result(
            section="partners",
            name=f"settlement of {ORDERS:,} fulfilled orders of {PARTNERS} partners",
            value=taken,
            unit="s",
            floor=60,
            goal=20,
            better="lower",
            runs=1,
            note=f"totals equal an independent sum; again with nothing to do {again:.2f} s",
        )
    ]
