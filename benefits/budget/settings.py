"""The brand's rules for its budgets: share of the reserve, its floor, what needs a second person."""

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from benefits.budget.errors import InvalidPolicyError
from benefits.budget.models import BudgetPolicy
from core.actors import Actor
from core.money import MAX_MINOR
from tenants.audit.operations import record

_WHOLE = 10_000
OWN_RAISE_WAITS = timedelta(hours=24)


def get_policy() -> BudgetPolicy:
    """Return the brand's rules, or the defaults where it has set none."""
    return BudgetPolicy.objects.first() or BudgetPolicy()


def limit_for(*, by: Actor, at: datetime) -> int | None:
    """Return what one person may add to plans in a day, or None without a limit.

    Who has raised the limit gains nothing by it for a day: until then their old one counts.
    """
    policy = get_policy()
    limit = policy.approval_limit_minor
    changed_at = policy.limit_changed_at
    if (
        changed_at is not None
        and policy.limit_changed_by == by.key
        and at < changed_at + OWN_RAISE_WAITS
    ):
        return _tighter(limit, policy.limit_before_minor)
    return limit


def _tighter(one: int | None, other: int | None) -> int | None:
    return min((value for value in (one, other) if value is not None), default=None)


def set_policy(
    *,
    reserve_share_bp: int,
    floor_share_bp: int,
    approval_limit_minor: int | None,
    by: Actor,
    at: datetime,
) -> BudgetPolicy:
    """Set the rules for budgets made from now on; the approval limit counts at once.

    :raises InvalidPolicyError: if a share or the limit is out of range, or the floor above the
        reserve.
    """
    if not 0 <= reserve_share_bp <= _WHOLE:
        raise InvalidPolicyError(pointer="/reserve_share")
    if not 0 <= floor_share_bp <= reserve_share_bp:
        raise InvalidPolicyError(pointer="/floor_share")
    if approval_limit_minor is not None and not 0 <= approval_limit_minor <= MAX_MINOR:
        raise InvalidPolicyError(pointer="/approval_limit")
    values: dict[str, Any] = {
        "reserve_share_bp": reserve_share_bp,
        "floor_share_bp": floor_share_bp,
        "approval_limit_minor": approval_limit_minor,
    }
    with transaction.atomic():
        before = BudgetPolicy.objects.select_for_update().first() or BudgetPolicy()
        changed: dict[str, Any] = {}
        if before.approval_limit_minor != approval_limit_minor:
            changed = {
                # What counted for this person till now keeps counting through several changes.
                "limit_before_minor": limit_for(by=by, at=at),
                "limit_changed_by": by.key,
                "limit_changed_at": at,
            }
        policy, _created = BudgetPolicy.objects.update_or_create(
            singleton=True, defaults=values | changed
        )
        record(
            by=by,
            at=at,
            action="budget.policy_changed",
            target_type="budget_policy",
            target_id=policy.pk,
            changes={name: [getattr(before, name), value] for name, value in values.items()},
        )
    return policy
