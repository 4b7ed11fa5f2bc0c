"""The same content type ids in every schema.

Django keeps content types in one cache for the whole process: where ids differ between schemas,
threads read each other's. Ids that follow from the model's name can not differ. Django's own
permissions are not made at all: what staff may do is a table in code.
"""

import hashlib
from functools import cache
from typing import Any

from django.apps import AppConfig, apps
from django.contrib.auth.management import create_permissions
from django.contrib.contenttypes.management import create_contenttypes
from django.core.checks import CheckMessage, Error, register
from django.db import connection, transaction
from django.db.models.signals import post_migrate

_UID = "tessera content types"


def take_over() -> None:
    """Replace Django's makers of content types and permissions; call it when all apps are ready."""
    post_migrate.disconnect(
        create_permissions, dispatch_uid="django.contrib.auth.management.create_permissions"
    )
    post_migrate.disconnect(create_contenttypes)
    post_migrate.connect(_after_migrations, sender=_last_app(), dispatch_uid=_UID)
    register(check_ids)


def stable_id(app_label: str, model: str) -> int:
    """Return the id of a model's content type: 31 bits of a digest of its name, never 0."""
    digest = hashlib.sha256(f"{app_label}.{model}".encode()).digest()
    return (int.from_bytes(digest[:4]) & 0x7FFF_FFFF) or 1


@cache
def render() -> str:
    """Return the SQL that gives a schema all content types with their ids; safe to run again."""
    values = ", ".join(
        f"({stable_id(label, model)}, '{label}', '{model}')" for label, model in _models()
    )
    return f"""
        DELETE FROM auth_permission;
        DELETE FROM django_content_type c USING (VALUES {values}) v(id, app_label, model)
         WHERE c.app_label = v.app_label AND c.model = v.model AND c.id <> v.id;
        INSERT INTO django_content_type (id, app_label, model) VALUES {values}
            ON CONFLICT DO NOTHING;
    """  # noqa: S608 - names of our own models


def check_ids(app_configs: Any, **_: Any) -> list[CheckMessage]:
    """System check: no two models share an id."""
    seen: dict[int, str] = {}
    problems: list[CheckMessage] = []
    for label, model in _models():
        number = stable_id(label, model)
        if number in seen:
            text = f"{label}.{model} and {seen[number]} have the same content type id."
            problems.append(Error(text, id="brands.E001"))
        seen[number] = f"{label}.{model}"
    return problems


def _after_migrations(**_: Any) -> None:
    with connection.cursor() as cursor:
        # With search path (brand, public) an absent table would mean the one in `public`.
        cursor.execute("SELECT to_regclass(current_schema() || '.django_content_type')")
        if cursor.fetchone()[0] is None:
            return
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(render())


def _models() -> list[tuple[str, str]]:
    return sorted(
        (config.label, str(model._meta.model_name))  # noqa: SLF001 - Django's own way
        for config in apps.get_app_configs()
        for model in config.get_models()
    )


def _last_app() -> AppConfig:
    """Return the app that Django reports last after migrating."""
    return [config for config in apps.get_app_configs() if config.models_module is not None][-1]
