"""One member: who they are, where they stand, and all that happened, each with its why."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.urls import reverse
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from benefits.grants.queries import list_grants, list_redemptions
from console.access import StaffRequest, staff_page
from console.labels import tier_names
from console.member_facts import attribute_rows, consent_rows
from console.member_usable import usable_rows
from console.member_why import entry_rows, grant_reasons, staff_names
from console.nav import shell
from console.people import actor_names
from console.views.audit import changes_of
from core import clock
from core.errors import InvalidError
from core.web.responses import hx_redirect, render_page
from members.activity.queries import get_activity, list_lines_of, list_purchases, list_refunds_of
from members.earning.queries import list_earnings
from members.points.queries import (
    get_balance,
    list_entries,
    list_lot_histories,
    list_wallets,
)
from members.profiles.models import Member
from members.profiles.queries import get_member
from members.segments.queries import get_score
from members.tiers.models import TierScheme
from members.tiers.paid import list_terms
from members.tiers.queries import get_standing, list_changes, list_pins, list_schemes
from tenants.accounts import permissions as p
from tenants.accounts.permissions import has_permission
from tenants.audit.queries import list_entries as list_audit
from tenants.brands.context import current_brand

PAGE = 30
LOTS = 20

Context = dict[str, Any]


@staff_page(p.MEMBERS_VIEW)
def show(request: StaffRequest, number: str) -> HttpResponse:
    """Show a member; htmx asks for the head or for one tab, which alone is then read."""
    member = get_member(number=number)
    if member.named_as != member.pk:  # was merged into this one
        messages.info(request, _("%(number)s was merged into this member.") % {"number": number})
        return hx_redirect(request, reverse("console:member", args=[member.number]))
    target = getattr(request, "htmx", None) and request.htmx.target  # type: ignore[attr-defined]
    context: Context = {
        **shell(request, active="members"),
        "member": member,
        "personal": getattr(member, "personal", None),
        "page_title": _display_name(member),
        "page_pretitle": member.number,
    }
    if target != "body":
        context |= _head(member)
    if target != "head":
        context |= _body(request, member)
    partials = {"head": "head", "body": "body"}
    return render_page(request, "console/member.html", context, partial=partials)


def _display_name(member: Member) -> str:
    personal = getattr(member, "personal", None)
    return (personal.name if personal is not None else "") or str(member.number)


def _head(member: Member) -> Context:
    at = clock.now()
    standing = get_standing(member_id=member.pk, at=at)
    return {
        "standing": standing,
        "is_money": standing is not None and standing.metric == TierScheme.Metric.SPEND,
        "metric_name": TierScheme.Metric(standing.metric).label if standing else "",
        "balance": get_balance(owner_id=member.pk, at=at),
        "score": get_score(member_id=member.pk),
    }


def _body(request: StaffRequest, member: Member) -> Context:
    labels: dict[str, Any] = {
        "overview": _("Overview"),
        "points": _("Points"),
        "lots": _("Lots"),
        "purchases": _("Purchases"),
        "usable": _("Can be used"),
        "grants": _("Benefits"),
        "redemptions": _("Redemptions"),
        "tiers": _("Tier history"),
        "data": _("Consents and data"),
    }
    if has_permission(request.staff, p.AUDIT_VIEW):
        labels["audit"] = _("Audit")
    tab = request.GET.get("tab", "")
    tab = tab if tab in labels else "overview"
    return {
        "tab": tab,
        "tabs": [
            {"url": f"?tab={code}", "label": label, "active": code == tab}
            for code, label in labels.items()
        ],
        **_READERS[tab](request, member),
    }


def _overview(_request: StaffRequest, member: Member) -> Context:
    at = clock.now()
    today = clock.today(current_brand().timezone)
    return {
        "attributes": attribute_rows(member),
        "growth": get_balance(owner_id=member.pk, wallet="growth", at=at),
        "activity": get_activity(member_id=member.pk, on=today),
        "languages": member.locale,
    }


def _points(request: StaffRequest, member: Member) -> Context:
    chosen = _chosen(request)
    after = request.GET.get("after", "")
    found = list_entries(
        owner_id=member.pk,
        wallet=chosen["wallet"],
        before_seq=int(after) if after.isdigit() else None,
        limit=PAGE + 1,
    )
    return {
        **chosen,
        "rows": entry_rows(found[:PAGE], wallet=chosen["wallet"]),
        "next": str(found[PAGE - 1].seq) if len(found) > PAGE else "",
    }


def _chosen(request: StaffRequest) -> Context:
    """Return the wallets and which of them is asked for."""
    wallets, asked = list_wallets(), request.GET.get("wallet", "")
    return {
        "wallets": wallets,
        "wallet": asked if any(row.code == asked for row in wallets) else "points",
    }


def _lots(request: StaffRequest, member: Member) -> Context:
    chosen = _chosen(request)
    after = request.GET.get("after", "")
    found = list_lot_histories(
        owner_id=member.pk,
        wallet=chosen["wallet"],
        before_seq=int(after) if after.isdigit() else None,
        limit=LOTS + 1,
    )
    shown = [
        history for history in found if len(found) <= LOTS or history.lot.seq != found[-1].lot.seq
    ]
    origins = {
        row["entry"].seq: row
        for row in entry_rows(
            [history.origin for history in shown if history.origin], wallet=chosen["wallet"]
        )
    }
    return {
        **chosen,
        "rows": [{"history": history, "origin": origins.get(history.lot.seq)} for history in shown],
        "next": str(shown[-1].lot.seq) if len(shown) < len(found) else "",
    }


def _purchases(request: StaffRequest, member: Member) -> Context:
    found = list_purchases(
        member_id=member.pk, after=_purchase_cursor(request.GET.get("after", "")), limit=PAGE + 1
    )
    shown = found[:PAGE]
    keys = [purchase.pk for purchase in shown]
    lines, refunds = list_lines_of(purchase_ids=keys), list_refunds_of(purchase_ids=keys)
    earned: dict[int, dict[str, int]] = {}
    for earning in list_earnings(purchase_ids=keys):
        given = earned.setdefault(earning.purchase_id, {"points": 0, "growth": 0})
        given[earning.wallet] += earning.amount - earning.reversed
    last = shown[-1] if len(found) > PAGE else None
    return {
        "rows": [
            {
                "purchase": purchase,
                "lines": [line for line in lines if line.purchase_id == purchase.pk],
                "refunds": [refund for refund in refunds if refund.purchase_id == purchase.pk],
                "earned": earned.get(purchase.pk),
            }
            for purchase in shown
        ],
        "next": f"{last.occurred_at.isoformat()}_{last.pk}" if last else "",
    }


def _purchase_cursor(text: str) -> tuple[datetime, int] | None:
    moment, _separator, key = text.rpartition("_")
    try:
        at = parse_datetime(moment)
    except ValueError:
        at = None
    if not text:
        return None
    if at is None or not key.isdigit():
        raise InvalidError(_("This page does not exist."))
    return at, int(key)


def _usable(_request: StaffRequest, member: Member) -> Context:
    return {"rows": usable_rows(member)}


def _grants(_request: StaffRequest, member: Member) -> Context:
    at = clock.now()
    names = tier_names(on=clock.today(current_brand().timezone))
    return {
        "rows": [
            {
                "grant": grant,
                "state": _grant_state(grant, at),
                "left": grant.quantity - grant.used,
                "last_at": grant.ends_at and grant.ends_at - timedelta(microseconds=1),
                "reasons": grant_reasons(grant, tiers=names),
            }
            for grant in list_grants(member=member)
        ]
    }


def _grant_state(grant: Any, at: datetime) -> tuple[str, str, str]:
    """Return state, label and tone: they derive from the grant's facts."""
    if grant.revoked_at is not None:
        return "revoked", _("Taken back"), "bad"
    if grant.ends_at is not None and grant.ends_at <= at:
        return "expired", _("Ended"), "muted"
    if grant.used >= grant.quantity:
        return "used", _("Used up"), "muted"
    if grant.starts_at > at:
        return "upcoming", _("From later on"), "info"
    return "active", _("Active"), "ok"


