"""Lines of a file become purchases or problems, each told by its line."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from members.activity.imports.rows import (
    PURCHASE_COLUMNS,
    PURCHASE_REQUIRED,
    Moment,
    Problem,
    PurchaseRow,
    Reading,
    parse_amount,
    parse_time,
    read_header,
    read_lines,
    read_purchases,
)
from members.activity.imports.sources import BadFileError

SHANGHAI = ZoneInfo("Asia/Shanghai")
NEW_YORK = ZoneInfo("America/New_York")
AT = datetime(2026, 3, 15, 4, 0, tzinfo=UTC)


def reading(**changes: object) -> Reading:
    values = {
        "currency": "CNY",
        "currency_digits": 2,
        "zone": SHANGHAI,
        "brand_zone": SHANGHAI,
        "at": AT,
    }
    return Reading(**{**values, **changes})


def rows_of(text: str, **changes: object) -> list:
    _header, found = read_purchases(enumerate(text.split("\n"), start=1), reading(**changes))
    return list(found)


HEAD = "external_id,member,occurred_at,amount,currency,channel,store,associate\n"


def test_a_full_row() -> None:
    assert rows_of(HEAD + "P-1,M-1,2026-03-14T23:30:00+08:00,19.90,cny,web,SH-01,小李\n") == [
        PurchaseRow(
            2,
            "P-1",
            "M-1",
            Moment(
                datetime(2026, 3, 14, 15, 30, tzinfo=UTC),
                date(2026, 3, 14),
                "2026-03-14T23:30:00+08:00\t2026-03-14",
            ),
            1990,
            "CNY",
            "web",
            "SH-01",
            "小李",
        )
    ]


def test_optional_columns_in_any_order_and_blank_lines() -> None:
    text = "\n amount , MEMBER,occurred_at\n\n1,M-1,20260301\n   \n2,M-2,2026-03-02\n"
    found = rows_of(text)
    assert [(row.line, row.external_id, row.member, row.amount_minor) for row in found] == [
        (4, "", "M-1", 100),
        (6, "", "M-2", 200),
    ]


def test_blank_separated_with_other_names() -> None:
    text = " customer_id  date number_of_cds  dollar_value\n 00001 19970101  1   11.77\n"
    header, found = read_purchases(
        enumerate(text.split("\n"), start=1),
        reading(
            currency="USD",
            zone=NEW_YORK,
            brand_zone=NEW_YORK,
            names={"member": "customer_id", "occurred_at": "date", "amount": "dollar_value"},
        ),
    )
    assert (header.delimiter, header.unused) == ("blank", ("number_of_cds",))
    (row,) = found
    assert (row.member, *row.moment[:2], row.amount_minor) == (
        "00001",
        datetime(1997, 1, 1, 5, tzinfo=UTC),
        date(1997, 1, 1),
        1177,
    )


def test_tab_separated_and_quoted_fields() -> None:
    assert rows_of("member\toccurred_at\tamount\tstore\nM\t20260301\t1\tA, B\n")[0].store == "A, B"
    assert rows_of('member,occurred_at,amount,store\n"M","20260301",1,"A, ""B"""\n')[0].store == (
        'A, "B"'
    )


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("P,M,2026-03-01,abc,,,,", ("amount", "not_a_number", "abc")),
        ("P,M,2026-03-01,1e3,,,,", ("amount", "not_a_number", "1e3")),
        ("P,M,2026-03-01,１２,,,,", ("amount", "not_a_number", "１２")),
        ("P,M,2026-03-01,,,,,", ("amount", "not_a_number", "")),
        ("P,M,2026-03-01,-1,,,,", ("amount", "negative", "-1")),
        ("P,M,2026-03-01,1.001,,,,", ("amount", "too_many_decimals", "1.001")),
        ("P,M,2026-03-01,100000000000.01,,,,", ("amount", "too_large", "100000000000.01")),
        ("P,M,2026-03-01,1,USD,,,", ("currency", "unsupported_currency", "USD")),
        ("P,M,2026-02-30,1,,,,", ("occurred_at", "not_a_time", "2026-02-30")),
        ("P,M,2026-3-1,1,,,,", ("occurred_at", "not_a_time", "2026-3-1")),
        ("P,M,01.03.2026,1,,,,", ("occurred_at", "not_a_time", "01.03.2026")),
        ("P,M,2026-03-01 24:00,1,,,,", ("occurred_at", "not_a_time", "2026-03-01 24:00")),
        ("P,M,1969-12-31,1,,,,", ("occurred_at", "not_a_time", "1969-12-31")),
        ("P,M,0001-01-01T00:00+14:00,1,,,,", ("occurred_at", "not_a_time", None)),
        ("P,M,9999-12-31,1,,,,", ("occurred_at", "future", "9999-12-31")),
        ("P,M,2026-03-15T12:05:01,1,,,,", ("occurred_at", "future", "2026-03-15T12:05:01")),
        (",M,2026-03-01,1,,,,", ("external_id", "empty", "")),
        ("P, ,2026-03-01,1,,,,", ("member", "empty", "")),
        (f"{'x' * 101},M,2026-03-01,1,,,,", ("external_id", "too_long", "100")),
        (f"P,{'x' * 65},2026-03-01,1,,,,", ("member", "too_long", "64")),
        ("P,M,2026-03-01,1,,,", ("", "wrong_width", "7/8")),
        ("P,M,2026-03-01,1,,,,,", ("", "wrong_width", "9/8")),
        ('P,"M,2026-03-01,1,,,,', ("", "lone_quote", "")),
        ('P,M",2026-03-01,1,,,,', ("", "lone_quote", "")),
        ('P,"M"x,2026-03-01,1,,"",,', ("", "lone_quote", "")),
        ("P,M\0,2026-03-01,1,,,,", ("", "control_characters", "")),
        ("P,M\t,2026-03-01,1,,,,", ("", "control_characters", "")),
        ("P,M\u2028,2026-03-01,1,,,,", ("", "control_characters", "")),
    ],
)
def test_bad_rows_are_named_and_the_next_is_read(row: str, problem: tuple) -> None:
    found = rows_of(f"{HEAD}{row}\nP-2,M-2,2026-03-01,2,,,,\n")
    assert len(found) == 2
    assert isinstance(found[0], Problem)
    column, code, value = problem
    assert (found[0].line, found[0].column, found[0].code) == (2, column, code)
    if value is not None:
        assert found[0].value == value
    assert (found[1].line, found[1].amount_minor) == (3, 200)


