"""The jobs of this room. Each works in chunks, a transaction each, and may run again at any time."""

from datetime import date, datetime
from typing import Protocol

from django.db import transaction

from members.points.models import Wallet
from members.points.operations import (
    activate_chunk,
    expire_chunk,
    list_days_due,
    notify_chunk,
    open_accounts_chunk,
    release_expired_holds,
    snapshot_liability,
)
from members.points.values import Chunk
from tenants.jobs.registry import JobRun


class _ChunkOperation(Protocol):
    def __call__(self, *, at: datetime, wait: bool = False) -> Chunk: ...


def expire_due(run: JobRun) -> None:
    """Expire all lots whose last good day has passed."""
    _work_off(run, expire_chunk)


def activate_due(run: JobRun) -> None:
    """Make all points spendable whose waiting is over."""
    _work_off(run, activate_chunk)


def release_due_holds(run: JobRun) -> None:
    """Release all holds past their time."""
    released = 0
    while True:
        with transaction.atomic():
            step = release_expired_holds(at=run.at)
            released += step
            if step == 0:
                run.complete({"holds": released})
                return
        run.progress(released)


def tell_expiring(run: JobRun) -> None:
    """Tell members of points about to expire, once for each last good day."""
    told = 0
    while True:
        with transaction.atomic():
            step = notify_chunk(at=run.at)
            told += step
            if step == 0:
                run.complete({"notices": told})
                return
        run.progress(told)


def open_wallet(run: JobRun) -> None:
    """Open the accounts of a new wallet for all members."""
    wallet = Wallet.objects.get(id=run.parameters["wallet"])
    opened = 0
    while True:
        with transaction.atomic():
            step = open_accounts_chunk(wallet=wallet.code, at=run.at)
            opened += step
            if step == 0:
                run.complete({"accounts": opened})
                return
        run.progress(opened)


def snapshot(run: JobRun) -> None:
    """Compute what outstanding points are worth at the end of each day up to yesterday.

    A parameter `since` computes again from that day on, of all wallets.
    """
    days = 0
    asked = run.parameters.get("since")
    for wallet in Wallet.objects.order_by("id"):
        since, until = list_days_due(wallet=wallet.code, at=run.at)
        if asked:
            since = date.fromisoformat(asked)
        days += snapshot_liability(wallet=wallet.code, since=since, until=until, at=run.at)
        run.progress(days)
    with transaction.atomic():
        run.complete({"days": days})


def _work_off(run: JobRun, operation: _ChunkOperation) -> None:
    """Repeat until nothing is left; what others have locked is waited for at the end."""
    accounts = lots = points = 0
    wait = False
    while True:
        with transaction.atomic():
            chunk = operation(at=run.at, wait=wait)
            accounts += chunk.accounts
            lots += chunk.lots
            points += chunk.points
            if chunk.accounts == 0 and wait:
                run.complete({"accounts": accounts, "lots": lots, "points": points})
                return
        wait = chunk.accounts == 0
        run.progress(lots)
