"""Which brand we are working for. The only door into a brand's schema."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from django.db import connection
from django_tenants.utils import tenant_context as _library_context

from tenants.brands.models import Brand

PUBLIC = "public"
_current: ContextVar[Brand | None] = ContextVar("current_brand", default=None)
_platform: ContextVar[bool] = ContextVar("on_platform", default=False)


class NoBrandError(RuntimeError):
    """Code that needs a brand ran without one; it never falls back to `public`."""


@contextmanager
def tenant_context(brand: Brand) -> Iterator[Brand]:
    """Work inside the brand's schema. A context manager only: never a decorator."""
    token = _current.set(brand)
    platform = _platform.set(False)
    try:
        with _library_context(brand):
            yield brand
    finally:
        _platform.reset(platform)
        _current.reset(token)


@contextmanager
def platform_context() -> Iterator[None]:
    """Work on the platform itself (schema `public`)."""
    token = _current.set(None)
    platform = _platform.set(True)
    here: Any = connection  # django-tenants' own wrapper, which has no types
    previous = here.tenant
    here.set_schema_to_public()
    try:
        yield
    finally:
        here.set_tenant(previous)
        _platform.reset(platform)
        _current.reset(token)


def current_brand() -> Brand:
    """Return the brand we are working for.

    :raises NoBrandError: outside `tenant_context`.
    """
    brand = _current.get()
    if brand is None:
        raise NoBrandError("No brand is set here; enter one with tenant_context(brand).")
    return brand


def current_schema() -> str:
    """Return the schema we are working in: the brand's, or `public` inside `platform_context`.

    :raises NoBrandError: when neither is set.
    """
    brand = _current.get()
    if brand is not None:
        return str(brand.schema_name)
    if _platform.get():
        return PUBLIC
    raise NoBrandError("Neither a brand nor the platform is set here.")


def cache_key(key: str, key_prefix: str, version: int) -> str:
    """Make cache keys that carry the schema, so that no brand reads another's entries."""
    return f"{current_schema()}:{key_prefix}:{version}:{key}"
