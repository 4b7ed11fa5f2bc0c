"""Giving and taking back single rights: by staff, by an order, by a referral."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from benefits.catalogue.kinds import Right, get_kind
from benefits.catalogue.models import Benefit, Package
from benefits.catalogue.queries import list_package_units, unit_cost
from benefits.catalogue.stages import LIVE
from benefits.grants import _by_hand
from benefits.grants._audit import note
from benefits.grants.errors import InvalidGrantError, KeyReusedError
from benefits.grants.models import Grant, GrantRevocation
from benefits.grants.terms import freeze
from benefits.rules.errors import BenefitNotLiveError
from benefits.rules.models import GrantRule
from core import clock
from core.actors import Actor
from members.profiles.errors import BlockedMemberError
from members.profiles.models import Member
from members.profiles.operations import require_active
from tenants.brands.context import current_brand
from tenants.events.operations import emit

_MAX_QUANTITY = 100_000


def grant(
    *,
    member: Member,
    benefit: Benefit,
    period_key: str,
    by: Actor,
    at: datetime,
    quantity: int = 1,
    rule: GrantRule | None = None,
    package: Package | None = None,
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
    reason: Mapping[str, Any] | None = None,
) -> Grant:
    """Give a member units of a benefit, once per `period_key` (and rule, where one is behind it).

    The same again returns the grant there is. `reason` says why, such as
    `{"code": "granted_by_staff", "note": …}` or `{"code": "bought"}`. Without `ends_at` it does
    not end.

    :raises BlockedMemberError: if the member is blocked or erased.
    :raises BenefitNotLiveError: if the benefit is an idea or retired.
    :raises CostMissingError: if the benefit has no unit cost today.
    :raises KeyReusedError: if the period key was used for another quantity.
    :raises NamesMemberError: if the note of who gives it by hand names the member.
    :raises ConsentNeededError: if, given by hand, it becomes more points than one person may give.
    """
    starts_at = starts_at or at
    if not 1 <= quantity <= _MAX_QUANTITY:
        raise InvalidGrantError("The quantity is out of range.", pointer="/quantity")
    if not period_key or len(period_key) > 60:
        raise InvalidGrantError("A key of 1 to 60 characters is needed.", pointer="/period_key")
    if ends_at is not None and ends_at <= starts_at:
        raise InvalidGrantError("It must end after it starts.", pointer="/ends_at")
    if not member.is_active:
        raise BlockedMemberError
    if benefit.stage not in LIVE:
        raise BenefitNotLiveError(benefit=benefit.code, stage=benefit.stage)
    unit_cost(benefit=benefit, on=clock.local_date(at, current_brand().timezone))
    why = _by_hand.reason_of(reason, member_id=member.pk, by=by)
    with transaction.atomic():
        # As the member is now, and until it is done.
        require_active(member_id=member.pk)
        terms = freeze(benefits=[benefit], at=at)[benefit.pk]
        row, made = Grant.objects.get_or_create(
            member=member,
            benefit=benefit,
            rule=rule,
            period_key=period_key,
            defaults={
                "rule_version": rule.version if rule is not None else None,
                "package": package,
                "terms": terms,
                "quantity": quantity,
                "issued_at": at,
                "starts_at": starts_at,
                "ends_at": ends_at,
                "reason": why,
            },
        )
        if not made:
            if row.quantity != quantity:
                raise KeyReusedError(period_key=period_key)
            return row
        _by_hand.check_points(row, by=by, at=at)
        get_kind(benefit.kind).grant(
            Right(
                grant_id=row.pk,
                member_id=member.pk,
                quantity=quantity,
                parameters=terms.content["parameters"],
                at=at,
            )
        )
        emit(
            type="grant.issued",
            subject=f"member:{member.pk}",
            data={
                "rule": rule.code if rule is not None else None,
                "benefit": benefit.code,
                "period": period_key,
                "member_id": member.pk,
                "count": 1,
                "first_grant": row.pk,
                "last_grant": row.pk,
            },
            at=at,
        )
        note(
            "grant.issued",
            target=("grant", row.pk),
            by=by,
            at=at,
            changes={"benefit": [None, benefit.code], "quantity": [None, quantity]},
        )
    return row


def grant_package(
    *,
    member: Member,
    package: Package,
    period_key: str,
    by: Actor,
    at: datetime,
    quantity: int = 1,
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
    reason: Mapping[str, Any] | None = None,
) -> list[Grant]:
    """Give a member all benefits of a package, all or none; see `grant`."""
    with transaction.atomic():
        return [
            grant(
                member=member,
                benefit=benefit,
                period_key=period_key,
                by=by,
                at=at,
                quantity=units * quantity,
                package=package,
                starts_at=starts_at,
                ends_at=ends_at,
                reason=reason,
            )
            for benefit, units in list_package_units(package=package)
        ]


def revoke(*, grant: Grant, reason: str, by: Actor, at: datetime, cause: str = "staff") -> Grant:
    """Take back what is left of a right; what was used stays used. Once; again changes nothing.

    `cause` is one of `GrantRevocation.Cause`; `reason`, in words, is kept in the audit.
    """
    with transaction.atomic():
        changed = Grant.objects.filter(pk=grant.pk, revoked_at__isnull=True).update(revoked_at=at)
        grant.refresh_from_db(fields=["revoked_at", "used"])
        if changed:
            GrantRevocation.objects.create(
                grant=grant,
                cause=cause,
                units_left=grant.quantity - grant.used,
                actor=by.key,
                at=at,
            )
            emit(
                type="grant.revoked",
                subject=f"member:{grant.member_id}",
                data={
                    "grant": grant.pk,
                    "benefit_id": grant.benefit_id,
                    "cause": cause,
                    "member_id": grant.member_id,
                    "count": 1,
                    "units_left": grant.quantity - grant.used,
                },
                at=at,
            )
            note("grant.revoked", target=("grant", grant.pk), by=by, at=at, reason=reason)
    return grant
