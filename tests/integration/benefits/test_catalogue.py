"""The catalogue: benefits, costs by day, stages, packages, pools of codes."""

from datetime import date, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from benefits.catalogue.codes import create_pool, import_codes
from benefits.catalogue.errors import (
    CodeTakenError,
    CostExistsError,
    CostMissingError,
    DuplicateCodesError,
    IllegalStageError,
    InvalidBenefitError,
    UnknownBenefitError,
    UnknownKindError,
    UnknownPackageError,
    UnknownPoolError,
)
from benefits.catalogue.models import Benefit, BenefitCost, PoolCode, StageChange
from benefits.catalogue.operations import (
    change_stage,
    create_package,
    set_cost,
    update_benefit,
)
from benefits.catalogue.queries import (
    benefit_names,
    count_free_codes,
    get_benefit,
    get_package,
    get_pool,
    list_benefits,
    list_stage_changes,
    unit_cost,
)
from benefits.catalogue.registry import register_gate
from tenants.audit.models import AuditEntry
from tests.integration.benefits.world import STAFF, World


def test_a_benefit_begins_as_an_idea_with_its_first_move(world: World) -> None:
    made = world.benefit(code="tea", stage="idea", unit_cost_minor=None)

    assert get_benefit(code="tea").stage == "idea"
    (move,) = list_stage_changes(benefit=made)
    assert (move.from_stage, move.to_stage, move.actor) == ("", "idea", "staff:7")
    assert AuditEntry.objects.get(action="benefit.created").target_id == str(made.pk)
    assert benefit_names(language="zh-hant") == {made.pk: "茶礼盒"}
    assert [one.code for one in list_benefits(stage="idea")] == ["tea"]
    assert list_benefits(stages=["core", "star"]) == []


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"code": "Tea Box"}, "/code"),
        ({"name": {}}, "/name"),
        ({"stage": "retired"}, "/stage"),
        ({"channel": "instant"}, "/channel"),
        ({"regions": "north"}, "/regions"),
        ({"list_price_minor": -1}, "/list_price_minor"),
        ({"unit_cost_minor": -1}, "/unit_cost_minor"),
        ({"parameters": {"points": 3}}, "/parameters/points"),
        ({"colour": "red"}, "/colour"),
    ],
)
def test_benefits_refuse_wrong_values(world: World, changes: dict[str, Any], pointer: str) -> None:
    with pytest.raises(InvalidBenefitError) as refused:
        world.benefit(**changes)
    assert refused.value.data["pointer"] == pointer
    assert not Benefit.objects.exists()


def test_benefits_refuse_unknown_kinds_and_taken_codes(world: World) -> None:
    with pytest.raises(UnknownKindError):
        world.benefit(kind="lottery")
    world.benefit(code="tea")
    with pytest.raises(CodeTakenError):
        world.benefit(code="tea")
    with pytest.raises(UnknownBenefitError):
        get_benefit(code="coffee")
    assert Benefit.objects.count() == 1


def test_changes_are_audited_with_old_and_new(world: World) -> None:
    benefit = world.benefit(regions=["north"])

    update_benefit(benefit=benefit, regions=["north", "south"], icon="gift", by=STAFF, at=world.at)

    assert get_benefit(code=benefit.code).regions == ["north", "south"]
    entry = AuditEntry.objects.get(action="benefit.changed")
    assert entry.changes == {"regions": [["north"], ["north", "south"]]}
    with pytest.raises(InvalidBenefitError):
        update_benefit(benefit=benefit, kind="gift", by=STAFF, at=world.at)


def test_costs_follow_each_other_without_gap_or_overlap(world: World) -> None:
    benefit = world.benefit(unit_cost_minor=None)
    days = {date(2026, 1, 1): 100, date(2026, 6, 1): 300, date(2026, 3, 1): 200}
    for day, cost in days.items():
        set_cost(benefit=benefit, unit_cost_minor=cost, valid_from=day, by=STAFF, at=world.at)
    set_cost(
        benefit=benefit, unit_cost_minor=200, valid_from=date(2026, 3, 1), by=STAFF, at=world.at
    )

    rows = BenefitCost.objects.order_by("valid_from").values_list(
        "unit_cost_minor", "valid_from", "valid_to"
    )
    assert list(rows) == [
        (100, date(2026, 1, 1), date(2026, 3, 1)),
        (200, date(2026, 3, 1), date(2026, 6, 1)),
        (300, date(2026, 6, 1), None),
    ]
    assert [
        unit_cost(benefit=benefit, on=day)
        for day in (date(2026, 2, 28), date(2026, 3, 1), date(2026, 5, 31), date(2030, 1, 1))
    ] == [100, 200, 200, 300]
    with pytest.raises(CostMissingError):
        unit_cost(benefit=benefit, on=date(2025, 12, 31))
    with pytest.raises(CostExistsError):
        set_cost(
            benefit=benefit, unit_cost_minor=1, valid_from=date(2026, 3, 1), by=STAFF, at=world.at
        )


