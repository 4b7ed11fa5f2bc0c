"""Two owners become one, and two again: whole accounts handed over and back (`sql/merge.sql`)."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import connection

from members.points._calls import brand_day
from members.points.models import Account
from tenants.audit.operations import verify_identity
from tenants.events.operations import emit_many

_LOCK = """
SELECT a.id, a.owner_id, a.wallet_id, w.code
FROM members_account a JOIN members_wallet w ON w.id = a.wallet_id
WHERE a.owner_id = ANY(%s) ORDER BY a.id FOR UPDATE OF a
"""


def hand_over(*, owner_id: int, into_owner_id: int, merge_id: int, at: datetime) -> dict[str, int]:
    """Merge all accounts of an owner into those of another; return the points by wallet."""
    verify_identity()
    accounts = _lock((owner_id, into_owner_id))
    _expire([account for account, *_ in accounts], at)
    targets = {wallet: account for account, owner, wallet, _code in accounts if owner != owner_id}
    moved: dict[str, int] = {}
    for account, owner, wallet, code in accounts:
        if owner == owner_id:
            Account.objects.filter(pk=account).update(
                merged_into_id=targets[wallet], merge_id=merge_id
            )
            moved[code] = _call("points_hand_over", account, at)
    return moved


def hand_back(*, owner_id: int, at: datetime) -> dict[str, int]:
    """Undo that for all accounts of an owner; return the points that came back by wallet."""
    verify_identity()
    into = Account.objects.filter(owner_id=owner_id, merged_into__isnull=False)
    others = set(into.values_list("merged_into__owner_id", flat=True))
    accounts = _lock((owner_id, *others))
    return {
        code: _call("points_hand_back", account, at)
        for account, owner, _wallet, code in accounts
        if owner == owner_id
    }


def hand_over_rest(*, owner_ids: Iterable[int], at: datetime) -> int:
    """Hand over what came to lie in accounts of owners who were merged; return how many had any."""
    verify_identity()
    left = (
        Account.objects.filter(owner_id__in=list(owner_ids), merged_into__isnull=False)
        .exclude(balance=0, owed=0)
        .order_by("id")
    )
    return sum(_call("points_hand_over", account.pk, at) != 0 for account in left)


def _lock(owner_ids: Iterable[int]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, [list(owner_ids)])
        return list(cursor.fetchall())


def _expire(accounts: list[int], at: datetime) -> None:
    """Expire what is due, as the next night would: it can not pay a debt any more."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT a.owner_id, w.code, x.points "
            "FROM points_expire_accounts(%s, %s, %s) AS e, "
            "unnest(e.o_account_ids, e.o_account_points) AS x(id, points) "
            "JOIN members_account a ON a.id = x.id JOIN members_wallet w ON w.id = a.wallet_id",
            [accounts, at, brand_day(at)],
        )
        expired = cursor.fetchall()
    emit_many(
        type="points.expired",
        events=[
            (f"member:{owner}", {"wallet": wallet, "points": points})
            for owner, wallet, points in expired
        ],
        at=at,
    )


def _call(function: str, account: int, at: datetime) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {function}(%s, %s, %s)", [account, at, brand_day(at)])
        points: int = cursor.fetchone()[0]
    return points
