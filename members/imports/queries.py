"""Reading imports and their bad rows."""

import csv
from dataclasses import dataclass

from members.imports import files
from members.imports.errors import ImportNotFoundError
from members.imports.models import FileImport


@dataclass(frozen=True, slots=True)
class BadRow:
    """One bad row of a file: its line, the column to blame, a code, the value, and a text."""

    file: str
    line: int
    column: str
    code: str
    value: str
    text: str


def get_import(*, import_id: int) -> FileImport:
    """Return an import.

    :raises ImportNotFoundError: if there is none.
    """
    item = FileImport.objects.filter(pk=import_id).first()
    if item is None:
        raise ImportNotFoundError
    return item


def list_imports(*, before: int | None = None, limit: int = 50) -> list[FileImport]:
    """Return imports, newest first, those before the key `before`."""
    items = FileImport.objects.order_by("-pk")
    if before is not None:
        items = items.filter(pk__lt=before)
    return list(items[:limit])


def list_bad_rows(*, import_id: int, after: int = 0, limit: int = 50) -> list[BadRow]:
    """Return bad rows in the order they were found, leaving out the first `after`."""
    path = files.problems_of(import_id)
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8-sig") as lines:
        rows = csv.reader(lines)
        next(rows, None)
        found: list[BadRow] = []
        for number, row in enumerate(rows):
            if number < after:
                continue
            if len(found) == limit:
                break
            found.append(BadRow(row[0], int(row[1]), row[2], row[3], row[4], row[5]))
    return found
