"""The job of this room: cancelling orders that nobody confirmed in time."""

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from benefits.mall.errors import OrderStateError
from benefits.mall.models import MallOrder
from benefits.mall.operations import expire_order
from tenants.jobs.registry import JobRun, every, register_job


def expire_orders(run: JobRun) -> None:
    """Cancel placed orders whose hold has run out, each for itself."""
    due = MallOrder.objects.filter(state=MallOrder.State.PLACED, hold_ends_at__lte=run.at)
    keys = list(due.order_by("pk").values_list("pk", flat=True))
    cancelled = 0
    for done, key in enumerate(keys, start=1):
        try:
            expire_order(order_id=key, at=run.at)
            cancelled += 1
        except OrderStateError:
            # Confirmed or cancelled since we looked.
            continue
        finally:
            if done % 100 == 0:
                run.progress(done, len(keys))
    with transaction.atomic():
        run.complete({"cancelled": cancelled})


def register() -> None:
    """Make the job known; called once at start."""
    register_job(
        "mall.expire_orders",
        title=_("Cancel orders out of time"),
        handler=expire_orders,
        schedule=every(minutes=15),
    )
