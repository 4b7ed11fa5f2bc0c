"""The catalogue as a running business has it: every kind, dated changes, stock, packages, drafts."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from benefits.catalogue import operations as catalogue
from benefits.catalogue import stock
from benefits.catalogue.kinds import KINDS
from benefits.catalogue.models import Benefit, Package
from benefits.catalogue.queries import list_benefits, list_costs
from benefits.catalogue.stages import LIVE
from benefits.catalogue.texts import localized
from benefits.insights.months import first_of
from benefits.mall import operations as mall
from benefits.rules import operations as rules
from config.demo.programme import Programme
from config.demo.specs import BrandSpec
from core import clock
from core.actors import Actor


def _t(en: str, hans: str, hant: str) -> dict[str, str]:
    return {"en": en, "zh-hans": hans, "zh-hant": hant}


_IDEA = _t("From the last round of ideas", "来自上一轮创意征集", "來自上一輪創意徵集")
_BROKEN = _t("Damaged in transport", "运输途中破损", "運送途中破損")
_WAIT = _t("Wait for the new stock", "等待新一批货", "等待新一批貨")
_THANKS = _t("Autumn thanks", "秋季答谢", "秋季答謝")
_STEPS: Final[Mapping[str, tuple[str, str]]] = {
    "en": ("Check the date", "Hand it over"),
    "zh-hans": ("核对有效期", "当面交付"),
    "zh-hant": ("核對有效期", "當面交付"),
}
# What a brand may have on its list of ideas, for each kind that its own benefits leave out.
_IDEAS: Final[Mapping[str, dict[str, Any]]] = {
    "discount": {
        "name": _t("Ten per cent off", "九折券", "九折券"),
        "channel": "code",
        "parameters": {"percent_bp": 1_000},
    },
    "free_service": {
        "name": _t("Gift wrapping", "礼品包装", "禮品包裝"),
        "channel": "staff",
        "parameters": {"duration_minutes": 10},
    },
    "periodic_service": {
        "name": _t("Half-yearly check", "半年检测", "半年檢測"),
        "channel": "staff",
        "parameters": {"every_months": 6, "remind_days": 14},
    },
    "points_credit": {
        "name": _t("Thank-you points", "答谢积分", "答謝積分"),
        "channel": "instant",
        "parameters": {"points": 100},
    },
    "points_multiplier": {
        "name": _t("Double points week", "双倍积分周", "雙倍積分週"),
        "channel": "instant",
        "parameters": {"multiplier_bp": 20_000, "days": 7},
    },
    "content": {
        "name": _t("Members’ magazine", "会员杂志", "會員雜誌"),
        "channel": "instant",
        "parameters": {"url": "https://example.com/magazine", "access_days": 365},
    },
}

_UPGRADE: Final[Mapping[str, Any]] = {
    "name": _t("A season in the highest tier", "体验最高等级一季", "體驗最高等級一季"),
    "channel": "instant",
}


def fill_shelves(spec: BrandSpec, made: Programme, *, now: datetime) -> None:
    """Add what staff do between the big steps: some three weeks ago, until now."""
    manager = made.actor("manager")
    at = now - timedelta(days=20)
    _every_kind(spec, manager, at)
    gift = next(row for row in list_benefits(stages=LIVE) if row.kind == "gift")
    _stock(spec, gift, manager, at)
    _dated(spec, gift, manager, at)
    if made.package is not None:
        plus = _package(made.package, gift, manager, at)
        _drafts(spec, made, plus, gift, manager, at)


def _every_kind(spec: BrandSpec, manager: Actor, at: datetime) -> None:
    known = {row.kind for row in list_benefits()}
    upgrade = {"tier": spec.tiers[-1].code, "days": 90}
    ideas = {**_IDEAS, "upgrade": {**_UPGRADE, "parameters": upgrade}}
    for kind, facts in ideas.items():
        if kind in KINDS and kind not in known:
            catalogue.create_benefit(
                code=kind.replace("_", "-"),
                kind=kind,
                icon=KINDS[kind].icon,
                unit_cost_minor=500,
                list_price_minor=2_000,
                reason=_IDEA[spec.locale],
                by=manager,
                at=at,
                **facts,
            )


def _stock(spec: BrandSpec, gift: Benefit, manager: Actor, at: datetime) -> None:
    stock.add_units(benefit=gift, quantity=180, by=manager, at=at)
    stock.remove_units(
        benefit=gift, quantity=6, reason=_BROKEN[spec.locale], by=manager,
        at=at + timedelta(days=2),
    )  # fmt: skip
    stock.add_units(benefit=gift, quantity=60, by=manager, at=at + timedelta(days=9))


def _dated(spec: BrandSpec, gift: Benefit, manager: Actor, at: datetime) -> None:
    """From next month it costs more; over the month after it is shown as worth more."""
    today = clock.local_date(at + timedelta(days=20), spec.timezone)
    next_month, after = first_of(today, back=-1), first_of(today, back=-2)
    (cost, *_older) = list_costs(benefit=gift)
    catalogue.set_cost(
        benefit=gift, unit_cost_minor=cost.unit_cost_minor * 108 // 100, valid_from=next_month,
        by=manager, at=at + timedelta(days=5),
    )  # fmt: skip
    catalogue.set_list_price(
        benefit=gift, list_price_minor=gift.list_price_minor * 115 // 100, valid_from=after,
        valid_to=first_of(today, back=-3), by=manager, at=at + timedelta(days=5),
    )  # fmt: skip
    gift.refresh_from_db()
    catalogue.update_benefit(
        benefit=gift,
        sla_hours=48,
        service_steps=[*gift.service_steps, *_STEPS[spec.locale]],
        by=manager,
        at=at + timedelta(days=6),
    )


def _package(inner: Package, gift: Benefit, manager: Actor, at: datetime) -> Package:
    """Put the brand's package into a larger one that the mall sells for points and money."""
    plus = catalogue.create_package(
        code=f"{inner.code}-plus",
        name=_t("The large set", "豪华礼遇组合", "豪華禮遇組合"),
        summary=_t(
            "The set, and two more gifts", "礼包之外，再加两份好礼", "禮包之外，再加兩份好禮"
        ),
        icon="packages",
        items=[(gift, 2)],
        parts=[(inner, 1)],
        by=manager,
        at=at + timedelta(days=3),
    )
    mall.create_item(
        code=plus.code,
        kind="package",
        name=dict(plus.name),
        summary=dict(plus.summary),
        icon="packages",
        points=1_500,
        cash_minor=9_900,
        stock=20,
        package=plus,
        per_member_limit=1,
        on_sale=True,
        by=manager,
        at=at + timedelta(days=4),
    )
    return plus


