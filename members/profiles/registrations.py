"""What this room tells lower ones at start, and holds about members for them."""

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from members.points.models import (
    Account,
    AdjustmentRequest,
    EarnedDay,
    Entry,
    ExpiryNotice,
    Hold,
    Lot,
    Transfer,
)
from members.profiles import _trace_steps, erasure_operations, operations, queries, words
from members.profiles.registry import (
    DELETE,
    MemberTable,
    register_member_table,
    register_trace_step,
)
from tenants.accounts.registry import on_user_created, register_sign_in_candidate
from tenants.audit.registry import guard_words
from tenants.jobs.registry import register_job

register_sign_in_candidate(queries.is_sign_in_address)
on_user_created(operations.claim_user)

_INNER = frozenset({"name_folded", "grams", "phone_tail"})

for _table in (
    # The rows of these two are taken apart by the erasure itself.
    MemberTable(model="members.Member", title=_("Membership"), member="pk", hidden=frozenset()),
    MemberTable(model="members.MemberPersonal", title=_("Profile"), erase=DELETE, hidden=_INNER),
    MemberTable(
        model="members.ConsentChange", title=_("Consents"), also={"purpose__code": _("Consent")}
    ),
    MemberTable(
        model="members.Claim",
        title=_("Codes for claiming the membership"),
        erase=DELETE,
        hidden=frozenset({"digest", "key"}),
    ),
    MemberTable(
        model="members.Erasure",
        title=_("Requests to be erased"),
        erase={"reason": ""},
        hidden=frozenset({"traces", "report"}),
    ),
    MemberTable(
        model="members.Account",
        title=_("Point accounts"),
        rows=lambda member_id: Account.objects.filter(owner_id=member_id),
    ),
    MemberTable(
        model="members.Entry",
        title=_("Points"),
        rows=lambda member_id: Entry.objects.filter(account__owner_id=member_id),
    ),
    MemberTable(
        model="members.Lot",
        title=_("Lots"),
        rows=lambda member_id: Lot.objects.filter(account__owner_id=member_id),
    ),
    MemberTable(
        model="members.Hold",
        title=_("Holds"),
        rows=lambda member_id: Hold.objects.filter(account__owner_id=member_id),
    ),
    MemberTable(
        model="members.Transfer",
        title=_("Points passed on"),
        rows=lambda member_id: Transfer.objects.filter(
            Q(from_account__owner_id=member_id) | Q(to_account__owner_id=member_id)
        ),
    ),
    MemberTable(
        model="members.AdjustmentRequest",
        title=_("Requests for adjustments"),
        rows=lambda member_id: AdjustmentRequest.objects.filter(owner_id=member_id),
    ),
    MemberTable(
        model="members.EarnedDay",
        title=_("Points earned per day"),
        rows=lambda member_id: EarnedDay.objects.filter(account__owner_id=member_id),
    ),
    MemberTable(
        model="members.ExpiryNotice",
        title=_("Notices of points about to expire"),
        rows=lambda member_id: ExpiryNotice.objects.filter(account__owner_id=member_id),
    ),
):
    register_member_table(_table)

register_trace_step("events", _trace_steps.clean_events)
register_trace_step("answers", _trace_steps.clean_answers)
register_trace_step("sessions", _trace_steps.clean_sessions)
register_trace_step("jobs", _trace_steps.clean_jobs)

guard_words("member", words.refuse_for_member)
guard_words("points_account", words.refuse_for_account)
guard_words("adjustment_request", words.refuse_for_request)

register_job(
    erasure_operations.JOB, title=_("Erase a member"), handler=erasure_operations.clear_traces
)
