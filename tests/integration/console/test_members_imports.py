"""Imports and merges as staff work with them."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from core import clock
from core.actors import SYSTEM
from members.imports.models import FileImport
from members.merging.duplicates import find_duplicates
from members.merging.models import DuplicatePair, MemberMerge
from members.profiles.models import Member
from members.profiles.operations import enrol
from tenants.brands.models import Brand
from tenants.jobs.operations import run_pending

FILE = "会员编号,姓名,手机\nC-1,李雷,13800138000\nC-2,韩梅梅,13800138001\n"


@pytest.fixture(autouse=True)
def _folder(settings: Any, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path


def uploaded(client: Client, text: str = FILE) -> FileImport:
    answer = client.post(
        "/console/imports/new/",
        {"kind": "members", "file": SimpleUploadedFile("m.csv", text.encode())},
    )
    assert answer.status_code == 302, answer.content.decode()
    return FileImport.objects.get()


def worked() -> None:
    run_pending(at=clock.now() + timedelta(seconds=1))


def test_upload_map_check_apply(staff_client: Callable[..., Client], brand: Brand) -> None:
    client = staff_client("owner")
    assert "No files yet" in client.get("/console/imports/").content.decode()
    item = uploaded(client)
    url = f"/console/imports/{item.pk}/"
    page = client.get(url).content.decode()
    assert '<option value="会员编号" selected>' in page
    assert "李雷" in page
    columns = {f"column_{ours}": theirs for ours, theirs in item.names.items()}
    assert client.post(f"{url}check/", columns).status_code == 200
    assert "every 1s" in client.get(url).content.decode()
    worked()
    page = client.get(url).content.decode()
    assert "Nothing is wrong" in page
    assert Member.objects.count() == 0
    client.post(f"{url}apply/")
    worked()
    assert "Applied" in client.get(url).content.decode()
    assert Member.objects.count() == 2
    client.post(f"{url}drop/")
    assert "The file was removed." in client.get(url).content.decode()
    assert "m.csv" in client.get("/console/imports/").content.decode()


def test_bad_rows_are_shown_and_downloaded(
    staff_client: Callable[..., Client], brand: Brand
) -> None:
    client = staff_client("owner")
    item = uploaded(client, "external_id,email\nC-1,wrong\n,a@example.com\n")
    url = f"/console/imports/{item.pk}/"
    client.post(f"{url}check/", {"column_external_id": "external_id", "column_email": "email"})
    worked()
    page = client.get(url).content.decode()
    assert "This is not an e-mail address." in page
    answer = client.get(f"{url}problems/")
    body = b"".join(answer.streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]
    assert body.splitlines()[1].startswith("members,2,email,refused")
    assert len(body.splitlines()) == 3
    refused = client.post(f"{url}apply/")
    assert refused.status_code == 422
    assert Member.objects.count() == 0


def test_a_file_that_is_none_is_refused_beside_the_field(
    staff_client: Callable[..., Client], brand: Brand
) -> None:
    answer = staff_client("owner").post(
        "/console/imports/new/", {"kind": "members", "file": SimpleUploadedFile("m.csv", b"\n")}
    )
    assert answer.status_code == 422
    assert "It is empty." in answer.content.decode()
    assert FileImport.objects.count() == 0


def test_analysts_import_and_merge_nothing(
    staff_client: Callable[..., Client], brand: Brand
) -> None:
    client = staff_client("analyst")
    for path in ("imports/", "imports/new/", "duplicates/", "merges/"):
        assert client.get(f"/console/{path}").status_code == 403


def test_from_a_likely_duplicate_to_a_merge_and_back(
    staff_client: Callable[..., Client], brand: Brand
) -> None:
    at = clock.now()
    one = enrol(external_id="a", name="Li Lei", phone="13800138000", by=SYSTEM, at=at)
    other = enrol(external_id="b", name="Lei Li", phone="+8613800138000", by=SYSTEM, at=at)
    enrol(external_id="c", name="Li Lei", phone="13800138001", by=SYSTEM, at=at)
    assert find_duplicates(at=at) == 1
    client = staff_client("owner")
    assert "Same phone number" in client.get("/console/duplicates/").content.decode()
    url = f"/console/duplicates/{one.number}/{other.number}/"
    page = client.get(url).content.decode()
    assert f'value="{one.number}" checked' in page
    assert client.post(url, {"survivor": one.number, "reason": ""}).status_code == 422
    assert MemberMerge.objects.count() == 0
    answer = client.post(url, {"survivor": other.number, "reason": "one phone"})
    assert answer.status_code == 302
    merge = MemberMerge.objects.get()
    assert (merge.survivor_id, merge.merged_id) == (other.pk, one.pk)
    assert "one phone" in client.get("/console/merges/").content.decode()
    assert "Nobody seems" in client.get("/console/duplicates/").content.decode()
    led = client.get(f"/console/members/{one.number}/")
    assert led.status_code == 302
    assert led["Location"].endswith(f"/members/{other.number}/")
    undo = f"/console/merges/{merge.pk}/undo/"
    assert client.post(undo, {"reason": ""}).status_code == 422
    assert client.post(undo, {"reason": "two sisters"}).status_code == 302
    assert Member.objects.get(pk=one.pk).status == "active"


def test_two_people_are_not_suggested_again(
    staff_client: Callable[..., Client], brand: Brand
) -> None:
    at = clock.now()
    pair = [enrol(external_id=key, phone="13800138000", by=SYSTEM, at=at).number for key in "ab"]
    find_duplicates(at=at)
    client = staff_client("owner")
    client.post(f"/console/duplicates/{pair[0]}/{pair[1]}/apart/")
    find_duplicates(at=at)
    assert "Nobody seems" in client.get("/console/duplicates/").content.decode()
    assert DuplicatePair.objects.get().dismissed_at is not None
