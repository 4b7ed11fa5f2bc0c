"""Brands: one tenant each, with a PostgreSQL schema of its own. This room lives in `public`."""

import re
from typing import Any, ClassVar

from django.core.validators import RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _
from django_tenants.models import DomainMixin, TenantMixin

from core import ids

SCHEMA_NAME = re.compile(r"^t_[a-z0-9]{10}$")


def new_schema_name() -> str:
    """Return a schema name never derived from what a person typed."""
    return f"t_{ids.readable_code(10).lower()}"


class Brand(TenantMixin):  # type: ignore[misc]  # the library has no types
    """A brand: its schema, language, time zone, currency and look.

    `schema_name` and `slug` are unique. The currency cannot change once money is recorded.
    Only `active` brands are served; `suspended` ones answer with a page that says so.
    """

    class Status(models.TextChoices):
        PROVISIONING = "provisioning", _("Being set up")
        ACTIVE = "active", _("Active")
        SUSPENDED = "suspended", _("Suspended")

    slug = models.CharField(
        max_length=40,
        unique=True,
        validators=[RegexValidator(r"^[a-z][a-z0-9-]{1,38}[a-z0-9]$")],
        help_text=_("Part of the host name: <slug>.<platform host>."),
    )
    name = models.CharField(max_length=80)
    status = models.CharField(max_length=12, choices=Status.choices, default=Status.PROVISIONING)
    locale = models.CharField(max_length=10, default="en")
    timezone = models.CharField(max_length=64, default="UTC")
    currency = models.CharField(max_length=3, default="USD")
    brand_colour = models.CharField(max_length=7, default="#1f6feb")
    logo = models.CharField(max_length=40, default="diamond", help_text=_("Name of an icon."))
    created_at = models.DateTimeField(auto_now_add=True)
    suspended_at = models.DateTimeField(null=True, blank=True)

    auto_create_schema: ClassVar[bool] = False  # `operations.create_brand` replays template SQL
    auto_drop_schema: ClassVar[bool] = False

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="brand_schema_name_form",
                condition=models.Q(schema_name__regex=r"^t_[a-z0-9]{10}$"),
            ),
        ]

    def __str__(self) -> str:
        return self.slug

    def __enter__(self) -> Any:
        # The library keeps the previous tenant in a list shared by all threads: with it,
        # threads end up on another brand's schema.
        raise RuntimeError("Use `with tenant_context(brand):`")


class Domain(DomainMixin):  # type: ignore[misc]  # the library has no types
    """A host name that leads to a brand."""

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="domain_one_primary_per_brand",
                fields=["tenant"],
                condition=models.Q(is_primary=True),
            ),
        ]

    def __str__(self) -> str:
        return str(self.domain)


class SchemaTemplate(models.Model):
    """The SQL that makes a new brand's schema; one row per state of the migrations.

    `digest` covers the names and contents of all tenant migrations, so that a template of older
    code is never replayed.
    """

    digest = models.CharField(max_length=64, unique=True)
    sql = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.digest[:12]


class ChainAnchor(models.Model):
    """The head of a brand's audit chain at some time, noted outside the brand's schema.

    Append-only. Betrays a chain whose end was cut off. Keys only, no foreign keys: the seal lives
    in another schema, and a removed brand's anchors stay.
    """

    brand_id = models.BigIntegerField()
    number = models.BigIntegerField()
    digest = models.CharField(max_length=64)
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(name="chain_anchor_once", fields=["brand_id", "number"]),
        ]

    def __str__(self) -> str:
        return f"#{self.number}"
