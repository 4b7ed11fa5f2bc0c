"""Programmes made by chance, written as rows, and their facts counted by pandas alone."""

import random
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd

from benefits.catalogue.models import Benefit
from benefits.grants.models import Grant, Redemption
from benefits.grants.terms import freeze
from core import ids
from members.activity.models import MemberDay, Purchase, PurchaseLine, Refund, RefundLine
from members.profiles.models import Member

ZONE = ZoneInfo("Asia/Shanghai")
START = datetime(2025, 10, 1, tzinfo=UTC)
DAYS = 160
CATEGORIES = ("skin", "hair", "tea")
DIMENSIONS = ("region", "store", "associate", "channel")


@dataclass
class Programme:
    """The rows of a programme as frames, beside the same rows in the database."""

    benefits: list[Benefit]
    members: pd.DataFrame
    purchases: pd.DataFrame
    lines: pd.DataFrame
    grants: pd.DataFrame
    redemptions: pd.DataFrame


def make(seed: int, *, members: int = 40) -> Programme:
    """Write a programme: two benefits, members, purchases, refunds, grants, uses, answers."""
    chance = random.Random(seed)

    def moment() -> datetime:
        return START + timedelta(minutes=chance.randrange(DAYS * 1440))

    benefits = [
        Benefit.objects.create(
            code=f"b{seed}-{n}", kind="gift", name={"en": "Gift"}, channel="staff", stage="core",
            linked_categories=["skin", "tea"][: n + 1], created_at=START,
        )
        for n in range(2)
    ]  # fmt: skip
    terms = freeze(benefits=benefits, at=START)
    people = Member.objects.bulk_create(
        Member(
            external_id=f"p{seed}-{n}", enrolled_at=moment(), region=chance.choice(["n", "s", ""]),
            store_code=chance.choice(["s1", ""]),
        )
        for n in range(members)
    )  # fmt: skip
    purchases, lines = _purchases(chance, seed, people, moment)
    grants: list[Grant] = []
    for number in range(members * 4):
        which = chance.randrange(2)
        issued = moment()
        quantity = chance.randint(1, 3)
        grants.append(
            Grant(
                member=chance.choice(people), benefit=benefits[which], terms=terms[benefits[which].pk],
                period_key=f"x{number}", quantity=quantity, issued_at=issued, starts_at=issued,
                ends_at=chance.choice([None, issued + timedelta(days=chance.randint(5, 60))]),
                revoked_at=chance.choice(
                    [None, None, issued + timedelta(days=chance.randint(1, 50))]
                ),
                reason={},
            )
        )  # fmt: skip
    Grant.objects.bulk_create(grants)
    redemptions = _redemptions(chance, grants)
    Grant.objects.bulk_update(grants, ["used"])
    return Programme(
        benefits,
        pd.DataFrame(
            [{"member": m.pk, "enrolled": m.enrolled_at, "region": m.region,
              "home": m.store_code} for m in people]
        ),
        purchases,
        lines,
        pd.DataFrame(
            [{"id": g.pk, "benefit": g.benefit_id, "member": g.member_id, "quantity": g.quantity,
              "used": g.used, "issued": g.issued_at, "ends": g.ends_at, "revoked": g.revoked_at}
             for g in grants]
        ),
        pd.DataFrame(
            [{"benefit": r.benefit_id, "member": r.member_id, "grant": r.grant_id,
              "state": r.state, "requested": r.requested_at, "fulfilled": r.fulfilled_at,
              "unit": r.unit_cost_minor, "rating": r.rating, "nps": r.nps, "rated": r.rated_at}
             for r in redemptions]
        ),
    )  # fmt: skip


