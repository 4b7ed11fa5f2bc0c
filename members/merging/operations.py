"""Making two members one, and two again within 30 days."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Final, TypeVar

from django.db import OperationalError, connection, transaction
from django.utils.translation import gettext as _
from psycopg.errors import DeadlockDetected, LockNotAvailable

from core.actors import SYSTEM, Actor
from core.errors import InvalidError
from members.merging.errors import (
    AlreadyUndoneError,
    LaterMergeError,
    MergeBusyError,
    MergeNotFoundError,
    NotMergeableError,
    PairNotFoundError,
    SameMemberError,
    SurvivorErasedError,
    UndoTooLateError,
)
from members.merging.models import DuplicatePair, MemberMerge
from members.merging.registry import Merging, list_movers
from members.points.operations import hand_over_rest, merge_accounts, unmerge_accounts
from members.profiles.models import Member
from tenants.audit.operations import record
from tenants.events.operations import emit
from tenants.jobs.operations import enqueue

__all__ = [
    "UNDO_DAYS",
    "dismiss_pair",
    "follow_merges",
    "merge_members",
    "undo_merge",
]

UNDO_DAYS: Final = 30
FOLLOW: Final = "members.follow_merges"
FIND: Final = "members.find_duplicates"
# Shorter than the second after which the database looks for deadlocks: where a purchase or a
# redemption and a merge wait for each other, it is the merge that gives way.
_PATIENCE = "400ms"
_TRIES = 6
_MERGEABLE = (Member.Status.ACTIVE, Member.Status.BLOCKED)
_MAX_REASON = 300

_Result = TypeVar("_Result")


def merge_members(
    *, survivor: Member, merged: Member, reason: str, by: Actor, at: datetime
) -> MemberMerge:
    """Make `merged` one with `survivor`: points, growth, purchases, rights and history follow.

    One transaction. The survivor's profile stays as it is; the merged member's own is kept, and
    its number and external id lead to the survivor from now on. Where something else holds one
    of the two, the merge gives way and tries again. Events: `member.merged`.

    :raises SameMemberError: if they are one.
    :raises NotMergeableError: if one was erased or is merged already.
    :raises InvalidError: without a reason.
    :raises MergeBusyError: if one of the two is worked on all the time.
    """
    text = _reason(reason)
    if survivor.pk == merged.pk:
        raise SameMemberError(pointer="/merged")
    return _patiently(lambda: _merge(survivor.pk, merged.pk, text, by, at))


def undo_merge(*, merge_id: int, reason: str, by: Actor, at: datetime) -> MemberMerge:
    """Make two of one again: what the merge took goes back as it is now.

    Points return as far as they were not spent, held or expired since; what came after the merge
    and belongs to nothing that moved stays with the survivor. Events: `member.unmerged`.

    :raises MergeNotFoundError: if there is no such merge.
    :raises AlreadyUndoneError: if it was undone.
    :raises UndoTooLateError: after 30 days; data: undo_until.
    :raises LaterMergeError: if the survivor was merged since; data: merge.
    :raises SurvivorErasedError: if the survivor was erased.
    :raises InvalidError: without a reason.
    :raises MergeBusyError: as `merge_members`.
    """
    text = _reason(reason)
    return _patiently(lambda: _undo(merge_id, text, by, at))


def follow_merges(*, at: datetime) -> int:
    """Take to the survivor what was written late to merged members; return how many had any."""
    late = {member_id for mover in list_movers() for member_id in mover.left()}
    merged = set(Member.objects.filter(status=Member.Status.MERGED).values_list("pk", flat=True))
    followed = hand_over_rest(owner_ids=merged, at=at)
    merges = MemberMerge.objects.filter(merged_id__in=late, undone_at__isnull=True)
    for merge in merges.order_by("pk"):
        _patiently(lambda merge=merge: _follow(merge, at))  # type: ignore[misc]
        followed += 1
    return followed


def dismiss_pair(*, first_id: int, second_id: int, by: Actor, at: datetime) -> None:
    """Note that two members are two people: they are not suggested again.

    :raises PairNotFoundError: if they were not suggested.
    """
    low, high = sorted((first_id, second_id))
    with transaction.atomic():
        changed = DuplicatePair.objects.filter(
            first_id=low, second_id=high, dismissed_at__isnull=True
        ).update(dismissed_at=at, dismissed_by=by.key)
        if changed:
            record(
                by=by,
                at=at,
                action="member.told_apart",
                target_type="member",
                target_id=low,
                changes={"other": [None, high]},
            )
        elif not DuplicatePair.objects.filter(first_id=low, second_id=high).exists():
            raise PairNotFoundError


def _merge(survivor_id: int, merged_id: int, reason: str, by: Actor, at: datetime) -> MemberMerge:
    survivor, merged = _lock(survivor_id, merged_id)
    for member in (survivor, merged):
        if member.status not in _MERGEABLE:
            raise NotMergeableError(member=member.number)
    merge = MemberMerge.objects.create(
        survivor=survivor,
        merged=merged,
        status_before=merged.status,
        reason=reason,
        merged_at=at,
        merged_by=by.key,
        undo_until=at + timedelta(days=UNDO_DAYS),
    )
    moved = merge_accounts(owner_id=merged_id, into_owner_id=survivor_id, merge_id=merge.pk, at=at)
    Member.objects.filter(pk=merged_id).update(status=Member.Status.MERGED, merged_into=survivor)
    merging = Merging(merge_id=merge.pk, survivor_id=survivor_id, merged_id=merged_id, by=by, at=at)
    counts = {mover.name: mover.move(merging) for mover in list_movers()}
    merge.moved = {f"points.{wallet}": points for wallet, points in moved.items()} | counts
    merge.save(update_fields=["moved"])
    _tell(merge, "member.merged", {"moved": merge.moved}, reason, by, at)
    # What somebody writes at this moment, who read the member before, comes after.
    enqueue(
        kind=FOLLOW,
        dedupe_key=f"merge-{merge.pk}",
        due_at=at + timedelta(minutes=1),
        by=by,
        at=at,
    )
    return merge


def _undo(merge_id: int, reason: str, by: Actor, at: datetime) -> MemberMerge:
    found = MemberMerge.objects.filter(pk=merge_id).first()
    if found is None:
        raise MergeNotFoundError(merge=merge_id)
    survivor, _merged = _lock(found.survivor_id, found.merged_id)
    merge = MemberMerge.objects.get(pk=merge_id)
    if merge.undone_at is not None:
        raise AlreadyUndoneError(undone_at=merge.undone_at.isoformat())
    if at > merge.undo_until:
        raise UndoTooLateError(undo_until=merge.undo_until.isoformat())
    if survivor.status == Member.Status.ERASED:
        raise SurvivorErasedError
    later = MemberMerge.objects.filter(merged=survivor, undone_at__isnull=True).first()
    if later is not None:
        raise LaterMergeError(merge=later.pk)
    merging = Merging(
        merge_id=merge.pk,
        survivor_id=merge.survivor_id,
        merged_id=merge.merged_id,
        by=by,
        at=at,
    )
    for mover in reversed(list_movers()):
        mover.give_back(merging)
    back = unmerge_accounts(owner_id=merge.merged_id, at=at)
    Member.objects.filter(pk=merge.merged_id).update(status=merge.status_before, merged_into=None)
    merge.undone_at, merge.undone_by, merge.undo_reason = at, by.key, reason
    merge.save(update_fields=["undone_at", "undone_by", "undo_reason"])
    _tell(merge, "member.unmerged", {"points": back}, reason, by, at)
    return merge


def _follow(merge: MemberMerge, at: datetime) -> None:
    _lock(merge.survivor_id, merge.merged_id)
    if MemberMerge.objects.filter(pk=merge.pk, undone_at__isnull=True).exists():
        merging = Merging(
            merge_id=merge.pk,
            survivor_id=merge.survivor_id,
            merged_id=merge.merged_id,
            by=SYSTEM,
            at=at,
        )
        for mover in list_movers():
            mover.move(merging)


def _lock(*member_ids: int) -> tuple[Member, ...]:
    """Hold members in the order of their keys, also against rows that would point to them."""
    found = {
        member.pk: member
        for member in Member.objects.select_for_update().filter(pk__in=member_ids).order_by("pk")
    }
    return tuple(found[key] for key in member_ids)


def _tell(
    merge: MemberMerge, event: str, data: dict[str, object], reason: str, by: Actor, at: datetime
) -> None:
    number = {member.pk: member for member in (merge.survivor, merge.merged)}
    for member_id in (merge.survivor_id, merge.merged_id):
        record(
            by=by,
            at=at,
            action=event,
            target_type="member",
            target_id=member_id,
            changes={"merge": [None, merge.pk]},
            reason=reason,
        )
    emit(
        type=event,
        subject=f"member:{merge.survivor_id}",
        data={
            "merge": merge.pk,
            "survivor": number[merge.survivor_id].external_id,
            "merged": number[merge.merged_id].external_id,
            "survivor_id": merge.survivor_id,
            "merged_id": merge.merged_id,
            "undo_until": merge.undo_until.isoformat(),
            **data,
        },
        at=at,
    )


def _reason(text: str) -> str:
    reason = text.strip()
    if not reason:
        raise InvalidError(_("A reason is needed."), pointer="/reason")
    if len(reason) > _MAX_REASON:
        raise InvalidError(_("This is too long."), pointer="/reason")
    return reason


def _patiently(work: Callable[[], _Result]) -> _Result:
    """Do work in a transaction that waits for nobody long, a few times over.

    :raises MergeBusyError: if it never came through.
    """
    for number in range(_TRIES):
        try:
            with transaction.atomic(), _short_waits():
                return work()
        except OperationalError as error:
            if not isinstance(error.__cause__, LockNotAvailable | DeadlockDetected):
                raise
            time.sleep(0.05 * (number + 1))
    raise MergeBusyError


@contextmanager
def _short_waits() -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('lock_timeout')")
        before = cursor.fetchone()[0]
        cursor.execute("SELECT set_config('lock_timeout', %s, true)", [_PATIENCE])
        yield
        cursor.execute("SELECT set_config('lock_timeout', %s, true)", [before])
