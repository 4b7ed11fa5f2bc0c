"""What must hold in the points of any brand at any time (DOMAIN §10, I1 to I4).

Each check returns what is wrong as lines for a person, at most `_SHOWN` of a kind; none: all is
well. They read one snapshot each and lock nothing.
"""

from collections.abc import Callable
from typing import Any, Final

from django.db import connection

_SHOWN: Final = 20

# Stored balances against the journal, the lots and the holds.
_BALANCES: Final = """
SELECT a.id, a.balance, a.pending, a.held, coalesce(e.delta, 0), coalesce(l.remaining, 0),
       coalesce(l.pending, 0), coalesce(h.held, 0), coalesce(l.lost, 0)
FROM members_account a
LEFT JOIN (SELECT account_id, sum(delta) AS delta FROM members_entry GROUP BY 1) e
    ON e.account_id = a.id
LEFT JOIN (
    SELECT account_id, sum(remaining) AS remaining,
           sum(remaining) FILTER (WHERE is_pending) AS pending,
           count(*) FILTER (WHERE is_open IS DISTINCT FROM (remaining > 0)) AS lost
    FROM members_lot GROUP BY 1
) l ON l.account_id = a.id
LEFT JOIN (SELECT account_id, sum(amount) AS held FROM members_hold WHERE state = 1 GROUP BY 1) h
    ON h.account_id = a.id
WHERE a.balance <> coalesce(e.delta, 0)
   OR greatest(a.balance, 0) <> coalesce(l.remaining, 0)
   OR a.pending <> coalesce(l.pending, 0)
   OR a.held <> coalesce(h.held, 0)
   OR coalesce(l.lost, 0) > 0
ORDER BY a.id LIMIT %s
"""

_STRAYS: Final = """
SELECT 'entry', count(*) FROM members_entry e
WHERE NOT EXISTS (SELECT FROM members_account a WHERE a.id = e.account_id) HAVING count(*) > 0
UNION ALL
SELECT 'lot', count(*) FROM members_lot l
WHERE NOT EXISTS (SELECT FROM members_account a WHERE a.id = l.account_id) HAVING count(*) > 0
UNION ALL
SELECT 'hold', count(*) FROM members_hold h
WHERE NOT EXISTS (SELECT FROM members_entry e
                  WHERE e.account_id = h.account_id AND e.seq = h.seq AND e.kind = 6)
HAVING count(*) > 0
LIMIT %s
"""

_SEQUENCES: Final = """
SELECT a.id, a.seq, coalesce(e.entries, 0), coalesce(e.last, 0), coalesce(e.broken, 0)
FROM members_account a
LEFT JOIN (
    SELECT account_id, count(*) AS entries, max(seq) AS last,
           count(*) FILTER (WHERE balance_after <> running) AS broken
    FROM (SELECT account_id, seq, balance_after,
                 sum(delta) OVER (PARTITION BY account_id ORDER BY seq) AS running
          FROM members_entry) AS walked
    GROUP BY 1
) e ON e.account_id = a.id
WHERE a.seq <> coalesce(e.entries, 0) OR a.seq <> coalesce(e.last, 0) OR coalesce(e.broken, 0) > 0
ORDER BY a.id LIMIT %s
"""

# The books of each wallet from the journal sum to zero by their form; here the members' and held
# accounts are taken from the stored balances instead, so that the sum says something.
_BOOKS: Final = """
WITH contra AS (
    SELECT a.wallet_id,
           sum(CASE WHEN e.kind IN (6, 8) THEN 0 WHEN e.kind = 7 THEN points_sum(e.lots)
                    ELSE -e.delta END) AS points
    FROM members_entry e JOIN members_account a ON a.id = e.account_id GROUP BY 1
), stored AS (
    SELECT wallet_id, sum(balance) AS balance, sum(held) AS held FROM members_account GROUP BY 1
)
SELECT wallet_id, balance, held, coalesce(points, 0)
FROM stored LEFT JOIN contra USING (wallet_id)
WHERE balance + held + coalesce(points, 0) <> 0
ORDER BY wallet_id LIMIT %s
"""

