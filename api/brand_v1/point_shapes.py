"""What the brand API takes in and gives out about points in depth."""

from typing import Any

from rest_framework import serializers

from api.brand_v1.serializers import MAX_POINTS
from api.brand_v1.shapes import MoneyOut, day, time
from api.fields import StrictInteger, StrictSerializer, StrictText
from members.points.models import AdjustmentRequest, LiabilityDay, Wallet
from members.points.values import LotHistory


class SpendIn(StrictSerializer):
    """A number of points that the member has chosen."""

    amount = StrictInteger(min_value=1, max_value=MAX_POINTS)
    wallet = StrictText(max_length=20, required=False, default="points")
    reason = StrictText(max_length=300, required=False, allow_blank=True, default="")


class ReverseIn(StrictSerializer):
    """How much of an entry is undone; left out: what is left of it."""

    amount = StrictInteger(min_value=1, max_value=MAX_POINTS, required=False, default=None)
    wallet = StrictText(max_length=20, required=False, default="points")
    reason = StrictText(max_length=300, required=False, allow_blank=True, default="")


class TransferIn(StrictSerializer):
    """Points from one member to another, by the brand's own keys."""

    sender = StrictText(max_length=64)
    receiver = StrictText(max_length=64)
    amount = StrictInteger(min_value=1, max_value=MAX_POINTS)
    wallet = StrictText(max_length=20, required=False, default="points")


class DecisionIn(StrictSerializer):
    """Why; a refusal needs it."""

    note = StrictText(max_length=300, required=False, allow_blank=True, default="")


class WalletOut(serializers.Serializer[Any]):
    """A wallet and its rules."""

    code = serializers.CharField()
    name = serializers.CharField()
    expiry_policy = serializers.ChoiceField(choices=Wallet.ExpiryPolicy.values)
    expiry_months = serializers.IntegerField()
    pending_days = serializers.IntegerField()
    balance_cap = serializers.IntegerField(allow_null=True)
    earn_cap_day = serializers.IntegerField(allow_null=True)
    earn_cap_month = serializers.IntegerField(allow_null=True)
    cap_policy = serializers.ChoiceField(choices=Wallet.CapPolicy.values)
    spend_min = serializers.IntegerField()
    spend_step = serializers.IntegerField()
    adjust_limit = serializers.IntegerField(allow_null=True)
    transfers_on = serializers.BooleanField()
    transfer_min = serializers.IntegerField()
    transfer_day_points = serializers.IntegerField(allow_null=True)
    transfer_day_count = serializers.IntegerField(allow_null=True)


class LotMoveOut(serializers.Serializer[Any]):
    """What one entry did to a lot."""

    seq = serializers.IntegerField()
    kind = serializers.CharField()
    at = serializers.DateTimeField()
    quantity = serializers.IntegerField()


class LotHistoryOut(serializers.Serializer[Any]):
    """A lot: earned = spent + held + expired + reversed + remaining."""

    lot = serializers.IntegerField()
    expires_on = serializers.DateField(allow_null=True)
    by_inactivity = serializers.BooleanField()
    available_at = serializers.DateTimeField(allow_null=True)
    earned = serializers.IntegerField()
    remaining = serializers.IntegerField()
    spent = serializers.IntegerField()
    held = serializers.IntegerField()
    expired = serializers.IntegerField()
    reversed = serializers.IntegerField()
    source = serializers.DictField(allow_null=True)  # type: ignore[assignment]
    cause = serializers.DictField(allow_null=True)
    moves = LotMoveOut(many=True)


class ReversalOut(serializers.Serializer[Any]):
    """What a reversal did; `shortfall` is what could not be taken back."""

    seq = serializers.IntegerField()
    delta = serializers.IntegerField()
    balance = serializers.IntegerField()
    shortfall = serializers.IntegerField()


class AdjustmentOut(serializers.Serializer[Any]):
    """A request for an adjustment that passes the limit of who asked."""

    id = serializers.IntegerField()
    member = serializers.CharField()
    wallet = serializers.CharField()
    amount = serializers.IntegerField()
    reason = serializers.CharField()
    state = serializers.ChoiceField(choices=AdjustmentRequest.State.values)
    limit = serializers.IntegerField()
    asked_by = serializers.CharField()
    asked_at = serializers.DateTimeField()
    decided_by = serializers.CharField(allow_blank=True)
    decided_at = serializers.DateTimeField(allow_null=True)
    note = serializers.CharField(allow_blank=True)


class LiabilityOut(serializers.Serializer[Any]):
    """The end of one day."""

    on = serializers.DateField()
    outstanding = serializers.IntegerField()
    held = serializers.IntegerField()
    cost = MoneyOut()
    breakage = serializers.IntegerField()
    breakage_cost = MoneyOut()
    issued = serializers.IntegerField()
    spent = serializers.IntegerField()
    expired = serializers.IntegerField()
    corrected = serializers.IntegerField()


def wallet(row: Wallet) -> dict[str, Any]:
    """Return a wallet with its rules."""
    return dict(WalletOut(row).data)


def lot_history(history: LotHistory) -> dict[str, Any]:
    """Return a lot from its credit to its end."""
    lot, origin = history.lot, history.origin
    return {
        "lot": lot.seq,
        "expires_on": day(lot.expires_on),
        "by_inactivity": lot.is_by_inactivity,
        "available_at": time(lot.available_at),
        "earned": lot.earned,
        "remaining": lot.remaining,
        "spent": history.spent,
        "held": history.held,
        "expired": history.expired,
        "reversed": history.reversed,
        "source": {"type": origin.source_type, "id": origin.source_id}
        if origin and origin.source_type
        else None,
        "cause": origin.cause if origin else None,
        "moves": [
            {
                "seq": move.seq,
                "kind": move.kind.name.lower(),
                "at": time(move.at),
                "quantity": move.quantity,
            }
            for move in history.moves
        ],
    }


def adjustment(row: AdjustmentRequest, *, member: str) -> dict[str, Any]:
    """Return a request with who asked and who decided."""
    return {
        "id": row.pk,
        "member": member,
        "wallet": row.wallet.code,
        "amount": row.amount,
        "reason": row.reason,
        "state": row.state,
        "limit": row.limit,
        "asked_by": row.asked_by,
        "asked_at": time(row.asked_at),
        "decided_by": row.decided_by,
        "decided_at": time(row.decided_at),
        "note": row.note,
    }


def liability(row: LiabilityDay, *, currency: str) -> dict[str, Any]:
    """Return one day with its money."""
    return {
        "on": day(row.on_date),
        "outstanding": row.outstanding,
        "held": row.held,
        "cost": {"amount": row.cost_minor, "currency": currency},
        "breakage": row.breakage,
        "breakage_cost": {"amount": row.breakage_minor, "currency": currency},
        "issued": row.issued,
        "spent": row.spent,
        "expired": row.expired,
        "corrected": row.corrected,
    }
