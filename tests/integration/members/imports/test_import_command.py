"""manage.py import_purchases: every bad input is named by its line, and nothing is written."""

import csv
import gzip
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import time_machine
from django.core.management import CommandError, call_command

from core.actors import SYSTEM
from members.activity.invariants import CHECKS
from members.activity.models import MemberDay, Purchase, PurchaseLine
from members.activity.operations import Line, add_purchase
from members.activity.queries import list_lines
from members.points.models import Account
from members.profiles.models import Member
from members.profiles.operations import enrol
from tenants.audit.models import AuditEntry
from tenants.brands.models import Brand
from tenants.events.models import Event

HEAD = "external_id,member,occurred_at,amount,currency,channel,store,associate\n"
GOOD = HEAD + (
    "P-1,M-1,2026-03-01T10:00:00+08:00,19.90,CNY,web,SH-01,小李\n"
    "P-2,M-1,2026-03-01,0.10,CNY,,,\n"
    "P-3,M-2,2026-03-02 23:59:59,100,,店,,\n"
)
Run = Callable[..., str]


@pytest.fixture(autouse=True)
def _clock(at: datetime):
    with time_machine.travel(at, tick=False):
        yield


@pytest.fixture
def two(brand: Brand, at: datetime) -> list[Member]:
    return [enrol(external_id=key, at=at, by=SYSTEM) for key in ("M-1", "M-2")]


@pytest.fixture
def run(brand: Brand, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Import a text or bytes; return what was printed, standard error first."""

    def go(content: str | bytes, *options: str, lines: str | None = None) -> str:
        file = tmp_path / "purchases.csv"
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        if lines is not None:
            (tmp_path / "lines.csv").write_text(lines, encoding="utf-8")
            options = (*options, f"--lines={tmp_path / 'lines.csv'}")
        call_command("import_purchases", brand.slug, str(file), *options)
        printed = capsys.readouterr()
        return printed.err + printed.out

    return go


@pytest.fixture
def refused(run: Run, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Import what must be refused; return what was said, and check that nothing was written."""

    def go(content: str | bytes, *options: str, lines: str | None = None) -> str:
        before = counts()
        with pytest.raises(CommandError) as error:
            run(content, *options, lines=lines)
        assert counts() == before
        said = capsys.readouterr().err + str(error.value)
        return said.replace(f"{tmp_path}/", "")

    return go


def counts() -> list[int]:
    models = (Purchase, PurchaseLine, MemberDay, Member, Account, Event, AuditEntry)
    return [model.objects.count() for model in models]


def stored() -> list[tuple]:
    return list(
        Purchase.objects.order_by("external_id").values_list(
            "external_id", "member__external_id", "occurred_at", "local_date", "amount_minor",
            "currency", "channel", "store_code", "associate",
        )
    )  # fmt: skip


EXPECTED = [
    ("P-1", "M-1", datetime(2026, 3, 1, 2, tzinfo=UTC), date(2026, 3, 1), 1990, "CNY", "web",
     "SH-01", "小李"),
    ("P-2", "M-1", datetime(2026, 2, 28, 16, tzinfo=UTC), date(2026, 3, 1), 10, "CNY", "", "", ""),
    ("P-3", "M-2", datetime(2026, 3, 2, 15, 59, 59, tzinfo=UTC), date(2026, 3, 2), 10000, "CNY",
     "店", "", ""),
]  # fmt: skip


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "gb18030"])
@pytest.mark.parametrize("packed", [False, True])
def test_files_of_every_encoding(two: list[Member], run: Run, codec: str, packed: bool) -> None:
    data = GOOD.encode(codec)
    said = run(gzip.compress(data) if packed else data)
    assert said == ("3 purchases added (120.00 CNY), 0 unchanged, 0 bad; 0 members enrolled.\n")
    assert stored() == EXPECTED
    assert list(
        MemberDay.objects.order_by("member_id").values_list(
            "member_id", "on_date", "orders", "spend_minor"
        )
    ) == [(two[0].pk, date(2026, 3, 1), 2, 2000), (two[1].pk, date(2026, 3, 2), 1, 10000)]
    assert [text for check in CHECKS.values() for text in check()] == []


