"""A job has its effect once, whatever happens to workers, schedulers and the broker."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction

from core.actors import SYSTEM, Actor
from tenants.audit.models import AuditEntry
from tenants.audit.operations import record
from tenants.brands.context import NoBrandError, platform_context, tenant_context
from tenants.brands.operations import suspend_brand
from tenants.jobs import registry
from tenants.jobs.errors import (
    JobFinishedError,
    LeaseLostError,
    UnknownJobError,
    UnknownKindError,
)
from tenants.jobs.models import Job
from tenants.jobs.operations import (
    MAX_ATTEMPTS,
    REPUBLISH_AFTER,
    enqueue,
    request_cancel,
    retry_job,
    run_job,
    run_pending,
    sweep,
    tick,
)
from tenants.jobs.queries import get_job, last_heartbeat, list_jobs, queue_state
from tenants.jobs.schedules import daily, every, monthly
from tests.integration.tenants.threads import run_in_threads, run_inside


def _effects(name: str = "effect") -> int:
    return AuditEntry.objects.filter(action=name).count()


def _do(run: registry.JobRun) -> None:
    with transaction.atomic():
        record(by=SYSTEM, at=run.at, action="effect", target_type="job", target_id=run.job.pk)
        run.complete({"seen": run.parameters.get("x")})


@pytest.fixture
def kind(monkeypatch):
    """Register kinds that exist for one test only."""
    monkeypatch.setattr(registry, "_kinds", {})

    def register(handler=_do, *, name="test.do", schedule=None):
        registry.register_job(name, title="Test", handler=handler, schedule=schedule)
        return name

    return register


def test_enqueue_makes_one_job_per_key_and_publishes_after_commit(
    brand, at, kind, published, django_capture_on_commit_callbacks
):
    name = kind()
    with django_capture_on_commit_callbacks(execute=True):
        first = enqueue(kind=name, dedupe_key="2026-03", parameters={"x": 1}, by=SYSTEM, at=at)
        again = enqueue(kind=name, dedupe_key="2026-03", parameters={"x": 2}, by=SYSTEM, at=at)
        assert published == []

    assert first.pk == again.pk
    assert again.parameters == {"x": 1}
    assert published[0] == {
        "task": "jobs.run",
        "schema": brand.schema_name,
        "queue": "default",
        "parameters": {"job_id": first.pk},
    }


def test_enqueue_refuses_unknown_kinds(brand, at, kind):
    with pytest.raises(UnknownKindError):
        enqueue(kind="no.such", dedupe_key="1", by=SYSTEM, at=at)

    assert Job.objects.count() == 0


def test_enqueue_needs_a_brand(db, at, kind):
    with pytest.raises(NoBrandError):
        enqueue(kind=kind(), dedupe_key="1", by=SYSTEM, at=at)


def test_job_run_thrice_has_one_effect(brand, at, kind):
    job = enqueue(kind=kind(), dedupe_key="1", parameters={"x": 7}, by=SYSTEM, at=at)

    assert [run_job(job_id=job.pk, at=at) for _ in range(3)] == [True, False, False]

    job.refresh_from_db()
    assert (job.state, job.result, job.attempts) == ("done", {"seen": 7}, 1)
    assert _effects() == 1


def test_job_is_not_run_before_it_is_due(brand, at, kind):
    job = enqueue(kind=kind(), dedupe_key="1", due_at=at + timedelta(minutes=1), by=SYSTEM, at=at)

    assert run_job(job_id=job.pk, at=at) is False
    assert run_job(job_id=job.pk, at=at + timedelta(minutes=1)) is True


def test_job_of_another_brand_is_neither_run_nor_shown(brand, other_brand, at, kind):
    job = enqueue(kind=kind(), dedupe_key="1", by=SYSTEM, at=at)

    with tenant_context(other_brand):
        assert run_job(job_id=job.pk, at=at) is False
        assert list_jobs() == []
        with pytest.raises(UnknownJobError):
            get_job(job_id=job.pk)

    job.refresh_from_db()
    assert job.state == "open"


def test_failing_job_is_tried_again_later_and_given_up_after_five(brand, at, kind):
    def fail(run):
        record(by=SYSTEM, at=run.at, action="effect", target_type="job")
        raise ValueError("no luck")

    job = enqueue(kind=kind(fail), dedupe_key="1", by=SYSTEM, at=at)
    moment = at
    for attempt in range(1, MAX_ATTEMPTS + 1):
        assert run_job(job_id=job.pk, at=moment) is True
        job.refresh_from_db()
        assert job.attempts == attempt
        assert job.error == "ValueError: no luck"
        moment = job.due_at

    assert job.state == "failed"
    assert run_job(job_id=job.pk, at=moment + timedelta(days=1)) is False
    assert _effects() == 0


def test_handler_that_forgets_to_complete_fails_loudly(brand, at, kind):
    job = enqueue(kind=kind(lambda run: None), dedupe_key="1", by=SYSTEM, at=at)

    run_job(job_id=job.pk, at=at)

    job.refresh_from_db()
    assert job.state == "open"
    assert "without run.complete()" in job.error


def test_effect_and_completion_are_rolled_back_together(brand, at, kind):
    def complete_then_fail(run):
        with transaction.atomic():
            record(by=SYSTEM, at=run.at, action="effect", target_type="job")
            run.complete()
            raise ValueError("after all")

    job = enqueue(kind=kind(complete_then_fail), dedupe_key="1", by=SYSTEM, at=at)

    run_job(job_id=job.pk, at=at)

    job.refresh_from_db()
    assert job.state == "open"
    assert _effects() == 0


def test_waiting_job_is_cancelled_at_once(brand, at, kind):
    job = enqueue(kind=kind(), dedupe_key="1", by=SYSTEM, at=at)

    request_cancel(job=job, by=Actor(kind="staff", id=1))

    assert job.state == "cancelled"
    assert run_job(job_id=job.pk, at=at) is False
    with pytest.raises(JobFinishedError):
        request_cancel(job=job, by=SYSTEM)


def test_cancelled_or_failed_job_can_start_afresh_a_done_one_not(brand, at, kind):
    job = enqueue(kind=kind(), dedupe_key="1", by=SYSTEM, at=at)
    request_cancel(job=job, by=SYSTEM)

    retry_job(job_id=job.pk, by=SYSTEM, at=at)
    assert run_job(job_id=job.pk, at=at) is True

    with pytest.raises(JobFinishedError):
        retry_job(job_id=job.pk, by=SYSTEM, at=at)
    assert _effects() == 1


def test_two_ticks_make_one_job_per_brand_and_period(brand, other_brand, at, kind):
    kind(schedule=daily(hour=2))
    kind(name="test.month", schedule=monthly(day=1, hour=3))

    assert tick(at=at) == 4
    assert tick(at=at) == 0
    assert tick(at=at + timedelta(hours=1)) == 0

    keys = set(Job.objects.values_list("brand__slug", "kind", "dedupe_key"))
    assert keys == {
        ("bloom", "test.do", "2026-03-15"),
        ("bloom", "test.month", "2026-03"),
        ("motor", "test.do", "2026-03-14"),  # 00:00 in New York: 02:00 has not come yet
        ("motor", "test.month", "2026-03"),
    }


def test_tick_passes_over_suspended_brands(brand, other_brand, at, kind):
    kind(schedule=daily(hour=2))
    suspend_brand(brand=brand, by=SYSTEM)

    assert tick(at=at) == 1
    assert Job.objects.get().brand == other_brand


def test_beat_dead_over_month_end_still_makes_the_months_job(brand, kind):
    kind(name="test.month", schedule=monthly(day=1, hour=3))

    tick(at=datetime(2026, 4, 2, 1, 0, tzinfo=UTC))

    found = Job.objects.get(brand=brand)
    assert found.dedupe_key == "2026-04"
    assert found.due_at == datetime(2026, 3, 31, 19, 0, tzinfo=UTC)  # 03:00 in Shanghai


def test_run_pending_runs_what_is_due_oldest_first_and_what_that_makes(brand, at, kind):
    order: list[str] = []

    def note(run):
        order.append(run.job.dedupe_key)
        with transaction.atomic():
            if run.job.dedupe_key == "b":
                enqueue(kind="test.do", dedupe_key="child", by=SYSTEM, at=run.at)
            run.complete()

    name = kind(note)
    enqueue(kind=name, dedupe_key="a", by=SYSTEM, at=at)
    enqueue(kind=name, dedupe_key="b", due_at=at - timedelta(hours=1), by=SYSTEM, at=at)
    enqueue(kind=name, dedupe_key="later", due_at=at + timedelta(hours=1), by=SYSTEM, at=at)

    assert run_pending(at=at) == 3
    assert order == ["b", "a", "child"]


def test_sweep_publishes_what_is_due_and_again_after_a_while(
    brand, other_brand, at, kind, published
):
    name = kind()
    with tenant_context(other_brand):
        theirs = enqueue(kind=name, dedupe_key="1", by=SYSTEM, at=at)
    mine = enqueue(kind=name, dedupe_key="1", due_at=at + timedelta(hours=1), by=SYSTEM, at=at)

    assert sweep(at=at) == 0  # published a moment ago, on commit
    # The broker has lost everything: nothing but time passes.
    assert sweep(at=at + REPUBLISH_AFTER) == 1
    assert sweep(at=at + timedelta(hours=1)) == 2

    sent = [(m["schema"], m["parameters"]["job_id"]) for m in published]
    assert sent == [
        (other_brand.schema_name, theirs.pk),
        (other_brand.schema_name, theirs.pk),
        (brand.schema_name, mine.pk),
    ]


def test_sweep_notes_the_heartbeat(brand, at):
    sweep(at=at)

    assert last_heartbeat("sweeper") == at


def test_sweep_keeps_what_the_broker_refused(brand, at, kind, monkeypatch):
    monkeypatch.setattr("tenants.jobs.operations.publish", lambda *_, **__: False)
    job = enqueue(kind=kind(), dedupe_key="1", by=SYSTEM, at=at)
    Job.objects.update(published_at=None)

    assert sweep(at=at) == 0

    job.refresh_from_db()
    assert job.published_at is None


def test_lease_of_a_dead_worker_runs_out_and_the_job_is_done_by_another(brand, at, kind, published):
    job = enqueue(kind=kind(), dedupe_key="1", by=SYSTEM, at=at)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE jobs_job SET state = 'running', attempts = 1, "
            "leased_until = clock_timestamp() + interval '1 hour'"
        )
    assert run_job(job_id=job.pk, at=at) is False
    assert sweep(at=at) == 0

    with connection.cursor() as cursor:
        cursor.execute("UPDATE jobs_job SET leased_until = clock_timestamp() - interval '1 s'")
    assert sweep(at=at) == 1

    assert run_job(job_id=job.pk, at=at) is True
    job.refresh_from_db()
    assert (job.state, job.attempts) == ("done", 2)
    assert _effects() == 1


def test_job_that_kills_its_workers_is_given_up(brand, at, kind):
    job = enqueue(kind=kind(), dedupe_key="1", by=SYSTEM, at=at)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE jobs_job SET state = 'running', attempts = %s, "
            "leased_until = clock_timestamp() - interval '1 s'",
            [MAX_ATTEMPTS],
        )

    sweep(at=at)

    job.refresh_from_db()
    assert (job.state, job.error) == ("failed", "The worker died.")


def test_worker_that_lost_its_lease_can_not_complete(brand, at, kind):
    """The old worker wakes up after another has taken over: its effect is rolled back."""
    seen: list[type[Exception]] = []

    def lose_lease(run):
        with connection.cursor() as cursor:
            cursor.execute("UPDATE jobs_job SET attempts = attempts + 1")
        try:
            _do(run)
        except LeaseLostError as error:
            seen.append(type(error))
            raise

    job = enqueue(kind=kind(lose_lease), dedupe_key="1", by=SYSTEM, at=at)

    run_job(job_id=job.pk, at=at)

    assert seen == [LeaseLostError]
    assert _effects() == 0


def test_queue_state_counts_what_is_overdue(brand, at, kind):
    enqueue(kind=kind(), dedupe_key="1", due_at=at - timedelta(hours=1), by=SYSTEM, at=at)
    enqueue(kind="test.do", dedupe_key="2", due_at=at + timedelta(hours=1), by=SYSTEM, at=at)

    state = queue_state(at=at)

    assert (state.open, state.running, state.failed, state.overdue) == (2, 0, 0, 1)
    assert state.oldest_due_at == at - timedelta(hours=1)


@pytest.mark.race
def test_eight_workers_run_a_job_once(committed_brand, at, kind):
    job = enqueue(kind=kind(), dedupe_key="1", by=SYSTEM, at=at)
    ran = run_in_threads(8, committed_brand, lambda: run_job(job_id=job.pk, at=at))

    assert sorted(ran) == [False] * 7 + [True]
    assert _effects() == 1


@pytest.mark.race
def test_eight_ticks_make_one_job(committed_brand, at, kind):
    kind(schedule=every(minutes=5))
    run_in_threads(8, committed_brand, lambda: tick(at=at))

    assert Job.objects.filter(brand=committed_brand).count() == 1
    with platform_context():
        Job.objects.exclude(brand=committed_brand).delete()


@pytest.mark.race
def test_running_job_stops_at_its_next_step_when_asked(committed_brand, at, kind):
    started, go_on = threading.Event(), threading.Event()
    steps: list[int] = []

    def work(run):
        for step in range(100):
            steps.append(step)
            run.progress(step, 100)
            started.set()
            go_on.wait(5)
        run.complete()

    job = enqueue(kind=kind(work), dedupe_key="1", by=SYSTEM, at=at)
    thread = threading.Thread(
        target=run_inside, args=(committed_brand, lambda: run_job(job_id=job.pk, at=at))
    )
    thread.start()
    assert started.wait(5)
    seen = get_job(job_id=job.pk)
    assert (seen.state, seen.progress_done, seen.progress_total) == ("running", 0, 100)

    request_cancel(job=job, by=SYSTEM)
    go_on.set()
    thread.join(10)

    job.refresh_from_db()
    assert job.state == "cancelled"
    assert steps == [0, 1]


@pytest.mark.race
def test_progress_inside_a_transaction_does_not_lock_the_row(committed_brand, at, kind):
    def work(run):
        with transaction.atomic():
            run.progress(1, 2)
            # Another connection reads and writes the row meanwhile.
            run_in_threads(1, committed_brand, lambda: request_cancel(job=run.job, by=SYSTEM))
            run.complete()

    job = enqueue(kind=kind(work), dedupe_key="1", by=SYSTEM, at=at)
    run_job(job_id=job.pk, at=at)

    job.refresh_from_db()
    assert job.state == "done"


@pytest.mark.race
def test_long_run_keeps_its_lease(committed_brand, at, kind, monkeypatch):
    monkeypatch.setattr("tenants.jobs.runs._RENEW_SECONDS", 0.05)
    leases = []

    def work(run):
        with transaction.atomic():
            for _ in range(2):
                threading.Event().wait(0.3)
                with connection.cursor() as cursor:
                    cursor.execute("SELECT leased_until FROM jobs_job WHERE id = %s", [run.job.pk])
                    leases.append(cursor.fetchone()[0])
            run.complete()

    job = enqueue(kind=kind(work), dedupe_key="1", by=SYSTEM, at=at)
    run_job(job_id=job.pk, at=at)

    assert leases[1] > leases[0] > job.created_at
    job.refresh_from_db()
    assert (job.state, job.leased_until) == ("done", None)
