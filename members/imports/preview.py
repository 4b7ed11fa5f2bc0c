"""A first look at a file: its columns, which of ours they are likely to be, and its first rows."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from members.activity.imports.messages import describe_file_error
from members.activity.imports.rows import PURCHASE_COLUMNS, PURCHASE_REQUIRED, read_names
from members.activity.imports.sources import BadFileError, Lines, Source, inspect
from members.imports import files
from members.imports.errors import BadImportFileError
from members.imports.member_file import make_reader
from members.imports.member_rows import REQUIRED, SYNONYMS
from members.imports.models import FileImport

ROWS = 6
_PURCHASE_SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "external_id": ("externalid", "orderid", "ordernumber", "purchase", "订单号", "訂單號", "订单编号"),
    "member": ("member", "memberid", "customer", "customerid", "会员编号", "客户编号", "會員編號"),
    "occurred_at": ("occurredat", "date", "time", "orderdate", "日期", "时间", "下单时间", "時間"),
    "amount": ("amount", "total", "price", "dollarvalue", "金额", "实付金额", "金額"),
    "currency": ("currency", "币种", "幣種"),
    "channel": ("channel", "渠道", "管道"),
    "store": ("store", "shop", "storecode", "门店", "店铺", "門店"),
    "associate": ("associate", "staff", "导购", "導購"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Preview:
    """What a file looks like. `guess` maps our columns to its own where they seem to be the same."""

    source: Source
    names: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    ours: tuple[str, ...]
    required: tuple[str, ...]
    guess: Mapping[str, str]


def look_at(*, item: FileImport, at: datetime) -> Preview:
    """Return the first rows of an import's file.

    :raises BadImportFileError: if it can not be read.
    """
    try:
        source = inspect(files.file_of(item.pk), encoding=item.encoding or None)
        lines = [line for _number, line in zip(range(200), Lines(source), strict=False)]
        texts = [line for _at, line in lines if line and line.strip()][: ROWS + 1]
        names = tuple(read_names(texts[0])) if texts else ()
        rows = tuple(tuple(read_names(text, None)) for text in texts[1:])
    except BadFileError as error:
        raise BadImportFileError(describe_file_error(error), pointer="/file") from None
    is_members = item.kind == FileImport.Kind.MEMBERS
    ours = make_reader(at=at).columns if is_members else PURCHASE_COLUMNS
    known = SYNONYMS if is_members else _PURCHASE_SYNONYMS
    return Preview(
        source=source,
        names=names,
        rows=rows,
        ours=ours,
        required=REQUIRED if is_members else PURCHASE_REQUIRED,
        guess=_guess(names, ours, known),
    )


def _guess(
    names: tuple[str, ...], ours: tuple[str, ...], known: Mapping[str, tuple[str, ...]]
) -> dict[str, str]:
    left = {_fold(name): name for name in names}
    guess = {}
    for column in ours:
        for word in (_fold(column), *known.get(column, ())):
            if word in left:
                guess[column] = left.pop(word)
                break
    return guess


def _fold(name: str) -> str:
    text = unicodedata.normalize("NFKC", name).casefold()
    return "".join(character for character in text if character not in " _-")