def _redemptions(request: StaffRequest, member: Member) -> Context:
    after = request.GET.get("after", "")
    found = list_redemptions(
        member=member, after=int(after) if after.isdigit() else None, limit=PAGE + 1
    )
    names = actor_names(row.requested_by for row in found)
    return {
        "rows": [{"redemption": row, "by": names[row.requested_by]} for row in found[:PAGE]],
        "next": str(found[PAGE - 1].pk) if len(found) > PAGE else "",
    }


def _tiers(_request: StaffRequest, member: Member) -> Context:
    metrics = {scheme.version: scheme.metric for scheme in list_schemes()}
    return {
        "rows": [
            {
                "change": change,
                "is_up": change.is_up,
                "is_hidden": change.from_tier_id == change.to_tier_id,
                "is_money": metrics.get(change.scheme_version) == TierScheme.Metric.SPEND,
                "metric": TierScheme.Metric(metrics[change.scheme_version]).label,
            }
            for change in list_changes(member_id=member.pk)
        ],
        "pins": list_pins(member_id=member.pk),
        "terms": list_terms(member_id=member.pk),
    }


def _audit(_request: StaffRequest, member: Member) -> Context:
    names = staff_names()
    return {
        "rows": [
            {
                "entry": entry,
                "by": names.get(entry.actor_id or 0, entry.actor_label),
                "changes": changes_of(entry),
            }
            for entry in list_audit(target_type="member", target_id=member.pk)
        ]
    }


def _data(_request: StaffRequest, member: Member) -> Context:
    return consent_rows(member)


_READERS: dict[str, Callable[[StaffRequest, Member], Context]] = {
    "overview": _overview,
    "points": _points,
    "lots": _lots,
    "purchases": _purchases,
    "usable": _usable,
    "grants": _grants,
    "redemptions": _redemptions,
    "tiers": _tiers,
    "audit": _audit,
    "data": _data,
}
