"""What the demo brands know of their members beside the name: attributes, tags, consents."""

import random
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from core.actors import SYSTEM, Actor
from members.profiles.attribute_operations import define_attribute
from members.profiles.consent_operations import set_consent
from members.profiles.erasure_operations import ask_erasure, erase_member
from members.profiles.errors import ErasureHeldUpError
from members.profiles.models import Member
from members.profiles.operations import block_member

Text = Mapping[str, str]


def _t(en: str, hans: str, hant: str) -> Text:
    return {"en": en, "zh-hans": hans, "zh-hant": hant}


def _choice(code: str, en: str, hans: str, hant: str) -> Mapping[str, Any]:
    return {"code": code, "label": _t(en, hans, hant)}


# By brand: code, type, name, choices, who sees it in the portal.
_ATTRIBUTES: Mapping[str, Sequence[tuple[str, str, Text, tuple[Mapping[str, Any], ...], str]]] = {
    "huazhi": (
        (
            "skin_type",
            "choice",
            _t("Skin type", "肤质", "膚質"),
            (
                _choice("dry", "Dry", "干性", "乾性"),
                _choice("oily", "Oily", "油性", "油性"),
                _choice("mixed", "Combination", "混合性", "混合性"),
                _choice("sensitive", "Sensitive", "敏感性", "敏感性"),
            ),
            "edited",
        ),
        (
            "last_skin_test",
            "date",
            _t("Last skin test", "上次肤质测试", "上次膚質測試"),
            (),
            "shown",
        ),
        ("allergies", "text", _t("Allergies", "过敏情况", "過敏情況"), (), "edited"),
        ("likes_calls", "boolean", _t("Calls welcome", "可电话联系", "可電話聯絡"), (), "hidden"),
    ),
    "chelok": (
        ("car_model", "text", _t("Car model", "车型", "車型"), (), "edited"),
        ("mileage_km", "number", _t("Mileage, km", "里程（公里）", "里程（公里）"), (), "shown"),
        ("inspection_on", "date", _t("Next inspection", "下次年检", "下次驗車"), (), "shown"),
        (
            "fuel",
            "choice",
            _t("Drive", "动力", "動力"),
            (
                _choice("petrol", "Petrol", "汽油", "汽油"),
                _choice("hybrid", "Hybrid", "混动", "混合動力"),
                _choice("electric", "Electric", "纯电", "純電"),
            ),
            "edited",
        ),
    ),
    "fathom": (
        (
            "plays",
            "choice",
            _t("Plays", "演奏乐器", "演奏樂器"),
            (
                _choice("guitar", "Guitar", "吉他", "吉他"),
                _choice("keys", "Keys", "键盘", "鍵盤"),
                _choice("drums", "Drums", "鼓", "鼓"),
                _choice("nothing", "Listens only", "只听不演奏", "只聽不演奏"),
            ),
            "edited",
        ),
        (
            "shelf_metres",
            "number",
            _t("Shelf, metres", "唱片架（米）", "唱片架（米）"),
            (),
            "hidden",
        ),
    ),
}
_TAGS = {
    "huazhi": ("茶艺沙龙", "老顾客", "敏感护理"),
    "chelok": ("車隊", "長途", "新車主"),
    "fathom": ("vinyl club", "collector", "live sessions"),
}
_MODELS = ("Toyota Sienta", "Tesla Model 3", "Honda Jazz", "BYD Atto 3", "Mazda 2")
_ALLERGIES = ("花生", "香精", "酒精", "无")


def define(slug: str, *, by: Actor = SYSTEM, at: datetime) -> None:
    """Define the brand's attributes."""
    for code, kind, label, choices, portal in _ATTRIBUTES.get(slug, ()):
        define_attribute(
            code=code, type=kind, label=label, choices=choices, portal=portal, by=by, at=at
        )


def details(slug: str, external_id: str, at: datetime) -> dict[str, Any]:
    """Return attributes, tags and consents of one member: the same every time."""
    rng = random.Random(f"{slug} {external_id} data")
    attributes = {
        code: _value(rng, code, kind, choices, at)
        for code, kind, _label, choices, _portal in _ATTRIBUTES.get(slug, ())
        if rng.random() < 0.6
    }
    return {
        "attributes": attributes,
        "tags": [tag for tag in _TAGS.get(slug, ()) if rng.random() < 0.12],
        "consents": {
            code: True
            for code, share in (("email", 0.7), ("sms", 0.45), ("profiling", 0.5))
            if rng.random() < share
        },
    }


def _value(
    rng: random.Random, code: str, kind: str, choices: Sequence[Mapping[str, Any]], at: datetime
) -> Any:
    match kind:
        case "choice":
            return rng.choice(choices)["code"]
        case "number":
            return rng.randrange(2, 90) * (1_000 if code == "mileage_km" else 1)
        case "date":
            return at.date() + timedelta(days=rng.randrange(-60, 120))
        case "boolean":
            return rng.random() < 0.5
        case _:
            return rng.choice(_MODELS if code == "car_model" else _ALLERGIES)


def live(slug: str, members: Sequence[Member], *, staff: Actor, now: datetime) -> None:
    """Let a few members withdraw, one be blocked, one ask to be erased and one be erased."""
    rng = random.Random(f"{slug} wishes")
    chosen = rng.sample(list(members), k=min(len(members), 40))
    for member in chosen[10:]:
        set_consent(
            member=member,
            purpose="email",
            is_given=False,
            by=Actor(kind="member", id=member.pk, label=str(member.number)),
            at=now - timedelta(days=rng.randrange(1, 90)),
        )
    block_member(
        member=chosen[0],
        reason="Returned 14 of 15 purchases worn",
        by=staff,
        at=now - timedelta(days=6),
    )
    for member in chosen[1:3]:
        own = Actor(kind="member", id=member.pk, label=str(member.number))
        ask_erasure(member=member, by=own, at=now - timedelta(days=rng.randrange(2, 9)))
    for member in chosen[3:10]:
        try:
            erase_member(
                member=member, confirm=str(member.number), by=staff, at=now - timedelta(days=3)
            )
        except ErasureHeldUpError:
            continue
        break
