"""Statements on their way from draft to paid, one lock each; every step is audited and told.

The statement's row is locked first, then its disputes, then what was paid ahead.
"""

from datetime import date, datetime, timedelta
from uuid import UUID

from django.db import connection, transaction
from django.utils.translation import gettext as _

from benefits.budget import operations as budget
from benefits.budget.models import BudgetLine
from core.actors import Actor
from core.clock import local_date
from core.ids import derived_uuid
from partners.pool.models import Partner
from partners.settlements import prepaid
from partners.settlements._moves import (
    add_correction,
    check_version,
    lock,
    lock_own,
    move,
    refuse_open_disputes,
    require,
    write,
)
from partners.settlements.errors import (
    InvalidSettlementError,
    ObjectionOpenError,
    StatementFourEyesError,
)
from partners.settlements.generation import check_over
from partners.settlements.models import Correction, Statement, StatementLine
from tenants.audit.operations import record, verify_identity
from tenants.brands.context import current_brand
from tenants.jobs.models import Job
from tenants.jobs.operations import enqueue

JOB = "settlements.month"
_State = Statement.State
_OPEN_TO_PARTNER = (_State.SENT, _State.DISPUTED)
_REASON_LENGTH = 200


def request_statements(*, month: date, by: Actor, at: datetime) -> Job:
    """Start the job that drafts a month's missing statements; it shows its progress.

    :raises OpenMonthError: if the month is not over.
    """
    found = check_over(month=month, at=at)
    with transaction.atomic():
        record(
            by=by,
            at=at,
            action="settlement.started",
            target_type="settlement",
            target_id=f"{found.first:%Y-%m}",
        )
        return enqueue(
            kind=JOB,
            dedupe_key=f"{found.first:%Y-%m} {by.key} {at.isoformat()}",
            parameters={"month": found.first.isoformat()},
            by=by,
            at=at,
        )


def send(*, statement: Statement, by: Actor, at: datetime) -> Statement:
    """Show a draft to its partner, who may dispute it for the days agreed; again changes nothing.

    :raises StatementStateError: once it is past that.
    """
    with transaction.atomic():
        row = lock(statement)
        if row.state in _OPEN_TO_PARTNER:
            return row
        require(row, _State.DRAFT)
        today = local_date(at, current_brand().timezone)
        move(
            row,
            _State.SENT,
            by=by,
            at=at,
            sent_at=at,
            sent_by=by.key,
            sent_by_label=by.label[:120],
            objection_until_on=today + timedelta(days=row.objection_days),
        )
    return row


def send_all(*, month: date, by: Actor, at: datetime) -> int:
    """Send every draft of a month; the number sent."""
    drafts = Statement.objects.filter(month=month, state=_State.DRAFT).order_by("pk")
    with transaction.atomic():
        return sum(send(statement=row, by=by, at=at).state == _State.SENT for row in drafts)


def agree(
    *,
    statement: Statement,
    partner_id: int,
    if_version: int | None = None,
    by: Actor,
    at: datetime,
) -> Statement:
    """Let the partner agree to a statement sent; the brand still approves it with four eyes.

    :raises StatementNotFoundError: if it is not this partner's, or is not sent yet.
    :raises DisputeOpenError: while a disputed line waits for its answer.
    :raises StatementVersionError: if it is not in version `if_version`.
    """
    with transaction.atomic():
        row = lock_own(statement, partner_id)
        if row.agreed_at is not None:
            return row
        check_version(row, if_version)
        require(row, *_OPEN_TO_PARTNER)
        refuse_open_disputes(row)
        write(row, "agreed", by=by, at=at, agreed_at=at)
    return row


