"""Rows asked for without an order come in the wrong one.

PostgreSQL promises no order without ORDER BY, yet nearly always answers in that of insertion, so
that code and tests lean on it and break one day in a hundred. Here such rows are turned round.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from django.db.models.sql.compiler import SQLCompiler

_results_iter = SQLCompiler.results_iter


def is_unordered(compiler: Any) -> bool:
    """Say whether a query leaves the order of its rows to the database."""
    query = compiler.query
    by_model = query.default_ordering and query.get_meta().ordering and not query.group_by
    return not (query.order_by or query.extra_order_by or by_model)


def _turned_round(compiler: Any, *args: Any, **options: Any) -> Iterator[Any]:
    rows: Iterable[Any] = _results_iter(compiler, *args, **options)
    return reversed(list(rows)) if is_unordered(compiler) else iter(rows)


@pytest.fixture(autouse=True, scope="session")
def _unordered_rows_are_turned_round() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SQLCompiler, "results_iter", _turned_round)
        yield
