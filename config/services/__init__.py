"""Embedded PostgreSQL and Valkey for demo, tests and benchmarks; see docs/adr/0003.

Imports no Django: it has to work before settings load, as they read the addresses it gives.

    with services(profile="test") as s:
        ...  # s.database_url, s.broker_url, s.cache_url

From the shell: python -m config.services start|stop|status|psql|exec|clean.
"""

from config.services.binaries import pg_binary
from config.services.client import Services, get_running_urls, services
from config.services.errors import ServicesError

__all__ = ["Services", "ServicesError", "get_running_urls", "pg_binary", "services"]
