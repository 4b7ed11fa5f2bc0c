"""What a line may still commit: split into shards, changed by conditional updates only.

Lock order: a line's shards are locked in shard order where more than one is needed.
"""

import secrets

from django.db import connection
from django.db.models import F

from benefits.budget.models import BudgetAllowance, BudgetLine

SHARDS = 8


def open_shards(line: BudgetLine) -> None:
    """Make the shards of a new line, all at zero."""
    BudgetAllowance.objects.bulk_create(
        BudgetAllowance(line=line, shard=shard) for shard in range(SHARDS)
    )


def give(line_id: int, amount_minor: int) -> None:
    """Add to the allowance: a large amount evenly, a small one to one shard."""
    if amount_minor < 100 * SHARDS:
        _add(line_id, secrets.randbelow(SHARDS), amount_minor)
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

    One shard is tried first, chosen at random; when it is short, all are locked and emptied in
    order, so that a refusal is never wrong.
    """
    taken = BudgetAllowance.objects.filter(
        line_id=line_id, shard=secrets.randbelow(SHARDS), left_minor__gte=amount_minor
    ).update(left_minor=F("left_minor") - amount_minor)
    if taken:
        return None
    shards = list(
        BudgetAllowance.objects.select_for_update().filter(line_id=line_id).order_by("shard")
    )
    left = sum(shard.left_minor for shard in shards)
    if left < amount_minor:
        return left
    # What remains is spread evenly, so that the next takers find it in one shard.
    each, rest = divmod(left - amount_minor, SHARDS)
    for shard in shards:
        shard.left_minor = each + (rest if shard.shard == 0 else 0)
    BudgetAllowance.objects.bulk_update(shards, ["left_minor"])
    return None


def force(line_id: int, amount_minor: int) -> bool:
    """Take whether or not it suffices; return whether the line is now below zero.

    The answer reads the shards without locking them: it is for an alert, not for a limit.
    """
    if take(line_id, amount_minor) is None:
        return False
    _add(line_id, 0, -amount_minor)
    return True


def _add(line_id: int, shard: int, amount_minor: int) -> None:
    BudgetAllowance.objects.filter(line_id=line_id, shard=shard).update(
        left_minor=F("left_minor") + amount_minor
    )
