"""Which brands there are."""

from tenants.brands.context import platform_context
from tenants.brands.errors import UnknownBrandError
from tenants.brands.models import Brand


def get_brand(*, slug: str) -> Brand:
    """Return the brand with this slug.

    :raises UnknownBrandError: if there is none.
    """
    with platform_context():
        try:
            brand: Brand = Brand.objects.get(slug=slug)
        except Brand.DoesNotExist:
            raise UnknownBrandError(slug=slug) from None
        return brand


def list_brands(*, active_only: bool = True) -> list[Brand]:
    """Return all brands by slug; those being set up or suspended only when asked for."""
    with platform_context():
        brands = Brand.objects.order_by("slug")
        if active_only:
            brands = brands.filter(status=Brand.Status.ACTIVE)
        return list(brands)


def is_slug_free(*, slug: str) -> bool:
    """Tell whether no brand has this slug; one may still be quicker."""
    with platform_context():
        return not Brand.objects.filter(slug=slug).exists()