def test_a_line_too_long_to_keep_is_one_problem() -> None:
    _header, found = read_purchases(
        [(1, "member,occurred_at,amount"), (2, None), (3, "M,20260301,1")], reading()
    )
    assert [type(row).__name__ for row in found] == ["Problem", "PurchaseRow"]


def test_five_minutes_of_grace() -> None:
    (row,) = rows_of(HEAD + "P,M,2026-03-15T12:05:00,1,,,,\n")
    assert row.moment.occurred_at == datetime(2026, 3, 15, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-05", datetime(2026, 3, 4, 16, tzinfo=UTC)),
        ("20260305", datetime(2026, 3, 4, 16, tzinfo=UTC)),
        ("2026/3/5", datetime(2026, 3, 4, 16, tzinfo=UTC)),
        ("2026/03/05 9:07", datetime(2026, 3, 5, 1, 7, tzinfo=UTC)),
        ("2026-03-05 09:07:08", datetime(2026, 3, 5, 1, 7, 8, tzinfo=UTC)),
        ("2026-03-05T09:07:08.5", datetime(2026, 3, 5, 1, 7, 8, 500_000, tzinfo=UTC)),
        ("20260305T09:07", datetime(2026, 3, 5, 1, 7, tzinfo=UTC)),
        ("2026-03-05T09:07:08Z", datetime(2026, 3, 5, 9, 7, 8, tzinfo=UTC)),
        ("2026-03-05T09:07:08 -0500", datetime(2026, 3, 5, 14, 7, 8, tzinfo=UTC)),
        ("2026-03-05T09:07:08.123456+05:30", datetime(2026, 3, 5, 3, 37, 8, 123456, tzinfo=UTC)),
        ("2024-02-29", datetime(2024, 2, 28, 16, tzinfo=UTC)),
    ],
)
def test_times(text: str, expected: datetime) -> None:
    assert parse_time(text, SHANGHAI) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # The clock skips 02:30 on 8 March: read with the winter offset.
        ("2026-03-08 02:30", datetime(2026, 3, 8, 7, 30, tzinfo=UTC)),
        # It repeats 01:30 on 1 November: the first of the two.
        ("2026-11-01 01:30", datetime(2026, 11, 1, 5, 30, tzinfo=UTC)),
    ],
)
def test_times_that_the_clock_skips_or_repeats(text: str, expected: datetime) -> None:
    assert parse_time(text, NEW_YORK) == expected


