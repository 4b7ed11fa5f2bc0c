"""When two members become one, every table that names members has its say."""

from django.apps import apps
from django.db import models

from members.merging.registry import list_covered
from members.profiles.models import Member


def test_every_table_of_members_says_what_becomes_of_it() -> None:
    """A table that names members moves with them or says why it stays: see `merging.registry`."""
    forgotten = {
        f"{model._meta.db_table}.{field.column}"
        for model in apps.get_models()
        for field in model._meta.concrete_fields
        if isinstance(field, models.ForeignKey)
        and field.related_model is Member
        and model._meta.db_table not in list_covered()
    }
    assert forgotten == set()
