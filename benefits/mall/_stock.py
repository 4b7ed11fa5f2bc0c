"""The one row of an item that its buyers share: changed by conditional updates, taken last."""

from django.db.models import F

from benefits.mall.errors import OutOfStockError
from benefits.mall.models import MallItem, StockRow


def hold(item: MallItem, quantity: int) -> None:
    """Set units aside for an order. :raises OutOfStockError: if too few are free."""
    _take(item, quantity, held=F("held") + quantity)


def sell(item: MallItem, quantity: int) -> None:
    """Sell units at once. :raises OutOfStockError: if too few are free."""
    _take(item, quantity, sold=F("sold") + quantity)


def sell_held(item: MallItem, quantity: int) -> None:
    """Turn units held for an order into sold ones."""
    if item.stock_total is not None:
        StockRow.objects.filter(item=item).update(
            held=F("held") - quantity, sold=F("sold") + quantity
        )


def give_up(item: MallItem, quantity: int) -> None:
    """Free units that an order held."""
    if item.stock_total is not None:
        StockRow.objects.filter(item=item).update(held=F("held") - quantity)


def take_back(item: MallItem, quantity: int) -> None:
    """Put units that were sold back on the shelf."""
    if item.stock_total is not None:
        StockRow.objects.filter(item=item).update(sold=F("sold") - quantity)


def _take(item: MallItem, quantity: int, **change: object) -> None:
    if item.stock_total is None:
        return
    taken = StockRow.objects.filter(
        item=item, stock_in__gte=F("held") + F("sold") + quantity
    ).update(**change)
    if not taken:
        raise OutOfStockError(left=StockRow.objects.get(item=item).free)
