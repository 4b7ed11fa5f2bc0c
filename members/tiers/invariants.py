"""Checks that can be run on a brand at any time (DOMAIN §10, I9)."""

from collections.abc import Callable

from django.db import connection, transaction

from members.tiers._metrics import metric_sql, wallet_of
from members.tiers.models import TierScheme
from tenants.brands.context import current_brand

# The tier stored is where the last change led to, and each change begins where the one before
# ended; so with the tier earned, which a pin can hide. Tiers are compared by code: a new scheme
# takes over its tiers without a change.
_CHAIN = """
WITH changes AS (
    SELECT change.member_id, change.id, origin.code AS from_code, result.code AS to_code,
        earned.code AS earned_code,
        lag(result.code) OVER history AS earlier_code, lead(change.id) OVER history AS next_id
    FROM members_tierchange AS change
    JOIN members_tier AS origin ON origin.id = change.from_tier_id
    JOIN members_tier AS result ON result.id = change.to_tier_id
    JOIN members_tier AS earned ON earned.id = COALESCE(change.earned_tier_id, change.to_tier_id)
    WINDOW history AS (PARTITION BY change.member_id ORDER BY change.id)
)
SELECT changes.member_id, 'change ' || changes.id || ' does not follow the one before'
FROM changes WHERE earlier_code IS NOT NULL AND earlier_code <> from_code
UNION ALL
SELECT stored.member_id, 'stored tier is not the last change''s'
FROM members_membertier AS stored
JOIN members_tier AS tier ON tier.id = stored.tier_id
JOIN members_tier AS earned ON earned.id = COALESCE(stored.earned_tier_id, stored.tier_id)
LEFT JOIN changes ON changes.member_id = stored.member_id AND changes.next_id IS NULL
WHERE CASE WHEN changes.id IS NULL THEN tier.rank > 1 OR earned.rank > 1
    ELSE changes.to_code <> tier.code OR changes.earned_code <> earned.code END
UNION ALL
SELECT changes.member_id, 'a change without a stored tier'
FROM changes LEFT JOIN members_membertier AS stored ON stored.member_id = changes.member_id
WHERE stored.member_id IS NULL
LIMIT 20
"""

# A rise met its threshold and a fall missed it, and both thresholds were those of the scheme.
_THRESHOLDS = """
WITH changes AS (
    SELECT change.*, COALESCE(lag(COALESCE(earned_tier_id, to_tier_id))
        OVER (PARTITION BY member_id ORDER BY id), from_tier_id) AS earned_before_id,
        COALESCE(earned_tier_id, to_tier_id) AS earned_after_id
    FROM members_tierchange AS change
)
SELECT change.member_id, 'change ' || change.id || ' contradicts its evidence'
FROM changes AS change
JOIN members_tierscheme AS scheme ON scheme.version = change.scheme_version
JOIN members_tier AS held ON held.id = change.to_tier_id
JOIN members_tier AS result ON result.id = change.earned_after_id
JOIN members_tier AS origin ON origin.id = change.earned_before_id
WHERE held.scheme_id <> scheme.id
    OR (change.pin_id IS NOT NULL AND result.code <> origin.code)
    OR (change.pin_id IS NULL AND change.cause <> 'scheme' AND result.rank > origin.rank
        AND origin.scheme_id = scheme.id
        AND (change.metric_value < change.threshold
            OR change.threshold <> result.entry_threshold))
    OR (change.pin_id IS NULL AND change.cause <> 'scheme' AND result.rank < origin.rank
        AND origin.scheme_id = scheme.id
        AND (change.metric_value >= change.threshold
            OR change.threshold <> origin.keep_threshold))
LIMIT 20
"""

