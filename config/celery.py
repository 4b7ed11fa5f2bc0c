"""The Celery application: queues, limits, and what beat sends.

The broker is disposable: it may lose everything, because work that must happen is a row. The
time-outs below were measured against killed children, killed workers and a stopped broker.
"""

import os
from typing import Any

from celery.signals import (
    celeryd_after_setup,
    worker_before_create_process,
    worker_process_init,
    worker_ready,
)
from tenant_schemas_celery.app import CeleryApp

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = CeleryApp("tessera")
app.config_from_object("config.celery_settings")
app.autodiscover_tasks(["tenants.jobs", "tenants.events", "config.platform"], related_name="tasks")


@celeryd_after_setup.connect
@worker_before_create_process.connect
def close_connections(**_: Any) -> None:
    """Close the database pool before processes are forked: its threads do not survive that."""
    from django.db import connections

    for connection in connections.all(initialized_only=True):
        connection.close()
        getattr(connection, "close_pool", lambda: None)()


@worker_process_init.connect
def allow_long_statements(**_: Any) -> None:
    """Give jobs the time that requests do not get."""
    from django.db import connections

    options = connections["default"].settings_dict["OPTIONS"]
    # One task at a time needs no pool, and each task starts on a fresh connection.
    options.pop("pool", None)
    options["options"] += " -c statement_timeout=10min -c idle_in_transaction_session_timeout=5min"


@worker_ready.connect
def start_at_once(**_: Any) -> None:
    """Look for work now; beat's first messages come only after their interval."""
    for task in ("jobs.sweep", "jobs.tick", "events.sweep"):
        app.send_task(task, queue="clock", retry=False)
