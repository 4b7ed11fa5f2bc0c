"""manage.py import_purchases BRAND FILE"""

import argparse
import csv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)

from core import clock, money
from core.actors import SYSTEM
from core.errors import DomainError
from members.activity.imports.messages import describe_file_error, describe_problem
from members.activity.imports.rows import LINE_COLUMNS, PURCHASE_COLUMNS, Problem
from members.activity.imports.run import (
    BadRowsError,
    ImportOptions,
    ImportResult,
    import_purchases,
)
from members.activity.imports.sources import ENCODINGS, BadFileError
from tenants.brands.context import tenant_context
from tenants.brands.models import Brand
from tenants.brands.queries import get_brand

# A file of the wrong kind has as many bad rows as rows: the report has them all.
_SHOWN = 1_000
_STAGES = {"purchases": "Reading purchases", "lines": "Reading lines", "writing": "Writing"}


def _pair(text: str) -> tuple[str, str]:
    ours, separator, theirs = text.partition("=")
    if not separator or not ours.strip() or not theirs.strip():
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form ours=theirs")
    return ours.strip(), theirs.strip()


def _zone(text: str) -> ZoneInfo:
    try:
        return ZoneInfo(text)
    except (KeyError, ValueError, OSError):
        raise argparse.ArgumentTypeError(f"{text!r} is not a time zone") from None


class Command(BaseCommand):
    help = (
        "Take in a file of purchases with all effects. Any bad row undoes all, and every bad row "
        "is told by its line. The same file again changes nothing. Columns: "
        f"{', '.join(PURCHASE_COLUMNS)}; the last four may be missing. Without external_id, ids "
        "are made of member, date and running number."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("brand", metavar="BRAND", help="slug of the brand")
        parser.add_argument("file", metavar="FILE", type=Path, help="plain or gzip")
        parser.add_argument(
            "--lines",
            type=Path,
            metavar="FILE",
            help=f"lines of purchases: {', '.join(LINE_COLUMNS)}",
        )
        parser.add_argument(
            "--map", type=_pair, action="append", default=[], metavar="OURS=THEIRS",
            help="name of a column in the file of purchases, any number of times",
        )  # fmt: skip
        parser.add_argument(
            "--map-lines", type=_pair, action="append", default=[], metavar="OURS=THEIRS",
            help="the same for the file of lines",
        )  # fmt: skip
        parser.add_argument(
            "--delimiter", choices=["auto", "comma", "tab", "blank"], default="auto"
        )
        parser.add_argument("--encoding", choices=ENCODINGS, help="default: found out")
        parser.add_argument(
            "--timezone", type=_zone, metavar="ZONE",
            help="of times without an offset; default: the brand's",
        )  # fmt: skip
        parser.add_argument(
            "--create-members", action="store_true", help="enrol members who are unknown"
        )
        parser.add_argument(
            "--skip-bad", action="store_true", help="take the good rows when some are bad"
        )
        parser.add_argument(
            "--report", type=Path, metavar="FILE", help="write all bad rows to a CSV file"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            brand = get_brand(slug=options["brand"])
        except DomainError:
            raise CommandError(f"There is no brand {options['brand']!r}.") from None
        console = Console(stderr=True)
        files = {"purchases": options["file"], "lines": options["lines"]}
        with _Report(console, files, options["report"]) as report:
            result = _import(brand, files, options, console, report)
            report.close_list()
        self.stdout.write(_summary(result, brand))


class _Report:
    """Tells bad rows as they are found: on standard error, and all of them in a file."""

    def __init__(self, console: Console, files: dict[str, Path | None], path: Path | None) -> None:
        self._console = console
        self._files = files
        self._told = 0
        try:
            self._file = None if path is None else path.open("w", newline="", encoding="utf-8")
        except OSError as error:
            raise CommandError(f"{path}: {error.strerror}") from None
        self._writer = None if self._file is None else csv.writer(self._file)
        if self._writer is not None:
            self._writer.writerow(["file", "line", "column", "code", "value", "text"])

    def __enter__(self) -> "_Report":
        return self

    def __exit__(self, *_exception: object) -> None:
        if self._file is not None:
            self._file.close()

    def tell(self, file: str, problem: Problem) -> None:
        """Tell one bad row."""
        text = describe_problem(problem)
        self._told += 1
        if self._told <= _SHOWN:
            self._print(f"{self._files[file]}:{problem.line}: {text}")
        if self._writer is not None:
            self._writer.writerow([file, *problem, text])

    def close_list(self) -> None:
        """Say how many bad rows were not shown."""
        if self._told > _SHOWN:
            self._print(f"… and {self._told - _SHOWN:,} more; --report FILE lists them all.")

    def _print(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


def _import(
    brand: Brand,
    files: dict[str, Path | None],
    options: dict[str, Any],
    console: Console,
    report: _Report,
) -> ImportResult:
    purchases: Path = options["file"]
    with _bar(console) as progress, tenant_context(brand):
        try:
            return import_purchases(
                purchases=purchases,
                lines=options["lines"],
                options=ImportOptions(
                    names=dict(options["map"]),
                    line_names=dict(options["map_lines"]),
                    delimiter=None if options["delimiter"] == "auto" else options["delimiter"],
                    encoding=options["encoding"],
                    zone=options["timezone"],
                    create_members=options["create_members"],
                    skip_bad=options["skip_bad"],
                ),
                tell=report.tell,
                progress=progress,
                by=SYSTEM,
                at=clock.now(),
            )
        except BadFileError as error:
            raise CommandError(f"{files[error.file]}: {describe_file_error(error)}") from None
        except BadRowsError as error:
            report.close_list()
            raise CommandError(
                f"{error.bad:,} bad rows; nothing was written. Mend them, or take the good rows "
                "with --skip-bad."
            ) from None
        except OperationalError as error:
            raise CommandError(
                f"The database gave up ({str(error).splitlines()[0]}); nothing was written. "
                "Try again."
            ) from None


@contextmanager
def _bar(console: Console) -> Iterator[Callable[[str, int, int], None]]:
    """Show a bar on a terminal; yield what moves it."""
    columns = (TextColumn("{task.description:<17}"), BarColumn(), TaskProgressColumn())
    tasks: dict[str, TaskID] = {}
    with Progress(
        *columns, TimeElapsedColumn(), console=console, disable=not console.is_terminal
    ) as bar:

        def move(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bar.add_task(_STAGES[stage], total=total)
            bar.update(tasks[stage], completed=done, total=total)

        yield move


def _summary(result: ImportResult, brand: Brand) -> str:
    amount = money.to_decimal(result.added_minor, brand.currency)
    text = (
        f"{result.added:,} purchases added ({amount:,} {brand.currency}), "
        f"{result.unchanged:,} unchanged, {result.bad:,} bad; {result.enrolled:,} members enrolled."
    )
    if result.derived_ids:
        text += "\nThe file has no external_id: ids were made of member, date and running number."
    if result.unused_columns:
        text += f"\nColumns not used: {', '.join(result.unused_columns)}."
    return text