@pytest.mark.parametrize(
    "text",
    ["", "2026", "2026-13-01", "2023-02-29", "2026-03-05T09", "2026-03-05T09:60", "2026-03-05T",
     "2026-03-05T09:07+24:00", "2026-03-05T09:07+01:60", "2026-W10-1", "٢٠٢٦-03-05", "0000-01-01",
     "2026-03-0520260305"],
)  # fmt: skip
def test_times_that_are_none(text: str) -> None:
    with pytest.raises((ValueError, OverflowError)):
        parse_time(text, SHANGHAI)


@pytest.mark.parametrize(
    ("text", "digits", "minor"),
    [("0", 2, 0), ("-0", 2, 0), ("12", 2, 1200), ("12.3", 2, 1230), ("12.300", 2, 1230),
     ("0012.34", 2, 1234), ("1500", 0, 1500), ("1500.0", 0, 1500), ("1.234", 3, 1234),
     ("100000000000", 2, 10**13), ("000000000000012.34", 2, 1234)],
)  # fmt: skip
def test_amounts(text: str, digits: int, minor: int) -> None:
    assert parse_amount(text, digits=digits) == minor


@pytest.mark.parametrize(
    ("text", "code"),
    [("-0.01", "negative"), ("100000000000.01", "too_large"), ("1,5", "not_a_number"),
     ("1.", "not_a_number"), (".5", "not_a_number"), ("+1", "not_a_number"),
     ("1_000", "not_a_number"), ("Infinity", "not_a_number"), ("9" * 16, "not_a_number"),
     ("1 ", "not_a_number"), ("1_0.00", "not_a_number"), ("1._5", "not_a_number"),
     ("1.0٢", "not_a_number"), ("9" * 30 + ".00", "not_a_number"), ("9" * 15 + ".00", "too_large"), (".50", "not_a_number")],
)  # fmt: skip
def test_amounts_that_are_none(text: str, code: str) -> None:
    with pytest.raises(ValueError, match=code):
        parse_amount(text, digits=2)


def test_amounts_without_decimals_have_no_point() -> None:
    with pytest.raises(ValueError, match="not_a_number"):
        parse_amount("1500.", digits=0)


@pytest.mark.parametrize(
    ("header", "names", "code", "data"),
    [
        ("member,amount", {}, "missing_columns", ["occurred_at"]),
        ("a,b", {}, "missing_columns", ["member", "occurred_at", "amount"]),
        ("member,occurred_at,amount", {"store": "shop"}, "missing_columns", ["shop"]),
        ("member,occurred_at,amount,Amount", {}, "repeated_column", "amount"),
        ("member,occurred_at,amount", {"price": "amount"}, "unknown_mapping", ["price"]),
        ('member,"occurred_at,amount', {}, "broken_header", None),
        ("member,occurred_at\0,amount", {}, "broken_header", None),
    ],
)
def test_headers_that_can_not_be_read(header: str, names: dict, code: str, data: object) -> None:
    with pytest.raises(BadFileError) as bad:
        read_header(
            header,
            columns=PURCHASE_COLUMNS,
            required=PURCHASE_REQUIRED,
            reading=reading(names=names),
        )
    assert bad.value.code == code
    if data is not None:
        assert data in bad.value.data.values()


def test_a_file_of_blank_lines_is_empty() -> None:
    with pytest.raises(BadFileError) as bad:
        rows_of("\n  \n\n")
    assert bad.value.code == "empty_file"


def test_lines_of_purchases() -> None:
    text = (
        "purchase,sku,category,quantity,amount\nP-1,SKU-1,护肤,2,39.80\nP-1,SKU-2,,0,1\n"
        "P-1,SKU-2,,1.5,1\nP-1,,,1,1\nP-1,SKU-3,,1,-1\n"
    )
    _header, found = read_lines(enumerate(text.split("\n"), start=1), reading())
    assert [tuple(row)[:6] for row in found] == [
        (2, "P-1", "SKU-1", "护肤", 2, 3980),
        (3, "quantity", "not_a_count", "0"),
        (4, "quantity", "not_a_count", "1.5"),
        (5, "sku", "empty", ""),
        (6, "amount", "negative", "-1"),
    ]
