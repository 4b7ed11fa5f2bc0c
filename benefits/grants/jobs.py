"""The jobs of this room: issuing periods, and ending what nobody took up."""

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from benefits.grants.appointments import remind
from benefits.grants.errors import InvalidStateError
from benefits.grants.issuing import issue
from benefits.grants.models import Redemption
from benefits.grants.operations import expire
from benefits.grants.periods import current_period
from benefits.grants.popularity import run_count
from benefits.grants.reminders import remind_services
from benefits.grants.revoking import revoke_lost
from benefits.grants.states import OPEN
from benefits.rules.models import GrantRule
from benefits.rules.operations import end_due_rules
from benefits.rules.periods import ISSUED_BY_JOB
from benefits.rules.queries import list_rules_in_force
from tenants.jobs.registry import JobRun, daily, every, register_job


def issue_period(run: JobRun) -> None:
    """Take back what is no longer due, then grant what the rules in force owe for the day.

    On the first day of a period that is everybody who matches, on the others those who match
    since. One transaction per rule; the last one closes the job. Again, it finds nothing to do.
    """
    end_due_rules(at=run.at)
    result = {"rules": 0, "members": 0, "units": 0, "held_out": 0}
    taken = sum(
        revoke_lost(rule=rule, at=run.at)
        for rule in list_rules_in_force(
            at=run.at, cadences=GrantRule.Cadence.values, event_name=None
        )
    )
    if taken:
        result["revoked"] = taken
    rules = list_rules_in_force(at=run.at, cadences=sorted(ISSUED_BY_JOB))
    result["rules"] = len(rules)
    for done, rule in enumerate(rules, start=1):
        with transaction.atomic():
            issued = issue(rule=rule, period=current_period(rule, at=run.at), at=run.at)
            result["members"] += issued.members
            result["units"] += issued.units
            result["held_out"] += issued.held_out
            if done == len(rules):
                run.complete(result)
        if done < len(rules):
            run.progress(done, len(rules))
    if not rules:
        with transaction.atomic():
            run.complete(result)


def expire_redemptions(run: JobRun) -> None:
    """End redemptions whose time has passed without being carried out, each for itself."""
    due = Redemption.objects.filter(state__in=sorted(OPEN), expires_at__lte=run.at)
    keys = list(due.order_by("pk").values_list("pk", flat=True))
    ended = 0
    for done, key in enumerate(keys, start=1):
        try:
            expire(redemption_id=key, at=run.at)
            ended += 1
        except InvalidStateError:
            # Carried out or cancelled since we looked.
            continue
        finally:
            if done % 100 == 0:
                run.progress(done, len(keys))
    with transaction.atomic():
        run.complete({"expired": ended})


def register() -> None:
    """Make the jobs known; called once at start."""
    register_job(
        "grants.issue",
        title=_("Grant what rules owe"),
        handler=issue_period,
        schedule=daily(hour=3),
    )
    register_job(
        "grants.popularity",
        title=_("Count who uses what"),
        handler=run_count,
        schedule=daily(hour=4),
    )
    register_job(
        "grants.remind",
        title=_("Remind of appointments"),
        handler=remind,
        schedule=every(minutes=15),
    )
    register_job(
        "grants.remind_services",
        title=_("Remind of services that fall due"),
        handler=remind_services,
        schedule=daily(hour=9),
    )
    register_job(
        "grants.expire_redemptions",
        title=_("End redemptions out of time"),
        handler=expire_redemptions,
        schedule=every(minutes=30),
    )
