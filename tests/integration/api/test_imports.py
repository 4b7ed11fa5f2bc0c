"""Files through the brand API: handed in, judged, applied; bad rows by page."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from config.demo.programme import Programme
from core import clock
from members.imports.models import FileImport
from members.profiles.models import Member
from tenants.brands.models import Brand
from tenants.jobs.operations import run_pending
from tests.integration.api.conftest import Api


@pytest.fixture
def shop(trial: tuple[Api, Programme], settings: Any, tmp_path: Path) -> Api:
    settings.DATA_DIR = tmp_path
    return trial[0]


def send(api: Api, text: str, kind: str = "members", key: str | None = None) -> Any:
    client = Client(HTTP_HOST=f"{api.brand.slug}.{django_settings.PLATFORM_HOST}")
    return client.post(
        "/api/brand/v1/imports",
        {"kind": kind, "file": SimpleUploadedFile("m.csv", text.encode())},
        HTTP_AUTHORIZATION=f"Bearer {api.key if key is None else key}",
    )


def worked() -> None:
    run_pending(at=clock.now() + timedelta(seconds=1))


def test_a_file_from_hand_in_to_members(shop: Api) -> None:
    made = send(shop, "external_id,full_name\nX-1,Ann\nX-2,Bea\n")
    assert made.status_code == 201, made.content
    url = f"imports/{made.json()['id']}"
    body = shop("POST", f"{url}/check", {"columns": {"name": "full_name"}}).json()
    assert (body["state"], body["columns"]["name"]) == ("checking", "full_name")
    assert shop("GET", f"jobs/{body['job']}").status_code == 200
    worked()
    body = shop("GET", url).json()
    assert (body["state"], body["rows"], body["bad_rows"]) == ("checked", 2, 0)
    assert shop("POST", f"{url}/apply", {}).status_code == 202
    worked()
    assert shop("GET", url).json()["result"]["enrolled"] == 2
    assert Member.objects.filter(external_id__startswith="X-").count() == 2
    assert shop("POST", f"{url}/apply", {}).json()["code"] == "import_state"
    assert shop("GET", "imports").json()["items"][0]["state"] == "applied"


def test_bad_rows_come_in_pages(shop: Api) -> None:
    rows = "\n".join(f"Y-{n},wrong" for n in range(5))
    made = send(shop, f"external_id,email\n{rows}\n")
    url = f"imports/{made.json()['id']}"
    shop("POST", f"{url}/check", {})
    worked()
    first = shop("GET", f"{url}/problems?limit=3").json()
    rest = shop("GET", f"{url}/problems?limit=3&cursor={first['next']}").json()
    assert [row["line"] for row in first["items"] + rest["items"]] == [2, 3, 4, 5, 6]
    assert (rest["next"], rest["items"][0]["code"]) == (None, "refused")
    assert shop("POST", f"{url}/apply", {}).status_code == 409
    assert Member.objects.filter(external_id__startswith="Y-").count() == 0


def test_refusals(shop: Api, other_brand: Brand, client_for: Callable[[Brand], Client]) -> None:
    assert send(shop, "x", kind="else").status_code == 422
    assert send(shop, "").status_code == 422
    assert send(shop, "external_id\n1\n", key="").status_code == 401
    assert FileImport.objects.count() == 0
    assert shop("DELETE", "imports").status_code == 405
    assert shop("GET", "imports/999").json()["code"] == "import_not_found"
    made = send(shop, "external_id\n1\n").json()
    answer = client_for(other_brand).get(
        f"/api/brand/v1/imports/{made['id']}", HTTP_AUTHORIZATION=f"Bearer {shop.key}"
    )
    assert answer.status_code == 401
