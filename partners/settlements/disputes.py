"""Objections to lines: opened by the partner, talked over, answered by staff."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from core.actors import Actor
from core.clock import local_date
from core.ids import derived_uuid
from core.money import MAX_MINOR
from partners.settlements._moves import (
    add_correction,
    check_version,
    lock,
    lock_own,
    move,
    take_up,
    write,
)
from partners.settlements.errors import (
    DisputeDecidedError,
    DisputeNotFoundError,
    InvalidSettlementError,
    LineNotFoundError,
    ObjectionOverError,
    StatementStateError,
)
from partners.settlements.models import DisputeMessage, LineDispute, Statement, StatementLine
from tenants.brands.context import current_brand

_State = Statement.State
TEXT_LENGTH = 2_000


def dispute_line(
    *,
    statement: Statement,
    line_id: int,
    partner_id: int,
    text: str,
    expected_minor: int | None = None,
    if_version: int | None = None,
    by: Actor,
    at: datetime,
) -> LineDispute:
    """Object to a line, saying why and what would be right; once more adds to the same dispute.

    :raises StatementNotFoundError: if the statement is not this partner's, or is not sent yet.
    :raises LineNotFoundError: if it has no such line.
    :raises StatementStateError: if the partner has agreed, or it is approved.
    :raises ObjectionOverError: after the last day for objections.
    :raises DisputeDecidedError: if this line's dispute has been decided.
    :raises InvalidSettlementError: without a text, or for an amount out of range.
    """
    text = _text(text)
    if expected_minor is not None and abs(expected_minor) > MAX_MINOR:
        raise InvalidSettlementError(_("This amount is out of range."), pointer="/expected")
    with transaction.atomic():
        row = lock_own(statement, partner_id)
        line = StatementLine.objects.filter(statement=row, pk=line_id).first()
        if line is None:
            raise LineNotFoundError
        check_version(row, if_version)
        if row.agreed_at is not None or row.state not in (_State.SENT, _State.DISPUTED):
            raise StatementStateError(state=row.state, statement=row.number)
        today = local_date(at, current_brand().timezone)
        if row.objection_until_on is not None and today > row.objection_until_on:
            raise ObjectionOverError(until=row.objection_until_on)
        found, created = LineDispute.objects.get_or_create(
            line=line,
            defaults={"statement": row, "expected_minor": expected_minor, "opened_at": at},
        )
        if found.state != LineDispute.State.OPEN:
            raise DisputeDecidedError(state=found.state)
        if not created and expected_minor is not None:
            found.expected_minor = expected_minor
            found.save(update_fields=["expected_minor"])
        _say(found, text, by=by, at=at)
        if row.state == _State.SENT:
            move(row, _State.DISPUTED, by=by, at=at)
        else:
            write(row, "line_disputed", by=by, at=at)
    return found


def withdraw(
    *, statement: Statement, line_id: int, partner_id: int, text: str = "", by: Actor, at: datetime
) -> LineDispute:
    """Take an objection back; once more changes nothing.

    :raises DisputeNotFoundError: if the line was not disputed.
    :raises DisputeDecidedError: if it was answered.
    """
    with transaction.atomic():
        row = lock_own(statement, partner_id)
        found = _lock(row, line_id)
        if found.state == LineDispute.State.WITHDRAWN:
            return found
        if found.state != LineDispute.State.OPEN:
            raise DisputeDecidedError(state=found.state)
        if text.strip():
            _say(found, _text(text), by=by, at=at)
        _decide(found, LineDispute.State.WITHDRAWN, by=by, at=at)
        write(row, "dispute_withdrawn", by=by, at=at)
    return found


def write_message(
    *, statement: Statement, line_id: int, text: str, by: Actor, at: datetime
) -> DisputeMessage:
    """Add to the thread of an open dispute without deciding it (staff).

    :raises DisputeNotFoundError, DisputeDecidedError: as `withdraw`.
    :raises InvalidSettlementError: without a text.
    """
    text = _text(text)
    with transaction.atomic():
        row = lock(statement)
        found = _lock(row, line_id)
        if found.state != LineDispute.State.OPEN:
            raise DisputeDecidedError(state=found.state)
        message = _say(found, text, by=by, at=at)
        write(row, "dispute_answered", by=by, at=at)
    return message


def decide(
    *,
    statement: Statement,
    line_id: int,
    granted_minor: int | None,
    text: str,
    by: Actor,
    at: datetime,
) -> LineDispute:
    """Answer a dispute for good: grant an amount for the line, or reject it with None.

    The difference to the line becomes a correction on the same statement, which is not approved
    yet.

    :raises DisputeNotFoundError, DisputeDecidedError: as `withdraw`.
    :raises InvalidSettlementError: without a text, or for an amount that changes nothing.
    """
    text = _text(text)
    with transaction.atomic():
        row = lock(statement)
        found = _lock(row, line_id)
        if found.state != LineDispute.State.OPEN:
            raise DisputeDecidedError(state=found.state)
        if row.state != _State.DISPUTED:
            raise StatementStateError(state=row.state, statement=row.number)
        _say(found, text, by=by, at=at)
        if granted_minor is None:
            _decide(found, LineDispute.State.REJECTED, by=by, at=at)
            write(row, "dispute_rejected", by=by, at=at)
            return found
        difference = granted_minor - found.line.amount_minor
        if difference == 0 or abs(granted_minor) > MAX_MINOR:
            raise InvalidSettlementError(
                _("Grant another amount than the line has, or reject the objection."),
                pointer="/granted",
            )
        correction = add_correction(
            partner_id=row.partner_id,
            amount_minor=difference,
            reason=text[:200],
            key=derived_uuid("dispute-upheld", found.pk),
            line=found.line,
            by=by,
            at=at,
        )
        take_up(row, correction)
        found.granted_minor = granted_minor
        _decide(found, LineDispute.State.UPHELD, by=by, at=at)
        write(row, "dispute_upheld", by=by, at=at)
    return found


def _lock(row: Statement, line_id: int) -> LineDispute:
    found = (
        LineDispute.objects.select_for_update(of=("self",))
        .select_related("line")
        .filter(statement=row, line_id=line_id)
        .first()
    )
    if found is None:
        raise DisputeNotFoundError
    return found


def _decide(found: LineDispute, state: str, *, by: Actor, at: datetime) -> None:
    found.state = state
    found.decided_at, found.decided_by, found.decided_by_label = at, by.key, by.label[:120]
    found.save(
        update_fields=["state", "granted_minor", "decided_at", "decided_by", "decided_by_label"]
    )


def _say(found: LineDispute, text: str, *, by: Actor, at: datetime) -> DisputeMessage:
    return DisputeMessage.objects.create(
        dispute_id=found.pk,
        by_kind=by.kind,
        by_key=by.key,
        by_label=by.label[:120],
        text=text,
        at=at,
    )


def _text(text: str) -> str:
    text = text.strip()
    if not 1 <= len(text) <= TEXT_LENGTH:
        raise InvalidSettlementError(_("Say why, in at most 2,000 characters."), pointer="/text")
    return text
