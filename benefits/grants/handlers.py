"""What this room does when something has happened: rules that events set off, and channels.

Each handler runs in a transaction of its own, at most once in effect per event. Those that members
wait for take many events at once.
"""

from collections.abc import Sequence
from datetime import datetime

from benefits.grants._together import Occasion, issue_for
from benefits.grants.fulfilment import get_channel
from benefits.grants.issuing import issue
from benefits.grants.models import Redemption
from benefits.grants.periods import current_period
from benefits.grants.revoking import (
    revoke_lost_of_member,
    revoke_of_benefit,
    revoke_of_purchase,
    revoke_of_rule,
)
from benefits.grants.states import OPEN
from benefits.rules.models import GrantRule
from benefits.rules.periods import ISSUED_BY_JOB
from benefits.rules.queries import list_published_rules, list_rules_in_force
from core.actors import SYSTEM
from members.activity.models import Purchase
from members.segments import conditions
from tenants.events.models import Event
from tenants.events.registry import on_event, on_events

_Cadence = GrantRule.Cadence


def grant_on_join(events: Sequence[Event]) -> None:
    """Grant the welcome ritual to new members, once."""
    issue_for(
        occasions=[
            Occasion(member_id=_member_id(event), key="join", cause={"code": "joined"}, at=event.at)
            for event in events
        ],
        cadence=_Cadence.ON_JOIN,
    )


def grant_on_tier_up(event: Event) -> None:
    """Take back what belonged to the tier before, then grant what belongs to the tier reached.

    The gift of a tier comes once per member and tier; what rules owe to holders of the tier for
    the present period comes at once, not only with the night.
    """
    tier = event.data["to"]
    follow_tier(event)
    occasion = Occasion(
        member_id=_member_id(event),
        key=f"tier:{tier}",
        cause={"code": "tier_reached", "tier": tier},
        at=event.at,
    )
    issue_for(occasions=[occasion], cadence=_Cadence.ON_TIER_UP)


def follow_tier(event: Event) -> None:
    """Take back and grant what rules that ask for the tier say of one member now."""
    at: datetime = event.at
    member_id = _member_id(event)
    rules = [
        rule
        for rule in list_rules_in_force(at=at, cadences=GrantRule.Cadence.values, event_name=None)
        if _asks_for_tier(rule)
    ]
    if not rules:
        return
    # First what is lost, then what is won: a group never holds two at once.
    revoke_lost_of_member(rules=rules, member_id=member_id, at=at)
    for rule in rules:
        if rule.cadence in ISSUED_BY_JOB:
            issue(rule=rule, period=current_period(rule, at=at), at=at, member_id=member_id)


def take_back_on_refund(event: Event) -> None:
    """Take back what a purchase had given when all of it was refunded."""
    key = event.data["purchase_id"]
    purchase = _lock_purchases([key])[key]
    if purchase.refunded_minor >= purchase.amount_minor:
        revoke_of_purchase(purchase_id=purchase.pk, member_id=purchase.member_id, at=event.at)


def take_back_on_end(event: Event) -> None:
    """Take back the live rights of a rule that was ended that way."""
    if event.data["revoke"]:
        rule = GrantRule.objects.get(pk=event.data["rule_id"])
        revoke_of_rule(rule=rule, by=SYSTEM, at=event.at)


def take_back_on_retirement(event: Event) -> None:
    """Take back the live rights to a benefit that was retired that way."""
    if event.data["revoke"]:
        revoke_of_benefit(
            benefit_id=event.data["benefit_id"],
            code=event.data["benefit"],
            by=SYSTEM,
            at=event.at,
        )


def grant_on_purchase(events: Sequence[Event]) -> None:
    """Grant what rules give for purchases, once per purchase."""
    if not list_published_rules(cadences=[_Cadence.ON_PURCHASE]):
        return
    # A refund waits for this, or has been before: either way nothing is left standing.
    keys = [event.data["purchase_id"] for event in events]
    purchases = _lock_purchases(keys)
    issue_for(
        occasions=[
            Occasion(
                member_id=purchases[key].member_id,
                key=f"purchase:{key}",
                cause={"code": "purchase", "purchase": key},
                at=event.at,
            )
            for event, key in zip(events, keys, strict=True)
            if not _is_refunded(purchases[key])
        ],
        cadence=_Cadence.ON_PURCHASE,
    )


def grant_on_activity(events: Sequence[Event]) -> None:
    """Grant what rules give for named things that members did, once per event."""
    issue_for(
        occasions=[
            Occasion(
                member_id=_member_id(event),
                key=f"event:{event.data['activity']}",
                cause={"code": "event", "name": event.data["name"]},
                at=event.at,
                event_name=event.data["name"],
            )
            for event in events
        ],
        cadence=_Cadence.ON_EVENT,
    )


def request_fulfilment(event: Event) -> None:
    """Begin to carry out a redemption that left its transaction open."""
    redemption = _redemption(event)
    carrier = get_channel(redemption.channel)
    if not carrier.inline and redemption.state in OPEN:
        carrier.request(redemption, at=event.at)


def stop_fulfilment(event: Event) -> None:
    """Tell whoever carries a redemption out that it is over."""
    redemption = _redemption(event)
    carrier = get_channel(redemption.channel)
    if not carrier.inline:
        carrier.cancel(redemption, at=event.at)


def register() -> None:
    """Make the handlers known; called once at start. The names are stored: never change them."""
    on_events("member.enrolled", name="benefits.grant_on_join")(grant_on_join)
    on_event("tier.upgraded", name="benefits.grant_on_tier_up")(grant_on_tier_up)
    on_event("tier.downgraded", name="benefits.follow_tier")(follow_tier)
    on_events("purchase.recorded", name="benefits.grant_on_purchase")(grant_on_purchase)
    on_event("purchase.refunded", name="benefits.take_back_on_refund")(take_back_on_refund)
    on_event("rule.ended", name="benefits.take_back_on_end")(take_back_on_end)
    on_event("benefit.stage_changed", name="benefits.take_back_on_retirement")(
        take_back_on_retirement
    )
    on_events("activity.recorded", name="benefits.grant_on_activity")(grant_on_activity)
    on_event("redemption.requested", name="benefits.request_fulfilment")(request_fulfilment)
    on_event(
        "redemption.cancelled",
        "redemption.failed",
        "redemption.expired",
        name="benefits.stop_fulfilment",
    )(stop_fulfilment)


def _member_id(event: Event) -> int:
    kind, _colon, key = event.subject.partition(":")
    return int(key) if kind == "member" else int(event.data["member_id"])


def _asks_for_tier(rule: GrantRule) -> bool:
    return "tier" in conditions.fields_of(conditions.parse(rule.condition))


def _lock_purchases(keys: Sequence[int]) -> dict[int, Purchase]:
    found = Purchase.objects.select_for_update(no_key=True).filter(pk__in=keys).order_by("pk")
    return {purchase.pk: purchase for purchase in found}


def _is_refunded(purchase: Purchase) -> bool:
    return bool(purchase.amount_minor) and purchase.refunded_minor >= purchase.amount_minor


def _redemption(event: Event) -> Redemption:
    return Redemption.objects.select_related("benefit", "member").get(pk=event.data["redemption"])
