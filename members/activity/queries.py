"""Reading what members did."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.db import connection
from django.db.models import Q

from members.activity._fields import UNSAFE
from members.activity.errors import EventNotFoundError, PurchaseNotFoundError
from members.activity.models import (
    ActivityEvent,
    MemberDay,
    Purchase,
    PurchaseLine,
    Refund,
    RefundLine,
    Store,
)
from members.profiles.models import Member


@dataclass(frozen=True, slots=True)
class Activity:
    """What one member bought in the days before a date, net of what was given back.

    A window of N days before `on` is [on - N days, on): the day itself is not in it. Orders are
    purchases of which something is left. `first_on` and `last_on` are the first and last days
    with an order before `on`.
    """

    spend_30: int = 0
    spend_90: int = 0
    spend_365: int = 0
    orders_30: int = 0
    orders_90: int = 0
    orders_365: int = 0
    first_on: date | None = None
    last_on: date | None = None


# One walk over the member's days by primary key. {n} are 30, 90, 365.
_ACTIVITY = """
SELECT
    {sums},
    min(on_date) FILTER (WHERE orders > 0),
    max(on_date) FILTER (WHERE orders > 0)
FROM members_memberday WHERE member_id = %(member)s AND on_date < %(on)s
""".format(
    sums=",\n    ".join(
        f"coalesce(sum({value}) FILTER (WHERE on_date >= %(on)s::date - {days}), 0)::bigint"
        for value in ("spend_minor - refunded_minor", "orders")
        for days in (30, 90, 365)
    )
)


def get_activity(*, member_id: int, on: date) -> Activity:
    """Return a member's spend and orders in the 30, 90 and 365 brand days before `on`."""
    with connection.cursor() as cursor:
        cursor.execute(_ACTIVITY, {"member": member_id, "on": on})
        row = cursor.fetchone()
    return Activity(*row)


def get_purchase(*, external_id: str) -> Purchase:
    """Return a purchase with its member.

    :raises PurchaseNotFoundError: if no purchase has this id.
    """
    purchases = Purchase.objects.select_related("member")
    # No id holds one of these, and to ask for a zero byte would be an error.
    if not UNSAFE.search(external_id):
        purchase = purchases.filter(external_id=external_id).first()
        if purchase is not None:
            return purchase
    raise PurchaseNotFoundError(external_id=external_id)


def get_event(*, event_id: int) -> ActivityEvent:
    """Return a recorded event with its member, by its key.

    :raises EventNotFoundError: if there is none.
    """
    event = ActivityEvent.objects.select_related("member").filter(pk=event_id).first()
    if event is None:
        raise EventNotFoundError(event_id=event_id)
    return event


def list_events(
    *, member_id: int, name: str = "", before: int | None = None, limit: int = 50
) -> list[ActivityEvent]:
    """Return what a member did, the last recorded first, of one name or of all."""
    events = ActivityEvent.objects.filter(member_id=member_id)
    if name:
        events = events.filter(name=name)
    if before is not None:
        events = events.filter(pk__lt=before)
    return list(events.order_by("-pk")[:limit])


def get_purchase_by_key(*, purchase_id: int) -> Purchase:
    """Return a purchase with its member, by its key here.

    :raises PurchaseNotFoundError: if there is none.
    """
    purchase = Purchase.objects.select_related("member").filter(pk=purchase_id).first()
    if purchase is None:
        raise PurchaseNotFoundError(purchase_id=purchase_id)
    return purchase


def search_purchases(
    *,
    text: str = "",
    store_code: str = "",
    channel: str = "",
    since: date | None = None,
    until: date | None = None,
    refunded: bool = False,
    after: int | None = None,
    limit: int = 50,
) -> list[Purchase]:
    """Return purchases of all members, the last recorded first, with their members.

    `text` is the beginning of a purchase's id, or a member's number or key. `since` and `until`
    are brand days, the second not in it; `refunded` leaves those of which something came back.
    `after` is the key of the last purchase of the page before.
    """
    purchases = Purchase.objects.select_related("member")
    if text and UNSAFE.search(text):
        return []
    if text:
        members = Member.objects.filter(Q(number=text.upper()) | Q(external_id=text))
        purchases = purchases.filter(
            Q(external_id__startswith=text) | Q(member__in=members.values("pk"))
        )
    for name, value in (
        ("store_code", store_code),
        ("channel", channel),
        ("local_date__gte", since),
        ("local_date__lt", until),
        ("pk__lt", after),
    ):
        if value:
            purchases = purchases.filter(**{name: value})
    if refunded:
        purchases = purchases.filter(refunded_minor__gt=0)
    return list(purchases.order_by("-pk")[:limit])


