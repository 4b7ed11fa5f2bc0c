"""Many at once: quotas, stock, limits, codes and caps hold; each with its lock off breaks."""

import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.db import connection

from benefits.catalogue import codes
from benefits.catalogue.codes import create_pool, import_codes
from benefits.catalogue.errors import PoolEmptyError
from benefits.catalogue.models import PoolCode
from benefits.grants import _redeem, issuing
from benefits.grants import operations as grants
from benefits.grants.errors import InvalidStateError, QuotaUsedError
from benefits.grants.models import Grant, Redemption, RulePeriod
from benefits.mall import _orders, _stock
from benefits.mall import operations as mall
from benefits.mall.errors import OrderStateError, OutOfStockError
from benefits.mall.models import MallItem, MallOrder, StockRow
from benefits.rules.models import GrantRule
from benefits.rules.periods import Period
from core.ids import uuid7
from members.points.models import Account, Entry
from tenants.brands.models import Brand
from tests.integration.benefits.world import STAFF, World, acting, problems
from tests.races import together

pytestmark = pytest.mark.race

THREADS = 8
# Long enough that all threads have read before the first one writes.
PAUSE = 0.05


def outcomes(results: list[Any]) -> Counter[str]:
    """Count results by the name of their type."""
    return Counter(type(result).__name__ for result in results)


# --- Redemption ---------------------------------------------------------------------------


def redeem_together(brand: Brand, world: World) -> tuple[list[Any], Grant]:
    """Eight tills use one member's right to three units at the same moment."""
    member = world.member()
    grant = world.grant(member, world.benefit(), quantity=3)
    call = partial(grants.redeem, member=member, grant_id=grant.pk, by=acting(member), at=world.at)
    results = together(brand, [lambda: call(key=uuid7()) for _one in range(THREADS)])
    grant.refresh_from_db()
    return results, grant


def test_a_quota_is_never_passed(committed_brand: Brand, committed_world: World) -> None:
    results, grant = redeem_together(committed_brand, committed_world)

    assert outcomes(results) == {"Redemption": 3, "QuotaUsedError": 5}
    assert (grant.used, Redemption.objects.count()) == (3, 3)
    assert problems() == []


