"""Nights over many members, and one purchase with all its effects.

The yardstick of a night is one direct statement over two years of purchases: scores, value
segments and tiers of all members, written where they differ. Ours starts from the state of the
night before. Both see the same day, one after the other, day by day; their scores are compared.
"""

import os
import statistics
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from functools import partial
from uuid import uuid4

from django.db import connection, transaction
from django.db.models import Sum
from django.test.utils import CaptureQueriesContext

from bench import duck
from bench.harness import BENCH, Result, interleaved, median_ratio, peak_memory, seconds
from bench.members_data import AT, MEMBERS, ORDERS, TODAY, execute, filled_brand
from bench.members_import import fresh_brand
from core.actors import SYSTEM
from members.earning.operations import record_purchase
from members.points.models import Entry
from members.points.operations import Source, earn, redeem
from members.profiles.models import Member
from members.tiers.models import MemberTier, TierRun
from members.tiers.queries import list_tiers
from members.tiers.rules import reached
from tenants.jobs.operations import enqueue, run_pending

SAMPLE = 400
ROUNDS = int(os.environ.get("TESSERA_BENCH_ROUNDS", "3"))

_DIRECT_TABLES = """
CREATE TABLE IF NOT EXISTS direct_score (member_id bigint PRIMARY KEY, r int, f int, m int, last_on date,
    frequency int, monetary bigint, segment text);
CREATE TABLE IF NOT EXISTS direct_tier (member_id bigint PRIMARY KEY, rank int, metric bigint)
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
    INSERT INTO direct_score
    SELECT target.* FROM target LEFT JOIN direct_score AS old USING (member_id)
    WHERE (old.r, old.f, old.m, old.last_on, old.frequency, old.monetary, old.segment)
        IS DISTINCT FROM (target.r, target.f, target.m, target.last_on, target.frequency,
            target.monetary, target.segment)
    ON CONFLICT (member_id) DO UPDATE SET (r, f, m, last_on, frequency, monetary, segment)
        = (EXCLUDED.r, EXCLUDED.f, EXCLUDED.m, EXCLUDED.last_on, EXCLUDED.frequency,
            EXCLUDED.monetary, EXCLUDED.segment)
), metrics AS (
    SELECT member_id, sum(amount_minor / 100)::bigint AS metric FROM members_purchase
    WHERE local_date > (%(on)s::date - interval '12 months')::date AND local_date <= %(on)s
    GROUP BY member_id
), placed AS (
    SELECT member_id, GREATEST(width_bucket(metric, ARRAY[0, 1000, 5000]), 1) AS rank, metric
    FROM metrics
)
INSERT INTO direct_tier
SELECT placed.* FROM placed LEFT JOIN direct_tier AS old USING (member_id)
WHERE old.rank IS DISTINCT FROM placed.rank
ON CONFLICT (member_id) DO UPDATE SET rank = EXCLUDED.rank, metric = EXCLUDED.metric
"""
_COMPARE = """
SELECT count(*) FROM members_memberscore AS ours FULL JOIN direct_score AS direct
    ON direct.member_id = ours.member_id
WHERE (ours.r, ours.f, ours.m, ours.last_purchase_on, ours.frequency, ours.monetary_minor,
        ours.value_segment)
    IS DISTINCT FROM (direct.r, direct.f, direct.m, direct.last_on, direct.frequency,
        direct.monetary, direct.segment)
"""


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


@BENCH.register("members", "nights")
def nights() -> Iterator[Result]:
    """Yield what a night costs against direct work in PostgreSQL, in DuckDB and over the ORM."""
    with filled_brand():
        yield from _nights()


def _nights() -> Iterator[Result]:
    execute(_DIRECT_TABLES)
    last = TierRun.objects.order_by("-on").first()
    start = TODAY if last is None else last.on + timedelta(days=1)
    with peak_memory() as memory:
        first = seconds(lambda: _night(start))
    _direct(start)
    # Whoever was placed in the first night is looked at once more in the second.
    days = dict.fromkeys(("ours", "direct", "duck"), start + timedelta(days=1))
    _night(days["ours"])
    execute(
        "VACUUM (ANALYZE) members_memberscore, members_membertier, members_member, "
        "direct_score, direct_tier"
    )
    tiers: list[float] = []

    def ours(day: date) -> None:
        tiers.append(_night(day)["tiers.evaluate"])

    # All ways see the same days, each once: one day more in each round.
    def step(name: str, run: Callable[[date], object]) -> Callable[[], float]:
        def timed() -> float:
            days[name] += timedelta(days=1)
            return seconds(lambda: run(days[name]))

        return timed

    contestants = {
        "ours": step("ours", ours),
        "direct": step("direct", _direct),
        "loop": lambda: _loop(days["ours"]),
    }
    if duck.is_there():
        contestants["duck"] = step("duck", duck.night)
    figures = interleaved(contestants, rounds=ROUNDS)
    assert execute(_COMPARE) == (0,)
    run = TierRun.objects.order_by("-on")[0]
    night = statistics.median(figures["ours"])
    size = f"{MEMBERS:,} members, {MEMBERS * ORDERS:,} purchases"
    yield Result(
        "members",
        "RFM + value segments + tiers from rolling state, against one direct statement",
        median_ratio(figures, "direct", "ours"),
        "× faster",
        5,
        8,
        "higher",
        ROUNDS,
        f"{size}; a night {night:.2f} s, direct {statistics.median(figures['direct']):.1f} s, "
        f"the first {first:.0f} s",
    )
    name = "the same against DuckDB with its export"
    if "duck" in figures:
        yield Result(
            "members", name, median_ratio(figures, "duck", "ours"), "× faster", 1, 3, "higher",
            ROUNDS, f"{size}; DuckDB {statistics.median(figures['duck']):.1f} s, writes nothing back",
        )  # fmt: skip
    else:
        why = "not run: pip install duckdb"
        yield Result("members", name, None, "× faster", 1, 3, "higher", 0, why)
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
        f"{a_member * 1e6:.2f} µs a member, {run.looked_at:,} looked at; the loop "
        f"{statistics.median(figures['loop']) * 1e3:.1f} ms a member, over {SAMPLE} of them",
    )
    yield Result(
        "members",
        "memory of the nightly jobs, all members looked at",
        memory.peak,
        "MB",
        300,
        150,
        "lower",
        1,
        f"the whole process at its peak, {memory.more:.0f} MB more than before; {MEMBERS:,} members",
    )


def _direct(day: date) -> None:
    """Run the yardstick with as much memory as it can use."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL work_mem = '256MB'")
        cursor.execute(_DIRECT, {"on": day})


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
