"""Refusals of the points mall; each code is also a reason shown to members."""

from django.utils.translation import gettext_lazy as _

from core.errors import ConflictError, InvalidError, LimitError, NotFoundError


class UnknownItemError(NotFoundError):
    """There is no such item."""

    code = "unknown_item"
    message = _("There is no such item.")


class UnknownOrderError(NotFoundError):
    """There is no such order, or it is another member's."""

    code = "unknown_order"
    message = _("There is no such order.")


class InvalidItemError(InvalidError):
    """A field of an item is wrong; `pointer` names it."""

    code = "invalid_item"


class InvalidOrderError(InvalidError):
    """A field of an order is wrong; `pointer` names it."""

    code = "invalid_order"


class ItemCodeTakenError(ConflictError):
    """Another item has the code."""

    code = "code_taken"
    message = _("This code is in use already.")


class NotOnSaleError(ConflictError):
    """The item is not on sale; `status` says what it is."""

    code = "not_on_sale"
    message = _("This is not on sale.")


class NotForYouError(ConflictError):
    """The item is for other members."""

    code = "not_for_you"
    message = _("This is for other members.")


class OutOfStockError(ConflictError):
    """Fewer are left than asked for; `left` says how many."""

    code = "out_of_stock"
    message = _("Sold out.")


class LimitUsedError(LimitError):
    """The member's limit of the item is used up; `limit` and `left` say how much."""

    code = "limit_used"
    message = _("The limit per member is used up.")


class StillInStockError(ConflictError):
    """It can be ordered now, so there is nothing to wait for; `left` says how many there are."""

    code = "still_in_stock"
    message = _("This is in stock: there is no need to wait.")


class UnknownWaitingError(NotFoundError):
    """The member has no such place on the waiting list."""

    code = "unknown_waiting"
    message = _("There is no such place on the waiting list.")


class StockInUseError(ConflictError):
    """Fewer units are free than were to be taken out; `free` says how many."""

    code = "stock_in_use"
    message = _("So many units are not free: orders hold or have bought them.")


class VariantCodeTakenError(ConflictError):
    """Another variant of the item has the code."""

    code = "variant_code_taken"
    message = _("This item has a variant with this code already.")


class PaymentDueError(ConflictError):
    """The cash part is not paid; `amount_minor` says how much it is."""

    code = "payment_due"
    message = _("The cash part of this order is not paid yet.")


class UnknownAddressError(NotFoundError):
    """There is no such address, or it is another member's."""

    code = "unknown_address"
    message = _("There is no such address.")


class TooManyAddressesError(LimitError):
    """The member keeps as many addresses as there may be; `limit` says how many."""

    code = "too_many_addresses"
    message = _("You keep as many addresses as there may be. Delete one first.")


class OrderStateError(ConflictError):
    """The order is in a state that does not allow this; `state` says which."""

    code = "invalid_state"
    message = _("The present state of the order does not allow this.")


class AlreadyUsedError(ConflictError):
    """The benefit that the order gave has been used, so the order cannot be refunded."""

    code = "already_used"
    message = _("What the order gave has been used.")


class KeyReusedError(ConflictError):
    """The key was used for another order."""

    code = "key_reused"
    status = 422
    message = _("This key was used for another request.")
