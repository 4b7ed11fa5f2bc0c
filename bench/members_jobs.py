"""Nights and audiences over many members, and one purchase with all its effects.

The yardstick of a night is one direct statement over two years of purchases: scores, value
segments and tiers of all members, written where they differ. Ours starts from the state of the
night before. Both see the same day, one after the other, day by day; their scores are compared.
"""

import os
import resource
import statistics
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any
from uuid import uuid4

from django.db import connection, transaction
from django.db.models import Sum
from django.test.utils import CaptureQueriesContext

from bench.harness import BENCH, Result, interleaved, median_ratio, seconds
from bench.members_import import fresh_brand
from core.actors import SYSTEM
from members.earning.operations import record_purchase
from members.points.models import Entry
from members.points.operations import Source, earn, redeem
from members.profiles.models import Member
from members.segments.conditions import parse
from members.segments.queries import count_audience
from members.tiers.models import MemberTier, TierRun
from members.tiers.queries import list_tiers
from members.tiers.rules import reached
from tenants.jobs.operations import enqueue, run_pending

MEMBERS = int(os.environ.get("TESSERA_BENCH_MEMBERS", "100000"))
ORDERS = 20
SAMPLE = 400
ROUNDS = int(os.environ.get("TESSERA_BENCH_ROUNDS", "3"))
TODAY = date(2026, 3, 15)
AT = datetime(2026, 3, 15, 4, 0, tzinfo=UTC)

_FILL = (
    """
    INSERT INTO members_member (external_id, status, enrolled_at, region, store_code, locale, tags,
        attributes)
    SELECT 'm' || n, 'active', %(at)s - interval '800 days' + (n %% 700) * interval '1 day',
        'r' || n %% 10, '', '', ARRAY['t' || n %% 7], '{}'
    FROM generate_series(1, %(members)s) AS n
    """,
    # Some members buy far more than others; the days run a little past today.
    """
    INSERT INTO members_purchase (external_id, member_id, occurred_at, local_date, amount_minor,
        currency, channel, store_code, associate, digest)
    SELECT 'p' || n, first.id + floor(%(members)s * power(random(), 1.5))::bigint, moment.at,
        (moment.at AT TIME ZONE 'Asia/Shanghai')::date, 100 + (random() * 20000)::int, 'CNY', '',
        '', '', ''
    FROM generate_series(1, %(members)s * %(orders)s) AS n
    CROSS JOIN (SELECT min(id) AS id FROM members_member WHERE external_id LIKE 'm%%') AS first
    CROSS JOIN LATERAL (SELECT %(at)s + interval '20 days'
        - n * (interval '730 days' / (%(members)s * %(orders)s)) AS at) AS moment
    ORDER BY moment.at
    """,
    """
    INSERT INTO members_memberday (member_id, on_date, orders, spend_minor)
    SELECT member_id, local_date, count(*), sum(amount_minor) FROM members_purchase
    GROUP BY member_id, local_date ORDER BY local_date, member_id
    """,
    """
    INSERT INTO members_account (wallet_id, owner_id, balance, pending, held, seq, opened_at)
    SELECT wallet.id, member.id, 0, 0, 0, 0, %(at)s
    FROM members_member AS member CROSS JOIN members_wallet AS wallet
    ON CONFLICT DO NOTHING
    """,
    """
    INSERT INTO members_entry (account_id, seq, kind, delta, balance_after, key, lots, source_type,
        source_id, at)
    SELECT account.id, row_number() OVER own, 1, purchase.amount_minor / 100,
        sum(purchase.amount_minor / 100) OVER own, gen_random_uuid(), '{}', 'purchase',
        purchase.id, purchase.occurred_at
    FROM members_purchase AS purchase
    JOIN members_account AS account
        ON account.owner_id = purchase.member_id AND account.wallet_id = 2
    WINDOW own AS (PARTITION BY account.id ORDER BY purchase.occurred_at, purchase.id
        ROWS UNBOUNDED PRECEDING)
    ORDER BY purchase.occurred_at
    """,
    """
    UPDATE members_account SET balance = sums.balance, seq = sums.seq
    FROM (SELECT account_id, sum(delta) AS balance, max(seq) AS seq FROM members_entry
        GROUP BY account_id) AS sums
    WHERE sums.account_id = members_account.id
    """,
)
_TABLES = ("member", "purchase", "memberday", "account", "entry")

