"""Which lines of a purchase a refund is for: no more pieces and no more money than a line has."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db import connection
from django.utils.translation import gettext as _

from core.money import InvalidAmountError
from members.activity._fields import MAX_LINES, check_amount, check_quantity
from members.activity.errors import InvalidPurchaseError, RefundTooLargeError
from members.activity.models import Refund, RefundLine

_LINES = """
SELECT line.position, line.quantity, line.amount_minor,
    COALESCE(sum(back.quantity), 0)::int, COALESCE(sum(back.amount_minor), 0)::bigint
FROM members_purchaseline AS line
LEFT JOIN members_refund AS refund ON refund.purchase_id = line.purchase_id
LEFT JOIN members_refundline AS back ON back.refund_id = refund.id
    AND back.position = line.position
WHERE line.purchase_id = %(purchase)s
GROUP BY line.position, line.quantity, line.amount_minor
"""


@dataclass(frozen=True, slots=True)
class RefundItem:
    """Pieces of one line, by its position from 1, that are given back.

    Without an amount it is their share of the line; the last piece takes what rounding left.
    """

    position: int
    quantity: int
    amount_minor: int | None = None


@dataclass(frozen=True, slots=True)
class CheckedItem:
    """A `RefundItem` that fits its line, with its amount."""

    position: int
    quantity: int
    amount_minor: int


@dataclass(frozen=True, slots=True)
class KnownLine:
    """A line of a purchase and what refunds have given back of it."""

    quantity: int
    amount_minor: int
    back_quantity: int
    back_minor: int


def read_lines(*, purchase_id: int) -> Mapping[int, KnownLine]:
    """Return the lines of a locked purchase by position, with what came back of them."""
    with connection.cursor() as cursor:
        cursor.execute(_LINES, {"purchase": purchase_id})
        return {row[0]: KnownLine(*row[1:]) for row in cursor.fetchall()}


def is_same(earlier: Refund, amount_minor: int | None, items: Sequence[RefundItem]) -> bool:
    """Say whether a refund is the one stored; what was left to us to work out does not count."""
    stored = {
        row.position: (row.quantity, row.amount_minor)
        for row in RefundLine.objects.filter(refund=earlier)
    }
    return (
        amount_minor in {None, earlier.amount_minor}
        and {item.position for item in items} == set(stored)
        and len(items) == len(stored)
        and all(
            item.quantity == stored[item.position][0]
            and item.amount_minor in {None, stored[item.position][1]}
            for item in items
        )
    )


def check_items(
    items: Sequence[RefundItem], *, known: Mapping[int, KnownLine]
) -> list[CheckedItem]:
    """Return the items with their amounts.

    :raises InvalidPurchaseError, InvalidAmountError: for an item that can not be.
    :raises RefundTooLargeError: if less than this is left of a line. Each names its place.
    """
    if len(items) > MAX_LINES:
        raise InvalidPurchaseError(_("There are too many lines."), pointer="/lines")
    seen: set[int] = set()
    checked = []
    for index, item in enumerate(items):
        line = known.get(item.position)
        if line is None:
            raise InvalidPurchaseError(
                _("The purchase has no such line."), pointer=f"/lines/{index}/line"
            )
        if item.position in seen:
            raise InvalidPurchaseError(
                _("A line can be named once."), pointer=f"/lines/{index}/line"
            )
        seen.add(item.position)
        checked.append(_check(item, line, index))
    return checked


def _check(item: RefundItem, line: KnownLine, index: int) -> CheckedItem:
    place = f"/lines/{index}"
    try:
        quantity = check_quantity(item.quantity)
        amount = None if item.amount_minor is None else check_amount(item.amount_minor)
    except (InvalidPurchaseError, InvalidAmountError) as error:
        error.data["pointer"] = f"{place}{error.data.get('pointer', '')}"
        raise
    pieces = line.quantity - line.back_quantity
    if quantity > pieces:
        raise RefundTooLargeError(
            _("Fewer pieces are left of this line."),
            pointer=f"{place}/quantity",
            left_quantity=pieces,
        )
    left = max(line.amount_minor, 0) - line.back_minor
    if amount is None:
        before, after = line.back_quantity, line.back_quantity + quantity
        whole = max(line.amount_minor, 0)
        share = whole * after // line.quantity - whole * before // line.quantity
        amount = min(share, left)
    if amount > left:
        raise RefundTooLargeError(
            _("Less than this is left of the line."), pointer=f"{place}/amount", left_minor=left
        )
    return CheckedItem(item.position, quantity, amount)


def store_items(*, refund: Refund, items: Sequence[CheckedItem]) -> None:
    """Write the lines of a new refund."""
    if items:
        RefundLine.objects.bulk_create(
            RefundLine(
                refund=refund,
                position=item.position,
                quantity=item.quantity,
                amount_minor=item.amount_minor,
            )
            for item in items
        )