def test_the_same_file_twice_changes_nothing(two: list[Member], run: Run) -> None:
    run(GOOD)
    before = counts()
    assert run(GOOD) == ("0 purchases added (0.00 CNY), 3 unchanged, 0 bad; 0 members enrolled.\n")
    assert counts() == before
    assert stored() == EXPECTED


def test_a_file_and_the_api_agree_on_what_is_the_same(
    two: list[Member], run: Run, at: datetime
) -> None:
    add_purchase(
        external_id="P-1",
        member=two[0],
        occurred_at=datetime(2026, 3, 1, 2, tzinfo=UTC),
        amount_minor=1990,
        currency="CNY",
        channel="web",
        store_code="SH-01",
        associate="小李",
        at=at,
    )
    assert "2 purchases added (100.10 CNY), 1 unchanged" in run(GOOD)
    for row in Purchase.objects.all():
        _again, created = add_purchase(
            external_id=row.external_id,
            member=row.member,
            occurred_at=row.occurred_at,
            amount_minor=row.amount_minor,
            currency=row.currency,
            channel=row.channel,
            store_code=row.store_code,
            associate=row.associate,
            at=at,
        )
        assert not created


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("P-9,M-1,yesterday,1,,,,\n", ["occurred_at: “yesterday” is not a date or time."]),
        ("P-9,M-1,2026-03-01,-5,,,,\n", ["amount: -5 is less than nothing."]),
        ("P-9,M-1,2026-03-01,12.345,,,,\n", ["amount: 12.345 has more decimals than the currency."]),
        ("P-9,M-1,2026-03-01,999999999999,,,,\n", ["amount: 999999999999 is too large."]),
        ("P-9,M-1,2026-03-01,ten,,,,\n", ["amount: “ten” is not an amount."]),
        ("P-9,M-1,2026-03-01,1,EUR,,,\n", ["currency: “EUR” is not the brand's currency."]),
        ("P-9,M-1,2026-03-16,1,,,,\n", ["occurred_at: 2026-03-16 lies in the future."]),
        ("P-9,M-404,2026-03-01,1,,,,\n", ["member: “M-404” is not enrolled."]),
        ('P-9,"M-1,2026-03-01,1,,,,\n', ["A quotation mark is not closed, or stands inside a value."]),
        ("P-9,M-1,2026-03-01\n", ["3 columns, where the first line has 8."]),
        ("P-9,M-1\0,2026-03-01,1,,,,\n", ["Control characters are not allowed."]),
        (f"P-9,{'x' * 10_000_000},2026-03-01,1,,,,\n", ["The line is longer than 65536 characters."]),
        ("P-1,M-1,2026-03-01,2,,,,\n", ["external_id: “P-1” exists with another content."]),
    ],
)  # fmt: skip
def test_a_bad_row_undoes_all_and_is_named_by_its_line(
    two: list[Member], refused: Run, rows: str, said: list[str]
) -> None:
    text = refused(GOOD + rows)
    assert text.splitlines() == [
        *(f"purchases.csv:5: {line}" for line in said),
        "1 bad rows; nothing was written. Mend them, or take the good rows with --skip-bad.",
    ]


def test_every_bad_row_is_told_also_those_only_the_database_knows(
    two: list[Member], refused: Run, tmp_path: Path
) -> None:
    rows = "P-4,M-1,never,1,,,,\nP-5,M-9,2026-03-01,1,,,,\nP-1,M-2,2026-03-01,1,,,,\n"
    report = tmp_path / "bad.csv"
    text = refused(GOOD + rows, f"--report={report}")
    assert text.splitlines()[:3] == [
        "purchases.csv:5: occurred_at: “never” is not a date or time.",
        "purchases.csv:6: member: “M-9” is not enrolled.",
        "purchases.csv:7: external_id: “P-1” exists with another content.",
    ]
    with report.open(encoding="utf-8", newline="") as file:
        listed = list(csv.DictReader(file))
    assert [(row["line"], row["column"], row["code"], row["value"]) for row in listed] == [
        ("5", "occurred_at", "not_a_time", "never"),
        ("6", "member", "unknown_member", "M-9"),
        ("7", "external_id", "duplicate_purchase", "P-1"),
    ]


