"""The member's tier: how far to the next, until when this one is held, and why each change."""

from typing import Any

from django.http import HttpResponse
from django.utils.translation import gettext as _

from core import clock
from core.templatetags.tessera import day, money, number
from core.web.responses import render_page
from members.tiers.models import TierChange, TierScheme
from members.tiers.paid import list_plans, list_terms
from members.tiers.queries import get_standing, list_changes, list_schemes
from members.tiers.values import Standing
from portal.access import MemberRequest, member_page
from portal.nav import shell, text
from portal.views.home import progress_text
from tenants.brands.context import current_brand

SHOWN = 20
_ICONS = {True: "trending-up", False: "trending-down"}


@member_page()
def show(request: MemberRequest) -> HttpResponse:
    """Show the ladder with the member's place, what is missing, and the history with its reasons."""
    standing = get_standing(member_id=request.member.pk, at=clock.now())
    metrics = {row.version: row.metric for row in list_schemes()}
    changes = [
        change
        for change in list_changes(member_id=request.member.pk, limit=SHOWN)
        if change.from_tier_id != change.to_tier_id
    ]
    terms = list_terms(member_id=request.member.pk, only_running=True)
    context: dict[str, Any] = {
        **shell(active="me", back="home"),
        "page_title": _("My tier"),
        "standing": standing,
        "steps": _steps(standing) if standing else [],
        "progress_text": progress_text(standing),
        "keep_text": _keep_text(standing) if standing else "",
        "changes": [
            {
                "title": f"{text(change.from_tier.name)} → {text(change.to_tier.name)}",
                "why": _why(change, metrics.get(change.scheme_version, "")),
                "at": change.at,
                "icon": _ICONS[change.is_up],
            }
            for change in changes
        ],
        "terms": [{"term": term, "name": text(term.plan.name)} for term in terms],
        "plans": _plans(standing) if standing else [],
    }
    return render_page(request, "portal/tier.html", context)


def _amount(value: int, metric: str) -> str:
    is_money = metric == TierScheme.Metric.SPEND
    return str(money(value, current_brand().currency) if is_money else number(value))


def _steps(standing: Standing) -> list[dict[str, Any]]:
    """Return the tiers, highest first, each with how far the member has come."""
    return [
        {
            "name": text(tier.name),
            "is_held": tier == standing.tier,
            "is_reached": standing.metric_value >= tier.entry_threshold,
            "threshold": _amount(tier.entry_threshold, standing.metric) if tier.rank > 1 else "",
            "share": min(standing.metric_value / tier.entry_threshold, 1)
            if tier.entry_threshold
            else 1,
            "multiplier": f"{tier.multiplier_bp / 10_000:g}"
            if tier.multiplier_bp != 10_000
            else "",
        }
        for tier in reversed(standing.tiers)
    ]


def _keep_text(standing: Standing) -> str:
    """Return until when the tier is held, and what lacks to stay."""
    until = day(standing.valid_until) if standing.valid_until else ""
    name = text(standing.tier.name)
    if not until:
        return _("%(tier)s is yours; nothing threatens it now.") % {"tier": name}
    words = {
        "tier": name,
        "until": until,
        "missing": _amount(standing.missing_to_keep, standing.metric),
    }
    if standing.missing_to_keep == 0:
        return _("You have earned %(tier)s beyond %(until)s already.") % words
    if standing.pin is not None:
        return _("%(tier)s is held for you until %(until)s. To keep it: %(missing)s more.") % words
    return _("%(tier)s is valid until %(until)s. To keep it: %(missing)s more.") % words


def _why(change: TierChange, metric: str) -> str:
    causes = {
        TierChange.Cause.PAID: _("Your paid membership began."),
        TierChange.Cause.PAID_ENDED: _("Your paid membership ended."),
        TierChange.Cause.OVERRIDE: _("We set your tier for you."),
        TierChange.Cause.OVERRIDE_ENDED: _("The tier we had set for you ended."),
        TierChange.Cause.BENEFIT: _("You used an upgrade."),
        TierChange.Cause.BENEFIT_ENDED: _("Your upgrade ended."),
        TierChange.Cause.SCHEME: _("Our tiers changed."),
    }
    words = causes.get(TierChange.Cause(change.cause))
    if words is not None or change.metric_value is None or change.threshold is None:
        return str(words or "")
    facts = {
        "value": _amount(change.metric_value, metric),
        "threshold": _amount(change.threshold, metric),
    }
    if change.is_up:
        return _("You reached %(value)s; %(threshold)s were needed.") % facts
    return _("You had %(value)s; %(threshold)s were needed to stay.") % facts


def _plans(standing: Standing) -> list[dict[str, Any]]:
    """Return the plans on offer that give more than is held."""
    ranks = {tier.code: tier for tier in standing.tiers}
    return [
        {
            "name": text(plan.name),
            "tier": text(ranks[plan.tier_code].name),
            "price": money(plan.price_minor, plan.currency),
            "months": plan.period_months,
        }
        for plan in list_plans(only_offered=True)
        if plan.tier_code in ranks and ranks[plan.tier_code].rank > standing.tier.rank
    ]
