"""Many occasions at once grant exactly what one after the other does."""

import random
from datetime import timedelta
from typing import Any

from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from benefits.catalogue.operations import create_package
from benefits.grants._together import Occasion, issue_for
from benefits.grants.issuing import issue
from benefits.grants.models import Grant, GrantRevocation, HoldOut, RulePeriod
from benefits.rules.models import GrantRule
from benefits.rules.periods import Period
from benefits.rules.queries import list_published_rules
from members.activity.operations import record_event
from members.profiles.models import Member
from tenants.events.models import Event
from tenants.events.operations import deliver_pending
from tests.integration.benefits.test_set_and_single import COST, make_members, make_rules
from tests.integration.benefits.world import STAFF, World

ON_EVENT = GrantRule.Cadence.ON_EVENT
NAMES = ("visit", "check_in")


def written() -> dict[str, Any]:
    """Return all that granting has written, without keys that depend on the order of writing."""
    events = Event.objects.filter(type__startswith="grant.").values_list("type", "subject", "data")
    return {
        "grants": sorted(
            Grant.objects.values_list(
                "rule_id", "period_key", "member_id", "benefit_id", "quantity", "rule_version",
                "package_id", "terms__digest", "issued_at", "starts_at", "ends_at", "revoked_at",
                "reason",
            ),
            key=repr,
        ),
        "left_out": sorted(HoldOut.objects.values_list("rule_id", "period_key", "member_id")),
        "counters": sorted(
            RulePeriod.objects.filter(units__gt=0).values_list(
                "rule_id", "scope", "period_key", "members", "units", "cost_minor"
            )
        ),
        "replaced": GrantRevocation.objects.filter(cause="replaced").count(),
        "told": sorted(
            repr((type_, subject, {**data, "first_grant": 0, "last_grant": 0}))
            for type_, subject, data in events
        ),
    }  # fmt: skip


def one_after_the_other(occasions: list[Occasion]) -> None:
    """Grant as the operation for one rule and member does."""
    rules = list_published_rules(cadences=[ON_EVENT])
    for occasion in occasions:
        for rule in rules:
            if rule.event_name == occasion.event_name and rule.is_within_dates(at=occasion.at):
                issue(
                    rule=rule,
                    period=Period(occasion.key, None, None),
                    at=occasion.at,
                    member_id=occasion.member_id,
                    cause=dict(occasion.cause),
                )


def make_occasions(rng: random.Random, world: World, count: int) -> list[Occasion]:
    """Make occasions of some members, some of them twice, over the end of a brand's day."""
    keys = rng.sample(sorted(Member.objects.values_list("pk", flat=True)), 30)
    start = world.at + timedelta(hours=11, minutes=50)
    return [
        Occasion(
            member_id=rng.choice(keys),
            key=f"event:{number}",
            cause={"code": "event", "name": name},
            at=start + timedelta(seconds=20 * number),
            event_name=name,
        )
        for number in range(count)
        for name in [rng.choice(NAMES)]
    ]


def test_together_is_one_after_the_other(world: World) -> None:
    rng = random.Random(4_711)
    at = world.at
    make_members(rng, at)
    one, two = (world.benefit(unit_cost_minor=COST) for _one in range(2))
    package = create_package(
        code="both", name={"en": "Both"}, items=[(one, 1), (two, 2)], by=STAFF, at=at
    )
    rules = make_rules(rng, [one, two, package], at)
    for rule in rules:
        rule.cadence = ON_EVENT
        rule.event_name = rng.choice(NAMES)
        rule.validity_days = rng.choice([None, 0, 30])
        rule.starts_at = rng.choice([None, None, at + timedelta(hours=12)])
    GrantRule.objects.bulk_update(rules, ["cadence", "event_name", "validity_days", "starts_at"])
    for name, priority in zip(NAMES, (9, 1), strict=True):
        group = {"exclusivity_group": "c", "on_lost": "revoke", "priority": priority}
        world.rule(
            one, code=f"group-{name}", cadence=ON_EVENT, event_name=name, validity_days=30, **group
        )
    occasions = make_occasions(rng, world, 60)

    with transaction.atomic():
        one_after_the_other(occasions)
        expected = written()
        transaction.set_rollback(True)
    with transaction.atomic():
        issue_for(occasions=occasions, cadence=ON_EVENT)
    found = written()

    for what in expected:
        assert found[what] == expected[what], what
    assert len(found["grants"]) > 500
    assert found["replaced"] > 0
    assert found["left_out"]
    assert len({row[2] for row in found["counters"] if row[1] == "day"}) == 2


def test_the_same_occasions_again_grant_nothing(world: World) -> None:
    world.rule(world.benefit(), cadence=ON_EVENT, event_name="visit")
    member = world.member()
    occasion = Occasion(
        member_id=member.pk, key="event:1", cause={}, at=world.at, event_name="visit"
    )

    granted = [
        issue_for(occasions=[occasion, occasion], cadence=ON_EVENT),
        issue_for(occasions=[occasion], cadence=ON_EVENT),
    ]

    assert granted == [1, 0]
    assert Grant.objects.count() == 1


def test_queries_do_not_grow_with_events_or_rules(world: World) -> None:
    members = [world.member() for _one in range(6)]
    benefit = world.benefit()

    def queries(rules: int, events: int) -> int:
        for _one in range(rules):
            world.rule(
                benefit,
                cadence=ON_EVENT,
                event_name="visit",
                condition={"field": "region", "op": "=", "value": "north"},
            )
        number = world.next()
        occasions = [
            Occasion(
                member_id=member.pk, key=f"event:{number}", cause={}, at=world.at,
                event_name="visit",
            )
            for member in members[:events]
        ]  # fmt: skip
        with CaptureQueriesContext(connection) as captured:
            issue_for(occasions=occasions, cadence=ON_EVENT)
        return len(captured)

    first = queries(1, 1)

    assert queries(4, 6) <= first
    assert Grant.objects.count() == 1 + 5 * 6


def test_an_event_that_can_not_be_granted_for_leaves_the_others(world: World) -> None:
    world.rule(world.benefit(), cadence=ON_EVENT, event_name="visit")
    members = [world.member() for _one in range(3)]
    deliver_pending(at=world.at)
    for member in members:
        record_event(member=member, name="visit", occurred_at=world.at, at=world.at)
    broken = Event.objects.filter(type="activity.recorded").order_by("id")[1]
    broken.subject = "member:0"
    broken.save()

    deliver_pending(at=world.at)

    granted = Grant.objects.order_by("member_id").values_list("member_id", flat=True)
    assert list(granted) == [members[0].pk, members[2].pk]
