"""How orders to partners follow the redemptions that they fulfil when two members become one."""

from benefits.grants.merging import GRANTS
from members.merging.registry import Merging, Mover, ids, register_mover, run

_FOLLOW = """
UPDATE partners_fulfilmentorder SET member_id = %(to)s
FROM members_mergemove AS move
JOIN benefits_redemption AS redemption ON redemption.grant_id = move.row_id
WHERE move.merge_id = %(merge)s AND move.mover = %(grants)s
    AND partners_fulfilmentorder.redemption_id = redemption.id
    AND partners_fulfilmentorder.member_id <> %(to)s
"""


def _move(merging: Merging) -> int:
    return run(_FOLLOW, merging, grants=GRANTS, to=merging.survivor_id)


def _give_back(merging: Merging) -> int:
    return run(_FOLLOW, merging, grants=GRANTS, to=merging.merged_id)


def _left() -> list[int]:
    return ids(
        "SELECT DISTINCT member_id FROM partners_fulfilmentorder "
        "WHERE member_id IN (SELECT id FROM members_member WHERE status = 'merged')"
    )


register_mover(
    Mover(
        name="orders.orders",
        tables=frozenset({"partners_fulfilmentorder"}),
        move=_move,
        give_back=_give_back,
        left=_left,
    )
)
