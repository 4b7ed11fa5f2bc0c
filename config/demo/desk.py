"""What lies on the desk of a demo brand: corrections, a merge, files with mistakes, points passed on."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from config.demo.programme import Programme
from config.demo.specs import BrandSpec
from core.actors import SYSTEM, Actor
from core.errors import DomainError
from core.ids import derived_uuid
from members.imports import operations as imports
from members.merging.operations import FIND, merge_members, undo_merge
from members.points import operations as points
from members.profiles.models import Member
from members.profiles.operations import enrol
from members.profiles.point_transfers import transfer_points
from tenants.jobs.operations import enqueue, run_pending

_WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "late": "Parcel arrived two weeks late",
        "campaign": "Points of the spring campaign were missed",
        "twice": "Credited twice by the till",
        "why": "Asked for more than the complaint is worth",
        "same": "Same phone and birthday, confirmed by telephone",
        "two": "Mother and daughter share one telephone",
        "wallet": "Stamps",
    },
    "zh-hans": {
        "late": "包裹晚到两周",
        "campaign": "春季活动积分漏发",
        "twice": "收银台重复入账",
        "why": "超出投诉应有的补偿",
        "same": "手机号与生日一致，已电话确认",
        "two": "母女共用一个手机号",
        "wallet": "集章",
    },
    "zh-hant": {
        "late": "包裹晚到兩週",
        "campaign": "春季活動積分漏發",
        "twice": "收銀台重複入帳",
        "why": "超出投訴應有的補償",
        "same": "手機號碼與生日一致，已電話確認",
        "two": "母女共用一個手機號碼",
        "wallet": "集章",
    },
}
_TRANSFERS = 6
_STAMPS = 40


def set_policies(spec: BrandSpec, made: Programme, *, at: datetime) -> None:
    """Put points policies in force: caps, spending in steps, passing on, four eyes."""
    manager = made.actor("manager")
    points.change_wallet(
        wallet="points",
        by=manager,
        at=at,
        balance_cap=500_000,
        earn_cap_day=20_000,
        spend_min=100,
        spend_step=10,
        adjust_limit=1_000,
        transfers_on=True,
        transfer_min=50,
        transfer_day_points=2_000,
        transfer_day_count=3,
        expiring_notice_days=30,
    )
    points.create_wallet(
        code="stamps",
        name=_WORDS[spec.locale]["wallet"],
        by=manager,
        at=at,
        expiry_policy="inactivity",
        expiry_months=6,
    )


def fill(spec: BrandSpec, made: Programme, members: Sequence[Member], *, now: datetime) -> None:
    """Leave a week's work: done, refused, undone and waiting for somebody else."""
    words = _WORDS[spec.locale]
    active = list(
        Member.objects.filter(
            pk__in=[member.pk for member in members], status=Member.Status.ACTIVE
        ).order_by("pk")
    )
    _stamp(spec, active, now=now)
    _adjust(spec, made, active[5:], words, now=now)
    _pass_on(spec, active[20:], now=now)
    _merge(spec, made, active[12], words, now=now)
    _send_files(spec, made, active, now=now)
    run_pending(at=now)


def _stamp(spec: BrandSpec, members: Sequence[Member], *, now: datetime) -> None:
    for number, member in enumerate(members[:_STAMPS]):
        for visit in range(1 + number % 4):
            points.earn(
                owner_id=member.pk,
                wallet="stamps",
                amount=1,
                key=_key(spec, "stamp", number, visit),
                at=now - timedelta(days=40 - 9 * visit, hours=number % 7),
                source=points.Source("activity", 1),
            )


def _adjust(
    spec: BrandSpec,
    made: Programme,
    members: Sequence[Member],
    words: Mapping[str, str],
    *,
    now: datetime,
) -> None:
    support, manager, owner = (made.actor(role) for role in ("support", "manager", "owner"))

    def ask(number: int, amount: int, reason: str, days: float) -> points.Adjustment:
        return points.ask_adjustment(
            owner_id=members[number].pk,
            amount=amount,
            reason=words[reason],
            key=_key(spec, "adjust", number, amount),
            by=support,
            at=now - timedelta(days=days),
        )

    ask(0, 200, "late", 6)
    granted, refused = ask(1, 3_000, "campaign", 5).request, ask(2, 8_000, "late", 4).request
    if granted is not None:
        points.approve_adjustment(
            request_id=granted.pk, by=manager, at=now - timedelta(days=4, hours=20)
        )
    if refused is not None:
        points.refuse_adjustment(
            request_id=refused.pk, note=words["why"], by=owner, at=now - timedelta(days=3)
        )
    ask(3, 1_500, "campaign", 0.9)
    ask(4, -1_200, "twice", 0.2)


