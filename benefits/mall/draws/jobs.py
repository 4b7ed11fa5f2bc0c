"""The job of draws: at night the seed of the day is revealed and the next one committed to."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from benefits.mall.draws.models import LuckyDraw
from benefits.mall.draws.operations import end_draw, rotate_seed
from core import clock
from core.actors import SYSTEM
from tenants.brands.context import current_brand
from tenants.jobs.registry import JobRun, daily, register_job

_Status = LuckyDraw.Status


def turn_seeds(run: JobRun) -> None:
    """End draws that are over; reveal seeds that have decided draws before today."""
    ended = revealed = 0
    for draw in LuckyDraw.objects.filter(status__in=[_Status.OPEN, _Status.PAUSED]).order_by("pk"):
        if draw.ends_at is not None and draw.ends_at <= run.at:
            end_draw(draw=draw, by=SYSTEM, at=run.at)
            ended += 1
        elif _is_due(draw, run.at):
            rotate_seed(draw=draw, by=SYSTEM, at=run.at)
            revealed += 1
    with transaction.atomic():
        run.complete({"ended": ended, "revealed": revealed})


def _is_due(draw: LuckyDraw, at: datetime) -> bool:
    zone = current_brand().timezone
    seed = draw.seeds.filter(revealed_at__isnull=True).first()
    return (
        seed is not None
        and clock.local_date(seed.committed_at, zone) < clock.local_date(at, zone)
        and seed.tickets.exists()
    )


def register() -> None:
    """Make the job known; called once at start."""
    register_job(
        "mall.turn_draw_seeds",
        title=_("Reveal the seeds of lucky draws"),
        handler=turn_seeds,
        schedule=daily(hour=0, minute=20),
    )
