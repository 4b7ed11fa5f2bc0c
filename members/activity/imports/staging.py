"""Purchases of a file in the database: staged by COPY, checked and written by whole sets.

All tables here are temporary and vanish with the transaction. Every statement is set-based; what
a row is refused for is told by its line in the file.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from django.db import DatabaseError, connection, transaction

from members.activity._digest import LINE_SQL, PURCHASE_SQL
from members.activity.effects import ADDED
from members.activity.imports.rows import LineRow, Problem, PurchaseRow

_PER_WRITE = 2_000

# For this transaction only. Small samples are enough for tables whose size is what matters.
_SETTINGS = {
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "work_mem": "64MB",
    "default_statistics_target": "10",
    "jit": "off",
}

# Dropped first for the sake of two imports in one transaction.
_TABLES = f"""
DROP TABLE IF EXISTS import_purchase, import_line, import_missing, {ADDED};
CREATE TEMPORARY TABLE import_purchase (
    line bigint NOT NULL, external_id text NOT NULL, member text NOT NULL,
    occurred_at timestamptz NOT NULL, local_date date NOT NULL, amount_minor bigint NOT NULL,
    channel text NOT NULL, store_code text NOT NULL, associate text NOT NULL
) ON COMMIT DROP;
CREATE TEMPORARY TABLE import_line (
    line bigint NOT NULL, purchase text NOT NULL, sku text NOT NULL, category text NOT NULL,
    quantity int NOT NULL, amount_minor bigint NOT NULL, cost_minor bigint
) ON COMMIT DROP;
CREATE TEMPORARY TABLE {ADDED} (
    purchase_id bigint NOT NULL, member_id bigint NOT NULL, occurred_at timestamptz NOT NULL,
    local_date date NOT NULL, amount_minor bigint NOT NULL, channel text NOT NULL,
    store_code text NOT NULL
) ON COMMIT DROP;
"""

# The purchases as they would be written. Without an id in the file, one is made of member, day
# and running number within both, so that sending the file again meets the same ids. Purchases of
# who was merged are the survivor's; what makes two purchases the same is still who was named.
_RESOLVED = """
SELECT p.line, p.external_id, p.owner_id AS member_id, p.occurred_at, p.local_date, p.amount_minor,
    p.currency, p.channel, p.store_code, p.associate, {digest} AS digest
FROM (
    SELECT s.line, {external_id} AS external_id, m.id AS member_id,
        coalesce(m.merged_into_id, m.id) AS owner_id,
        s.occurred_at, s.local_date, s.amount_minor, '{currency}' AS currency, s.channel, s.store_code, s.associate
    FROM import_purchase s JOIN members_member m ON m.external_id = s.member
    WHERE m.status <> 'erased'
) p {lines}
"""
_DERIVED_ID = (
    "s.member || to_char(s.local_date, '-YYYYMMDD-') || "
    "row_number() OVER (PARTITION BY s.member, s.local_date ORDER BY s.line)"
)
_JOIN_LINES = f"""
LEFT JOIN (
    SELECT l.purchase, string_agg({LINE_SQL.format(line="l")}, '' ORDER BY l.line) AS text
    FROM import_line l GROUP BY l.purchase
) lines ON lines.purchase = p.external_id
"""  # noqa: S608

# In the order of the file, so that of two rows with one id the first is taken.
_ADD_PURCHASES = f"""
WITH added AS (
    INSERT INTO members_purchase (external_id, member_id, occurred_at, local_date, amount_minor,
        currency, channel, store_code, associate, digest)
    SELECT external_id, member_id, occurred_at, local_date, amount_minor, currency, channel,
        store_code, associate, digest
    FROM ({{resolved}}) r ORDER BY line
    ON CONFLICT (external_id) DO NOTHING
    RETURNING id, member_id, occurred_at, local_date, amount_minor, channel, store_code
)
INSERT INTO {ADDED} SELECT * FROM added
"""  # noqa: S608

_ADD_LINES = f"""
INSERT INTO members_purchaseline
    (purchase_id, position, sku, category, quantity, amount_minor, cost_minor)
SELECT a.purchase_id, row_number() OVER (PARTITION BY l.purchase ORDER BY l.line), l.sku,
    l.category, l.quantity, l.amount_minor, l.cost_minor
FROM import_line l
JOIN members_purchase p ON p.external_id = l.purchase
JOIN {ADDED} a ON a.purchase_id = p.id
"""  # noqa: S608

# Rows are locked in the order of their key.
_ADD_DAYS = f"""
INSERT INTO members_memberday (member_id, on_date, orders, spend_minor)
SELECT member_id, local_date, count(*), sum(amount_minor) FROM {ADDED}
GROUP BY member_id, local_date ORDER BY member_id, local_date
ON CONFLICT (member_id, on_date) DO UPDATE
    SET orders = members_memberday.orders + EXCLUDED.orders,
        spend_minor = members_memberday.spend_minor + EXCLUDED.spend_minor
"""  # noqa: S608

_UNKNOWN_MEMBERS = """
SELECT s.line, 'member',
    CASE WHEN m.id IS NULL THEN 'unknown_member' ELSE 'erased_member' END, s.member