def test_the_database_refuses_two_costs_on_one_day(world: World) -> None:
    benefit = world.benefit()
    with pytest.raises(IntegrityError, match="benefit_cost_one_a_day"), transaction.atomic():
        BenefitCost.objects.create(
            benefit=benefit, unit_cost_minor=5, valid_from=date(2026, 8, 1), valid_to=None
        )


def test_stages_move_with_a_reason_and_evidence(world: World) -> None:
    benefit = world.benefit(stage="idea")
    register_gate(
        from_stage="idea",
        to_stage="pilot",
        name="test",
        gate=lambda one, _at: {"checked": one.code},
    )

    moved = change_stage(
        benefit=benefit, to="pilot", reason="asked for", by=STAFF, at=world.at, evidence={"n": 5}
    )

    assert moved.stage == "pilot"
    move = list_stage_changes(benefit=benefit)[0]
    assert (move.from_stage, move.to_stage, move.reason) == ("idea", "pilot", "asked for")
    assert move.evidence == {"n": 5, "test": {"checked": benefit.code}}


def test_stages_refuse_leaps_and_missing_reasons(world: World) -> None:
    benefit = world.benefit(stage="pilot")
    moves = StageChange.objects.count()
    for to in ("star", "watch", "idea", "pilot", "famous"):
        with pytest.raises(IllegalStageError) as refused:
            change_stage(benefit=benefit, to=to, reason="x", by=STAFF, at=world.at)
        assert refused.value.data == {"stage": "pilot", "to": to}
    with pytest.raises(InvalidBenefitError):
        change_stage(benefit=benefit, to="core", reason=" ", by=STAFF, at=world.at)
    assert get_benefit(code=benefit.code).stage == "pilot"
    assert StageChange.objects.count() == moves


@pytest.mark.parametrize(
    "table",
    [
        "benefits_stagechange",
        "benefits_ruleversion",
        "benefits_grantterms",
        "benefits_redemptionstep",
    ],
)
def test_history_refuses_change(world: World, table: str) -> None:
    for sql in (f"UPDATE {table} SET id = id", f"DELETE FROM {table}", f"TRUNCATE {table} CASCADE"):
        with (
            pytest.raises(IntegrityError, match="append-only"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(sql)


def test_packages_hold_each_benefit_once(world: World) -> None:
    tea, wash = world.benefit(), world.benefit()
    facts: dict[str, Any] = {"code": "spring", "name": {"en": "Spring"}}
    for items in ([], [(tea, 1), (tea, 2)], [(tea, 0)]):
        with pytest.raises(InvalidBenefitError):
            create_package(**facts, items=items, by=STAFF, at=world.at)
    create_package(**facts, items=[(tea, 1), (wash, 2)], by=STAFF, at=world.at)

    found = get_package(code="spring")

    assert {item.benefit_id: item.quantity for item in found.items.all()} == {
        tea.pk: 1,
        wash.pk: 2,
    }
    with pytest.raises(CodeTakenError):
        create_package(**facts, items=[(tea, 1)], by=STAFF, at=world.at)
    with pytest.raises(UnknownPackageError):
        get_package(code="autumn")


def test_codes_are_imported_all_or_none(world: World) -> None:
    pool = create_pool(code="tea", name="Tea", by=STAFF, at=world.at)
    other = create_pool(code="wash", name="Wash", by=STAFF, at=world.at)
    assert import_codes(pool=pool, codes=["A", " B "], by=STAFF, at=world.at) == 2
    assert import_codes(pool=other, codes=["A"], by=STAFF, at=world.at) == 1

    with pytest.raises(DuplicateCodesError) as refused:
        import_codes(pool=pool, codes=["C", "A", "D", "D"], by=STAFF, at=world.at)
    assert refused.value.data == {"codes": ["A", "D"], "count": 2}
    with pytest.raises(InvalidBenefitError) as empty:
        import_codes(pool=pool, codes=["E", " "], by=STAFF, at=world.at)
    assert empty.value.data == {"pointer": "/codes/1"}

    assert count_free_codes(pool=pool) == 2
    assert set(PoolCode.objects.filter(pool=pool).values_list("code", flat=True)) == {"A", "B"}
    with pytest.raises(CodeTakenError):
        create_pool(code="tea", name="Tea", by=STAFF, at=world.at)
    with pytest.raises(UnknownPoolError):
        get_pool(code="none")


def test_costs_set_at_creation_hold_from_the_brands_day(world: World) -> None:
    made = world.benefit(unit_cost_minor=77)
    first = (world.at - timedelta(days=40)).date()
    assert unit_cost(benefit=made, on=first) == 77
    with pytest.raises(CostMissingError):
        unit_cost(benefit=made, on=first - timedelta(days=1))
