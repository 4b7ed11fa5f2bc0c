"""Writes about staff and operators."""

from datetime import datetime

from django.db import transaction

from core.actors import Actor
from core.errors import ConflictError
from tenants.accounts.models import StaffMember, User
from tenants.accounts.queries import is_or_was_staff
from tenants.audit.operations import record


class LastOwnerError(ConflictError):
    """The brand would be left without an owner."""

    code = "last_owner"


class OwnRoleError(ConflictError):
    """Nobody may change their own role: four eyes."""

    code = "four_eyes"


class AlreadyStaffError(ConflictError):
    """The address already belongs to a member of staff."""

    code = "already_staff"


def invite_staff(*, email: str, name: str, role: str, by: Actor, at: datetime) -> StaffMember:
    """Give an address a role in the console; it signs in by a code sent to that address.

    :raises AlreadyStaffError: if the address has a staff row, active or not.
    """
    address = email.strip().lower()
    with transaction.atomic():
        user = User.objects.filter(email__iexact=address).first()
        if user is None:
            user = User.objects.create_user(address, name=name)
        elif StaffMember.objects.filter(user=user).exists():
            raise AlreadyStaffError(email=address)
        staff = StaffMember.objects.create(user=user, role=role)
        record(
            by=by,
            at=at,
            action="staff.invited",
            target_type="staff",
            target_id=staff.pk,
            changes={"role": [None, role]},
        )
    return staff


def _locked(staff: StaffMember) -> StaffMember:
    # All owners are locked in key order, so that two owners cannot remove each other at once.
    rows = StaffMember.objects.select_for_update().order_by("pk")
    owners = {row.pk: row for row in rows.filter(role=StaffMember.Role.OWNER, is_active=True)}
    row = owners.get(staff.pk) or rows.get(pk=staff.pk)
    if row.pk in owners and len(owners) == 1:
        raise LastOwnerError
    return row


def change_role(*, staff: StaffMember, role: str, by: Actor, at: datetime) -> StaffMember:
    """Give a member of staff another role.

    :raises OwnRoleError: if it is one's own.
    :raises LastOwnerError: if no owner would be left.
    """
    if by.kind == "staff" and by.id == staff.pk:
        raise OwnRoleError
    with transaction.atomic():
        row = _locked(staff)
        old, row.role = row.role, role
        row.save(update_fields=["role"])
        record(
            by=by,
            at=at,
            action="staff.role_changed",
            target_type="staff",
            target_id=row.pk,
            changes={"role": [old, role]},
        )
    return row


def deactivate(*, staff: StaffMember, by: Actor, at: datetime) -> StaffMember:
    """Take a member of staff out of the console; the row and its history stay.

    :raises OwnRoleError: if it is oneself.
    :raises LastOwnerError: if no owner would be left.
    """
    if by.kind == "staff" and by.id == staff.pk:
        raise OwnRoleError
    with transaction.atomic():
        row = _locked(staff)
        row.is_active = False
        row.save(update_fields=["is_active"])
        record(
            by=by,
            at=at,
            action="staff.deactivated",
            target_type="staff",
            target_id=row.pk,
            changes={"is_active": [True, False]},
        )
    return row


def create_operator(*, email: str, name: str) -> User:
    """Make an operator of the platform; call it inside `platform_context`. Safe to run twice."""
    existing = User.objects.filter(email__iexact=email.strip()).first()
    return existing or User.objects.create_user(email, name=name)


def delete_user(user: User) -> bool:
    """Delete a person's sign-in with its addresses, second factors and keys; say if it is gone.

    That of somebody who is or was staff stays: it belongs to the brand, not to the membership.
    """
    if is_or_was_staff(user):
        return False
    user.delete()
    return True
