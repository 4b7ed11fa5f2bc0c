"""Taking in a file of members, all or nothing."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction

from core import money
from core.actors import Actor
from core.clock import local_date
from members.activity.imports.rows import Delimiter, Problem, Reading
from members.activity.imports.run import BadRowsError
from members.activity.imports.sources import Lines, inspect
from members.imports.member_rows import MemberRow, Reader, read_members
from members.profiles import file_operations
from members.profiles.file_operations import clean_profile
from members.profiles.queries import (
    list_attribute_definitions,
    list_purposes,
    read_attribute,
)
from tenants.brands.context import current_brand

Tell = Callable[[str, Problem], None]
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberFileResult:
    """What an import did: rows of the file, members enrolled, changed and found as they were."""

    rows: int
    enrolled: int
    changed: int
    unchanged: int
    unused_columns: tuple[str, ...]


def import_members(
    *,
    path: Path,
    names: Mapping[str, str],
    tell: Tell,
    progress: Progress,
    by: Actor,
    at: datetime,
    delimiter: Delimiter | None = None,
    encoding: str | None = None,
) -> MemberFileResult:
    """Enrol and change the members of a file in one transaction; any bad row undoes all.

    Members are known by `external_id`; an empty cell leaves what is known. Bad rows are passed to
    `tell` as they are found. The same file again changes nothing.

    :raises BadFileError: if the file can not be read as a whole.
    :raises BadRowsError: after all bad rows were told.
    """
    bad = 0

    def told(problem: Problem) -> None:
        nonlocal bad
        bad += 1
        tell("members", problem)

    with transaction.atomic():
        file_operations.prepare()
        source = Lines(inspect(path, encoding=encoding))
        header, rows = read_members(source, _reading(names, delimiter, at), make_reader(at=at))
        staged = file_operations.stage(rows=_good(rows, source, told, progress))
        for found in file_operations.judge():
            told(Problem(*found))
        if bad:
            raise BadRowsError(bad=bad, rows=staged)
        progress("writing", 1, 2)
        written = file_operations.write(by=by, at=at)
        progress("writing", 2, 2)
    return MemberFileResult(
        rows=staged,
        enrolled=written.enrolled,
        changed=written.changed,
        unchanged=written.unchanged,
        unused_columns=header.unused,
    )


def make_reader(*, at: datetime) -> Reader:
    """Return what the brand says of the values of a file: its attributes, purposes, languages."""
    attributes = {row.code: row for row in list_attribute_definitions()}
    today = local_date(at, current_brand().timezone)
    locales = frozenset(code for code, _name in settings.LANGUAGES)
    return Reader(
        clean=lambda fields: clean_profile(fields, today=today, locales=locales),
        attribute=lambda code, text: read_attribute(attribute=attributes[code], text=text),
        purposes=frozenset(row.purpose for row in list_purposes()),
        attributes=frozenset(attributes),
    )


def _reading(names: Mapping[str, str], delimiter: Delimiter | None, at: datetime) -> Reading:
    brand = current_brand()
    zone = ZoneInfo(brand.timezone)
    return Reading(
        currency=brand.currency,
        currency_digits=money.exponent(brand.currency),
        zone=zone,
        brand_zone=zone,
        at=at,
        names=names,
        delimiter=delimiter,
    )


def _good(
    rows: Iterable[MemberRow | Problem],
    source: Lines,
    told: Callable[[Problem], None],
    progress: Progress,
) -> Iterator[tuple[int, str, dict[str, Any]]]:
    for number, row in enumerate(rows):
        if number % 2_000 == 0:
            progress("members", source.read, source.source.size)
        if isinstance(row, MemberRow):
            yield row
        else:
            told(row)
    progress("members", source.source.size, source.source.size)
