"""What this room does when something has happened: rules that events set off, and channels.

Each handler runs in a transaction of its own, at most once in effect per event.
"""

from datetime import datetime
from typing import Any

from benefits.grants.fulfilment import get_channel
from benefits.grants.issuing import issue
from benefits.grants.models import Redemption
from benefits.grants.states import OPEN
from benefits.rules.models import GrantRule
from benefits.rules.periods import Period
from benefits.rules.queries import list_rules_in_force
from tenants.events.models import Event
from tenants.events.registry import on_event

_Cadence = GrantRule.Cadence


def grant_on_join(event: Event) -> None:
    """Grant the welcome ritual to a new member, once."""
    _issue_to(event, cadence=_Cadence.ON_JOIN, key="join", cause={"code": "joined"})


def grant_on_tier_up(event: Event) -> None:
    """Grant the gift of the tier reached, once per member and tier."""
    tier = event.data["to"]
    _issue_to(
        event,
        cadence=_Cadence.ON_TIER_UP,
        key=f"tier:{tier}",
        cause={"code": "tier_reached", "tier": tier},
    )


def grant_on_purchase(event: Event) -> None:
    """Grant what rules give for a purchase, once per purchase."""
    purchase = event.data["purchase_id"]
    _issue_to(
        event,
        cadence=_Cadence.ON_PURCHASE,
        key=f"purchase:{purchase}",
        cause={"code": "purchase", "purchase": purchase},
    )


def grant_on_activity(event: Event) -> None:
    """Grant what rules give for a named thing that a member did, once per event."""
    name = event.data["name"]
    _issue_to(
        event,
        cadence=_Cadence.ON_EVENT,
        key=f"event:{event.data['activity']}",
        cause={"code": "event", "name": name},
        event_name=name,
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
    on_event("member.enrolled", name="benefits.grant_on_join")(grant_on_join)
    on_event("tier.upgraded", name="benefits.grant_on_tier_up")(grant_on_tier_up)
    on_event("purchase.recorded", name="benefits.grant_on_purchase")(grant_on_purchase)
    on_event("activity.recorded", name="benefits.grant_on_activity")(grant_on_activity)
    on_event("redemption.requested", name="benefits.request_fulfilment")(request_fulfilment)
    on_event(
        "redemption.cancelled",
        "redemption.failed",
        "redemption.expired",
        name="benefits.stop_fulfilment",
    )(stop_fulfilment)


def _issue_to(
    event: Event, *, cadence: str, key: str, cause: dict[str, Any], event_name: str = ""
) -> None:
    at: datetime = event.at
    rules = list_rules_in_force(at=at, cadences=[cadence], event_name=event_name)
    if rules:
        member_id = _member_id(event)
        for rule in rules:
            issue(
                rule=rule,
                period=Period(key, None, None),
                at=at,
                member_id=member_id,
                cause=cause,
            )


def _member_id(event: Event) -> int:
    kind, _colon, key = event.subject.partition(":")
    return int(key) if kind == "member" else int(event.data["member_id"])


def _redemption(event: Event) -> Redemption:
    return Redemption.objects.select_related("benefit", "member").get(pk=event.data["redemption"])