def _drafts(
    spec: BrandSpec,
    made: Programme,
    plus: Package,
    gift: Benefit,
    manager: Actor,
    at: datetime,
) -> None:
    """One rule waits as a draft; another was published, bettered, and rests."""
    line = made.lines.get("gifts") or made.lines["service"]
    rules.create_rule(
        code="large-set-draft",
        name=localized(plus.name, spec.locale),
        package=plus,
        cadence="yearly",
        condition={"all": [{"field": "orders_365d", "op": ">=", "value": 4}]},
        hold_out_bp=1_000,
        cap_units_total=600,
        budget_line=line,
        by=manager,
        at=at + timedelta(days=12),
    )
    resting = rules.create_rule(
        code="autumn-thanks",
        name=_THANKS[spec.locale],
        benefit=gift,
        cadence="once",
        condition={"field": "orders_365d", "op": ">=", "value": 6},
        hold_out_bp=1_000,
        cap_per_member=1,
        exclusivity_group="thanks",
        budget_line=line,
        by=manager,
        at=at + timedelta(days=7),
    )
    for step, quantity in enumerate((1, 2)):
        day = at + timedelta(days=8 + 2 * step)
        rules.update_rule(
            rule=resting, quantity=quantity, cap_per_member=quantity, by=manager, at=day
        )
        rules.publish_rule(rule=resting, by=manager, at=day)
        rules.pause_rule(
            rule=resting, by=manager, at=day + timedelta(hours=1), reason=_WAIT[spec.locale]
        )
