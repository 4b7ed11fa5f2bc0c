"""All environment variables, read and checked in this one place.

A missing or wrong variable stops the process with one line that names it.
"""

import sys
from pathlib import Path
from typing import Literal, Never
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

BASE_DIR = Path(__file__).resolve().parent.parent


class Environment(BaseSettings):
    """What the surroundings tell us; each field is one variable of the same name in capitals."""

    model_config = SettingsConfigDict(extra="ignore", env_ignore_empty=True)

    tessera_mode: Literal["demo", "test", "production"] = "production"
    tessera_data: Path = BASE_DIR / ".data"
    tessera_log: Literal["console", "json"] = "console"
    # Host of the platform; each brand lives at <slug>.<platform host>.
    platform_host: str = "localhost"
    port: int = Field(default=8000, ge=1, le=65535)
    public_scheme: Literal["http", "https"] = "http"
    secret_key: str = Field(default="", description="at least 50 random characters")
    database_url: str = ""
    database_pool_size: int = Field(default=8, ge=1, le=100)
    broker_url: str = ""
    cache_url: str = ""
    allowed_hosts: str = ""
    staff_mfa: Literal["required", "optional"] = "required"
    email_url: str = ""
    email_from: str = "Tessera <no-reply@localhost>"
    # A gateway for text messages: takes POST {"to", "text"} with this bearer token.
    sms_url: str = ""
    sms_token: str = ""
    trusted_proxy_count: int = Field(default=0, ge=0, le=5)
    webhooks_allow_loopback: bool = False
    sentry_dsn: str = ""

    @field_validator("database_url")
    @classmethod
    def _postgresql_only(cls, value: str) -> str:
        if value and urlsplit(value).scheme not in {"postgresql", "postgres"}:
            raise ValueError("must be a postgresql:// address")
        return value

    @field_validator("broker_url")
    @classmethod
    def _known_broker(cls, value: str) -> str:
        if value and urlsplit(value).scheme not in {"redis", "rediss", "redis+socket", "amqp"}:
            raise ValueError("must be a redis://, redis+socket:// or amqp:// address")
        return value

    @field_validator("cache_url")
    @classmethod
    def _known_cache(cls, value: str) -> str:
        if value and urlsplit(value).scheme not in {"redis", "rediss", "unix"}:
            raise ValueError("must be a redis:// or unix:// address")
        return value


def _stop(message: str) -> Never:
    sys.stderr.write(f"tessera: {message}\n")
    raise SystemExit(2)


def read_environment() -> Environment:
    """Read the variables; on a wrong one, print one line that names it and exit with status 2."""
    try:
        environment = Environment()
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]).upper()
        _stop(f"{name}: {first['msg'].removeprefix('Value error, ')}")
    if environment.tessera_mode == "production" and len(environment.secret_key) < 50:
        _stop("SECRET_KEY: set at least 50 random characters (or TESSERA_MODE=demo to try it out)")
    return environment


def require(name: str, value: str) -> str:
    """Return the value or stop with a line that says which variable is missing."""
    if not value:
        _stop(
            f"{name}: not set. `make demo` and `make test` start servers of their own and set it; "
            "to use yours, give its address."
        )
    return value