def test_more_bad_rows_than_are_shown(two: list[Member], refused: Run, tmp_path: Path) -> None:
    text = refused(HEAD + "P,M,never,1,,,,\n" * 1_003, f"--report={tmp_path / 'bad.csv'}")
    lines = text.splitlines()
    assert lines[999] == "purchases.csv:1001: occurred_at: “never” is not a date or time."
    assert lines[1000] == "… and 3 more; --report FILE lists them all."
    assert lines[1001].startswith("1,003 bad rows; nothing was written.")
    assert len((tmp_path / "bad.csv").read_text().splitlines()) == 1_004


def test_skip_bad_takes_the_good_rows(two: list[Member], run: Run) -> None:
    rows = "P-4,M-1,never,1,,,,\nP-5,M-9,2026-03-01,1,,,,\nP-1,M-2,2026-03-01,1,,,,\n"
    said = run(GOOD + rows, "--skip-bad")
    assert said.splitlines()[-1] == (
        "3 purchases added (120.00 CNY), 0 unchanged, 3 bad; 0 members enrolled."
    )
    assert stored() == EXPECTED
    again = run(GOOD + rows, "--skip-bad")
    assert again.splitlines()[-1] == (
        "0 purchases added (0.00 CNY), 3 unchanged, 3 bad; 0 members enrolled."
    )


@pytest.mark.parametrize(
    ("content", "options", "said"),
    [
        ("", (), "purchases.csv: It is empty."),
        ("a,b\n", (), "purchases.csv: The column member, occurred_at, amount is missing; it has a, b."),
        ("member,occurred_at\n", (), "purchases.csv: The column amount is missing; it has member, occurred_at."),
        (GOOD, ("--map=store=shop",), "purchases.csv: The column shop is missing; it has"),
        (GOOD, ("--map=shop=store",), "purchases.csv: There is no column shop of ours; there are external_id,"),
        (GOOD, ("--delimiter=tab",), "purchases.csv: The column member, occurred_at, amount is missing;"),
        (gzip.compress(GOOD.encode(), mtime=0)[:-10], (), "purchases.csv: It is packed with gzip, but cut off or damaged."),
        (b"a,b\n\xff\xff\xff\n", (), "purchases.csv: It is not a text in utf-8"),
        (GOOD.replace("associate", "store"), (), "purchases.csv: The column store is there twice."),
        ('"member,occurred_at,amount\n', (), "purchases.csv: Its first line can not be read."),
    ],
)  # fmt: skip
def test_files_that_can_not_be_read_as_a_whole(
    two: list[Member], refused: Run, content: str | bytes, options: tuple, said: str
) -> None:
    assert refused(content, *options).startswith(said)


def test_wrong_options(brand: Brand, tmp_path: Path) -> None:
    (tmp_path / "good.csv").write_text(GOOD, encoding="utf-8")
    for arguments, said in (
        (["nobody", str(tmp_path / "good.csv")], "There is no brand 'nobody'."),
        ([brand.slug, str(tmp_path / "none.csv")], "none.csv: It can not be opened"),
        ([brand.slug, str(tmp_path)], "It can not be opened"),
        ([brand.slug, "x", "--map=store"], "is not of the form ours=theirs"),
        ([brand.slug, "x", "--timezone=Mars/Base"], "is not a time zone"),
        ([brand.slug, "x", "--report=/nowhere/bad.csv"], "/nowhere/bad.csv: No such file"),
    ):
        with pytest.raises(CommandError, match=said):
            call_command("import_purchases", *arguments)


def test_create_members_enrols_each_once_since_the_first_purchase(
    two: list[Member], run: Run
) -> None:
    rows = "P-7,新客,2026-03-05,1,,,,\nP-6,新客,2026-03-04,1,,,,\nP-8,M-4,2026-03-05,1,,,,\n"
    assert run(GOOD + rows, "--create-members") == (
        "6 purchases added (123.00 CNY), 0 unchanged, 0 bad; 2 members enrolled.\n"
    )
    new = Member.objects.get(external_id="新客")
    assert new.enrolled_at == datetime(2026, 3, 3, 16, tzinfo=UTC)
    assert Account.objects.filter(owner_id=new.pk).count() == 2
    assert Event.objects.filter(type="member.enrolled", subject=f"member:{new.pk}").count() == 1


