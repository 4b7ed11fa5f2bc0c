"""A statement as a file: the lines as CSV or XLSX, no cell of which is run as a formula."""

import tempfile
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import xlsxwriter
from django.utils.translation import gettext as _

from benefits.catalogue.texts import localized
from core.money import exponent
from core.web import csv_out
from partners.settlements.models import Statement, StatementLine
from partners.settlements.queries import LineView, every_line

_PIECE = 64 * 1024


def as_csv(*, statement: Statement, language: str) -> Iterator[bytes]:
    """Give the lines as CSV, piece by piece, and the total last."""
    rows = _rows(statement, language)
    yield from csv_out.stream(_head(statement), rows)
    yield csv_out.encode([_foot(statement)])


def as_xlsx(*, statement: Statement, language: str) -> Iterator[bytes]:
    """Give the lines as a workbook; amounts are numbers, and all else is text.

    Written row by row to a file of its own, so that a million lines take little memory.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "statement.xlsx"
        digits = exponent(statement.currency)
        with xlsxwriter.Workbook(
            str(path),
            {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False},
        ) as book:
            bold = book.add_format({"bold": True})
            money = book.add_format(
                {"num_format": "#,##0" + ("." + "0" * digits if digits else "")}
            )
            sheet = book.add_worksheet(statement.number[:31])
            sheet.set_column(0, 0, 10)
            sheet.set_column(1, 6, 20)
            _write(sheet, 0, _head(statement), bold, bold)
            number = 1
            for chunk in _rows(statement, language):
                for row in chunk:
                    _write(sheet, number, row, None, money)
                    number += 1
            _write(sheet, number, _foot(statement), bold, money)
        with path.open("rb") as file:
            while piece := file.read(_PIECE):
                yield piece


def _write(sheet: Any, number: int, row: Sequence[Any], words: Any, money: Any) -> None:
    for column, value in enumerate(row):
        if isinstance(value, Decimal):
            sheet.write_number(number, column, value, money)
        elif isinstance(value, int):
            sheet.write_number(number, column, value)
        else:
            sheet.write_string(number, column, str(value), words)


def _head(statement: Statement) -> list[str]:
    return [
        _("Line"),
        _("Day"),
        _("Kind"),
        _("Order"),
        _("Benefit"),
        _("Reason"),
        f"{_('Amount')} ({statement.currency})",
    ]


def _rows(statement: Statement, language: str) -> Iterator[list[list[Any]]]:
    kinds = {value: str(label) for value, label in StatementLine.Kind.choices}
    for chunk in every_line(statement=statement):
        yield [_row(line, kinds, statement.currency, language) for line in chunk]


def _row(line: LineView, kinds: dict[str, str], currency: str, language: str) -> list[Any]:
    return [
        line.id,
        line.on_date.isoformat(),
        kinds[line.kind],
        line.order,
        localized(line.benefit_name, language) if line.benefit_name else "",
        _(line.reason) if line.reason else "",
        _amount(line.amount_minor, currency),
    ]


def _foot(statement: Statement) -> list[Any]:
    total = _amount(statement.total_minor, statement.currency)
    return ["", "", _("Total"), "", "", "", total]


def _amount(minor: int, currency: str) -> Decimal:
    return Decimal(minor).scaleb(-exponent(currency))
