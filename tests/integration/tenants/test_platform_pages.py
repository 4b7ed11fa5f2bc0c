"""The platform's own pages: signing up a brand, the operator, health, metrics, caught mails."""

import re
from datetime import timedelta

import pytest
from django.core import mail
from django.db import connection
from django.test import Client

from config.platform import checks
from core import clock
from tenants.accounts.models import StaffMember, User
from tenants.audit.queries import list_entries
from tenants.brands import health
from tenants.brands.context import platform_context, tenant_context
from tenants.brands.models import Brand
from tenants.brands.queries import get_brand
from tenants.jobs.models import Job
from tenants.jobs.operations import beat

FACTS = {
    "name": "Music Shop",
    "slug": "music-shop",
    "locale": "en",
    "timezone": "America/New_York",
    "currency": "USD",
    "email": "owner@example.com",
}


@pytest.fixture
def operator_client(platform_client):
    with platform_context():
        platform_client.force_login(User.objects.create_user("ops@example.com"))
    return platform_client


def test_sign_up_opens_a_brand_for_who_proves_the_address(platform_client):
    platform_client.post("/", FACTS)
    assert not Brand.objects.filter(slug="music-shop").exists()
    code = re.search(r"\b\d{6}\b", mail.outbox[-1].body)[0]
    assert mail.outbox[-1].to == ["owner@example.com"]

    answer = platform_client.post("/confirm/", {"code": code})

    assert answer.status_code == 302
    assert answer.headers["Location"] == "http://music-shop.localhost/console/"
    made = get_brand(slug="music-shop")
    assert (made.timezone, made.currency, made.status) == ("America/New_York", "USD", "active")
    with tenant_context(made):
        owner = StaffMember.objects.select_related("user").get()
        assert (owner.role, owner.user.email) == ("owner", "owner@example.com")


def test_sign_up_refuses_wrong_codes_and_ends_after_five(platform_client):
    platform_client.post("/", FACTS)
    code = re.search(r"\b\d{6}\b", mail.outbox[-1].body)[0]
    wrong = "000000" if code != "000000" else "111111"

    for _ in range(5):
        assert platform_client.post("/confirm/", {"code": wrong}).status_code == 422
    assert platform_client.post("/confirm/", {"code": code}).status_code == 422

    assert not Brand.objects.filter(slug="music-shop").exists()


def test_sign_up_code_grows_old(platform_client, at):
    with clock.at(at):
        platform_client.post("/", FACTS)
    code = re.search(r"\b\d{6}\b", mail.outbox[-1].body)[0]

    assert platform_client.post("/confirm/", {"code": code}).status_code == 422

    assert not Brand.objects.filter(slug="music-shop").exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [("slug", "bloom"), ("slug", "a b"), ("email", "nobody"), ("currency", "XXX"), ("name", "")],
)
def test_sign_up_shows_what_is_wrong(platform_client, brand, field, value):
    answer = platform_client.post("/", {**FACTS, field: value})

    assert answer.status_code == 422
    assert field in answer.context["form"].errors
    assert mail.outbox == []


@pytest.mark.parametrize("path", ["/operator/", "/operator/brands/new/", "/operator/jobs/"])
def test_operator_pages_send_strangers_to_sign_in(platform_client, path):
    answer = platform_client.get(path)

    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/accounts/login/")


@pytest.mark.parametrize("path", ["/operator/", "/operator/brands/new/", "/operator/jobs/"])
def test_operator_pages_open_for_operators(operator_client, brand, path):
    assert operator_client.get(path).status_code == 200


def test_staff_of_a_brand_are_no_operators(brand, staff_client):
    client = staff_client("owner")
    client.defaults["HTTP_HOST"] = "localhost"

    assert client.get("/operator/").status_code == 302


def test_brand_hosts_have_no_operator_pages(brand, staff_client):
    assert staff_client("owner").get("/operator/").status_code == 404


def test_operator_suspends_and_reactivates(operator_client, brand):
    operator_client.post("/operator/brands/bloom/suspend/")
    assert get_brand(slug="bloom").status == "suspended"
    assert Client(HTTP_HOST="bloom.localhost").get("/").status_code == 403

    operator_client.post("/operator/brands/bloom/reactivate/")
    assert get_brand(slug="bloom").status == "active"
    actions = [entry.action for entry in list_entries(target_type="brand", limit=2)]
    assert actions == ["brand.reactivated", "brand.suspended"]
    assert list_entries(target_type="brand", limit=1)[0].actor_kind == "operator"


def test_operator_creates_a_brand(operator_client):
    operator_client.post("/operator/brands/new/", FACTS)

    assert get_brand(slug="music-shop").name == "Music Shop"


