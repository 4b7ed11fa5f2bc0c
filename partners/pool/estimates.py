"""What a unit of a benefit will be charged at, for those who plan it."""

from datetime import date

from django.db.models import OuterRef, Q, Subquery

from benefits.rules.registry import register_price_estimator
from partners.pool.models import Offering, OfferingPrice, Partner


def expected_price(benefit_id: int, on: date) -> int | None:
    """Return the mean price of the offerings that can be given orders on a day, rounded up.

    None when nobody offers the benefit.
    """
    price = OfferingPrice.objects.filter(offering=OuterRef("pk"), valid_from__lte=on)
    prices = [
        found
        for found in Offering.objects.filter(
            Q(valid_to__isnull=True) | Q(valid_to__gt=on),
            benefit_id=benefit_id,
            status=Offering.Status.ACTIVE,
            partner__status=Partner.Status.ACTIVE,
            valid_from__lte=on,
        )
        .annotate(price=Subquery(price.order_by("-valid_from").values("price_minor")[:1]))
        .values_list("price", flat=True)
        if found is not None
    ]
    return -(-sum(prices) // len(prices)) if prices else None


def register() -> None:
    """Tell the room of rules; called once at start."""
    register_price_estimator("partners", expected_price)
