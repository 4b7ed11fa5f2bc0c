"""Who may be one and the same person: looked for in sets every night."""

from datetime import datetime

from django.db import connection, transaction

from members.merging.models import DuplicatePair
from tenants.jobs.registry import JobRun

# A group of more than this many says that the sign is worth nothing: a shop's own number.
_MOST = 5

# Numbers are compared without the country code of mainland China; addresses without dots and
# without what follows a plus sign, as the large providers deliver them to one mailbox.
_SIGNS = """
SELECT p.member_id, 'phone' AS sign, regexp_replace(p.phone, '^(\\+|00)?(86)?(?=1[0-9]{10}$)', '')
    AS value
FROM members_memberpersonal p WHERE p.phone <> ''
UNION ALL
SELECT p.member_id, 'email',
    replace(split_part(split_part(p.email, '@', 1), '+', 1), '.', '') || '@'
        || split_part(p.email, '@', 2)
FROM members_memberpersonal p WHERE p.email <> ''
UNION ALL
SELECT p.member_id, 'name_birthday', p.name_folded || ' ' || p.birthday
FROM members_memberpersonal p WHERE p.name_folded <> '' AND p.birthday IS NOT NULL
"""

# Pairs that staff told apart keep that mark; pairs with nothing left in common go.
_FIND = f"""
WITH signed AS (
    SELECT s.member_id, s.sign, s.value FROM ({_SIGNS}) AS s
    JOIN members_member m ON m.id = s.member_id AND m.status IN ('active', 'blocked')
), common AS (
    SELECT sign, value FROM signed GROUP BY 1, 2 HAVING count(*) BETWEEN 2 AND %(most)s
), pair AS (
    SELECT one.member_id AS first_id, other.member_id AS second_id,
        array_agg(one.sign ORDER BY one.sign)::varchar[] AS signs
    FROM common
    JOIN signed one ON one.sign = common.sign AND one.value = common.value
    JOIN signed other ON other.sign = common.sign AND other.value = common.value
        AND other.member_id > one.member_id
    GROUP BY 1, 2
), gone AS (
    DELETE FROM members_duplicatepair d
    WHERE NOT EXISTS (
        SELECT FROM pair WHERE pair.first_id = d.first_id AND pair.second_id = d.second_id)
), kept AS (
    INSERT INTO members_duplicatepair (first_id, second_id, signs, found_at, dismissed_by)
    SELECT first_id, second_id, signs, %(at)s, '' FROM pair ORDER BY first_id, second_id
    ON CONFLICT (first_id, second_id) DO UPDATE SET signs = EXCLUDED.signs
        WHERE members_duplicatepair.signs <> EXCLUDED.signs
)
SELECT count(*) FROM pair
"""  # noqa: S608


def find_duplicates(*, at: datetime) -> int:
    """Renew the list of members who may be the same person; return how many pairs there are."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('statement_timeout', '600s', true), "
            "set_config('work_mem', '64MB', true)"
        )
        cursor.execute(_FIND, {"at": at, "most": _MOST})
        cursor.fetchone()
    return DuplicatePair.objects.filter(dismissed_at__isnull=True).count()


def run_find_duplicates(run: JobRun) -> None:
    """Job: renew the list."""
    with transaction.atomic():
        run.complete({"pairs": find_duplicates(at=run.at)})