FROM import_purchase s LEFT JOIN members_member m ON m.external_id = s.member
WHERE m.id IS NULL OR m.status = 'erased' ORDER BY s.line
"""
# Rows that were not added because their id exists, here or earlier in the file, with another body.
_DUPLICATES = """
SELECT r.line, 'external_id', 'duplicate_purchase', r.external_id
FROM ({resolved}) r JOIN members_purchase p ON p.external_id = r.external_id
WHERE p.digest <> r.digest ORDER BY r.line
"""
_ORPHAN_LINES = """
SELECT l.line, 'purchase', 'unknown_purchase', l.purchase
FROM import_line l
WHERE NOT EXISTS (SELECT FROM import_purchase s WHERE s.external_id = l.purchase)
ORDER BY l.line
"""
_MISSING_MEMBERS = """
CREATE TEMPORARY TABLE import_missing ON COMMIT DROP AS
SELECT row_number() OVER () AS number, missing.* FROM (
    SELECT s.member, min(s.occurred_at) AS first_at FROM import_purchase s
    LEFT JOIN members_member m ON m.external_id = s.member
    WHERE m.id IS NULL GROUP BY s.member ORDER BY min(s.line)
) missing
"""


@dataclass(frozen=True, slots=True)
class Shape:
    """What all rows of an import share: the currency, and what the files have."""

    currency: str
    derive_ids: bool
    has_lines: bool


def prepare() -> None:
    """Make the staging tables; one import at a time in each brand, without time limits."""
    try:
        # Room for what the effects stage as well; refused once a session has temporary tables.
        with transaction.atomic():
            _run("SET temp_buffers = '96MB'")
    except DatabaseError:
        pass
    for name, value in _SETTINGS.items():
        _run(f"SET LOCAL {name} = '{value}'")
    # The same file twice at once: the second waits, and then changes nothing.
    _run("SELECT pg_advisory_xact_lock(hashtext(current_schema() || ' import'))")
    _run("SET LOCAL lock_timeout = '30s'")
    _run(_TABLES)


def stage_purchases(rows: Iterable[PurchaseRow]) -> int:
    """Send the rows to the staging table as they come; return how many there were."""
    return _copy("COPY import_purchase FROM STDIN", _texts(rows))


def _texts(rows: Iterable[PurchaseRow]) -> Iterator[str]:
    for line, key, member, moment, amount, _currency, channel, store, associate in rows:
        yield (
            f"{line}\t{key}\t{member}\t{moment.written}\t{amount}\t{channel}\t{store}\t"
            f"{associate}\n"
        )


def stage_lines(rows: Iterable[LineRow]) -> int:
    """Do the same for lines of purchases."""
    return _copy(
        "COPY import_line (line, purchase, sku, category, quantity, amount_minor) FROM STDIN",
        (
            f"{row.line}\t{row.purchase}\t{row.sku}\t{row.category}\t"
            f"{row.quantity}\t{row.amount_minor}\n"
            for row in rows
        ),
    )


def analyse() -> None:
    """Let the planner know how much was staged."""
    _run("ANALYZE import_purchase")
    _run("ANALYZE import_line")


def missing_members(size: int = 10_000) -> Iterator[list[tuple[str, datetime]]]:
    """Yield who is not enrolled, with the time of the first purchase in the file, in chunks."""
    _run(_MISSING_MEMBERS)
    for start in range(0, _count("import_missing"), size):
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT member, first_at FROM import_missing "
                "WHERE number > %s AND number <= %s ORDER BY number",
                [start, start + size],
            )
            found = cursor.fetchall()
        yield found


def add_purchases(shape: Shape) -> int:
    """Write those staged purchases of known members whose id is new; return how many."""
    added = _run(_ADD_PURCHASES.format(resolved=_resolved(shape)))
    _run(f"ANALYZE {ADDED}")
    return added


def add_lines() -> None:
    """Write the lines of the purchases that were new."""
    _run(_ADD_LINES)


def add_days() -> None:
    """Add the purchases that were new to the members' days."""
    _run(_ADD_DAYS)


def added_minor() -> int:
    """Return the sum of the purchases that were new."""
    return _count(ADDED, "coalesce(sum(amount_minor), 0)::bigint")


def unknown_members() -> Iterator[Problem]:
    """Yield the rows whose member is not enrolled or was erased."""
    return _problems(_UNKNOWN_MEMBERS)


def duplicates(shape: Shape) -> Iterator[Problem]:
    """Yield the rows whose id exists with another body; after `add_purchases`."""
    return _problems(_DUPLICATES.format(resolved=_resolved(shape)))


def orphan_lines() -> Iterator[Problem]:
    """Yield the lines whose purchase is not in the file."""
    return _problems(_ORPHAN_LINES)


def _resolved(shape: Shape) -> str:
    return _RESOLVED.format(
        currency=shape.currency,
        digest=PURCHASE_SQL.format(
            p="p", lines="coalesce(lines.text, '')" if shape.has_lines else "''"
        ),
        external_id=_DERIVED_ID if shape.derive_ids else "s.external_id",
        lines=_JOIN_LINES if shape.has_lines else "",
    )


def _copy(statement: str, texts: Iterable[str]) -> int:
    """Send rows in the text format of COPY; no field holds a tab or a line end."""
    count = 0
    rest = iter(texts)
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        while block := list(islice(rest, _PER_WRITE)):
            count += len(block)
            copy.write("".join(block).replace("\\", "\\\\"))
    return count


def _run(statement: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return int(cursor.rowcount)


def _count(table: str, what: str = "count(*)") -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {what} FROM {table}")  # noqa: S608
        return int(cursor.fetchone()[0])


def _problems(statement: str) -> Iterator[Problem]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        while rows := cursor.fetchmany(1_000):
            for row in rows:
                yield Problem(*row)
