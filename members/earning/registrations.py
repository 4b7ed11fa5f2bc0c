"""What this room offers to others: effects of imported purchases, handlers, the nightly job."""

from django.utils.translation import gettext_lazy as _

from members.activity.effects import register_import_effect
from members.earning import handlers
from members.earning.imports import apply_import
from members.earning.jobs import BIRTHDAYS, run_birthdays
from members.earning.segment_uses import find_uses
from members.earning.tier_costs import estimate_points_cost
from members.profiles.registry import MemberTable, register_member_table
from members.segments.usage import register_user
from members.tiers.costs import register_cost
from tenants.jobs.registry import daily, register_job

register_import_effect(apply_import)
handlers.register()
# After the night has placed everybody in a tier.
register_job(
    BIRTHDAYS, title=_("Birthday points"), handler=run_birthdays, schedule=daily(hour=5, minute=0)
)
register_member_table(
    MemberTable(
        model="members.Earning", title=_("What purchases earned"), member="purchase__member_id"
    )
)
register_member_table(
    MemberTable(model="members.OccasionEarning", title=_("What other occasions earned"))
)
register_user(find_uses)
register_member_table(MemberTable(model="members.EarningBoost", title=_("Times of more points")))
register_cost("points", estimate_points_cost, label=_("Points"))
