"""Texts, stages, regions and parameters of kinds."""

from typing import Any

import pytest

from benefits.catalogue.errors import InvalidBenefitError, UnknownKindError
from benefits.catalogue.kinds import KINDS, get_kind
from benefits.catalogue.kinds.points_credit import points_cost
from benefits.catalogue.models import Benefit
from benefits.catalogue.regions import lies_in
from benefits.catalogue.stages import NEXT, may_follow
from benefits.catalogue.texts import check_text, localized
from benefits.grants.models import Redemption
from benefits.grants.states import NEXT as REDEMPTION_NEXT
from benefits.mall.models import MallOrder
from benefits.mall.states import NEXT as ORDER_NEXT


@pytest.mark.parametrize(
    ("text", "lang", "expected"),
    [
        ({"en": "Tea", "zh-hans": "茶"}, "zh-hans", "茶"),
        ({"en": "Tea", "zh-hans": "茶"}, "zh-hant", "茶"),
        ({"en": "Tea", "zh": "茶"}, "zh-Hans", "茶"),
        ({"en": "Tea", "zh-hans": "茶"}, "fr", "Tea"),
        ({"zh-hans": "茶"}, "en", "茶"),
        ({"en": "", "zh-hans": "茶"}, "en", "茶"),
        ({}, "en", ""),
        (None, None, ""),
    ],
)
def test_localized(text: dict[str, str] | None, lang: str | None, expected: str) -> None:
    assert localized(text, lang) == expected


@pytest.mark.parametrize("value", ["Tea", {"en": 3}, {3: "Tea"}, {"en": "x" * 4_001}, {}])
def test_check_text_refuses(value: Any) -> None:
    with pytest.raises(InvalidBenefitError) as refused:
        check_text(value, pointer="/name", required=True)
    assert refused.value.data["pointer"].startswith("/name")


@pytest.mark.parametrize(
    ("region", "regions", "expected"),
    [
        ("cn/gd/sz", ["cn/gd"], True),
        ("cn/gd", ["cn/gd/sz"], False),
        ("cn/gdx", ["cn/gd"], False),
        ("north", ["north"], True),
        ("", ["north"], False),
        ("", [], True),
    ],
)
def test_lies_in(region: str, regions: list[str], *, expected: bool) -> None:
    assert lies_in(region, regions) is expected


def test_stages_are_those_of_the_domain() -> None:
    allowed = {(before, after) for before, afters in NEXT.items() for after in afters}
    assert allowed == {
        ("idea", "pilot"),
        ("idea", "retired"),
        ("pilot", "core"),
        ("pilot", "retired"),
        ("core", "star"),
        ("star", "core"),
        ("core", "watch"),
        ("star", "watch"),
        ("watch", "core"),
        ("watch", "star"),
        ("watch", "retired"),
    }
    assert not may_follow("pilot", after="core")


def test_every_state_has_its_successors_named() -> None:
    assert set(NEXT) == set(Benefit.Stage.values)
    assert set(REDEMPTION_NEXT) == set(Redemption.State.values)
    assert set(ORDER_NEXT) == set(MallOrder.State.values)


@pytest.mark.parametrize(
    ("kind", "given", "kept"),
    [
        ("gift", {"sku": " T-1 "}, {"sku": "T-1"}),
        ("gift", {}, {}),
        (
            "partner_service",
            {"duration_minutes": 45, "by_appointment": True},
            {"duration_minutes": 45, "by_appointment": True},
        ),
        ("points_credit", {"points": 50}, {"points": 50}),
        ("discount", {"percent_bp": 1_000}, {"percent_bp": 1_000}),
        (
            "discount",
            {"amount_minor": 500, "minimum_minor": 2_000},
            {"amount_minor": 500, "minimum_minor": 2_000},
        ),
    ],
)
def test_kinds_keep_good_parameters(kind: str, given: dict[str, Any], kept: dict[str, Any]) -> None:
    assert get_kind(kind).validate(given) == kept


@pytest.mark.parametrize(
    ("kind", "given", "pointer"),
    [
        ("gift", {"sku": 3}, "/parameters/sku"),
        ("gift", {"colour": "red"}, "/parameters/colour"),
        ("partner_service", {"duration_minutes": 0}, "/parameters/duration_minutes"),
        ("partner_service", {"by_appointment": "yes"}, "/parameters/by_appointment"),
        ("points_credit", {}, "/parameters/points"),
        ("points_credit", {"points": 0}, "/parameters/points"),
        ("points_credit", {"points": True}, "/parameters/points"),
        ("points_credit", {"points": 1.5}, "/parameters/points"),
        ("points_credit", {"points": 10**13}, "/parameters/points"),
        ("discount", {}, "/parameters/percent_bp"),
        ("discount", {"percent_bp": 10, "amount_minor": 5}, "/parameters/percent_bp"),
        ("discount", {"percent_bp": 10_001}, "/parameters/percent_bp"),
    ],
)
def test_kinds_refuse_bad_parameters(kind: str, given: dict[str, Any], pointer: str) -> None:
    with pytest.raises(InvalidBenefitError) as refused:
        get_kind(kind).validate(given)
    assert refused.value.data["pointer"] == pointer


def test_kinds_are_known_by_their_code() -> None:
    assert {kind.code for kind in KINDS.values()} == set(KINDS)
    with pytest.raises(UnknownKindError):
        get_kind("lottery")


@pytest.mark.parametrize(
    ("points", "micro", "minor"),
    [(250, 1_000_000, 250), (3, 500_000, 2), (5, 500_000, 2), (1, 0, 0), (7, 140_000, 1)],
)
def test_points_cost_rounds_half_even_once(points: int, micro: int, minor: int) -> None:
    assert points_cost(points, micro) == minor
