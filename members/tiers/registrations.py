"""What this room offers to others: the condition field `tier` and the nightly job."""

from collections.abc import Mapping

from django.utils.functional import Promise
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from members.profiles.registry import MemberTable, register_member_table
from members.segments.conditions import (
    Field,
    FieldType,
    Group,
    Source,
    register_field,
    register_source,
)
from members.tiers.jobs import run_evaluate, run_simulate
from members.tiers.models import Tier
from members.tiers.operations import EVALUATE, SIMULATE
from tenants.jobs.registry import daily, register_job


def _tier_names() -> Mapping[str, str | Promise]:
    """Return the tiers by code, lowest first: those of the newest scheme win over older ones."""
    language = get_language() or "en"
    found: dict[str, str | Promise] = {}
    for code, name in Tier.objects.order_by("scheme__version", "rank").values_list("code", "name"):
        found.pop(code, None)
        found[code] = name.get(language) or name.get("en") or next(iter(name.values()), code)
    return found


# Who has no row holds the first tier of the scheme in force; a tier of an earlier scheme counts
# by its code until the night has placed its holder.
register_source(
    Source(
        name="tier",
        sql=(
            "LEFT JOIN members_membertier AS held ON held.member_id = member.id "
            "LEFT JOIN members_tier AS held_tier ON held_tier.id = held.tier_id"
        ),
    )
)
register_field(
    Field(
        name="tier",
        type=FieldType.TEXT,
        label=_("Tier"),
        group=Group.VALUE,
        names=_tier_names,
        is_closed=True,
        sql=(
            "COALESCE(held_tier.code, (SELECT first.code FROM members_tier AS first "
            "JOIN members_tierscheme AS scheme ON scheme.id = first.scheme_id "
            "WHERE first.rank = 1 AND scheme.status <> 'draft' "
            "AND scheme.starts_on <= %(day)s::date ORDER BY scheme.version DESC LIMIT 1))"
        ),
        source="tier",
        moves=True,
    )
)
register_job(SIMULATE, title=_("Simulation of tiers"), handler=run_simulate)
register_job(EVALUATE, title=_("Tiers"), handler=run_evaluate, schedule=daily(hour=2, minute=30))
register_member_table(MemberTable(model="members.MemberTier", title=_("Tier")))
register_member_table(MemberTable(model="members.TierChange", title=_("Tier history")))
register_member_table(MemberTable(model="members.TierPin", title=_("What holds the tier")))
register_member_table(MemberTable(model="members.PaidTerm", title=_("Paid memberships")))
register_member_table(MemberTable(model="members.TierWelcome", title=_("Welcomes to tiers")))
