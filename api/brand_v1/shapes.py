"""What the brand API gives out: plain dictionaries, and their shapes for the OpenAPI document."""

from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from rest_framework import serializers

from members.earning.values import PurchaseOutcome, RefundOutcome
from members.points.values import Balance, EntryView, Posting
from members.profiles.models import Member
from members.tiers.models import Tier
from members.tiers.values import Standing
from tenants.brands.context import current_brand


def time(value: datetime | None) -> str | None:
    """Return an instant as RFC 3339 with the brand's offset."""
    if value is None:
        return None
    return value.astimezone(ZoneInfo(current_brand().timezone)).isoformat()


def day(value: date | None) -> str | None:
    """Return a date as RFC 3339."""
    return value.isoformat() if value is not None else None


class BalanceOut(serializers.Serializer[Any]):
    """Units of one wallet."""

    available = serializers.IntegerField()
    pending = serializers.IntegerField()
    held = serializers.IntegerField()
    expiring_30d = serializers.IntegerField()
    spent = serializers.IntegerField()
    expired = serializers.IntegerField()
    total = serializers.IntegerField()


class PointsOut(serializers.Serializer[Any]):
    """Both wallets of a member."""

    points = BalanceOut()
    growth = BalanceOut()
    wallets = serializers.DictField(child=BalanceOut(), help_text="The brand's other wallets.")


class StandingOut(serializers.Serializer[Any]):
    """A member's tier and what it takes to rise and stay."""

    code = serializers.CharField()
    rank = serializers.IntegerField()
    name = serializers.DictField(child=serializers.CharField())
    metric = serializers.CharField()
    metric_value = serializers.IntegerField()
    next = serializers.CharField(allow_null=True)
    missing = serializers.IntegerField()
    keep_threshold = serializers.IntegerField()
    missing_to_keep = serializers.IntegerField()
    valid_until = serializers.DateField(allow_null=True)
    since = serializers.DateTimeField(allow_null=True)


class MemberOut(serializers.Serializer[Any]):
    """A member; `tier`, `points` and `growth` only where one member is asked for."""

    external_id = serializers.CharField()
    number = serializers.CharField()
    status = serializers.CharField()
    enrolled_at = serializers.DateTimeField()
    name = serializers.CharField(allow_blank=True)
    email = serializers.CharField(allow_blank=True)
    phone = serializers.CharField(allow_blank=True)
    birthday = serializers.DateField(allow_null=True)
    region = serializers.CharField(allow_blank=True)
    store_code = serializers.CharField(allow_blank=True)
    locale = serializers.CharField(allow_blank=True)
    gender = serializers.CharField(allow_blank=True)
    tags = serializers.ListField(child=serializers.CharField())
    attributes = serializers.DictField(help_text="Values of the brand's own attributes.")
    consents = serializers.DictField(child=serializers.BooleanField())
    tier = StandingOut(required=False, allow_null=True)
    points = BalanceOut(required=False)
    growth = BalanceOut(required=False)


class LotOut(serializers.Serializer[Any]):
    """What an entry did to one lot."""

    expires_on = serializers.DateField(allow_null=True)
    lot = serializers.IntegerField()
    quantity = serializers.IntegerField()


class EntryOut(serializers.Serializer[Any]):
    """One entry of the journal."""

    seq = serializers.IntegerField()
    kind = serializers.CharField()
    delta = serializers.IntegerField()
    amount = serializers.IntegerField()
    balance_after = serializers.IntegerField()
    at = serializers.DateTimeField()
    source = serializers.DictField(allow_null=True)  # type: ignore[assignment]
    cause = serializers.DictField(allow_null=True)
    shortfall = serializers.IntegerField(
        help_text="What a clawback could not take, or a cap cut off a credit."
    )
    lots = LotOut(many=True)


class PostingOut(serializers.Serializer[Any]):
    """What a write did to an account."""

    seq = serializers.IntegerField()
    delta = serializers.IntegerField()
    balance = serializers.IntegerField()


class HoldOut(serializers.Serializer[Any]):
    """A hold."""

    id = serializers.UUIDField()
    member = serializers.CharField()
    amount = serializers.IntegerField()
    state = serializers.ChoiceField(choices=["open", "captured", "released"])
    until = serializers.DateTimeField(allow_null=True)


class MoneyOut(serializers.Serializer[Any]):
    """Minor units and currency."""

    amount = serializers.IntegerField()
    currency = serializers.CharField()


class TierChangeOut(serializers.Serializer[Any]):
    """A move from one tier to another."""

    from_tier = serializers.CharField(allow_null=True)
    to_tier = serializers.CharField()


class PurchaseOut(serializers.Serializer[Any]):
    """A purchase and what it brought."""

    external_id = serializers.CharField()
    member = serializers.CharField()
    occurred_at = serializers.DateTimeField()
    amount = MoneyOut()
    refunded = MoneyOut()
    points = serializers.IntegerField()
    growth = serializers.IntegerField()
    tier_change = TierChangeOut(allow_null=True)
    tier = StandingOut(allow_null=True)


