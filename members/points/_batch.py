"""Many credits at once: set-based, equal in result to one by one.

The rows are staged in a temporary table. Then: refuse what is wrong, lock the accounts in the
order of their keys, drop what was written before, number the rest per account and write lots,
entries and balances.
"""

from collections.abc import Callable, Iterable
from typing import Any

from django.db import IntegrityError, connection, transaction

from members.points._calls import as_json, brand_day, check_amount, violated_constraint, wallet_id
from members.points.errors import AccountMissingError, InvalidPointsError, KeyReusedError
from members.points.values import MAX_POINTS, EarnedMany, EarnRow
from tenants.audit.operations import verify_identity
from tenants.brands.context import current_brand

_CREATE = """
CREATE TEMPORARY TABLE points_batch (
    ordinal bigint NOT NULL,
    wallet_id smallint NOT NULL,
    owner_id bigint NOT NULL,
    amount bigint NOT NULL,
    key uuid NOT NULL,
    at timestamptz NOT NULL,
    earned_on date NOT NULL,
    available_at timestamptz,
    expires_on date,
    source_type text NOT NULL,
    source_id bigint,
    cause jsonb,
    account_id bigint
) ON COMMIT DROP
"""
_STAGED = (
    "ordinal, wallet_id, owner_id, amount, key, at, earned_on, available_at, expires_on, "
    "source_type, source_id, cause"
)

_STAGE_QUERY = f"""
INSERT INTO points_batch ({_STAGED}, account_id)
SELECT q.ordinal, q.wallet_id, q.owner_id, q.amount, q.key, q.at, q.earned_on,
    q.available_at::timestamptz, q.expires_on::date, q.source_type, q.source_id::bigint,
    q.cause::jsonb, a.id
FROM ({{query}}) AS q ({_STAGED})
LEFT JOIN members_account a ON a.owner_id = q.owner_id AND a.wallet_id = q.wallet_id
"""  # noqa: S608

_ACCOUNTS = """
UPDATE points_batch b SET account_id = a.id
FROM members_account a WHERE a.owner_id = b.owner_id AND a.wallet_id = b.wallet_id
"""

_WRONG = """
SELECT count(*) FILTER (WHERE account_id IS NULL),
       min(owner_id) FILTER (WHERE account_id IS NULL),
       count(*) FILTER (WHERE amount NOT BETWEEN 1 AND %s)
FROM points_batch
"""

_LOCK = """
SELECT count(*) FROM (
    SELECT a.id FROM members_account a
    WHERE a.id IN (SELECT account_id FROM points_batch)
    ORDER BY a.id FOR UPDATE
) AS locked
"""

# A key is taken by an entry, or by an earlier row of the batch.
_SEEN = """
WITH seen AS (
    SELECT b.ordinal,
           (e.account_id, e.kind, e.delta + coalesce(e.shortfall, 0))
               = (b.account_id, 1, b.amount) AS is_same
    FROM points_batch b JOIN members_entry e ON e.key = b.key
    UNION ALL
    SELECT ordinal, is_same FROM (
        SELECT ordinal, row_number() OVER per_key AS number,
               (account_id, amount)
                   = (first_value(account_id) OVER per_key, first_value(amount) OVER per_key)
               AS is_same
        FROM points_batch
        WINDOW per_key AS (PARTITION BY key ORDER BY ordinal)
    ) AS repeated WHERE number > 1
), dropped AS (
    DELETE FROM points_batch WHERE ordinal IN (SELECT ordinal FROM seen)
    RETURNING ordinal
)
SELECT (SELECT count(*) FROM dropped), (SELECT count(*) FROM seen WHERE NOT is_same)
"""

# Rows that meet a cap, a debt to recover or points that lapse by inactivity go one by one.
_CAREFUL = """
WITH careful AS (
    DELETE FROM points_batch b USING members_account a, members_wallet w
    WHERE a.id = b.account_id AND w.id = b.wallet_id
      AND (coalesce(w.balance_cap, w.earn_cap_day, w.earn_cap_month) IS NOT NULL
           OR w.expiry_policy = 'inactivity' OR a.owed > 0 OR a.good_until IS NOT NULL)
    RETURNING b.*
)
SELECT count(*), coalesce(sum(e.o_delta), 0)::bigint,
       count(*) FILTER (WHERE e.o_outcome <> 'posted')
FROM (SELECT * FROM careful ORDER BY ordinal) AS c
CROSS JOIN LATERAL points_earn(%s, 1, c.wallet_id, c.owner_id, c.amount, c.key, c.at, c.earned_on,
    c.source_type, c.source_id, c.cause, c.available_at, c.expires_on) AS e
"""

