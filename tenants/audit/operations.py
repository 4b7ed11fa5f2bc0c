"""Writing the audit, sealing it into a hash chain, and verifying the chain."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from core.actors import Actor
from tenants.audit.errors import WrongSchemaError
from tenants.audit.models import AuditEntry, BrandIdentity
from tenants.brands.context import current_brand
from tenants.brands.models import Brand


def record(
    *,
    by: Actor,
    at: datetime,
    action: str,
    target_type: str,
    target_id: str | int = "",
    changes: Mapping[str, list[Any]] | None = None,
    reason: str = "",
) -> AuditEntry:
    """Write down what was done, in the caller's transaction.

    `changes` maps a field to `[old, new]`, both JSON values without personal data.

    :raises NoBrandError: outside a brand.
    """
    current_brand()
    return AuditEntry.objects.create(
        at=at,
        actor_kind=by.kind,
        actor_id=by.id,
        actor_label=by.label,
        address=by.address,
        action=action,
        target_type=target_type,
        target_id=str(target_id),
        reason=reason,
        changes=dict(changes or {}),
    )


def verify_identity() -> None:
    """Check that the schema we work in is the current brand's own; for money transactions.

    :raises WrongSchemaError: if the identity row names another brand, or is missing.
    """
    brand = current_brand()
    found = BrandIdentity.objects.values_list("schema_name", "brand_id").first()
    if found != (brand.schema_name, brand.pk):
        raise WrongSchemaError(expected=brand.schema_name, found=found[0] if found else None)


def note_brand_change(brand: Brand, action: str, by: Actor, at: datetime) -> None:
    """Write the identity row of a new brand, and the entry for any change of a brand."""
    with transaction.atomic():
        if action == "brand.created":
            BrandIdentity.objects.create(schema_name=brand.schema_name, brand_id=brand.pk)
        record(by=by, at=at, action=action, target_type="brand", target_id=brand.pk)
