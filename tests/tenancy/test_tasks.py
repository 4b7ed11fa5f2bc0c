"""Every Celery task of ours: refuses to run without its brand, and may run three times."""

from datetime import UTC, datetime, timedelta

import pytest

from config.celery import app
from core.actors import SYSTEM
from tenants.audit.models import AuditEntry, AuditSeal
from tenants.audit.operations import record
from tenants.brands.context import NoBrandError, platform_context, tenant_context
from tenants.events import registry as events
from tenants.events.models import Event, WebhookEndpoint
from tenants.events.operations import emit
from tenants.events.webhooks import create_endpoint
from tenants.jobs import registry as jobs
from tenants.jobs.models import Job
from tenants.jobs.operations import enqueue
from tenants.jobs.tasks import BrandTask, PlatformTask

app.loader.import_default_modules()
OURS = sorted(name for name in app.tasks if not name.startswith("celery."))
OF_BRANDS = [name for name in OURS if isinstance(app.tasks[name], BrandTask)]
OF_PLATFORM = [name for name in OURS if isinstance(app.tasks[name], PlatformTask)]


def _now() -> datetime:
    return datetime.now(tz=UTC)


def _effects() -> int:
    return AuditEntry.objects.filter(action="effect").count()


def _note(at: datetime) -> None:
    record(by=SYSTEM, at=at, action="effect", target_type="test")


def _job_to_run(brand, server):
    def handler(run):
        _note(run.at)
        run.complete()

    jobs.register_job("test.do", title="Test", handler=handler)
    job = enqueue(kind="test.do", dedupe_key="1", by=SYSTEM, at=_now())
    return {"job_id": job.pk}, _effects, 1


def _event_to_relay(brand, server):
    events.on_event("thing.done", name="note")(lambda event: _note(event.at))
    emit(type="thing.done", subject="thing:1", data={}, at=_now())
    return {}, _effects, 1


def _webhook_to_send(brand, server):
    create_endpoint(owner_id=None, url=server.url_for("/hook"), by=SYSTEM, at=_now())
    emit(type="thing.done", subject="thing:1", data={}, at=_now())
    app.tasks["events.relay"].apply()
    return {}, lambda: len(server.log), 1


def _endpoint_to_probe(brand, server):
    create_endpoint(owner_id=None, url=server.url_for("/hook"), by=SYSTEM, at=_now())
    WebhookEndpoint.objects.update(failing_since=_now() - timedelta(hours=1))
    emit(type="thing.done", subject="thing:1", data={}, at=_now())
    app.tasks["events.relay"].apply()
    return {}, lambda: len(server.log), 1


def _schedule_to_tick(brand, server):
    jobs.register_job(
        "test.daily", title="Test", handler=lambda run: None, schedule=jobs.daily(hour=0)
    )
    return {}, lambda: Job.objects.filter(kind="test.daily", brand=brand).count(), 1


def _job_to_sweep(brand, server):
    jobs.register_job("test.do", title="Test", handler=lambda run: None)
    enqueue(kind="test.do", dedupe_key="1", by=SYSTEM, at=_now() - timedelta(hours=1))
    Job.objects.update(published_at=None)
    # Published once: the next sweep sees that it was, a moment ago.
    return {}, lambda: Job.objects.filter(published_at__isnull=False).count(), 1


def _events_to_sweep(brand, server):
    emit(type="thing.done", subject="thing:1", data={}, at=_now())
    return {}, lambda: Event.objects.filter(delivered_at__isnull=True).count(), 1


def _entries_to_seal(brand, server):
    _note(_now())
    return {}, AuditSeal.objects.count, AuditEntry.objects.count()


def _audits_to_seal(brand, server):
    _note(_now())
    return {}, AuditSeal.objects.count, 0  # only asks others to


# What each task finds to do, how to see its effect, and what the effect must be.
CASES = {
    "audit.seal": _entries_to_seal,
    "events.probe_webhooks": _endpoint_to_probe,
    "events.relay": _event_to_relay,
    "events.send_webhooks": _webhook_to_send,
    "events.sweep": _events_to_sweep,
    "jobs.run": _job_to_run,
    "jobs.sweep": _job_to_sweep,
    "jobs.tick": _schedule_to_tick,
    "platform.seal_audits": _audits_to_seal,
}


@pytest.fixture(autouse=True)
def _nothing_registered(monkeypatch):
    monkeypatch.setattr(jobs, "_kinds", {})
    monkeypatch.setattr(events, "_handlers", {})


def test_every_task_has_a_case_and_a_base():
    assert sorted(CASES) == OURS
    assert sorted(OF_BRANDS + OF_PLATFORM) == OURS


@pytest.mark.parametrize("name", OURS)
def test_task_run_thrice_has_one_effect(brand, httpserver, name):
    httpserver.expect_request("/hook").respond_with_data("", status=204)
    kwargs, effect, expected = CASES[name](brand, httpserver)

    for _ in range(3):
        _apply(app.tasks[name], brand, kwargs)

    assert effect() == expected


@pytest.mark.parametrize("name", OF_BRANDS)
@pytest.mark.parametrize("schema", ["", "public", "t_0000000000"])
def test_brand_task_without_its_brand_raises(brand, name, schema):
    task = app.tasks[name]
    kwargs = {"job_id": 1} if name == "jobs.run" else {}

    with platform_context(), pytest.raises(NoBrandError):
        task.apply(kwargs=kwargs, headers={"_schema_name": schema}, throw=True)


@pytest.mark.parametrize("name", OF_PLATFORM)
def test_platform_task_sent_from_inside_a_brand_raises(brand, name):
    task = app.tasks[name]

    with pytest.raises(NoBrandError):
        task.apply(headers={"_schema_name": brand.schema_name}, throw=True)


def test_sweep_of_events_pokes_the_brands_that_wait(brand, other_brand, published):
    emit(type="thing.done", subject="thing:1", data={}, at=_now())
    published.clear()

    _apply(app.tasks["events.sweep"], None, {})

    assert [(m["task"], m["schema"]) for m in published] == [("events.relay", brand.schema_name)]


def test_sealing_asks_for_the_brands_that_wait(brand, other_brand, published):
    for one in (brand, other_brand):
        with tenant_context(one):
            app.tasks["audit.seal"].apply(throw=True)
    _note(_now())
    published.clear()

    _apply(app.tasks["platform.seal_audits"], None, {})

    assert [(m["task"], m["schema"]) for m in published] == [("audit.seal", brand.schema_name)]


def _apply(task, brand, kwargs):
    if isinstance(task, PlatformTask):
        with platform_context():
            task.apply(kwargs=kwargs, throw=True)
    else:
        with tenant_context(brand):
            task.apply(kwargs=kwargs, throw=True)
