"""How purchases, days and events follow when two members become one."""

from members.merging.registry import Merging, Mover, ids, register_mover, register_rows, run

PURCHASES = "activity.purchases"

_MOVE = """
WITH moved AS (
    UPDATE members_purchase SET member_id = %(survivor)s WHERE member_id = %(merged)s RETURNING id
)
INSERT INTO members_mergemove (merge_id, mover, row_id) SELECT %(merge)s, %(name)s, id FROM moved
ON CONFLICT DO NOTHING
"""
_GIVE_BACK = """
UPDATE members_purchase SET member_id = %(merged)s FROM members_mergemove AS move
WHERE move.merge_id = %(merge)s AND move.mover = %(name)s AND move.row_id = members_purchase.id
    AND members_purchase.member_id = %(survivor)s
"""
# The days of the purchases that moved are added up anew, for both.
_DATES = """
SELECT DISTINCT purchase.local_date
FROM members_mergemove AS move JOIN members_purchase AS purchase ON purchase.id = move.row_id
WHERE move.merge_id = %(merge)s AND move.mover = %(name)s
"""
_FORGET_DAYS = f"""
DELETE FROM members_memberday
WHERE member_id IN (%(survivor)s, %(merged)s) AND on_date IN ({_DATES})
"""  # noqa: S608
_ADD_DAYS = f"""
INSERT INTO members_memberday (member_id, on_date, orders, spend_minor, refunded_minor)
SELECT member_id, local_date,
    count(*) FILTER (WHERE refunded_minor < amount_minor OR amount_minor = 0),
    sum(amount_minor), sum(refunded_minor)
FROM members_purchase
WHERE member_id IN (%(survivor)s, %(merged)s) AND local_date IN ({_DATES})
GROUP BY member_id, local_date ORDER BY member_id, local_date
"""  # noqa: S608


def _move(merging: Merging) -> int:
    moved = run(_MOVE, merging, name=PURCHASES)
    _renew_days(merging)
    return moved


def _give_back(merging: Merging) -> int:
    moved = run(_GIVE_BACK, merging, name=PURCHASES)
    _renew_days(merging)
    return moved


def _renew_days(merging: Merging) -> None:
    run(_FORGET_DAYS, merging, name=PURCHASES)
    run(_ADD_DAYS, merging, name=PURCHASES)


def _left() -> list[int]:
    return ids(
        "SELECT DISTINCT member_id FROM members_purchase "
        "WHERE member_id IN (SELECT id FROM members_member WHERE status = 'merged')"
    )


register_mover(
    Mover(
        name=PURCHASES,
        tables=frozenset({"members_purchase", "members_memberday"}),
        move=_move,
        give_back=_give_back,
        left=_left,
    )
)
register_rows("activity.events", table="members_activityevent")
