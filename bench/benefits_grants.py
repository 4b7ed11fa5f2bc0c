"""Grants: a month's issue for all members, the same again, one member's question, and events.

The yardstick of issuing is a bare INSERT … SELECT of as many rows into an empty table with the
same columns, constraints and indexes; both start on empty tables.
"""

import os
import statistics
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from bench.harness import BENCH, Result, interleaved, median_ratio, seconds
from bench.partners_dispatch import fresh_brand
from benefits.budget.models import BudgetLine
from benefits.budget.operations import add_line, create_budget, plan
from benefits.catalogue.models import Benefit
from benefits.catalogue.operations import create_benefit
from benefits.grants.issuing import issue
from benefits.grants.models import Grant
from benefits.grants.operations import grant
from benefits.grants.queries import what_may_i_use
from benefits.rules.models import GrantRule
from benefits.rules.operations import create_rule, publish_rule
from benefits.rules.periods import period_on
from core.actors import SYSTEM
from core.ids import uuid7
from members.profiles.models import Member

AT = datetime(2026, 3, 15, 4, 0, tzinfo=UTC)
MEMBERS = int(os.environ.get("TESSERA_BENCH_MEMBERS", "1000000"))
ROUNDS = int(os.environ.get("TESSERA_BENCH_ROUNDS", "3"))
# Each matches nine of ten members, or all of them.
CONDITIONS: list[dict[str, Any]] = [
    {},
    {"field": "region", "op": "!=", "value": "r7"},
    {"not": {"field": "tags", "op": "contains", "value": "t3"}},
    {"field": "days_since_joining", "op": ">=", "value": 0},
    {
        "any": [
            {"field": "region", "op": "in", "value": ["r0", "r1", "r2", "r3", "r4"]},
            {"field": "region", "op": "in", "value": ["r5", "r6", "r8", "r9"]},
        ]
    },
]
MEMBERS_SQL = """
INSERT INTO members_member (external_id, status, enrolled_at, region, store_code, locale, tags,
                            attributes)
SELECT 'm' || n, 'active', %s, 'r' || n %% 10, '', '', ARRAY['t' || n %% 10], '{}'
  FROM generate_series(1, %s) n
"""
_BARE_SQL = """
INSERT INTO bare_grant (member_id, benefit_id, rule_id, rule_version, terms_id, period_key,
                        quantity, used, issued_at, starts_at, ends_at, reason)
SELECT member_id, benefit_id, rule_id, rule_version, terms_id, period_key, quantity, 0, issued_at,
       starts_at, ends_at, reason
  FROM wanted
"""


def execute(sql: str, parameters: list[Any] | None = None) -> None:
    """Run one statement, however long it takes."""
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute(sql, parameters)


def empty(table: str) -> None:
    """Empty a table down to its files; TRUNCATE would reach append-only tables behind it."""
    execute(f'DELETE FROM "{table}"')
    execute(f'VACUUM (ANALYZE) "{table}"')
    execute(f'REINDEX TABLE "{table}"')


def paying_line() -> BudgetLine:
    """Return the line that pays for the rules, in a budget of the year."""
    found = BudgetLine.objects.first()
    if found is not None:
        return found
    budget = create_budget(
        name="Year",
        starts_on=date(2026, 1, 1),
        ends_on=date(2027, 1, 1),
        total_minor=10**12,
        by=SYSTEM,
        at=AT,
    )
    line = add_line(budget=budget, code="rules", name="Rules", kind="benefit", by=SYSTEM, at=AT)
    plan(line=line, amount_minor=10**11, key=uuid7(), by=SYSTEM, at=AT)
    return line


def rules_of(benefits: list[Benefit], conditions: list[dict[str, Any]]) -> list[GrantRule]:
    """Publish one monthly rule per condition."""
    made = []
    line = paying_line()
    for number, condition in enumerate(conditions):
        rule = create_rule(
            code=f"rule-{number}",
            name="Monthly",
            cadence="monthly",
            benefit=benefits[number % len(benefits)],
            condition=condition,
            budget_line=line,
            by=SYSTEM,
            at=AT,
        )
        publish_rule(rule=rule, by=SYSTEM, at=AT)
        rule.refresh_from_db()
        made.append(rule)
    return made


