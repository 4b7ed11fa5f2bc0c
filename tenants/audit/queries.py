"""Reading the audit."""

from tenants.audit.models import AuditEntry, AuditSeal


def list_entries(
    *,
    target_type: str | None = None,
    target_id: str | int | None = None,
    actor: str | None = None,
    action: str | None = None,
    before: int | None = None,
    limit: int = 50,
) -> list[AuditEntry]:
    """Return entries newest first, those before the key `before`.

    `actor` is a kind (`staff`) or one actor's key (`staff:12`); `action` is one (`staff.invited`)
    or the beginning of several (`staff.`).
    """
    entries = AuditEntry.objects.order_by("-id")
    if target_type is not None:
        entries = entries.filter(target_type=target_type)
    if target_id is not None:
        entries = entries.filter(target_id=str(target_id))
    if actor is not None:
        kind, _, key = actor.partition(":")
        entries = entries.filter(actor_kind=kind)
        if key:
            entries = entries.filter(actor_id=int(key) if key.isdigit() else -1)
    if action is not None:
        entries = entries.filter(action__startswith=action)
    if before is not None:
        entries = entries.filter(pk__lt=before)
    return list(entries[:limit])


def last_seal() -> AuditSeal | None:
    """Return the head of the hash chain; its number says how many entries are sealed."""
    return AuditSeal.objects.order_by("-number").first()
