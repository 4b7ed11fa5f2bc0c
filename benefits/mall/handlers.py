"""What this room does when something has happened elsewhere."""

from benefits.mall import _stock
from benefits.mall.models import MallItem, WaitingEntry
from tenants.events.models import Event
from tenants.events.registry import on_event


def offer_new_codes(event: Event) -> None:
    """Offer codes that came into a pool to those who wait for its items."""
    items = MallItem.objects.filter(
        code_pool_id=event.data["pool"], waiting__state=WaitingEntry.State.WAITING
    ).distinct()
    for item in items.order_by("pk"):
        variants = item.waiting.filter(state=WaitingEntry.State.WAITING).values_list(
            "variant_id", flat=True
        )
        by_key = {variant.pk: variant for variant in item.variants.all()}
        for key in sorted(set(variants), key=lambda value: value or 0):
            _stock.offer(item, by_key[key] if key is not None else None, at=event.at)


def register() -> None:
    """Make the handlers known; called once at start. The names are stored: never change them."""
    on_event("code_pool.filled", name="mall.offer_new_codes")(offer_new_codes)
