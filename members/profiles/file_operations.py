"""Many members at once, out of a file: staged by COPY, judged and written by whole sets.

The staging tables are temporary and vanish with the transaction, which is the caller's. A value
that is null was not given and stays as it is.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection
from psycopg.types.json import Jsonb

from core.actors import Actor
from members.profiles import _names
from members.profiles.operations import clean_profile, enrol_many
from members.profiles.queries import list_attribute_definitions
from tenants.audit.operations import record
from tenants.events.operations import emit_many

__all__ = ["FileProblem", "Written", "clean_profile", "judge", "prepare", "stage", "write"]

_CHUNK = 10_000
_PLAIN = ("region", "store_code", "locale")
_PERSONAL = ("name", "email", "phone", "gender", "birthday")
_TABLE = """
DROP TABLE IF EXISTS import_member, import_target, import_changed, import_consent;
CREATE TEMPORARY TABLE import_member (
    line bigint NOT NULL, external_id text NOT NULL, name text, email text, phone text,
    birthday date, gender text, region text, store_code text, locale text, tags text[],
    attributes jsonb, consents jsonb, name_folded text, grams text[]
) ON COMMIT DROP
"""
_TYPES = (
    "int8", "text", "text", "text", "text", "date", "text", "text", "text", "text", "text[]",
    "jsonb", "jsonb", "text", "text[]",
)  # fmt: skip

_JUDGE = """
SELECT line, 'external_id', 'repeated_member', external_id FROM (
    SELECT line, external_id, row_number() OVER (PARTITION BY external_id ORDER BY line) AS n
    FROM import_member) AS numbered WHERE n > 1
UNION ALL
SELECT s.line, 'external_id', 'erased_member', s.external_id
FROM import_member s JOIN members_member m ON m.external_id = s.external_id
WHERE m.status = 'erased'
UNION ALL
SELECT line, 'email', 'repeated_email', email FROM (
    SELECT line, email, row_number() OVER (PARTITION BY email ORDER BY line) AS n
    FROM import_member WHERE email <> '') AS numbered WHERE n > 1
UNION ALL
SELECT s.line, 'email', 'email_taken', s.email
FROM import_member s
JOIN members_memberpersonal p ON p.email = s.email AND p.email <> ''
JOIN members_member other ON other.id = p.member_id
LEFT JOIN members_member m ON m.external_id = s.external_id
WHERE other.id IS DISTINCT FROM m.id AND other.id IS DISTINCT FROM m.merged_into_id
  AND (other.merged_into_id IS NULL
       OR other.merged_into_id IS DISTINCT FROM coalesce(m.merged_into_id, m.id))
UNION ALL
SELECT s.line, 'attributes.' || needed.code, 'missing_attribute', needed.code
FROM import_member s CROSS JOIN unnest(%(required)s::text[]) AS needed(code)
LEFT JOIN members_member m ON m.external_id = s.external_id
WHERE m.id IS NULL AND NOT coalesce(s.attributes ? needed.code, false)
ORDER BY 1
"""
_NEW = """
CREATE TEMPORARY TABLE import_changed ON COMMIT DROP AS
SELECT row_number() OVER (ORDER BY s.line) AS number, s.external_id
FROM import_member s LEFT JOIN members_member m ON m.external_id = s.external_id
WHERE m.id IS NULL
"""
# Rows that name a merged member are the survivor's; of several for one member the last counts.
_TARGET = """
CREATE TEMPORARY TABLE import_target ON COMMIT DROP AS
SELECT DISTINCT ON (coalesce(m.merged_into_id, m.id)) coalesce(m.merged_into_id, m.id) AS id,
    m.merged_into_id IS NOT NULL AS is_merged,
    EXISTS (SELECT FROM import_changed c WHERE c.external_id = s.external_id) AS is_new, s.*
FROM import_member s JOIN members_member m ON m.external_id = s.external_id
ORDER BY coalesce(m.merged_into_id, m.id), s.line DESC
"""
_LOCK = """
SELECT count(*) FROM (
    SELECT id FROM members_member WHERE id IN (SELECT id FROM import_target)
    ORDER BY id FOR NO KEY UPDATE) AS locked
"""
_ADD_PERSONAL = """
INSERT INTO members_memberpersonal (member_id, name, email, phone, gender, consents, name_folded,
    grams)
