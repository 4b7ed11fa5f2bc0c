"""Idempotency keys of postings: the same facts give the same key, in Python and in SQL.

Not `core.ids.derived_uuid`: PostgreSQL has no SHA-1, and a file import makes its keys there.
"""

import hashlib
from uuid import UUID

# The same as `earning_key`, over columns purchase_id, rule_id and wallet.
EARNING_KEY_SQL = (
    "substr(encode(sha256(convert_to("
    "'earn:' || purchase_id || ':' || rule_id || ':' || wallet, 'UTF8')), 'hex'), 1, 32)::uuid"
)

# The same as `occasion_key`, over columns member_id, rule_id, wallet and occasion.
OCCASION_KEY_SQL = (
    "substr(encode(sha256(convert_to('occasion:' || member_id || ':' || rule_id || ':' || wallet "
    "|| ':' || occasion, 'UTF8')), 'hex'), 1, 32)::uuid"
)


def earning_key(*, purchase_id: int, rule_id: int, wallet: str) -> UUID:
    """Return the key of what a rule gives for a purchase in a wallet."""
    return _key(f"earn:{purchase_id}:{rule_id}:{wallet}")


def refund_key(*, refund_id: int, rule_id: int, wallet: str) -> UUID:
    """Return the key of what a refund takes back of what a rule gave in a wallet."""
    return _key(f"refund:{refund_id}:{rule_id}:{wallet}")


def occasion_key(*, member_id: int, rule_id: int, wallet: str, occasion: str) -> UUID:
    """Return the key of what a rule gives a member in a wallet on an occasion."""
    return _key(f"occasion:{member_id}:{rule_id}:{wallet}:{occasion}")


def _key(text: str) -> UUID:
    return UUID(hex=hashlib.sha256(text.encode()).hexdigest()[:32])
