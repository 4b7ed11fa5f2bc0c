"""Files of members: every bad row by its line, all or nothing, the same file twice."""

import csv
import gzip
import io
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.core.management import CommandError, call_command

from core.actors import SYSTEM, Actor
from members.imports import files, operations, queries
from members.imports.errors import (
    BadImportFileError,
    FileTooLargeError,
    ImportFilesGoneError,
    ImportStateError,
)
from members.imports.models import FileImport
from members.imports.preview import look_at
from members.points.models import Account
from members.profiles.attribute_operations import define_attribute
from members.profiles.consent_operations import define_purpose
from members.profiles.models import ConsentChange, Member, MemberPersonal
from members.profiles.operations import enrol
from members.profiles.queries import get_member
from tenants.audit.models import AuditEntry
from tenants.brands.models import Brand
from tenants.events.models import Event
from tenants.jobs.operations import run_pending

STAFF = Actor(kind="staff", id=7, label="Kim")
HEAD = "external_id,name,email,phone,birthday,gender,region,tags,consents.mail,attributes.size\n"
GOOD = HEAD + (
    "C-1,李雷,LI@example.com,138 0013 8000,1990-05-04,male,north,vip;new,yes,42\n"
    "C-2,韩梅梅,,,1991/6/7,,,,no,\n"
    "C-3,,,,,,,,,\n"
)
Make = Callable[..., FileImport]


@pytest.fixture(autouse=True)
def _clock(at: datetime, settings: Any, tmp_path: Path) -> Any:
    settings.DATA_DIR = tmp_path
    with time_machine.travel(at, tick=False):
        yield


@pytest.fixture
def asked(brand: Brand, at: datetime) -> None:
    if not define_purpose_exists("mail"):
        define_purpose(code="mail", label={"en": "Mail"}, text={"en": "We write."}, by=STAFF, at=at)
    define_attribute(code="size", type="number", label={"en": "Size"}, by=STAFF, at=at)


def define_purpose_exists(code: str) -> bool:
    from members.profiles.queries import list_purposes

    return any(row.purpose == code for row in list_purposes(active_only=False))


@pytest.fixture
def make(asked: None, at: datetime) -> Make:
    def upload(content: str | bytes, kind: str = "members", **given: Any) -> FileImport:
        data = content.encode() if isinstance(content, str) else content
        return operations.upload(
            kind=kind, file_name="members.csv", chunks=[data[:7], data[7:]], by=STAFF, at=at,
            **given,
        )  # fmt: skip

    return upload


def checked(item: FileImport, at: datetime, **names: str) -> FileImport:
    operations.check(import_id=item.pk, names={**item.names, **names}, by=STAFF, at=at)
    run_pending(at=at)
    item.refresh_from_db()
    return item


def applied(item: FileImport, at: datetime) -> FileImport:
    operations.apply(import_id=item.pk, by=STAFF, at=at)
    run_pending(at=at)
    item.refresh_from_db()
    return item


def state() -> list[Any]:
    return [
        list(model.objects.order_by("pk").values_list())
        for model in (Member, MemberPersonal, Account, ConsentChange)
    ]


def test_a_file_from_upload_to_members(make: Make, at: datetime) -> None:
    item = make(GOOD)
    assert item.names["external_id"] == "external_id"
    before = state()
    events = Event.objects.count()
    item = checked(item, at)
    assert (item.state, item.total, item.good, item.bad) == ("checked", 3, 3, 0)
    assert item.result["enrolled"] == 3
    assert (state(), Event.objects.count()) == (before, events)
    item = applied(item, at)
    assert item.state == "applied", item.failure
    member = get_member(external_id="C-1")
    personal = member.personal
    assert (personal.name, personal.email, personal.phone) == (
        "李雷",
        "li@example.com",
        "13800138000",
    )
    assert (personal.birthday, personal.consents) == (date(1990, 5, 4), {"mail": True})
    assert (member.region, member.tags, member.attributes) == (
        "north",
        ["vip", "new"],
        {"size": 42},
    )
    assert personal.grams != []
    assert get_member(external_id="C-2").personal.consents == {}
    assert Account.objects.filter(owner_id=member.pk).count() == 2
    change = ConsentChange.objects.get(member=member)
    assert (change.is_given, change.source, change.text_version) == (True, "import", 1)
    assert AuditEntry.objects.filter(action="members.imported").count() == 1