def _purchases(
    chance: random.Random, seed: int, people: list[Member], moment: Any
) -> tuple[pd.DataFrame, pd.DataFrame]:
    rows, lines = [], []
    days: dict[tuple[int, date], list[int]] = {}
    for number in range(len(people) * 5):
        when = moment()
        parts = [(chance.choice(CATEGORIES), chance.randint(-200, 5_000)) for _ in range(2)]
        amount = max(sum(amount for _c, amount in parts), 0)
        purchase = Purchase.objects.create(
            external_id=f"o{seed}-{number}", member=chance.choice(people), occurred_at=when,
            local_date=when.astimezone(ZONE).date(), amount_minor=amount, currency="CNY",
            channel=chance.choice(["shop", "web"]), store_code=chance.choice(["s1", "s2"]),
            associate=chance.choice(["Ann", "Bo", ""]), digest=b"",
        )  # fmt: skip
        made = PurchaseLine.objects.bulk_create(
            PurchaseLine(purchase=purchase, position=n, sku="x", category=category, quantity=1,
                         amount_minor=part)
            for n, (category, part) in enumerate(parts, 1)
        )  # fmt: skip
        back = 0
        if chance.random() < 0.3 and parts[0][1] > 0 and amount >= parts[0][1]:
            back = chance.choice([parts[0][1], parts[0][1] // 2])
            refund = Refund.objects.create(
                purchase=purchase, external_id="r", amount_minor=max(back, 1), at=when
            )
            back = refund.amount_minor
            RefundLine.objects.create(
                refund=refund, position=1, quantity=1, amount_minor=refund.amount_minor
            )
            purchase.refunded_minor = back
            purchase.save()
        day = days.setdefault((purchase.member_id, purchase.local_date), [0, 0, 0])
        day[0] += amount == 0 or back < amount
        day[1] += amount
        day[2] += back
        rows.append(
            {"member": purchase.member_id, "id": purchase.pk, "at": when,
             "day": purchase.local_date, "net": amount - back,
             "order": amount == 0 or back < amount, "store": purchase.store_code,
             "associate": purchase.associate, "channel": purchase.channel}
        )  # fmt: skip
        lines += [
            {"member": purchase.member_id, "day": purchase.local_date, "category": line.category,
             "net": line.amount_minor - (back if line.position == 1 else 0)}
            for line in made
        ]  # fmt: skip
    MemberDay.objects.bulk_create(
        MemberDay(member_id=member, on_date=day, orders=o, spend_minor=s, refunded_minor=r)
        for (member, day), (o, s, r) in days.items()
    )
    return pd.DataFrame(rows), pd.DataFrame(lines)


def _redemptions(chance: random.Random, grants: list[Grant]) -> list[Redemption]:
    rows = []
    for grant in grants:
        for _unit in range(chance.choice([0, 0, 1, grant.quantity])):
            state = chance.choice(["requested", "fulfilled", "fulfilled", "cancelled", "reversed"])
            requested = grant.issued_at + timedelta(days=chance.randint(0, 40))
            done = state in {"fulfilled", "reversed"}
            fulfilled = requested + timedelta(days=chance.randint(0, 20)) if done else None
            rated = fulfilled if done and chance.random() < 0.7 else None
            unit = chance.randint(0, 900) if done else None
            rows.append(
                Redemption(
                    key=ids.uuid7(), grant=grant, member_id=grant.member_id,
                    benefit_id=grant.benefit_id, channel="staff", state=state,
                    requested_by="test", requested_at=requested, fulfilled_at=fulfilled,
                    unit_cost_minor=unit, partner_price_minor=0 if done else None,
                    points_cost_minor=0 if done else None, cost_minor=unit,
                    rating=chance.randint(1, 5) if rated else None,
                    nps=chance.randint(0, 10) if rated else None, rated_at=rated,
                )
            )  # fmt: skip
            if state != "cancelled":
                grant.used += 1
    return Redemption.objects.bulk_create(rows)


def count(programme: Programme, first: date) -> dict[tuple[int, str, str], dict[str, int]]:
    """Return the facts of a month by (benefit, dimension, value); dimension `all` is the total."""
    after = (pd.Timestamp(first) + pd.offsets.MonthBegin(1)).date()
    starts = pd.Timestamp(first, tz=ZONE)
    ends = pd.Timestamp(after, tz=ZONE)
    who = _who(programme, ends)
    found: dict[tuple[int, str, str], dict[str, int]] = {}
    recent = programme.purchases[
        (programme.purchases.day >= after - timedelta(days=90)) & (programme.purchases.day < after)
    ]
    orders = recent[recent.order].groupby("member").size()
    for benefit in programme.benefits:
        g = programme.grants[programme.grants.benefit == benefit.pk]
        r = programme.redemptions[programme.redemptions.benefit == benefit.pk]
        late_use = set(r[r.requested >= starts].grant)
        active = g[
            (g.issued < ends)
            & (g.ends.isna() | (g.ends > starts))
            & (g.revoked.isna() | (g.revoked > starts))
            & ((g.used < g.quantity) | (g.issued >= starts) | g.id.isin(late_use))
        ]
        use = r[(r.requested >= starts) & (r.requested < ends) & (r.state != "cancelled")]
        done = r[(r.fulfilled >= starts) & (r.fulfilled < ends)]
        heard = r[(r.rated >= ends - pd.Timedelta(days=90)) & (r.rated < ends)]
        issued = g[(g.issued >= starts) & (g.issued < ends)]
        sold = programme.lines[
            programme.lines.category.isin(benefit.linked_categories)
            & (programme.lines.day >= first)
            & (programme.lines.day < after)
        ]
        groups = [("all", who.assign(all="").set_index("member")["all"])]
        groups += [(name, who.set_index("member")[name]) for name in DIMENSIONS]
        for dimension, place in groups:
            for value in sorted(set(place)):
                inside = set(place[place == value].index)

                def of(frame: pd.DataFrame, inside: set[int] = inside) -> pd.DataFrame:
                    return frame[frame.member.isin(inside)]

                users = set(of(use).member)
                rated = of(heard)[of(heard).rated >= starts]
                facts = {
                    "target_members": len(set(of(active).member)),
                    "users": len(users),
                    "units_issued": int(of(issued).quantity.sum()),
                    "units_used": int(of(issued).used.sum()),
                    "units_fulfilled": len(of(done)),
                    "unit_cost_minor": int(of(done).unit.sum()),
                    "ratings": len(rated),
                    "rating_sum": int(rated.rating.sum()),
                    "nps_answers": len(of(heard)),
                    "nps_promoters": int((of(heard).nps >= 9).sum()),
                    "nps_detractors": int((of(heard).nps <= 6).sum()),
                    "user_buyers": sum(orders.get(m, 0) >= 1 for m in users),
                    "user_repeaters": sum(orders.get(m, 0) >= 2 for m in users),
                    "category_revenue_minor": int(of(sold).net.sum()),
                    "user_category_revenue_minor": int(of(sold[sold.member.isin(users)]).net.sum()),
                }
                if dimension == "all" or any(facts.values()):
                    found[benefit.pk, dimension, value] = facts
    return found


def _who(programme: Programme, ends: pd.Timestamp) -> pd.DataFrame:
    before = programme.purchases[programme.purchases["at"] < ends].sort_values(["at", "id"])
    last = before.groupby("member").last()[["store", "associate", "channel"]]
    who = programme.members.merge(last, how="left", left_on="member", right_index=True)
    who["store"] = who.store.fillna(who.home)
    return who.fillna({"associate": "", "channel": ""})
