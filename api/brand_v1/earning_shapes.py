"""What the brand API gives out about purchases, earning rules, campaigns and simulations."""

from collections.abc import Iterable, Sequence
from typing import Any

from rest_framework import serializers

from api.brand_v1.shapes import ActivityOut, EntryOut, MoneyOut, PurchaseOut, RefundOut, day, time
from members.activity.models import Purchase, PurchaseLine, Refund, RefundLine
from members.earning.models import Campaign, EarningRule
from members.earning.queries import Explanation
from members.earning.simulation import Figures, Simulation
from members.profiles.models import Member
from tenants.brands.context import current_brand


class ExplanationOut(serializers.Serializer[Any]):
    """How one amount was made: counted × rate = base; × tier × campaigns = raw; - cut = amount."""

    rule = serializers.DictField()
    wallet = serializers.CharField()
    counted = MoneyOut(allow_null=True)
    base = serializers.IntegerField(allow_null=True)
    tier_multiplier_bp = serializers.IntegerField(allow_null=True)
    campaign_multiplier_bp = serializers.IntegerField(allow_null=True)
    campaigns = serializers.ListField(child=serializers.CharField())
    before_caps = serializers.IntegerField(allow_null=True)
    cut_by_cap = serializers.IntegerField()
    amount = serializers.IntegerField()
    taken_back = serializers.IntegerField()


class ExplainedEntryOut(EntryOut):
    """One entry of the journal; with how it was made where a rule gave it."""

    explanation = ExplanationOut(allow_null=True)


class ProblemOut(serializers.Serializer[Any]):
    """Why an item was refused (RFC 9457); `errors` name the place in it."""

    status = serializers.IntegerField()
    code = serializers.CharField()
    detail = serializers.CharField()


class BatchItemOut(serializers.Serializer[Any]):
    """201 recorded, 200 known before, 4xx refused: then `problem` says why."""

    status = serializers.IntegerField()
    problem = ProblemOut(required=False)


class PurchaseItemOut(BatchItemOut):
    """A purchase of a batch."""

    purchase = PurchaseOut(required=False)


class RefundItemOut(BatchItemOut):
    """A refund of a batch."""

    refund = RefundOut(required=False)


class EventItemOut(BatchItemOut):
    """An event of a batch."""

    event = ActivityOut(required=False)


class PurchaseBatchOut(serializers.Serializer[Any]):
    """What became of each purchase, in the order sent."""

    items = PurchaseItemOut(many=True)


class RefundBatchOut(serializers.Serializer[Any]):
    """What became of each refund, in the order sent."""

    items = RefundItemOut(many=True)


class EventBatchOut(serializers.Serializer[Any]):
    """What became of each event, in the order sent."""

    items = EventItemOut(many=True)


class PurchaseRowOut(serializers.Serializer[Any]):
    """A purchase without what it brought."""

    external_id = serializers.CharField()
    member = serializers.CharField()
    occurred_at = serializers.DateTimeField()
    amount = MoneyOut()
    refunded = MoneyOut()
    channel = serializers.CharField(allow_blank=True)
    store = serializers.CharField(allow_blank=True)
    associate = serializers.CharField(allow_blank=True)


class PurchaseListOut(serializers.Serializer[Any]):
    """A page of purchases."""

    items = PurchaseRowOut(many=True)
    next = serializers.CharField(allow_null=True)


class LineOut(serializers.Serializer[Any]):
    """A line of a purchase."""

    line = serializers.IntegerField()
    sku = serializers.CharField()
    category = serializers.CharField(allow_blank=True)
    quantity = serializers.IntegerField()
    amount = serializers.IntegerField()


class RefundedLineOut(serializers.Serializer[Any]):
    """A line that came back."""

    line = serializers.IntegerField()
    quantity = serializers.IntegerField()
    amount = serializers.IntegerField()


