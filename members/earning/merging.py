"""How earnings follow the purchases that gave them when two members become one."""

from members.activity.merging import PURCHASES
from members.merging.registry import Merging, Mover, register_mover, register_rows, run

_MOVE = """
UPDATE members_earning SET member_id = %(survivor)s FROM members_mergemove AS move
WHERE move.merge_id = %(merge)s AND move.mover = %(purchases)s
    AND members_earning.purchase_id = move.row_id AND members_earning.member_id = %(merged)s
"""
_GIVE_BACK = """
UPDATE members_earning SET member_id = %(merged)s FROM members_mergemove AS move
WHERE move.merge_id = %(merge)s AND move.mover = %(purchases)s
    AND members_earning.purchase_id = move.row_id AND members_earning.member_id = %(survivor)s
"""


def _move(merging: Merging) -> int:
    return run(_MOVE, merging, purchases=PURCHASES)


def _give_back(merging: Merging) -> int:
    return run(_GIVE_BACK, merging, purchases=PURCHASES)


register_mover(
    Mover(
        name="earning.earnings",
        tables=frozenset({"members_earning"}),
        move=_move,
        give_back=_give_back,
        left=list,
    )
)
# Each occasion earns once: where both have earned on one, the other's stays with the other.
register_rows(
    "earning.occasions",
    table="members_occasionearning",
    only=(
        "NOT EXISTS (SELECT FROM members_occasionearning AS held "
        "WHERE held.member_id = %(survivor)s AND held.rule_id = members_occasionearning.rule_id "
        "AND held.wallet = members_occasionearning.wallet "
        "AND held.occasion = members_occasionearning.occasion)"
    ),
)
register_rows("earning.boosts", table="members_earningboost")