# What happened to each lot, from the triples of the journal: earned = spent + expired + reversed
# + held + remaining, none below zero.
_LOTS: Final = """
WITH change AS (
    SELECT e.account_id, e.lots[i] AS day, e.lots[i + 1] AS seq, e.kind, e.ref_seq, e.seq AS by_seq,
           e.lots[i + 2] AS points
    FROM members_entry e CROSS JOIN generate_series(1, cardinality(e.lots), 3) AS i
), fate AS (
    SELECT account_id, day, seq,
           sum(points) FILTER (WHERE points > 0 AND seq = by_seq) AS earned,
           -sum(points) FILTER (WHERE kind IN (2, 7)
               OR kind = 9 AND (points < 0 OR seq <> by_seq)
               OR kind = 5 AND ref_seq IS NULL AND points < 0 AND seq <> by_seq
               OR kind IN (4, 5) AND points > 0 AND seq <> by_seq) AS spent,
           -sum(points) FILTER (WHERE kind = 3) AS expired,
           -sum(points) FILTER (WHERE points < 0 AND (kind IN (1, 4, 8, 10, 11)
               OR kind = 5 AND (ref_seq IS NOT NULL OR seq = by_seq))) AS reversed,
           -sum(CASE kind WHEN 7 THEN -points ELSE points END) FILTER (WHERE kind IN (6, 7)
               OR kind = 8 AND points > 0 AND seq <> by_seq) AS held
    FROM change GROUP BY 1, 2, 3
), told AS (
    SELECT account_id, DATE '2000-01-01' + day::integer AS expires_on, seq,
           coalesce(earned, 0) AS earned, coalesce(spent, 0) AS spent,
           coalesce(expired, 0) AS expired, coalesce(reversed, 0) AS reversed,
           coalesce(held, 0) AS held
    FROM fate
)
SELECT account_id, expires_on, seq, l.earned, l.remaining, t.earned, t.spent, t.expired,
       t.reversed, t.held
FROM members_lot l FULL JOIN told t USING (account_id, expires_on, seq)
WHERE l.earned IS DISTINCT FROM t.earned
   OR l.earned IS DISTINCT FROM t.spent + t.expired + t.reversed + t.held + l.remaining
   OR least(t.spent, t.expired, t.reversed, t.held, l.remaining) < 0
ORDER BY 1, 2, 3 LIMIT %s
"""

_ENTRIES: Final = """
SELECT account_id, seq, kind, delta, ref_seq, shortfall
FROM members_entry
WHERE CASE
        WHEN kind = 1 THEN delta < 0 OR delta = 0 AND shortfall IS NULL
        WHEN kind IN (4, 8) THEN delta <= 0
        WHEN kind IN (2, 3, 6, 11) THEN delta >= 0
        WHEN kind = 5 THEN delta = 0 AND ref_seq IS NULL
        WHEN kind = 7 THEN delta <> 0
        WHEN kind = 10 THEN delta > 0
        WHEN kind = 9 THEN delta = 0
        ELSE true
      END
   OR (ref_seq IS NOT NULL) <> (kind IN (4, 7, 8, 10) OR kind = 5 AND ref_seq IS NOT NULL)
   OR ref_seq >= seq
   OR shortfall <= 0
   OR shortfall IS NOT NULL AND kind NOT IN (1, 5, 10)
ORDER BY account_id, seq LIMIT %s
"""

_WAITING: Final = """
SELECT account_id, expires_on, seq FROM members_lot
WHERE is_pending AND (available_at IS NULL OR remaining = 0)
ORDER BY account_id, seq LIMIT %s
"""

_OVERLOOKED: Final = """
SELECT l.account_id, l.expires_on, l.seq, a.first_open_on, a.first_open_seq
FROM members_lot l JOIN members_account a ON a.id = l.account_id
WHERE l.is_open AND (l.expires_on, l.seq) < (a.first_open_on, a.first_open_seq)
ORDER BY 1, 2, 3 LIMIT %s
"""

_REVERSALS: Final = """
SELECT r.account_id, r.seq, CASE r.kind WHEN 7 THEN points_sum(r.lots)
           ELSE abs(r.delta) + coalesce(r.shortfall, 0) END,
       sum(abs(e.delta) + coalesce(e.shortfall, 0))
FROM members_entry e
JOIN members_entry r ON r.account_id = e.account_id AND r.seq = e.ref_seq
WHERE e.kind IN (4, 5, 10)
GROUP BY 1, 2, 3
HAVING sum(abs(e.delta) + coalesce(e.shortfall, 0))
     > CASE r.kind WHEN 7 THEN points_sum(r.lots) ELSE abs(r.delta) + coalesce(r.shortfall, 0) END
ORDER BY 1, 2 LIMIT %s
"""

