"""Calls django-hordak's `transfer_to`, in an interpreter of its own that has it.

`python hordak_transfers.py make|run|drop`, with PGHOST and so on; run prints calls a second of all
processes together. It is none of our dependencies: `TESSERA_BENCH_HORDAK` names the interpreter.
"""

import multiprocessing
import os
import random
import sys
import time

import django
from django.conf import settings

SCHEMA = "bench_hordak"
ACCOUNTS = 1_000
PROCESSES = int(os.environ.get("TESSERA_BENCH_PROCESSES", "8"))
SECONDS = float(os.environ.get("TESSERA_BENCH_SECONDS", "3"))

settings.configure(
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": os.environ["PGDATABASE"],
            "HOST": os.environ.get("PGHOST", ""),
            "PORT": os.environ.get("PGPORT", ""),
            "USER": os.environ.get("PGUSER", ""),
            "PASSWORD": os.environ.get("PGPASSWORD", ""),
            "OPTIONS": {"options": f"-c search_path={SCHEMA}"},
        }
    },
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "mptt", "hordak"],
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    SECRET_KEY="bench",  # noqa: S106 - signs nothing
    USE_TZ=True,
)
django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from hordak.models import Account  # noqa: E402
from moneyed import Money  # noqa: E402


def make() -> None:
    """Make the tables and the accounts."""
    drop()
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE SCHEMA {SCHEMA}")
    call_command("migrate", verbosity=0)
    for number in range(ACCOUNTS):
        Account.objects.create(name=f"a{number}", type="AS", currencies=["EUR"])


def drop() -> None:
    """Remove them."""
    with connection.cursor() as cursor:
        cursor.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")


def work(seed: int, counts: "multiprocessing.Queue[int]") -> None:
    """Transfer between random accounts for some seconds."""
    connection.close()
    chance = random.Random(seed)
    accounts = list(Account.objects.order_by("pk"))
    until, done = time.monotonic() + SECONDS, 0
    while time.monotonic() < until:
        one, other = chance.sample(accounts, 2)
        one.transfer_to(other, Money(chance.randint(5, 150), "EUR"))
        done += 1
    counts.put(done)


def run() -> None:
    """Print the rate of all processes together."""
    connection.close()
    context = multiprocessing.get_context("fork")
    counts = context.Queue()
    children = [context.Process(target=work, args=(n, counts)) for n in range(PROCESSES)]
    for child in children:
        child.start()
    print(sum(counts.get(timeout=SECONDS + 60) for _ in children) / SECONDS)
    for child in children:
        child.join()


if __name__ == "__main__":
    {"make": make, "run": run, "drop": drop}[sys.argv[1]]()
