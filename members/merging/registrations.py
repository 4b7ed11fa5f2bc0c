"""What this room offers: how profiles follow a merge, and its jobs."""

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from members.merging.duplicates import run_find_duplicates
from members.merging.jobs import erase_merged, run_follow_merges
from members.merging.models import DuplicatePair, MemberMerge, MergeMove
from members.merging.operations import FIND, FOLLOW
from members.merging.registry import register_rows, register_staying
from members.profiles.registry import DELETE, MemberTable, register_member_table
from tenants.events.registry import on_event
from tenants.jobs.registry import daily, register_job

# Whom the merged member invited; the survivor never is its own inviter.
register_rows(
    "profiles.invited",
    table="members_member",
    column="referred_by_id",
    only="id <> %(survivor)s",
)
# Who was merged into the merged member leads on to the survivor.
register_rows("profiles.merged", table="members_member", column="merged_into_id")
register_staying(
    "members_memberpersonal", why="The survivor's profile holds; the other's returns with an undo."
)
register_staying("members_consentchange", why="Said as that member; the profile it is about stays.")
register_staying("members_claim", why="A code claims the profile it was sent for.")
register_staying("members_erasure", why="A wish about that profile.")
register_staying("members_membermerge", why="A merge says who was merged when.")
register_staying("members_duplicatepair", why="A suggestion is about two members, not about one.")

for _table in (
    MemberTable(
        model="members.MemberMerge",
        title=_("Merges"),
        rows=lambda member_id: MemberMerge.objects.filter(
            Q(survivor_id=member_id) | Q(merged_id=member_id)
        ),
        erase={"reason": "", "undo_reason": ""},
        hidden=frozenset({"moved"}),
    ),
    MemberTable(
        model="members.MergeMove",
        title=_("What merges moved"),
        rows=lambda member_id: MergeMove.objects.filter(
            Q(merge__survivor_id=member_id) | Q(merge__merged_id=member_id)
        ),
    ),
    MemberTable(
        model="members.DuplicatePair",
        title=_("Likely duplicates"),
        rows=lambda member_id: DuplicatePair.objects.filter(
            Q(first_id=member_id) | Q(second_id=member_id)
        ),
        erase=DELETE,
    ),
):
    register_member_table(_table)

# Whoever was merged into an erased member is the same person.
on_event("member.erased", name="merging.erase_merged")(erase_merged)

register_job(
    FOLLOW,
    title=_("What was written late to merged members"),
    handler=run_follow_merges,
    schedule=daily(hour=1, minute=40),
)
register_job(
    FIND,
    title=_("Members who may be the same person"),
    handler=run_find_duplicates,
    schedule=daily(hour=5, minute=20),
)
