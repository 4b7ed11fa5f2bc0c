"""One member's tier, as read for an operation or a page: what is held, and the metric."""

import json
from datetime import date, datetime
from functools import lru_cache
from typing import Any

from django.db import connection

from core.clock import local_date
from members.profiles.errors import MemberNotFoundError
from members.tiers._metrics import metric_sql, receipt_sql, wallet_of
from members.tiers.models import Tier, TierScheme
from members.tiers.rules import keep_window, match_tier, window_on
from members.tiers.values import HeldPin, Holding, Measured
from tenants.brands.context import current_brand, current_schema

# Who holds what, under which scheme: one statement, which can lock the member's row.
_READ = """
SELECT member.enrolled_at, stored.tier_id, stored.since, stored.valid_until, stored.grace_until,
    (SELECT id FROM members_tierscheme WHERE status <> 'draft' AND starts_on <= %(on)s
        ORDER BY version DESC LIMIT 1),
    stored.earned_tier_id,
    CASE WHEN stored.earned_tier_id IS NOT NULL THEN (
        SELECT jsonb_agg(jsonb_build_array(id, tier_id, source, mode, ends_on) ORDER BY id)
        FROM members_tierpin
        WHERE member_id = member.id AND applied_at IS NOT NULL AND ended_at IS NULL) END
FROM members_member AS member
LEFT JOIN members_membertier AS stored ON stored.member_id = member.id
WHERE member.id = %(member)s
"""


def read_holding(*, member_id: int, at: datetime, lock: bool = False) -> Holding:
    """Read what a member holds on the brand's day of `at`; with `lock`, hold the member's row.

    The lock makes purchases of one member wait for each other.

    :raises MemberNotFoundError: if there is no such member.
    """
    zone = current_brand().timezone
    on = local_date(at, zone)
    with connection.cursor() as cursor:
        cursor.execute(
            _READ + (" FOR NO KEY UPDATE OF member" if lock else ""),
            {"on": on, "member": member_id},
        )
        row = cursor.fetchone()
    if row is None:
        raise MemberNotFoundError(member_id=member_id)
    enrolled_at, stored_tier_id, since, valid_until, grace_until, scheme_id, earned_id, pins = row
    scheme, tiers = (None, ()) if scheme_id is None else published(scheme_id)
    tier = earned = None
    if scheme is not None:
        tier = match_tier(tiers, _find(stored_tier_id, tiers))
        earned = tier if earned_id is None else match_tier(tiers, _find(earned_id, tiers))
    return Holding(
        member_id=member_id,
        on=on,
        enrolled_on=local_date(enrolled_at, zone),
        scheme=scheme,
        tiers=tiers,
        stored_tier_id=stored_tier_id,
        stored_earned_id=earned_id,
        tier=tier,
        earned=earned,
        pins=_pins(pins, tiers),
        since=since,
        valid_until=valid_until,
        grace_until=grace_until,
    )


def measure(holding: Holding, *, with_receipt: bool = False) -> Measured:
    """Return a member's metric now, over the window for winning and that for keeping.

    One statement; the holding has a scheme. `with_receipt`: with what evidence needs besides.
    """
    scheme, tier = holding.scheme, holding.earned
    if scheme is None or tier is None:
        raise ValueError("no scheme is in force")
    span = window_on(scheme, on=holding.on, enrolled_on=holding.enrolled_on)
    keep = keep_window(
        scheme,
        tier=tier,
        valid_until=holding.valid_until,
        on=holding.on,
        enrolled_on=holding.enrolled_on,
    )
    sums = metric_sql(
        scheme.metric,
        member="%(member)s",
        metric_from="%(metric_from)s::date",
        keep_from="%(keep_from)s::date",
        to_on="%(to_on)s::date",
    )
    receipt = ""
    if with_receipt:
        receipt = ", " + ", ".join(
            receipt_sql(
                scheme.metric,
                member="%(member)s",
                from_on="%(metric_from)s::date",
                to_on="%(to_on)s::date",
            )
        )
    params: dict[str, Any] = {
        "member": holding.member_id,
        "metric_from": span.from_on,
        "keep_from": keep.from_on,
        "to_on": span.to_on,
        "zone": current_brand().timezone,
        "wallet": wallet_of(scheme.metric),
    }
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT sums.metric, sums.keep_metric, (SELECT seq FROM members_account "  # noqa: S608
            f"WHERE owner_id = %(member)s AND wallet_id = %(wallet)s::smallint){receipt} "
            f"FROM ({sums}) AS sums",
            params,
        )
        return Measured(*cursor.fetchone())


def _pins(found: str | None, tiers: tuple[Tier, ...]) -> tuple[HeldPin, ...]:
    if not found or not tiers:
        return ()
    return tuple(
        HeldPin(
            pin_id=pin_id,
            tier=match_tier(tiers, _find(tier_id, tiers)),
            source=source,
            mode=mode,
            ends_on=date.fromisoformat(ends_on),
        )
        for pin_id, tier_id, source, mode, ends_on in json.loads(found)
    )


def published(scheme_id: int) -> tuple[TierScheme, tuple[Tier, ...]]:
    """Return a published scheme and its tiers, lowest first; remembered, as neither can change."""
    return _published(current_schema(), scheme_id)


@lru_cache(maxsize=512)
def _published(_schema: str, scheme_id: int) -> tuple[TierScheme, tuple[Tier, ...]]:
    scheme = TierScheme.objects.get(pk=scheme_id)
    return scheme, tuple(Tier.objects.filter(scheme_id=scheme_id).order_by("rank"))


def _find(tier_id: int | None, tiers: tuple[Tier, ...]) -> Tier | None:
    if tier_id is None:
        return None
    for tier in tiers:
        if tier.pk == tier_id:
            return tier
    return Tier.objects.get(pk=tier_id)
