import pytest
from hypothesis import given
from hypothesis import strategies as st

from partners.pool.regions import ancestors, nearness, normalise

_STEP = st.text(alphabet="abc", min_size=1, max_size=2)
_PATH = st.lists(_STEP, min_size=1, max_size=4).map("/".join)


def test_normalise_drops_blanks_and_empty_steps() -> None:
    assert normalise(" cn / gd//shenzhen/ ") == "cn/gd/shenzhen"
    assert normalise(" / ") == ""


def test_ancestors_come_nearest_first() -> None:
    assert ancestors("cn/gd/shenzhen") == ["cn/gd/shenzhen", "cn/gd", "cn"]
    assert ancestors("east") == ["east"]
    assert ancestors("") == []


@pytest.mark.parametrize(
    ("served", "region", "expected"),
    [
        (["cn/gd/shenzhen"], "cn/gd/shenzhen", 10_000),
        (["cn/gd"], "cn/gd/shenzhen", 7_500),
        (["cn"], "cn/gd/shenzhen", 5_000),
        ([], "cn/gd/shenzhen", 2_500),
        (["cn", "cn/gd"], "cn/gd/shenzhen", 7_500),
        (["cn/gd/shenzhen"], "cn/gd", None),
        (["cn/g"], "cn/gd", None),
        (["east"], "east", 10_000),
        (["west"], "east", None),
        ([], "", 10_000),
        (["east"], "", None),
    ],
)
def test_nearness(served: list[str], region: str, expected: int | None) -> None:
    assert nearness(served, region) == expected


@given(served=st.lists(_PATH, max_size=3), region=_PATH)
def test_a_served_region_serves_everything_below_it(served: list[str], region: str) -> None:
    near = nearness(served, region)
    below = nearness(served, f"{region}/x")
    assert (near is None) or (below is not None)
    assert near is None or 0 < near <= 10_000
