"""What a demo brand gives points for besides purchases, and its campaigns around today."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from config.demo.programme import Programme
from config.demo.specs import BrandSpec
from members.earning.campaign_operations import activate_campaign, create_campaign
from members.earning.operations import credit_birthdays
from members.earning.rule_operations import activate_rule, create_rule

_ALL = 2**40


@dataclass(frozen=True, slots=True)
class _Words:
    birthday: str
    visit: str
    survey: str
    weekend: str
    web: str
    opening: str
    coming: str


_WORDS = {
    "zh-hans": _Words("生日礼分", "到店签到", "问卷感谢", "季末双倍积分", "线上 1.5 倍", "门店到店礼", "会员周三倍积分"),
    "zh-hant": _Words("生日禮分", "到店簽到", "問卷感謝", "季末雙倍積分", "線上 1.5 倍", "門店到店禮", "會員週三倍積分"),
    "en": _Words(
        "Birthday points",
        "Checking in",
        "Thanks for your answers",
        "Double points weeks",
        "Half as much again online",
        "Store visit bonus",
        "Triple points week",
    ),
}  # fmt: skip


def open_earning(spec: BrandSpec, made: Programme, *, today: date, at: datetime) -> None:
    """Start rules on occasions, and campaigns: one over, two running, one still a draft."""
    manager = made.actor("manager")
    words = _WORDS.get(spec.locale, _WORDS["en"])
    scale = max(spec.points_per_unit * 10_000 // spec.unit_minor // 100, 1)
    zone = ZoneInfo(spec.timezone)

    def moment(days: int) -> datetime:
        return datetime.combine(today + timedelta(days=days), time(), tzinfo=zone)

    rules = (
        {"name": words.birthday, "trigger": "birthday", "points": 100 * scale},
        {
            "name": words.visit,
            "trigger": "event",
            "event_name": "check_in",
            "points": 5 * scale,
            "cap_per_day": 5 * scale,
            "cap_per_month": 50 * scale,
        },
        {"name": words.survey, "trigger": "survey", "points": 20 * scale},
    )
    for fields in rules:
        rule = create_rule(effect="fixed", wallets="points", by=manager, at=at, **fields)  # type: ignore[arg-type]
        activate_rule(rule_id=rule.pk, by=manager, at=at)
    store = spec.stores[0][0]
    campaigns = (
        (words.weekend, {"multiplier_bp": 20_000}, -75, -60, True),
        (words.web, {"multiplier_bp": 15_000, "channels": ["online"]}, -40, 20, True),
        (
            words.opening,
            {"effect": "bonus", "points": 50 * scale, "stores": [store]},
            -30,
            9,
            True,
        ),
        (words.coming, {"multiplier_bp": 30_000}, 24, 31, False),
    )
    for name, facts, first, last, is_active in campaigns:
        campaign = create_campaign(
            name=name,
            starts_at=moment(first),
            ends_at=moment(last),
            by=manager,
            at=at,
            **{"effect": "multiplier", **facts},  # type: ignore[arg-type]
        )
        if is_active and campaign.ends_at > at:
            activate_campaign(campaign_id=campaign.pk, by=manager, at=at)


def keep_birthdays(*, start: date, end: date, at: datetime) -> None:
    """Credit the birthdays of the days in [start, end)."""
    for days in range((end - start).days):
        credit_birthdays(low=0, high=_ALL, on=start + timedelta(days=days), at=at)