def approve(*, statement: Statement, by: Actor, at: datetime) -> Statement:
    """Approve a statement for payment: by somebody else than its sender, once the partner has
    agreed or its time for objections is over.

    What was paid ahead to the partner is drawn first. Fees and corrections for orders are booked
    on the budget lines of those orders; prices were spent when the orders were fulfilled, and are
    not booked again.

    :raises StatementFourEyesError: if the sender approves.
    :raises StatementStateError: unless it is sent.
    :raises DisputeOpenError: while a disputed line waits for its answer.
    :raises ObjectionOpenError: while the partner may still object; says until when.
    """
    with transaction.atomic():
        verify_identity()
        row = lock(statement)
        if row.state in (_State.APPROVED, _State.PAID):
            return row
        require(row, *_OPEN_TO_PARTNER)
        if by.kind != "staff" or by.key == row.sent_by:
            raise StatementFourEyesError
        refuse_open_disputes(row)
        today = local_date(at, current_brand().timezone)
        if row.agreed_at is None and row.objection_until_on and today <= row.objection_until_on:
            raise ObjectionOpenError(next_date=row.objection_until_on + timedelta(days=1))
        move(
            row,
            _State.APPROVED,
            by=by,
            at=at,
            approved_at=at,
            approved_by=by.key,
            approved_by_label=by.label[:120],
            due_on=today + timedelta(days=row.payment_days),
            prepaid_minor=prepaid.draw(statement=row, by=by, at=at),
            extra_booked_minor=_book(row, by=by, at=at),
        )
    return row


def mark_paid(
    *, statement: Statement, reference: str, paid_on: date, by: Actor, at: datetime
) -> Statement:
    """Note that an approved statement was paid, and with which reference; for good.

    :raises InvalidSettlementError: without a reference, or for a day ahead or before approval.
    :raises StatementStateError: unless it is approved.
    """
    reference = reference.strip()
    if not 1 <= len(reference) <= 80:
        raise InvalidSettlementError(
            _("Give the reference of the payment, at most 80 characters."), pointer="/reference"
        )
    zone = current_brand().timezone
    with transaction.atomic():
        row = lock(statement)
        if row.state == _State.PAID and row.paid_reference == reference:
            return row
        require(row, _State.APPROVED)
        approved_on = local_date(row.approved_at or at, zone)
        if not approved_on <= paid_on <= local_date(at, zone):
            raise InvalidSettlementError(
                _("The payment lies between the approval and today."), pointer="/paid_on"
            )
        move(row, _State.PAID, by=by, at=at, paid_on=paid_on, paid_reference=reference)
    return row


def correct(
    *,
    partner: Partner,
    amount_minor: int,
    reason: str,
    key: UUID,
    line: StatementLine | None = None,
    by: Actor,
    at: datetime,
) -> Correction:
    """Add an amount to a partner's account (below zero: take it off), with its reason.

    It goes to the partner's next statement, never to one that exists. The same key again changes
    nothing.

    :raises InvalidSettlementError: without a reason, or for an amount of zero or out of range.
    """
    with transaction.atomic():
        return add_correction(
            partner_id=partner.pk,
            amount_minor=amount_minor,
            reason=reason,
            key=key,
            line=line,
            by=by,
            at=at,
        )


_EXTRA = """
SELECT r.budget_line_id, sum(l.amount_minor)
  FROM partners_statementline l
  JOIN partners_fulfilmentorder o ON o.id = l.order_id
  JOIN benefits_redemption r ON r.id = o.redemption_id
 WHERE l.statement_id = %s AND l.kind <> 'service' AND r.budget_line_id IS NOT NULL
 GROUP BY r.budget_line_id HAVING sum(l.amount_minor) > 0
 ORDER BY r.budget_line_id
"""


def _book(row: Statement, *, by: Actor, at: datetime) -> int:
    """Book what the statement costs beyond the prices already spent, per budget line; the sum.

    Only what is due on top: a credit lowers the payment and leaves the budget's history alone.
    """
    with connection.cursor() as cursor:
        cursor.execute(_EXTRA, [row.pk])
        found = [(line_id, int(amount)) for line_id, amount in cursor.fetchall()]
    lines = BudgetLine.objects.in_bulk([line_id for line_id, _amount in found])
    for line_id, amount in found:
        budget.spend(
            line=lines[line_id],
            amount_minor=amount,
            key=derived_uuid("statement-extra", row.pk, line_id),
            source=("statement", row.pk),
            by=by,
            at=at,
        )
    return sum(amount for _line, amount in found)