def test_the_same_file_again_changes_nothing(make: Make, at: datetime) -> None:
    applied(checked(make(GOOD), at), at)
    before, events = state(), Event.objects.filter(type__startswith="member.").count()
    later = at + timedelta(hours=1)
    item = applied(checked(make(GOOD), later), later)
    assert (item.result["enrolled"], item.result["changed"], item.result["unchanged"]) == (0, 0, 3)
    assert state() == before
    assert Event.objects.filter(type__startswith="member.").count() == events


def test_only_what_a_row_gives_changes(make: Make, at: datetime) -> None:
    enrol(external_id="C-1", name="Old", region="south", tags=["x"], by=SYSTEM, at=at)
    item = applied(checked(make("external_id,name,region\nC-1,New,\n"), at), at)
    assert item.result["changed"] == 1
    member = get_member(external_id="C-1")
    assert (member.personal.name, member.region, member.tags) == ("New", "south", ["x"])
    event = Event.objects.get(type="member.updated")
    assert event.subject == f"member:{member.pk}"


BAD = [
    (",x,,,,,,,,", "external_id", "empty"),
    ("C-2,,no-address,,,,,,,", "email", "refused"),
    ("C-3,,,12ab,,,,,,", "phone", "refused"),
    ("C-4,,,,1990-02-30,,,,,", "birthday", "not_a_day"),
    ("C-5,,,,2999-01-01,,,,,", "birthday", "refused"),
    ("C-6,,,,,,,,maybe,", "consents.mail", "not_yes_or_no"),
    ("C-7,,,,,,,,,big", "attributes.size", "refused"),
    ("C-8,too,few", "", "wrong_width"),
    ('C-9,"lone,,,,,,,,', "", "lone_quote"),
    ("C-10,a\x00b,,,,,,,,", "", "control_characters"),
    ("C-11,,taken@example.com,,,,,,,", "email", "email_taken"),
    ("C-1,,,,,,,,,", "external_id", "repeated_member"),
    ("gone,,,,,,,,,", "external_id", "erased_member"),
    ("C-12,,twice@example.com,,,,,,,", None, None),
    ("C-13,,twice@example.com,,,,,,,", "email", "repeated_email"),
]


def test_every_bad_row_is_told_and_nothing_written(make: Make, at: datetime) -> None:
    enrol(external_id="other", email="taken@example.com", by=SYSTEM, at=at)
    gone = enrol(external_id="gone", by=SYSTEM, at=at)
    Member.objects.filter(pk=gone.pk).update(status="erased")
    before = state()
    item = checked(make(HEAD + "C-1,,,,,,,,,\n" + "\n".join(row for row, *_ in BAD) + "\n"), at)
    wanted = {(number + 3, column, code) for number, (_row, column, code) in enumerate(BAD) if code}
    found = queries.list_bad_rows(import_id=item.pk, limit=100)
    assert {(row.line, row.column, row.code) for row in found} == wanted
    assert (item.bad, item.state) == (len(wanted), "checked")
    assert (item.total, item.good) == (16, 16 - len(wanted))
    assert state() == before
    with pytest.raises(ImportStateError):
        operations.apply(import_id=item.pk, by=STAFF, at=at)
    assert len(queries.list_bad_rows(import_id=item.pk, after=2, limit=3)) == 3


def test_the_list_of_bad_rows_is_safe_for_spreadsheets(make: Make, at: datetime) -> None:
    item = checked(make("external_id,birthday\nC-1,=1+1\n"), at)
    rows = list(csv.reader(io.StringIO(files.problems_of(item.pk).read_text("utf-8-sig"))))
    assert rows[1][:5] == ["members", "2", "birthday", "not_a_day", "'=1+1"]


