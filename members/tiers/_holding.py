"""One member's tier, as read for an operation or a page: what is held, and the metric."""

import json
from collections.abc import Sequence
from datetime import date, datetime
from functools import lru_cache
from typing import Any

from django.db import connection

from core.calls import Call, run_calls
from core.clock import local_date
from members.profiles.errors import MemberNotFoundError
from members.tiers._metrics import metric_sql, receipt_sql, wallet_of
from members.tiers.models import Tier, TierScheme
from members.tiers.rules import Span, keep_window, match_tier, window_on
from members.tiers.values import HeldPin, Holding, Measured
from tenants.brands.context import current_brand, current_schema

# Functions keep the plans of their statements, which every purchase needs.
_READ = """
SELECT o_enrolled_at, o_tier, o_since, o_valid_until, o_grace_until, o_scheme, o_earned_tier, o_pins
FROM tiers_hold(%s, %s, %s)
"""
_MEASURE = """
SELECT o_metric, o_keep_metric, o_journal_seq FROM tiers_measure(%s, %s, %s, %s, %s, %s)
"""


def read_holding(*, member_id: int, at: datetime, lock: bool = False) -> Holding:
    """Read what a member holds on the brand's day of `at`; with `lock`, hold the member's row.

    The lock makes purchases of one member wait for each other.

    :raises MemberNotFoundError: if there is no such member.
    """
    [row] = run_calls(holding_call(member_id=member_id, at=at, lock=lock))
    return holding_from(row, member_id=member_id, at=at)


def holding_call(*, member_id: int, at: datetime, lock: bool) -> Call:
    """Return the call of `read_holding`; its row goes to `holding_from`."""
    return Call(_READ, [member_id, local_date(at, current_brand().timezone), lock])


def holding_from(row: Sequence[Any], *, member_id: int, at: datetime) -> Holding:
    """Make the holding of what was read.

    :raises MemberNotFoundError: if there is no such member.
    """
    enrolled_at, stored_tier_id, since, valid_until, grace_until, scheme_id, earned_id, pins = row
    if enrolled_at is None:
        raise MemberNotFoundError(member_id=member_id)
    zone = current_brand().timezone
    on = local_date(at, zone)
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
    if with_receipt:
        return _measure_with_receipt(holding)
    [row] = run_calls(measuring_call(holding))
    return Measured(*row)


def measuring_call(holding: Holding) -> Call:
    """Return the call of `measure`; its row holds the values of `Measured`."""
    scheme, span, keep = _windows(holding)
    return Call(
        _MEASURE,
        [
            scheme.metric,
            holding.member_id,
            span.from_on,
            keep.from_on,
            span.to_on,
            current_brand().timezone,
        ],
    )


def _windows(holding: Holding) -> tuple[TierScheme, Span, Span]:
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
    return scheme, span, keep


def _measure_with_receipt(holding: Holding) -> Measured:
    """Measure in one statement, so that evidence and metric are of one instant."""
    scheme, span, keep = _windows(holding)
    sums = metric_sql(
        scheme.metric,
        member="%(member)s",
        metric_from="%(metric_from)s::date",
        keep_from="%(keep_from)s::date",
        to_on="%(to_on)s::date",
    )
    receipt = ", ".join(
        receipt_sql(
            scheme.metric,
            member="%(member)s",
            from_on="%(metric_from)s::date",
            to_on="%(to_on)s::date",
        )
    )
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT sums.metric, sums.keep_metric, (SELECT seq FROM members_account "  # noqa: S608
            f"WHERE owner_id = %(member)s AND wallet_id = %(wallet)s::smallint), {receipt} "
            f"FROM ({sums}) AS sums",
            {
                "member": holding.member_id,
                "metric_from": span.from_on,
                "keep_from": keep.from_on,
                "to_on": span.to_on,
                "zone": current_brand().timezone,
                "wallet": wallet_of(scheme.metric),
            },
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