_DIRECT_TABLES = """
CREATE TABLE direct_score (member_id bigint PRIMARY KEY, r int, f int, m int, last_on date,
    frequency int, monetary bigint, segment text);
CREATE TABLE direct_tier (member_id bigint PRIMARY KEY, rank int, metric bigint)
"""
_DIRECT = """
WITH facts AS (
    SELECT member_id, max(local_date) AS last_on, count(*) AS frequency,
        sum(amount_minor - refunded_minor)::bigint AS monetary
    FROM members_purchase
    WHERE local_date >= %(on)s::date - 365 AND local_date < %(on)s
        AND (refunded_minor < amount_minor OR amount_minor = 0)
    GROUP BY member_id
), bounds AS (
    SELECT percentile_disc(ARRAY[0.2, 0.4, 0.6, 0.8])
            WITHIN GROUP (ORDER BY %(on)s::date - last_on) AS r,
        percentile_disc(ARRAY[0.2, 0.4, 0.6, 0.8]) WITHIN GROUP (ORDER BY frequency) AS f,
        percentile_disc(ARRAY[0.2, 0.4, 0.6, 0.8]) WITHIN GROUP (ORDER BY monetary) AS m
    FROM facts
), scored AS (
    SELECT facts.*,
        5 - width_bucket(%(on)s::date - last_on - 1, bounds.r) AS r,
        1 + width_bucket(frequency - 1, bounds.f) AS f,
        1 + width_bucket(monetary - 1, bounds.m) AS m
    FROM facts CROSS JOIN bounds
), target AS (
    SELECT member.id AS member_id, r, f, m, last_on, COALESCE(frequency, 0)::int AS frequency,
        COALESCE(monetary, 0) AS monetary,
        CASE WHEN r >= 4 AND f >= 4 AND m >= 4 THEN 'champions'
            WHEN r <= 2 AND (f >= 3 OR m >= 3) THEN 'at_risk'
            WHEN r >= 3 AND f >= 3 THEN 'loyal'
            WHEN %(on)s::date - (member.enrolled_at AT TIME ZONE 'Asia/Shanghai')::date < 60
                OR (f = 1 AND r >= 4) THEN 'new'
            WHEN r >= 3 THEN 'potential' ELSE 'dormant' END AS segment
    FROM members_member AS member LEFT JOIN scored ON scored.member_id = member.id
), scores AS (
    INSERT INTO direct_score AS old SELECT * FROM target
    ON CONFLICT (member_id) DO UPDATE SET (r, f, m, last_on, frequency, monetary, segment)
        = (EXCLUDED.r, EXCLUDED.f, EXCLUDED.m, EXCLUDED.last_on, EXCLUDED.frequency,
            EXCLUDED.monetary, EXCLUDED.segment)
    WHERE (old.r, old.f, old.m, old.last_on, old.frequency, old.monetary, old.segment)
        IS DISTINCT FROM (EXCLUDED.r, EXCLUDED.f, EXCLUDED.m, EXCLUDED.last_on,
            EXCLUDED.frequency, EXCLUDED.monetary, EXCLUDED.segment)
), metrics AS (
    SELECT member_id, sum(amount_minor / 100)::bigint AS metric FROM members_purchase
    WHERE local_date > (%(on)s::date - interval '12 months')::date AND local_date <= %(on)s
    GROUP BY member_id
)
INSERT INTO direct_tier AS old
SELECT member_id, GREATEST(width_bucket(metric, ARRAY[0, 1000, 5000]), 1), metric FROM metrics
ON CONFLICT (member_id) DO UPDATE SET rank = EXCLUDED.rank, metric = EXCLUDED.metric
WHERE old.rank <> EXCLUDED.rank
"""
_COMPARE = """
SELECT count(*) FROM members_memberscore AS ours FULL JOIN direct_score AS direct
    ON direct.member_id = ours.member_id
WHERE (ours.r, ours.f, ours.m, ours.last_purchase_on, ours.frequency, ours.monetary_minor,
        ours.value_segment)
    IS DISTINCT FROM (direct.r, direct.f, direct.m, direct.last_on, direct.frequency,
        direct.monetary, direct.segment)
"""

