"""Audiences, search, jobs, pages and simulations over many members."""

import statistics
from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.db import connection
from django.test import Client
from django.urls import reverse

from bench.harness import BENCH, Result, interleaved, median_ratio, peak_memory, seconds
from bench.members_data import AT, BENEFIT, MEMBERS, TODAY, execute, filled_brand
from core.actors import SYSTEM
from core.ids import readable_code
from members.profiles.models import MemberPersonal
from members.profiles.queries import search_members
from members.segments.conditions import parse
from members.segments.export import export_audience
from members.segments.models import SavedSegment
from members.segments.operations import save_segment
from members.segments.queries import count_audience
from members.tiers.models import TierScheme
from members.tiers.simulation import simulate
from members.tiers.values import SchemeDraft, TierDraft
from tenants.accounts.models import StaffMember, User
from tenants.brands.models import Brand
from tenants.jobs.operations import enqueue, run_pending

ROUNDS = 5
_NOTE = f"{MEMBERS:,} members"

_SPENT: dict[str, Any] = {
    "all": [
        {"field": "region", "op": "in", "value": ["r1", "r2", "r3", "r4"]},
        {"field": "days_since_joining", "op": ">=", "value": 200},
        {"field": "spend_365d", "op": ">=", "value": 100_000},
        {"field": "orders_365d", "op": ">=", "value": 5},
        {"field": "tags", "op": "contains", "value": "t3"},
    ]
}
_SPENT_SQL = """
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
_MIXED: dict[str, Any] = {
    "all": [
        {"field": "region", "op": "in", "value": ["r1", "r3", "r5", "r7", "r9"]},
        {"field": "tags", "op": "contains_any", "value": ["t1", "t3", "t5"]},
        {"field": "attribute.size", "op": ">=", "value": 10},
        {
            "field": "bought_category",
            "args": {"category": "c3", "days": 60},
            "op": "is",
            "value": True,
        },
        {
            "field": "used_benefit",
            "args": {"benefit": BENEFIT, "days": 60},
            "op": "is",
            "value": True,
        },
    ]
}
_MIXED_SQL = """
SELECT count(*) FROM members_member AS member
WHERE member.status = 'active' AND member.region IN ('r1', 'r3', 'r5', 'r7', 'r9')
    AND member.tags && '{t1,t3,t5}'::varchar[]
    AND (member.attributes ->> 'size')::numeric >= 10
    AND member.id IN (
        SELECT purchase.member_id FROM members_purchase AS purchase
        JOIN members_purchaseline AS line ON line.purchase_id = purchase.id
        WHERE line.category = 'c3' AND purchase.local_date > %(on)s::date - 60
            AND purchase.local_date <= %(on)s
            AND (purchase.refunded_minor < purchase.amount_minor OR purchase.amount_minor = 0))
    AND member.id IN (
        SELECT member_id FROM benefits_redemption
        WHERE benefit_id = (SELECT id FROM benefits_benefit WHERE code = %(benefit)s)
            AND requested_at >= ((%(on)s::date - 59)::timestamp AT TIME ZONE 'Asia/Shanghai')
            AND requested_at <= %(at)s AND state NOT IN ('cancelled', 'failed'))