class RefundOut(serializers.Serializer[Any]):
    """A refund and what it took back."""

    external_id = serializers.CharField()
    purchase = serializers.CharField()
    amount = MoneyOut()
    points = serializers.IntegerField()
    growth = serializers.IntegerField()
    shortfall = serializers.IntegerField()


class ActivityOut(serializers.Serializer[Any]):
    """An activity event as recorded."""

    id = serializers.IntegerField()
    member = serializers.CharField()
    name = serializers.CharField()
    occurred_at = serializers.DateTimeField()


class TierOut(serializers.Serializer[Any]):
    """One step of the scheme in force."""

    code = serializers.CharField()
    rank = serializers.IntegerField()
    name = serializers.DictField(child=serializers.CharField())
    entry_threshold = serializers.IntegerField()
    keep_threshold = serializers.IntegerField()
    multiplier_bp = serializers.IntegerField()


def balance(value: Balance) -> dict[str, int]:
    """Return a balance in its parts."""
    return {
        "available": value.available,
        "pending": value.pending,
        "held": value.held,
        "expiring_30d": value.expiring_30d,
        "spent": value.spent,
        "expired": value.expired,
        "total": value.total,
    }


def standing(value: Standing | None) -> dict[str, Any] | None:
    """Return where a member stands, or None without a scheme."""
    if value is None:
        return None
    return {
        "code": value.tier.code,
        "rank": value.tier.rank,
        "name": value.tier.name,
        "metric": value.metric,
        "metric_value": value.metric_value,
        "next": value.next_tier.code if value.next_tier else None,
        "missing": value.missing,
        "keep_threshold": value.keep_threshold,
        "missing_to_keep": value.missing_to_keep,
        "valid_until": day(value.valid_until),
        "since": time(value.since),
    }


def member(
    value: Member,
    *,
    standing: Standing | None = None,
    balance: Balance | None = None,
    growth: Balance | None = None,
) -> dict[str, Any]:
    """Return a member; with balances where they are given."""
    personal = getattr(value, "personal", None)
    body: dict[str, Any] = {
        "external_id": value.external_id,
        "number": value.number,
        "status": value.status,
        "enrolled_at": time(value.enrolled_at),
        "name": personal.name if personal else "",
        "email": personal.email if personal else "",
        "phone": personal.phone if personal else "",
        "birthday": day(personal.birthday) if personal else None,
        "region": value.region,
        "store_code": value.store_code,
        "locale": value.locale,
        "gender": personal.gender if personal else "",
        "tags": value.tags,
        "attributes": value.attributes,
        "consents": personal.consents if personal else {},
    }
    if balance is not None and growth is not None:
        body["tier"] = _standing(standing)
        body["points"] = _balance(balance)
        body["growth"] = _balance(growth)
    return body


_standing = standing
_balance = balance


def entry(value: EntryView) -> dict[str, Any]:
    """Return a journal entry with its reason and lots."""
    return {
        "seq": value.seq,
        "kind": value.kind.name.lower(),
        "delta": value.delta,
        "amount": value.amount,
        "balance_after": value.balance_after,
        "at": time(value.at),
        "source": {"type": value.source_type, "id": value.source_id} if value.source_type else None,
        "cause": value.cause,
        "shortfall": value.shortfall,
        "lots": [
            {
                "expires_on": day(lot.expires_on) if lot.expires_on.year < 9999 else None,
                "lot": lot.lot_seq,
                "quantity": lot.quantity,
            }
            for lot in value.lots
        ],
    }


def posting(value: Posting) -> dict[str, int]:
    """Return what a write did to an account."""
    return {"seq": value.seq, "delta": value.delta, "balance": value.balance}


def purchase(outcome: PurchaseOutcome) -> dict[str, Any]:
    """Return a purchase with points, growth and tier."""
    bought, change = outcome.purchase, outcome.tier_change
    return {
        "external_id": bought.external_id,
        "member": bought.member.external_id,
        "occurred_at": time(bought.occurred_at),
        "amount": {"amount": bought.amount_minor, "currency": bought.currency},
        "refunded": {"amount": bought.refunded_minor, "currency": bought.currency},
        "points": outcome.points,
        "growth": outcome.growth,
        "tier_change": {
            "from_tier": change.from_tier.code if change.from_tier else None,
            "to_tier": change.to_tier.code,
        }
        if change
        else None,
        "tier": standing(outcome.standing),
    }


def refund(outcome: RefundOutcome) -> dict[str, Any]:
    """Return a refund with what it took back."""
    given = outcome.refund
    return {
        "external_id": given.external_id,
        "purchase": given.purchase.external_id,
        "amount": {"amount": given.amount_minor, "currency": given.purchase.currency},
        "points": outcome.points,
        "growth": outcome.growth,
        "shortfall": outcome.shortfall,
    }


def tier(value: Tier) -> dict[str, Any]:
    """Return one step of the scheme."""
    return {
        "code": value.code,
        "rank": value.rank,
        "name": value.name,
        "entry_threshold": value.entry_threshold,
        "keep_threshold": value.keep_threshold,
        "multiplier_bp": value.multiplier_bp,
    }