def test_erased_members_are_refused(two: list[Member], refused: Run) -> None:
    Member.objects.filter(external_id="M-2").update(status=Member.Status.ERASED)
    assert "purchases.csv:4: member: “M-2” was erased." in refused(GOOD, "--create-members")


def test_times_without_an_offset_in_another_zone(two: list[Member], run: Run) -> None:
    run(HEAD + "P-1,M-1,2026-03-01 20:00,1,,,,\n", "--timezone=Europe/London")
    purchase = Purchase.objects.get()
    # 20:00 in London is 04:00 of the next day in Shanghai, where the brand is.
    assert purchase.occurred_at == datetime(2026, 3, 1, 20, tzinfo=UTC)
    assert purchase.local_date == date(2026, 3, 2)


def test_ids_are_made_of_member_day_and_running_number(two: list[Member], run: Run) -> None:
    text = "member,occurred_at,amount\nM-1,20260301,1\nM-2,20260301,1\nM-1,20260301,2\n"
    said = run(text)
    assert "ids were made of member, date and running number" in said
    assert [(row[0], row[4]) for row in stored()] == [
        ("M-1-20260301-1", 100),
        ("M-1-20260301-2", 200),
        ("M-2-20260301-1", 100),
    ]
    # Sent again with more at its end: only what is new is added.
    said = run(text + "M-1,20260302,3\nM-1,20260301,4\n")
    assert said.startswith("2 purchases added (7.00 CNY), 3 unchanged")


LINES = "purchase,sku,category,quantity,amount\nP-1,B,,1,4.90\nP-3,C,,1,100\nP-1,A,护肤,2,15\n"


def test_lines_come_with_their_purchase(two: list[Member], run: Run, at: datetime) -> None:
    run(GOOD, lines=LINES)
    purchase = Purchase.objects.get(external_id="P-1")
    assert [
        (line.position, line.sku, line.category, line.quantity, line.amount_minor, line.cost_minor)
        for line in list_lines(purchase_id=purchase.pk)
    ] == [(1, "B", "", 1, 490, None), (2, "A", "护肤", 2, 1500, None)]
    assert PurchaseLine.objects.count() == 3
    before = counts()
    assert "0 purchases added (0.00 CNY), 3 unchanged" in run(GOOD, lines=LINES)
    assert counts() == before
    _again, created = add_purchase(
        external_id="P-1",
        member=two[0],
        occurred_at=purchase.occurred_at,
        amount_minor=1990,
        currency="CNY",
        channel="web",
        store_code="SH-01",
        associate="小李",
        lines=(
            Line(sku="B", quantity=1, amount_minor=490),
            Line(sku="A", category="护肤", quantity=2, amount_minor=1500),
        ),
        at=at,
    )
    assert not created


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (LINES + "P-9,A,,1,1\n", "lines.csv:5: purchase: “P-9” is not in the file of purchases."),
        (LINES + "P-1,A,,0,1\n", "lines.csv:5: quantity: “0” is not a whole number"),
        (LINES + "P-1,,,1,1\n", "lines.csv:5: sku: This must not be empty."),
        ("purchase,sku,amount\n", "lines.csv: The column quantity is missing"),
    ],
)
def test_bad_lines_undo_all(two: list[Member], refused: Run, lines: str, said: str) -> None:
    assert refused(GOOD, lines=lines).startswith(said)


def test_bad_lines_undo_all_even_when_bad_rows_are_skipped(two: list[Member], refused: Run) -> None:
    said = refused(GOOD, "--skip-bad", lines=LINES + "P-1,A,,0,1\n")
    assert said.startswith("lines.csv:5: quantity:")


def test_other_lines_make_another_purchase(two: list[Member], run: Run, refused: Run) -> None:
    run(GOOD, lines=LINES)
    assert "purchases.csv:2: external_id: “P-1” exists with another content." in refused(GOOD)


def test_lines_need_ids(two: list[Member], refused: Run) -> None:
    text = "member,occurred_at,amount\nM-1,20260301,1\n"
    assert refused(text, lines=LINES).startswith(
        "purchases.csv: Lines need the column external_id in the file of purchases."
    )
