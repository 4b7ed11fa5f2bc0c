"""Checks that can be run on a brand at any time (DOMAIN §10, I9)."""

from collections.abc import Callable

from django.db import connection, transaction

from members.tiers._metrics import metric_sql, wallet_of
from members.tiers.models import TierScheme
from tenants.brands.context import current_brand

# The tier stored is where the last change led to, and each change begins where the one before
# ended. Tiers are compared by code: a new scheme takes over its tiers without a change.
_CHAIN = """
WITH changes AS (
    SELECT change.member_id, change.id, origin.code AS from_code, result.code AS to_code,
        lag(result.code) OVER (PARTITION BY change.member_id ORDER BY change.id) AS earlier_code,
        lead(change.id) OVER (PARTITION BY change.member_id ORDER BY change.id) AS next_id
    FROM members_tierchange AS change
    JOIN members_tier AS origin ON origin.id = change.from_tier_id
    JOIN members_tier AS result ON result.id = change.to_tier_id
)
SELECT changes.member_id, 'change ' || changes.id || ' does not follow the one before'
FROM changes WHERE earlier_code IS NOT NULL AND earlier_code <> from_code
UNION ALL
SELECT stored.member_id, 'stored tier is not the last change''s'
FROM members_membertier AS stored
JOIN members_tier AS tier ON tier.id = stored.tier_id
LEFT JOIN changes ON changes.member_id = stored.member_id AND changes.next_id IS NULL
WHERE changes.to_code IS DISTINCT FROM tier.code
UNION ALL
SELECT changes.member_id, 'a change without a stored tier'
FROM changes LEFT JOIN members_membertier AS stored ON stored.member_id = changes.member_id
WHERE stored.member_id IS NULL
LIMIT 20
"""

# A rise met its threshold and a fall missed it, and both thresholds were those of the scheme.
_THRESHOLDS = """
SELECT change.member_id, 'change ' || change.id || ' contradicts its evidence'
FROM members_tierchange AS change
JOIN members_tierscheme AS scheme ON scheme.version = change.scheme_version
JOIN members_tier AS result ON result.id = change.to_tier_id
JOIN members_tier AS origin ON origin.id = change.from_tier_id
WHERE result.scheme_id <> scheme.id
    OR (change.cause <> 'scheme' AND result.rank > origin.rank
        AND origin.scheme_id = scheme.id
        AND (change.metric_value < change.threshold
            OR change.threshold <> result.entry_threshold))
    OR (change.cause <> 'scheme' AND result.rank < origin.rank
        AND origin.scheme_id = scheme.id
        AND (change.metric_value >= change.threshold
            OR change.threshold <> origin.keep_threshold))
LIMIT 20
"""

# The metric of a change, summed again from the journal as long as it was then.
_EVIDENCE = """
SELECT change.member_id, 'change ' || change.id || ' says ' || change.metric_value
    || ', its journal ' || sums.metric
FROM members_tierchange AS change
JOIN members_tierscheme AS scheme ON scheme.version = change.scheme_version
CROSS JOIN LATERAL ({metric}) AS sums
WHERE scheme.metric = '{name}' AND change.journal_seq IS NOT NULL
    AND sums.metric <> change.metric_value
LIMIT 20
"""


def check_chain() -> list[str]:
    """Hold each stored tier against the changes that led to it, and these against each other."""
    return _run(_CHAIN)


def check_evidence() -> list[str]:
    """Hold each change against its threshold, and its metric against the journal of that time."""
    found = _run(_THRESHOLDS)
    for name in (TierScheme.Metric.GROWTH, TierScheme.Metric.POINTS_EARNED):
        metric = metric_sql(
            name,
            member="change.member_id",
            metric_from="change.window_from",
            keep_from="change.window_from",
            to_on="change.window_to",
            until="change.journal_seq",
        )
        if wallet_of(name) is not None:
            found += _run(_EVIDENCE.format(metric=metric, name=name.value))
    return found


def _run(statement: str) -> list[str]:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('statement_timeout', '600s', true)")
        cursor.execute(statement, {"zone": current_brand().timezone})
        return [f"member {member_id}: {problem}" for member_id, problem in cursor.fetchall()]


CHECKS: dict[str, Callable[[], list[str]]] = {
    "tiers.chain": check_chain,
    "tiers.evidence": check_evidence,
}