# At every instant at which something happened to a member, the tier held is what the pins of that
# instant make of the tier earned: nothing between two such instants can change it (I9).
_AS_OF = """
WITH instants AS (
    SELECT DISTINCT member_id, at FROM (
        SELECT member_id, at FROM members_tierchange
        UNION ALL SELECT member_id, applied_at FROM members_tierpin WHERE applied_at IS NOT NULL
        UNION ALL SELECT member_id, ended_at FROM members_tierpin WHERE applied_at IS NOT NULL
            AND ended_at IS NOT NULL
    ) AS happened
), state AS (
    SELECT instants.*, last.id AS change_id, scheme.id AS scheme_id,
        last.to_tier_id AS held_id, COALESCE(last.earned_tier_id, last.to_tier_id) AS earned_id
    FROM instants
    LEFT JOIN LATERAL (
        SELECT * FROM members_tierchange AS change
        WHERE change.member_id = instants.member_id AND change.at <= instants.at
        ORDER BY change.id DESC LIMIT 1
    ) AS last ON TRUE
    JOIN LATERAL (
        SELECT id FROM members_tierscheme
        WHERE status <> 'draft' AND CASE WHEN last.at = instants.at
            THEN version = last.scheme_version
            ELSE starts_on <= (instants.at AT TIME ZONE %(zone)s)::date END
        ORDER BY version DESC LIMIT 1
    ) AS scheme ON TRUE
), ranked AS (
    SELECT state.*,
        COALESCE((SELECT rank FROM {held}), 1) AS held_rank,
        COALESCE((SELECT rank FROM {earned}), 1) AS earned_rank
    FROM state
)
SELECT ranked.member_id, 'held rank ' || held_rank || ' at ' || at || ', pins say '
    || COALESCE(exact_rank, GREATEST(earned_rank, least_rank))
FROM ranked CROSS JOIN LATERAL (
    SELECT max(rank) FILTER (WHERE mode = 'exactly') AS exact_rank,
        max(rank) FILTER (WHERE mode = 'at_least') AS least_rank
    FROM (
        SELECT pin.mode, (SELECT rank FROM {pinned}) AS rank
        FROM members_tierpin AS pin
        WHERE pin.member_id = ranked.member_id AND pin.applied_at <= ranked.at
            AND (pin.ended_at IS NULL OR pin.ended_at > ranked.at)
    ) AS pins
) AS pinned
WHERE held_rank <> COALESCE(exact_rank, GREATEST(earned_rank, least_rank))
LIMIT 20
"""
# A tier under another scheme: the one of its code, else the highest not above its rank.
_UNDER = """(
    SELECT tier.rank FROM members_tier AS tier JOIN members_tier AS given ON given.id = {given}
    WHERE tier.scheme_id = {scheme} AND (tier.code = given.code OR tier.rank <= given.rank)
    ORDER BY tier.code = given.code DESC, tier.rank DESC LIMIT 1
) AS under"""

# What applies has begun, what is over has ended; what holds a tier is noted beside it.
_PINS = """
SELECT pin.member_id, 'pin ' || pin.id || ' does not agree with the tier stored'
FROM members_tierpin AS pin
LEFT JOIN members_membertier AS stored ON stored.member_id = pin.member_id
WHERE pin.applied_at IS NOT NULL AND pin.ended_at IS NULL AND stored.earned_tier_id IS NULL
UNION ALL
SELECT stored.member_id, 'an earned tier is noted without a pin'
FROM members_membertier AS stored
WHERE stored.earned_tier_id IS NOT NULL AND NOT EXISTS (
    SELECT FROM members_tierpin AS pin WHERE pin.member_id = stored.member_id
        AND pin.applied_at IS NOT NULL AND pin.ended_at IS NULL)
UNION ALL
SELECT pin.member_id, 'pin ' || pin.id || ' applied before its first day'
FROM members_tierpin AS pin
WHERE (pin.applied_at AT TIME ZONE %(zone)s)::date < pin.starts_on - 1
UNION ALL
SELECT term.member_id, 'term ' || term.id || ' does not follow the one before'
FROM members_paidterm AS term JOIN members_paidterm AS previous ON previous.id = term.previous_id
WHERE term.starts_on <> previous.ends_on OR term.member_id <> previous.member_id
LIMIT 20
"""

# The metric of a change, summed again from the journal as long as it was then.
_EVIDENCE = """
SELECT change.member_id, 'change ' || change.id || ' says ' || change.metric_value
    || ', its journal ' || sums.metric
FROM members_tierchange AS change
JOIN members_tierscheme AS scheme ON scheme.version = change.scheme_version
CROSS JOIN LATERAL ({metric}) AS sums
WHERE scheme.metric = '{name}' AND change.journal_seq IS NOT NULL AND change.pin_id IS NULL
    AND sums.metric <> change.metric_value
LIMIT 20
"""

