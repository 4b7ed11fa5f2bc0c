"""From lines to members: which columns there are, what they are called, what a row says.

An empty cell leaves what is known as it is. Columns `consents.<purpose>` hold yes or no,
`attributes.<code>` the brand's own attributes, `tags` texts with semicolons between.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

from core.errors import DomainError
from members.activity.imports.rows import Header, Problem, Reading, read_rows

COLUMNS = (
    "external_id", "name", "email", "phone", "birthday", "gender", "region", "store_code",
    "locale", "tags",
)  # fmt: skip
REQUIRED = ("external_id",)
CONSENT, ATTRIBUTE = "consents.", "attributes."
_YES = frozenset({"1", "y", "yes", "true", "是", "同意", "有"})
_NO = frozenset({"0", "n", "no", "false", "否", "不同意", "无", "無"})

# What files call our columns; folded, without blanks and underscores.
SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "external_id": (
        "externalid", "id", "memberid", "customerid", "customer", "member", "会员编号", "会员id",
        "客户编号", "会员号", "會員編號", "客戶編號", "會員號",
    ),
    "name": ("name", "fullname", "membername", "customername", "姓名", "名字", "会员姓名", "會員姓名"),
    "email": ("email", "mail", "emailaddress", "邮箱", "电子邮箱", "郵箱", "電子郵箱", "電郵"),
    "phone": ("phone", "mobile", "tel", "phonenumber", "cellphone", "手机", "手机号", "电话",
              "手機", "手機號", "電話"),
    "birthday": ("birthday", "birthdate", "dateofbirth", "dob", "生日", "出生日期"),
    "gender": ("gender", "sex", "性别", "性別"),
    "region": ("region", "city", "area", "地区", "城市", "地區"),
    "store_code": ("storecode", "store", "shop", "门店", "门店编号", "店铺", "門店", "門市"),
    "locale": ("locale", "language", "lang", "语言", "語言"),
    "tags": ("tags", "tag", "labels", "标签", "標籤"),
}  # fmt: skip


class MemberRow(NamedTuple):
    """One member of a file: clean values of the fields that the row gives."""

    line: int
    external_id: str
    fields: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """What the rooms below say of values: `clean` takes the fields of a row and raises an
    `InvalidError` with a pointer; `attribute` reads one of the brand's own out of a text."""

    clean: Callable[[dict[str, Any]], dict[str, Any]]
    attribute: Callable[[str, str], Any]
    purposes: frozenset[str]
    attributes: frozenset[str]

    @property
    def columns(self) -> tuple[str, ...]:
        """Return all columns that a file may have."""
        return (
            *COLUMNS,
            *(CONSENT + code for code in sorted(self.purposes)),
            *(ATTRIBUTE + code for code in sorted(self.attributes)),
        )


def read_members(
    lines: Iterable[tuple[int, str | None]], reading: Reading, reader: Reader
) -> tuple[Header, Iterator[MemberRow | Problem]]:
    """Read the header now and the rows as they are asked for; blank lines are passed over.

    :raises BadFileError: see `rows.read_header`.
    """
    header, rows = read_rows(lines, columns=reader.columns, required=REQUIRED, reading=reading)
    return header, _members(rows, header, reader)


def _members(
    rows: Iterable[tuple[int, list[str]] | Problem], header: Header, reader: Reader
) -> Iterator[MemberRow | Problem]:
    given = [(name, place) for name, place in header.positions.items() if name != "external_id"]
    key_at = header.positions["external_id"]
    for row in rows:
        if isinstance(row, Problem):
            yield row
            continue
        number, fields = row
        key = fields[key_at].strip()
        if not key:
            yield Problem(number, "external_id", "empty")
            continue
        if len(key) > 64:
            yield Problem(number, "external_id", "too_long", "64")
            continue
        found = _fields(number, given, fields, reader)
        yield found if isinstance(found, Problem) else MemberRow(number, key, found)


def _fields(
    line: int, given: list[tuple[str, int]], fields: list[str], reader: Reader
) -> dict[str, Any] | Problem:
    values: dict[str, Any] = {}
    consents: dict[str, bool] = {}
    attributes: dict[str, Any] = {}
    for name, place in given:
        text = fields[place].strip()
        if not text:
            continue
        try:
            if name.startswith(CONSENT):
                consents[name.removeprefix(CONSENT)] = _agrees(text)
            elif name.startswith(ATTRIBUTE):
                code = name.removeprefix(ATTRIBUTE)
                attributes[code] = reader.attribute(code, text)
            else:
                values[name] = _READERS.get(name, str)(text)
        except DomainError as error:
            return Problem(line, name, "refused", error.detail[:200])
        except ValueError:
            code = "not_yes_or_no" if name.startswith(CONSENT) else "not_a_day"
            return Problem(line, name, code, text[:40])
    try:
        clean = reader.clean(values)
    except DomainError as error:
        column = str(error.data.get("pointer", "")).strip("/").split("/")[0]
        return Problem(line, column, "refused", error.detail[:200])
    if consents:
        clean["consents"] = consents
    if attributes:
        clean["attributes"] = attributes
    return clean


def _agrees(text: str) -> bool:
    word = text.casefold()
    if word not in _YES and word not in _NO:
        raise ValueError(text)
    return word in _YES


def _tags(text: str) -> list[str]:
    return [tag.strip() for tag in text.replace("；", ";").split(";") if tag.strip()]


def _day(text: str) -> date:
    digits = text.replace("/", "-").replace(".", "-").replace("年", "-").replace("月", "-")
    digits = digits.replace("日", "").split(" ")[0].split("T")[0]
    if len(digits) == 8 and digits.isdigit():
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    year, month, day = digits.split("-")
    return date(int(year), int(month), int(day))


_READERS: Mapping[str, Callable[[str], Any]] = {"birthday": _day, "tags": _tags}
