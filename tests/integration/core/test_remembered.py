"""Slow figures are kept for some minutes, quick ones never."""

from collections.abc import Iterator

import pytest

from core import remembered as module
from core.remembered import remembered
from tenants.brands.context import tenant_context
from tenants.brands.models import Brand


@pytest.fixture
def figures() -> Iterator[int]:
    return iter(range(10))


def test_quick_figures_are_made_each_time(brand: Brand, figures: Iterator[int]) -> None:
    assert [remembered("n", lambda: next(figures)) for _ in range(2)] == [0, 1]


def test_slow_figures_are_kept_for_their_brand_alone(
    brand: Brand,
    other_brand: Brand,
    figures: Iterator[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "SLOW_SECONDS", 0)
    assert [remembered("n", lambda: next(figures)) for _ in range(3)] == [0, 0, 0]
    assert remembered("m", lambda: next(figures)) == 1
    with tenant_context(other_brand):
        assert remembered("n", lambda: next(figures)) == 2
