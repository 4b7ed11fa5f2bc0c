"""Purchases, refunds and imports at the same instant: each counts once, and none is lost.

Each race has a control: the same done naively loses or doubles something, so the race is real.
"""

import itertools
import threading
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from django.db import IntegrityError, transaction

from core.actors import SYSTEM
from members.activity.errors import RefundTooLargeError
from members.activity.imports.run import ImportOptions, import_purchases
from members.activity.invariants import CHECKS
from members.activity.models import MemberDay, Purchase, Refund
from members.activity.operations import add_purchase, add_refund
from members.profiles.errors import MemberExistsError
from members.profiles.models import Member
from members.profiles.operations import enrol, put_member
from tenants.brands.models import Brand
from tenants.events.models import Event
from tests.integration.tenants.threads import run_in_threads

pytestmark = pytest.mark.race
THREADS = 8


@pytest.fixture
def member(committed_brand: Brand, at: datetime) -> Member:
    return enrol(external_id="C-1", at=at, by=SYSTEM)


def buy(member: Member, at: datetime, number: int = 1) -> tuple[Purchase, bool]:
    return add_purchase(
        external_id=f"P-{number}",
        member=member,
        occurred_at=at - timedelta(hours=1),
        amount_minor=100,
        currency="CNY",
        at=at,
    )


def broken() -> list[str]:
    return [text for check in CHECKS.values() for text in check()]


def test_the_same_purchase_eight_times(
    committed_brand: Brand, member: Member, at: datetime
) -> None:
    results = run_in_threads(THREADS, committed_brand, lambda: buy(member, at))
    assert Counter(created for _purchase, created in results) == {True: 1, False: 7}
    assert len({purchase.pk for purchase, _created in results}) == 1
    day = MemberDay.objects.get()
    assert (day.orders, day.spend_minor) == (1, 100)
    assert broken() == []


def test_eight_purchases_of_one_day(committed_brand: Brand, member: Member, at: datetime) -> None:
    numbers = itertools.count(1)
    results = run_in_threads(THREADS, committed_brand, lambda: buy(member, at, next(numbers)))
    assert [created for _purchase, created in results] == [True] * THREADS
    day = MemberDay.objects.get()
    assert (day.orders, day.spend_minor) == (8, 800)
    assert broken() == []


def test_control_a_day_read_and_written_back_loses_purchases(
    committed_brand: Brand, member: Member, at: datetime
) -> None:
    buy(member, at)
    read = threading.Barrier(THREADS)

    def naive() -> None:
        day = MemberDay.objects.get()
        read.wait(10)
        MemberDay.objects.filter(member=member).update(orders=day.orders + 1)

    run_in_threads(THREADS, committed_brand, naive)
    assert MemberDay.objects.get().orders == 2


def test_refunds_never_pass_the_purchase(
    committed_brand: Brand, member: Member, at: datetime
) -> None:
    purchase, _created = buy(member, at)
    numbers = itertools.count(1)

    def refund() -> bool:
        own = Purchase.objects.get(pk=purchase.pk)
        return add_refund(
            purchase=own,
            external_id=f"R-{next(numbers)}",
            amount_minor=30,
            occurred_at=at,
            at=at,
        )[1]

    results = run_in_threads(THREADS, committed_brand, refund)
    kinds = Counter(result if result is True else type(result) for result in results)
    assert kinds == {True: 3, RefundTooLargeError: 5}
    assert Purchase.objects.get().refunded_minor == 90
    assert Refund.objects.count() == 3
    assert broken() == []


def test_the_same_refund_eight_times(committed_brand: Brand, member: Member, at: datetime) -> None:
    purchase, _created = buy(member, at)

    def refund() -> bool:
        own = Purchase.objects.get(pk=purchase.pk)
        return add_refund(purchase=own, external_id="R-1", amount_minor=100, occurred_at=at, at=at)[
            1
        ]

    results = run_in_threads(THREADS, committed_brand, refund)
    assert Counter(results) == {True: 1, False: 7}
    assert MemberDay.objects.get().orders == 0
    assert broken() == []


def test_control_a_look_before_the_refund_gives_back_too_much(
    committed_brand: Brand, member: Member, at: datetime
) -> None:
    purchase, _created = buy(member, at)
    looked = threading.Barrier(THREADS)

    def naive() -> None:
        own = Purchase.objects.get(pk=purchase.pk)
        fits = own.refunded_minor + 30 <= own.amount_minor
        looked.wait(10)
        if fits:
            Refund.objects.create(
                purchase=own, external_id=str(threading.get_ident()), amount_minor=30, at=at
            )

    run_in_threads(THREADS, committed_brand, naive)
    assert sum(refund.amount_minor for refund in Refund.objects.all()) == 240


def test_one_file_sent_twice_at_once_and_purchases_by_the_api(
    committed_brand: Brand, member: Member, at: datetime, tmp_path: Path
) -> None:
    path = tmp_path / "purchases.csv"
    moment = (at - timedelta(hours=1)).isoformat()
    rows = "".join(f"P-{number},C-1,{moment},1\n" for number in range(400))
    path.write_text(f"external_id,member,occurred_at,amount\n{rows}", encoding="utf-8")
    turns = itertools.count()

    def work() -> int:
        turn = next(turns)
        if turn % 2:
            return sum(buy(member, at, number)[1] for number in range(turn, 400, 40))
        return import_purchases(
            purchases=path,
            options=ImportOptions(),
            tell=lambda *_problem: None,
            progress=lambda *_steps: None,
            by=SYSTEM,
            at=at,
        ).added

    results = run_in_threads(4, committed_brand, work)
    assert sum(results) == 400
    assert Purchase.objects.count() == 400
    day = MemberDay.objects.get()
    assert (day.orders, day.spend_minor) == (400, 40_000)
    assert broken() == []


def test_one_person_enrolled_eight_times(committed_brand: Brand, at: datetime) -> None:
    results = run_in_threads(
        THREADS, committed_brand, lambda: enrol(external_id="C-2", at=at, by=SYSTEM)
    )
    kinds = Counter(type(result) for result in results)
    assert kinds == {Member: 1, MemberExistsError: 7}
    results = run_in_threads(
        THREADS,
        committed_brand,
        lambda: put_member(external_id="C-3", by=SYSTEM, at=at, fields={"name": "Ada"})[1],
    )
    assert Counter(results) == {True: 1, False: 7}
    assert Member.objects.count() == 2
    assert Event.objects.filter(type="member.enrolled").count() == 2


def test_control_without_the_constraint_the_id_would_be_taken_twice(
    committed_brand: Brand, member: Member, at: datetime
) -> None:
    looked = threading.Barrier(THREADS)

    def naive() -> bool:
        free = not Member.objects.filter(external_id="C-9").exists()
        looked.wait(10)
        with transaction.atomic():
            Member.objects.create(external_id="C-9", enrolled_at=at)
        return free

    results = run_in_threads(THREADS, committed_brand, naive)
    # All eight found the id free and tried; only the database's own constraint refused seven.
    assert Counter(type(result) for result in results) == {bool: 1, IntegrityError: 7}