class RefundRowOut(serializers.Serializer[Any]):
    """A refund of a purchase."""

    external_id = serializers.CharField()
    amount = MoneyOut()
    occurred_at = serializers.DateTimeField()
    lines = RefundedLineOut(many=True)


class PurchaseDetailOut(PurchaseRowOut):
    """A purchase with lines, refunds and how what it earned was made."""

    lines = LineOut(many=True)
    refunds = RefundRowOut(many=True)
    earned = ExplanationOut(many=True)


class EarningRuleOut(serializers.Serializer[Any]):
    """What is earned for what."""

    id = serializers.IntegerField(allow_null=True)
    name = serializers.CharField()
    status = serializers.CharField()
    trigger = serializers.CharField()
    event_name = serializers.CharField(allow_blank=True)
    effect = serializers.CharField()
    wallets = serializers.CharField()
    points = serializers.IntegerField()
    per_amount = MoneyOut(allow_null=True)
    categories = serializers.ListField(child=serializers.CharField())
    category_mode = serializers.CharField()
    stores = serializers.ListField(child=serializers.CharField())
    channels = serializers.ListField(child=serializers.CharField())
    condition = serializers.DictField(allow_null=True)
    pending_days = serializers.IntegerField(allow_null=True)
    cap_per_day = serializers.IntegerField(allow_null=True)
    cap_per_month = serializers.IntegerField(allow_null=True)
    stacking = serializers.CharField()
    stack_group = serializers.CharField(allow_blank=True)
    priority = serializers.IntegerField()
    starts_at = serializers.DateTimeField(allow_null=True)
    ends_at = serializers.DateTimeField(allow_null=True)


class CampaignOut(serializers.Serializer[Any]):
    """More points for a time."""

    id = serializers.IntegerField(allow_null=True)
    name = serializers.CharField()
    status = serializers.CharField()
    effect = serializers.CharField()
    multiplier_bp = serializers.IntegerField()
    points = serializers.IntegerField()
    combine = serializers.CharField()
    rules = serializers.ListField(child=serializers.IntegerField())
    categories = serializers.ListField(child=serializers.CharField())
    stores = serializers.ListField(child=serializers.CharField())
    channels = serializers.ListField(child=serializers.CharField())
    condition = serializers.DictField(allow_null=True)
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()


class EarningRulesOut(serializers.Serializer[Any]):
    """All earning rules, newest first."""

    items = EarningRuleOut(many=True)


class CampaignsOut(serializers.Serializer[Any]):
    """All campaigns, the one that begins last first."""

    items = CampaignOut(many=True)


class FiguresOut(serializers.Serializer[Any]):
    """Figures of a simulated month; points before refunds."""

    members = serializers.IntegerField()
    purchases = serializers.IntegerField()
    members_reached = serializers.IntegerField()
    points_given = serializers.IntegerField()
    points_without = serializers.IntegerField()
    points_with = serializers.IntegerField()
    points_effect = serializers.IntegerField()
    cost_effect = MoneyOut()


class TierFiguresOut(FiguresOut):
    """The figures of those who hold a tier now; null for none."""

    tier = serializers.CharField(allow_null=True)


class SimulationOut(serializers.Serializer[Any]):
    """What a draft would have done on a month's real purchases."""

    first_day = serializers.DateField()
    last_day = serializers.DateField()
    total = FiguresOut()
    by_tier = TierFiguresOut(many=True)


def _money(minor: int) -> dict[str, Any]:
    return {"amount": minor, "currency": current_brand().currency}


def explanation(value: Explanation) -> dict[str, Any]:
    """Return how one amount was made."""
    return {
        "rule": {"id": value.rule.pk, "name": value.rule.name},
        "wallet": value.wallet,
        "counted": None if value.eligible_minor is None else _money(value.eligible_minor),
        "base": value.base,
        "tier_multiplier_bp": value.tier_bp,
        "campaign_multiplier_bp": value.campaign_bp,
        "campaigns": list(value.campaigns),
        "before_caps": value.raw,
        "cut_by_cap": value.cut,
        "amount": value.amount,
        "taken_back": value.reversed,
    }