SELECT t.id, '', '', '', '', '{}', '', '{}' FROM import_target t ORDER BY t.id
ON CONFLICT (member_id) DO NOTHING
"""
# As a single consent: never asked and still no is no change.
_CONSENTS = """
CREATE TEMPORARY TABLE import_consent ON COMMIT DROP AS
SELECT t.id, purpose.id AS purpose_id, said.code, said.value::boolean AS is_given,
    (SELECT max(version) FROM members_consenttext x WHERE x.purpose_id = purpose.id) AS version
FROM import_target t
CROSS JOIN LATERAL jsonb_each_text(t.consents) AS said(code, value)
JOIN members_consentpurpose purpose ON purpose.code = said.code
JOIN members_memberpersonal p ON p.member_id = t.id
WHERE (p.consents ->> said.code)::boolean IS DISTINCT FROM said.value::boolean
  AND (said.value::boolean OR p.consents ? said.code)
"""
_TELL_CONSENTS = """
INSERT INTO members_consentchange (member_id, purpose_id, is_given, text_version, source, actor, at)
SELECT id, purpose_id, is_given, version, 'import', %(by)s, %(at)s FROM import_consent
ORDER BY id, purpose_id
"""
_EMAILS = """
UPDATE members_member m SET user_id = NULL FROM import_target t
JOIN members_memberpersonal p ON p.member_id = t.id
WHERE m.id = t.id AND m.user_id IS NOT NULL AND t.email IS NOT NULL AND NOT t.is_merged
  AND p.email <> t.email
"""
_MEMBERS = """
UPDATE members_member m SET
    region = coalesce(t.region, m.region), store_code = coalesce(t.store_code, m.store_code),
    locale = coalesce(t.locale, m.locale), tags = coalesce(t.tags::varchar[], m.tags),
    attributes = m.attributes || coalesce(t.attributes, '{}')
FROM import_target t
WHERE m.id = t.id AND (
    (coalesce(t.region, m.region), coalesce(t.store_code, m.store_code),
     coalesce(t.locale, m.locale), coalesce(t.tags::varchar[], m.tags),
     m.attributes || coalesce(t.attributes, '{}'))
    IS DISTINCT FROM (m.region, m.store_code, m.locale, m.tags, m.attributes))
RETURNING m.id
"""
_EMAIL = "CASE WHEN t.is_merged THEN p.email ELSE coalesce(t.email, p.email) END"
_PERSONS = f"""
UPDATE members_memberpersonal p SET
    name = coalesce(t.name, p.name), email = {_EMAIL}, phone = coalesce(t.phone, p.phone),
    gender = coalesce(t.gender, p.gender), birthday = coalesce(t.birthday, p.birthday),
    name_folded = coalesce(t.name_folded, p.name_folded),
    grams = coalesce(t.grams::varchar[], p.grams), consents = p.consents || coalesce(said.all, '{{}}')
FROM import_target t
LEFT JOIN (SELECT id, jsonb_object_agg(code, is_given) AS all FROM import_consent GROUP BY id) said
    ON said.id = t.id
WHERE p.member_id = t.id AND (
    (coalesce(t.name, p.name), {_EMAIL}, coalesce(t.phone, p.phone),
     coalesce(t.gender, p.gender), coalesce(t.birthday, p.birthday))
    IS DISTINCT FROM (p.name, p.email, p.phone, p.gender, p.birthday) OR said.id IS NOT NULL)
