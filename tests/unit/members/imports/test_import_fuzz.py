"""Whatever the bytes: each line comes out once, as a purchase or as a problem; nothing breaks."""

import csv
import gzip
import io
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from unicodedata import normalize
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from members.activity._fields import GRACE, UNSAFE
from members.activity.imports.messages import describe_file_error, describe_problem
from members.activity.imports.rows import Moment, Problem, PurchaseRow, Reading, read_purchases
from members.activity.imports.sources import BadFileError, Lines, inspect

AT = datetime(2026, 3, 15, 4, 0, tzinfo=UTC)
ZONE = ZoneInfo("Asia/Shanghai")
READING = Reading(currency="CNY", currency_digits=2, zone=ZONE, brand_zone=ZONE, at=AT)
HEAD = "external_id,member,occurred_at,amount,store\n"

# Texts that a field may hold as they are: no line ends, no outer blanks, composed form.
texts = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp", "Zs", "Mn", "Lo"]),
    min_size=1,
    max_size=30,
).filter(lambda text: text.strip() == text == normalize("NFC", text) and not UNSAFE.search(text))
chinese = st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FA5), max_size=20)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "fuzz.csv"


def read(path: Path) -> list[PurchaseRow | Problem]:
    _header, found = read_purchases(Lines(inspect(path)), READING)
    return list(found)


def is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


fuzz = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@fuzz
@given(data=st.binary(max_size=400), packed=st.booleans())
def test_any_bytes_are_read_or_refused(path: Path, data: bytes, packed: bool) -> None:
    for content in (data, HEAD.encode() + data):
        path.write_bytes(gzip.compress(content) if packed else content)
        try:
            found = read(path)
        except BadFileError as error:
            said = [describe_file_error(error)]
        else:
            said = [describe_problem(row) for row in found if isinstance(row, Problem)]
        assert all(said)


@fuzz
@given(lines=st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=60), max_size=30))
def test_each_line_comes_out_once(path: Path, lines: list[str]) -> None:
    kept = [line.replace("\n", " ").replace("\r", " ") for line in lines]
    path.write_text(HEAD + "\n".join(kept), encoding="utf-8", newline="")
    expected = [number for number, line in enumerate(kept, start=2) if line.strip()]
    assert [row.line for row in read(path)] == expected


@fuzz
@given(
    rows=st.lists(
        st.tuples(
            texts,
            chinese.filter(bool) | texts,
            st.datetimes(datetime(1971, 1, 1), datetime(2026, 3, 14)),  # noqa: DTZ001
            st.integers(0, 10**13),
            chinese,
        ),
        min_size=1,
        max_size=20,
    ),
    codec=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "gb18030"]),
    delimiter=st.sampled_from([",", "\t"]),
    packed=st.booleans(),
)
def test_what_was_written_is_read(
    path: Path, rows: list, codec: str, delimiter: str, packed: bool
) -> None:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter)
    writer.writerow(HEAD.strip().split(","))
    for key, member, moment, minor, store in rows:
        amount = f"{minor // 100}.{minor % 100:02}"
        writer.writerow([key, member, moment.isoformat(), amount, store])
    data = out.getvalue().encode(codec)
    # A few Chinese characters are two bytes that are a letter in UTF-8 as well: a text of
    # nothing else can not be told apart.
    assume(codec != "gb18030" or data.isascii() or not is_utf8(data))
    path.write_bytes(gzip.compress(data) if packed else data)
    assert read(path) == [
        PurchaseRow(
            number,
            key,
            member,
            Moment(
                moment.replace(tzinfo=ZONE).astimezone(UTC),
                moment.date(),
                f"{moment.replace(tzinfo=ZONE).astimezone(UTC).isoformat()}\t{moment.date()}",
            ),
            minor,
            "CNY",
            "",
            store,
            "",
        )
        for number, (key, member, moment, minor, store) in enumerate(rows, start=2)
    ]


def test_what_is_both_is_taken_as_utf8_unless_named(path: Path) -> None:
    path.write_bytes("member\n一".encode("gb18030"))
    assert [line for _number, line in Lines(inspect(path))] == ["member", "һ"]
    assert [line for _number, line in Lines(inspect(path, encoding="gb18030"))] == ["member", "一"]


@fuzz
@given(
    time=st.text(st.sampled_from("0123456789-/:TZ +.,"), max_size=26),
    amount=st.text(st.sampled_from("0123456789.-+eE, _"), max_size=20),
)
def test_a_purchase_that_comes_out_is_within_bounds(path: Path, time: str, amount: str) -> None:
    path.write_text(f"member\toccurred_at\tamount\nM\t{time}\t{amount}\n", encoding="utf-8")
    (row,) = read(path)
    if isinstance(row, PurchaseRow):
        assert 0 <= row.amount_minor <= 10**13
        assert datetime(1970, 1, 1, tzinfo=UTC) <= row.moment.occurred_at <= AT + GRACE
        assert abs(row.moment.local_date - row.moment.occurred_at.date()) <= timedelta(days=1)
        assert date(1970, 1, 1) <= row.moment.local_date