def purchase(value: Purchase, *, member: Member) -> dict[str, Any]:
    """Return a purchase without what it brought."""
    return {
        "external_id": value.external_id,
        "member": member.external_id,
        "occurred_at": time(value.occurred_at),
        "amount": {"amount": value.amount_minor, "currency": value.currency},
        "refunded": {"amount": value.refunded_minor, "currency": value.currency},
        "channel": value.channel,
        "store": value.store_code,
        "associate": value.associate,
    }


def purchase_detail(
    value: Purchase,
    *,
    lines: Sequence[PurchaseLine],
    refunds: Sequence[Refund],
    refund_lines: Sequence[RefundLine],
    earned: Iterable[Explanation],
) -> dict[str, Any]:
    """Return a purchase with lines, refunds and how what it earned was made."""
    return {
        **purchase(value, member=value.member),
        "lines": [
            {
                "line": line.position,
                "sku": line.sku,
                "category": line.category,
                "quantity": line.quantity,
                "amount": line.amount_minor,
            }
            for line in lines
        ],
        "refunds": [
            {
                "external_id": refund.external_id,
                "amount": {"amount": refund.amount_minor, "currency": value.currency},
                "occurred_at": time(refund.at),
                "lines": [
                    {
                        "line": line.position,
                        "quantity": line.quantity,
                        "amount": line.amount_minor,
                    }
                    for line in refund_lines
                    if line.refund_id == refund.pk
                ],
            }
            for refund in refunds
        ],
        "earned": [explanation(one) for one in earned],
    }


def rule(value: EarningRule) -> dict[str, Any]:
    """Return an earning rule."""
    is_per_unit = value.effect == EarningRule.Effect.PER_UNIT
    return {
        "id": value.pk,
        "name": value.name,
        "status": value.status,
        "trigger": value.trigger,
        "event_name": value.event_name,
        "effect": value.effect,
        "wallets": value.wallets,
        "points": value.points,
        "per_amount": _money(value.unit_minor) if is_per_unit else None,
        "categories": value.categories,
        "category_mode": value.category_mode,
        "stores": value.stores,
        "channels": value.channels,
        "condition": value.condition,
        "pending_days": value.pending_days,
        "cap_per_day": value.cap_per_day,
        "cap_per_month": value.cap_per_month,
        "stacking": value.stacking,
        "stack_group": value.stack_group,
        "priority": value.priority,
        "starts_at": time(value.starts_at),
        "ends_at": time(value.ends_at),
    }


def campaign(value: Campaign) -> dict[str, Any]:
    """Return a campaign."""
    return {
        "id": value.pk,
        "name": value.name,
        "status": value.status,
        "effect": value.effect,
        "multiplier_bp": value.multiplier_bp,
        "points": value.points,
        "combine": value.combine,
        "rules": value.rule_ids,
        "categories": value.categories,
        "stores": value.stores,
        "channels": value.channels,
        "condition": value.condition,
        "starts_at": time(value.starts_at),
        "ends_at": time(value.ends_at),
    }


def simulation(value: Simulation) -> dict[str, Any]:
    """Return what a draft would have done."""

    def figures(found: Figures) -> dict[str, Any]:
        return {
            "members": found.members,
            "purchases": found.purchases,
            "members_reached": found.reached,
            "points_given": found.given,
            "points_without": found.without,
            "points_with": found.points,
            "points_effect": found.effect,
            "cost_effect": _money(value.cost_minor(found.effect)),
        }

    return {
        "first_day": day(value.first),
        "last_day": day(value.last),
        "total": figures(value.total),
        "by_tier": [
            {"tier": code or None, **figures(found)} for code, found in value.by_tier.items()
        ],
    }
