"""Eight at once in the mall: stock, units, codes, draws, cash; by operations and over HTTP.

Each race has a negative control: the same race with the lock off must break something. A round
is one item (or pool, or draw) with three to give and eight who want it. `TESSERA_RACE_ROUNDS`
sets how many rounds there are: few in the suite, 7,000 for a whole run.
"""

import os
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from django.test import Client

from benefits.catalogue.codes import create_pool, import_codes
from benefits.catalogue.models import PoolCode
from benefits.mall import _stock
from benefits.mall import operations as mall
from benefits.mall.draws import _play
from benefits.mall.draws import operations as draws
from benefits.mall.draws.models import DrawPrize, DrawTicket, LuckyDraw
from benefits.mall.draws.operations import PrizeDraft
from benefits.mall.models import MallItem, MallOrder, StockRow, StockUnit, WaitingEntry
from benefits.mall.payments import operations as payments
from benefits.mall.payments.models import MallPayment
from benefits.mall.payments.testing import sign_notice
from benefits.mall.queries import count_free
from core import clock
from core.ids import uuid7
from members.profiles.models import Member
from tenants.accounts.registry import ensure_user
from tenants.brands.models import Brand
from tests.integration.benefits.world import STAFF, World, acting, problems
from tests.races import together

pytestmark = pytest.mark.race

THREADS = 8
LEFT = 3
PAUSE = 0.05
# Of each kind; the suite's own rounds show the code, a whole run shows the rarest interleaving.
ROUNDS = int(os.environ.get("TESSERA_RACE_ROUNDS", "7")) // 7


def outcomes(results: list[Any]) -> Counter[str]:
    """Count results by the name of their type."""
    return Counter(type(result).__name__ for result in results)


def buyers(world: World, count: int = THREADS, points: int = 1_000_000) -> list[Member]:
    """Return members with points."""
    members = [world.member() for _one in range(count)]
    for member in members:
        world.points(member, points)
    return members


def rush(brand: Brand, world: World, members: list[Member], **facts: Any) -> list[Any]:
    """Eight members order an item of which three are left."""
    item = world.item(**{"stock": LEFT, "points": 10, **facts})
    return together(brand, [partial(world.order, member, item) for member in members])


@pytest.mark.parametrize("facts", [{}, {"unit_rows": True}, {"kind": "virtual"}])
def test_stock_is_never_oversold(
    committed_brand: Brand, committed_world: World, facts: dict[str, Any]
) -> None:
    members = buyers(committed_world)
    for _round in range(ROUNDS):
        results = rush(committed_brand, committed_world, members, **facts)
        assert outcomes(results)["MallOrder"] <= LEFT
        # Takers of unit rows skip what another is taking: none is left all the same.
        assert outcomes(results) == {"MallOrder": LEFT, "OutOfStockError": THREADS - LEFT}
    assert problems() == []