RETURNING p.member_id
"""  # noqa: S608
_CHANGED = f"""
WITH members AS ({_MEMBERS}), persons AS ({_PERSONS}), changed AS (
    SELECT id FROM members UNION SELECT member_id FROM persons
)
INSERT INTO import_updated (number, id)
SELECT row_number() OVER (ORDER BY changed.id), changed.id
FROM changed JOIN import_target t ON t.id = changed.id WHERE NOT t.is_new
"""  # noqa: S608


class FileProblem(NamedTuple):
    """Why a row can not be taken, found by looking at all rows and members together."""

    line: int
    column: str
    code: str
    value: str


class Written(NamedTuple):
    """What became of the rows: members enrolled, changed, and found as they were."""

    enrolled: int
    changed: int
    unchanged: int


def prepare() -> None:
    """Make the staging table; one import of members at a time in each brand."""
    with connection.cursor() as cursor:
        for name, value in (
            ("statement_timeout", "0"),
            ("lock_timeout", "0"),
            ("work_mem", "64MB"),
        ):
            cursor.execute("SELECT set_config(%s, %s, true)", [name, value])
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext(current_schema() || ' import'))")
        cursor.execute("SELECT set_config('lock_timeout', '30s', true)")
        cursor.execute(_TABLE)


def stage(*, rows: Iterable[tuple[int, str, Mapping[str, Any]]]) -> int:
    """Send rows (line, external id, clean fields) to the staging table as they come."""
    count = 0
    with (
        connection.cursor() as cursor,
        cursor.copy("COPY import_member FROM STDIN") as copy,
    ):
        copy.set_types(_TYPES)
        for line, key, fields in rows:
            name = fields.get("name")
            copy.write_row(
                (
                    line,
                    key,
                    name,
                    fields.get("email"),
                    fields.get("phone"),
                    fields.get("birthday"),
                    fields.get("gender"),
                    fields.get("region"),
                    fields.get("store_code"),
                    fields.get("locale"),
                    fields.get("tags"),
                    _json(fields.get("attributes")),
                    _json(fields.get("consents")),
                    None if name is None else _names.fold(name),
                    None if name is None else _names.grams(name),
                )
            )
            count += 1
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE import_member")
    return count


def judge() -> Iterator[FileProblem]:
    """Yield the rows that can not be taken beside each other or beside the members there are."""
    required = [row.code for row in list_attribute_definitions() if row.is_required]
    with connection.cursor() as cursor:
        cursor.execute(_JUDGE, {"required": required})
        while rows := cursor.fetchmany(1_000):
            for row in rows:
                yield FileProblem(*row)


def write(*, by: Actor, at: datetime) -> Written:
    """Enrol who is new, change who is not, in the caller's transaction; the same again: nothing.

    Events: `member.enrolled`, `member.updated`, `member.consent_changed`. One audit entry.
    """
    with connection.cursor() as cursor:
        cursor.execute(_NEW)
        enrolled = 0
        for chunk in _chunks("import_changed", "external_id"):
            enrolled += enrol_many(members=[(key, at) for key in chunk], by=by, at=at)
        cursor.execute(_TARGET)
        cursor.execute("CREATE UNIQUE INDEX ON import_target (id)")
        cursor.execute("ANALYZE import_target")
        cursor.execute(_LOCK)
        cursor.execute(_ADD_PERSONAL)
        cursor.execute(_CONSENTS)
        cursor.execute(_TELL_CONSENTS, {"by": by.key, "at": at})
        cursor.execute(_EMAILS)
        cursor.execute("DROP TABLE IF EXISTS import_updated")
        cursor.execute(
            "CREATE TEMPORARY TABLE import_updated (number bigint, id bigint) ON COMMIT DROP"
        )
        cursor.execute(_CHANGED)
        changed = cursor.rowcount
        cursor.execute("SELECT count(*) FROM import_target")
        total = cursor.fetchone()[0]
    for keys in _chunks("import_updated", "id"):
        emit_many(
            type="member.updated",
            events=[(f"member:{key}", {"imported": True}) for key in keys],
            at=at,
        )
    _tell_consents(at)
    if enrolled or changed:
        record(
            by=by,
            at=at,
            action="members.imported",
            target_type="import",
            changes={"enrolled": [0, enrolled], "changed": [0, changed]},
        )
    return Written(enrolled, changed, total - enrolled - changed)


def _tell_consents(at: datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, code, is_given FROM import_consent ORDER BY id, code")
        while rows := cursor.fetchmany(_CHUNK):
            emit_many(
                type="member.consent_changed",
                events=[
                    (f"member:{key}", {"purpose": code, "given": given})
                    for key, code, given in rows
                ],
                at=at,
            )


def _chunks(table: str, column: str) -> Iterator[list[Any]]:
    start = 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT {column} FROM {table} WHERE number > %s AND number <= %s "  # noqa: S608
                "ORDER BY number",
                [start, start + _CHUNK],
            )
            found = [row[0] for row in cursor.fetchall()]
        if not found:
            return
        yield found
        start += _CHUNK


def _json(value: Mapping[str, Any] | None) -> Jsonb | None:
    return None if value is None else Jsonb(dict(value))
