"""Making campaigns: draft → active ⇄ paused → ended. A campaign in force is never edited."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from core.actors import Actor
from members.earning._checks import check_condition, check_places, first_wrong
from members.earning.errors import (
    CampaignNotFoundError,
    CampaignStateError,
    InvalidCampaignError,
)
from members.earning.models import Campaign, EarningRule
from members.earning.rules import BASIS
from members.earning.triggers import PURCHASE
from tenants.audit.operations import record

_MOVES: dict[str, frozenset[str]] = {
    "active": frozenset({"draft", "paused"}),
    "paused": frozenset({"active"}),
    "ended": frozenset({"active", "paused"}),
}
_MAX_BP = 1_000_000
_MAX_POINTS = 1_000_000_000
_EDITED = (
    "name", "effect", "multiplier_bp", "points", "combine", "rule_ids", "categories", "stores",
    "channels", "condition", "starts_at", "ends_at",
)  # fmt: skip


def create_campaign(
    *,
    name: str,
    effect: str,
    starts_at: datetime,
    ends_at: datetime,
    multiplier_bp: int = BASIS,
    points: int = 0,
    combine: str = Campaign.Combine.BEST,
    rule_ids: list[int] | None = None,
    categories: list[str] | None = None,
    stores: list[str] | None = None,
    channels: list[str] | None = None,
    condition: dict[str, Any] | None = None,
    by: Actor,
    at: datetime,
) -> Campaign:
    """Make a draft campaign; see `Campaign` for the fields.

    :raises InvalidCampaignError: for a value that can not be, with a pointer to it.
    """
    campaign = draft_campaign(
        {
            "name": name,
            "effect": effect,
            "multiplier_bp": multiplier_bp,
            "points": points,
            "combine": combine,
            "rule_ids": rule_ids,
            "categories": categories,
            "stores": stores,
            "channels": channels,
            "condition": condition,
            "starts_at": starts_at,
            "ends_at": ends_at,
        },
        at=at,
    )
    with transaction.atomic():
        campaign.save(force_insert=True)
        _record(campaign, "campaign.created", by=by, at=at)
    return campaign


def draft_campaign(fields: Mapping[str, Any], *, at: datetime) -> Campaign:
    """Return a checked campaign that is not stored, to be simulated or saved.

    :raises InvalidCampaignError: for a value that can not be, with a pointer to it.
    """
    campaign = Campaign(created_at=at)
    _fill(campaign, fields)
    return campaign


def update_campaign(
    *, campaign_id: int, fields: Mapping[str, Any], by: Actor, at: datetime
) -> Campaign:
    """Change a draft; what is not among `fields` stays.

    :raises CampaignStateError: if it is no draft. :raises CampaignNotFoundError: if there is none.
    :raises InvalidCampaignError: for a value that can not be, with a pointer to it.
    """
    with transaction.atomic():
        campaign = _locked(campaign_id)
        if campaign.status != Campaign.Status.DRAFT:
            raise CampaignStateError(status=campaign.status)
        before = {name: getattr(campaign, name) for name in _EDITED}
        _fill(campaign, {**before, **fields})
        campaign.save()
        changes = {
            name: [_plain(before[name]), _plain(getattr(campaign, name))]
            for name in _EDITED
            if before[name] != getattr(campaign, name)
        }
        if changes:
            _record(campaign, "campaign.changed", by=by, at=at, changes=changes)
    return campaign


def delete_campaign(*, campaign_id: int, by: Actor, at: datetime) -> None:
    """Remove a draft for good.

    :raises CampaignStateError: if it is no draft. :raises CampaignNotFoundError: if there is none.
    """
    with transaction.atomic():
        campaign = _locked(campaign_id)
        if campaign.status != Campaign.Status.DRAFT:
            raise CampaignStateError(status=campaign.status)
        _record(campaign, "campaign.deleted", by=by, at=at, changes={"name": [campaign.name, None]})
        campaign.delete()


def activate_campaign(*, campaign_id: int, by: Actor, at: datetime) -> Campaign:
    """Let a draft or paused campaign act on purchases within its dates, from now on.

    :raises CampaignStateError: from another state, or when its dates have passed.
    :raises CampaignNotFoundError: if there is none.
    """
    return _move(campaign_id, Campaign.Status.ACTIVE, by=by, at=at)


def pause_campaign(*, campaign_id: int, by: Actor, at: datetime) -> Campaign:
    """Stop an active campaign for a while.

    :raises CampaignStateError: from another state. :raises CampaignNotFoundError: if there is none.
    """
    return _move(campaign_id, Campaign.Status.PAUSED, by=by, at=at)


def end_campaign(*, campaign_id: int, by: Actor, at: datetime) -> Campaign:
    """Stop a campaign for good. What it gave stays, and refunds still take it back.

    :raises CampaignStateError: from another state. :raises CampaignNotFoundError: if there is none.
    """
    return _move(campaign_id, Campaign.Status.ENDED, by=by, at=at)


def bonus_rule(campaign: Campaign) -> EarningRule:
    """Return the rule that gives a campaign's bonus, not stored."""
    return EarningRule(
        campaign=campaign,
        name=campaign.name,
        trigger=PURCHASE,
        effect=EarningRule.Effect.FIXED,
        wallets=EarningRule.Wallets.POINTS,
        points=campaign.points,
        categories=campaign.categories,
        stores=campaign.stores,
        channels=campaign.channels,
        condition=campaign.condition,
        starts_at=campaign.starts_at,
        ends_at=campaign.ends_at,
        status=campaign.status,
        created_at=campaign.created_at,
    )