@pytest.mark.parametrize(
    ("data", "given"),
    [
        (GOOD.encode("utf-8-sig"), {}),
        (GOOD.encode("gb18030"), {}),
        (GOOD.encode("utf-16"), {}),
        (GOOD.encode("big5", errors="replace"), {"encoding": "big5"}),
        (gzip.compress(GOOD.encode(), mtime=0), {}),
        (GOOD.replace(",", "\t").encode(), {}),
    ],
)
def test_encodings_and_packing(
    make: Make, at: datetime, data: bytes, given: dict[str, str]
) -> None:
    item = checked(make(data, **given), at)
    assert (item.state, item.bad, item.good) == ("checked", 0, 3), item.failure


def test_files_that_are_none(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    for data in (b"", b"\x1f\x8b broken"):
        with pytest.raises(BadImportFileError):
            make(data)
    monkeypatch.setattr(files, "MAX_BYTES", 10)
    with pytest.raises(FileTooLargeError):
        make("x" * 11)
    assert FileImport.objects.count() == 0


def test_a_missing_column_is_said(make: Make, at: datetime) -> None:
    item = checked(make("nobody,knows\n1,2\n"), at)
    assert (item.state, "external_id" in item.failure) == ("refused", True)


def test_columns_are_guessed_in_three_languages(make: Make, at: datetime) -> None:
    item = make("会员编号,姓名,手机,生日,门店\nC-1,李雷,13800138000,19900504,S1\n")
    assert item.names == {
        "external_id": "会员编号", "name": "姓名", "phone": "手机", "birthday": "生日",
        "store_code": "门店",
    }  # fmt: skip
    preview = look_at(item=item, at=at)
    assert preview.rows == (("C-1", "李雷", "13800138000", "19900504", "S1"),)


def test_purchases_go_the_same_way(make: Make, at: datetime) -> None:
    enrol(external_id="C-1", by=SYSTEM, at=at)
    item = make("order id,customer id,date,total\nP-1,C-1,2026-03-01,19.90\n", kind="purchases")
    assert item.names["member"] == "customer id"
    item = applied(checked(item, at), at)
    assert (item.state, item.result["added"], item.result["added_minor"]) == ("applied", 1, 1990)


def test_a_purchase_of_nobody_is_told(make: Make, at: datetime) -> None:
    item = checked(make("member,date,total\nC-9,2026-03-01,19.90\n", kind="purchases"), at)
    assert [row.code for row in queries.list_bad_rows(import_id=item.pk)] == ["unknown_member"]


def test_files_go_after_their_time(make: Make, at: datetime) -> None:
    item = checked(make(GOOD), at)
    assert files.file_of(item.pk).exists()
    from members.imports.jobs import run_clean
    from tenants.jobs.operations import enqueue

    late = at + timedelta(days=14, seconds=1)
    for number in range(3):
        enqueue(kind="imports.clean", dedupe_key=f"x{number}", by=SYSTEM, at=late)
        run_pending(at=late)
    assert run_clean is not None
    assert not files.folder_of(item.pk).exists()
    item.refresh_from_db()
    assert (item.state, item.files_gone_at) == ("dropped", late)
    with pytest.raises(ImportFilesGoneError):
        operations.check(import_id=item.pk, names={}, by=STAFF, at=late)


def test_the_command(brand: Brand, asked: None, tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    path.write_text(GOOD, encoding="utf-8")
    out = io.StringIO()
    call_command("import_members", brand.slug, str(path), "--check", stdout=out)
    assert Member.objects.count() == 0
    call_command("import_members", brand.slug, str(path), stdout=out)
    assert "3 members enrolled, 0 changed, 0 unchanged." in out.getvalue()
    path.write_text(HEAD + ",,,,,,,,,\n", encoding="utf-8")
    report = tmp_path / "bad.csv"
    with pytest.raises(CommandError, match="1 bad rows; nothing was written"):
        call_command("import_members", brand.slug, str(path), f"--report={report}")
    assert report.read_text().startswith("2,external_id,empty")
