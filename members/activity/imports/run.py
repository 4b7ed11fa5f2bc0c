"""Taking in a file of purchases, all or nothing."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TypeVar
from zoneinfo import ZoneInfo

from django.db import transaction

from core import money
from core.actors import Actor
from members.activity.effects import ImportBatch, run_import_effects
from members.activity.imports import staging
from members.activity.imports.rows import (
    Delimiter,
    Header,
    LineRow,
    Problem,
    PurchaseRow,
    Reading,
    read_lines,
    read_purchases,
)
from members.activity.imports.sources import BadFileError, Lines, inspect
from members.activity.imports.staging import Shape
from members.profiles.operations import enrol_many
from tenants.audit.operations import record
from tenants.brands.context import current_brand

_Row = TypeVar("_Row", PurchaseRow, LineRow)
_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportOptions:
    """How to read the files. `names` maps our columns to the file's, `line_names` those of the
    lines file; `zone` is for times without an offset (default: the brand's)."""

    names: Mapping[str, str] = field(default_factory=dict)
    line_names: Mapping[str, str] = field(default_factory=dict)
    delimiter: Delimiter | None = None
    encoding: str | None = None
    zone: ZoneInfo | None = None
    create_members: bool = False
    skip_bad: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportResult:
    """What an import did. `unchanged` rows were there before, with the same body."""

    rows: int
    added: int
    added_minor: int
    unchanged: int
    bad: int
    enrolled: int
    derived_ids: bool
    unused_columns: tuple[str, ...]


class BadRowsError(Exception):
    """Some rows can not be taken; nothing was written. All of them were told before."""

    def __init__(self, *, bad: int, rows: int) -> None:
        self.bad = bad
        self.rows = rows
        super().__init__(f"{bad} of {rows} rows")


class _Told:
    """Passes problems on, counts them, and lets the good rows through."""

    def __init__(self, tell: Callable[[str, Problem], None]) -> None:
        self._tell = tell
        self.count = 0

    def all(self, file: str, problems: Iterable[Problem]) -> None:
        for problem in problems:
            self.count += 1
            self._tell(file, problem)

    def good(self, file: str, found: Iterable[_Row | Problem]) -> Iterator[_Row]:
        for row in found:
            if isinstance(row, Problem):
                self.all(file, (row,))
            else:
                yield row


def import_purchases(
    *,
    purchases: Path,
    lines: Path | None = None,
    options: ImportOptions,
    tell: Callable[[str, Problem], None],
    progress: Callable[[str, int, int], None],
    by: Actor,
    at: datetime,
) -> ImportResult:
    """Take in a file of purchases with all effects, in one transaction.

    Bad rows are passed to `tell` (with the file, `purchases` or `lines`) as they are found, and
    any of them undoes all, unless `skip_bad`. A bad line of a purchase always undoes all: a
    purchase with some of its lines would be another purchase. `progress` hears the stage, what
    is done and the whole: bytes while reading, steps afterwards. The same file again changes
    nothing.

    :raises BadFileError: if a file can not be read as a whole.
    :raises BadRowsError: after all bad rows were told.
    """
    told = _Told(tell)
    with transaction.atomic():
        staging.prepare()
        staged, header = _stage_purchases(purchases, options, told, progress, at)
        derived = "external_id" not in header.positions
        if lines is not None:
            if derived:
                raise BadFileError("lines_need_ids", columns=["external_id"])
            try:
                _stage_lines(lines, options, told, progress, at)
            except BadFileError as error:
                error.file = "lines"
                raise
        staging.analyse()
        enrolled = _enrol_missing(by, at) if options.create_members else 0
        progress("writing", 1, 4)
        shape = Shape(
            currency=current_brand().currency,
            derive_ids=derived,
            has_lines=lines is not None,
        )
        added = staging.add_purchases(shape)
        unchanged = staged - added
        if unchanged:
            before = told.count
            told.all("purchases", staging.unknown_members())
            told.all("purchases", staging.duplicates(shape))
            unchanged -= told.count - before
        if lines is not None:
            told.all("lines", staging.orphan_lines())
        if told.count and not options.skip_bad:
            raise BadRowsError(bad=told.count, rows=staged)
        progress("writing", 2, 4)
        if lines is not None:
            staging.add_lines()
        staging.add_days()
        progress("writing", 3, 4)
        if added:
            run_import_effects(
                ImportBatch(purchases=added, has_lines=lines is not None, by=by, at=at)
            )
        result = ImportResult(
            rows=staged,
            added=added,
            added_minor=staging.added_minor(),
            unchanged=unchanged,
            bad=told.count,
            enrolled=enrolled,
            derived_ids=derived,
            unused_columns=header.unused,
        )
        if added or enrolled:
            record(
                by=by,
                at=at,
                action="purchases.imported",
                target_type="import",
                changes={"added": [0, added], "enrolled": [0, enrolled]},
            )
        progress("writing", 4, 4)
    return result


def _stage_purchases(
    path: Path,
    options: ImportOptions,
    told: _Told,
    progress: Callable[[str, int, int], None],
    at: datetime,
) -> tuple[int, Header]:
    source = Lines(inspect(path, encoding=options.encoding))
    header, found = read_purchases(source, _reading(options, options.names, at))
    good = told.good("purchases", _watched(found, source, "purchases", progress))
    return staging.stage_purchases(good), header


def _stage_lines(
    path: Path,
    options: ImportOptions,
    told: _Told,
    progress: Callable[[str, int, int], None],
    at: datetime,
) -> None:
    source = Lines(inspect(path, encoding=options.encoding))
    before = told.count
    _header, found = read_lines(source, _reading(options, options.line_names, at))
    good = told.good("lines", _watched(found, source, "lines", progress))
    staged = staging.stage_lines(good)
    if told.count > before:
        raise BadRowsError(bad=told.count, rows=staged)


def _reading(options: ImportOptions, names: Mapping[str, str], at: datetime) -> Reading:
    brand = current_brand()
    zone = ZoneInfo(brand.timezone)
    return Reading(
        currency=brand.currency,
        currency_digits=money.exponent(brand.currency),
        zone=options.zone or zone,
        brand_zone=zone,
        at=at,
        names=names,
        delimiter=options.delimiter,
    )


def _watched(
    rows: Iterable[_Item], source: Lines, stage: str, progress: Callable[[str, int, int], None]
) -> Iterator[_Item]:
    for number, row in enumerate(rows):
        if number % 5_000 == 0:
            progress(stage, source.read, source.source.size)
        yield row
    progress(stage, source.source.size, source.source.size)


def _enrol_missing(by: Actor, at: datetime) -> int:
    return sum(enrol_many(members=chunk, by=by, at=at) for chunk in staging.missing_members())
