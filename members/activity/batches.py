"""Many items of one sender at once: each succeeds or is refused by itself, in one transaction."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar

from django.db import transaction
from django.utils.translation import gettext as _

from core.errors import DomainError, InvalidError
from members.activity.models import ActivityEvent
from members.activity.operations import record_event
from members.profiles.errors import MemberNotFoundError
from members.profiles.models import Member
from members.profiles.queries import list_members_by_external_id

MAX_BATCH = 1_000
_Outcome = TypeVar("_Outcome")
_Draft = TypeVar("_Draft")


class BatchTooLargeError(InvalidError):
    """More items than one call takes; `maximum` in the data."""

    code = "batch_too_large"


@dataclass(frozen=True, slots=True)
class Item(Generic[_Outcome]):
    """What became of one item: its outcome, or why it was refused; then it changed nothing."""

    outcome: _Outcome | None = None
    error: DomainError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventDraft:
    """An event as it comes in; `member` is the brand's own key. See `record_event`."""

    member: str
    name: str
    occurred_at: datetime
    properties: Mapping[str, Any] = field(default_factory=dict)
    external_id: str | None = None


def record_events(
    *, drafts: Sequence[EventDraft], at: datetime
) -> list[Item[tuple[ActivityEvent, bool]]]:
    """Record events, each by itself; return what became of each in the order sent.

    :raises BatchTooLargeError: for more than 1,000; then nothing was recorded.
    """
    check_size(drafts)
    members = list_members_by_external_id(external_ids={draft.member for draft in drafts})

    def write(draft: EventDraft) -> tuple[ActivityEvent, bool]:
        return record_event(
            member=find_member(members, draft.member),
            name=draft.name,
            occurred_at=draft.occurred_at,
            properties=draft.properties,
            external_id=draft.external_id,
            at=at,
        )

    return each(drafts, [draft.external_id or "" for draft in drafts], write)


def find_member(members: Mapping[str, Member], external_id: str) -> Member:
    """Return the member an item names. :raises MemberNotFoundError: with the place."""
    member = members.get(external_id)
    if member is None:
        raise MemberNotFoundError(pointer="/member", external_id=external_id)
    return member


def check_size(drafts: Sequence[Any]) -> None:
    """Refuse a batch that is too large."""
    if len(drafts) > MAX_BATCH:
        raise BatchTooLargeError(
            _("A batch holds at most %(most)s items.") % {"most": MAX_BATCH}, maximum=MAX_BATCH
        )


def each(
    drafts: Sequence[_Draft], keys: Sequence[Any], write: Callable[[_Draft], _Outcome]
) -> list[Item[_Outcome]]:
    """Write each item in a savepoint, in the order of `keys`; return them in the order sent.

    The keys name what an item locks, so that two batches never wait for each other in a circle;
    items of one key are written in the order sent.
    """
    found: dict[int, Item[_Outcome]] = {}
    with transaction.atomic():
        for index in sorted(range(len(drafts)), key=lambda place: keys[place]):
            try:
                with transaction.atomic():
                    found[index] = Item(outcome=write(drafts[index]))
            except DomainError as error:
                found[index] = Item(error=error)
    return [found[index] for index in range(len(drafts))]