def _pass_on(spec: BrandSpec, members: Sequence[Member], *, now: datetime) -> None:
    made = 0
    for number, (sender, receiver) in enumerate(zip(members[::2], members[1::2], strict=False)):
        if made == _TRANSFERS:
            break
        try:
            transfer_points(
                sender=sender,
                receiver_number=str(receiver.number),
                amount=50 + 10 * (number % 5),
                key=_key(spec, "transfer", number),
                by=Actor(kind="member", id=sender.pk, label=str(sender.number)),
                at=now - timedelta(days=1 + number % 9, hours=number % 5),
            )
        except DomainError:  # too few points
            continue
        made += 1


def _merge(
    spec: BrandSpec, made: Programme, stays: Member, words: Mapping[str, str], *, now: datetime
) -> None:
    """Merge a second card into a first, another one by mistake, and leave a pair to look at."""
    support = made.actor("support")
    personal = stays.personal

    def second(number: int, **changes: Any) -> Member:
        facts = {"name": personal.name, "birthday": personal.birthday, **changes}
        return enrol(
            external_id=f"{spec.slug}-card-{number}",
            at=now - timedelta(days=60 - number),
            by=SYSTEM,
            region=stays.region,
            **facts,
        )

    for number, is_one, reason in ((1, True, "same"), (2, False, "same")):
        card = second(number)
        points.earn(
            owner_id=card.pk,
            amount=180 * number,
            key=_key(spec, "card", number),
            at=now - timedelta(days=20),
            source=points.Source("activity", 1),
        )
        merged = merge_members(
            survivor=stays, merged=card, reason=words[reason], by=support,
            at=now - timedelta(days=9 - number),
        )  # fmt: skip
        if not is_one:
            undo_merge(
                merge_id=merged.pk, reason=words["two"], by=support, at=now - timedelta(days=5)
            )
    second(3)
    enqueue(kind=FIND, dedupe_key=f"{spec.slug}-desk", by=SYSTEM, at=now)


def _send_files(
    spec: BrandSpec, made: Programme, members: Sequence[Member], *, now: datetime
) -> None:
    """Send a file of members and one of purchases that have mistakes, and one without."""
    manager = made.actor("manager")
    day = (now - timedelta(days=2)).date()
    wrong_members = [
        "external_id,name,email,region,birthday",
        *(f"{spec.slug}-new-{n},{_name(members[n])},new{n}@example.org,,1990-05-{n + 1:02d}"
          for n in range(20)),
        f"{spec.slug}-new-20,{_name(members[0])},not an address,,1988-02-30",
        f"{spec.slug}-new-3,{_name(members[1])},again@example.org,,",
    ]  # fmt: skip
    wrong_purchases = [
        "external_id,member,occurred_at,amount",
        *(f"{spec.slug}-file-{n},{members[n].external_id},{day}T1{n % 9}:05:00,{20 + n}.00"
          for n in range(30)),
        f"{spec.slug}-file-30,nobody-of-ours,{day}T10:00:00,18.00",
        f"{spec.slug}-file-31,{members[1].external_id},2099-01-01T10:00:00,18.00",
        f"{spec.slug}-file-32,{members[2].external_id},{day}T10:00:00,eighteen",
    ]  # fmt: skip
    right_purchases = [
        "external_id,member,occurred_at,amount",
        *(f"{spec.slug}-shop-{n},{members[n].external_id},{day}T1{n % 9}:35:00,{30 + n}.00"
          for n in range(12)),
    ]  # fmt: skip
    for hours, kind, name, lines in (
        (30, "purchases", "shop-week.csv", right_purchases),
        (5, "purchases", "market-stall.csv", wrong_purchases),
        (2, "members", "spring-fair.csv", wrong_members),
    ):
        at = now - timedelta(hours=hours)
        item = imports.upload(
            kind=kind, file_name=name, chunks=["\n".join(lines).encode()], by=manager, at=at
        )
        columns = lines[0].split(",")
        imports.check(
            import_id=item.pk, names={column: column for column in columns}, by=manager, at=at
        )
        run_pending(at=at)
        if lines is right_purchases:
            imports.apply(import_id=item.pk, by=manager, at=at + timedelta(minutes=3))
            run_pending(at=at + timedelta(minutes=3))


def _name(member: Member) -> str:
    return str(member.personal.name)


def _key(spec: BrandSpec, *parts: str | int) -> uuid.UUID:
    return derived_uuid("demo-desk", spec.slug, *parts)