def benefits_of(count: int) -> list[Benefit]:
    """Make benefits that are offered."""
    return [
        create_benefit(
            code=f"benefit-{number}",
            kind="gift",
            name={"en": f"Gift {number}", "zh-hans": f"礼品{number}"},
            terms={"en": "At any shop, one at a time."},
            channel="staff",
            stage="core",
            unit_cost_minor=500,
            by=SYSTEM,
            at=AT - timedelta(days=40),
        )
        for number in range(count)
    ]


@BENCH.register("benefits", "monthly grants")
def monthly_grants() -> Iterator[Result]:
    """Time the issue of five rules against the bare rows, and the same issue again."""
    with fresh_brand():
        execute(MEMBERS_SQL, [AT - timedelta(days=100), MEMBERS])
        execute("ANALYZE members_member")
        rules = rules_of(benefits_of(5), CONDITIONS)
        period = period_on(cadence="monthly", on=AT.date())

        def run_rules() -> None:
            for rule in rules:
                issue(rule=rule, period=period, at=AT)

        run_rules()
        execute("CREATE TABLE wanted AS TABLE benefits_grant")
        execute("CREATE TABLE bare_grant (LIKE benefits_grant INCLUDING ALL)")
        again: list[float] = []

        def ours() -> float:
            empty("benefits_ruleperiod")
            empty("benefits_grant")
            first = seconds(run_rules)
            execute("ANALYZE benefits_grant")
            again.append(seconds(run_rules) / first)
            return first

        def bare() -> float:
            empty("bare_grant")
            return seconds(lambda: execute(_BARE_SQL))

        figures = interleaved({"ours": ours, "bare": bare}, rounds=ROUNDS)
        rows = Grant.objects.count()
    note = f"{rows:,} grants to {MEMBERS:,} members in {statistics.median(figures['ours']):.1f} s"
    yield Result(
        "benefits",
        "monthly grants, 5 rules, against a bare INSERT … SELECT of as many rows",
        median_ratio(figures, "ours", "bare"),
        "× its time",
        2.5,
        1.5,
        "lower",
        ROUNDS,
        note,
    )
    yield Result(
        "benefits",
        "the same job run again (nothing to do)",
        statistics.median(again),
        "of the first",
        0.25,
        0.1,
        "lower",
        ROUNDS,
    )


@BENCH.register("benefits", "what may I use, and why")
def what_may_i() -> Iterator[Result]:
    """Count queries and CPU of one member's question: 50 benefits, 200 rules."""
    with fresh_brand():
        execute(MEMBERS_SQL, [AT - timedelta(days=100), 20_000])
        benefits = benefits_of(50)
        rules_of(
            benefits,
            [
                {
                    "all": [
                        {"field": "spend_365d", "op": ">=", "value": number * 100},
                        {"field": "region", "op": "=", "value": "r1"},
                    ]
                }
                for number in range(200)
            ],
        )
        member = Member.objects.get(external_id="m1")
        with transaction.atomic():
            for number, benefit in enumerate(benefits[:20]):
                grant(
                    member=member,
                    benefit=benefit,
                    quantity=2,
                    period_key=f"bench-{number}",
                    ends_at=AT + timedelta(days=20),
                    by=SYSTEM,
                    at=AT,
                )
        with CaptureQueriesContext(connection) as captured:
            found = what_may_i_use(member=member, at=AT, lang="en")
        times = []
        for _round in range(50):
            start = time.process_time()
            what_may_i_use(member=member, at=AT, lang="en")
            times.append((time.process_time() - start) * 1000)
    note = f"{len(found)} benefits, {sum(item.usable for item in found)} usable"
    yield Result(
        "benefits",
        "what may I use, and why: queries",
        float(len(captured)),
        "queries",
        4,
        2,
        "lower",
        1,
        note,
    )
    yield Result(
        "benefits",
        "what may I use, and why: CPU of the web process",
        statistics.median(times),
        "ms",
        8,
        4,
        "lower",
        len(times),
        note,
    )
