"""The nightly job of this room: birthdays, in parts, each a transaction of its own."""

from datetime import timedelta

from django.db import transaction
from django.db.models import Max, Min

from core.clock import local_date
from members.earning.operations import credit_birthdays
from members.profiles.models import Member
from tenants.brands.context import current_brand
from tenants.jobs.runs import JobRun

BIRTHDAYS = "earning.birthdays"
# Nights that were missed are made up for; those that were not find nothing to do.
DAYS = 7
PART = 50_000


def run_birthdays(run: JobRun) -> None:
    """Credit the birthdays of today and of the days before that no night has credited."""
    today = local_date(run.at, current_brand().timezone)
    keys = Member.objects.aggregate(first=Min("pk"), last=Max("pk"))
    low, end = keys["first"] or 0, (keys["last"] or 0) + 1
    parts = [
        (today - timedelta(days=ago), start)
        for ago in reversed(range(DAYS))
        for start in range(low, end, PART)
    ]
    members = points = 0
    for number, (on, start) in enumerate(parts, start=1):
        run.progress(number - 1, len(parts))
        with transaction.atomic():
            found = credit_birthdays(low=start, high=start + PART, on=on, at=run.at)
            members += found.members
            points += found.points
            if number == len(parts):
                run.complete({"members": members, "points": points})
