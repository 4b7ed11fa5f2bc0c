"""What this room offers to others: the effects of imported purchases."""

from django.utils.translation import gettext_lazy as _

from members.activity.effects import register_import_effect
from members.earning.imports import apply_import
from members.profiles.registry import MemberTable, register_member_table

register_import_effect(apply_import)
register_member_table(
    MemberTable(
        model="members.Earning", title=_("What purchases earned"), member="purchase__member_id"
    )
)
