"""The console's navigation: what the role may open, in the order of a working day."""

from dataclasses import dataclass, field
from typing import Any

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from console.access import StaffRequest
from tenants.accounts import permissions as p


@dataclass(frozen=True, slots=True)
class NavItem:
    """One line of the navigation."""

    url: str
    icon: str
    label: str | Promise
    active: bool
    section: str | Promise = ""


@dataclass(frozen=True, slots=True)
class Account:
    """The person in the corner."""

    name: str
    role: str | Promise
    menu: list[NavItem] = field(default_factory=list)


_PROGRAMME = _("Programme")
_SERVICE = _("Service")
_MONEY = _("Money")
_SYSTEM = _("Set-up")

# (name of the page, icon, label, permission, section)
_ITEMS = (
    ("overview", "layout-dashboard", _("Overview"), p.OVERVIEW_VIEW, ""),
    ("insights", "chart-line", _("Insights"), p.OVERVIEW_VIEW, ""),
    ("members", "users", _("Members"), p.MEMBERS_VIEW, _PROGRAMME),
    ("purchases", "receipt", _("Purchases"), p.MEMBERS_VIEW, _PROGRAMME),
    ("earning_rules", "coins", _("Earning rules"), p.TIERS_VIEW, _PROGRAMME),
    ("tiers", "stairs-up", _("Tiers"), p.TIERS_VIEW, _PROGRAMME),
    ("segments", "chart-pie", _("Segments"), p.SEGMENTS_VIEW, _PROGRAMME),
    ("benefits", "gift", _("Benefits"), p.BENEFITS_VIEW, _PROGRAMME),
    ("rules", "git-branch", _("Grant rules"), p.BENEFITS_VIEW, _PROGRAMME),
    ("officers", "bulb", _("Experience officers"), p.BENEFITS_VIEW, _PROGRAMME),
    ("mall", "shopping-bag", _("Points mall"), p.MALL_VIEW, _PROGRAMME),
    ("redemptions", "ticket", _("Redemptions"), p.ORDERS_VIEW, _SERVICE),
    ("orders", "truck", _("Fulfilment"), p.ORDERS_VIEW, _SERVICE),
    ("partners", "building-store", _("Partners"), p.PARTNERS_VIEW, _SERVICE),
    ("settlements", "file-invoice", _("Settlement"), p.SETTLEMENTS_VIEW, _MONEY),
    ("budget", "wallet", _("Budget"), p.BUDGET_VIEW, _MONEY),
    ("approvals", "user-check", _("Approvals"), p.BUDGET_VIEW, _MONEY),
    ("wallets", "coins", _("Points and liability"), p.WALLETS_VIEW, _MONEY),
    ("alerts", "bell", _("Alerts"), p.ALERTS_VIEW, _MONEY),
    ("attributes", "forms", _("Member data"), p.MEMBERS_VIEW, _SYSTEM),
    ("imports", "file-import", _("Imports"), p.MEMBERS_EDIT, _SYSTEM),
    ("jobs", "clock", _("Jobs"), p.JOBS_VIEW, _SYSTEM),
    ("staff", "id-badge-2", _("Staff"), p.STAFF_VIEW, _SYSTEM),
    ("integrations", "plug-connected", _("API and webhooks"), p.KEYS_EDIT, _SYSTEM),
    ("audit", "history", _("Audit"), p.AUDIT_VIEW, _SYSTEM),
)


def shell(request: StaffRequest, *, active: str) -> dict[str, Any]:
    """Return what the console's shell needs; `active` names the page's line."""
    staff = request.staff
    return {
        "nav": [
            NavItem(
                url=reverse(f"console:{name}"),
                icon=icon,
                label=label,
                active=name == active,
                section=section,
            )
            for name, icon, label, permission, section in _ITEMS
            if p.has_permission(staff, permission)
        ],
        "account": Account(
            name=staff.user.get_full_name(),
            role=staff.get_role_display(),
            menu=[
                NavItem(reverse("mfa_index"), "shield-lock", _("Sign-in security"), active=False),
                NavItem(reverse("portal:home"), "external-link", _("Member portal"), active=False),
            ],
        ),
        "home_url": reverse("console:overview"),
        "may": {
            permission.replace(".", "_"): p.has_permission(staff, permission)
            for permission in p.ALL_PERMISSIONS
        },
    }
