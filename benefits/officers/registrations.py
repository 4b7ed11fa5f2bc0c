"""What this room tells others: what it holds about members, how it merges, its job, its cards."""

from collections.abc import Iterator

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from benefits.officers.models import OfficerRound
from benefits.officers.operations import close_due
from members.merging.registry import register_rows
from members.profiles.registry import DELETE, MemberTable, register_member_table
from members.segments.usage import Use, register_user
from tenants.jobs.registry import JobRun, daily, register_job

JOB = "officers.close"


def close_rounds(run: JobRun) -> None:
    """Job `officers.close`: close the rounds whose last day has passed, and thank."""
    with transaction.atomic():
        run.complete({"closed": close_due(at=run.at)})


def find_uses() -> Iterator[Use]:
    """Give the conditions of all rounds that still invite by them."""
    drafts = OfficerRound.objects.filter(state="draft").exclude(condition=None)
    for title, condition in drafts.values_list("title", "condition"):
        yield Use(_("round of officers"), title, condition)


def register() -> None:
    """Register everything; called once when the application is ready."""
    for table in (
        MemberTable(model="benefits.OfficerSeat", title=_("Rounds as an experience officer")),
        MemberTable(
            model="benefits.DiaryEntry",
            title=_("Diary as an experience officer"),
            member="seat__member_id",
            erase={"words": ""},
        ),
        MemberTable(
            model="benefits.DiaryPhoto",
            title=_("Photos of the diary"),
            member="entry__seat__member_id",
            erase=DELETE,
        ),
        MemberTable(
            model="benefits.OfficerIdea",
            title=_("Ideas as an experience officer"),
            member="seat__member_id",
            erase={"words": ""},
        ),
        MemberTable(
            model="benefits.IdeaVote", title=_("Votes for ideas"), member="seat__member_id"
        ),
    ):
        register_member_table(table)
    register_rows(
        "officers.seats",
        table="benefits_officerseat",
        only=(
            "NOT EXISTS (SELECT FROM benefits_officerseat AS held "
            "WHERE held.member_id = %(survivor)s AND held.round_id = benefits_officerseat.round_id)"
        ),
    )
    register_user(find_uses)
    register_job(
        JOB, title=_("Close rounds of officers"), handler=close_rounds, schedule=daily(hour=3)
    )