_FIVE: dict[str, Any] = {
    "all": [
        {"field": "region", "op": "in", "value": ["r1", "r2", "r3", "r4"]},
        {"field": "days_since_joining", "op": ">=", "value": 200},
        {"field": "spend_365d", "op": ">=", "value": 100_000},
        {"field": "orders_365d", "op": ">=", "value": 5},
        {"field": "tags", "op": "contains", "value": "t3"},
    ]
}
_BY_HAND = """
SELECT count(*) FROM members_member AS member
JOIN (
    SELECT member_id FROM members_memberday
    WHERE on_date > %(on)s::date - 365 AND on_date <= %(on)s
    GROUP BY member_id
    HAVING sum(spend_minor - refunded_minor) >= 100000 AND sum(orders) >= 5
) AS bought ON bought.member_id = member.id
WHERE member.status = 'active' AND member.region IN ('r1', 'r2', 'r3', 'r4')
    AND 't3' = ANY(member.tags)
    AND %(on)s::date - (member.enrolled_at AT TIME ZONE 'Asia/Shanghai')::date >= 200
"""


@contextmanager
def filled_brand() -> Iterator[None]:
    """Make a brand with two years of purchases of all members and their growth."""
    with fresh_brand():
        for statement in _FILL:
            _execute(statement, {"at": AT, "members": MEMBERS, "orders": ORDERS})
        for table in _TABLES:
            _execute(f"VACUUM (ANALYZE) members_{table}")
        yield


def _execute(sql: str, params: dict[str, Any] | None = None) -> Any:
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute(sql, params)
        return cursor.fetchone() if cursor.description else None


def _night(day: date) -> dict[str, float]:
    """Run both jobs of a night as the workers do; return the seconds of each."""
    at = datetime.combine(day, datetime.min.time(), tzinfo=UTC)
    took = {}
    for kind in ("tiers.evaluate", "segments.recompute"):
        job = enqueue(kind=kind, dedupe_key=f"{day}-{uuid4()}", by=SYSTEM, at=at)
        took[kind] = seconds(partial(run_pending, at=at))
        job.refresh_from_db()
        assert job.state == "done", job.error
    return took


@BENCH.register("members", "nights and audiences")
def nights() -> Iterator[Result]:
    """Yield what a night costs against direct work, and what an audience costs."""
    with filled_brand():
        yield from _nights()
        yield _audience()


def _nights() -> Iterator[Result]:
    _execute(_DIRECT_TABLES)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    first = seconds(lambda: _night(TODAY))
    memory = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    _execute(_DIRECT, {"on": TODAY})
    # Whoever was placed in the first night is looked at once more in the second.
    days = {"ours": TODAY + timedelta(days=1), "direct": TODAY + timedelta(days=1)}
    _night(days["ours"])
    _execute("VACUUM (ANALYZE) members_memberscore, members_membertier, direct_score, direct_tier")
    tiers: list[float] = []

    def ours(day: date) -> None:
        tiers.append(_night(day)["tiers.evaluate"])

    # Both ways see the same days, each once: one day more in each round.
    def step(name: str, run: Callable[[date], object]) -> Callable[[], float]:
        def timed() -> float:
            days[name] += timedelta(days=1)
            return seconds(lambda: run(days[name]))

        return timed

    figures = interleaved(
        {
            "ours": step("ours", ours),
            "direct": step("direct", lambda day: _execute(_DIRECT, {"on": day})),
            "loop": lambda: _loop(days["ours"]),
        },
        rounds=ROUNDS,
    )
    assert _execute(_COMPARE) == (0,)
    run = TierRun.objects.order_by("-on")[0]
    night = statistics.median(figures["ours"])
    yield Result(
        "members",
        "RFM + value segments + tiers from rolling state, against one direct statement",
        median_ratio(figures, "direct", "ours"),
        "× faster",
        5,
        8,
        "higher",
        ROUNDS,
        f"{MEMBERS:,} members, {MEMBERS * ORDERS:,} purchases; a night {night:.2f} s, the first "
        f"{first:.1f} s",
    )
    a_member = statistics.median(tiers) / MEMBERS
    yield Result(
        "members",
        "tiers of all members by night, against a loop over the ORM per member",
        statistics.median(figures["loop"]) / a_member,
        "× faster",
        500,
        2000,
        "higher",
        ROUNDS,
        f"{a_member * 1e6:.1f} µs a member, {run.looked_at:,} looked at; the loop "
        f"{statistics.median(figures['loop']) * 1e3:.1f} ms (over {SAMPLE})",
    )
    yield Result(
        "members",
        f"memory of the nightly jobs over {MEMBERS:,} members, all looked at",
        memory,
        "MB more",
        300,
        150,
        "lower",
        1,
    )


