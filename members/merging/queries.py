"""Reading merges and likely duplicates."""

from django.db.models import Q, QuerySet

from members.merging.errors import MergeNotFoundError
from members.merging.models import DuplicatePair, MemberMerge
from members.profiles.models import Member


def get_merge(*, merge_id: int) -> MemberMerge:
    """Return a merge with both members.

    :raises MergeNotFoundError: if there is none.
    """
    merge = _merges().filter(pk=merge_id).first()
    if merge is None:
        raise MergeNotFoundError(merge=merge_id)
    return merge


def list_merges(*, before: int | None = None, limit: int = 50) -> list[MemberMerge]:
    """Return merges, newest first, those before the key `before`."""
    merges = _merges() if before is None else _merges().filter(pk__lt=before)
    return list(merges.order_by("-pk")[:limit])


def list_merges_of(*, member_id: int) -> list[MemberMerge]:
    """Return the merges that a member survived or went into, newest first."""
    either = Q(survivor_id=member_id) | Q(merged_id=member_id)
    return list(_merges().filter(either).order_by("-pk")[:100])


def list_pairs(*, before: int | None = None, limit: int = 50) -> list[DuplicatePair]:
    """Return the pairs that nobody has looked at, newest first, those before the key `before`."""
    pairs = DuplicatePair.objects.select_related("first__personal", "second__personal").filter(
        dismissed_at__isnull=True
    )
    pairs = pairs.exclude(first__status=Member.Status.MERGED).exclude(
        second__status=Member.Status.MERGED
    )
    if before is not None:
        pairs = pairs.filter(pk__lt=before)
    return list(pairs.order_by("-pk")[:limit])


def count_pairs() -> int:
    """Return how many pairs wait for somebody to look at them."""
    pairs = DuplicatePair.objects.filter(dismissed_at__isnull=True)
    return (
        pairs.exclude(first__status=Member.Status.MERGED)
        .exclude(second__status=Member.Status.MERGED)
        .count()
    )


def _merges() -> QuerySet[MemberMerge]:
    return MemberMerge.objects.select_related("survivor__personal", "merged__personal")
