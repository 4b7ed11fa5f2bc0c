"""A brand with years of purchases of many members, made by a few statements.

What is written one row at a time in life (indexes, checks of keys) is left out while the rows are
made, and built once behind them: the same tables with the same constraints in the end.
"""

import atexit
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from itertools import product
from typing import Any

from django.db import connection

from bench.members_import import drop_brand, make_brand
from benefits.catalogue.operations import create_benefit
from benefits.grants.models import GrantTerms
from core.actors import SYSTEM
from members.profiles._names import fold, grams
from members.profiles.attribute_operations import define_attribute
from tenants.brands.context import tenant_context
from tenants.brands.errors import UnknownBrandError
from tenants.brands.models import Brand
from tenants.brands.queries import get_brand

MEMBERS = int(os.environ.get("BENCH_MEMBERS", "1000000"))
ORDERS = 20
TODAY = date(2026, 3, 15)
AT = datetime(2026, 3, 15, 4, 0, tzinfo=UTC)
BENEFIT = "spa-day"

_SURNAMES = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗"
_GIVEN = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉兰文辉建国"

_MEMBERS_SQL = """
INSERT INTO members_member (external_id, status, enrolled_at, region, store_code, locale, tags,
    attributes)
SELECT 'm' || n, 'active', %(at)s - interval '800 days' + (n %% 700) * interval '1 day',
    'r' || n %% 10, 'S' || n %% 40, '', ARRAY['t' || n %% 7], jsonb_build_object('size', n %% 30)
FROM generate_series(1, %(members)s) AS n
"""
_PERSONAL_SQL = """
INSERT INTO members_memberpersonal (member_id, name, email, phone, gender, birthday, consents,
    name_folded, grams)
SELECT member.id, names.name, 'm' || n || '@example.com', '1' || (3000000000 + n * 7919)::text, '',
    date '1960-01-01' + (n %% 16000)::int, '{}', names.folded, names.grams
FROM (SELECT id, substr(external_id, 2)::bigint AS n FROM members_member
    WHERE external_id LIKE 'm%%') AS member
JOIN bench_names AS names ON names.number = member.n %% %(names)s
"""
# Some members buy far more than others; the days run a little past today.
_PURCHASES_SQL = """
INSERT INTO members_purchase (external_id, member_id, occurred_at, local_date, amount_minor,
    currency, channel, store_code, associate, digest)
SELECT 'p' || n, first.id + floor(%(members)s * power(random(), 1.5))::bigint, moment.at,
    (moment.at AT TIME ZONE 'Asia/Shanghai')::date, 100 + (random() * 20000)::int, 'CNY', '',
    '', '', ''
FROM generate_series(%(orders)s * %(members)s::bigint, 1, -1) AS n
CROSS JOIN (SELECT min(id) AS id FROM members_member WHERE external_id LIKE 'm%%') AS first
CROSS JOIN LATERAL (SELECT %(at)s + interval '20 days'
    - n * (interval '730 days' / (%(members)s * %(orders)s)) AS at) AS moment
"""
# Lines of the last hundred days only: a condition reads no others.
_LINES_SQL = """
INSERT INTO members_purchaseline (purchase_id, position, sku, category, quantity, amount_minor)
SELECT id, 1, 'sku', 'c' || id %% 12, 1, amount_minor FROM members_purchase
WHERE local_date > %(on)s::date - 100
"""
_DAYS_SQL = """
INSERT INTO members_memberday (member_id, on_date, orders, spend_minor)
SELECT member_id, local_date, count(*), sum(amount_minor) FROM members_purchase
GROUP BY local_date, member_id ORDER BY local_date, member_id
"""
_ACCOUNTS_SQL = """
INSERT INTO members_account (wallet_id, owner_id, balance, pending, held, seq, opened_at)
SELECT wallet.id, member.id, COALESCE(sums.growth, 0), 0, 0, COALESCE(sums.orders, 0), %(at)s
FROM members_member AS member CROSS JOIN members_wallet AS wallet
LEFT JOIN (SELECT member_id, sum(amount_minor / 100) AS growth, count(*) AS orders
    FROM members_purchase GROUP BY member_id) AS sums
    ON sums.member_id = member.id AND wallet.id = 2
ON CONFLICT (owner_id, wallet_id) DO UPDATE SET balance = EXCLUDED.balance, seq = EXCLUDED.seq
"""
_ENTRIES_SQL = """
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
"""
_GRANTS_SQL = """
INSERT INTO benefits_grant (member_id, benefit_id, terms_id, period_key, quantity, used, issued_at,
    starts_at, reason)
SELECT id, %(benefit)s, %(terms)s, 'bench', 1, 1, %(at)s - interval '60 days',
    %(at)s - interval '60 days', '{}'
FROM members_member WHERE id %% 5 = 0
"""
_REDEMPTIONS_SQL = """
INSERT INTO benefits_redemption (key, grant_id, member_id, benefit_id, channel, state, code, region,
    store_code, requested_by, requested_at, fulfilled_at, unit_returned, failure_code,
    committed_minor, cost_minor, nps, rated_at)
SELECT gen_random_uuid(), id, member_id, benefit_id, 'staff', 'fulfilled', '', '', '', 'bench',
    %(at)s - (id %% 60) * interval '1 day', %(at)s - (id %% 60) * interval '1 day', FALSE, '', 0, 0,
    CASE WHEN id %% 3 = 0 THEN id %% 11 END, CASE WHEN id %% 3 = 0 THEN %(at)s END
FROM benefits_grant
"""
_BULK = (
    "members_purchase",
    "members_purchaseline",
    "members_memberday",
    "members_entry",
    "members_memberpersonal",
)
_ANALYZED = (*_BULK, "members_member", "members_account", "benefits_grant", "benefits_redemption")