def _locked(campaign_id: int) -> Campaign:
    campaign = Campaign.objects.select_for_update().filter(pk=campaign_id).first()
    if campaign is None:
        raise CampaignNotFoundError(campaign_id=campaign_id)
    return campaign


def _move(campaign_id: int, to: str, *, by: Actor, at: datetime) -> Campaign:
    with transaction.atomic():
        campaign = _locked(campaign_id)
        if campaign.status not in _MOVES[to]:
            raise CampaignStateError(status=campaign.status)
        if to == Campaign.Status.ACTIVE and campaign.ends_at <= at:
            raise CampaignStateError(
                _("Its dates have passed."),
                status=campaign.status,
                ended_at=campaign.ends_at.isoformat(),
            )
        before, campaign.status = campaign.status, to
        campaign.save(update_fields=["status"])
        if campaign.effect == Campaign.Effect.BONUS:
            changed = EarningRule.objects.filter(campaign=campaign).update(status=to)
            if not changed:
                bonus_rule(campaign).save(force_insert=True)
        _record(campaign, "campaign.moved", by=by, at=at, changes={"status": [before, to]})
    return campaign


def _record(
    campaign: Campaign,
    action: str,
    *,
    by: Actor,
    at: datetime,
    changes: dict[str, list[Any]] | None = None,
) -> None:
    record(
        by=by,
        at=at,
        action=action,
        target_type="campaign",
        target_id=campaign.pk,
        changes=changes,
    )


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def _fill(campaign: Campaign, fields: Mapping[str, Any]) -> None:
    for name in _EDITED:
        if name in fields:
            setattr(campaign, name, fields[name])
    campaign.name = campaign.name.strip()
    campaign.rule_ids = sorted(set(campaign.rule_ids or []))
    campaign.categories = campaign.categories or []
    campaign.stores, campaign.channels = campaign.stores or [], campaign.channels or []
    campaign.condition = campaign.condition or None
    _check(campaign)


def _check(campaign: Campaign) -> None:
    is_bonus = campaign.effect == Campaign.Effect.BONUS
    bp, points = campaign.multiplier_bp, campaign.points
    wrong = [
        (
            not 0 < len(campaign.name) <= 80,
            "name",
            _("A campaign has a name of up to 80 characters."),
        ),
        (campaign.effect not in Campaign.Effect.values, "effect", _("There is no such effect.")),
        (
            not is_bonus and not (type(bp) is int and BASIS < bp <= _MAX_BP),
            "multiplier_bp",
            _("A multiplier is above 1 and at most 100."),
        ),
        (
            is_bonus and bp != BASIS,
            "multiplier_bp",
            _("A bonus has no multiplier."),
        ),
        (
            is_bonus and not (type(points) is int and 0 < points <= _MAX_POINTS),
            "points",
            _("A bonus gives points."),
        ),
        (not is_bonus and points != 0, "points", _("A multiplier gives no points of its own.")),
        (
            campaign.combine not in Campaign.Combine.values,
            "combine",
            _("There is no such choice."),
        ),
        (
            is_bonus and bool(campaign.rule_ids),
            "rule_ids",
            _("A bonus does not depend on other rules."),
        ),
        (
            bool(campaign.rule_ids)
            and EarningRule.objects.filter(
                pk__in=campaign.rule_ids, trigger=PURCHASE, campaign__isnull=True
            ).count()
            != len(campaign.rule_ids),
            "rule_ids",
            _("Name rules on purchases."),
        ),
        (
            campaign.starts_at is None or campaign.ends_at is None,
            "starts_at",
            _("A campaign has a beginning and an end."),
        ),
        (
            bool(
                campaign.starts_at and campaign.ends_at and campaign.ends_at <= campaign.starts_at
            ),
            "ends_at",
            _("A campaign ends after it starts."),
        ),
    ]
    found = first_wrong(wrong) or check_places(campaign)
    if found:
        raise InvalidCampaignError(found[1], pointer=f"/{found[0]}")
    check_condition(campaign.condition, error=InvalidCampaignError)