def test_without_the_row_lock_a_unit_is_sold_twice(
    committed_brand: Brand, committed_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def naive(item: MallItem, _variant: Any, quantity: int, *, order: Any = None) -> None:
        free = list(
            StockUnit.objects.filter(item=item, order__isnull=True).values_list("pk", flat=True)
        )[:quantity]
        time.sleep(PAUSE)
        StockUnit.objects.filter(pk__in=free).update(order=order)

    monkeypatch.setattr(_stock, "_take_units", naive)
    members = buyers(committed_world)
    results = rush(committed_brand, committed_world, members, unit_rows=True)
    assert outcomes(results)["MallOrder"] > LEFT
    assert problems() != []


def test_codes_are_handed_out_once(committed_brand: Brand, committed_world: World) -> None:
    world = committed_world
    members = buyers(world)
    for number in range(ROUNDS):
        pool = create_pool(code=f"pool-{number}", name="P", by=STAFF, at=world.at)
        import_codes(pool=pool, codes=["a", "b", "c"], by=STAFF, at=world.at)
        results = rush(committed_brand, world, members, kind="code", code_pool=pool, stock=None)
        assert outcomes(results) == {"MallOrder": 3, "PoolEmptyError": 5}
        handed = [code for order in results if isinstance(order, MallOrder) for code in order.codes]
        assert sorted(handed) == ["a", "b", "c"]
    assert problems() == []


def test_without_the_row_lock_a_code_is_sold_twice(
    committed_brand: Brand, committed_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def naive(*, pool_id: int, count: int, taken_for: str, at: datetime) -> list[str]:
        found = list(PoolCode.objects.filter(pool_id=pool_id, taken_at__isnull=True)[:count])
        time.sleep(PAUSE)
        for code in found:
            PoolCode.objects.filter(pk=code.pk).update(taken_at=at, taken_for=taken_for)
        return [code.code for code in found]

    monkeypatch.setattr("benefits.mall._delivery.take_codes", naive)
    world = committed_world
    pool = create_pool(code="pool", name="P", by=STAFF, at=world.at)
    import_codes(pool=pool, codes=["a", "b", "c"], by=STAFF, at=world.at)
    results = rush(committed_brand, world, buyers(world), kind="code", code_pool=pool, stock=None)
    handed = [code for order in results if isinstance(order, MallOrder) for code in order.codes]
    assert len(handed) > len(set(handed))
    assert problems() != []


def open_draw(world: World, **facts: Any) -> LuckyDraw:
    """Return a draw whose first prize, of which there are three, all but always comes."""
    made = draws.create_draw(
        code=f"draw-{world.next()}",
        name={"en": "Draw"},
        points=10,
        prizes=[
            PrizeDraft(kind="points", name={"en": "500"}, weight=999_999, points=500, stock=LEFT),
            PrizeDraft(kind="nothing", name={"en": "–"}, weight=1, is_fallback=True),
        ],
        by=STAFF,
        at=world.at,
        **facts,
    )
    return draws.open_draw(draw=made, by=STAFF, at=world.at)


def draw_together(brand: Brand, world: World, members: list[Member], **facts: Any) -> list[Any]:
    """Eight draws at the same moment."""
    draw = open_draw(world, **facts)
    return together(
        brand,
        [
            partial(
                draws.play, member=member, draw=draw, key=uuid7(), by=acting(member), at=world.at
            )
            for member in members
        ],
    )


def test_prizes_are_given_as_often_as_there_are(
    committed_brand: Brand, committed_world: World
) -> None:
    members = buyers(committed_world)
    for _round in range(ROUNDS):
        results = draw_together(committed_brand, committed_world, members)
        assert outcomes(results) == {"DrawTicket": THREADS}
        assert Counter(ticket.points_won for ticket in results) == {500: LEFT, 0: THREADS - LEFT}
    assert problems() == []


def test_without_the_conditional_update_prizes_run_over(
    committed_brand: Brand, committed_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def naive(prize: DrawPrize) -> None:
        if prize.stock is None:
            return
        found = DrawPrize.objects.get(pk=prize.pk)
        time.sleep(PAUSE)
        if found.awarded >= prize.stock:
            raise _play._PrizeGoneError("stock")
        DrawPrize.objects.filter(pk=prize.pk).update(awarded=found.awarded + 1)

    monkeypatch.setattr(_play, "_count", naive)
    results = draw_together(committed_brand, committed_world, buyers(committed_world))
    assert sum(ticket.points_won == 500 for ticket in results) > LEFT
    assert problems() != []


def test_a_member_draws_no_more_than_allowed(
    committed_brand: Brand, committed_world: World
) -> None:
    (member,) = buyers(committed_world, 1)
    for _round in range(ROUNDS):
        results = draw_together(
            committed_brand, committed_world, [member] * THREADS, per_member_limit=2
        )
        assert outcomes(results) == {"DrawTicket": 2, "DrawLimitError": 6}
    assert problems() == []


def test_without_the_accounts_lock_the_limit_of_a_draw_is_passed(
    committed_brand: Brand, committed_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    (member,) = buyers(committed_world, 1)

    def slow(check: Any = _play.check_limits, **facts: Any) -> None:
        check(**facts)
        time.sleep(PAUSE)

    monkeypatch.setattr(_play.points, "redeem", lambda **_facts: None)
    monkeypatch.setattr(_play, "check_limits", slow)
    results = draw_together(
        committed_brand, committed_world, [member] * THREADS, per_member_limit=2
    )
    # The unique number of a member's draws is the last wall: without the lock calls fail on it.
    assert outcomes(results) != {"DrawTicket": 2, "DrawLimitError": 6}


def test_what_comes_back_goes_to_one_of_those_who_wait(
    committed_brand: Brand, committed_world: World
) -> None:
    world = committed_world
    members = buyers(world)
    for _round in range(ROUNDS):
        item = world.item(stock=2, points=10)
        held = [world.order(member, item) for member in members[:2]]
        join = [
            partial(
                mall.join_waiting_list, member=member, item=item, by=acting(member), at=world.at
            )
            for member in members[2:]
        ]
        give = [partial(mall.cancel_order, order=order, by=STAFF, at=world.at) for order in held]
        together(committed_brand, [*join, *give])
        waiting = WaitingEntry.objects.filter(item=item)
        # Nobody waits while there is a free unit, and no unit is kept twice.
        offered = waiting.filter(state="offered").count()
        free = count_free(item=item) or 0
        assert offered + free == 2
        assert not (free and waiting.filter(state="waiting").exists())
    assert problems() == []


def test_one_notice_pays_an_order_once(committed_brand: Brand, committed_world: World) -> None:
    world = committed_world
    now = datetime.now(UTC)
    secret = payments.open_account(provider="test", by=STAFF, at=now).secret
    (member,) = buyers(world, 1)
    item = world.item(cash_minor=990, points=10, stock=ROUNDS)
    for _round in range(ROUNDS):
        order = world.order(member, item, at=now)
        payment = payments.start_payment(order=order, provider="test", by=acting(member), at=now)
        headers, body = sign_notice(payment=payment, is_paid=True, secret=secret, at=now)
        take = partial(payments.receive_notice, provider="test", headers=headers, body=body, at=now)
        cancel = partial(mall.cancel_order, order=order, by=acting(member), at=now)
        together(committed_brand, [take, take, take, cancel])
        order.refresh_from_db()
        payment.refresh_from_db()
        assert (order.state, payment.state) in {
            ("confirmed", "paid"),
            ("cancelled", "refund_due"),
            ("cancelled", "failed"),
        }
    assert MallPayment.objects.count() == ROUNDS
    assert problems() == []


# --- Over HTTP ------------------------------------------------------------------------------


def browsers(
    brand: Brand, members: list[Member], client_for: Callable[..., Client]
) -> list[Client]:
    """Return a signed-in browser for each member."""
    found = []
    for member in members:
        user = ensure_user(f"{member.external_id}@example.com")
        assert user is not None
        client = client_for(brand)
        client.force_login(user)
        found.append(client)
    return found


def test_over_http_nothing_is_oversold(
    committed_brand: Brand, committed_world: World, client_for: Callable[..., Client]
) -> None:
    world = committed_world
    members = [
        world.member(external_id=f"web-{n}", email=f"web-{n}@example.com") for n in range(THREADS)
    ]
    for member in members:
        world.points(member, 1_000)
    clients = browsers(committed_brand, members, client_for)
    pool = create_pool(code="web", name="P", by=STAFF, at=world.at)
    import_codes(pool=pool, codes=["a", "b", "c"], by=STAFF, at=world.at)
    world.item(code="web-item", kind="virtual", stock=LEFT, points=10)
    world.item(code="web-units", kind="virtual", stock=LEFT, points=10, unit_rows=True)
    world.item(code="web-code", kind="code", code_pool=pool, stock=None, points=10)
    world.item(code="web-once", kind="virtual", stock=None, points=10, per_member_limit=1)
    draw = open_draw(world)

    def post(client: Client, path: str, key: UUID) -> int:
        with clock.at(world.at):
            return client.post(path, {"token": str(key)}).status_code

    for code in ("web-item", "web-units", "web-code"):
        statuses = together(
            committed_brand,
            [partial(post, client, f"/mall/items/{code}/", uuid7()) for client in clients],
        )
        assert Counter(statuses) == {302: LEFT, 422: THREADS - LEFT}, code
    statuses = together(
        committed_brand,
        [partial(post, clients[0], "/mall/items/web-once/", uuid7()) for _one in clients],
    )
    assert Counter(statuses)[302] == 1
    statuses = together(
        committed_brand,
        [partial(post, client, f"/mall/draws/{draw.code}/", uuid7()) for client in clients],
    )
    assert statuses == [302] * THREADS
    assert DrawTicket.objects.filter(points_won=500).count() == LEFT
    assert problems() == []


def test_over_http_the_race_breaks_without_the_conditional_update(
    committed_brand: Brand,
    committed_world: World,
    client_for: Callable[..., Client],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def naive(order: MallOrder, _kept: Any = None) -> None:
        row = StockRow.objects.get(item=order.item)
        time.sleep(PAUSE)
        if row.free >= order.quantity:
            StockRow.objects.filter(item=order.item).update(sold=row.sold + order.quantity)

    monkeypatch.setattr(_stock, "sell", naive)
    world = committed_world
    members = [
        world.member(external_id=f"web-{n}", email=f"web-{n}@example.com") for n in range(THREADS)
    ]
    for member in members:
        world.points(member, 1_000)
    clients = browsers(committed_brand, members, client_for)
    world.item(code="web-item", kind="virtual", stock=LEFT, points=10)

    def post(client: Client) -> int:
        with clock.at(world.at):
            return client.post("/mall/items/web-item/", {"token": str(uuid7())}).status_code

    statuses = together(committed_brand, [partial(post, client) for client in clients])
    assert Counter(statuses)[302] > LEFT
    assert problems() != []