def list_stores() -> list[Store]:
    """Return the listed shops by code."""
    return list(Store.objects.order_by("code"))


def list_purchases(
    *, member_id: int, after: tuple[datetime, int] | None = None, limit: int = 50
) -> list[Purchase]:
    """Return a member's purchases, newest first.

    `after` is the (time, key) of the last purchase of the page before.
    """
    purchases = Purchase.objects.filter(member_id=member_id)
    if after is not None:
        at, key = after
        purchases = purchases.filter(Q(occurred_at__lt=at) | Q(occurred_at=at, pk__lt=key))
    return list(purchases.order_by("-occurred_at", "-pk")[:limit])


def list_recorded(*, member_id: int, after: int | None = None, limit: int = 50) -> list[Purchase]:
    """Return a member's purchases, the last recorded first; `after` is the last key before."""
    purchases = Purchase.objects.filter(member_id=member_id)
    if after is not None:
        purchases = purchases.filter(pk__lt=after)
    return list(purchases.order_by("-pk")[:limit])


def list_lines(*, purchase_id: int) -> list[PurchaseLine]:
    """Return the lines of a purchase in the order sent."""
    return list(PurchaseLine.objects.filter(purchase_id=purchase_id).order_by("position"))


def list_refunds(*, purchase_id: int) -> list[Refund]:
    """Return what was given back for a purchase, first one first."""
    return list(Refund.objects.filter(purchase_id=purchase_id).order_by("at", "pk"))


def list_days(*, member_id: int, since: date, until: date) -> list[MemberDay]:
    """Return a member's days with purchases in [since, until), first one first."""
    return list(
        MemberDay.objects.filter(
            member_id=member_id, on_date__gte=since, on_date__lt=until
        ).order_by("on_date")
    )


def list_lines_of(*, purchase_ids: Sequence[int]) -> list[PurchaseLine]:
    """Return the lines of several purchases, each one's in the order sent."""
    return list(
        PurchaseLine.objects.filter(purchase_id__in=purchase_ids).order_by("purchase", "position")
    )


def list_refunds_of(*, purchase_ids: Sequence[int]) -> list[Refund]:
    """Return what was given back for several purchases, first one first."""
    return list(Refund.objects.filter(purchase_id__in=purchase_ids).order_by("at", "pk"))


_BACK_BY_CATEGORY = """
SELECT line.category, sum(back.amount_minor)::bigint
FROM members_refund AS refund
JOIN members_refundline AS back ON back.refund_id = refund.id
JOIN members_purchaseline AS line
    ON line.purchase_id = refund.purchase_id AND line.position = back.position
WHERE refund.purchase_id = %s GROUP BY line.category
"""


def refunded_by_category(*, purchase_id: int) -> dict[str, int]:
    """Return what refunds gave back for lines of a purchase, by the lines' category."""
    with connection.cursor() as cursor:
        cursor.execute(_BACK_BY_CATEGORY, [purchase_id])
        return dict(cursor.fetchall())


def list_refund_lines(*, refund_ids: Sequence[int]) -> list[RefundLine]:
    """Return which lines refunds were for, in the order of the purchase."""
    return list(
        RefundLine.objects.filter(refund_id__in=refund_ids).order_by("refund_id", "position")
    )


def list_refunds_by_key(*, refund_ids: Sequence[int]) -> list[Refund]:
    """Return refunds by their keys, with their purchases."""
    return list(Refund.objects.filter(pk__in=refund_ids).select_related("purchase"))
