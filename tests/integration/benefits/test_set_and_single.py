"""Issuing for a whole audience grants exactly what deciding member by member does.

Generated rules and members; 80 × 80 in the suite, `TESSERA_WHOLE=1` makes it 1,000 × 1,000.
"""

import os
import random
from collections import defaultdict
from datetime import date, datetime, timedelta
from typing import Any

from django.db import connection

from benefits.catalogue.models import Benefit
from benefits.catalogue.operations import create_package
from benefits.grants.issuing import issue
from benefits.grants.models import Grant, GrantRevocation, HoldOut
from benefits.rules.caps import Used
from benefits.rules.decision import Candidate, Rival, blocks, decide
from benefits.rules.models import GrantRule
from benefits.rules.periods import period_on
from benefits.rules.queries import period_condition
from members.activity.models import MemberDay
from members.points.models import Account
from members.profiles.models import Member, MemberPersonal
from members.segments import conditions
from members.segments.queries import list_facts
from tests.integration.benefits.world import STAFF, World

SIZE = 1_000 if os.environ.get("TESSERA_WHOLE") else 80
COST = 700
FIELDS = (
    "region",
    "tags",
    "days_since_joining",
    "spend_30d",
    "orders_365d",
    "days_since_last_purchase",
    "birthday_month",
    "points_balance",
    "store",
    "gender",
)
REGIONS = ["north", "south", "east", "west/a", ""]
TAGS = ["vip", "press", "staff", "new"]


def make_members(rng: random.Random, at: datetime) -> None:
    """Make members of all sorts, some blocked, with purchases, points and birthdays."""
    members = Member.objects.bulk_create(
        Member(
            external_id=f"g-{number}",
            status="blocked" if rng.random() < 0.05 else "active",
            enrolled_at=at - timedelta(days=rng.randrange(0, 900)),
            region=rng.choice(REGIONS),
            store_code=rng.choice(["", "s1", "s2"]),
            locale="",
            tags=rng.sample(TAGS, rng.randrange(0, 3)),
            attributes={},
        )
        for number in range(SIZE)
    )
    MemberPersonal.objects.bulk_create(
        MemberPersonal(
            member=member,
            gender=rng.choice(["", "female", "male"]),
            birthday=None if rng.random() < 0.3 else date(1990, rng.randrange(1, 13), 3),
        )
        for member in members
    )
    Account.objects.bulk_create(
        Account(wallet_id=1, owner_id=member.pk, balance=rng.choice([0, 10, 500]), opened_at=at)
        for member in members
    )
    MemberDay.objects.bulk_create(
        MemberDay(
            member=member,
            on_date=at.date() - timedelta(days=ago),
            orders=rng.randrange(1, 4),
            spend_minor=rng.randrange(0, 90_000),
            refunded_minor=0,
        )
        for member in members
        for ago in {rng.randrange(0, 400) for _one in range(rng.randrange(0, 4))}
    )


def comparison(rng: random.Random) -> dict[str, Any]:
    """Return a comparison that some members pass and others do not."""
    name = rng.choice(FIELDS)
    number = {
        "days_since_joining": 450,
        "spend_30d": 20_000,
        "orders_365d": 2,
        "days_since_last_purchase": 120,
        "points_balance": 10,
    }
    if name in number:
        value = rng.randrange(0, 2 * number[name])
        op = rng.choice(["=", "!=", "<", "<=", ">", ">=", "between", "not_in"])
        if op == "between":
            return {"field": name, "op": op, "value": sorted([value, number[name]])}
        return {"field": name, "op": op, "value": [value] if op == "not_in" else value}
    if name == "tags":
        op = rng.choice(["contains", "contains_any", "contains_all", "is_set"])
        value = rng.sample(TAGS, 2)
        given: Any = value[0] if op == "contains" else op != "x" if op == "is_set" else value
        return {"field": name, "op": op, "value": given}
    if name == "birthday_month":
        return {"field": name, "op": rng.choice(["=", "!=", "<="]), "value": rng.randrange(1, 13)}
    choices = {"region": REGIONS[:-1], "store": ["s1", "s2"], "gender": ["female", "male"]}[name]
    op = rng.choice(["=", "!=", "in", "not_in", "is_set"])
    text = rng.choice(choices)
    if op == "is_set":
        return {"field": name, "op": op, "value": rng.random() < 0.5}
    return {"field": name, "op": op, "value": [text] if op in {"in", "not_in"} else text}


def tree(rng: random.Random, depth: int = 0) -> dict[str, Any]:
    """Return a condition of up to three levels."""
    kind = rng.random()
    if depth == 3 or kind < 0.4:
        return comparison(rng)
    if kind < 0.55:
        return {"not": tree(rng, depth + 1)}
    word = "all" if kind < 0.75 else "any"
    return {word: [tree(rng, depth + 1) for _one in range(rng.randrange(2, 4))]}


