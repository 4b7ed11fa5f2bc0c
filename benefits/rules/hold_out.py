"""Who is left out of a rule to measure what it brings: a hash of rule and member. Pure.

The same in Python and SQL, so that the decision can be repeated anywhere, for ever.
"""

import hashlib

WHOLE = 10_000


def is_held_out(*, rule_code: str, member_id: int, hold_out_bp: int) -> bool:
    """Return whether a member is left out at a hold-out share in basis points.

    Raising the share only adds members, lowering it only removes some.
    """
    return share_of(rule_code=rule_code, member_id=member_id) < hold_out_bp


def held_out_sql(*, member: str, code: str, share: str) -> str:
    """Return the same as an SQL expression; the arguments are SQL expressions themselves."""
    digest = f"substr(md5({code}::text || ':' || {member}::text), 1, 8)"
    # A share of zero must not cost a hash per member.
    number = f"('x' || {digest})::bit(32)::bigint"
    return f"({share} > 0 AND mod({number}, {WHOLE}) < {share})"


def share_of(*, rule_code: str, member_id: int) -> int:
    """Return a member's number for a rule, 0 to 9,999: those below the share are left out."""
    digest = hashlib.md5(f"{rule_code}:{member_id}".encode(), usedforsecurity=False)
    return int(digest.hexdigest()[:8], 16) % WHOLE
