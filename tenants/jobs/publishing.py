"""Handing tasks to the broker, which may be down: the rows in the database do not depend on it."""

import time
from typing import Any

import structlog
from celery import current_app
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

logger = structlog.get_logger(__name__)

# After a failure nothing is sent for a while, so that requests do not wait for a dead broker.
_PAUSE_SECONDS = 10.0
_silent_until = 0.0


def publish(task: str, *, schema: str, queue: str = "default", **parameters: Any) -> bool:
    """Send a task by name, to run in a schema; return whether the broker took it.

    Never raises for a broker that is down: the sweeper sends again what matters.
    """
    global _silent_until  # noqa: PLW0603 - one memory per process
    if time.monotonic() < _silent_until:
        return False
    try:
        _send(task, schema=schema, queue=queue, parameters=parameters)
    except (KombuError, RedisError, OSError) as error:
        _silent_until = time.monotonic() + _PAUSE_SECONDS
        logger.warning("broker_unreachable", task=task, error=str(error))
        return False
    return True


def _send(task: str, *, schema: str, queue: str, parameters: dict[str, Any]) -> None:
    current_app.send_task(
        task, kwargs=parameters, headers={"_schema_name": schema}, queue=queue, retry=False
    )
