"""Whether something is on sale for a member now, and in the form that was asked for."""

from datetime import datetime

from django.utils.translation import gettext as _

from benefits.mall.errors import InvalidOrderError, NotForYouError, NotOnSaleError
from benefits.mall.models import ItemVariant, MallItem
from members.profiles.models import Member
from members.segments import conditions
from members.segments.queries import is_in_audience


def check_on_sale(item: MallItem, member: Member, at: datetime) -> None:
    """Pass silently, or refuse. :raises NotOnSaleError, NotForYouError: saying why."""
    begun = item.starts_at is None or item.starts_at <= at
    ended = item.ends_at is not None and item.ends_at <= at
    if item.status != MallItem.Status.ON_SALE or not begun or ended:
        raise NotOnSaleError(
            status=item.status,
            starts_at=None if begun or item.starts_at is None else item.starts_at.isoformat(),
        )
    if item.condition is not None:
        condition = conditions.parse(item.condition)
        if not is_in_audience(condition=condition, member_id=member.pk, at=at):
            raise NotForYouError


def check_variant(item: MallItem, variant: ItemVariant | None) -> None:
    """Refuse an order that names no variant where there are some, or another item's.

    :raises InvalidOrderError: with the pointer `/variant`.
    """
    if variant is None:
        if item.variants.exists():
            raise InvalidOrderError(_("Choose one of the variants."), pointer="/variant")
    elif variant.item_id != item.pk or not variant.is_active:
        raise InvalidOrderError(_("There is no such variant."), pointer="/variant")
