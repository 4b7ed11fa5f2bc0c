"""How rights and their uses follow when two members become one.

Both may have been given the same right for the same period. The survivor then has both: the one
that comes over carries the merge in its period key. A use always follows its right.
"""

from members.merging.registry import Merging, Mover, ids, register_mover, register_staying, run

GRANTS = "grants.grants"
# Room in the period key for the mark of a merge.
_KEPT = 40

_MOVE_EQUAL = f"""
WITH moved AS (
    UPDATE benefits_grant AS held
    SET member_id = %(survivor)s, period_key = left(period_key, {_KEPT}) || '~' || %(merge)s
    WHERE member_id = %(merged)s AND EXISTS (
        SELECT FROM benefits_grant AS other
        WHERE other.member_id = %(survivor)s AND other.benefit_id = held.benefit_id
            AND other.period_key = held.period_key
            AND other.rule_id IS NOT DISTINCT FROM held.rule_id)
    RETURNING held.id, old.period_key
)
INSERT INTO members_mergemove (merge_id, mover, row_id, before)
SELECT %(merge)s, %(name)s, id, jsonb_build_object('period_key', period_key) FROM moved
ON CONFLICT DO NOTHING
"""  # noqa: S608
_MOVE = """
WITH moved AS (
    UPDATE benefits_grant SET member_id = %(survivor)s WHERE member_id = %(merged)s RETURNING id
)
INSERT INTO members_mergemove (merge_id, mover, row_id) SELECT %(merge)s, %(name)s, id FROM moved
ON CONFLICT DO NOTHING
"""
_GIVE_BACK = """
UPDATE benefits_grant
SET member_id = %(merged)s, period_key = COALESCE(move.before ->> 'period_key', period_key)
FROM members_mergemove AS move
WHERE move.merge_id = %(merge)s AND move.mover = %(name)s AND move.row_id = benefits_grant.id
    AND benefits_grant.member_id = %(survivor)s
"""
# Also uses of the time in between, of rights that moved.
_USES = """
UPDATE benefits_redemption SET member_id = held.member_id
FROM members_mergemove AS move JOIN benefits_grant AS held ON held.id = move.row_id
WHERE move.merge_id = %(merge)s AND move.mover = %(name)s
    AND benefits_redemption.grant_id = held.id
    AND benefits_redemption.member_id <> held.member_id
"""


def _move(merging: Merging) -> int:
    moved = run(_MOVE_EQUAL, merging, name=GRANTS) + run(_MOVE, merging, name=GRANTS)
    run(_USES, merging, name=GRANTS)
    return moved


def _give_back(merging: Merging) -> int:
    moved = run(_GIVE_BACK, merging, name=GRANTS)
    run(_USES, merging, name=GRANTS)
    return moved


def _left() -> list[int]:
    return ids(
        "SELECT member_id FROM benefits_grant "
        "WHERE member_id IN (SELECT id FROM members_member WHERE status = 'merged') "
        "UNION SELECT member_id FROM benefits_redemption "
        "WHERE member_id IN (SELECT id FROM members_member WHERE status = 'merged')"
    )


register_mover(
    Mover(
        name=GRANTS,
        tables=frozenset({"benefits_grant", "benefits_redemption"}),
        move=_move,
        give_back=_give_back,
        left=_left,
    )
)
register_staying(
    "benefits_holdout", why="Who was left out, decided by the key of the member, to measure by."
)
