"""What `/readyz` looks at: database, cache, migrations, background processes."""

from datetime import timedelta

import redis
from django.conf import settings
from django.core.cache import cache
from django.db import DatabaseError, connection

from core import clock
from tenants.brands.context import platform_context
from tenants.brands.fleet import is_public_current
from tenants.brands.health import NotReady, register_check
from tenants.brands.models import Brand, SchemaTemplate
from tenants.brands.template import current_digest
from tenants.jobs.queries import last_heartbeat

# Beat has a task sent every ten seconds that writes the heartbeat.
SILENT_AFTER = timedelta(seconds=120)

_memory: dict[str, bool] = {}


def register_all() -> None:
    """Register the checks in the order in which they are shown."""
    register_check("database", check_database)
    register_check("cache", check_cache)
    register_check("migrations", check_migrations, needs="database")
    register_check("background", check_background, needs="database")


def check_database() -> str:
    """The database answers."""
    try:
        with platform_context(), connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        raise NotReady("no answer") from None
    return "ok"


def check_cache() -> str:
    """The cache answers."""
    try:
        with platform_context():
            cache.set("readyz", 1, timeout=5)
            found = cache.get("readyz")
    except redis.RedisError:
        raise NotReady("no answer") from None
    if found != 1:
        raise NotReady("forgets")
    return "ok"


def check_migrations() -> str:
    """`public` and the schema template are those of this code; remembered once true."""
    if _memory.get("migrations"):
        return "ok"
    try:
        current = is_public_current()
        with platform_context():
            template = SchemaTemplate.objects.filter(digest=current_digest()).exists()
            has_brands = current and Brand.objects.exists()
    except DatabaseError:
        raise NotReady("no answer") from None
    if not current:
        raise NotReady("the shared schema is behind; run migrate_fleet")
    if not template and has_brands:
        raise NotReady("the schema template is behind; run migrate_fleet")
    _memory["migrations"] = True
    return "ok"


def check_background() -> str:
    """Beat ticks and a worker works: the heartbeat is young. Not asked for in tests."""
    if settings.TESTING:
        return "not watched"
    try:
        seen = last_heartbeat("sweeper")
    except DatabaseError:
        raise NotReady("no answer") from None
    if seen is None:
        raise NotReady("no worker has been seen yet")
    age = clock.now() - seen
    if age > SILENT_AFTER:
        raise NotReady(f"no worker has been seen for {age.total_seconds():.0f} s")
    return f"seen {max(age.total_seconds(), 0):.0f} s ago"
