"""The metric of a member as SQL: one aggregate over the journal, or over the member's days.

Growth and earned points count on the day of the entry; what a refund takes back counts on the
day of the entry that it takes back, so that a refund undoes exactly what its purchase gave.
"""

from members.tiers.models import TierScheme

_JOURNAL = """
    SELECT entry.{amount} AS amount, COALESCE(undone.at, entry.at) AS at
    FROM members_account AS account
    JOIN members_entry AS entry ON entry.account_id = account.id
    LEFT JOIN members_entry AS undone ON entry.kind = 10
        AND undone.account_id = entry.account_id AND undone.seq = entry.ref_seq
    WHERE account.owner_id = {member} AND account.wallet_id = {wallet}
        AND entry.kind IN ({kinds}){until}
"""
_FROM_ENTRIES = """
    SELECT COALESCE(sum(amount) FILTER ({since_metric}), 0)::bigint AS metric,
        COALESCE(sum(amount) FILTER ({since_keep}), 0)::bigint AS keep_metric
    FROM ({journal}) AS counted
    WHERE at < ({to_on}::timestamp AT TIME ZONE %(zone)s)
"""
_FROM_DAYS = """
    SELECT COALESCE(sum({amount}) FILTER ({since_metric}), 0)::bigint AS metric,
        COALESCE(sum({amount}) FILTER ({since_keep}), 0)::bigint AS keep_metric
    FROM members_memberday AS day
    WHERE day.member_id = {member} AND day.on_date < {to_on}
"""
_SINCE_INSTANT = (
    "WHERE {from_on} IS NULL OR at >= ({from_on}::date::timestamp AT TIME ZONE %(zone)s)"
)
_SINCE_DAY = "WHERE {from_on} IS NULL OR day.on_date >= {from_on}::date"

_WALLETS = {TierScheme.Metric.POINTS_EARNED: 1, TierScheme.Metric.GROWTH: 2}


def wallet_of(metric: str) -> int | None:
    """Return the wallet whose journal a metric is read from; None for spend and orders."""
    return _WALLETS.get(TierScheme.Metric(metric))


def metric_sql(
    metric: str, *, member: str, metric_from: str, keep_from: str, to_on: str, until: str = ""
) -> str:
    """Return a query with one row: `metric` and `keep_metric` of a member, as bigint.

    All arguments but the first are SQL expressions: the member's key, the first days of the two
    windows (null: all time) and the day after both. It uses the parameter `zone`. `until` limits
    the journal to its first entries, as they were when a decision was made.
    """
    if metric in {TierScheme.Metric.SPEND, TierScheme.Metric.ORDERS}:
        spent = "day.spend_minor - day.refunded_minor"
        return _FROM_DAYS.format(
            amount=spent if metric == TierScheme.Metric.SPEND else "day.orders",
            since_metric=_SINCE_DAY.format(from_on=metric_from),
            since_keep=_SINCE_DAY.format(from_on=keep_from),
            member=member,
            to_on=to_on,
        )
    is_growth = metric == TierScheme.Metric.GROWTH
    journal = _JOURNAL.format(
        # A clawback of points already spent takes back less than was asked; what was earned is
        # lower by all of it.
        amount="delta" if is_growth else "delta - COALESCE(entry.shortfall, 0)",
        kinds="1, 5, 10" if is_growth else "1, 10",
        wallet=wallet_of(metric),
        member=member,
        until=f" AND entry.seq <= {until}" if until else "",
    )
    return _FROM_ENTRIES.format(
        since_metric=_SINCE_INSTANT.format(from_on=metric_from),
        since_keep=_SINCE_INSTANT.format(from_on=keep_from),
        journal=journal,
        to_on=to_on,
    )
