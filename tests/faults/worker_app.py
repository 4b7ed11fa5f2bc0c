"""The worker that the fault tests kill: the product's own, with short times and two job kinds.

Job kinds: `test.slow` writes its effect, then waits until a file appears, inside one transaction;
`test.poison` kills its own process. The handler `test.batch` of events waits like `test.slow`.
"""

import os
import signal
import time
from pathlib import Path
from typing import Any

from celery.signals import celeryd_init

from config.celery import app

__all__ = ["app"]

FOLDER = Path(os.environ.get("TESSERA_FAULTS_FOLDER", "."))


def register() -> None:
    """Register the kinds; after Django's set-up."""
    from django.db import transaction

    from core.actors import SYSTEM
    from tenants.audit.operations import record
    from tenants.events.registry import on_events
    from tenants.jobs import registry

    def slow(run: Any) -> None:
        with transaction.atomic():
            record(by=SYSTEM, at=run.at, action="effect", target_type="test")
            (FOLDER / "started").write_text(str(os.getpid()))
            while not (FOLDER / "go").exists():
                time.sleep(0.02)
            run.complete({"pid": os.getpid()})

    def poison(run: Any) -> None:
        with (FOLDER / "poisoned").open("a") as log:
            log.write("x")
        os.kill(os.getpid(), signal.SIGKILL)

    def batch(events: Any) -> None:
        for event in events:
            record(
                by=SYSTEM, at=event.at, action="effect", target_type="test", target_id=event.subject
            )
        (FOLDER / "started").write_text(str(os.getpid()))
        while not (FOLDER / "go").exists():
            time.sleep(0.02)

    on_events("test.happened", name="test.batch")(batch)
    registry.register_job("test.slow", title="Slow", handler=slow)
    registry.register_job("test.poison", title="Poison", handler=poison)


@celeryd_init.connect
def _register_in_worker(**_: Any) -> None:
    import django

    django.setup()
    from tenants.jobs import operations, runs

    operations.LEASE_SECONDS = runs.LEASE_SECONDS = 2
    runs._RENEW_SECONDS = 0.5
    register()