def test_operator_gets_form_errors(operator_client, brand):
    answer = operator_client.post("/operator/brands/new/", {**FACTS, "slug": "bloom"})

    assert answer.status_code == 422
    assert answer.context["form"].errors["slug"]


def test_operator_retries_a_failed_job(operator_client, brand, at):
    job = Job.objects.create(brand=brand, kind="x.y", dedupe_key="1", due_at=at, state="failed")

    operator_client.post(f"/operator/jobs/{job.pk}/retry/")

    job.refresh_from_db()
    assert (job.state, job.attempts) == ("open", 0)


def test_operator_posts_only_by_post(operator_client, brand):
    assert operator_client.get("/operator/brands/bloom/suspend/").status_code == 405
    assert get_brand(slug="bloom").status == "active"


@pytest.mark.parametrize("host", ["localhost", "bloom.localhost", "10.0.0.7", "nosuch.example"])
def test_health_answers_on_any_host(brand, host):
    client = Client(HTTP_HOST=host)

    assert client.get("/healthz").content == b"ok\n"
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["status"] == "ready"
    assert set(answer.json()["checks"]) == {"database", "cache", "migrations", "background"}


def test_readyz_says_what_is_missing(brand, settings):
    settings.TESTING = False

    answer = Client(HTTP_HOST="localhost").get("/readyz")

    assert answer.status_code == 503
    assert answer.json()["checks"]["background"] == "failed: no worker has been seen yet"


def test_readyz_without_database_or_cache_asks_no_further(brand, monkeypatch):
    def fails() -> str:
        raise health.NotReady("no answer")

    monkeypatch.setitem(health._checks, "database", (fails, ""))
    monkeypatch.setitem(health._checks, "cache", (fails, ""))

    answer = Client(HTTP_HOST="localhost").get("/readyz")

    assert answer.status_code == 503
    assert answer.json() == {
        "status": "not ready",
        "checks": {
            "database": "failed: no answer",
            "cache": "failed: no answer",
            "migrations": "failed: needs database",
            "background": "failed: needs database",
        },
    }


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        (
            "DELETE FROM django_migrations WHERE app = 'jobs'",
            "failed: the shared schema is behind; run migrate_fleet",
        ),
        (
            "DELETE FROM brands_schematemplate",
            "failed: the schema template is behind; run migrate_fleet",
        ),
    ],
)
def test_readyz_notices_missing_migrations(brand, monkeypatch, statement, problem):
    monkeypatch.setattr(checks, "_memory", {})
    with platform_context(), connection.cursor() as cursor:
        cursor.execute(statement)

    answer = Client(HTTP_HOST="localhost").get("/readyz")

    assert answer.status_code == 503
    assert answer.json()["checks"]["migrations"] == problem


def test_readyz_counts_the_silence_of_workers(brand, settings, at):
    settings.TESTING = False
    beat(name="sweeper", at=at)

    with clock.at(at + timedelta(seconds=120)):
        assert Client(HTTP_HOST="localhost").get("/readyz").status_code == 200
    with clock.at(at + timedelta(seconds=121)):
        answer = Client(HTTP_HOST="localhost").get("/readyz")

    assert answer.status_code == 503
    assert answer.json()["checks"]["background"] == "failed: no worker has been seen for 121 s"


def test_metrics_tell_of_the_queue(platform_client, brand, at):
    Job.objects.create(brand=brand, kind="x.y", dedupe_key="1", due_at=at)

    text = platform_client.get("/metrics").content.decode()

    assert 'tessera_jobs{state="open"} 1.0' in text
    assert 'tessera_jobs{state="overdue"} 1.0' in text
    assert Client(HTTP_HOST="bloom.localhost").get("/metrics").status_code == 404


def test_outbox_shows_caught_mails(platform_client, settings, tmp_path):
    settings.MAIL_OUTBOX_DIR = tmp_path
    settings.EMAIL_FILE_PATH = str(tmp_path)
    settings.EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    mail.send_mail("Your code", "Code 123456, 會員", "a@example.com", ["ann@example.com"])
    mail.send_mail("Hello", "Second", "a@example.com", ["bob@example.com"])

    everything = platform_client.get("/outbox/?format=json").json()["items"]
    only_ann = platform_client.get("/outbox/?format=json&to=ANN@example.com").json()["items"]

    assert {item["subject"] for item in everything} == {"Your code", "Hello"}
    assert [item["text"].strip() for item in only_ann] == ["Code 123456, 會員"]
    assert "123456" in platform_client.get("/outbox/").content.decode()


def test_outbox_is_closed_in_production(platform_client, settings):
    settings.TESTING = settings.DEMO = False

    assert platform_client.get("/outbox/").status_code == 404
