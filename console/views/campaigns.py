"""Campaigns: more points for a time, on a calendar and as a list."""

from datetime import date, datetime, time, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l

from console.access import StaffRequest, staff_page
from console.condition_forms import change_with_rows, mover, show_with_rows
from console.conditions import ConditionRows
from console.dialogs import finish, lead_on
from console.earning_forms import CampaignForm
from console.earning_words import campaign_sentence
from console.nav import shell
from console.views.earning import sections, show_simulation
from core import clock
from core.web.responses import render_page
from members.earning import campaign_operations, queries
from members.earning.models import Campaign
from members.earning.simulation import simulate_campaign
from members.segments import conditions
from members.segments.queries import count_audience
from tenants.accounts import permissions as p
from tenants.brands.context import current_brand

_WEEKS = 13
_TONES = {"active": "ok", "paused": "warn", "draft": "muted", "ended": "muted"}


@staff_page(p.TIERS_VIEW)
def index(request: StaffRequest) -> HttpResponse:
    """Show the campaigns of the weeks around now on a calendar, and all of them as a list."""
    now = clock.now()
    names = {rule.pk: rule.name for rule in queries.list_rules()}
    found = queries.list_campaigns()
    context = {
        **shell(request, active="earning_rules"),
        "page_title": _("Campaigns"),
        "sections": sections("campaigns"),
        "calendar": _calendar(found),
        "rows": [
            {
                "campaign": row,
                "sentence": campaign_sentence(row, rules=names),
                "phase": _phase(row, now),
            }
            for row in found
        ],
    }
    return render_page(request, "console/campaigns.html", context, partial="rows")


def _phase(campaign: Campaign, now: datetime) -> str:
    if campaign.status != Campaign.Status.ACTIVE:
        return ""
    if campaign.starts_at > now:
        return _("not begun")
    return _("running") if campaign.ends_at > now else _("over")


def _calendar(found: list[Campaign]) -> dict[str, Any]:
    """Return thirteen weeks around today, and for each campaign the weeks that it touches."""
    zone = ZoneInfo(current_brand().timezone)
    today = clock.today(current_brand().timezone)
    first = today - timedelta(days=today.weekday() + 7 * 4)
    weeks = [first + timedelta(days=7 * number) for number in range(_WEEKS)]
    edges = [_instant(day, zone) for day in (*weeks, weeks[-1] + timedelta(days=7))]
    rows = []
    for campaign in found:
        if campaign.starts_at >= edges[-1] or campaign.ends_at <= edges[0]:
            continue
        cells = [
            campaign.starts_at < edges[number + 1] and campaign.ends_at > edges[number]
            for number in range(_WEEKS)
        ]
        start = cells.index(True)
        length = sum(cells)
        rows.append(
            {
                "campaign": campaign,
                "tone": _TONES[campaign.status],
                "before": start,
                "length": length,
                "after": _WEEKS - start - length,
            }
        )
    return {
        "weeks": [{"day": day, "is_now": day <= today < day + timedelta(days=7)} for day in weeks],
        "rows": sorted(rows, key=lambda row: row["campaign"].starts_at),
    }


def _instant(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), tzinfo=zone)


@staff_page(p.TIERS_VIEW)
def show(request: StaffRequest, campaign_id: int) -> HttpResponse:
    """Show one campaign as a sentence, whom it fits now, and what it has added."""
    campaign = queries.get_campaign(campaign_id=campaign_id)
    names = {rule.pk: rule.name for rule in queries.list_rules()}
    context = {
        **shell(request, active="earning_rules"),
        "page_title": campaign.name,
        "campaign": campaign,
        "sentence": campaign_sentence(campaign, rules=names),
        "phase": _phase(campaign, clock.now()),
        "audience": count_audience(condition=conditions.parse(campaign.condition), at=clock.now()),
        "figures": queries.campaign_figures(campaign=campaign),
        "days": (campaign.ends_at - campaign.starts_at).days,
        "is_draft": campaign.status == Campaign.Status.DRAFT,
        "is_open": campaign.status != Campaign.Status.ENDED,
    }
    return render_page(request, "console/campaign.html", context, partial="campaign")


@staff_page(p.BENEFITS_EDIT, methods=("GET", "POST"))
def create(request: StaffRequest) -> HttpResponse:
    """Draft a campaign."""
    form = CampaignForm(request.POST or None, initial={"multiplier_bp": 20_000})
    return change_with_rows(
        request,
        form,
        stored=None,
        save=lambda condition: campaign_operations.create_campaign(
            condition=condition, by=request.actor, at=clock.now(), **form.facts()
        ),
        done=lambda made: lead_on(
            request, _("Drafted. Try it on last month, then start it."), url=_url(made.pk)
        ),
        show=lambda rows: _show_form(request, form, rows, title=_("New campaign")),
    )


@staff_page(p.BENEFITS_EDIT, methods=("GET", "POST"))
def edit(request: StaffRequest, campaign_id: int) -> HttpResponse:
    """Change a draft."""
    campaign = queries.get_campaign(campaign_id=campaign_id)
    form = CampaignForm(request.POST or None, campaign=campaign)
    return change_with_rows(
        request,
        form,
        stored=campaign.condition,
        save=lambda condition: campaign_operations.update_campaign(
            campaign_id=campaign_id,
            fields={**form.facts(), "condition": condition},
            by=request.actor,
            at=clock.now(),
        ),
        done=lambda _made: finish(
            request, _("Campaign saved."), changed="earning", url=_url(campaign_id)
        ),
        show=lambda rows: _show_form(
            request, form, rows, title=_("Change %(name)s") % {"name": campaign.name}
        ),
    )


def _show_form(
    request: StaffRequest, form: CampaignForm, found: ConditionRows, *, title: str
) -> HttpResponse:
    return show_with_rows(
        request,
        form,
        found,
        template="console/campaign_form.html",
        title=title,
        active="earning_rules",
        rows_url=reverse("console:segment_rows"),
        rows_legend=_("Who earns it"),
    )


def _url(campaign_id: int) -> str:
    return reverse("console:campaign", args=[campaign_id])


_mover = partial(mover, key="campaign_id", permission=p.RULES_PUBLISH, url=_url, changed="earning")
activate = _mover(campaign_operations.activate_campaign, _l("Started: it acts within its dates."))
pause = _mover(campaign_operations.pause_campaign, _l("Paused."))
end = _mover(campaign_operations.end_campaign, _l("Ended."))


@staff_page(p.BENEFITS_EDIT, methods=("POST",))
def delete(request: StaffRequest, campaign_id: int) -> HttpResponse:
    """Remove a draft."""
    campaign_operations.delete_campaign(campaign_id=campaign_id, by=request.actor, at=clock.now())
    return lead_on(request, _("The draft is removed."), url=reverse("console:campaigns"))


@staff_page(p.TIERS_VIEW)
def simulate(request: StaffRequest, campaign_id: int) -> HttpResponse:
    """Show what the campaign would have added on last month's purchases."""
    campaign = queries.get_campaign(campaign_id=campaign_id)
    found = simulate_campaign(campaign=campaign, at=clock.now())
    return show_simulation(request, found, title=campaign.name, active="earning_rules")