# The same for spend and orders: from the purchases and refunds that were known then, each still
# there and of this member, now or before a merge.
_RECEIPT = """
SELECT change.member_id, 'change ' || change.id || ' says ' || change.metric_value
    || ', its purchases ' || sums.metric || CASE WHEN sums.strange > 0
        THEN ', of which ' || sums.strange || ' are not this member''s' ELSE '' END
FROM members_tierchange AS change
JOIN members_tierscheme AS scheme ON scheme.version = change.scheme_version
CROSS JOIN LATERAL (
    SELECT COALESCE(sum(CASE scheme.metric WHEN 'spend' THEN bought.amount_minor - back.amount
            ELSE (bought.amount_minor = 0 OR back.amount < bought.amount_minor)::int END), 0
        )::bigint AS metric,
        cardinality(change.purchase_ids) - count(bought.id) + count(bought.id) FILTER (
            WHERE bought.local_date >= change.window_to OR bought.local_date < change.window_from
            OR (bought.member_id <> change.member_id AND NOT EXISTS (
                SELECT FROM members_mergemove AS move
                JOIN members_membermerge AS merge ON merge.id = move.merge_id
                WHERE move.mover = 'activity.purchases' AND move.row_id = bought.id
                    AND change.member_id IN (merge.survivor_id, merge.merged_id)))) AS strange
    FROM members_purchase AS bought
    CROSS JOIN LATERAL (
        SELECT COALESCE(sum(amount_minor), 0) AS amount FROM members_refund AS refund
        WHERE refund.purchase_id = bought.id AND refund.id = ANY(change.refund_ids)
    ) AS back
    WHERE bought.id = ANY(change.purchase_ids)
) AS sums
WHERE scheme.metric IN ('spend', 'orders') AND change.purchase_ids IS NOT NULL
    AND change.pin_id IS NULL AND (sums.metric <> change.metric_value OR sums.strange > 0)
LIMIT 20
"""


def check_chain() -> list[str]:
    """Hold each stored tier against the changes that led to it, and these against each other."""
    return _run(_CHAIN)


def check_evidence() -> list[str]:
    """Hold each change against its threshold, and its metric against what was known at that time."""
    found = _run(_THRESHOLDS)
    for name in (TierScheme.Metric.GROWTH, TierScheme.Metric.POINTS_EARNED):
        metric = metric_sql(
            name,
            member="change.member_id",
            metric_from="change.window_from",
            keep_from="change.window_from",
            to_on="change.window_to",
            until="change.journal_seq",
            zone="COALESCE(change.zone, %(zone)s)",
            then="change.at",
            last="change.cause = 'merge'",
        )
        if wallet_of(name) is not None:
            found += _run(_EVIDENCE.format(metric=metric, name=name.value))
    return found + _run(_RECEIPT)


def check_pins() -> list[str]:
    """Hold paid terms and decisions by hand against the tiers noted beside them."""
    return _run(_PINS)


def check_history() -> list[str]:
    """I9: the tier held at any time is the one that its evidence gives, recomputed."""
    under = {
        name: _UNDER.format(given=given, scheme=scheme)
        for name, given, scheme in (
            ("held", "state.held_id", "state.scheme_id"),
            ("earned", "state.earned_id", "state.scheme_id"),
            ("pinned", "pin.tier_id", "ranked.scheme_id"),
        )
    }
    return _run(_AS_OF.format(**under))


def _run(statement: str) -> list[str]:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('statement_timeout', '600s', true)")
        cursor.execute(statement, {"zone": current_brand().timezone})
        return [f"member {member_id}: {problem}" for member_id, problem in cursor.fetchall()]


CHECKS: dict[str, Callable[[], list[str]]] = {
    "tiers.chain": check_chain,
    "tiers.evidence": check_evidence,
    "tiers.pins": check_pins,
    "tiers.history": check_history,
}