_WRITE = """
WITH numbered AS (
    SELECT b.*, a.balance, a.seq AS last_seq,
           row_number() OVER per_account AS number,
           (sum(b.amount) OVER per_account)::bigint AS running,
           coalesce(b.available_at,
                    CASE WHEN w.pending_days > 0
                         THEN b.at + make_interval(days => w.pending_days) END) AS good_from,
           coalesce(b.expires_on,
                    points_expires_on(w.expiry_policy, w.expiry_months, b.earned_on)) AS good_until
    FROM points_batch b
    JOIN members_account a ON a.id = b.account_id
    JOIN members_wallet w ON w.id = b.wallet_id
    WINDOW per_account AS (PARTITION BY b.account_id ORDER BY b.ordinal ROWS UNBOUNDED PRECEDING)
), credited AS MATERIALIZED (
    SELECT n.*, n.last_seq + n.number AS seq, n.balance + n.running AS balance_after,
           n.amount - least(n.amount,
               greatest(n.amount - n.balance - n.running, 0)) AS remaining,
           coalesce(n.good_from > n.at, false) AS waits,
           (n.good_until - DATE '2000-01-01')::bigint AS day
    FROM numbered n
), lots AS (
    INSERT INTO members_lot (account_id, expires_on, seq, earned, remaining, available_at,
                             is_pending)
    SELECT account_id, good_until, seq, amount, remaining, good_from, waits AND remaining > 0
    FROM credited
), entries AS (
    INSERT INTO members_entry (account_id, seq, kind, delta, balance_after, key, lots, source_type,
                               source_id, cause, at)
    SELECT account_id, seq, 1, amount, balance_after, key,
           CASE WHEN remaining = amount THEN ARRAY[day, seq, amount]
                ELSE ARRAY[day, seq, amount, day, seq, remaining - amount] END,
           source_type, source_id, cause, at
    FROM credited
), summed AS (
    SELECT account_id, count(*) AS entries, sum(amount)::bigint AS points,
           coalesce(sum(remaining) FILTER (WHERE waits), 0)::bigint AS pending,
           min(good_until) AS first_on, min(seq) AS first_seq
    FROM credited GROUP BY account_id
), moved AS (
    UPDATE members_account a
    SET balance = a.balance + s.points, pending = a.pending + s.pending, seq = a.seq + s.entries,
        first_open_on = least(a.first_open_on, s.first_on),
        first_open_seq = CASE WHEN s.first_on < a.first_open_on THEN s.first_seq
                              ELSE a.first_open_seq END
    FROM summed s WHERE a.id = s.account_id
)
SELECT coalesce(sum(entries), 0)::bigint, coalesce(sum(points), 0)::bigint FROM summed
"""


def earn_rows(rows: Iterable[EarnRow]) -> EarnedMany:
    """Stage rows by COPY and credit them."""
    wallets: dict[str, int] = {}

    def stage(cursor: Any) -> None:
        with cursor.copy(f"COPY points_batch ({_STAGED}) FROM STDIN") as copy:
            for ordinal, row in enumerate(rows):
                if row.wallet not in wallets:
                    wallets[row.wallet] = wallet_id(row.wallet)
                copy.write_row(
                    (
                        ordinal,
                        wallets[row.wallet],
                        row.owner_id,
                        check_amount(row.amount),
                        row.key,
                        row.at,
                        row.earned_on or brand_day(row.at),
                        row.available_at,
                        row.expires_on,
                        row.source.type,
                        row.source.id,
                        as_json(row.cause),
                    )
                )

    return _earn(stage)


def earn_query(query: str, parameters: Iterable[Any], *, keys_are_new: bool = False) -> EarnedMany:
    """Stage the rows of a query and credit them."""

    def stage(cursor: Any) -> None:
        # With their accounts at once: to note them afterwards would write every row again.
        cursor.execute(_STAGE_QUERY.format(query=query), list(parameters))

    return _earn(stage, has_accounts=True, keys_are_new=keys_are_new)


def _earn(
    stage: Callable[[Any], None], *, has_accounts: bool = False, keys_are_new: bool = False
) -> EarnedMany:
    with transaction.atomic(), connection.cursor() as cursor:
        verify_identity()
        cursor.execute(_CREATE)
        stage(cursor)
        if not has_accounts:
            cursor.execute(_ACCOUNTS)
        cursor.execute("ANALYZE points_batch")
        cursor.execute(_WRONG, [MAX_POINTS])
        missing, owner_id, invalid = cursor.fetchone()
        if missing:
            raise AccountMissingError(owner_id=owner_id, rows=missing)
        if invalid:
            raise InvalidPointsError(rows=invalid, maximum=MAX_POINTS)
        cursor.execute(_LOCK)
        replayed = 0
        if not keys_are_new:
            cursor.execute(_SEEN)
            replayed, reused = cursor.fetchone()
            if reused:
                raise KeyReusedError(rows=reused)
        try:
            cursor.execute(_CAREFUL, [current_brand().schema_name])
            one_by_one, careful_points, refused = cursor.fetchone()
            if refused:
                raise KeyReusedError(rows=refused)
            cursor.execute(_WRITE)
        except IntegrityError as error:
            if violated_constraint(error) == "entry_key_unique":
                raise KeyReusedError from error
            raise
        posted, points = cursor.fetchone()
        cursor.execute("DROP TABLE points_batch")
    return EarnedMany(posted + one_by_one, replayed, points + careful_points)
