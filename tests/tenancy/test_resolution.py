"""The host name alone decides the brand; sessions, cookies and caches never cross over."""

import pytest
from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.test import Client

from core.actors import SYSTEM
from tenants.accounts.models import User
from tenants.brands import resolution
from tenants.brands.context import NoBrandError, current_brand, platform_context, tenant_context
from tenants.brands.models import Brand
from tenants.brands.operations import reactivate_brand, suspend_brand
from tenants.brands.resolution import find_brand


@pytest.mark.parametrize(
    "host",
    [
        "nosuch.localhost",
        "bloom.localhost.evil.example",
        "bloom",
        "localhost.localdomain",
        "under_score.localhost",
        "xn--bloom.localhost",
        "[::1]",
        "127.0.0.1",
        "bloom.localhost@evil.example",
        "'; DROP SCHEMA public; --",
        "",
    ],
)
def test_unknown_host_is_a_plain_404(brand, host):
    answer = Client(HTTP_HOST=host).get("/")

    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == "text/plain"
    assert answer.content == b"Not found\n"


@pytest.mark.parametrize("header", ["HTTP_X_FORWARDED_HOST", "HTTP_X_TENANT", "HTTP_X_SCHEMA"])
def test_no_header_but_host_names_the_brand(brand, other_brand, header):
    seen = _schema_of(
        Client(HTTP_HOST=f"{brand.slug}.localhost", **{header: f"{other_brand.slug}.localhost"})
    )

    assert seen == brand.schema_name


def test_host_ignores_case_port_and_last_dot(brand):
    for host in ("BLOOM.localhost", "bloom.localhost:8000", "bloom.localhost."):
        assert _schema_of(Client(HTTP_HOST=host)) == brand.schema_name


def test_suspended_brand_shows_a_page_and_no_data(brand, client_for):
    suspend_brand(brand=brand, by=SYSTEM)

    page = client_for(brand).get("/")
    problem = client_for(brand).get("/api/brand/v1/members")

    assert page.status_code == 403
    assert "Bloom" in page.content.decode()
    assert problem.status_code == 403
    assert problem.json()["code"] == "brand_suspended"


def test_suspending_takes_effect_at_once_and_can_be_undone(brand):
    assert find_brand("bloom.localhost").status == Brand.Status.ACTIVE

    assert suspend_brand(brand=brand, by=SYSTEM) is True
    assert find_brand("bloom.localhost").status == Brand.Status.SUSPENDED
    assert suspend_brand(brand=brand, by=SYSTEM) is False

    assert reactivate_brand(brand=brand, by=SYSTEM) is True
    assert find_brand("bloom.localhost").status == Brand.Status.ACTIVE


def test_remembered_hosts_cost_no_query_and_are_copies(brand, django_assert_num_queries):
    first = find_brand("bloom.localhost")
    find_brand("nosuch.localhost")

    with django_assert_num_queries(0):
        second = find_brand("bloom.localhost")
        assert find_brand("nosuch.localhost") is None

    first.name = "Changed by a request"
    assert second.name == "Bloom"
    assert find_brand("bloom.localhost").name == "Bloom"


def test_memory_of_hosts_ends(brand, monkeypatch):
    find_brand("bloom.localhost")
    Brand.objects.filter(pk=brand.pk).update(name="Renamed elsewhere")
    assert find_brand("bloom.localhost").name == "Bloom"

    later = resolution.time.monotonic() + resolution.REMEMBER_SECONDS + 1
    monkeypatch.setattr(resolution.time, "monotonic", lambda: later)

    assert find_brand("bloom.localhost").name == "Renamed elsewhere"


def test_memory_of_hosts_is_bounded(brand, monkeypatch):
    monkeypatch.setattr(resolution, "_MAX_ENTRIES", 10)
    for number in range(50):
        find_brand(f"scan-{number}.localhost")

    assert len(resolution._entries) <= 10


def test_cookie_of_one_brand_is_anonymous_on_the_other(brand, other_brand, client_for):
    mine = client_for(brand)
    mine.force_login(User.objects.create_user("ann@example.com"))
    with tenant_context(other_brand):
        User.objects.create_user("ann@example.com")
    theirs = client_for(other_brand)
    theirs.cookies = mine.cookies

    assert _user_of(mine).is_authenticated
    assert not _user_of(theirs).is_authenticated


def test_cache_keys_carry_the_schema(brand, other_brand):
    cache.set("balance", 1)
    with tenant_context(other_brand):
        assert cache.get("balance") is None
        cache.set("balance", 2)
    with platform_context():
        assert cache.get("balance") is None

    assert cache.get("balance") == 1


def test_cache_without_brand_or_platform_raises(db):
    with pytest.raises(NoBrandError):
        cache.get("balance")


def test_contexts_nest_and_restore(brand, other_brand):
    with tenant_context(other_brand):
        assert connection.schema_name == other_brand.schema_name
        with platform_context():
            assert connection.schema_name == "public"
            with pytest.raises(NoBrandError):
                current_brand()
        assert current_brand() == other_brand
        assert connection.schema_name == other_brand.schema_name

    assert current_brand() == brand
    assert connection.schema_name == brand.schema_name


def test_the_librarys_own_context_is_refused(brand):
    with pytest.raises(RuntimeError, match="tenant_context"), brand:
        pass


@pytest.mark.parametrize(
    ("cookie", "user_locale", "expected"),
    [
        ("zh-hans", "zh-hant", "zh-hans"),
        ("", "zh-hant", "zh-hant"),
        ("", "", "en"),
        ("xx", "", "en"),
    ],
)
def test_language_is_cookie_then_user_then_brand(brand, client_for, cookie, user_locale, expected):
    client = client_for(brand)
    client.force_login(User.objects.create_user("ann@example.com", locale=user_locale))
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = cookie

    assert client.get("/no-such-page/").headers["Content-Language"] == expected


def test_language_of_a_visitor_is_the_brands(other_brand, client_for):
    answer = client_for(other_brand).get("/no-such-page/", headers={"accept-language": "en"})

    assert answer.headers["Content-Language"] == "zh-hant"


def _schema_of(client: Client) -> str:
    return client.get("/no-such-page/").wsgi_request.tenant.schema_name


def _user_of(client: Client) -> object:
    request = client.get("/no-such-page/").wsgi_request
    with tenant_context(request.tenant):
        user = request.user
        user.is_authenticated  # noqa: B018 - resolves the lazy user inside the brand
        return user
