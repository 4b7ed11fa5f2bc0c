"""Checks that can be run on a brand at any time (DOMAIN §10)."""

from collections.abc import Callable

from django.db import connection, transaction

# What a rule gave (a cap of the wallet may cut it off there) is what the journal says it gave, and what refunds took back is what the
# journal says they did.
_POSTED = """
WITH posted AS (
    SELECT entry.source_id AS purchase_id, account.wallet_id,
        sum(entry.delta + COALESCE(entry.shortfall, 0)) AS amount
    FROM members_entry AS entry JOIN members_account AS account ON account.id = entry.account_id
    WHERE entry.source_type = 'purchase' AND entry.kind = 1
    GROUP BY 1, 2
), decided AS (
    SELECT purchase_id, CASE wallet WHEN 'points' THEN 1 ELSE 2 END AS wallet_id,
        sum(amount) AS amount
    FROM members_earning WHERE amount > 0 GROUP BY 1, 2
)
SELECT COALESCE(posted.purchase_id, decided.purchase_id)
FROM posted FULL JOIN decided USING (purchase_id, wallet_id)
WHERE posted.amount IS DISTINCT FROM decided.amount
LIMIT 20
"""
# The formula of `rules.refund_share` over all earnings at once.
_REFUNDED = """
WITH back AS (
    SELECT refund.purchase_id, line.category, sum(part.amount_minor) AS minor
    FROM members_refundline AS part
    JOIN members_refund AS refund ON refund.id = part.refund_id
    JOIN members_purchaseline AS line
        ON line.purchase_id = refund.purchase_id AND line.position = part.position
    GROUP BY 1, 2
), known AS (
    SELECT earning.purchase_id, earning.amount, earning.reversed, earning.eligible_minor AS e,
        purchase.amount_minor AS a, purchase.refunded_minor AS r,
        COALESCE(lines.minor, 0) AS l, LEAST(COALESCE(lines.counted, 0), earning.eligible_minor)
            AS c
    FROM members_earning AS earning
    JOIN members_purchase AS purchase ON purchase.id = earning.purchase_id
    JOIN members_earningrule AS rule ON rule.id = earning.rule_id
    LEFT JOIN LATERAL (
        SELECT sum(back.minor) AS minor, sum(back.minor) FILTER (
            WHERE (rule.categories ? back.category) = (rule.category_mode = 'only')) AS counted
        FROM back
        WHERE back.purchase_id = earning.purchase_id AND rule.categories <> '[]'::jsonb
    ) AS lines ON TRUE
    WHERE purchase.amount_minor > 0
)
SELECT purchase_id FROM known
WHERE reversed <> CASE
    WHEN r >= a THEN amount
    WHEN e <= 0 OR l = 0 THEN div(amount::numeric * r, a)
    ELSE div(amount::numeric * (c * (a - l) + (r - l) * (e - c)), e::numeric * (a - l)) END
LIMIT 20
"""
_OCCASIONS = """
SELECT earning.id FROM members_occasionearning AS earning
LEFT JOIN members_account AS account ON account.owner_id = earning.member_id
    AND account.wallet_id = CASE earning.wallet WHEN 'points' THEN 1 ELSE 2 END
LEFT JOIN members_entry AS entry ON entry.account_id = account.id AND entry.kind = 1
    AND entry.source_type = 'occasion' AND entry.source_id = earning.id
WHERE COALESCE(entry.delta + COALESCE(entry.shortfall, 0), 0) <> earning.amount LIMIT 20
"""


def check_posted() -> list[str]:
    """Hold the decisions of each purchase against the journal."""
    return [f"purchase {key}: decided and posted differ" for key in _run(_POSTED)]


def check_refunded() -> list[str]:
    """Hold what was taken back of each purchase against its refunds."""
    return [f"purchase {key}: refunded and taken back differ" for key in _run(_REFUNDED)]


def check_occasions() -> list[str]:
    """Hold what occasions gave against the journal."""
    return [f"occasion {key}: decided and posted differ" for key in _run(_OCCASIONS)]


def _run(statement: str) -> list[int]:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('statement_timeout', '600s', true)")
        cursor.execute(statement)
        return [row[0] for row in cursor.fetchall()]


CHECKS: dict[str, Callable[[], list[str]]] = {
    "earning.posted": check_posted,
    "earning.refunded": check_refunded,
    "earning.occasions": check_occasions,
}
