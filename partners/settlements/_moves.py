"""Changing a statement that is locked: its state and version, its audit, its event, corrections.

Everything here runs in the caller's transaction.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import F
from django.utils.translation import gettext as _

from core.actors import Actor
from core.clock import local_date
from core.money import MAX_MINOR
from partners.settlements.errors import (
    DisputeOpenError,
    InvalidSettlementError,
    StatementNotFoundError,
    StatementStateError,
    StatementVersionError,
)
from partners.settlements.models import Correction, LineDispute, Statement, StatementLine
from tenants.audit.operations import record
from tenants.brands.context import current_brand
from tenants.events.operations import emit

_REASON_LENGTH = 200


def add_correction(
    *,
    partner_id: int,
    amount_minor: int,
    reason: str,
    key: UUID,
    line: StatementLine | None,
    by: Actor,
    at: datetime,
) -> Correction:
    """Write a correction in the caller's transaction; see `correct`."""
    reason = reason.strip()
    if not 1 <= len(reason) <= _REASON_LENGTH:
        raise InvalidSettlementError(
            _("Give a reason of at most 200 characters."), pointer="/reason"
        )
    if amount_minor == 0 or abs(amount_minor) > MAX_MINOR:
        raise InvalidSettlementError(_("Give an amount other than zero."), pointer="/amount_minor")
    made, created = Correction.objects.get_or_create(
        key=key,
        defaults={
            "partner_id": partner_id,
            "line_id": line.pk if line else None,
            "order_id": line.order_id if line else None,
            "benefit_id": line.benefit_id if line else None,
            "amount_minor": amount_minor,
            "reason": reason,
            "on_date": local_date(at, current_brand().timezone),
            "made_by": by.key,
            "made_by_label": by.label[:120],
            "at": at,
        },
    )
    if created:
        record(
            by=by,
            at=at,
            action="settlement.corrected",
            target_type="partner",
            target_id=partner_id,
            changes={"amount_minor": [None, amount_minor]},
            reason=reason,
        )
    return made


def take_up(row: Statement, correction: Correction) -> None:
    """Put a correction on a statement that is not approved, in the caller's transaction."""
    StatementLine.objects.create(
        statement=row,
        kind=StatementLine.Kind.CORRECTION,
        amount_minor=correction.amount_minor,
        order_id=correction.order_id,
        benefit_id=correction.benefit_id,
        correction_id=correction.pk,
        on_date=correction.on_date,
    )
    Statement.objects.filter(pk=row.pk).update(
        corrections_minor=F("corrections_minor") + correction.amount_minor,
        total_minor=F("total_minor") + correction.amount_minor,
    )
    row.corrections_minor += correction.amount_minor
    row.total_minor += correction.amount_minor


def lock(statement: Statement) -> Statement:
    """Return a statement as it is now, locked."""
    return (
        Statement.objects.select_for_update(of=("self",))
        .select_related("partner")
        .get(pk=statement.pk)
    )


def lock_own(statement: Statement, partner_id: int) -> Statement:
    """Do the same for a partner: only its own, and only once sent."""
    row = lock(statement)
    if row.partner_id != partner_id or row.state == Statement.State.DRAFT:
        raise StatementNotFoundError
    return row


def check_version(row: Statement, if_version: int | None) -> None:
    """Refuse a caller that has seen another version.

    :raises StatementVersionError: if the version differs; it says the present one.
    """
    if if_version is not None and if_version != row.version:
        raise StatementVersionError(version=row.version, statement=row.number)


def move(row: Statement, to: str, *, by: Actor, at: datetime, **fields: Any) -> None:
    """Bring a locked statement into another state, in the caller's transaction."""
    before = row.state
    write(row, str(to), by=by, at=at, before=before, state=to, **fields)


def write(
    row: Statement, word: str, *, by: Actor, at: datetime, before: str = "", **fields: Any
) -> None:
    """Change a locked statement, write it into the audit, and tell of it."""
    values = {**fields, "version": row.version + 1, "updated_at": at}
    Statement.objects.filter(pk=row.pk).update(**values)
    for name, value in values.items():
        setattr(row, name, value)
    record(
        by=by,
        at=at,
        action=f"statement.{word}",
        target_type="statement",
        target_id=row.number,
        changes={"state": [before or row.state, row.state], "total_minor": [None, row.total_minor]},
    )
    emit(
        type=f"statement.{word}",
        subject=f"statement:{row.number}",
        data={
            "statement": row.number,
            "partner_id": row.partner_id,
            "month": f"{row.month:%Y-%m}",
            "state": row.state,
            "version": row.version,
            "total": {"amount": row.total_minor, "currency": row.currency},
        },
        at=at,
    )


def require(row: Statement, *states: str) -> None:
    """Refuse any other state.

    :raises StatementStateError: if the statement is in one.
    """
    if row.state not in states:
        raise StatementStateError(state=row.state, statement=row.number)


def refuse_open_disputes(row: Statement) -> None:
    """Refuse while a disputed line waits for its answer.

    :raises DisputeOpenError: if one does.
    """
    count = LineDispute.objects.filter(statement=row, state=LineDispute.State.OPEN).count()
    if count:
        raise DisputeOpenError(disputes=count)
