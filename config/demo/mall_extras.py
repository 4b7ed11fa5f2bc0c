"""The livelier half of the demo's mall: sizes, a cash part, codes, a waiting list, a lucky draw."""

import random
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from benefits.catalogue import codes
from benefits.mall import operations as mall
from benefits.mall.draws import operations as draws
from benefits.mall.draws.models import LuckyDraw
from benefits.mall.draws.operations import PrizeDraft
from benefits.mall.models import ItemVariant, MallItem
from benefits.mall.payments import operations as payments
from config.demo.specs import BrandSpec
from core.actors import Actor
from core.errors import DomainError
from core.ids import derived_uuid
from members.profiles.models import Member

_PLAYERS = 25
_WORDS = ("", "luck", "八八八", "spring", "好運", "42")


def _t(en: str, hans: str, hant: str) -> dict[str, str]:
    return {"en": en, "zh-hans": hans, "zh-hant": hant}


def liven_up(spec: BrandSpec, *, manager: Actor, members: Sequence[Member], now: datetime) -> None:
    """Add the items and the draw some days ago, and let members use them until now."""
    if not members:
        return
    rng = random.Random(f"{spec.slug} mall")
    at = now - timedelta(days=4)
    payments.open_account(provider="test", by=manager, at=at)
    shirt = _shirt(manager, at)
    flask = _flask(manager, at)
    cinema = _cinema(spec, manager, at)
    draw = _draw(manager, at)
    crowd = rng.sample(list(members), min(len(members), 4 * _PLAYERS))
    for day in range(4):
        _a_day(
            spec,
            rng,
            crowd,
            (shirt, flask, cinema),
            draw,
            at + timedelta(days=day, hours=23, minutes=40),
        )
        if day < 3:
            draws.rotate_seed(draw=draw, by=manager, at=at + timedelta(days=day + 1))


def _a_day(
    spec: BrandSpec,
    rng: random.Random,
    crowd: Sequence[Member],
    items: Sequence[MallItem],
    draw: LuckyDraw,
    at: datetime,
) -> None:
    for number, member in enumerate(rng.sample(list(crowd), min(len(crowd), _PLAYERS))):
        by = Actor(kind="member", id=member.pk, label=member.number)
        key = derived_uuid("demo-mall", spec.slug, at.isoformat(), number)
        with suppress(DomainError):
            draws.play(member=member, draw=draw, key=key, words=rng.choice(_WORDS), by=by, at=at)
        if number % 3 == 0:
            _order(rng.choice(items), member, key.hex, by, at, spec, rng)


def _order(
    item: MallItem,
    member: Member,
    key: str,
    by: Actor,
    at: datetime,
    spec: BrandSpec,
    rng: random.Random,
) -> None:
    variants: list[ItemVariant | None] = [*item.variants.order_by("position")]
    variant = rng.choice(variants or [None])
    address = {"recipient": "—", "phone": "—", "lines": spec.stores[0][1]}
    try:
        order = mall.place_order(
            member=member,
            item=item,
            variant=variant,
            key=derived_uuid("demo-mall-order", key),
            address=address if item.kind == "physical" else None,
            by=by,
            at=at,
        )
    except DomainError:
        with suppress(DomainError):
            mall.join_waiting_list(member=member, item=item, variant=variant, by=by, at=at)
        return
    if order.cash_minor and rng.random() < 0.7:
        payment = payments.start_payment(order=order, provider="test", by=by, at=at)
        payments.record_payment(order=order, reference=f"POS {payment.pk:06d}", by=by, at=at)


def _shirt(manager: Actor, at: datetime) -> MallItem:
    item = mall.create_item(
        code="member-tee",
        kind="physical",
        name=_t("Members’ T-shirt", "会员 T 恤", "會員 T 恤"),
        summary=_t("Heavy cotton, four sizes", "厚磅纯棉，四个尺码", "厚磅純棉，四個尺碼"),
        icon="paint",
        points=300,
        unit_cost_minor=1_500,
        per_member_limit=2,
        limit_days=90,
        on_sale=True,
        by=manager,
        at=at,
    )
    for code, stock, extra in (("s", 12, 0), ("m", 20, 0), ("l", 2, 0), ("xl", 1, 50)):
        mall.add_variant(
            item=item,
            code=code,
            name=dict.fromkeys(("en", "zh-hans", "zh-hant"), code.upper()),
            stock=stock,
            extra_points=extra,
            by=manager,
            at=at,
        )
    return item


def _flask(manager: Actor, at: datetime) -> MallItem:
    return mall.create_item(
        code="flask",
        kind="physical",
        name=_t("Steel flask", "不锈钢保温杯", "不鏽鋼保溫杯"),
        summary=_t("Points and a little cash", "积分加少量现金", "積分加少量現金"),
        icon="bottle",
        points=200,
        cash_minor=2_900,
        unit_cost_minor=3_400,
        stock=3,
        pay_minutes=60,
        on_sale=True,
        by=manager,
        at=at,
    )


def _cinema(spec: BrandSpec, manager: Actor, at: datetime) -> MallItem:
    pool = codes.create_pool(code="cinema", name="Cinema tickets", low_at=40, by=manager, at=at)
    rng = random.Random(f"{spec.slug} codes")
    lines = "\n".join(f"CIN-{rng.getrandbits(40):010X}" for _one in range(45))
    codes.import_file(
        pool=pool, content=lines.encode(), file_name="cinema-first.csv", by=manager, at=at
    )
    return mall.create_item(
        code="cinema",
        kind="code",
        name=_t("Cinema ticket", "电影票", "電影票"),
        summary=_t("A code, at once", "即时发放券码", "即時發放券碼"),
        icon="ticket",
        points=180,
        unit_cost_minor=2_500,
        code_pool=pool,
        per_member_limit=1,
        limit_days=30,
        on_sale=True,
        by=manager,
        at=at,
    )


def _draw(manager: Actor, at: datetime) -> LuckyDraw:
    made = draws.create_draw(
        code="wheel",
        name=_t("Wheel of the month", "本月幸运转盘", "本月幸運轉盤"),
        summary=_t("20 points a go, three a day", "每次 20 积分，每天三次", "每次 20 積分，每天三次"),
        icon="dice-5",
        points=20,
        per_day_limit=3,
        ends_at=at + timedelta(days=30),
        prizes=[
            PrizeDraft(
                kind="points", name=_t("500 points", "500 积分", "500 積分"),
                weight=10_000, stock=5, points=500,
            ),
            PrizeDraft(
                kind="points", name=_t("50 points", "50 积分", "50 積分"),
                weight=140_000, stock=200, points=50,
            ),
            PrizeDraft(
                kind="points", name=_t("10 points", "10 积分", "10 積分"),
                weight=350_000, points=10,
            ),
            PrizeDraft(
                kind="nothing", name=_t("A kind thought", "谢谢参与", "謝謝參與"),
                weight=500_000, is_fallback=True,
            ),
        ],
        by=manager,
        at=at,
    )  # fmt: skip
    return draws.open_draw(draw=made, by=manager, at=at)