def test_without_the_conditional_update_the_quota_is_passed(
    committed_brand: Brand, committed_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def naive(grant: Grant, _at: Any) -> bool:
        found = Grant.objects.get(pk=grant.pk)
        time.sleep(PAUSE)
        if found.used >= found.quantity:
            return False
        Grant.objects.filter(pk=grant.pk).update(used=found.used + 1)
        return True

    monkeypatch.setattr(_redeem, "_count_used", naive)

    results, _grant = redeem_together(committed_brand, committed_world)

    assert outcomes(results)["Redemption"] > 3
    assert problems() != []


def test_one_key_makes_one_redemption(committed_brand: Brand, committed_world: World) -> None:
    world = committed_world
    member = world.member()
    grant = world.grant(member, world.benefit(), quantity=THREADS)
    call = partial(
        grants.redeem,
        member=member,
        grant_id=grant.pk,
        key=uuid7(),
        by=acting(member),
        at=world.at,
    )

    results = together(committed_brand, [call] * THREADS)

    assert len({made.pk for made in results}) == 1
    grant.refresh_from_db()
    assert (grant.used, Redemption.objects.count()) == (1, 1)
    assert problems() == []


def test_points_of_a_benefit_are_credited_once(
    committed_brand: Brand, committed_world: World
) -> None:
    world = committed_world
    member = world.member()
    benefit = world.benefit(
        kind="points_credit", channel="instant", parameters={"points": 70}, unit_cost_minor=0
    )
    grant = world.grant(member, benefit, quantity=2)
    call = partial(grants.redeem, member=member, grant_id=grant.pk, by=acting(member), at=world.at)

    results = together(committed_brand, [lambda: call(key=uuid7()) for _one in range(THREADS)])

    assert outcomes(results) == {"Redemption": 2, "QuotaUsedError": 6}
    assert world.balance(member) == (140, 0)
    assert problems() == []


def test_a_redemption_ends_one_way_only(committed_brand: Brand, committed_world: World) -> None:
    world = committed_world
    for _round in range(5):
        made = world.redemption()
        moves: list[Callable[[], Any]] = [
            partial(grants.fulfil, redemption=made, by=STAFF, at=world.at),
            partial(grants.cancel, redemption=made, by=STAFF, at=world.at),
            partial(grants.fail, redemption=made, reason="x", by=STAFF, at=world.at),
            partial(grants.expire, redemption_id=made.pk, at=world.at),
        ]

        results = together(committed_brand, moves)

        assert outcomes(results) == {"Redemption": 1, "InvalidStateError": 3}
        assert all(isinstance(result, (Redemption, InvalidStateError)) for result in results)
    assert problems() == []


# --- Codes --------------------------------------------------------------------------------


def take_together(brand: Brand, world: World) -> list[Any]:
    """Eight callers take a code of five."""
    pool = create_pool(code="pool", name="Pool", by=STAFF, at=world.at)
    import_codes(pool=pool, codes=[f"C-{n}" for n in range(5)], by=STAFF, at=world.at)
    return together(
        brand,
        [
            partial(codes.take_codes, pool_id=pool.pk, count=1, taken_for=f"test:{n}", at=world.at)
            for n in range(THREADS)
        ],
    )


def test_each_code_is_handed_out_once(committed_brand: Brand, committed_world: World) -> None:
    results = take_together(committed_brand, committed_world)

    taken = [result[0] for result in results if isinstance(result, list)]
    assert len(taken) == len(set(taken)) == 5
    assert sum(isinstance(result, PoolEmptyError) for result in results) == 3
    assert PoolCode.objects.filter(taken_at__isnull=True).count() == 0


def test_without_the_row_lock_a_code_is_handed_out_twice(
    committed_brand: Brand, committed_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    naive = """
        WITH picked AS MATERIALIZED (
            SELECT id, pg_sleep(0.05) FROM (
                SELECT id FROM benefits_poolcode WHERE pool_id = %(pool)s AND taken_at IS NULL
                   AND %(start)s > 0 ORDER BY id LIMIT %(count)s) free)
        UPDATE benefits_poolcode code SET taken_at = %(at)s, taken_for = %(taken_for)s
          FROM picked WHERE code.id = picked.id
        RETURNING code.code
    """
    monkeypatch.setattr(codes, "TAKE_CODES", naive)

    results = take_together(committed_brand, committed_world)

    taken = [result[0] for result in results if isinstance(result, list)]
    assert len(taken) > len(set(taken))


# --- Mall ---------------------------------------------------------------------------------


def order_together(brand: Brand, world: World) -> tuple[list[Any], MallItem]:
    """Eight members order an item of which three are left."""
    item = world.item(stock=3, points=10)
    members = [world.member() for _one in range(THREADS)]
    for member in members:
        world.points(member, 50)
    results = together(brand, [partial(world.order, member, item) for member in members])
    return results, item


def test_stock_is_never_oversold(committed_brand: Brand, committed_world: World) -> None:
    results, item = order_together(committed_brand, committed_world)

    assert outcomes(results) == {"MallOrder": 3, "OutOfStockError": 5}
    row = StockRow.objects.get(item=item)
    assert (row.stock_in, row.held, row.sold) == (3, 3, 0)
    # Who got nothing has paid nothing.
    assert Entry.objects.filter(kind=Entry.Kind.HOLD).count() == 3
    assert sum(Account.objects.values_list("held", flat=True)) == 30
    assert problems() == []


def test_without_the_conditional_update_stock_is_oversold(
    committed_brand: Brand, committed_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def naive(order: MallOrder, _kept: Any) -> None:
        row = StockRow.objects.get(item=order.item)
        time.sleep(PAUSE)
        if row.free < order.quantity:
            raise OutOfStockError(left=row.free)
        StockRow.objects.filter(item=order.item).update(held=row.held + order.quantity)

    monkeypatch.setattr(_stock, "hold", naive)

    results, _item = order_together(committed_brand, committed_world)

    assert outcomes(results)["MallOrder"] > 3
    assert problems() != []


def test_instant_items_are_never_oversold(committed_brand: Brand, committed_world: World) -> None:
    world = committed_world
    item = world.item(kind="virtual", stock=3, points=10)
    members = [world.member() for _one in range(THREADS)]
    for member in members:
        world.points(member, 50)

    results = together(committed_brand, [partial(world.order, member, item) for member in members])

    assert outcomes(results) == {"MallOrder": 3, "OutOfStockError": 5}
    row = StockRow.objects.get(item=item)
    assert (row.stock_in, row.held, row.sold) == (3, 0, 3)
    assert sum(Account.objects.filter(wallet_id=1).values_list("balance", flat=True)) == 370
    assert problems() == []


def limit_together(brand: Brand, world: World) -> list[Any]:
    """One member orders an item with a limit of two, eight times at the same moment."""
    item = world.item(stock=None, points=10, per_member_limit=2)
    member = world.member()
    world.points(member, 500)
    return together(brand, [partial(world.order, member, item) for _one in range(THREADS)])


def test_the_limit_per_member_holds(committed_brand: Brand, committed_world: World) -> None:
    results = limit_together(committed_brand, committed_world)

    assert outcomes(results) == {"MallOrder": 2, "LimitUsedError": 6}
    assert MallOrder.objects.count() == 2
    assert problems() == []


def test_without_the_accounts_lock_the_limit_is_passed(
    committed_brand: Brand, committed_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_hold(**_facts: Any) -> None:
        return None

    def slow_check(order: MallOrder, check: Any = _orders.check_limit) -> None:
        check(order)
        time.sleep(PAUSE)

    monkeypatch.setattr(_orders.points, "hold", no_hold)
    monkeypatch.setattr(_orders, "check_limit", slow_check)

    results = limit_together(committed_brand, committed_world)

    assert outcomes(results)["MallOrder"] > 2


def test_one_key_makes_one_order(committed_brand: Brand, committed_world: World) -> None:
    world = committed_world
    member, item = world.member(), world.item(points=10)
    world.points(member, 500)

    results = together(committed_brand, [partial(world.order, member, item, key=uuid7())] * THREADS)

    assert len({made.pk for made in results}) == 1
    assert world.balance(member) == (490, 10)
    assert StockRow.objects.get(item=item).held == 1
    assert problems() == []


def test_an_order_is_confirmed_or_called_off(
    committed_brand: Brand, committed_world: World
) -> None:
    world = committed_world
    item = world.item(points=10, stock=50)
    for _round in range(5):
        member = world.member()
        world.points(member, 10)
        order = world.order(member, item)
        moves = [
            partial(mall.confirm_order, order=order, by=STAFF, at=world.at),
            partial(mall.cancel_order, order=order, by=acting(member), at=world.at),
        ] * 2

        results = together(committed_brand, moves)

        assert all(isinstance(result, (MallOrder, OrderStateError)) for result in results)
        state = MallOrder.objects.get(pk=order.pk).state
        assert state in {"confirmed", "cancelled"}
        assert world.balance(member) == ((10, 0) if state == "cancelled" else (0, 0))
    assert problems() == []


# --- Issuing ------------------------------------------------------------------------------


def test_two_runs_grant_once(committed_brand: Brand, committed_world: World) -> None:
    world = committed_world
    members = [world.member() for _one in range(20)]
    rule = world.rule(world.benefit(), cap_units_per_period=13)
    call = partial(grants.issue, rule=rule, period=Period("2026-03", None, None), at=world.at)

    results = together(committed_brand, [call] * 4)

    assert sorted(result.units for result in results) == [0, 0, 0, 13]
    assert Grant.objects.count() == 13
    assert len(members) == 20
    assert problems() == []


def cap_together(brand: Brand, world: World) -> list[Any]:
    """Eight members buy at the same moment; the rule gives to three in a month."""
    rule = world.rule(
        world.benefit(), cadence=GrantRule.Cadence.ON_PURCHASE, cap_units_per_period=3
    )
    members = [world.member() for _one in range(THREADS)]
    return together(
        brand,
        [
            partial(
                grants.issue,
                rule=rule,
                period=Period(f"purchase:{number}", None, None),
                at=world.at,
                member_id=member.pk,
            )
            for number, member in enumerate(members)
        ],
    )


def test_the_cap_of_a_rule_holds(committed_brand: Brand, committed_world: World) -> None:
    results = cap_together(committed_brand, committed_world)

    assert sorted(result.units for result in results) == [0, 0, 0, 0, 0, 1, 1, 1]
    assert RulePeriod.objects.get().units == Grant.objects.count() == 3


def test_without_the_counters_lock_the_cap_is_passed(
    committed_brand: Brand, committed_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unlocked(
        rule: GrantRule, _period: Period, at: Any, *, scopes: tuple[str, ...]
    ) -> dict[str, RulePeriod]:
        found, _new = RulePeriod.objects.get_or_create(
            rule=rule,
            scope="period",
            period_key="2026-03",
            defaults={"first_issued_at": at, "last_issued_at": at},
        )
        connection.cursor().execute("SELECT pg_sleep(%s)", [PAUSE])
        return {"period": found}

    monkeypatch.setattr(issuing, "lock_counters", unlocked)

    cap_together(committed_brand, committed_world)

    assert Grant.objects.count() > 3


def test_redeeming_and_refunding_do_not_block_each_other(
    committed_brand: Brand, committed_world: World
) -> None:
    """Both lock the right before the account, so one of them wins and none is left hanging."""
    world = committed_world
    benefit = world.benefit(
        kind="points_credit", channel="instant", parameters={"points": 5}, unit_cost_minor=0
    )
    item = world.item(kind="benefit", benefit=benefit, stock=None, points=10)
    for _round in range(5):
        member = world.member()
        world.points(member, 10)
        order = world.order(member, item)
        results = together(
            committed_brand,
            [
                partial(
                    grants.redeem,
                    member=member,
                    grant_id=order.grant_id,
                    key=uuid7(),
                    by=acting(member),
                    at=world.at,
                ),
                partial(mall.cancel_order, order=order, by=STAFF, at=world.at),
            ],
        )
        kinds = outcomes(results)
        assert kinds in (
            {"Redemption": 1, "AlreadyUsedError": 1},
            {"RevokedError": 1, "MallOrder": 1},
        )
        assert world.balance(member) == ((5, 0) if "Redemption" in kinds else (10, 0))
    assert problems() == []


def test_quota_refusals_name_their_reason(committed_brand: Brand, committed_world: World) -> None:
    results, _grant = redeem_together(committed_brand, committed_world)
    refused = [result for result in results if isinstance(result, QuotaUsedError)]
    assert {error.code for error in refused} == {"quota_used"}
    assert {error.data["next_at"] for error in refused} == {None}
