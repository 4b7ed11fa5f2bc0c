"""Running one thing in many threads of one brand at the same instant."""

import threading
from collections.abc import Callable
from typing import Any

from django.db import connection

from tenants.brands.context import tenant_context
from tenants.brands.models import Brand


def run_inside(brand: Brand, function: Callable[[], Any]) -> Any:
    """Run a function inside a brand, in this thread, and give the connection back."""
    try:
        with tenant_context(brand):
            return function()
    finally:
        connection.close()


def run_in_threads(count: int, brand: Brand, function: Callable[[], Any]) -> list[Any]:
    """Run a function `count` times at once; return results and raised exceptions, unordered."""
    barrier = threading.Barrier(count)
    results: list[Any] = []

    def work() -> None:
        barrier.wait(10)
        try:
            results.append(run_inside(brand, function))
        except Exception as error:  # noqa: BLE001 - the test looks at it
            results.append(error)

    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(results) == count, "a thread did not end"
    return results
