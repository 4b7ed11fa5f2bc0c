"""The survivor's tier after a merge: what both have done counts from now on.

Changes of tier are evidence of what was decided about one member's own journal, so they stay with
that member; so does the tier that the merged member held, for the day it is given back. A tier
that is paid for or set by hand has no such journal: who holds one must be the survivor.
"""

from django.utils.translation import gettext_lazy as _

from core.errors import ConflictError
from members.merging.registry import Merging, Mover, register_mover, register_staying, run
from members.tiers.models import TierChange, TierPin
from members.tiers.operations import check_member, mark_due

# Nobody is welcomed to a tier twice, as one or as two.
_WELCOMES = """
INSERT INTO members_tierwelcome (member_id, tier_code, at)
SELECT %(survivor)s, tier_code, at FROM members_tierwelcome WHERE member_id = %(merged)s
ON CONFLICT (member_id, tier_code) DO NOTHING
"""


class HeldTierError(ConflictError):
    """The member who would go holds a tier that is paid for or set by hand."""

    code = "merged_member_holds_tier"
    message = _(
        "The member who would be merged has a tier that is paid for or set by hand. Let this one "
        "be the survivor, or end that first."
    )


def _check(merging: Merging) -> int:
    if TierPin.objects.filter(member_id=merging.merged_id, ended_at__isnull=True).exists():
        raise HeldTierError
    run(_WELCOMES, merging)
    change = check_member(
        member_id=merging.survivor_id, at=merging.at, cause=TierChange.Cause.MERGE
    )
    mark_due(member_id=merging.survivor_id)
    return int(change is not None)


def _give_back(merging: Merging) -> int:
    # Nothing is lowered at once: the night looks at both.
    mark_due(member_id=merging.survivor_id)
    mark_due(member_id=merging.merged_id)
    return 0


register_mover(
    Mover(
        name="tiers.survivor",
        tables=frozenset({"members_tierwelcome"}),
        move=_check,
        give_back=_give_back,
        left=list,
    )
)
register_staying("members_membertier", why="What the merged member held, for an undo.")
register_staying("members_tierchange", why="Evidence about the journal of that member.")
register_staying("members_tierpin", why="Ended before: a merge refuses one that holds.")
register_staying("members_paidterm", why="What that member paid for, and when.")
