"""The order of benefits, by hand."""

from datetime import UTC, datetime, timedelta

import pytest

from benefits.grants.relevance import Signals, relevance_of

AT = datetime(2026, 3, 15, 4, tzinfo=UTC)


def _signals(**changes: object) -> Signals:
    facts: dict[str, object] = {
        "uses": 0,
        "segment": None,
        "everybody": None,
        "list_price_minor": 0,
        "dearest_minor": 0,
        "ends_at": None,
    }
    return Signals(**{**facts, **changes})  # type: ignore[arg-type]


def test_the_four_parts_add_up() -> None:
    found = relevance_of(
        _signals(
            uses=3,
            segment=(12, 40),
            everybody=(1, 1_000),
            list_price_minor=5_000,
            dearest_minor=20_000,
            ends_at=AT + timedelta(days=7),
        ),
        at=AT,
    )
    assert found.parts == {"own": 750, "peers": 300, "worth": 250, "soon": 500}
    # (35 × 750 + 30 × 300 + 20 × 250 + 15 × 500) / 100
    assert found.score == 477
    assert found.why is not None
    assert found.why.code == "ends_soon"


@pytest.mark.parametrize(
    ("changes", "part", "value"),
    [
        ({}, "peers", 500),
        ({"segment": (19, 19), "everybody": (5, 20)}, "peers", 250),
        ({"segment": (20, 20), "everybody": (5, 20)}, "peers", 1_000),
        ({"uses": 9}, "own", 1_000),
        ({"list_price_minor": 7, "dearest_minor": 0}, "worth", 0),
        ({"ends_at": AT + timedelta(days=14)}, "soon", 0),
        ({"ends_at": AT}, "soon", 1_000),
        ({"ends_at": AT - timedelta(days=1)}, "soon", 1_000),
    ],
)
def test_each_part_at_its_edges(changes: dict[str, object], part: str, value: int) -> None:
    assert relevance_of(_signals(**changes), at=AT).parts[part] == value


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, None),
        ({"uses": 1}, None),
        ({"uses": 2}, "often_used"),
        ({"segment": (8, 20)}, "liked_by_peers"),
        ({"segment": (7, 20)}, None),
        ({"segment": (10, 19)}, None),
        ({"uses": 2, "ends_at": AT + timedelta(days=7)}, "ends_soon"),
    ],
)
def test_one_thing_is_said_or_nothing(changes: dict[str, object], code: str | None) -> None:
    why = relevance_of(_signals(**changes), at=AT).why
    assert (why.code if why else None) == code
