"""What is agreed with a partner, for which time; and what follows from it for one order."""

from datetime import date, datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from core.actors import Actor
from core.money import MAX_MINOR
from partners.pool.errors import ContractOverlapError, InvalidContractError, PartnerStatusError
from partners.pool.models import Partner, PartnerContract
from tenants.audit.operations import record

_SHARES = ("commission_bp", "late_penalty_bp", "cancel_fee_bp")
_AMOUNTS = ("monthly_fee_minor", "failure_penalty_minor")


def add_contract(
    *,
    partner: Partner,
    valid_from: date,
    valid_to: date | None = None,
    reference: str = "",
    commission_bp: int = 0,
    monthly_fee_minor: int = 0,
    late_penalty_bp: int = 0,
    failure_penalty_minor: int = 0,
    cancel_fee_bp: int = 0,
    cancel_notice_hours: int = 24,
    objection_days: int = 10,
    payment_days: int = 30,
    low_float_minor: int | None = None,
    by: Actor,
    at: datetime,
) -> PartnerContract:
    """Write down what holds with a partner from a day on; the one before ends that day by itself.

    Orders keep the terms in force when they were accepted.

    :raises InvalidContractError: for a value that can not be; `pointer` names it.
    :raises ContractOverlapError: if another contract holds on one of the days; says which.
    :raises PartnerStatusError: if the partner has ended.
    """
    if partner.status == Partner.Status.ENDED:
        raise PartnerStatusError(status=partner.status)
    terms: dict[str, Any] = {
        "commission_bp": commission_bp,
        "monthly_fee_minor": monthly_fee_minor,
        "late_penalty_bp": late_penalty_bp,
        "failure_penalty_minor": failure_penalty_minor,
        "cancel_fee_bp": cancel_fee_bp,
        "cancel_notice_hours": cancel_notice_hours,
        "objection_days": objection_days,
        "payment_days": payment_days,
        "low_float_minor": low_float_minor,
    }
    _check(terms, reference, valid_from, valid_to)
    with transaction.atomic():
        Partner.objects.select_for_update().get(pk=partner.pk)
        # One without an end gives way to what follows it.
        PartnerContract.objects.filter(
            partner=partner, valid_from__lt=valid_from, valid_to__isnull=True
        ).update(valid_to=valid_from)
        try:
            with transaction.atomic():
                made = PartnerContract.objects.create(
                    partner=partner,
                    reference=reference.strip(),
                    valid_from=valid_from,
                    valid_to=valid_to,
                    created_at=at,
                    **terms,
                )
        except IntegrityError:
            other = _overlapping(partner, valid_from, valid_to)
            raise ContractOverlapError(
                pointer="/valid_from",
                valid_from=other.valid_from if other else None,
                next_date=other.valid_to if other else None,
            ) from None
        record(
            by=by,
            at=at,
            action="contract.added",
            target_type="partner",
            target_id=partner.pk,
            changes={
                "valid_from": [None, valid_from.isoformat()],
                **{name: [None, value] for name, value in terms.items()},
            },
        )
    return made


def end_contract(
    *, contract: PartnerContract, valid_to: date, by: Actor, at: datetime
) -> PartnerContract:
    """Let a contract end on a day after its beginning; what was accepted under it keeps it.

    :raises InvalidContractError: if the end lies before the beginning.
    :raises ContractOverlapError: if a later end would run into the next contract.
    """
    with transaction.atomic():
        row = PartnerContract.objects.select_for_update().get(pk=contract.pk)
        if valid_to <= row.valid_from:
            raise InvalidContractError(_("The end lies before the beginning."), pointer="/valid_to")
        before, row.valid_to = row.valid_to, valid_to
        try:
            with transaction.atomic():
                row.save(update_fields=["valid_to"])
        except IntegrityError:
            raise ContractOverlapError(pointer="/valid_to") from None
        record(
            by=by,
            at=at,
            action="contract.ended",
            target_type="partner",
            target_id=row.partner_id,
            changes={"valid_to": [before.isoformat() if before else None, valid_to.isoformat()]},
        )
    return row


def get_contract(*, partner_id: int, on: date) -> PartnerContract | None:
    """Return the contract in force on a day, if there is one."""
    return (
        PartnerContract.objects.filter(
            Q(valid_to__isnull=True) | Q(valid_to__gt=on), partner_id=partner_id, valid_from__lte=on
        )
        .order_by("pk")
        .first()
    )


def list_contracts(*, partner_id: int) -> list[PartnerContract]:
    """Return a partner's contracts, the newest first."""
    return list(PartnerContract.objects.filter(partner_id=partner_id).order_by("-valid_from"))


def share(amount_minor: int, basis_points: int) -> int:
    """Return a share of an amount, rounded half up. Pure; amounts are not negative."""
    return (amount_minor * basis_points + 5_000) // 10_000


def is_late_to_cancel(*, at: datetime, appointment: datetime | None, notice_hours: int) -> bool:
    """Tell whether calling off now is too late; without an appointment it never is. Pure."""
    return appointment is not None and at > appointment - timedelta(hours=notice_hours)


def _overlapping(
    partner: Partner, valid_from: date, valid_to: date | None
) -> PartnerContract | None:
    found = PartnerContract.objects.filter(
        Q(valid_to__isnull=True) | Q(valid_to__gt=valid_from), partner=partner
    )
    if valid_to is not None:
        found = found.filter(valid_from__lt=valid_to)
    return found.order_by("valid_from").first()


def _check(terms: dict[str, Any], reference: str, valid_from: date, valid_to: date | None) -> None:
    for name in _SHARES:
        if not 0 <= terms[name] <= 10_000:
            raise InvalidContractError(_("A share is 0 to 100 %."), pointer=f"/{name}")
    low = terms["low_float_minor"]
    for name, value in [*((name, terms[name]) for name in _AMOUNTS), ("low_float_minor", low or 0)]:
        if not 0 <= value <= MAX_MINOR:
            raise InvalidContractError(_("This amount is out of range."), pointer=f"/{name}")
    for name, limit in (
        ("cancel_notice_hours", 24 * 60),
        ("objection_days", 90),
        ("payment_days", 365),
    ):
        if not 0 <= terms[name] <= limit:
            raise InvalidContractError(_("This time is out of range."), pointer=f"/{name}")
    if len(reference.strip()) > 80:
        raise InvalidContractError(_("The reference is too long."), pointer="/reference")
    if valid_to is not None and valid_to <= valid_from:
        raise InvalidContractError(_("The end lies before the beginning."), pointer="/valid_to")
