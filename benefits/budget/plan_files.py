"""Reading a plan from a file: encoding, head line, what each line says or what is wrong with it.

Pure: no database, clock or settings.
"""

import codecs
import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benefits.budget.errors import BadPlanFileError
from benefits.budget.models import BudgetLine
from core.money import InvalidAmountError, parse_decimal

MAX_BYTES = 1024 * 1024
MAX_LINES = 2_000
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_HEADS: Mapping[str, str] = {
    "code": "code", "代码": "code", "编码": "code", "代碼": "code", "編碼": "code",
    "name": "name", "名称": "name", "名稱": "name",
    "kind": "kind", "类型": "kind", "用途": "kind", "類型": "kind",
    "amount": "amount", "planned": "amount", "金额": "amount", "计划": "amount",
    "金額": "amount", "計劃": "amount",
    "policy": "policy", "策略": "policy",
}  # fmt: skip
_CODE = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedLine:
    """What one line is to have in all, in minor units; the rest describes a line that is new."""

    code: str
    planned_minor: int
    name: str = ""
    kind: str = ""
    policy: str = BudgetLine.Policy.REFUSE
    target_id: int | None = None


@dataclass(frozen=True, slots=True)
class PlanProblem:
    """A bad line of a file.

    `code`: `code`, `twice`, `amount`, `kind`, `policy`, `name`, `width`. `value` is what stands
    there.
    """

    line: int
    code: str
    value: str = ""


def read_plan(
    content: bytes, *, currency: str, known: Sequence[str]
) -> tuple[list[PlannedLine], list[PlanProblem]]:
    """Return the lines of a plan, and every line that is bad.

    Columns `code` and `amount` (major units), and for new lines `name`, `kind`, `policy`; in any
    order, by their English or Chinese names. `known` are the codes that the budget has.

    :raises BadPlanFileError: if it cannot be read: `empty`, `too_large`, `too_many`, `encoding`,
        `columns`.
    """
    rows = _rows(content)
    head = [_HEADS.get(cell.strip().lower(), "") for cell in rows[0]]
    if "code" not in head or "amount" not in head or _repeats(head):
        raise BadPlanFileError(reason="columns")
    if len(rows) == 1:
        raise BadPlanFileError(reason="empty")
    lines: list[PlannedLine] = []
    problems: list[PlanProblem] = []
    seen: set[str] = set()
    for number, cells in enumerate(rows[1:], start=2):
        if not any(cell.strip() for cell in cells):
            continue
        read = _line(number, dict(zip(head, map(str.strip, cells), strict=False)), currency, known)
        if len(cells) > len(head):
            problems.append(PlanProblem(number, "width", str(len(cells))))
        elif isinstance(read, PlanProblem):
            problems.append(read)
        elif read.code in seen:
            problems.append(PlanProblem(number, "twice", read.code))
        else:
            seen.add(read.code)
            lines.append(read)
    if not lines and not problems:
        raise BadPlanFileError(reason="empty")
    return lines, problems


def _line(
    number: int, cells: Mapping[str, str], currency: str, known: Sequence[str]
) -> PlannedLine | PlanProblem:
    code = cells.get("code", "").lower()
    if not _CODE.fullmatch(code):
        return PlanProblem(number, "code", code[:40])
    written = cells.get("amount", "").replace(",", "").replace("\u00a0", "").replace(" ", "")
    try:
        amount = parse_decimal(written, currency)
    except InvalidAmountError:
        amount = -1
    if amount < 0:
        return PlanProblem(number, "amount", cells.get("amount", "")[:40])
    kind = cells.get("kind", "").lower()
    name = cells.get("name", "")
    policy = cells.get("policy", "").lower() or BudgetLine.Policy.REFUSE.value
    if (kind or code not in known) and kind not in BudgetLine.Kind.values:
        return PlanProblem(number, "kind", kind[:40])
    if policy not in BudgetLine.Policy.values:
        return PlanProblem(number, "policy", policy[:40])
    if code not in known and not 0 < len(name) <= 80:
        return PlanProblem(number, "name", name[:40])
    return PlannedLine(code=code, planned_minor=amount, name=name, kind=kind, policy=policy)


def _repeats(head: Sequence[str]) -> bool:
    named = [cell for cell in head if cell]
    return len(named) != len(set(named))


def _rows(content: bytes) -> list[list[str]]:
    if len(content) > MAX_BYTES:
        raise BadPlanFileError(reason="too_large")
    text = _decode(content)
    if "\x00" in text:
        raise BadPlanFileError(reason="encoding")
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error:
        raise BadPlanFileError(reason="encoding") from None
    if not rows or not any(cell.strip() for row in rows for cell in row):
        raise BadPlanFileError(reason="empty")
    if len(rows) > MAX_LINES:
        raise BadPlanFileError(reason="too_many")
    return rows


def _decode(content: bytes) -> str:
    candidates = next(
        ([encoding] for mark, encoding in _MARKS if content.startswith(mark)),
        ["utf-8", "gb18030"],
    )
    for encoding in candidates:
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise BadPlanFileError(reason="encoding")
