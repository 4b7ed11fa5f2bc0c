"""Recording what members did. The only writer of purchases, refunds, days and events."""

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.utils.translation import gettext as _

from core import clock
from core.actors import Actor
from core.calls import Call, run_calls
from core.errors import DomainError
from core.money import MAX_MINOR
from members.activity import _fields
from members.activity._digest import event_digest, purchase_digest
from members.activity._refund_lines import (
    RefundItem,
    check_items,
    is_same,
    read_lines,
    store_items,
)
from members.activity.errors import (
    DuplicateEventError,
    DuplicatePurchaseError,
    DuplicateRefundError,
    InvalidPurchaseError,
    RefundBeforePurchaseError,
    RefundTooLargeError,
)
from members.activity.models import ActivityEvent, Purchase, Refund, Store
from members.profiles.errors import ErasedMemberError
from members.profiles.models import Member
from members.profiles.operations import require_present
from tenants.audit.operations import record
from tenants.brands.context import current_brand
from tenants.events.operations import emit


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a purchase as it comes in; amounts in minor units."""

    sku: str
    quantity: int
    amount_minor: int
    category: str = ""
    cost_minor: int | None = None


@dataclass(frozen=True, slots=True)
class CheckedPurchase:
    """A purchase that may be written: `check_purchase` makes it."""

    member: Member
    fields: Mapping[str, Any]
    lines: Sequence[Line]


__all__ = [
    "CheckedPurchase",
    "Line",
    "RefundItem",
    "add_purchase",
    "add_refund",
    "added",
    "adding",
    "check_currency",
    "check_purchase",
    "put_store",
    "record_event",
]

# The columns of a purchase in the order of the model, as `from_db` wants them.
_COLUMNS = (
    "id", "external_id", "member_id", "occurred_at", "local_date", "amount_minor",
    "refunded_minor", "currency", "channel", "store_code", "associate", "digest",
)  # fmt: skip
# Those that the function takes, in its order.
_SENT = tuple(name for name in _COLUMNS if name not in {"id", "refunded_minor"})

_ADD = "SELECT activity_add_purchase(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"

# One statement: the purchase's total and its day, guarded so that no more is given back than
# was paid; nothing comes back when it would be.
_REFUND = """
WITH reduced AS (
    UPDATE members_purchase SET refunded_minor = refunded_minor + %(amount)s
    WHERE id = %(purchase)s AND refunded_minor + %(amount)s <= amount_minor
    RETURNING member_id, local_date, refunded_minor, amount_minor
), day AS (
    UPDATE members_memberday d
    SET refunded_minor = d.refunded_minor + %(amount)s,
        orders = d.orders - (reduced.refunded_minor = reduced.amount_minor)::int
    FROM reduced WHERE d.member_id = reduced.member_id AND d.on_date = reduced.local_date
)
SELECT refunded_minor FROM reduced
"""


def add_purchase(
    *,
    external_id: str,
    member: Member,
    occurred_at: datetime,
    amount_minor: int,
    currency: str,
    channel: str = "",
    store_code: str = "",
    associate: str = "",
    lines: Sequence[Line] = (),
    at: datetime,
) -> tuple[Purchase, bool]:
    """Record a purchase and add it to the member's day; say whether it is new.

    The same id with the same content changes nothing and returns the first one. Points, growth
    and tiers are the work of `members.earning`.

    :raises DuplicatePurchaseError: if the id was sent before with another content.
    :raises FuturePurchaseError: if `occurred_at` is more than five minutes after `at`.
    :raises InvalidAmountError, UnsupportedCurrencyError, InvalidPurchaseError: for a field that
        can not be, named in `pointer`.
    :raises ErasedMemberError: if the member was erased.
    """
    checked = check_purchase(
        external_id=external_id,
        member=member,
        occurred_at=occurred_at,
        amount_minor=amount_minor,
        currency=currency,
        channel=channel,
        store_code=store_code,
        associate=associate,
        lines=lines,
        at=at,
    )
    [(key,)] = run_calls(adding(purchase=checked))
    return added(purchase=checked, key=key)


def check_purchase(
    *,
    external_id: str,
    member: Member,
    occurred_at: datetime,
    amount_minor: int,
    currency: str,
    channel: str = "",
    store_code: str = "",
    associate: str = "",
    lines: Sequence[Line] = (),
    at: datetime,
) -> CheckedPurchase:
    """Check what `add_purchase` is given, and write nothing. Errors as there."""
    brand = current_brand()
    if member.status == Member.Status.ERASED:
        raise ErasedMemberError
    clean = _clean_lines(lines)
    fields: dict[str, Any] = {
        "external_id": _fields.clean_text("external_id", external_id, required=True),
        "member_id": member.pk,
        "occurred_at": _fields.check_time(occurred_at, at=at),
        "local_date": clock.local_date(occurred_at, brand.timezone),
        "amount_minor": _fields.check_amount(amount_minor),
        "currency": _fields.check_currency(currency, expected=brand.currency),
        "channel": _fields.clean_text("channel", channel),
        "store_code": _fields.clean_text("store", store_code),
        "associate": _fields.clean_text("associate", associate),
    }
    # Of the member who was named: a merge in between does not make it another purchase.
    sent = {field: fields[field] for field in fields if field not in {"external_id", "local_date"}}
    fields["digest"] = purchase_digest(lines=clean, **{**sent, "member_id": member.named_as})
    return CheckedPurchase(member, fields, clean)


def adding(*, purchase: CheckedPurchase) -> Call:
    """Return the call that writes a purchase; what it returns goes to `added`."""
    rows = [
        {
            "sku": line.sku,
            "category": line.category,
            "quantity": line.quantity,
            "amount": line.amount_minor,
            "cost": line.cost_minor,
        }
        for line in purchase.lines
    ]
    fields = purchase.fields
    return Call(_ADD, [*(fields[name] for name in _SENT), json.dumps(rows) if rows else None])


def added(*, purchase: CheckedPurchase, key: int | None) -> tuple[Purchase, bool]:
    """Return the purchase that was written, or the one that had been before, and if it is new.

    :raises DuplicatePurchaseError, ErasedMemberError: see `add_purchase`.
    """
    fields = purchase.fields
    if key is not None:
        values = {**fields, "id": key, "refunded_minor": 0}
        made = Purchase.from_db(connection.alias, _COLUMNS, [values[name] for name in _COLUMNS])
        made.member = purchase.member
        return made, True
    same = Purchase.objects.select_related("member").filter(external_id=fields["external_id"])
    earlier = same.first()
    if earlier is None:  # not the id was in the way
        raise ErasedMemberError
    if bytes(earlier.digest) != fields["digest"]:
        raise DuplicatePurchaseError(external_id=earlier.external_id)
    return earlier, False


def add_refund(
    *,
    purchase: Purchase,
    external_id: str,
    amount_minor: int | None = None,
    occurred_at: datetime,
    lines: Sequence[RefundItem] = (),
    at: datetime,
) -> tuple[Refund, bool]:
    """Record that part or all of a purchase was given back; say whether it is new.

    `lines` names what of it is for which lines; without `amount_minor` they make the amount, and
    what it has beyond them is for the purchase as a whole (delivery). The same id with the same
    content changes nothing. The day of the purchase, not of the refund, loses the amount, and an
    order when nothing is left of it.

    :raises RefundTooLargeError: if less than this is left of the purchase, or of a line (named in
        `pointer`).
    :raises DuplicateRefundError: if the id was sent before with another content.
    :raises InvalidAmountError, FuturePurchaseError, InvalidPurchaseError: for a field that can
        not be, named in `pointer`.
    """
    key = _fields.clean_text("external_id", external_id, required=True)
    if amount_minor is not None or not lines:
        _fields.check_amount(amount_minor, lowest=1)
    moment = _fields.check_time(occurred_at, at=at)
    if moment < purchase.occurred_at - _fields.GRACE:
        raise RefundBeforePurchaseError(
            pointer="/occurred_at", purchased_at=purchase.occurred_at.isoformat()
        )
    with transaction.atomic(), connection.cursor() as cursor:
        # The row lock makes the look at earlier refunds and the new one a single step.
        locked = Purchase.objects.select_for_update(no_key=True).get(pk=purchase.pk)
        earlier = Refund.objects.filter(purchase=locked, external_id=key).first()
        if earlier is not None:
            if earlier.at != moment or not is_same(earlier, amount_minor, lines):
                raise DuplicateRefundError(external_id=key)
            return earlier, False
        known = read_lines(purchase_id=locked.pk) if lines else {}
        items = check_items(lines, known=known)
        by_line = sum(item.amount_minor for item in items)
        amount = by_line if amount_minor is None else amount_minor
        _fields.check_amount(amount, lowest=1)
        if by_line > amount:
            raise InvalidPurchaseError(
                _("The lines add up to more than the refund."), pointer="/amount"
            )
        cursor.execute(_REFUND, {"purchase": locked.pk, "amount": amount})
        row = cursor.fetchone()
        if row is None:
            raise RefundTooLargeError(
                external_id=key, left_minor=locked.net_minor, pointer="/amount"
            )
        refund = Refund.objects.create(
            purchase=locked, external_id=key, amount_minor=amount, at=moment
        )
        store_items(refund=refund, items=items)
    purchase.refunded_minor = row[0]
    return refund, True


def record_event(
    *,
    member: Member,
    name: str,
    occurred_at: datetime,
    at: datetime,
    properties: Mapping[str, Any] | None = None,
    external_id: str | None = None,
) -> tuple[ActivityEvent, bool]:
    """Record a named thing a member did, with the event `activity.recorded`; say whether it is new.

    With an `external_id` the same content again changes nothing; without one, each call counts.

    :raises DuplicateEventError: if the id was sent before with another content.
    :raises FuturePurchaseError, InvalidPurchaseError: for a field that can not be.
    :raises ErasedMemberError: if the member was erased.
    """
    if member.status == Member.Status.ERASED:
        raise ErasedMemberError
    body = _fields.clean_properties(properties or {})
    event = ActivityEvent(
        member=member,
        name=_fields.clean_text("name", name, required=True),
        at=_fields.check_time(occurred_at, at=at, field="at"),
        properties=body,
        external_id=None
        if external_id is None
        else _fields.clean_text("external_id", external_id, required=True),
    )
    event.digest = event_digest(
        member_id=member.named_as, name=event.name, at=event.at, properties=body
    )
    try:
        with transaction.atomic():
            require_present(member_id=member.pk)
            event.save(force_insert=True)
            emit(
                type="activity.recorded",
                subject=f"member:{member.pk}",
                data={"activity": event.pk, "name": event.name},
                at=at,
            )
    except IntegrityError as error:
        if "activity_event_external_id_unique" not in str(error):
            raise
        earlier = ActivityEvent.objects.get(external_id=event.external_id)
        if bytes(earlier.digest) != event.digest:
            raise DuplicateEventError(external_id=external_id) from None
        return earlier, False
    return event, True


def put_store(*, code: str, name: str, region: str = "", by: Actor, at: datetime) -> Store:
    """List a shop of the brand, or change its name and region.

    :raises InvalidPurchaseError: for a field that can not be.
    """
    key = _fields.clean_text("store", code, required=True)
    values = {
        "name": _fields.clean_text("store_name", name, required=True),
        "region": _fields.clean_text("region", region),
    }
    with transaction.atomic():
        store, _created = Store.objects.update_or_create(code=key, defaults=values)
        record(by=by, at=at, action="store.saved", target_type="store", target_id=key)
    return store


def check_currency(currency: str, *, expected: str) -> str:
    """Return the currency if it is the brand's own.

    :raises UnsupportedCurrencyError: if it is another one.
    """
    return _fields.check_currency(currency, expected=expected)


def _clean_lines(lines: Iterable[Line]) -> list[Line]:
    given = list(lines)
    if len(given) > _fields.MAX_LINES:
        raise InvalidPurchaseError(pointer="/lines")
    clean: list[Line] = []
    for index, line in enumerate(given):
        try:
            clean.append(
                dataclasses.replace(
                    line,
                    sku=_fields.clean_text("sku", line.sku, required=True),
                    category=_fields.clean_text("category", line.category),
                    quantity=_fields.check_quantity(line.quantity),
                    amount_minor=_fields.check_amount(line.amount_minor, lowest=-MAX_MINOR),
                    cost_minor=None
                    if line.cost_minor is None
                    else _fields.check_amount(line.cost_minor, field="cost"),
                )
            )
        except DomainError as error:
            error.data["pointer"] = f"/lines/{index}{error.data.get('pointer', '')}"
            raise
    return clean
