"""Adding and removing single tags: two people tagging one member at once lose nothing."""

from collections.abc import Callable, Iterable
from datetime import datetime

from django.db import transaction

from core.actors import Actor
from members.profiles import _fields
from members.profiles.errors import ErasedMemberError
from members.profiles.models import Member
from tenants.audit.operations import record
from tenants.events.operations import emit


def add_tags(*, member: Member, tags: Iterable[str], by: Actor, at: datetime) -> list[str]:
    """Add tags behind those that are there; return all that the member has now.

    :raises InvalidMemberError: for a tag that can not be, or beyond 50.
    :raises ErasedMemberError: if the member was erased.
    """
    wanted = _fields.clean_tags(tags)
    return _change(member, lambda old: _fields.clean_tags([*old, *wanted]), by, at)


def remove_tags(*, member: Member, tags: Iterable[str], by: Actor, at: datetime) -> list[str]:
    """Remove tags; return those the member has now. What is not there is passed over.

    :raises ErasedMemberError: if the member was erased.
    """
    gone = set(tags)
    return _change(member, lambda old: [tag for tag in old if tag not in gone], by, at)


def _change(
    member: Member, change: Callable[[list[str]], list[str]], by: Actor, at: datetime
) -> list[str]:
    with transaction.atomic():
        locked = Member.objects.select_for_update(no_key=True).get(pk=member.pk)
        if locked.status == Member.Status.ERASED:
            raise ErasedMemberError
        old, new = locked.tags, change(locked.tags)
        if new == old:
            return old
        locked.tags = new
        locked.save(update_fields=["tags"])
        if by.kind in {"staff", "operator", "partner"}:
            record(
                by=by,
                at=at,
                action="member.updated",
                target_type="member",
                target_id=locked.pk,
                changes={"tags": [old, new]},
            )
        emit(
            type="member.updated",
            subject=f"member:{locked.pk}",
            data={"fields": ["tags"]},
            at=at,
        )
    return new
