"""Members, rules and purchases for the tests of earning."""

from datetime import date, datetime, time, timedelta
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection

from core.actors import SYSTEM
from members.activity.effects import ImportBatch
from members.activity.operations import Line, add_purchase
from members.earning.campaign_operations import activate_campaign, create_campaign
from members.earning.imports import apply_import
from members.earning.models import Campaign, Earning, EarningRule
from members.earning.operations import record_purchase
from members.earning.rule_operations import activate_rule, create_rule
from members.earning.values import PurchaseOutcome
from members.points.models import Account, Entry, Lot
from members.profiles.models import Member
from members.profiles.operations import enrol
from members.tiers.models import MemberTier

ZONE = ZoneInfo("Asia/Shanghai")
TODAY = date(2026, 3, 15)
AT = datetime(2026, 3, 15, 4, 0, tzinfo=ZoneInfo("UTC"))  # 12:00 in Shanghai
_numbers = count(1)


def moment(on: date, hour: int = 10) -> datetime:
    """Return an instant of a brand day."""
    return datetime.combine(on, time(hour), tzinfo=ZONE)


def join(on: date = date(2024, 1, 1), **fields: Any) -> Member:
    """Enrol a member."""
    return enrol(external_id=f"e{next(_numbers)}", at=moment(on), by=SYSTEM, **fields)


def rule(**fields: Any) -> EarningRule:
    """Make an active rule: by default one point and one growth per 100 minor units."""
    values: dict[str, Any] = {"name": "base", "effect": "per_unit", "points": 1, **fields}
    made = create_rule(by=SYSTEM, at=AT, **values)
    return activate_rule(rule_id=made.pk, by=SYSTEM, at=AT)


def campaign(**fields: Any) -> Campaign:
    """Make an active campaign: by default double points around today."""
    values: dict[str, Any] = {
        "name": "double",
        "effect": "multiplier",
        "starts_at": moment(date(2020, 1, 1)),
        "ends_at": moment(date(2030, 1, 1)),
        **fields,
    }
    if values["effect"] == "multiplier":
        values.setdefault("multiplier_bp", 20_000)
    made = create_campaign(by=SYSTEM, at=AT, **values)
    return activate_campaign(campaign_id=made.pk, by=SYSTEM, at=AT)


def buy(
    member: Member,
    amount: int,
    *,
    on: date = TODAY,
    hour: int = 10,
    key: str = "",
    lines: tuple[Line, ...] = (),
    channel: str = "",
    store: str = "",
) -> PurchaseOutcome:
    """Record a purchase with all effects."""
    return record_purchase(
        external_id=key or f"p{next(_numbers)}",
        member=member,
        occurred_at=moment(on, hour),
        amount_minor=amount,
        currency="CNY",
        channel=channel,
        store_code=store,
        lines=lines,
        by=SYSTEM,
        at=AT,
    )


def import_all(
    rows: list[tuple[Member, int, date, int, tuple[Line, ...]]],
    *,
    has_lines: bool,
    places: list[tuple[str, str]] | None = None,
) -> None:
    """Write purchases without effects, then give them all effects as a file import does."""
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMPORARY TABLE rows_added (purchase_id bigint, member_id bigint, "
            "occurred_at timestamptz, local_date date, amount_minor bigint, channel text, "
            "store_code text) ON COMMIT DROP"
        )
        for number, (member, amount, on, hour, lines) in enumerate(rows):
            channel, store = places[number] if places else ("", "")
            purchase, _created = add_purchase(
                external_id=f"i{next(_numbers)}",
                member=member,
                occurred_at=moment(on, hour),
                amount_minor=amount,
                currency="CNY",
                channel=channel,
                store_code=store,
                lines=lines,
                at=AT,
            )
            cursor.execute(
                "INSERT INTO rows_added VALUES (%s, %s, %s, %s, %s, %s, %s)",
                [
                    purchase.pk,
                    member.pk,
                    purchase.occurred_at,
                    purchase.local_date,
                    amount,
                    channel,
                    store,
                ],
            )
        apply_import(
            ImportBatch(
                purchases=len(rows), has_lines=has_lines, by=SYSTEM, at=AT, table="rows_added"
            )
        )
        cursor.execute("DROP TABLE rows_added")


def books(member: Member) -> dict[str, Any]:
    """Return all that earning wrote for a member, without keys that differ between members."""
    accounts = {
        account.pk: account.wallet_id for account in Account.objects.filter(owner_id=member.pk)
    }
    entries = Entry.objects.filter(account_id__in=accounts).order_by("account_id", "seq")
    lots = Lot.objects.filter(account_id__in=accounts).order_by("account_id", "seq")
    held = MemberTier.objects.filter(pk=member.pk).select_related("tier").first()
    return {
        "accounts": sorted(
            Account.objects.filter(owner_id=member.pk).values_list(
                "wallet_id", "balance", "pending", "seq"
            )
        ),
        "entries": [
            (
                accounts[entry.account_id],
                entry.seq,
                entry.kind,
                entry.delta,
                entry.balance_after,
                entry.at,
                entry.cause,
                entry.source_type,
            )
            for entry in entries
        ],
        "lots": [
            (accounts[lot.account_id], lot.seq, lot.remaining, lot.available_at, lot.expires_on)
            for lot in lots
        ],
        "earnings": list(
            Earning.objects.filter(member=member)
            .order_by("purchase__occurred_at", "purchase_id", "rule_id", "wallet")
            .values_list(
                "rule_id",
                "wallet",
                "on_date",
                "amount",
                "eligible_minor",
                "tier_bp",
                "campaign_bp",
                "is_capped",
                "raw",
                "base",
                "campaigns",
            )
        ),
        "tier": held and (held.tier.code, held.metric_value, held.valid_until, held.grace_until),
    }


def days_ago(days: int) -> date:
    """Return the day so many days before today."""
    return TODAY - timedelta(days=days)