_HOLDS: Final = """
SELECT h.account_id, h.seq, h.state, count(e.seq) FILTER (WHERE e.kind = 7),
       count(e.seq) FILTER (WHERE e.kind = 8)
FROM members_hold h
LEFT JOIN members_entry e ON e.account_id = h.account_id AND e.ref_seq = h.seq
GROUP BY 1, 2, 3
HAVING (count(e.seq) FILTER (WHERE e.kind = 7), count(e.seq) FILTER (WHERE e.kind = 8))
    <> (CASE h.state WHEN 2 THEN 1 ELSE 0 END, CASE h.state WHEN 3 THEN 1 ELSE 0 END)
ORDER BY 1, 2 LIMIT %s
"""


# What is owed is what clawbacks noted, less what later credits paid, and what merges moved.
_OWED: Final = """
SELECT a.id, a.owed, coalesce(e.owed, 0)
FROM members_account a
LEFT JOIN (
    SELECT account_id,
           sum(CASE kind WHEN 11 THEN delta ELSE (cause ->> 'owed')::bigint END) AS owed
    FROM members_entry WHERE kind = 11 OR kind IN (5, 10) AND cause ? 'owed' GROUP BY 1
) e ON e.account_id = a.id
WHERE a.owed <> coalesce(e.owed, 0) + a.owed_moved OR a.owed < 0
ORDER BY a.id LIMIT %s
"""

# Lots that are good while their owner is active have a day until which they are.
_IDLE: Final = """
SELECT DISTINCT l.account_id FROM members_lot l JOIN members_account a ON a.id = l.account_id
WHERE l.is_open AND l.expires_on = DATE '9999-12-30'
  AND (a.good_until IS NULL OR a.idle_months IS NULL)
ORDER BY 1 LIMIT %s
"""

# What merges hand over adds up to nothing, and what was merged has nothing left.
_HANDED_OVER: Final = """
SELECT a.wallet_id, sum(e.delta) FROM members_entry e JOIN members_account a ON a.id = e.account_id
WHERE e.kind = 9 AND e.source_type = 'merge' GROUP BY 1 HAVING sum(e.delta) <> 0
ORDER BY 1 LIMIT %s
"""

_LEFT_BEHIND: Final = """
SELECT a.id, a.balance FROM members_account a JOIN members_wallet w ON w.id = a.wallet_id
WHERE a.merged_into_id IS NOT NULL
  AND (a.balance > 0 OR a.owed > 0 OR a.balance < 0 AND w.may_go_negative)
ORDER BY 1 LIMIT %s
"""

# The two sides of each transfer, and that each entry of one has its row.
_TRANSFERS: Final = """
SELECT t.id, t.points, s.delta, r.delta
FROM members_transfer t
LEFT JOIN members_entry s ON s.account_id = t.from_account_id AND s.seq = t.from_seq
    AND s.kind = 9 AND s.source_id = t.id
LEFT JOIN members_entry r ON r.account_id = t.to_account_id AND r.seq = t.to_seq
    AND r.kind = 9 AND r.source_id = t.id
WHERE s.delta IS DISTINCT FROM -t.points OR r.delta IS DISTINCT FROM t.points
UNION ALL
SELECT e.source_id, NULL, e.delta, NULL FROM members_entry e
WHERE e.kind = 9 AND e.source_type <> 'merge' AND NOT EXISTS (
    SELECT FROM members_transfer t WHERE t.id = e.source_id
    AND (e.account_id, e.seq) IN ((t.from_account_id, t.from_seq), (t.to_account_id, t.to_seq)))
ORDER BY 1 LIMIT %s
"""


def check_balances() -> list[str]:
    """I1: stored balances equal the journal, the lots and the open holds."""
    return (
        [
            f"account {row[0]}: balance {row[1]}, pending {row[2]}, held {row[3]}; journal {row[4]}, "
            f"lots {row[5]}, waiting lots {row[6]}, open holds {row[7]}, mislabelled lots {row[8]}"
            for row in _rows(_BALANCES)
        ]
        + [f"{count} rows of {table} belong to no account" for table, count in _rows(_STRAYS)]
        + [f"account {row[0]}: owes {row[1]}, its journal says {row[2]}" for row in _rows(_OWED)]
    )


