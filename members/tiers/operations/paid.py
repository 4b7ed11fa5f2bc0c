"""Memberships that are bought: plans, payments, renewals, refunds.

The payment is the business of the brand's own shop; here its reference is taken down, and the
tier it gives is held by a pin. A night ends what has run out (`pins`).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef
from django.utils.translation import gettext as _

from core.actors import Actor
from core.clock import local_date
from members.profiles.models import Member
from members.tiers.errors import (
    DuplicatePaymentError,
    InvalidPaymentError,
    InvalidPlanError,
    NoSchemeError,
    PlanCodeTakenError,
    PlanNotFoundError,
    PlanNotOfferedError,
    TermNotFoundError,
    TermOverError,
    TermRefundedError,
    TermRenewedError,
    UnknownTierError,
)
from members.tiers.models import PaidPlan, PaidTerm, Tier, TierPin
from members.tiers.operations.pins import end_pin, renewals_of, settle_members
from members.tiers.operations.single import hold_member
from members.tiers.queries import list_tiers
from members.tiers.rules import add_months
from members.tiers.values import Holding
from tenants.audit.operations import record
from tenants.brands.context import current_brand
from tenants.events.operations import emit

_CODE = re.compile(r"^[a-z0-9][a-z0-9_-]{0,29}$")
_MOST_MINOR = 10**12
_FAR_MONTHS = 60
_PLAN_FIELDS = (
    "name", "tier_code", "price_minor", "period_months", "renews", "grace_days", "is_offered",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Bought:
    """A term, and whether it is new or the answer to a payment that was known."""

    term: PaidTerm
    created: bool


def create_plan(
    *,
    code: str,
    name: Mapping[str, str],
    tier_code: str,
    price_minor: int,
    period_months: int,
    renews: bool = True,
    grace_days: int = 0,
    by: Actor,
    at: datetime,
) -> PaidPlan:
    """Make a plan, in the brand's currency; it is offered at once.

    :raises InvalidPlanError: for a value that can not be, with a pointer to it.
    :raises PlanCodeTakenError: if there is one with this code.
    """
    values: dict[str, Any] = {
        "name": dict(name),
        "tier_code": tier_code,
        "price_minor": price_minor,
        "period_months": period_months,
        "renews": renews,
        "grace_days": grace_days,
    }
    if not _CODE.match(code):
        raise InvalidPlanError(_("Codes are short and differ."), pointer="/code")
    _check_plan(values, at)
    if PaidPlan.objects.filter(code=code).exists():
        raise PlanCodeTakenError(pointer="/code", plan=code)
    with transaction.atomic():
        plan = PaidPlan.objects.create(
            code=code, currency=current_brand().currency, created_at=at, **values
        )
        record(
            by=by, at=at, action="paid_plan.created", target_type="paid_plan", target_id=plan.code
        )
    return plan


def change_plan(*, code: str, by: Actor, at: datetime, **fields: Any) -> PaidPlan:
    """Change a plan for those who pay from now on; terms that run keep what was bought.

    Fields: name, tier_code, price_minor, period_months, renews, grace_days, is_offered.

    :raises PlanNotFoundError: if there is none with this code.
    :raises InvalidPlanError: for an unknown field or a value that can not be.
    """
    unknown = set(fields) - set(_PLAN_FIELDS)
    if unknown:
        raise InvalidPlanError(pointer=f"/{min(unknown)}")
    with transaction.atomic():
        plan = PaidPlan.objects.select_for_update().filter(code=code).first()
        if plan is None:
            raise PlanNotFoundError(plan=code)
        before = {name: getattr(plan, name) for name in _PLAN_FIELDS}
        _check_plan({**before, **fields}, at, is_new_tier=fields.get("tier_code") not in {
            None, plan.tier_code})  # fmt: skip
        changes = {
            name: [before[name], value] for name, value in fields.items() if value != before[name]
        }
        for name, (_old, value) in changes.items():
            setattr(plan, name, value)
        if changes:
            plan.save(update_fields=list(changes))
            record(
                by=by,
                at=at,
                action="paid_plan.changed",
                target_type="paid_plan",
                target_id=plan.code,
                changes=changes,
            )
    return plan


def record_payment(
    *,
    member: Member,
    plan: str,
    reference: str,
    amount_minor: int | None = None,
    currency: str | None = None,
    by: Actor,
    at: datetime,
) -> Bought:
    """Take down a payment for a plan: the first of a membership, or the renewal of one that runs.

    A renewal follows the running term without a gap, also when it is paid in the grace days. The
    tier is given at once. Without an amount the plan's price was paid. The same reference with
    the same content changes nothing. Events: `membership.purchased` or `membership.renewed`,
    `tier.upgraded`.

    :raises PlanNotFoundError, PlanNotOfferedError: if it can not be bought.
    :raises DuplicatePaymentError: if the reference is known with other content.
    :raises InvalidPaymentError: for an amount, currency, reference or member that can not be.
    :raises NoSchemeError, UnknownTierError: if the scheme in force has no such tier.
    """
    found = PaidPlan.objects.filter(code=plan).first()
    if found is None:
        raise PlanNotFoundError(pointer="/plan", plan=plan)
    amount = found.price_minor if amount_minor is None else amount_minor
    _check_payment(found, member, reference, amount, currency)
    on = local_date(at, current_brand().timezone)
    try:
        with transaction.atomic():
            holding = hold_member(member_id=member.pk, at=at)
            known = PaidTerm.objects.filter(reference=reference).select_related("plan").first()
            if known is not None:
                return _replay(known, found, member, amount)
            term = _add_term(found, member, holding, reference, amount, on, by, at)
            _tell(term, "renewed" if term.previous_id else "purchased", at)
            record(
                by=by,
                at=at,
                action="membership.paid",
                target_type="member",
                target_id=member.pk,
                changes={"plan": [None, plan], "reference": [None, reference]},
            )
    except IntegrityError as error:
        # Another member's payment took the reference a moment ago.
        if not PaidTerm.objects.filter(reference=reference).exists():
            raise
        raise DuplicatePaymentError(pointer="/reference", reference=reference) from error
    term.pin.refresh_from_db()
    return Bought(term=term, created=True)


def set_renewal(*, term_id: int, renews: bool, by: Actor, at: datetime) -> PaidTerm:
    """Say whether a payment is expected at the end of a term; without it there are no grace days.

    Event: `membership.renewal_stopped` or `membership.renewal_resumed`.

    :raises TermNotFoundError: if there is no such term.
    :raises TermOverError: if it has ended.
    :raises TermRenewedError: if it is renewed already.
    """
    on = local_date(at, current_brand().timezone)
    with transaction.atomic():
        term = _lock_term(term_id, at)
        if term.pin.ended_at is not None:
            raise TermOverError(term=term.pk)
        if renewals_of(term).exists():
            raise TermRenewedError(term=term.pk)
        if term.renews == renews:
            return term
        term.renews = renews
        term.save(update_fields=["renews"])
        _set_end(term, on)
        settle_members(member_ids=[term.member_id], on=on, at=at)
        _tell(term, "renewal_resumed" if renews else "renewal_stopped", at)
        record(
            by=by,
            at=at,
            action="membership.renewal_set",
            target_type="member",
            target_id=term.member_id,
            changes={"renews": [not renews, renews]},
        )
    return term


def refund_term(
    *,
    term_id: int,
    reference: str,
    amount_minor: int | None = None,
    reason: str = "",
    by: Actor,
    at: datetime,
) -> PaidTerm:
    """End a term at once and take down what was given back; without an amount, all of it.

    The same refund again changes nothing. Event: `membership.refunded`.

    :raises TermNotFoundError: if there is no such term.
    :raises TermRefundedError: if it was refunded otherwise before.
    :raises TermRenewedError: if a renewal follows, which is refunded first.
    :raises TermOverError: if it has run out.
    :raises InvalidPaymentError: for more than was paid, or without a reference.
    """
    on = local_date(at, current_brand().timezone)
    if not 1 <= len(reference.strip()) <= 100:
        raise InvalidPaymentError(_("Give the reference of the refund."), pointer="/reference")
    with transaction.atomic():
        term = _lock_term(term_id, at)
        amount = term.price_minor if amount_minor is None else amount_minor
        if not 0 <= amount <= term.price_minor:
            raise InvalidPaymentError(
                _("No more can be given back than was paid."), pointer="/amount"
            )
        if term.refunded_at is not None:
            if (term.refund_reference, term.refunded_minor) == (reference, amount):
                return term
            raise TermRefundedError(term=term.pk)
        if renewals_of(term).exists():
            raise TermRenewedError(term=term.pk)
        if term.pin.ended_at is not None:
            raise TermOverError(term=term.pk)
        term.refunded_minor, term.refunded_at, term.refund_reference = amount, at, reference
        term.save(update_fields=["refunded_minor", "refunded_at", "refund_reference"])
        end_pin(pin=term.pin, ending=TierPin.Ending.REFUNDED, at=at)
        if term.previous is not None and term.previous.pin.ended_at is None:
            _set_end(term.previous, on)
        settle_members(member_ids=[term.member_id], on=on, at=at, ended=[term.pin])
        _tell(term, "refunded", at)
        record(
            by=by,
            at=at,
            action="membership.refunded",
            target_type="member",
            target_id=term.member_id,
            reason=reason,
            changes={"refunded_minor": [0, amount], "reference": [None, reference]},
        )
    return term


def tell_of_renewals(*, on: date, at: datetime, notice_days: int) -> int:
    """Tell of the payments that come due within some days; each once.

    Event: `membership.renewal_due`, for the shop that takes the money and for the member.
    """
    with transaction.atomic():
        due = list(
            PaidTerm.objects.select_for_update(of=("self",))
            .filter(
                renews=True,
                renewal_told_at__isnull=True,
                pin__ended_at__isnull=True,
                ends_on__lte=on + timedelta(days=notice_days),
            )
            .exclude(Exists(renewals_of(OuterRef("pk"))))
            .select_related("plan", "pin")
            .order_by("pk")
        )
        for term in due:
            _tell(term, "renewal_due", at)
        if due:
            PaidTerm.objects.filter(pk__in=[term.pk for term in due]).update(renewal_told_at=at)
    return len(due)


def _add_term(
    plan: PaidPlan,
    member: Member,
    holding: Holding,
    reference: str,
    amount: int,
    on: date,
    by: Actor,
    at: datetime,
) -> PaidTerm:
    tier = _tier_of(plan, holding)
    running = (
        PaidTerm.objects.filter(member=member, plan=plan, pin__ended_at__isnull=True)
        .exclude(Exists(renewals_of(OuterRef("pk"))))
        .select_related("pin")
        .order_by("-ends_on")
        .first()
    )
    if running is None and not plan.is_offered:
        raise PlanNotOfferedError(plan=plan.code)
    starts_on = on if running is None else running.ends_on
    if starts_on > add_months(on, _FAR_MONTHS):
        raise InvalidPaymentError(_("This is paid for years ahead already."), pointer="/plan")
    ends_on = _end_of(plan, running, starts_on)
    pin = TierPin.objects.create(
        member=member,
        source=TierPin.Source.PAID,
        mode=TierPin.Mode.AT_LEAST,
        tier=tier,
        starts_on=starts_on,
        ends_on=ends_on + timedelta(days=plan.grace_days if plan.renews else 0),
        made_by=by.key,
        made_at=at,
    )
    term = PaidTerm.objects.create(
        member=member,
        plan=plan,
        pin=pin,
        previous=running,
        reference=reference,
        price_minor=amount,
        currency=plan.currency,
        starts_on=starts_on,
        ends_on=ends_on,
        grace_days=plan.grace_days,
        renews=plan.renews,
        paid_at=at,
    )
    over: list[TierPin] = []
    if running is not None and starts_on <= on:
        over = [end_pin(pin=running.pin, ending=TierPin.Ending.RENEWED, at=at)]
    elif running is not None:
        running.pin.ends_on = running.ends_on
        running.pin.save(update_fields=["ends_on"])
    settle_members(member_ids=[member.pk], on=on, at=at, ended=over)
    return term


def _end_of(plan: PaidPlan, running: PaidTerm | None, starts_on: date) -> date:
    """Return the first day after a term; renewals keep to the day of the month of the first."""
    if running is None:
        return add_months(starts_on, plan.period_months)
    first, months = running, plan.period_months
    while first.previous is not None and first.previous.refunded_at is None:
        first = first.previous
    months += (starts_on.year - first.starts_on.year) * 12 + starts_on.month - first.starts_on.month
    return add_months(first.starts_on, months)


def _set_end(term: PaidTerm, on: date) -> None:
    """Write until when the pin of a term holds that is not followed by another."""
    grace = term.grace_days if term.renews else 0
    term.pin.ends_on = max(term.ends_on + timedelta(days=grace), term.pin.starts_on)
    term.pin.save(update_fields=["ends_on"])


def _tier_of(plan: PaidPlan, holding: Holding) -> Tier:
    if holding.scheme is None:
        raise NoSchemeError
    for tier in holding.tiers:
        if tier.code == plan.tier_code:
            return tier
    raise UnknownTierError(tier=plan.tier_code)


def _lock_term(term_id: int, at: datetime) -> PaidTerm:
    found = PaidTerm.objects.filter(pk=term_id).values_list("member_id", flat=True).first()
    if found is None:
        raise TermNotFoundError(term=term_id)
    hold_member(member_id=found, at=at)
    return PaidTerm.objects.select_related("plan", "pin__tier", "previous__pin", "member").get(
        pk=term_id
    )


def _replay(known: PaidTerm, plan: PaidPlan, member: Member, amount: int) -> Bought:
    sent = (plan.pk, member.pk, amount)
    if (known.plan_id, known.member_id, known.price_minor) != sent:
        raise DuplicatePaymentError(pointer="/reference", reference=known.reference)
    return Bought(term=known, created=False)


def _check_payment(
    plan: PaidPlan, member: Member, reference: str, amount: int, currency: str | None
) -> None:
    if not 1 <= len(reference.strip()) <= 100:
        raise InvalidPaymentError(_("Give the reference of the payment."), pointer="/reference")
    if not 0 <= amount <= _MOST_MINOR:
        raise InvalidPaymentError(_("This amount can not be."), pointer="/amount")
    if currency is not None and currency != plan.currency:
        raise InvalidPaymentError(
            _("This plan is paid in %(currency)s.") % {"currency": plan.currency},
            pointer="/amount/currency",
        )
    if member.status == Member.Status.ERASED:
        raise InvalidPaymentError(_("This member is erased."), pointer="/member")


def _check_plan(values: Mapping[str, Any], at: datetime, *, is_new_tier: bool = True) -> None:
    name = values["name"]
    if not name or not all(name.values()):
        raise InvalidPlanError(_("A plan has a name."), pointer="/name")
    if not 0 <= values["price_minor"] <= _MOST_MINOR:
        raise InvalidPlanError(_("This price can not be."), pointer="/price")
    if not 1 <= values["period_months"] <= 120:
        raise InvalidPlanError(_("A period has 1 to 120 months."), pointer="/period_months")
    if not 0 <= values["grace_days"] <= 90:
        raise InvalidPlanError(_("Grace is 0 to 90 days."), pointer="/grace_days")
    if is_new_tier:
        tiers = list_tiers(on=local_date(at, current_brand().timezone))
        if values["tier_code"] not in {tier.code for tier in tiers[1:]}:
            raise InvalidPlanError(
                _("A plan gives a tier of the scheme in force, above the first."),
                pointer="/tier_code",
            )


def _tell(term: PaidTerm, what: str, at: datetime) -> None:
    emit(
        type=f"membership.{what}",
        subject=f"member:{term.member_id}",
        data={
            "member_id": term.member_id,
            "plan": term.plan.code,
            "tier": term.plan.tier_code,
            "term": term.pk,
            "reference": term.reference,
            "starts_on": term.starts_on.isoformat(),
            "ends_on": term.ends_on.isoformat(),
            "price_minor": term.price_minor,
            "refunded_minor": term.refunded_minor,
            "currency": term.currency,
        },
        at=at,
    )
