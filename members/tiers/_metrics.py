"""The metric of a member as SQL: one aggregate over the journal, or over the member's days.

Growth and earned points count on the day of the entry; what a refund takes back counts on the
day of the entry that it takes back, so that a refund undoes exactly what its purchase gave.
"""

from django.db import connection

from members.tiers.models import TierScheme

_JOURNAL = """
    members_account AS account
    JOIN members_entry AS entry ON entry.account_id = account.id
    WHERE account.owner_id {owners} AND account.wallet_id = {wallet}
        AND entry.kind IN ({kinds}){until}
"""
# What a member's journal is: also those of whom was merged into the member. What such a merge
# hands over is no gain, so that every gain counts once, on its own day.
_WITH_MERGED = (
    "IN (SELECT {member} UNION ALL SELECT merged.id FROM members_member AS merged "
    "WHERE merged.merged_into_id = {member})"
)
# The same at the instant of an earlier decision.
_MERGED_THEN = (
    "IN (WITH RECURSIVE line AS (SELECT {member} AS id UNION SELECT merge.merged_id "
    "FROM line JOIN members_membermerge AS merge ON merge.survivor_id = line.id "
    "AND (merge.merged_at < {then} OR merge.merged_at = {then} AND {last}) AND (merge.undone_at IS NULL OR merge.undone_at > {then} "
    "OR merge.undone_at = {then} AND {last})) "
    "SELECT id FROM line)"
)
_DAYS = """
    members_memberday AS day
    WHERE day.member_id = {member} AND day.on_date < {to_on}
"""
# A scalar, not a join: it is asked for the few entries that take something back.
_INSTANT = (
    "CASE WHEN entry.kind = 10 THEN (SELECT undone.at FROM members_entry AS undone "
    "WHERE undone.account_id = entry.account_id AND undone.seq = entry.ref_seq) "
    "ELSE entry.at END"
)
# Where clocks go back over midnight, a day begins with the first of its two midnights; the
# database takes the second.
_BEGINNING = (
    "(({on}::date::timestamp AT TIME ZONE {zone}) - CASE WHEN (({on}::date::timestamp "
    "AT TIME ZONE {zone}) - interval '1 hour') AT TIME ZONE {zone} >= {on}::date "
    "THEN interval '1 hour' ELSE interval '0' END)"
)
_SINCE_INSTANT = "{from_on} IS NULL OR at >= {beginning}"
_SINCE_DAY = "{from_on} IS NULL OR on_date >= {from_on}::date"

_WALLETS = {TierScheme.Metric.POINTS_EARNED: 1, TierScheme.Metric.GROWTH: 2}


def wallet_of(metric: str) -> int | None:
    """Return the wallet whose journal a metric is read from; None for spend and orders."""
    return _WALLETS.get(TierScheme.Metric(metric))


def has_merged() -> bool:
    """Say whether any member was merged into another, which evaluations of many then look for."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM members_member WHERE merged_into_id IS NOT NULL)"
        )
        found: bool = cursor.fetchone()[0]
    return found


def metric_sql(
    metric: str,
    *,
    member: str,
    metric_from: str,
    keep_from: str,
    to_on: str,
    until: str = "",
    zone: str = "%(zone)s",
    then: str = "",
    last: str = "",
    merged: bool = True,
) -> str:
    """Return a query with one row: `metric` and `keep_metric` of a member, as bigint.

    All arguments but the first are SQL expressions: the member's key, the first days of the two
    windows (null: all time) and the day after both. `zone` is the time zone of these days. `until`
    limits the member's own journal to its first entries, as they were when a decision was made, and
    `then` (the instant of that decision) the journals of merged members, with those merged at that
    very instant if `last`. `merged` false: nobody was merged, which is quicker for many members.

    For many members use it as a lateral join: it then walks from each member by primary key,
    whatever the planner knows of tables that an import has just filled.
    """
    owners = f"= {member}"
    if until:
        owners = _MERGED_THEN.format(member=member, then=then, last=last)
    elif merged:
        owners = _WITH_MERGED.format(member=member)
    limit = (
        f" AND (entry.seq <= {until} AND account.owner_id = {member} "
        f"OR entry.at <= {then} AND account.owner_id <> {member})"
        if until
        else ""
    )
    columns, tables = _rows(metric, member=member, owners=owners, to_on=to_on, until=limit)
    return (
        f"SELECT {_sums(metric, metric_from, keep_from, zone)} "  # noqa: S608
        f"FROM (SELECT {columns} FROM {tables}) AS counted{_before(metric, to_on, zone)}"
    )


def receipt_sql(metric: str, *, member: str, from_on: str, to_on: str) -> tuple[str, str]:
    """Return two expressions: the keys of the purchases and refunds that make a metric.

    For evidence, in the very statement that sums the metric, so that both are of one instant. The
    other arguments are as those of `metric_sql`. Null for metrics that are read from a journal.
    """
    if wallet_of(metric) is not None:
        return "NULL::bigint[]", "NULL::bigint[]"
    days = (
        f"bought.member_id = {member} AND bought.local_date < {to_on} "
        f"AND ({from_on} IS NULL OR bought.local_date >= {from_on})"
    )
    tables = (
        "members_refund AS back JOIN members_purchase AS bought ON bought.id = back.purchase_id"
    )
    purchases = f"SELECT bought.id FROM members_purchase AS bought WHERE {days}"  # noqa: S608
    refunds = f"SELECT back.id FROM {tables} WHERE {days}"  # noqa: S608
    return f"ARRAY({purchases} ORDER BY 1)", f"ARRAY({refunds} ORDER BY 1)"


def beginning_of(on: str, *, zone: str = "%(zone)s") -> str:
    """Return the instant at which a brand day begins; both are SQL expressions."""
    return _BEGINNING.format(on=on, zone=zone)


def _sums(metric: str, metric_from: str, keep_from: str, zone: str) -> str:
    def since(first: str) -> str:
        if wallet_of(metric) is None:
            return _SINCE_DAY.format(from_on=first)
        return _SINCE_INSTANT.format(from_on=first, beginning=beginning_of(first, zone=zone))

    return ", ".join(
        f"COALESCE(sum(amount) FILTER (WHERE {since(first)}), 0)::bigint AS {name}"
        for name, first in (("metric", metric_from), ("keep_metric", keep_from))
    )


def _before(metric: str, to_on: str, zone: str) -> str:
    if wallet_of(metric) is None:
        return ""
    return f" WHERE at < {beginning_of(to_on, zone=zone)}"


def _rows(metric: str, *, member: str, owners: str, to_on: str, until: str) -> tuple[str, str]:
    """Return the columns (an amount and when it counts), and the tables with their condition."""
    if metric == TierScheme.Metric.SPEND:
        amount = "day.spend_minor - day.refunded_minor"
    elif metric == TierScheme.Metric.ORDERS:
        amount = "day.orders"
    else:
        is_growth = metric == TierScheme.Metric.GROWTH
        # A clawback of points already spent takes back less than was asked; what was earned is
        # lower by all of it.
        amount = "entry.delta" if is_growth else "entry.delta - COALESCE(entry.shortfall, 0)"
        journal = _JOURNAL.format(
            kinds="1, 5, 10" if is_growth else "1, 10",
            wallet=wallet_of(metric),
            owners=owners,
            until=until,
        )
        return f"{amount} AS amount, {_INSTANT} AS at", journal
    return f"{amount} AS amount, day.on_date", _DAYS.format(member=member, to_on=to_on)