def execute(sql: str, params: dict[str, Any] | None = None) -> Any:
    """Run one statement, however long it takes; return its first row."""
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute(sql, params)
        return cursor.fetchone() if cursor.description else None


_shared: list[Brand] = []


@contextmanager
def filled_brand() -> Iterator[Brand]:
    """Enter the brand with two years of purchases of all members and their growth.

    Made when it is first asked for and removed at the end of the process, as several sections
    measure on it. BENCH_BRAND names one that stays: it is made if it is not there.
    """
    if not _shared:
        slug = os.environ.get("BENCH_BRAND", "")
        try:
            _shared.append(get_brand(slug=slug))
        except UnknownBrandError:
            brand = make_brand(slug)
            _shared.append(brand)
            if not slug:
                atexit.register(drop_brand, brand)
            with tenant_context(brand):
                fill()
    with tenant_context(_shared[0]):
        yield _shared[0]


def fill(members: int = MEMBERS) -> None:
    """Fill the current brand."""
    params: dict[str, Any] = {"at": AT, "on": TODAY, "members": members, "orders": ORDERS}
    execute("SET maintenance_work_mem = '512MB'")
    execute("SET work_mem = '256MB'")
    try:
        execute(_MEMBERS_SQL, params)
        _make_names(params)
        execute("ANALYZE members_member")
        with _bare(_BULK):
            for statement in (_PERSONAL_SQL, _PURCHASES_SQL, "ANALYZE members_purchase",
                              _LINES_SQL, _DAYS_SQL, _ACCOUNTS_SQL, "ANALYZE members_account",
                              _ENTRIES_SQL):  # fmt: skip
                execute(statement, params)
        _use_a_benefit(params)
        define_attribute(
            code="size", type="number", label={"en": "Size"}, by=SYSTEM, at=AT,
        )  # fmt: skip
        for table in _ANALYZED:
            execute(f"VACUUM (ANALYZE) {table}")
    finally:
        execute("RESET maintenance_work_mem")
        execute("RESET work_mem")


def _make_names(params: dict[str, Any]) -> None:
    names = ["".join(letters) for letters in product(_SURNAMES, _GIVEN, _GIVEN)]
    params["names"] = len(names)
    execute(
        "CREATE TEMPORARY TABLE bench_names "
        "(number bigint, name text, folded text, grams varchar[])"
    )
    with connection.cursor() as cursor, cursor.copy("COPY bench_names FROM STDIN") as copy:
        for number, name in enumerate(names):
            copy.write_row((number, name, fold(name), grams(name)))
    execute("ANALYZE bench_names")


def _use_a_benefit(params: dict[str, Any]) -> None:
    benefit = create_benefit(
        code=BENEFIT, name={"en": "Spa day"}, kind="gift", channel="staff", by=SYSTEM, at=AT
    )
    params["benefit"] = benefit.pk
    params["terms"] = GrantTerms.objects.create(
        digest="bench", benefit=benefit, content={}, since=AT
    ).pk
    execute(_GRANTS_SQL, params)
    execute(_REDEMPTIONS_SQL, params)


@contextmanager
def _bare(tables: Sequence[str]) -> Iterator[None]:
    """Take the constraints and indexes off some tables, and build them again."""
    with connection.cursor() as cursor:
        names = list(tables)
        cursor.execute(
            "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid), contype "
            "FROM pg_constraint WHERE contype IN ('f', 'p', 'u') "
            "AND (conrelid = ANY(%(tables)s::regclass[]) "
            "OR confrelid = ANY(%(tables)s::regclass[])) "
            # What refers to others goes first and comes back last.
            "ORDER BY contype <> 'f', conname",
            {"tables": names},
        )
        constraints = cursor.fetchall()
        cursor.execute(
            "SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index "
            "WHERE indrelid = ANY(%(tables)s::regclass[]) AND NOT EXISTS (SELECT FROM "
            "pg_constraint WHERE conindid = indexrelid) ORDER BY 1",
            {"tables": names},
        )
        indexes = cursor.fetchall()
    for table, name, _text, _kind in constraints:
        execute(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"')
    for name, _text in indexes:
        execute(f"DROP INDEX {name}")
    yield
    for table, name, text, _kind in reversed(constraints):
        execute(f'ALTER TABLE {table} ADD CONSTRAINT "{name}" {text}')
    for _name, text in indexes:
        execute(text)
