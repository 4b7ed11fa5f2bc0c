"""What outstanding points are worth, day by day."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.db import connection, transaction

from members.points._calls import wallet_id
from members.points.breakage import HISTORY, Cohort, expected_breakage
from members.points.models import LiabilityDay, Wallet
from tenants.audit.operations import verify_identity
from tenants.brands.context import current_brand

# Purchases may arrive so late and still change a day: these days are computed again each night.
LATE_DAYS = 7
# A brand that starts to look finds so many days before today.
FIRST_DAYS = 90

_NOW: Final = """
SELECT coalesce(sum(balance + held), 0)::bigint, coalesce(sum(held), 0)::bigint
FROM members_account WHERE wallet_id = %(wallet)s
"""

_LOTS: Final = """
SELECT l.expires_on, sum(l.earned)::bigint, sum(l.remaining)::bigint
FROM members_lot l JOIN members_account a ON a.id = l.account_id
WHERE a.wallet_id = %(wallet)s GROUP BY 1
"""

# What each day did to balances and holds.
_FLOWS: Final = """
SELECT (e.at AT TIME ZONE %(zone)s)::date, e.kind, sum(e.delta)::bigint,
       coalesce(sum(points_sum(e.lots)) FILTER (WHERE e.kind = 7), 0)::bigint
FROM members_entry e JOIN members_account a ON a.id = e.account_id
WHERE a.wallet_id = %(wallet)s AND e.at >= %(since)s
GROUP BY 1, 2
"""

# What each day did to the lots of each last good day; a capture changes none. What lies before
# the year of history of the first day counts as one day.
_MOVES: Final = """
SELECT greatest((e.at AT TIME ZONE %(zone)s)::date, %(horizon)s), e.lots[i],
       sum(e.lots[i + 2])::bigint,
       coalesce(sum(e.lots[i + 2]) FILTER (WHERE e.lots[i + 2] > 0 AND e.lots[i + 1] = e.seq), 0)
           ::bigint,
       -coalesce(sum(e.lots[i + 2]) FILTER (WHERE e.kind = 3), 0)::bigint,
       -coalesce(sum(e.lots[i + 2]) FILTER (WHERE e.lots[i + 2] < 0
           AND (e.kind = 10 OR e.kind = 5 AND e.ref_seq IS NOT NULL)), 0)::bigint,
       -coalesce(sum(e.lots[i + 2]) FILTER (WHERE e.kind IN (2, 4, 6, 8)), 0)::bigint
