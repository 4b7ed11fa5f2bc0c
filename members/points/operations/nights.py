"""What time does to points: expiry, waiting that ends, inactivity, notices."""

from collections.abc import Iterable
from datetime import date, datetime

from django.db import connection, transaction

from members.points._calls import brand_day, run_chunk
from members.points.models import Account
from members.points.values import Chunk
from tenants.audit.operations import verify_identity
from tenants.events.operations import emit_many


def expire_chunk(*, at: datetime, limit: int = 5_000, wait: bool = False) -> Chunk:
    """Expire what is left in lots whose last good day is before the brand's day of `at`.

    Works on the accounts of the first `limit` due lots in one transaction; accounts that are
    locked by others are skipped unless `wait`. Zero accounts: nothing (unlocked) is left to do.
    Event for each account: `points.expired`.
    """
    with transaction.atomic():
        accounts, lots, points, ids, lost = run_chunk(
            "points_expire_chunk", at, brand_day(at), limit, wait
        )
        owners = {
            account_id: (owner_id, wallet)
            for account_id, owner_id, wallet in Account.objects.filter(id__in=ids).values_list(
                "id", "owner_id", "wallet__code"
            )
        }
        emit_many(
            type="points.expired",
            events=[
                (
                    f"member:{owners[account_id][0]}",
                    {"wallet": owners[account_id][1], "points": expired},
                )
                for account_id, expired in zip(ids, lost, strict=True)
            ],
            at=at,
        )
    return Chunk(accounts, lots, points)


def activate_chunk(*, at: datetime, limit: int = 5_000, wait: bool = False) -> Chunk:
    """Make points spendable whose waiting is over at `at`; chunks as `expire_chunk`."""
    accounts, lots, points = run_chunk("points_activate_chunk", at, limit, wait)
    return Chunk(accounts, lots, points)


def note_activity(*, owner_ids: Iterable[int], on: date) -> int:
    """Extend points that are good while their owner is active; return how many accounts.

    Credits, spendings, holds and transfers extend by themselves: this is for activity that moves
    no points. What had lapsed before `on` stays lapsed.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH touched AS (
                SELECT id FROM members_account
                WHERE owner_id = ANY (%(owners)s) AND good_until >= %(on)s
                  AND good_until < (%(on)s::date + make_interval(months => idle_months))::date
                ORDER BY id FOR UPDATE
            )
            UPDATE members_account a
            SET good_until = points_good_until(a.good_until, a.idle_months, %(on)s::date)
            FROM touched WHERE a.id = touched.id
            """,
            {"owners": list(owner_ids), "on": on},
        )
        return int(cursor.rowcount)


_NOTIFY = """
WITH due AS (
    SELECT l.account_id, l.expires_on, sum(l.remaining) AS points
    FROM members_lot l
    JOIN members_account a ON a.id = l.account_id
    JOIN members_wallet w ON w.id = a.wallet_id
    WHERE l.is_open AND l.expires_on >= %(today)s
      AND l.expires_on <= %(today)s::date + (SELECT max(expiring_notice_days) FROM members_wallet)
      AND w.expiring_notice_days > 0 AND l.expires_on <= %(today)s::date + w.expiring_notice_days
      AND NOT EXISTS (SELECT FROM members_expirynotice n
                      WHERE n.account_id = l.account_id AND n.expires_on = l.expires_on)
    GROUP BY 1, 2
    UNION ALL
    SELECT a.id, a.good_until, sum(l.remaining)
    FROM members_account a
    JOIN members_wallet w ON w.id = a.wallet_id
    JOIN members_lot l ON l.account_id = a.id AND l.is_open AND l.expires_on = DATE '9999-12-30'
    WHERE a.good_until >= %(today)s
      AND w.expiring_notice_days > 0 AND a.good_until <= %(today)s::date + w.expiring_notice_days
      AND NOT EXISTS (SELECT FROM members_expirynotice n
                      WHERE n.account_id = a.id AND n.expires_on = a.good_until)
    GROUP BY 1, 2
), noted AS (
    INSERT INTO members_expirynotice (account_id, expires_on, points, at)
    SELECT account_id, expires_on, sum(points), %(at)s FROM due
    GROUP BY account_id, expires_on ORDER BY expires_on, account_id LIMIT %(limit)s
    ON CONFLICT DO NOTHING
    RETURNING account_id, expires_on, points
)
SELECT a.owner_id, w.code, noted.points, noted.expires_on, noted.expires_on = a.good_until
FROM noted JOIN members_account a ON a.id = noted.account_id
JOIN members_wallet w ON w.id = a.wallet_id
ORDER BY noted.expires_on, noted.account_id
"""


def notify_chunk(*, at: datetime, limit: int = 10_000) -> int:
    """Tell of points that stop being good within the wallet's days of notice; return how many.

    Once per account and last good day, however often this runs. Event: `points.expiring`.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        verify_identity()
        cursor.execute(_NOTIFY, {"today": brand_day(at), "at": at, "limit": limit})
        rows = cursor.fetchall()
        emit_many(
            type="points.expiring",
            events=[
                (
                    f"member:{owner_id}",
                    {
                        "wallet": wallet,
                        "points": points,
                        "last_day": last_day.isoformat(),
                        "by_inactivity": bool(idle),
                    },
                )
                for owner_id, wallet, points, last_day, idle in rows
            ],
            at=at,
        )
    return len(rows)