def _loop(on: date) -> float:
    """Return the seconds that a loop over the ORM takes for each of some members."""
    at = datetime.combine(on, datetime.min.time(), tzinfo=UTC)
    tiers, since = list_tiers(on=on), at - timedelta(days=365)

    def run() -> None:
        for member in Member.objects.order_by("pk")[:SAMPLE]:
            entries = Entry.objects.filter(
                account__owner_id=member.pk, account__wallet_id=2, at__gte=since, at__lt=at
            )
            metric = entries.aggregate(total=Sum("delta"))["total"] or 0
            held = MemberTier.objects.filter(pk=member.pk).select_related("tier").first()
            if held is None:
                held = MemberTier(member=member, since=at)
            held.tier, held.metric_value, held.evaluated_on = reached(tiers, metric), metric, on
            held.save()

    with transaction.atomic():
        took = seconds(run) / SAMPLE
        transaction.set_rollback(True)
    return took


def _audience() -> Result:
    condition = parse(_FIVE)
    found = count_audience(condition=condition, at=AT)
    assert _execute(_BY_HAND, {"on": TODAY}) == (found,)
    figures = interleaved(
        {
            "ours": lambda: seconds(lambda: count_audience(condition=condition, at=AT)),
            "hand": lambda: seconds(lambda: _execute(_BY_HAND, {"on": TODAY})),
        },
        rounds=ROUNDS + 4,
    )
    return Result(
        "members",
        "size of an audience of five conditions, against hand-written SQL",
        median_ratio(figures, "ours", "hand"),
        "× its time",
        2,
        1.2,
        "lower",
        ROUNDS + 4,
        f"{found:,} of {MEMBERS:,} in {statistics.median(figures['ours']):.2f} s",
    )


@BENCH.register("members", "one purchase with all effects")
def purchase() -> Iterator[Result]:
    """Yield the statements of a purchase, and its rate against redemptions."""
    with fresh_brand():
        members = list(Member.objects.order_by("pk")[:200])
        for member in members:
            earn(
                owner_id=member.pk,
                amount=1_000_000,
                key=uuid4(),
                at=AT,
                available_at=AT,
                source=Source("bench", 1),
            )

        def buy() -> None:
            for member in members:
                record_purchase(
                    external_id=str(uuid4()),
                    member=member,
                    occurred_at=AT,
                    amount_minor=1_000,
                    currency="CNY",
                    by=SYSTEM,
                    at=AT,
                )

        def spend() -> None:
            for member in members:
                redeem(owner_id=member.pk, amount=5, key=uuid4(), at=AT, source=Source("bench", 2))

        buy()
        with CaptureQueriesContext(connection) as seen:
            record_purchase(
                external_id="counted",
                member=members[0],
                occurred_at=AT,
                amount_minor=1_000,
                currency="CNY",
                by=SYSTEM,
                at=AT,
            )
        figures = interleaved(
            {"buy": lambda: seconds(buy), "spend": lambda: seconds(spend)}, rounds=ROUNDS + 2
        )
    statements = [query["sql"] for query in seen if _is_work(query["sql"])]
    yield Result(
        "members",
        "purchase through the operation: SQL statements",
        len(statements),
        "statements",
        12,
        8,
        "lower",
        1,
        "without BEGIN and COMMIT",
    )
    yield Result(
        "members",
        "purchase through the operation, against redeem through the operation",
        median_ratio(figures, "spend", "buy"),
        "of its rate",
        0.25,
        0.4,
        "higher",
        ROUNDS + 2,
        f"{len(members) / statistics.median(figures['buy']):,.0f} purchases/s in one process",
    )


def _is_work(sql: str) -> bool:
    return not sql.startswith(("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE", "SET search_path"))