"""


@BENCH.register("members", "audiences, search and jobs over many members")
def many() -> Iterator[Result]:
    """Yield what an audience costs, how a member is found, and the memory of each job."""
    with filled_brand() as brand:
        yield _audience("of five conditions on purchases", _SPENT, _SPENT_SQL)
        yield _audience("of five mixed conditions", _MIXED, _MIXED_SQL)
        yield _search()
        yield _list_page(brand)
        yield from _jobs(brand)


@BENCH.register("insights", "simulations and pages over many members")
def many_seen() -> Iterator[Result]:
    """Yield how long a scheme is tried out, and what a dashboard costs."""
    with filled_brand() as brand:
        yield _simulations()
        yield from _overview(brand)


def _audience(name: str, tree: dict[str, Any], by_hand: str) -> Result:
    condition = parse(tree)
    params = {"on": TODAY, "at": AT, "benefit": BENEFIT}
    found = count_audience(condition=condition, at=AT)
    assert execute(by_hand, params) == (found,), (found, execute(by_hand, params))
    figures = interleaved(
        {
            "ours": lambda: seconds(lambda: count_audience(condition=condition, at=AT)),
            "hand": lambda: seconds(lambda: execute(by_hand, params)),
        },
        rounds=ROUNDS,
    )
    return Result(
        "members",
        f"size of an audience {name}, against hand-written SQL",
        median_ratio(figures, "ours", "hand"),
        "× its time",
        2,
        1.2,
        "lower",
        ROUNDS,
        f"{found:,} of {_NOTE} in {statistics.median(figures['ours']):.2f} s",
    )


def _search() -> Result:
    person = MemberPersonal.objects.select_related("member").order_by("-pk")[7]
    texts = {
        "number": person.member.number,
        "external id": person.member.external_id,
        "phone": person.phone[:8],
        "end of a phone": person.phone[-4:],
        "e-mail": person.email[:6],
        "name": person.name,
        "part of a name": person.name[1:],
    }
    took = {}
    for name, text in texts.items():
        search = partial(search_members, text=text)
        assert search(), name
        took[name] = statistics.median(seconds(search) for _round in range(ROUNDS)) * 1e3
    slowest = max(took, key=lambda name: took[name])
    return Result(
        "members",
        "a member found by number, phone, e-mail or part of a name: the slowest",
        took[slowest],
        "ms",
        60,
        30,
        "lower",
        ROUNDS,
        f"{_NOTE}; " + ", ".join(f"{name} {time:.1f}" for name, time in took.items()),
    )


def _staff_client(brand: Brand) -> Client:
    user = User.objects.create_user(f"bench-{readable_code(6).lower()}@example.com", name="Bench")
    StaffMember.objects.create(user=user, role="owner")
    client = Client(HTTP_HOST=f"{brand.slug}.{settings.PLATFORM_HOST}")
    client.force_login(user)
    return client


def _page(client: Client, address: str) -> tuple[float, int]:
    """Return the milliseconds of a page on the server, and its queries.

    Looked at before: what takes long to count is then kept for five minutes.
    """
    for _warm in range(2):
        assert client.get(address).status_code == 200, address
    texts: list[str] = []

    def count(run: Callable[..., Any], sql: str, *rest: Any) -> Any:
        texts.append(sql)
        return run(sql, *rest)

    # A request takes a connection of its own, which would forget what it logged.
    with connection.execute_wrapper(count):
        client.get(address)
    assert texts, address
    took = statistics.median(seconds(lambda: client.get(address)) for _round in range(ROUNDS))
    return took * 1e3, len(texts)


def _list_page(brand: Brand) -> Result:
    client = _staff_client(brand)
    first = reverse("console:members")
    pages = {
        "list": first,
        "by name": f"{first}?q=伟",
        "by tag": f"{first}?tag=t3",
        "by tier": f"{first}?tier=gold",
        "by value segment": f"{first}?segment=at_risk",
    }
    took = {name: _page(client, address)[0] for name, address in pages.items()}
    return Result(
        "members",
        "members list of the console: server time of the slowest",
        max(took.values()),
        "ms",
        60,
        30,
        "lower",
        ROUNDS,
        f"{_NOTE}; " + ", ".join(f"{name} {time:.0f}" for name, time in took.items()),
    )


def _jobs(brand: Brand) -> Iterator[Result]:
    """Run each job over all members once; yield the memory of the greediest."""
    if not SavedSegment.objects.filter(name="bench").exists():
        condition = {"field": "region", "op": "!=", "value": "r1"}
        save_segment(name="bench", condition=condition, by=SYSTEM, at=AT)
    everybody = parse({})
    columns = ["number", "name", "phone", "spend_365d"]

    def export() -> None:
        rows = sum(
            len(piece)
            for piece in export_audience(condition=everybody, columns=columns, brand=brand, at=AT)
        )
        assert rows >= MEMBERS

    steps: dict[str, Callable[[], object]] = {
        kind: partial(_run, kind)
        for kind in ("segments.recompute", "segments.store", "points.expire", "activity.rebuild")
    }
    steps["export"] = export
    peaks, took = {}, {}
    for name, step in steps.items():
        with peak_memory() as memory:
            took[name] = seconds(step)
        peaks[name] = memory.peak
    yield Result(
        "members",
        "memory of the jobs over all members: the greediest",
        max(peaks.values()),
        "MB",
        300,
        150,
        "lower",
        1,
        f"{_NOTE}, the whole process; "
        + ", ".join(f"{name} {peaks[name]:.0f} MB in {took[name]:.1f} s" for name in steps),
    )


def _run(kind: str) -> None:
    job = enqueue(kind=kind, dedupe_key=f"bench-{uuid4()}", by=SYSTEM, at=AT)
    run_pending(at=AT)
    job.refresh_from_db()
    assert job.state == "done", job.error


def _simulations() -> Result:
    took: dict[str, float] = {}
    for metric, window in product(TierScheme.Metric.values, TierScheme.Window.values):
        top = {"orders": 10, "spend": 100_000}.get(metric, 1_000)
        draft = SchemeDraft(
            metric=metric,
            window=window,
            window_months=12 if window == TierScheme.Window.ROLLING else None,
            tiers=(
                TierDraft(
                    code="silver", name={"en": "Silver"}, entry_threshold=0, keep_threshold=0
                ),
                TierDraft(
                    code="gold", name={"en": "Gold"}, entry_threshold=top, keep_threshold=top
                ),
            ),
        )
        took[f"{metric}, {window}"] = seconds(partial(simulate, draft=draft, at=AT))
    slowest = max(took, key=lambda name: took[name])
    return Result(
        "insights",
        "simulation of a tier scheme: the slowest metric and window",
        took[slowest],
        "s",
        15,
        5,
        "lower",
        len(took),
        f"{_NOTE}; {slowest}; median of all {statistics.median(took.values()):.1f} s",
    )


def _overview(brand: Brand) -> Iterator[Result]:
    client = _staff_client(brand)
    took, queries = {}, {}
    for name in ("overview", "tiers", "segments", "budget", "benefits", "alerts"):
        took[name], queries[name] = _page(client, reverse(f"console:{name}"))
    slowest = max(took, key=lambda name: took[name])
    yield Result(
        "insights", "dashboard pages: queries of the one with most", max(queries.values()),
        "queries", 12, 8, "lower", 1, ", ".join(f"{name} {n}" for name, n in queries.items()),
    )  # fmt: skip
    yield Result(
        "insights", "dashboard pages: server time of the slowest", took[slowest], "ms", 60, 30,
        "lower", ROUNDS,
        f"{_NOTE}, slow counts kept for five minutes; "
        + ", ".join(f"{n} {time:.0f}" for n, time in took.items()),
    )  # fmt: skip
