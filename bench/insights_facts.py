"""Facts of the running month against a full recount of 24 months, from the same rows.

Twelve benefits; every second member gets one of them each month, every fifth right is used.
"""

import os
import statistics
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from bench.harness import BENCH, Result, interleaved, seconds
from bench.members_data import AT, MEMBERS, execute, filled_brand
from benefits.catalogue.models import Benefit
from benefits.grants.terms import freeze
from benefits.insights.facts import compute_month, mark_stale_months
from benefits.insights.models import BenefitMonth, ReturnEstimate
from benefits.insights.months import last_months
from benefits.insights.returns import estimate_return
from benefits.rules.models import GrantRule

BENEFITS = 12
MONTHS = 24
ROUNDS = int(os.environ.get("TESSERA_BENCH_ROUNDS", "3"))

_GRANTS = """
INSERT INTO benefits_grant (member_id, benefit_id, terms_id, period_key, quantity, used, issued_at,
    starts_at, ends_at, reason)
SELECT member.id, picked.benefit, picked.terms, 'm' || month.n, 2,
    ((member.id + month.n) %% 5 = 0)::int, month.starts, month.starts,
    month.starts + interval '1 month', '{}'
FROM generate_series(0, %(months)s - 1) AS month_no (n)
CROSS JOIN LATERAL (SELECT month_no.n, %(first)s::timestamptz + month_no.n * interval '1 month'
    AS starts) AS month
JOIN members_member AS member
    ON (member.id + month.n) %% 2 = 0 AND member.enrolled_at < month.starts
CROSS JOIN LATERAL (SELECT (%(benefits)s::bigint[])[1 + (member.id / 2 + month.n) %% 12] AS benefit,
    (%(terms)s::bigint[])[1 + (member.id / 2 + month.n) %% 12] AS terms) AS picked
ORDER BY month.n, member.id
"""
_USES = """
INSERT INTO benefits_redemption (key, grant_id, member_id, benefit_id, channel, state, code, region,
    store_code, requested_by, requested_at, fulfilled_at, unit_returned, failure_code,
    committed_minor, unit_cost_minor, partner_price_minor, points_cost_minor, cost_minor, rating,
    nps, rated_at)
SELECT gen_random_uuid(), id, member_id, benefit_id, 'staff', 'fulfilled', '', '', '', 'bench',
    issued_at + interval '3 days', issued_at + interval '4 days', false, '', 0, 1200, 0, 0, 1200,
    1 + id %% 5, id %% 11, issued_at + interval '5 days'
FROM benefits_grant WHERE used > 0 AND issued_at < %(at)s - interval '6 days' ORDER BY id
"""

_ARMS = """
INSERT INTO benefits_grant (member_id, benefit_id, rule_id, rule_version, terms_id, period_key,
    quantity, used, issued_at, starts_at, reason)
SELECT member.id, %(benefit)s, %(rule)s, 1, (SELECT min(terms_id) FROM benefits_grant),
    '2025-11', 1, 0, '2025-11-01', '2025-11-01', '{}'
FROM members_member AS member WHERE member.id %% 5 > 0 ORDER BY member.id
"""
_LEFT_OUT = """
INSERT INTO benefits_holdout (rule_id, member_id, period_key, since)
SELECT %(rule)s, id, '2025-11', '2025-11-01' FROM members_member WHERE id %% 5 = 0 ORDER BY id
"""


def fill() -> None:
    """Add twelve benefits, two years of rights and their uses to a brand full of purchases.

    Once: sections share the brand.
    """
    if Benefit.objects.filter(code="b0").exists():
        return
    benefits = [
        Benefit.objects.create(
            code=f"b{n}", kind="gift", name={"en": f"Benefit {n}"}, channel="staff", stage="core",
            created_at=AT - timedelta(days=800),
        )
        for n in range(BENEFITS)
    ]  # fmt: skip
    terms = freeze(benefits=benefits, at=AT)
    first = datetime(2024, 4, 1, tzinfo=UTC)
    execute(
        _GRANTS,
        {
            "months": MONTHS,
            "first": first,
            "benefits": [b.pk for b in benefits],
            "terms": [terms[b.pk].pk for b in benefits],
        },
    )
    execute(_USES, {"at": AT})
    for table in ("benefits_grant", "benefits_redemption"):
        execute(f"VACUUM (ANALYZE) {table}")


@BENCH.register("insights", "facts of the running month")
def running_month() -> Iterator[Result]:
    """The running month's totals, and with all slices, against 24 months counted anew."""
    with filled_brand():
        fill()
        months = last_months(AT.date(), MONTHS)

        def recount() -> None:
            for month in months:
                compute_month(day=month, at=AT)

        recount()
        times = interleaved(
            {
                "totals": lambda: seconds(
                    lambda: compute_month(day=months[-1], at=AT, slices=False)
                ),
                "whole": lambda: seconds(lambda: compute_month(day=months[-1], at=AT)),
                "recount": lambda: seconds(recount),
                "late": lambda: seconds(lambda: mark_stale_months(at=AT)),
            },
            rounds=ROUNDS,
        )
        took = {name: statistics.median(values) for name, values in times.items()}
        used = BenefitMonth.objects.filter(month=months[-1], users__gt=0).count()
    note = (
        f"{MEMBERS:,} members, {BENEFITS} benefits ({used} used this month); totals "
        f"{took['totals']:.2f} s, recount {took['recount']:.1f} s"
    )
    yield Result(
        "insights", "facts of the running month: totals against recount of 24 months",
        took["recount"] / took["totals"], "x", 50, 100, "higher", ROUNDS, note,
    )  # fmt: skip
    yield Result(
        "insights", "facts of the running month with all slices against the recount",
        took["recount"] / took["whole"], "x", None, None, "higher", ROUNDS,
        f"{took['whole']:.2f} s; by tier, region, store, associate, channel, cohorts, moves",
    )  # fmt: skip
    yield Result(
        "insights", "looking for late data in 23 months against their recount",
        took["recount"] / took["late"], "x", None, None, "higher", ROUNDS,
        f"{took['late']:.2f} s",
    )  # fmt: skip


@BENCH.register("insights", "incremental return")
def incremental_return() -> Iterator[Result]:
    """What a benefit brings by a hold-out of a fifth, computed anew from all members' purchases."""
    with filled_brand():
        fill()
        benefit = Benefit.objects.get(code="b0")
        rule = GrantRule.objects.create(
            code="trial", name="Trial", benefit=benefit, cadence="monthly", hold_out_bp=2_000,
            status="published", version=1, created_at=AT - timedelta(days=200),
        )  # fmt: skip
        execute(_ARMS, {"rule": rule.pk, "benefit": benefit.pk})
        execute(_LEFT_OUT, {"rule": rule.pk})
        for table in ("benefits_grant", "benefits_holdout"):
            execute(f"VACUUM (ANALYZE) {table}")

        def compute() -> None:
            ReturnEstimate.objects.all().delete()
            assert estimate_return(benefit=benefit, at=AT) is not None

        compute()
        times = [seconds(compute) for _round in range(ROUNDS)]
        found = ReturnEstimate.objects.get()
    yield Result(
        "insights", "incremental return with interval for one benefit",
        statistics.median(times), "s", 5, 1, "lower", ROUNDS,
        f"{MEMBERS:,} members, {found.treated:,} given and {found.others:,} left out; the floor is "
        "for 1,000,000",
    )  # fmt: skip
