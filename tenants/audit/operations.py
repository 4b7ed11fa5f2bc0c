"""Writing the audit, sealing it into a hash chain, and verifying the chain."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.db import connection, transaction

from core.actors import Actor
from tenants.audit._chain import FIELDS, START, link
from tenants.audit.errors import WrongSchemaError
from tenants.audit.models import AuditEntry, AuditSeal, BrandIdentity
from tenants.audit.registry import check_words
from tenants.brands.context import current_brand
from tenants.brands.models import Brand, ChainAnchor

logger = structlog.get_logger(__name__)

# How often the head of the chain is noted outside the brand's schema.
ANCHOR_EVERY = timedelta(hours=1)
# An entry may be committed after one with a higher key; never this much later.
_LOOK_BACK = 10_000
_CHUNK = 2000


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

    `changes` maps a field to `[old, new]`, both JSON values without personal data. What people
    typed as the reason is looked at by the target's room: it must not name a member.

    :raises NoBrandError: outside a brand.
    :raises DomainError: if the target's room refuses the reason.
    """
    current_brand()
    check_words(target_type=target_type, target_id=str(target_id), reason=reason)
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


def seal(*, at: datetime) -> int:
    """Add all new entries of the current brand to its hash chain; return how many.

    A sealer of its own does this, so that writers never wait for one another. From time to time
    the head is noted outside the brand's schema, where it betrays a chain that was cut short.
    """
    brand = current_brand()
    with transaction.atomic():
        with connection.cursor() as cursor:
            # One sealer at a time; numbers have no gap.
            cursor.execute(
                "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))",
                [f"audit seal {brand.schema_name}"],
            )
        last = AuditSeal.objects.order_by("-number").first()
        number, digest = (last.number, last.digest) if last else (0, START)
        seals = []
        for entry in _unsealed():
            number += 1
            digest = link(number=number, previous=digest, entry=entry)
            seals.append(
                AuditSeal(number=number, entry_id=entry["id"], digest=digest, sealed_at=at)
            )
        AuditSeal.objects.bulk_create(seals, batch_size=_CHUNK)
        if seals:
            _anchor(brand, number, digest, at)
    return len(seals)


@dataclass(slots=True)
class ChainReport:
    """What the verification of a chain found."""

    sealed: int = 0
    unsealed: int = 0
    anchors: int = 0
    head: str = START
    problems: list[str] = field(default_factory=list)

    @property
    def is_intact(self) -> bool:
        """Tell whether nothing was changed, removed, inserted, moved or cut off."""
        return not self.problems


def verify_chain(*, expected: str | None = None) -> ChainReport:
    """Recompute the current brand's whole chain and compare it with seals and anchors.

    `expected` is the digest of a head noted elsewhere, such as in the logs.
    """
    report = ChainReport()
    seen_expected = expected is None
    anchors = {
        anchor.number: anchor.digest
        for anchor in ChainAnchor.objects.filter(brand_id=current_brand().pk)
    }
    digest = START
    for number, entry_id, sealed, entry in _sealed():
        report.sealed += 1
        if number != report.sealed:
            report.problems.append(f"seal {report.sealed} is missing")
            break
        if entry is None:
            report.problems.append(f"entry {entry_id} of seal {number} is missing")
            break
        digest = link(number=number, previous=digest, entry=entry)
        if digest != sealed:
            report.problems.append(f"entry {entry_id} of seal {number} was changed")
            break
        if anchors.get(number, digest) != digest:
            report.problems.append(f"seal {number} differs from its anchor")
            break
        report.anchors += number in anchors
        report.head = digest
        seen_expected = seen_expected or digest == expected
    else:
        highest = max(anchors, default=0)
        if highest > report.sealed:
            report.problems.append(
                f"the chain ends at {report.sealed}, but an anchor notes {highest}"
            )
        if not seen_expected:
            report.problems.append("the expected head is no link of the chain")
    report.unsealed = sum(1 for _ in _unsealed())
    late = _find_late_entry()
    if late is not None:
        report.problems.append(f"entry {late} was inserted among sealed ones")
    return report


def note_brand_change(*, brand: Brand, action: str, by: Actor, at: datetime) -> None:
    """Write the identity row of a new brand, and the entry for any change of a brand."""
    with transaction.atomic():
        if action == "brand.created":
            BrandIdentity.objects.create(schema_name=brand.schema_name, brand_id=brand.pk)
        record(by=by, at=at, action=action, target_type="brand", target_id=brand.pk)


def _anchor(brand: Brand, number: int, digest: str, at: datetime) -> None:
    logger.info("audit_sealed", brand=brand.slug, number=number, digest=digest)
    newest = ChainAnchor.objects.filter(brand_id=brand.pk).order_by("-number").first()
    if newest is None or newest.at <= at - ANCHOR_EVERY:
        ChainAnchor.objects.create(brand_id=brand.pk, number=number, digest=digest, at=at)


def _unsealed() -> Iterator[dict[str, Any]]:
    found = AuditEntry.objects.raw(
        "SELECT * FROM audit_auditentry e "
        "WHERE e.id > coalesce((SELECT max(entry_id) FROM audit_auditseal), 0) - %s "
        "AND NOT EXISTS (SELECT 1 FROM audit_auditseal s WHERE s.entry_id = e.id) ORDER BY e.id",
        [_LOOK_BACK],
    )
    for entry in found:
        yield {name: getattr(entry, name) for name in FIELDS}


def _find_late_entry() -> int | None:
    """Return an unsealed entry so far behind the sealed ones that no honest writer made it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT min(e.id) FROM audit_auditentry e "
            "WHERE e.id <= coalesce((SELECT max(entry_id) FROM audit_auditseal), 0) - %s "
            "AND NOT EXISTS (SELECT 1 FROM audit_auditseal s WHERE s.entry_id = e.id)",
            [_LOOK_BACK],
        )
        found: int | None = cursor.fetchone()[0]
        return found


def _sealed() -> Iterator[tuple[int, int, str, dict[str, Any] | None]]:
    """Yield number, entry key, digest and entry (none when it is gone), in the chain's order."""
    after = 0
    while True:
        seals = list(AuditSeal.objects.filter(number__gt=after).order_by("number")[:_CHUNK])
        if not seals:
            return
        entries = {
            entry["id"]: entry
            for entry in AuditEntry.objects.filter(pk__in=[one.entry_id for one in seals]).values(
                *FIELDS
            )
        }
        for one in seals:
            yield one.number, one.entry_id, one.digest, entries.get(one.entry_id)
        after = seals[-1].number
