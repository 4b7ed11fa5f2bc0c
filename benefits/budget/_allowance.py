"""What a line may still commit: split into shards, changed by conditional updates only.

Either all shards are at zero or above, or the line is in debt: then shard 0 holds all of the
debt and the others are empty, so that nobody finds anything to take. What is given pays the debt
first. Lock order: where more than one shard is needed, they are locked in shard order.

A shard given to at the very moment another transaction puts the line into debt can keep what it
was given; the sum, and with it every figure shown, stays exact.
"""

import secrets
from collections.abc import Sequence

from django.db import connection, transaction
from django.db.models import Exists, F, QuerySet

from benefits.budget.models import BudgetAllowance, BudgetLine

SHARDS = 8


def open_shards(line: BudgetLine) -> None:
    """Make the shards of a new line, all at zero."""
    BudgetAllowance.objects.bulk_create(
        BudgetAllowance(line=line, shard=shard) for shard in range(SHARDS)
    )


def give(line_id: int, amount_minor: int) -> None:
    """Add to the allowance: a large amount evenly, a small one to one shard, a debt first."""
    if _debt(line_id).update(left_minor=F("left_minor") + amount_minor):
        return
    if amount_minor < 100 * SHARDS:
        BudgetAllowance.objects.filter(line_id=line_id, shard=secrets.randbelow(SHARDS)).update(
            left_minor=F("left_minor") + amount_minor
        )
        return
    each, rest = divmod(amount_minor, SHARDS)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE benefits_budgetallowance a"
            "   SET left_minor = left_minor + %s + CASE WHEN a.shard = 0 THEN %s ELSE 0 END"
            "  FROM (SELECT id FROM benefits_budgetallowance WHERE line_id = %s"
            "         ORDER BY shard FOR UPDATE) locked"
            " WHERE a.id = locked.id",
            [each, rest, line_id],
        )


def take(line_id: int, amount_minor: int) -> int | None:
    """Take from the allowance, or change nothing and return what is left of it.

    One shard is tried first, chosen at random; when it is short, all are locked and shared out
    anew, so that a refusal is never wrong.
    """
    if _take_from_one(line_id, amount_minor):
        return None
    shards = _lock(line_id)
    left = sum(shard.left_minor for shard in shards)
    if left < amount_minor:
        return left
    _share_out(shards, left - amount_minor)
    return None


def _take_from_one(line_id: int, amount_minor: int) -> bool:
    """Take from one shard if it has enough.

    A conditional update that had to wait and then finds too little has locked the row all the
    same; going back to the savepoint lets go of it, or locking all in order would deadlock.
    """
    savepoint = transaction.savepoint()
    taken = BudgetAllowance.objects.filter(
        ~Exists(_debt(line_id)),
        line_id=line_id,
        shard=secrets.randbelow(SHARDS),
        left_minor__gte=amount_minor,
    ).update(left_minor=F("left_minor") - amount_minor)
    if taken:
        transaction.savepoint_commit(savepoint)
    else:
        transaction.savepoint_rollback(savepoint)
    return bool(taken)


def force(line_id: int, amount_minor: int) -> bool:
    """Take whether or not it suffices; return whether the line is now in debt."""
    if take(line_id, amount_minor) is None:
        return False
    shards = _lock(line_id)
    _share_out(shards, sum(shard.left_minor for shard in shards) - amount_minor)
    return True


def _debt(line_id: int) -> QuerySet[BudgetAllowance]:
    return BudgetAllowance.objects.filter(line_id=line_id, shard=0, left_minor__lt=0)


def _lock(line_id: int) -> Sequence[BudgetAllowance]:
    return list(
        BudgetAllowance.objects.select_for_update().filter(line_id=line_id).order_by("shard")
    )


def _share_out(shards: Sequence[BudgetAllowance], left: int) -> None:
    """Spread what is left evenly; a debt lies on shard 0 alone."""
    each, rest = divmod(left, SHARDS) if left >= 0 else (0, left)
    for shard in shards:
        shard.left_minor = each + (rest if shard.shard == 0 else 0)
    BudgetAllowance.objects.bulk_update(shards, ["left_minor"])
