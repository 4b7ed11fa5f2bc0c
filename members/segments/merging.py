"""Scores after two members became one: both are summed anew by the next run."""

from members.merging.registry import Merging, Mover, register_mover, register_staying
from members.segments.operations import mark_late


def _mark(merging: Merging) -> int:
    mark_late(member_ids=[merging.survivor_id, merging.merged_id])
    return 0


register_mover(
    Mover(
        name="segments.scores",
        tables=frozenset({"members_memberscore", "members_lateactivity"}),
        move=_mark,
        give_back=_mark,
        left=list,
    )
)
for _table in ("members_segmentmember", "members_segmentchange"):
    register_staying(_table, why="Who was in a segment on a day; the night places both anew.")
