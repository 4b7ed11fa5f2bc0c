"""Reads about staff and the person behind a request."""

from typing import Any

from django.http import HttpRequest

from core.actors import Actor
from tenants.accounts.models import StaffMember, User
from tenants.brands.context import PUBLIC, current_schema


def get_staff(user: Any) -> StaffMember | None:
    """Return the active staff row of a signed-in user, or None. Read once per user object."""
    if not getattr(user, "is_authenticated", False) or current_schema() == PUBLIC:
        return None
    if not hasattr(user, "_tessera_staff"):
        user._tessera_staff = (  # noqa: SLF001  (cached on the request's own user object)
            StaffMember.objects.select_related("user")
            .filter(user_id=user.pk, is_active=True)
            .first()
        )
    staff: StaffMember | None = user._tessera_staff  # noqa: SLF001
    return staff


def is_or_was_staff(user: User) -> bool:
    """Say whether somebody works or worked in the console, so that their sign-in is the brand's."""
    return StaffMember.objects.filter(user=user).exists()


def list_staff() -> list[StaffMember]:
    """Return all staff of the brand, active first, by role and address."""
    return list(
        StaffMember.objects.select_related("user").order_by("-is_active", "role", "user__email")
    )


def actor_of(request: HttpRequest) -> Actor:
    """Return who makes a web request: staff, or the user's member, or nobody known.

    Pages of the portal replace it with the member's own actor.
    """
    address = request.META.get("REMOTE_ADDR", "")
    staff = get_staff(request.user)
    if staff is not None:
        return Actor(kind="staff", id=staff.pk, label=staff.user.get_full_name(), address=address)
    if getattr(request, "tenant", None) is None and request.user.is_authenticated:
        return Actor(
            kind="operator", id=request.user.pk, label=request.user.get_username(), address=address
        )
    return Actor(kind="member", id=None, address=address)
