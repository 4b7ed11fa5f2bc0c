"""Pools of codes: files that go in whole or not at all, marks, and codes that stay handed out."""

from collections.abc import Callable
from typing import Any

import pytest

from benefits.catalogue import codes
from benefits.catalogue.code_files import LineProblem
from benefits.catalogue.errors import BadCodeFileError, InvalidBenefitError
from benefits.catalogue.models import CodeImport, CodePool, PoolCode
from benefits.catalogue.queries import list_imports, list_low_pools, list_pool_fill
from tenants.events.models import Event
from tests.integration.benefits.world import STAFF, World


@pytest.fixture
def pool(world: World) -> CodePool:
    """Return an empty pool that is low with fewer than three free codes."""
    return codes.create_pool(code="cinema", name="Cinema", low_at=3, by=STAFF, at=world.at)


def put(world: World, pool: CodePool, text: str, name: str = "codes.csv") -> Any:
    """Import a file."""
    return codes.import_file(
        pool=pool, content=text.encode(), file_name=name, by=STAFF, at=world.at
    )


def test_a_file_goes_in_once(world: World, pool: CodePool) -> None:
    first = put(world, pool, "code\nA\nB\nC\n")
    again = put(world, pool, "code\nA\nB\nC\n", "copy.csv")

    assert (first.codes, first.is_known, again.is_known) == (["A", "B", "C"], False, True)
    assert PoolCode.objects.count() == 3
    (made,) = list_imports(pool=pool)
    assert (made.file_name, made.codes, made.actor) == ("codes.csv", 3, "staff:7")
    assert Event.objects.get(type="code_pool.filled").data == {
        "pool": pool.pk,
        "code": "cinema",
        "added": 3,
    }


def test_a_file_with_a_bad_line_changes_nothing(world: World, pool: CodePool) -> None:
    put(world, pool, "A\nB\n")
    codes.take_codes(pool_id=pool.pk, count=1, taken_for="test:1", at=world.at)
    used = PoolCode.objects.get(taken_at__isnull=False).code
    free = ({"A", "B"} - {used}).pop()
    text = f"code\nN1\n{used}\n{free}\n\nN1\nN2\n{'x' * 121}\n"
    before = (PoolCode.objects.count(), CodeImport.objects.count())

    found = codes.check_file(pool=pool, content=text.encode())
    with pytest.raises(BadCodeFileError) as refused:
        put(world, pool, text)

    assert found.codes == ["N1", "N2"]
    assert found.problems == [
        LineProblem(3, "handed_out"),
        LineProblem(4, "in_pool"),
        LineProblem(5, "empty"),
        LineProblem(6, "twice", 2),
        LineProblem(8, "too_long"),
    ]
    assert refused.value.data["count"] == 5
    assert refused.value.data["problems"][0] == {"line": 3, "code": "handed_out"}
    assert (PoolCode.objects.count(), CodeImport.objects.count()) == before


def test_a_low_pool_tells_once(world: World, pool: CodePool, run: Callable[..., Any]) -> None:
    assert list_low_pools() == []
    put(world, pool, "A\nB\nC\nD\n")
    assert run("mall.watch_code_pools", at=world.at) == {"low": []}
    codes.take_codes(pool_id=pool.pk, count=2, taken_for="test:1", at=world.at)

    results = [run("mall.watch_code_pools", at=world.at) for _time in range(3)]

    assert results == [{"low": ["cinema"]}] * 3
    told = Event.objects.filter(type="code_pool.low")
    assert [event.data["free"] for event in told] == [2]
    assert [row.code for row in list_low_pools()] == ["cinema"]
    put(world, pool, "E\n")
    assert list_low_pools() == []
    row = codes.set_low_at(pool=pool, low_at=4, by=STAFF, at=world.at)
    assert row.low_since_at == world.at
    assert told.all().count() == 2


def test_pools_say_where_their_codes_are(world: World, pool: CodePool) -> None:
    put(world, pool, "A\nB\nC\nD\n")
    for count, holder in ((1, "mall_order:1"), (1, "mall_waiting:1"), (1, "mall_hold:1")):
        codes.take_codes(pool_id=pool.pk, count=count, taken_for=holder, at=world.at)
    (fill,) = list_pool_fill()
    assert (fill.free, fill.kept, fill.handed_out, fill.total) == (1, 2, 1, 4)


@pytest.mark.parametrize(
    ("facts", "pointer"),
    [
        ({"code": "No!"}, "/code"),
        ({"name": " "}, "/name"),
        ({"low_at": 0}, "/low_at"),
    ],
)
def test_pools_refuse_wrong_values(world: World, facts: dict[str, Any], pointer: str) -> None:
    with pytest.raises(InvalidBenefitError) as refused:
        codes.create_pool(**{"code": "a", "name": "A", **facts}, by=STAFF, at=world.at)
    assert refused.value.data == {"pointer": pointer}
    assert not CodePool.objects.exists()
