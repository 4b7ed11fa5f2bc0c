"""A hot item: 200 clients take units of one stock, or codes of one pool, at the same moment.

The yardstick is the uniform ceiling of the same run with as many clients: one statement that
lowers one of many balances and inserts one row. What is timed is the statement of the product
itself, each time with the row that such a purchase inserts.
"""

import os
import statistics
from collections.abc import Iterator

from django.db import connection

from bench.harness import BENCH, Result, interleaved, median_ratio
from bench.members_ledger import MEMBERS, filled_brand, transactions_per_second
from benefits.catalogue.codes import TAKE_CODES
from benefits.mall._stock import TAKE_UNITS

CLIENTS = int(os.environ.get("TESSERA_BENCH_HOT_CLIENTS", "200"))
ROUNDS = int(os.environ.get("TESSERA_BENCH_ROUNDS", "3"))
UNITS = 300_000
ORDERS = 5_000
_CEILING = """
WITH u AS (UPDATE ce_bal SET balance = balance - 10 WHERE member_id = :m AND balance >= 10
    RETURNING member_id, balance)
INSERT INTO ce_ledger (member_id, delta, balance_after)
SELECT member_id, -10, balance FROM u;"""
_COUNTER = """
WITH u AS (UPDATE benefits_stockrow SET sold = sold + 1
            WHERE item_id = 1 AND stock_in >= held + sold + 1 RETURNING item_id)
INSERT INTO ce_ledger (member_id, delta, balance_after) SELECT :m, -1, item_id FROM u;"""
_FILL = f"""
INSERT INTO members_member (id, external_id, status, enrolled_at, region, store_code, locale, tags,
                            attributes)
VALUES (1, 'hot', 'active', now(), '', '', '', '{{}}', '{{}}') ON CONFLICT DO NOTHING;
INSERT INTO benefits_mallitem (id, code, kind, name, summary, icon, category, points, cash_minor,
                               unit_cost_minor, stock_total, unit_rows, pay_minutes, offer_hours,
                               status, created_at)
OVERRIDING SYSTEM VALUE
VALUES (1, 'hot', 'virtual', '{{"en": "Hot"}}', '{{}}', 'gift', '', 10, 0, 0, {UNITS}, true, 30, 24,
        'on_sale', now());
INSERT INTO benefits_mallorder (id, key, member_id, item_id, quantity, points, cash_minor, state,
                                hold_key, codes, restocked, carrier, tracking, committed_minor,
                                reason, placed_by, placed_at, hold_ends_at)
OVERRIDING SYSTEM VALUE
SELECT n, gen_random_uuid(), (SELECT min(id) FROM members_member), 1, 1, 10, 0, 'placed',
       gen_random_uuid(), '[]', false, '', '', 0, '', 'bench', now(), now()
  FROM generate_series(1, {ORDERS}) n;
INSERT INTO benefits_stockrow (item_id, stock_in, held, sold) VALUES (1, 2000000000, 0, 0);
INSERT INTO benefits_stockunit (item_id) SELECT 1 FROM generate_series(1, {UNITS});
INSERT INTO benefits_codepool (id, code, name, created_at) OVERRIDING SYSTEM VALUE
VALUES (1, 'hot', 'Hot', now());
INSERT INTO benefits_poolcode (pool_id, code) SELECT 1, 'C' || n FROM generate_series(1, {UNITS}) n;
"""


def _script(statement: str, *, start: str, returning: str) -> str:
    """Turn a statement of the product into one of pgbench that inserts a row as well."""
    filled = statement % {
        "item": 1,
        "pool": 1,
        "variant": "NULL",
        "waiting": "NULL",
        "order": f"1 + :m::bigint % {ORDERS}",
        "taken_for": "'bench:' || :k::bigint",
        "at": "now()",
        "start": start,
        "count": 1,
    }
    # Behind the row lock, which is an UPDATE in words, too.
    head, _update, tail = filled.partition("LOCKED)")
    head, tail = f"{head}LOCKED)", tail.replace("UPDATE", "", 1)
    return (
        f"{head}, taken AS (UPDATE {tail}) INSERT INTO ce_ledger (member_id, delta, balance_after)"
        f" SELECT :m, -1, 0 FROM taken WHERE {returning} IS NOT NULL;"
    )


def _bounds(table: str) -> tuple[int, int]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT min(id), max(id) FROM {table}")
        low, high = cursor.fetchone()
        return int(low), int(high)


@BENCH.register("benefits", "hot item, 200 clients")
def hot_item() -> Iterator[Result]:
    """Take units and codes of one stock against the uniform ceiling with as many clients."""
    with filled_brand() as brand:
        with connection.cursor() as cursor:
            cursor.execute(_FILL)
            for table in ("benefits_stockunit", "benefits_poolcode"):
                cursor.execute(f"VACUUM ANALYZE {table}")
        scripts = {"ceiling": _CEILING, "counter": _COUNTER}
        for name, statement, table, returning in (
            ("units", TAKE_UNITS, "benefits_stockunit", "id"),
            ("codes", TAKE_CODES, "benefits_poolcode", "code"),
        ):
            low, high = _bounds(table)
            start = f"({low} + :k::bigint % {high - low + 1})"
            scripts[name] = _script(statement, start=start, returning=returning)
        contestants = {
            name: (lambda script=script: transactions_per_second(brand, script, clients=CLIENTS))
            for name, script in scripts.items()
        }
        interleaved(contestants, rounds=1)
        figures = interleaved(contestants, rounds=ROUNDS)
        oversold = _oversold()
    note = f"{MEMBERS:,} members; " + ", ".join(
        f"{name} {statistics.median(rates):,.0f}/s" for name, rates in figures.items()
    )
    for name, what in (("units", "unit rows"), ("codes", "codes of a pool")):
        yield Result(
            "benefits",
            f"hot item, {CLIENTS} clients, {what}, against the uniform ceiling",
            median_ratio(figures, name, "ceiling"),
            "× ceiling",
            0.3,
            0.5,
            "higher",
            ROUNDS,
            note,
        )
    yield Result("benefits", "oversold or handed out twice", float(oversold), "", 0, 0, "lower", 1)


def _oversold() -> int:
    """Count rows that were inserted without a unit or code behind them."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT (SELECT count(*) FROM ce_ledger WHERE delta = -1)"
            " - (SELECT count(*) FROM benefits_stockunit WHERE order_id IS NOT NULL)"
            " - (SELECT count(*) FROM benefits_poolcode WHERE taken_at IS NOT NULL)"
            " - (SELECT sold FROM benefits_stockrow WHERE item_id = 1)"
        )
        return int(cursor.fetchone()[0])
