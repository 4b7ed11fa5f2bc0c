"""All writes of the mall: items, stock, orders."""

from benefits.mall._items import add_stock, create_item, set_item_status, update_item
from benefits.mall._orders import (
    cancel_order,
    complete_order,
    confirm_order,
    expire_order,
    place_order,
    ship_order,
)

__all__ = [
    "add_stock",
    "cancel_order",
    "complete_order",
    "confirm_order",
    "create_item",
    "expire_order",
    "place_order",
    "set_item_status",
    "ship_order",
    "update_item",
]
