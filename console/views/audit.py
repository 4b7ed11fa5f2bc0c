"""Audit: who did what, from what to what; and whether the chain still holds."""

import json
from collections.abc import Sequence
from typing import Any

from django.http import HttpResponse
from django.utils.translation import gettext as _

from console.access import StaffRequest, staff_page
from console.nav import shell
from core.web.responses import render_page
from tenants.accounts import permissions as p
from tenants.accounts.queries import list_staff
from tenants.audit.models import AuditEntry
from tenants.audit.operations import ChainReport, verify_chain
from tenants.audit.queries import last_seal, list_entries

PAGE = 40


@staff_page(p.AUDIT_VIEW)
def index(request: StaffRequest) -> HttpResponse:
    """List what was done, newest first, by actor, kind of thing and action."""
    staff = {f"staff:{row.pk}": row.user.get_full_name() for row in list_staff()}
    kinds = _kinds()
    actors = {
        **kinds,
        **{key: f"{kinds['staff']} · {name}" for key, name in staff.items()},
    }
    targets = _targets()
    actor = request.GET.get("actor", "")
    target = request.GET.get("target", "")
    action = request.GET.get("q", "").strip()
    after = request.GET.get("after", "")
    found = list_entries(
        actor=actor if actor in actors else None,
        target_type=target if target in targets else None,
        target_id=request.GET.get("id") or None,
        action=action or None,
        before=int(after) if after.isdigit() else None,
        limit=PAGE + 1,
    )
    context = {
        **shell(request, active="audit"),
        "page_title": _("Audit"),
        "q": action,
        "selects": [
            {
                "name": "actor",
                "label": _("Everybody"),
                "choices": list(actors.items()),
                "value": actor,
            },
            {
                "name": "target",
                "label": _("All things"),
                "choices": sorted(targets.items(), key=lambda pair: pair[1]),
                "value": target,
            },
        ],
        "rows": _rows(found[:PAGE], staff=staff, kinds=kinds, targets=targets),
        "seal": last_seal(),
        "next": str(found[PAGE - 1].pk) if len(found) > PAGE else "",
    }
    return render_page(request, "console/audit.html", context, partial="rows")


@staff_page(p.AUDIT_VIEW, methods=("POST",))
def verify(request: StaffRequest) -> HttpResponse:
    """Recompute the whole chain and show what was found."""
    report: ChainReport = verify_chain()
    context = {
        **shell(request, active="audit"),
        "page_title": _("Audit"),
        "report": report,
        "seal": last_seal(),
    }
    return render_page(request, "console/audit_chain.html", context, partial="chain")


def _rows(
    entries: Sequence[AuditEntry],
    *,
    staff: dict[str, str],
    kinds: dict[str, str],
    targets: dict[str, str],
) -> list[dict[str, Any]]:
    return [
        {
            "entry": entry,
            "by": staff.get(f"{entry.actor_kind}:{entry.actor_id}")
            or entry.actor_label
            or kinds.get(entry.actor_kind, entry.actor_kind),
            "kind": kinds.get(entry.actor_kind, entry.actor_kind),
            "target": targets.get(entry.target_type, entry.target_type),
            "changes": changes_of(entry),
        }
        for entry in entries
    ]


def changes_of(entry: AuditEntry) -> list[dict[str, str]]:
    """Return what an entry changed, from what to what; what was and stays nothing is left out."""
    pairs = [
        (field, change if isinstance(change, list) and len(change) == 2 else [None, change])
        for field, change in entry.changes.items()
    ]
    return [
        {"field": field, "old": _shown(old), "new": _shown(new)}
        for field, (old, new) in pairs
        if (old, new) != (None, None)
    ]


def _shown(value: Any) -> str:
    if value in (None, "", [], {}):
        return "–"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _kinds() -> dict[str, str]:
    return {
        "staff": _("Staff"),
        "api": _("The brand's system"),
        "partner": _("Partner"),
        "member": _("Member"),
        "operator": _("Operator"),
        "system": _("Automatic"),
    }


def _targets() -> dict[str, str]:
    return {
        "alert": _("Alert"),
        "api_key": _("API key"),
        "benefit": _("Benefit"),
        "brand": _("Brand"),
        "budget": _("Budget"),
        "budget_line": _("Budget line"),
        "code_pool": _("Code pool"),
        "dispatch_policy": _("Dispatch weights"),
        "earning_rule": _("Earning rule"),
        "fulfilment_order": _("Fulfilment order"),
        "grant": _("Grant"),
        "import": _("Import"),
        "mall_item": _("Mall item"),
        "mall_order": _("Mall order"),
        "member": _("Member"),
        "offering": _("Offering"),
        "package": _("Package"),
        "partner": _("Partner"),
        "points_account": _("Points account"),
        "purchase": _("Purchase"),
        "redemption": _("Redemption"),
        "reserve_draw": _("Reserve draw"),
        "rule": _("Grant rule"),
        "segment": _("Segment"),
        "staff": _("Staff"),
        "store": _("Store"),
        "tier_scheme": _("Tier scheme"),
        "value_table": _("Value segments"),
        "wallet": _("Wallet"),
        "webhook_endpoint": _("Webhook endpoint"),
    }
