"""The effects of a file of purchases, set-based: points, growth and tiers of all at once.

Equal in result to `record_purchase` for one after another in the order of their times, with two
differences that are meant: a member who rises over several tiers gets one change, and conditions
of rules are held against the facts with the whole file counted. There is one event for the file
instead of one for each purchase: history must not set off what happens on a purchase.
"""

from datetime import datetime
from typing import Any

from django.db import connection

from core.clock import local_date
from members.activity.effects import ImportBatch
from members.activity.models import Purchase
from members.activity.operations import Line
from members.activity.queries import list_lines
from members.earning._import_sql import Compiler
from members.earning._matching import live_campaigns, live_rules
from members.earning.models import EarningRule
from members.earning.operations import apply_purchase
from members.earning.rules import BASIS
from members.earning.triggers import PURCHASE
from members.points.operations import earn_from_query
from members.segments.operations import mark_late
from members.tiers.models import TierChange, TierScheme
from members.tiers.operations import raise_many, write_multipliers
from members.tiers.queries import get_scheme, list_scheme_tiers
from tenants.brands.context import current_brand
from tenants.events.operations import emit


def apply_import(batch: ImportBatch) -> None:
    """Give the new purchases of a file their effects, in the transaction of the import."""
    # A till whose clock runs ahead past midnight has sold tomorrow.
    at = max(batch.at, _latest(batch.table))
    scheme = get_scheme(on=local_date(at, current_brand().timezone))
    rules = live_rules(trigger=PURCHASE)
    members, late = _lock_members(batch.table, batch.at)
    if scheme is not None and _feeds_itself(scheme, rules):
        _one_by_one(batch)
    else:
        _credit_all(batch, rules, scheme, at)
        raise_many(member_ids=members, at=at, cause=TierChange.Cause.IMPORT)
        mark_late(member_ids=late)
    emit(
        type="purchase.imported",
        subject="purchases",
        data={"purchases": batch.purchases, "members": len(members)},
        at=batch.at,
    )


def _latest(table: str) -> datetime:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT max(occurred_at) FROM {table}")  # noqa: S608
        found: datetime = cursor.fetchone()[0]
        return found


def _lock_members(table: str, at: datetime) -> tuple[list[int], list[int]]:
    """Lock the members of a file in the order of their keys; return them, and those with past days."""
    today = local_date(at, current_brand().timezone)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM members_member "  # noqa: S608
            f"WHERE id IN (SELECT member_id FROM {table}) ORDER BY id FOR NO KEY UPDATE"
        )
        members = [row[0] for row in cursor.fetchall()]
        cursor.execute(
            f"SELECT DISTINCT member_id FROM {table} WHERE local_date < %s ORDER BY 1",  # noqa: S608
            [today],
        )
        return members, [row[0] for row in cursor.fetchall()]


def _feeds_itself(scheme: TierScheme, rules: list[EarningRule]) -> bool:
    """Say whether points raise the tier that multiplies them: then order is everything."""
    if scheme.metric != TierScheme.Metric.POINTS_EARNED:
        return False
    return len(_multipliers(scheme)) > 1 and any(
        rule.wallets != EarningRule.Wallets.GROWTH for rule in rules
    )


def _one_by_one(batch: ImportBatch) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT purchase_id FROM {batch.table} ORDER BY occurred_at, purchase_id"  # noqa: S608
        )
        keys = [row[0] for row in cursor.fetchall()]
    for start in range(0, len(keys), 1000):
        chunk = keys[start : start + 1000]
        found = Purchase.objects.select_related("member").in_bulk(chunk)
        for key in chunk:
            lines = [
                Line(
                    sku=line.sku,
                    quantity=line.quantity,
                    amount_minor=line.amount_minor,
                    category=line.category,
                )
                for line in (list_lines(purchase_id=key) if batch.has_lines else ())
            ]
            apply_purchase(
                purchase=found[key],
                lines=lines,
                cause=TierChange.Cause.IMPORT,
                by=batch.by,
                at=batch.at,
            )


def _credit_all(
    batch: ImportBatch, rules: list[EarningRule], scheme: TierScheme | None, at: datetime
) -> None:
    compiler = Compiler(rules, live_campaigns(), at=batch.at, has_lines=batch.has_lines)
    if not compiler.gives_anything:
        return
    multipliers = _multipliers(scheme)
    _run(compiler.order_table(batch.table, tier_bp=multipliers.pop()))
    _run(("ANALYZE earning_order", {}))
    _run((compiler.work_table, {}))
    _run(compiler.growth())
    if scheme is not None and multipliers:
        _run(compiler.gains(scheme.metric))
        write_multipliers(table="earning_order", at=at)
    _run(compiler.points())
    _run(("ANALYZE earning_work", {}))
    earn_from_query(query=compiler.postings, keys_are_new=True)
    _run((compiler.earnings, {}))
    _run(("DROP TABLE earning_work, earning_order", {}))


def _multipliers(scheme: TierScheme | None) -> set[int]:
    """Return the different points multipliers of a scheme; at least one."""
    if scheme is None:
        return {BASIS}
    return {tier.multiplier_bp for tier in list_scheme_tiers(scheme=scheme)}


def _run(statement: tuple[str, dict[str, Any]]) -> None:
    sql, params = statement
    with connection.cursor() as cursor:
        # Without parameters a percent sign is only that.
        cursor.execute(sql, params or None)
