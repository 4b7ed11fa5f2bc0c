"""What the demo brands sell and set by hand: plans, payments, an override, a draft of the tiers."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from config.demo.programme import Programme
from config.demo.specs import BrandSpec
from core import clock
from members.profiles.models import Member
from members.tiers import operations as tiers
from members.tiers.operations import create_plan, record_payment, refund_term, set_override
from members.tiers.values import TierDraft

# A year of the second highest tier costs this share of what its threshold stands for.
_YEAR = "club"
_MONTH = "trial"
_NAMES: Mapping[str, dict[str, str]] = {
    _YEAR: {"en": "Club, a year", "zh-hans": "尊享年卡", "zh-hant": "尊享年卡"},
    _MONTH: {"en": "Taster month", "zh-hans": "体验月卡", "zh-hant": "體驗月卡"},
}
_PRICES = {"CNY": (39_900, 4_900), "USD": (5_900, 700), "TWD": (199_900, 19_900)}
_EACH_MONTH = 5


def offer(spec: BrandSpec, made: Programme, *, at: datetime) -> None:
    """Put two plans on sale: a year that is renewed, and a month that is not."""
    year, month = _PRICES.get(spec.currency, (19_900, 2_900))
    best = spec.tiers[-2 if len(spec.tiers) > 2 else -1].code
    for code, price, months in ((_YEAR, year, 12), (_MONTH, month, 1)):
        create_plan(
            code=code,
            name=dict(_NAMES[code]),
            tier_code=best if code == _YEAR else spec.tiers[1].code,
            price_minor=price,
            period_months=months,
            renews=code == _YEAR,
            grace_days=7 if code == _YEAR else 0,
            by=made.actor("owner"),
            at=at,
        )


def sell(made: Programme, members: Sequence[Member], *, month: int, at: datetime) -> None:
    """Let some members buy in a month; one of them is given the money back."""
    begin = 7 + month * 11
    for number, member in enumerate(members[begin : begin + _EACH_MONTH]):
        bought = record_payment(
            member=member,
            plan=_MONTH if number % 2 else _YEAR,
            reference=f"PAY-{month + 1}-{number + 1:03d}",
            by=made.actor("support"),
            at=at,
        )
        if number == 0 and month == 1:
            refund_term(
                term_id=bought.term.pk,
                reference=f"REF-{month + 1}-001",
                reason="",
                by=made.actor("support"),
                at=at + timedelta(minutes=5),
            )


def settle(spec: BrandSpec, *, at: datetime) -> None:
    """Do what the night does about what was bought or set by hand."""
    on = clock.local_date(at, spec.timezone)
    for part in tiers.list_due(on=on):
        tiers.settle_members(member_ids=part, on=on, at=at)


def set_by_hand(spec: BrandSpec, made: Programme, member: Member, *, at: datetime) -> None:
    """Keep one member at a tier for two months."""
    reason = {"zh-hans": "投诉补偿", "zh-hant": "投訴補償"}.get(
        spec.locale, "Made good a complaint"
    )
    set_override(
        member=member,
        tier=spec.tiers[-1].code,
        mode="at_least",
        until=clock.local_date(at, spec.timezone) + timedelta(days=60),
        reason=reason,
        by=made.actor("manager"),
        at=at,
    )


def draft(spec: BrandSpec, made: Programme, *, at: datetime) -> None:
    """Leave a draft of the next version: thresholds a fifth lower, a step earlier to the top."""
    tiers.create_scheme(
        metric="growth",
        window="rolling",
        window_months=12,
        tiers=[
            TierDraft(
                code=tier.code,
                name=dict(tier.name),
                entry_threshold=tier.entry * 4 // 5,
                keep_threshold=tier.keep * 4 // 5,
                colour=tier.colour,
                multiplier_bp=tier.multiplier_bp,
                grace_days=0 if tier.entry == 0 else 30,
            )
            for tier in spec.tiers
        ],
        by=made.actor("manager"),
        at=at,
    )