def make_rules(rng: random.Random, benefits: list[Any], at: datetime) -> list[GrantRule]:
    """Make published rules with every sort of cap, group and hold-out."""

    def maybe(value: int, share: float = 0.15) -> int | None:
        return rng.randrange(0, value) if rng.random() < share else None

    rules = []
    for number in range(SIZE):
        condition = {} if rng.random() < 0.05 else tree(rng)
        gives = rng.choice(benefits)
        what = {"benefit": gives} if isinstance(gives, Benefit) else {"package": gives}
        rules.append(
            GrantRule(
                code=f"rule-{number}",
                name="Generated",
                condition=conditions.to_tree(conditions.parse(condition)),
                cadence=rng.choice(["monthly", "monthly", "weekly", "once", "birthday_month"]),
                quantity=rng.randrange(1, 4),
                cap_per_member=maybe(12),
                cap_minor_per_member=maybe(12 * COST),
                cap_units_per_day=maybe(SIZE),
                cap_minor_per_day=maybe(SIZE * COST),
                cap_units_per_period=maybe(SIZE),
                cap_minor_per_period=maybe(SIZE * COST),
                cap_units_total=maybe(SIZE),
                cap_minor_total=maybe(SIZE * COST),
                hold_out_bp=rng.choice([0, 0, 0, 1_000, 5_000]),
                exclusivity_group=rng.choice(["", "", "a", "b"]),
                on_lost=rng.choice(["keep", "revoke"]),
                priority=rng.randrange(0, 9),
                status="published",
                version=1,
                created_at=at,
                **what,
            )
        )
    made = GrantRule.objects.bulk_create(rules)
    # In any order: a better rule may come after a worse one has granted.
    rng.shuffle(made)
    return made


def draw_order(rule: GrantRule, keys: list[int]) -> list[int]:
    """Return members in the order in which a short cap is drawn."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM unnest(%s::bigint[]) AS id ORDER BY hashint8extended(id, %s), id",
            [keys, rule.pk],
        )
        return [row[0] for row in cursor.fetchall()]


def test_sets_and_single_members_agree(world: World) -> None:
    rng = random.Random(20_260_315)
    at = world.at
    make_members(rng, at)
    one, two = (world.benefit(unit_cost_minor=COST) for _one in range(2))
    package = create_package(
        code="both", name={"en": "Both"}, items=[(one, 1), (two, 2)], by=STAFF, at=at
    )
    rules = make_rules(rng, [one, two, package], at)
    active = dict(Member.objects.values_list("pk", "status"))
    facts = list_facts(member_ids=list(active), fields=FIELDS, at=at)
    expected: set[tuple[int, int]] = set()
    held_out: set[tuple[int, int]] = set()
    live: dict[int, dict[str, GrantRule]] = defaultdict(dict)
    replaced = 0

    for rule in rules:
        condition = period_condition(rule=rule, at=at)
        units_each = rule.quantity * (1 if rule.benefit_id else 3)
        spent = Used()
        for key in draw_order(rule, list(active)):
            rivals = [
                Rival(rule_code=other.code, priority=other.priority, on_lost=other.on_lost)
                for other in live[key].values()
                if rule.exclusivity_group and other.exclusivity_group == rule.exclusivity_group
            ]
            decided = decide(
                rule,
                condition=condition,
                candidate=Candidate(
                    member_id=key,
                    is_active=active[key] == "active",
                    facts=facts[key],
                    rivals=rivals,
                ),
                used=dict.fromkeys(("total", "period", "day"), spent),
                units_each=units_each,
                cost_each=units_each * COST,
            )
            if decided.outcome == "hold_out":
                held_out.add((rule.pk, key))
            if decided.is_granted:
                expected.add((rule.pk, key))
                spent = Used(spent.units + units_each, spent.cost_minor + units_each * COST)
                for rival in rivals:
                    if not blocks(rival, rule=rule):
                        del live[key][rival.rule_code]
                        replaced += 1 if by_code(rules, rival.rule_code).benefit_id else 2
                live[key][rule.code] = rule
        period = period_on(cadence=rule.cadence, on=date(2026, 3, 15))
        issue(rule=rule, period=period, at=at)

    granted = set(Grant.objects.values_list("rule_id", "member_id"))
    assert granted == expected
    # A rule whose caps have run out looks at nobody, so it records nobody as left out either.
    recorded = set(HoldOut.objects.values_list("rule_id", "member_id"))
    assert recorded <= held_out
    busy = {rule_id for rule_id, _key in granted}
    assert {pair for pair in held_out if pair[0] in busy} == {
        pair for pair in recorded if pair[0] in busy
    }
    assert GrantRevocation.objects.filter(cause="replaced").count() == replaced
    assert len(granted) > SIZE
    assert replaced > 0


def by_code(rules: list[GrantRule], code: str) -> GrantRule:
    """Return the rule of a code."""
    return next(rule for rule in rules if rule.code == code)
