"""manage.py import_members BRAND FILE"""

import argparse
import csv
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from rich.console import Console

from core import clock
from core.actors import SYSTEM
from core.errors import DomainError
from members.activity.imports.messages import describe_file_error, describe_problem
from members.activity.imports.rows import Problem
from members.activity.imports.run import BadRowsError
from members.activity.imports.sources import ENCODINGS, BadFileError
from members.imports.member_file import MemberFileResult, import_members
from members.imports.member_rows import COLUMNS
from tenants.brands.context import tenant_context
from tenants.brands.queries import get_brand

_SHOWN = 1_000


def _pair(text: str) -> tuple[str, str]:
    ours, separator, theirs = text.partition("=")
    if not separator or not ours.strip() or not theirs.strip():
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form ours=theirs")
    return ours.strip(), theirs.strip()


class Command(BaseCommand):
    help = (
        "Enrol and change the members of a file. Any bad row undoes all, and every bad row is told "
        f"by its line. The same file again changes nothing. Columns: {', '.join(COLUMNS)}, "
        "consents.<purpose>, attributes.<code>; only external_id is needed. An empty cell leaves "
        "what is known."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("brand", metavar="BRAND", help="slug of the brand")
        parser.add_argument("file", metavar="FILE", type=Path, help="plain or gzip")
        parser.add_argument(
            "--map", type=_pair, action="append", default=[], metavar="OURS=THEIRS",
            help="name of a column in the file, any number of times",
        )  # fmt: skip
        parser.add_argument(
            "--delimiter", choices=["auto", "comma", "tab", "blank"], default="auto"
        )
        parser.add_argument("--encoding", choices=ENCODINGS, help="default: found out")
        parser.add_argument("--check", action="store_true", help="judge the file, write nothing")
        parser.add_argument(
            "--report", type=Path, metavar="FILE", help="write all bad rows to a CSV file"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            brand = get_brand(slug=options["brand"])
        except DomainError:
            raise CommandError(f"There is no brand {options['brand']!r}.") from None
        console = Console(stderr=True)
        report = None if options["report"] is None else options["report"].open("w", newline="")
        writer = None if report is None else csv.writer(report)
        told = 0

        def tell(_file: str, problem: Problem) -> None:
            nonlocal told
            told += 1
            text = describe_problem(problem)
            if told <= _SHOWN:
                console.print(
                    f"{options['file']}:{problem.line}: {text}", markup=False, highlight=False,
                    soft_wrap=True,
                )  # fmt: skip
            if writer is not None:
                writer.writerow([*problem, text])

        try:
            with tenant_context(brand), transaction.atomic():
                result = import_members(
                    path=options["file"],
                    names=dict(options["map"]),
                    delimiter=None if options["delimiter"] == "auto" else options["delimiter"],
                    encoding=options["encoding"],
                    tell=tell,
                    progress=lambda _stage, _done, _total: None,
                    by=SYSTEM,
                    at=clock.now(),
                )
                transaction.set_rollback(options["check"])
        except BadFileError as error:
            raise CommandError(f"{options['file']}: {describe_file_error(error)}") from None
        except BadRowsError as error:
            raise CommandError(f"{error.bad:,} bad rows; nothing was written.") from None
        finally:
            if report is not None:
                report.close()
        self.stdout.write(_summary(result, checked=options["check"]))


def _summary(result: MemberFileResult, *, checked: bool) -> str:
    text = (
        f"{result.enrolled:,} members enrolled, {result.changed:,} changed, "
        f"{result.unchanged:,} unchanged."
    )
    if result.unused_columns:
        text += f"\nColumns not used: {', '.join(result.unused_columns)}."
    return f"{text}\nOnly checked; nothing was written." if checked else text
