"""The jobs of this room, and what it does when it hears of events; each may happen again."""

from django.db import transaction

from core.actors import SYSTEM
from members.merging.operations import follow_merges
from members.profiles.erasure_operations import erase_member
from members.profiles.models import Member
from tenants.events.models import Event
from tenants.jobs.registry import JobRun


def run_follow_merges(run: JobRun) -> None:
    """Take to the survivors what was written late to merged members."""
    followed = follow_merges(at=run.at)
    with transaction.atomic():
        run.complete({"members": followed})


def erase_merged(event: Event) -> None:
    """Erase the profiles of those who were merged into a member who was erased."""
    survivor = int(event.subject.partition(":")[2])
    for member in Member.objects.filter(merged_into=survivor, status=Member.Status.MERGED):
        erase_member(member=member, confirm=str(member.number), by=SYSTEM, at=event.at)
