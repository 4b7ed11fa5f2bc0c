"""The jobs of this room: what runs out of time, what is due, what is running low."""

from collections.abc import Callable, Iterable
from datetime import timedelta

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from benefits.catalogue.codes import watch_pools
from benefits.mall.errors import OrderStateError
from benefits.mall.models import MallOrder, WaitingEntry
from benefits.mall.operations import complete_order, expire_order, lapse_offer
from benefits.mall.payments.models import MallPayment
from benefits.mall.payments.operations import STAFF, refund_through_provider
from core.actors import SYSTEM
from tenants.jobs.registry import JobRun, every, register_job

# Goods that nobody has said anything about are taken to have arrived by then.
ARRIVED_AFTER = timedelta(days=15)


def expire_orders(run: JobRun) -> None:
    """Cancel placed orders whose hold has run out, each for itself."""
    due = MallOrder.objects.filter(state=MallOrder.State.PLACED, hold_ends_at__lte=run.at)
    cancelled = _each(
        run,
        due.order_by("pk").values_list("pk", flat=True),
        lambda key: bool(expire_order(order_id=key, at=run.at)),
    )
    with transaction.atomic():
        run.complete({"cancelled": cancelled})


def complete_orders(run: JobRun) -> None:
    """Complete orders that were shipped long ago."""
    due = MallOrder.objects.filter(
        state=MallOrder.State.SHIPPED, shipped_at__lte=run.at - ARRIVED_AFTER
    )
    completed = _each(
        run,
        due.order_by("pk").values_list("pk", flat=True),
        lambda key: bool(complete_order(order=MallOrder.objects.get(pk=key), by=SYSTEM, at=run.at)),
    )
    with transaction.atomic():
        run.complete({"completed": completed})


def lapse_offers(run: JobRun) -> None:
    """End offers of the waiting list whose time is over; the next in line are offered."""
    due = WaitingEntry.objects.filter(state=WaitingEntry.State.OFFERED, offer_ends_at__lte=run.at)
    lapsed = _each(
        run,
        due.order_by("pk").values_list("pk", flat=True),
        lambda key: lapse_offer(entry_id=key, at=run.at),
    )
    with transaction.atomic():
        run.complete({"lapsed": lapsed})


def refund_payments(run: JobRun) -> None:
    """Send money that fell due back the way it came; what staff took, staff give back."""
    due = MallPayment.objects.filter(state=MallPayment.State.REFUND_DUE).exclude(provider=STAFF)
    refunded = _each(
        run,
        due.order_by("pk").values_list("pk", flat=True),
        lambda key: refund_through_provider(payment_id=key, at=run.at),
    )
    with transaction.atomic():
        run.complete({"refunded": refunded})


def watch_code_pools(run: JobRun) -> None:
    """Tell, once, when a pool has fewer free codes than its mark."""
    low = watch_pools(at=run.at)
    with transaction.atomic():
        run.complete({"low": [pool.code for pool in low]})


def _each(run: JobRun, keys: Iterable[int], do: Callable[[int], bool]) -> int:
    """Do one thing for each key, in a transaction of its own; return for how many it was done."""
    found = list(keys)
    count = 0
    for done, key in enumerate(found, start=1):
        try:
            count += do(key)
        except OrderStateError:
            # Moved on since we looked.
            continue
        finally:
            if done % 100 == 0:
                run.progress(done, len(found))
    return count


def register() -> None:
    """Make the jobs known; called once at start."""
    register_job(
        "mall.expire_orders",
        title=_("Cancel orders out of time"),
        handler=expire_orders,
        schedule=every(minutes=5),
    )
    register_job(
        "mall.complete_orders",
        title=_("Complete orders shipped long ago"),
        handler=complete_orders,
        schedule=every(minutes=360),
    )
    register_job(
        "mall.lapse_offers",
        title=_("End offers of the waiting list"),
        handler=lapse_offers,
        schedule=every(minutes=5),
    )
    register_job(
        "mall.watch_code_pools",
        title=_("Look for pools that run out of codes"),
        handler=watch_code_pools,
        schedule=every(minutes=30),
    )
    register_job(
        "mall.refund_payments",
        title=_("Refund cash of mall orders"),
        handler=refund_payments,
        schedule=every(minutes=15),
    )
