"""All writes of the mall: items and variants, stock, orders, the waiting list, addresses."""

from benefits.mall._addresses import delete_address, save_address
from benefits.mall._items import create_item, set_item_status, update_item
from benefits.mall._orders import (
    cancel_order,
    complete_order,
    confirm_order,
    expire_order,
    place_order,
    ship_order,
)
from benefits.mall._queue import join_waiting_list, lapse_offer, leave_waiting_list
from benefits.mall._shelf import add_stock, add_variant, remove_stock, update_variant

__all__ = [
    "add_stock",
    "add_variant",
    "cancel_order",
    "complete_order",
    "confirm_order",
    "create_item",
    "delete_address",
    "expire_order",
    "join_waiting_list",
    "lapse_offer",
    "leave_waiting_list",
    "place_order",
    "remove_stock",
    "save_address",
    "set_item_status",
    "ship_order",
    "update_item",
    "update_variant",
]