def check_books() -> list[str]:
    """I2: the double-entry view sums to zero; sequences have no gap and running balances hold."""
    return [
        f"account {row[0]}: number {row[1]}, entries {row[2]}, last {row[3]}, "
        f"wrong running balances {row[4]}"
        for row in _rows(_SEQUENCES)
    ] + [
        f"wallet {row[0]}: balances {row[1]} + held {row[2]} + contra accounts {row[3]} is not 0"
        for row in _rows(_BOOKS)
    ]


def check_lots() -> list[str]:
    """I3: per lot, earned = spent + expired + reversed + available + held, all ≥ 0."""
    return (
        [
            f"lot {row[0]}/{row[1]}/{row[2]}: earned {row[3]}, remaining {row[4]}; journal: earned "
            f"{row[5]}, spent {row[6]}, expired {row[7]}, reversed {row[8]}, held {row[9]}"
            for row in _rows(_LOTS)
        ]
        + [
            f"lot {row[0]}/{row[1]}/{row[2]} is open before {row[3]}/{row[4]}, where spending begins"
            for row in _rows(_OVERLOOKED)
        ]
        + [
            f"account {row[0]}: lots are good while it is active, and no day is set"
            for row in _rows(_IDLE)
        ]
    )


def check_entries() -> list[str]:
    """Signs, references and shortfalls fit the kind of each entry; waiting lots know until when."""
    return [
        f"account {row[0]} entry {row[1]}: kind {row[2]}, delta {row[3]}, ref {row[4]}, "
        f"shortfall {row[5]}"
        for row in _rows(_ENTRIES)
    ] + [
        f"lot {row[0]}/{row[1]}/{row[2]} waits without points or without an instant"
        for row in _rows(_WAITING)
    ]


def check_reversals() -> list[str]:
    """I7 for points: reversals never pass their entry; each hold ended at most once."""
    return [
        f"account {row[0]} entry {row[1]}: {row[3]} reversed of {row[2]}"
        for row in _rows(_REVERSALS)
    ] + [
        f"account {row[0]} hold {row[1]}: state {row[2]}, {row[3]} captures, {row[4]} releases"
        for row in _rows(_HOLDS)
    ]


def check_transfers() -> list[str]:
    """Both sides of each transfer are there, for the same number of points."""
    return [
        f"transfer {row[0]}: {row[1]} points, sender {row[2]}, receiver {row[3]}"
        for row in _rows(_TRANSFERS)
    ]


def check_merged() -> list[str]:
    """An account that was merged into another has handed over all but its open holds."""
    return [f"account {row[0]}: {row[1]} left behind by a merge" for row in _rows(_LEFT_BEHIND)] + [
        f"wallet {row[0]}: merges add up to {row[1]}" for row in _rows(_HANDED_OVER)
    ]


def check_liability() -> list[str]:
    """I4: the sum of the members' balances is the liability account of the books."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT w.code, coalesce(s.points, 0), coalesce(j.points, 0)
            FROM members_wallet w
            LEFT JOIN (SELECT wallet_id, sum(balance) AS points FROM members_account GROUP BY 1) s
                ON s.wallet_id = w.id
            LEFT JOIN (SELECT a.wallet_id, sum(e.delta) AS points
                       FROM members_entry e JOIN members_account a ON a.id = e.account_id
                       GROUP BY 1) j ON j.wallet_id = w.id
            WHERE coalesce(s.points, 0) <> coalesce(j.points, 0)
            ORDER BY w.code
            """
        )
        return [
            f"wallet {code}: balances {stored}, books {told}"
            for code, stored, told in cursor.fetchall()
        ]


CHECKS: Final[dict[str, Callable[[], list[str]]]] = {
    "points.balances": check_balances,
    "points.books": check_books,
    "points.lots": check_lots,
    "points.entries": check_entries,
    "points.liability": check_liability,
    "points.reversals": check_reversals,
    "points.transfers": check_transfers,
    "points.merged": check_merged,
}


def _rows(sql: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, [_SHOWN])
        return list(cursor.fetchall())
