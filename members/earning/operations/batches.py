"""Many purchases or refunds of one sender at once: each succeeds or is refused by itself."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from core.actors import Actor
from members.activity.batches import Item, check_size, each, find_member
from members.activity.models import Purchase
from members.activity.operations import Line, RefundItem
from members.earning.operations.purchases import record_purchase
from members.earning.operations.refunds import record_refund
from members.earning.values import PurchaseOutcome, RefundOutcome
from members.profiles.queries import list_members_by_external_id


@dataclass(frozen=True, slots=True, kw_only=True)
class PurchaseDraft:
    """A purchase as it comes in; `member` is the brand's own key. See `record_purchase`."""

    external_id: str
    member: str
    occurred_at: datetime
    amount_minor: int
    currency: str
    channel: str = ""
    store_code: str = ""
    associate: str = ""
    lines: Sequence[Line] = field(default_factory=tuple)


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundDraft:
    """A refund as it comes in; `purchase` is the brand's own id. See `record_refund`."""

    purchase: str
    external_id: str
    occurred_at: datetime
    amount_minor: int | None = None
    currency: str | None = None
    lines: Sequence[RefundItem] = field(default_factory=tuple)


def record_purchases(
    *, drafts: Sequence[PurchaseDraft], by: Actor, at: datetime
) -> list[Item[PurchaseOutcome]]:
    """Record purchases, each by itself, and return what became of each in the order sent.

    Those of one member are recorded in the order sent. All are in one transaction, so that a
    crash leaves none; sending the batch again then records them once.

    :raises BatchTooLargeError: for more than 1,000; then nothing was recorded.
    """
    check_size(drafts)
    members = list_members_by_external_id(external_ids={draft.member for draft in drafts})

    def write(draft: PurchaseDraft) -> PurchaseOutcome:
        return record_purchase(
            external_id=draft.external_id,
            member=find_member(members, draft.member),
            occurred_at=draft.occurred_at,
            amount_minor=draft.amount_minor,
            currency=draft.currency,
            channel=draft.channel,
            store_code=draft.store_code,
            associate=draft.associate,
            lines=draft.lines,
            by=by,
            at=at,
        )

    keys = [members[draft.member].pk if draft.member in members else 0 for draft in drafts]
    return each(drafts, keys, write)


def record_refunds(
    *, drafts: Sequence[RefundDraft], by: Actor, at: datetime
) -> list[Item[RefundOutcome]]:
    """Record refunds, each by itself; as `record_purchases`.

    :raises BatchTooLargeError: for more than 1,000; then nothing was recorded.
    """
    check_size(drafts)
    asked = {draft.purchase for draft in drafts if "\x00" not in draft.purchase}
    found = Purchase.objects.filter(external_id__in=asked)
    keys = {
        external_id: (member_id, key)
        for external_id, member_id, key in found.values_list("external_id", "member_id", "pk")
    }

    def write(draft: RefundDraft) -> RefundOutcome:
        return record_refund(
            purchase_external_id=draft.purchase,
            external_id=draft.external_id,
            amount_minor=draft.amount_minor,
            currency=draft.currency,
            lines=draft.lines,
            occurred_at=draft.occurred_at,
            by=by,
            at=at,
        )

    return each(drafts, [keys.get(draft.purchase, (0, 0)) for draft in drafts], write)
