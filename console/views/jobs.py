"""Jobs: what runs by itself, what ran, and running it now."""

from typing import Any

from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from console.access import StaffRequest, staff_page
from console.dialogs import finish
from console.nav import shell
from console.people import actor_names
from core import clock
from core.errors import NotFoundError
from core.ids import uuid7
from core.web.responses import render_page
from tenants.accounts import permissions as p
from tenants.jobs import operations, queries
from tenants.jobs.models import Job
from tenants.jobs.registry import JobKind, Schedule, list_kinds

PAGE = 30
_BY_HAND = "console-"
_MOVING = (Job.State.OPEN, Job.State.RUNNING)
# htmx stops asking when an answer has this status.
_STOP_POLLING = 286


@staff_page(p.JOBS_VIEW)
def index(request: StaffRequest) -> HttpResponse:
    """List all runs newest first; on the other tab, scheduled work with its last run."""
    if request.GET.get("tab") == "schedule":
        return _schedule(request)
    kinds = {kind.kind: kind for kind in list_kinds()}
    kind = request.GET.get("kind", "")
    state = request.GET.get("state", "")
    after = request.GET.get("after", "")
    found = queries.list_jobs(
        kind=kind if kind in kinds else None,
        state=state if state in Job.State.values else None,
        before=int(after) if after.isdigit() else None,
        limit=PAGE + 1,
    )
    names = _askers(found)
    context = {
        **shell(request, active="jobs"),
        "page_title": _("Jobs"),
        "tabs": _tabs("runs"),
        "rows": [_row(job, kinds, names) for job in found[:PAGE]],
        "is_moving": any(job.state in _MOVING and job.due_at <= clock.now() for job in found),
        "next": str(found[PAGE - 1].pk) if len(found) > PAGE else "",
        "selects": [
            {
                "name": "kind",
                "label": _("All kinds"),
                "choices": sorted(
                    ((row.kind, str(row.title)) for row in kinds.values()), key=lambda it: it[1]
                ),
                "value": kind,
            },
            {
                "name": "state",
                "label": _("All states"),
                "choices": Job.State.choices,
                "value": state,
            },
        ],
    }
    partials = {"rows": "rows", "": "jobs", "jobs": "jobs"}
    return render_page(request, "console/jobs.html", context, partial=partials)


def _schedule(request: StaffRequest) -> HttpResponse:
    latest = queries.list_latest_jobs()
    context = {
        **shell(request, active="jobs"),
        "page_title": _("Jobs"),
        "tabs": _tabs("schedule"),
        "scheduled": [
            {"kind": row, "when": _when(row.schedule), "last": latest.get(row.kind)}
            for row in list_kinds()
            if row.schedule is not None
        ],
    }
    return render_page(request, "console/jobs_schedule.html", context, partial="jobs")


def _tabs(active: str) -> list[dict[str, Any]]:
    address = reverse("console:jobs")
    return [
        {"url": address, "label": _("Runs"), "active": active == "runs"},
        {"url": f"{address}?tab=schedule", "label": _("Schedule"), "active": active == "schedule"},
    ]


def _when(schedule: Schedule | None) -> str:
    if schedule is None:
        return ""
    at = f"{schedule.hour:02}:{schedule.minute:02}"
    match schedule.unit:
        case "day":
            return _("Daily at %(at)s") % {"at": at}
        case "month":
            return _("Monthly on day %(day)s at %(at)s") % {"day": schedule.day, "at": at}
        case _:
            return ngettext("Every minute", "Every %(n)s minutes", schedule.minutes) % {
                "n": schedule.minutes
            }


def _askers(jobs: list[Job]) -> dict[str, str]:
    return {**actor_names(job.requested_by for job in jobs), "schedule": _("By schedule")}


def _row(job: Job, kinds: dict[str, JobKind], names: dict[str, str]) -> dict[str, Any]:
    known = kinds.get(job.kind)
    return {
        "job": job,
        "asked_by": names[job.requested_by],
        "period": _("by hand") if job.dedupe_key.startswith(_BY_HAND) else job.dedupe_key,
        "title": known.title if known else job.kind,
        "result": _facts(job),
        "may_cancel": job.state in _MOVING and not job.cancel_requested,
        "error": job.error.strip().splitlines()[-1] if job.error.strip() else "",
    }


def _facts(job: Job) -> list[tuple[str, Any]]:
    """Return the figures of a finished job, without nested ones."""
    found = job.result or {}
    return [
        (name.replace("_", " "), value)
        for name, value in found.items()
        if isinstance(value, int | str)
    ]


@staff_page(p.JOBS_VIEW)
def show(request: StaffRequest, job_id: int) -> HttpResponse:
    """Show one job in the dialog, with its progress."""
    kinds = {kind.kind: kind for kind in list_kinds()}
    job = queries.get_job(job_id=job_id)
    row = _row(job, kinds, _askers([job]))
    context = {
        **shell(request, active="jobs"),
        "page_title": row["title"],
        **row,
        **_progress(job),
    }
    return render_page(request, "console/job.html", context, partial="job")


@staff_page(p.JOBS_VIEW)
def progress(request: StaffRequest, job_id: int) -> HttpResponse:
    """Show how far a job is; the status says when it has ended."""
    job = queries.get_job(job_id=job_id)
    status = 200 if job.state in _MOVING else _STOP_POLLING
    context = {
        **shell(request, active="jobs"),
        "page_title": _("Jobs"),
        "job": job,
        **_progress(job),
    }
    return render_page(request, "console/job.html", context, partial="progress", status=status)


def _progress(job: Job) -> dict[str, Any]:
    states = {Job.State.DONE: "done", Job.State.OPEN: "running", Job.State.RUNNING: "running"}
    return {
        "bar_state": states.get(Job.State(job.state), "failed"),
        "bar_done": job.progress_done,
        "bar_total": job.progress_total or 0,
    }


@staff_page(p.JOBS_EDIT, methods=("POST",))
def run_now(request: StaffRequest, kind: str) -> HttpResponse:
    """Queue a scheduled kind of work now, beside its schedule."""
    known = {row.kind: row for row in list_kinds() if row.schedule is not None}
    if kind not in known:
        raise NotFoundError
    operations.enqueue(
        kind=kind, dedupe_key=f"{_BY_HAND}{uuid7().hex}", by=request.actor, at=clock.now()
    )
    message = _("“%(title)s” is queued.") % {"title": known[kind].title}
    return finish(request, message, changed="jobs", url=reverse("console:jobs"))


@staff_page(p.JOBS_EDIT, methods=("POST",))
def cancel(request: StaffRequest, job_id: int) -> HttpResponse:
    """Ask a job to stop: a waiting one at once, a running one at its next step."""
    job = queries.get_job(job_id=job_id)
    operations.request_cancel(job=job, by=request.actor)
    return finish(
        request, _("The job is asked to stop."), changed="jobs", url=reverse("console:jobs")
    )
