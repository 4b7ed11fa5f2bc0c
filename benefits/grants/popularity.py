"""How many who hold a benefit use it, by value segment; counted anew each night."""

from datetime import datetime, timedelta

from django.db import connection, transaction

from benefits.grants.relevance import PEERS_DAYS
from tenants.jobs.registry import JobRun

EVERYBODY = "*"
_COUNT = """
INSERT INTO benefits_benefitpopularity AS known
       (benefit_id, value_segment, holders, users, counted_at)
SELECT benefit_id, COALESCE(value_segment, %(everybody)s), count(*), count(*) FILTER (WHERE uses),
       %(at)s
  FROM (SELECT g.benefit_id, COALESCE(s.value_segment, '') AS value_segment, bool_or(g.used > 0) AS uses
          FROM benefits_grant g LEFT JOIN members_memberscore s ON s.member_id = g.member_id
         WHERE g.issued_at >= %(since)s AND g.revoked_at IS NULL
         GROUP BY g.benefit_id, g.member_id, s.value_segment) held
 GROUP BY GROUPING SETS ((benefit_id, value_segment), (benefit_id))
    ON CONFLICT (benefit_id, value_segment) DO UPDATE
   SET holders = excluded.holders, users = excluded.users, counted_at = excluded.counted_at
"""


def count_popularity(*, at: datetime) -> int:
    """Count holders and users of the last 90 days; return the number of rows. One statement."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            _COUNT,
            {"everybody": EVERYBODY, "at": at, "since": at - timedelta(days=PEERS_DAYS)},
        )
        rows: int = cursor.rowcount
        cursor.execute("DELETE FROM benefits_benefitpopularity WHERE counted_at < %s", [at])
    return rows


def run_count(run: JobRun) -> None:
    """Job `grants.popularity`."""
    with transaction.atomic():
        rows = count_popularity(at=run.at)
        run.complete({"rows": rows})
