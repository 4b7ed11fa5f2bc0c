"""Handing tasks to the broker, which may be down: the rows in the database do not depend on it."""

import time
from typing import Any

import structlog
from celery import current_app
from django.core.cache import cache
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

logger = structlog.get_logger(__name__)

# After a failure nothing is sent for a while, so that requests do not wait for a dead broker.
_PAUSE_SECONDS = 10.0
_silent_until = 0.0

# How long a poke counts as waiting when no worker has taken it up: then it may be lost.
_POKE_SECONDS = 20


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


def poke(task: str, *, schema: str, queue: str = "default") -> None:
    """Ask a worker for a task without parameters, unless the same poke still waits in the queue.

    Many events of a moment then make one message, and nothing else waits behind a thousand.
    The task calls `take_up` before it looks for work, so what comes after asks again.
    """
    try:
        waits = not cache.add(_poke_key(task, schema), 1, timeout=_POKE_SECONDS)
    except (RedisError, OSError) as error:
        logger.warning("cache_unreachable", task=task, error=str(error))
        waits = False
    if not waits:
        publish(task, schema=schema, queue=queue)


def take_up(task: str, *, schema: str) -> None:
    """Note that a poke is taken from the queue: from here on the next one is sent."""
    try:
        cache.delete(_poke_key(task, schema))
    except (RedisError, OSError) as error:
        logger.warning("cache_unreachable", task=task, error=str(error))


def _poke_key(task: str, schema: str) -> str:
    return f"poke:{task}:{schema}"


def _send(task: str, *, schema: str, queue: str, parameters: dict[str, Any]) -> None:
    current_app.send_task(
        task, kwargs=parameters, headers={"_schema_name": schema}, queue=queue, retry=False
    )
