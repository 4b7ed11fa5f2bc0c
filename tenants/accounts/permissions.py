"""Which role may do what: one table, deny by default.

Every console page and every brand API operation names the permission it needs.
"""

from typing import Final

from core.errors import ForbiddenError
from tenants.accounts.models import StaffMember

OVERVIEW_VIEW: Final = "overview.view"
MEMBERS_VIEW: Final = "members.view"
MEMBERS_EDIT: Final = "members.edit"
MEMBERS_SETUP: Final = "members.setup"
MEMBERS_ERASE: Final = "members.erase"
POINTS_ADJUST: Final = "points.adjust"
POINTS_APPROVE: Final = "points.approve"
WALLETS_VIEW: Final = "wallets.view"
WALLETS_EDIT: Final = "wallets.edit"
SEGMENTS_VIEW: Final = "segments.view"
SEGMENTS_EDIT: Final = "segments.edit"
SEGMENTS_EXPORT: Final = "segments.export"
TIERS_VIEW: Final = "tiers.view"
TIERS_EDIT: Final = "tiers.edit"
BENEFITS_VIEW: Final = "benefits.view"
BENEFITS_EDIT: Final = "benefits.edit"
RULES_PUBLISH: Final = "rules.publish"
MALL_VIEW: Final = "mall.view"
MALL_EDIT: Final = "mall.edit"
ORDERS_VIEW: Final = "orders.view"
ORDERS_EDIT: Final = "orders.edit"
PARTNERS_VIEW: Final = "partners.view"
PARTNERS_EDIT: Final = "partners.edit"
SETTLEMENTS_VIEW: Final = "settlements.view"
SETTLEMENTS_EDIT: Final = "settlements.edit"
SETTLEMENTS_APPROVE: Final = "settlements.approve"
BUDGET_VIEW: Final = "budget.view"
BUDGET_EDIT: Final = "budget.edit"
RESERVE_ASK: Final = "reserve.ask"
RESERVE_APPROVE: Final = "reserve.approve"
ALERTS_VIEW: Final = "alerts.view"
ALERTS_EDIT: Final = "alerts.edit"
JOBS_VIEW: Final = "jobs.view"
JOBS_EDIT: Final = "jobs.edit"
AUDIT_VIEW: Final = "audit.view"
STAFF_VIEW: Final = "staff.view"
STAFF_EDIT: Final = "staff.edit"
KEYS_EDIT: Final = "keys.edit"

ALL_PERMISSIONS: Final[frozenset[str]] = frozenset(
    value
    for name, value in list(globals().items())
    if name.isupper() and isinstance(value, str) and "." in value
)

_VIEWS: Final = frozenset(p for p in ALL_PERMISSIONS if p.endswith(".view")) - {
    AUDIT_VIEW,
    STAFF_VIEW,
}

ROLES: Final[dict[str, frozenset[str]]] = {
    StaffMember.Role.OWNER: ALL_PERMISSIONS,
    StaffMember.Role.MANAGER: _VIEWS
    | {
        MEMBERS_EDIT,
        MEMBERS_SETUP,
        MEMBERS_ERASE,
        POINTS_ADJUST,
        POINTS_APPROVE,
        WALLETS_EDIT,
        SEGMENTS_EDIT,
        SEGMENTS_EXPORT,
        TIERS_EDIT,
        BENEFITS_EDIT,
        RULES_PUBLISH,
        MALL_EDIT,
        ORDERS_EDIT,
        PARTNERS_EDIT,
        SETTLEMENTS_EDIT,
        RESERVE_ASK,
        ALERTS_EDIT,
        JOBS_EDIT,
    },
    StaffMember.Role.ANALYST: _VIEWS | {SEGMENTS_EDIT},
    StaffMember.Role.FINANCE: _VIEWS
    | {
        POINTS_APPROVE,
        SETTLEMENTS_EDIT,
        SETTLEMENTS_APPROVE,
        BUDGET_EDIT,
        RESERVE_ASK,
        RESERVE_APPROVE,
        ALERTS_EDIT,
        AUDIT_VIEW,
    },
    StaffMember.Role.SUPPORT: frozenset(
        {
            OVERVIEW_VIEW,
            MEMBERS_VIEW,
            MEMBERS_EDIT,
            POINTS_ADJUST,
            WALLETS_VIEW,
            BENEFITS_VIEW,
            MALL_VIEW,
            ORDERS_VIEW,
            ORDERS_EDIT,
            PARTNERS_VIEW,
            TIERS_VIEW,
        }
    ),
    StaffMember.Role.ACCOUNT_MANAGER: frozenset(
        {OVERVIEW_VIEW, MEMBERS_VIEW, MEMBERS_EDIT, BENEFITS_VIEW, ORDERS_VIEW, TIERS_VIEW}
    ),
}


class PermissionMissingError(ForbiddenError):
    """The role does not include the permission that this needs."""

    code = "permission_missing"


def has_permission(staff: StaffMember | None, permission: str) -> bool:
    """Tell whether an active member of staff holds a permission."""
    return (
        staff is not None and staff.is_active and permission in ROLES.get(staff.role, frozenset())
    )


def require(staff: StaffMember | None, permission: str) -> None:
    """Pass silently, or refuse.

    :raises PermissionMissingError: if the role lacks the permission.
    """
    if not has_permission(staff, permission):
        raise PermissionMissingError(permission=permission)
