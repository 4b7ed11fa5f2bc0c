"""The night in DuckDB: the window's purchases out of PostgreSQL as text, then one query.

DuckDB is no part of the product nor of its tools; where it is not installed, the row says so.
"""

import importlib.util
import tempfile
from datetime import date, timedelta
from pathlib import Path

from django.db import connection

_EXPORT = """
COPY (SELECT member_id, local_date, amount_minor, refunded_minor FROM members_purchase
    WHERE local_date >= %s AND local_date <= %s) TO STDOUT (FORMAT csv)
"""
_MEMBERS = """
COPY (SELECT id, (enrolled_at AT TIME ZONE 'Asia/Shanghai')::date FROM members_member)
TO STDOUT (FORMAT csv)
"""
_NIGHT = """
CREATE TABLE placed AS
WITH purchase AS (
    SELECT * FROM read_csv('{purchases}', header = false, columns = {{'member_id': 'BIGINT',
        'local_date': 'DATE', 'amount': 'BIGINT', 'refunded': 'BIGINT'}})
), member AS (
    SELECT * FROM read_csv('{members}', header = false,
        columns = {{'member_id': 'BIGINT', 'joined_on': 'DATE'}})
), facts AS (
    SELECT member_id,
        max(local_date) FILTER (WHERE counts) AS last_on, count(*) FILTER (WHERE counts) AS f,
        sum(amount - refunded) FILTER (WHERE counts)::bigint AS m,
        sum(amount // 100) FILTER (
            WHERE local_date > DATE '{on}' - INTERVAL 12 MONTH)::bigint AS metric
    FROM (SELECT *, local_date < DATE '{on}' AND (refunded < amount OR amount = 0) AS counts
        FROM purchase)
    GROUP BY member_id
), bounds AS (
    SELECT quantile_disc(DATE '{on}' - last_on, [0.2, 0.4, 0.6, 0.8]) AS r,
        quantile_disc(f, [0.2, 0.4, 0.6, 0.8]) AS f, quantile_disc(m, [0.2, 0.4, 0.6, 0.8]) AS m
    FROM facts WHERE f > 0
), scored AS (
    SELECT facts.*,
        5 - len(list_filter(bounds.r, lambda b: DATE '{on}' - last_on > b)) AS rs,
        1 + len(list_filter(bounds.f, lambda b: facts.f > b)) AS fs,
        1 + len(list_filter(bounds.m, lambda b: facts.m > b)) AS ms
    FROM facts, bounds
)
SELECT member.member_id, rs, fs, ms, last_on, f, m,
    CASE WHEN rs >= 4 AND fs >= 4 AND ms >= 4 THEN 'champions'
        WHEN rs <= 2 AND (fs >= 3 OR ms >= 3) THEN 'at_risk'
        WHEN rs >= 3 AND fs >= 3 THEN 'loyal'
        WHEN DATE '{on}' - joined_on < 60 OR (f = 1 AND rs >= 4) THEN 'new'
        WHEN rs >= 3 THEN 'potential' ELSE 'dormant' END AS segment,
    CASE WHEN metric >= 5000 THEN 3 WHEN metric >= 1000 THEN 2 ELSE 1 END AS rank
FROM member LEFT JOIN scored USING (member_id)
"""


def is_there() -> bool:
    """Say whether DuckDB is installed."""
    return importlib.util.find_spec("duckdb") is not None


def night(on: date) -> None:
    """Export the window and compute scores, segments and tiers; nothing is written back."""
    duckdb = importlib.import_module("duckdb")
    with tempfile.TemporaryDirectory() as name:
        purchases, members = Path(name) / "purchases.csv", Path(name) / "members.csv"
        _copy(_EXPORT, [on - timedelta(days=366), on], purchases)
        _copy(_MEMBERS, [], members)
        with duckdb.connect() as database:
            database.execute(_NIGHT.format(purchases=purchases, members=members, on=on))


def _copy(sql: str, parameters: list[date], path: Path) -> None:
    with (
        connection.cursor() as cursor,
        path.open("wb") as file,
        cursor.copy(sql, parameters) as copy,
    ):
        for block in copy:
            file.write(block)