FROM members_entry e JOIN members_account a ON a.id = e.account_id
CROSS JOIN generate_series(1, cardinality(e.lots), 3) AS i
WHERE a.wallet_id = %(wallet)s AND e.kind <> 7
GROUP BY 1, 2
"""


@dataclass(slots=True)
class _Moved:
    """What one day did to the lots of one last good day."""

    change: int
    credited: int
    lapsed: int
    taken_back: int
    spent: int


@dataclass(slots=True)
class _Picture:
    """All that the days are computed from, read in one snapshot."""

    outstanding: int
    held: int
    lots: dict[date, tuple[int, int]]
    flows: dict[date, dict[int, tuple[int, int]]] = field(default_factory=dict)
    moves: dict[date, dict[date, _Moved]] = field(default_factory=dict)


def snapshot_liability(*, wallet: str = "points", since: date, until: date, at: datetime) -> int:
    """Compute the days [since, until] of a wallet from balances, lots and journal; return how many.

    The same again gives the same rows; a day that was computed before is replaced. Every figure
    is as of the end of the brand's day: later postings are taken off what there is now. The cost
    per point is the wallet's of today. Memory is in the number of days, not of members.
    """
    brand = current_brand()
    found = Wallet.objects.get(pk=wallet_id(wallet))
    parameters = {
        "wallet": found.pk,
        "zone": brand.timezone,
        "since": _start(since),
        "horizon": since - HISTORY - timedelta(days=1),
    }
    with transaction.atomic():
        if not connection.savepoint_ids:
            # One snapshot for all that is read: what is posted meanwhile is in none of it.
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        verify_identity()
        picture = _read(parameters)
        rows = [
            _row(found, picture, day, at)
            for day in (since + timedelta(days=n) for n in range((until - since).days + 1))
        ]
        LiabilityDay.objects.bulk_create(
            rows,
            update_conflicts=True,
            unique_fields=["wallet", "on_date"],
            update_fields=[
                "outstanding", "held", "issued", "spent", "expired", "corrected",
                "cost_per_point_micro", "cost_minor", "matured", "lapsed", "breakage",
                "breakage_minor", "computed_at",
            ],
        )  # fmt: skip
    return len(rows)


def list_days_due(*, wallet: str, at: datetime) -> tuple[date, date]:
    """Return the first and last day that the nightly snapshot computes."""
    zone = ZoneInfo(current_brand().timezone)
    yesterday = at.astimezone(zone).date() - timedelta(days=1)
    last = (
        LiabilityDay.objects.filter(wallet__code=wallet)
        .order_by("-on_date")
        .values_list("on_date", flat=True)
        .first()
    )
    first = last + timedelta(days=1) if last else yesterday - timedelta(days=FIRST_DAYS - 1)
    since = min(first, yesterday) - (timedelta(days=LATE_DAYS) if last else timedelta())
    return since, yesterday


def _start(day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=ZoneInfo(current_brand().timezone))


def _rows(sql: str, parameters: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        yield from cursor.fetchall()


def _read(parameters: dict[str, Any]) -> _Picture:
    with connection.cursor() as cursor:
        cursor.execute(_NOW, parameters)
        outstanding, held = cursor.fetchone()
    picture = _Picture(
        outstanding=outstanding,
        held=held,
        lots={day: (earned, left) for day, earned, left in _rows(_LOTS, parameters)},
    )
    for day, kind, delta, captured in _rows(_FLOWS, parameters):
        picture.flows.setdefault(day, {})[kind] = (delta, captured)
    for day, number, *moved in _rows(_MOVES, parameters):
        expires_on = date(2000, 1, 1) + timedelta(days=number)
        picture.moves.setdefault(day, {})[expires_on] = _Moved(*moved)
    return picture


def _row(wallet: Wallet, picture: _Picture, day: date, at: datetime) -> LiabilityDay:
    outstanding, held = picture.outstanding, picture.held
    for later, kinds in picture.flows.items():
        if later > day:
            for kind, (delta, captured) in kinds.items():
                outstanding -= -captured if kind == 7 else 0 if kind in {6, 8} else delta
                held -= -captured if kind == 7 else -delta if kind in {6, 8} else 0
    today = picture.flows.get(day, {})

    def moved(*kinds: int) -> int:
        return sum(today.get(kind, (0, 0))[0] for kind in kinds)

    expected = expected_breakage(cohorts=_cohorts(picture, day), on=day)
    micro = wallet.cost_per_point_micro
    return LiabilityDay(
        wallet=wallet,
        on_date=day,
        outstanding=outstanding,
        held=held,
        issued=moved(1, 10, 11),
        spent=-moved(2, 4) + today.get(7, (0, 0))[1],
        expired=-moved(3),
        corrected=moved(5, 9),
        cost_per_point_micro=micro,
        cost_minor=_minor(outstanding, micro),
        matured=expected.matured,
        lapsed=expected.lapsed,
        breakage=expected.expected,
        breakage_minor=_minor(expected.expected, micro),
        computed_at=at,
    )


def _cohorts(picture: _Picture, day: date) -> list[Cohort]:
    later: dict[date, list[int]] = defaultdict(lambda: [0, 0])
    before: dict[date, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for moved_on, cohorts in picture.moves.items():
        for expires_on, moved in cohorts.items():
            if moved_on > day:
                later[expires_on][0] += moved.credited
                later[expires_on][1] += moved.change
                continue
            sums = before[expires_on]
            sums[0] += moved.lapsed
            sums[1] += moved.taken_back
            if moved_on > day - HISTORY:
                sums[2] += moved.lapsed
                sums[3] += moved.spent
    return [
        Cohort(
            expires_on=expires_on,
            credited=earned - later[expires_on][0],
            taken_back=before[expires_on][1],
            lapsed=before[expires_on][0],
            outstanding=left - later[expires_on][1],
            lapsed_lately=before[expires_on][2],
            spent_lately=max(before[expires_on][3], 0),
        )
        for expires_on, (earned, left) in picture.lots.items()
    ]


def _minor(points: int, micro: int) -> int:
    cost = Decimal(points) * micro / 1_000_000
    return int(cost.quantize(Decimal(1), ROUND_HALF_EVEN))
