"""Start several calls at the same moment, each on a connection of its own."""

import threading
from collections.abc import Callable, Sequence
from typing import Any

from django.db import connection

from tenants.brands.context import tenant_context
from tenants.brands.models import Brand


def together(brand: Brand, calls: Sequence[Callable[[], Any]]) -> list[Any]:
    """Run the calls in threads that start at one barrier; return results or exceptions in order."""
    barrier = threading.Barrier(len(calls))
    results: list[Any] = [None] * len(calls)

    def run(index: int) -> None:
        try:
            with tenant_context(brand):
                connection.ensure_connection()
                barrier.wait(timeout=20)
                results[index] = calls[index]()
        except Exception as error:  # noqa: BLE001 - the test looks at it
            results[index] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    return results
