"""A late purchase that is not yet committed while scores are computed is not lost."""

from datetime import UTC, date, datetime, timedelta
from threading import Event, Thread

import pytest
from django.db import connection, transaction

from core.actors import SYSTEM
from members.activity.models import MemberDay
from members.profiles.operations import enrol
from members.segments.invariants import check_scores
from members.segments.models import LateActivity, MemberScore
from members.segments.operations import mark_late, recompute_scores
from tenants.brands.context import tenant_context
from tenants.brands.models import Brand

pytestmark = pytest.mark.race
AS_OF = date(2026, 3, 15)
AT = datetime(2026, 3, 15, 4, 0, tzinfo=UTC)


def test_mark_of_an_open_transaction_waits_for_the_next_run(committed_brand: Brand) -> None:
    member = enrol(external_id="late", at=AT - timedelta(days=500), by=SYSTEM)
    recompute_scores(on=AS_OF, at=AT)
    mark_late(member_ids=[member.pk])
    written, may_commit = Event(), Event()

    def buy_late() -> None:
        try:
            with tenant_context(committed_brand), transaction.atomic():
                MemberDay.objects.create(
                    member=member, on_date=AS_OF - timedelta(days=9), orders=1, spend_minor=100
                )
                mark_late(member_ids=[member.pk])
                written.set()
                may_commit.wait(timeout=20)
        finally:
            connection.close()

    thread = Thread(target=buy_late)
    thread.start()
    try:
        assert written.wait(timeout=20)
        # Neither waits for the open transaction nor takes its mark.
        recompute_scores(on=AS_OF + timedelta(days=1), at=AT)
        assert MemberScore.objects.get(pk=member.pk).frequency == 0
    finally:
        may_commit.set()
        thread.join(timeout=20)
    assert LateActivity.objects.filter(member=member).count() == 1
    recompute_scores(on=AS_OF + timedelta(days=2), at=AT)
    assert MemberScore.objects.get(pk=member.pk).frequency == 1
    assert LateActivity.objects.count() == 0
    assert check_scores() == []


def test_two_runs_take_turns(committed_brand: Brand) -> None:
    member = enrol(external_id="late", at=AT - timedelta(days=500), by=SYSTEM)
    recompute_scores(on=AS_OF, at=AT)
    MemberDay.objects.create(
        member=member, on_date=AS_OF - timedelta(days=9), orders=1, spend_minor=100
    )
    mark_late(member_ids=[member.pk])
    scored, may_commit, second_is_done = Event(), Event(), Event()

    def first() -> None:
        try:
            with tenant_context(committed_brand), transaction.atomic():
                recompute_scores(on=AS_OF + timedelta(days=1), at=AT)
                scored.set()
                may_commit.wait(timeout=20)
        finally:
            connection.close()

    def second() -> None:
        try:
            with tenant_context(committed_brand):
                recompute_scores(on=AS_OF + timedelta(days=1), at=AT)
                second_is_done.set()
        finally:
            connection.close()

    threads = [Thread(target=first), Thread(target=second)]
    threads[0].start()
    try:
        assert scored.wait(timeout=20)
        threads[1].start()
        assert not second_is_done.wait(timeout=0.3)
    finally:
        may_commit.set()
        for thread in threads:
            thread.join(timeout=20)
    assert second_is_done.is_set()
    assert MemberScore.objects.get(pk=member.pk).frequency == 1
    assert check_scores() == []
