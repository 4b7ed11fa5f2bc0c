"""Figures over very many rows, kept for a few minutes once they prove slow to count.

For what a page shows at a glance, never for what decides anything. In small brands nothing is
ever kept: there the figure is always that of the moment.
"""

import time
from collections.abc import Callable
from typing import TypeVar, cast

from django.core.cache import cache
from redis.exceptions import RedisError

SLOW_SECONDS = 0.15
KEPT_SECONDS = 300

T = TypeVar("T")


def remembered(name: str, make: Callable[[], T], *, slow: float | None = None) -> T:
    """Return what `make` gives, or what it gave up to five minutes ago if that took long.

    Long are `slow` seconds, by default SLOW_SECONDS.

    `name` is one of the brand's; the key of the cache carries the brand. What is kept is plain.
    """
    key = f"remembered:{name}"
    try:
        kept = cache.get(key)
    except RedisError:
        return make()
    if kept is not None:
        return cast("T", kept)
    start = time.perf_counter()
    made = make()
    if time.perf_counter() - start >= (SLOW_SECONDS if slow is None else slow):
        try:
            cache.set(key, made, KEPT_SECONDS)
        except RedisError:
            return made
    return made
