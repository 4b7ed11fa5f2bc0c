"""Checks that can be run on a brand at any time (DOMAIN §10)."""

from collections.abc import Callable

from django.db import connection, transaction

# What a rule gave is what the journal says it gave, and what refunds took back is what the
# journal says they did.
_POSTED = """
WITH posted AS (
    SELECT entry.source_id AS purchase_id, account.wallet_id, sum(entry.delta) AS amount
    FROM members_entry AS entry JOIN members_account AS account ON account.id = entry.account_id
    WHERE entry.source_type = 'purchase' AND entry.kind = 1
    GROUP BY 1, 2
), decided AS (
    SELECT purchase_id, CASE wallet WHEN 'points' THEN 1 ELSE 2 END AS wallet_id,
        sum(amount) AS amount
    FROM members_earning GROUP BY 1, 2
)
SELECT COALESCE(posted.purchase_id, decided.purchase_id)
FROM posted FULL JOIN decided USING (purchase_id, wallet_id)
WHERE posted.amount IS DISTINCT FROM decided.amount
LIMIT 20
"""
_REFUNDED = """
SELECT earning.purchase_id
FROM members_earning AS earning JOIN members_purchase AS purchase
    ON purchase.id = earning.purchase_id
WHERE purchase.amount_minor > 0 AND earning.reversed
    <> div(earning.amount::numeric * purchase.refunded_minor, purchase.amount_minor)
LIMIT 20
"""


def check_posted() -> list[str]:
    """Hold the decisions of each purchase against the journal."""
    return [f"purchase {key}: decided and posted differ" for key in _run(_POSTED)]


def check_refunded() -> list[str]:
    """Hold what was taken back of each purchase against its refunds."""
    return [f"purchase {key}: refunded and taken back differ" for key in _run(_REFUNDED)]


def _run(statement: str) -> list[int]:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('statement_timeout', '600s', true)")
        cursor.execute(statement)
        return [row[0] for row in cursor.fetchall()]


CHECKS: dict[str, Callable[[], list[str]]] = {
    "earning.posted": check_posted,
    "earning.refunded": check_refunded,
}
