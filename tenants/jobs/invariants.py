"""What must hold for the background work of a brand, at any time."""

from collections.abc import Callable

from core import clock
from tenants.brands.context import current_brand
from tenants.jobs.models import Job
from tenants.jobs.queries import DEADLINE


def check_deadlines() -> list[str]:
    """I8: no job is unfinished long after it fell due."""
    overdue = Job.objects.filter(
        brand_id=current_brand().pk,
        state__in=[Job.State.OPEN, Job.State.RUNNING],
        due_at__lt=clock.now() - DEADLINE,
    )
    return [f"job {job.pk} ({job}) was due at {job.due_at}" for job in overdue.order_by("pk")]


CHECKS: dict[str, Callable[[], list[str]]] = {"I8 jobs": check_deadlines}
