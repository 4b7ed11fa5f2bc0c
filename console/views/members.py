"""Members: the searchable list, and enrolling one by hand."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from console.access import StaffRequest, staff_page
from console.dialogs import lead_on, show_form
from console.fields import place_error
from console.labels import tier_names
from console.member_forms import EnrolForm
from console.nav import shell
from console.profile_forms import ATTRIBUTE_PREFIX, add_attributes, attributes_of
from core import clock
from core.errors import DomainError
from core.web.responses import render_page
from members.profiles import operations
from members.profiles.models import Member
from members.profiles.queries import (
    count_members,
    list_attribute_definitions,
    search_members,
)
from members.segments.conditions import Compiled, compile_sql, parse
from members.segments.models import ValueSegment
from members.segments.queries import list_facts
from tenants.accounts import permissions as p
from tenants.brands.context import current_brand

PAGE = 30
_FACTS = ("tier", "value_segment", "points_balance", "spend_365d", "days_since_last_purchase")


@staff_page(p.MEMBERS_VIEW)
def index(request: StaffRequest) -> HttpResponse:
    """List members newest first, found by text, tier and value segment."""
    today = clock.today(current_brand().timezone)
    tiers = tier_names(on=today)
    text = request.GET.get("q", "")
    chosen = {
        "tier": _known(request.GET.get("tier"), tiers),
        "value_segment": _known(request.GET.get("segment"), dict(ValueSegment.choices)),
    }
    tag = request.GET.get("tag", "")[:40]
    after = request.GET.get("after", "")
    found = search_members(
        text=text,
        within=_audience(chosen, tag),
        after=int(after) if after.isdigit() else None,
        limit=PAGE + 1,
    )
    is_filtered = bool(text or tag or any(chosen.values()))
    context = {
        **shell(request, active="members"),
        "page_title": _("Members"),
        "q": text,
        "is_filtered": is_filtered,
        "selects": [
            {
                "name": "tier",
                "label": _("All tiers"),
                "choices": list(tiers.items()),
                "value": chosen["tier"],
            },
            {
                "name": "segment",
                "label": _("All value segments"),
                "choices": ValueSegment.choices,
                "value": chosen["value_segment"],
            },
            *(
                [{"name": "tag", "label": _("Any tag"), "choices": [(tag, tag)], "value": tag}]
                if tag
                else []
            ),
        ],
        "rows": _rows(found[:PAGE], tiers=tiers, today=today),
        # Counting reads the whole table: not while somebody types.
        "total": None if is_filtered or after else count_members(),
        "next": str(found[PAGE - 1].pk) if len(found) > PAGE else "",
    }
    return render_page(request, "console/members.html", context, partial="rows")


def _known(value: str | None, choices: Mapping[str, Any]) -> str:
    return value if value and value in choices else ""


def _audience(chosen: Mapping[str, str], tag: str) -> Compiled | None:
    tests: list[dict[str, str]] = [
        {"field": field, "op": "=", "value": value} for field, value in chosen.items() if value
    ]
    if tag:
        tests.append({"field": "tags", "op": "contains", "value": tag})
    return compile_sql(parse({"all": tests}), at=clock.now()) if tests else None


def _rows(members: list[Member], *, tiers: Mapping[str, str], today: date) -> list[dict[str, Any]]:
    facts = list_facts(member_ids=[row.pk for row in members], fields=_FACTS, at=clock.now())
    segments = dict(ValueSegment.choices)
    rows = []
    for member in members:
        known = facts[member.pk]
        days = known["days_since_last_purchase"]
        rows.append(
            {
                "member": member,
                "name": _name(member),
                "tier": tiers.get(known["tier"] or "", ""),
                "segment": segments.get(known["value_segment"], ""),
                "points": known["points_balance"],
                "spend": known["spend_365d"],
                "last_on": None if days is None else today - timedelta(days=days),
            }
        )
    return rows


def _name(member: Member) -> str:
    personal = getattr(member, "personal", None)
    return personal.name if personal is not None else ""


@staff_page(p.MEMBERS_EDIT, methods=("GET", "POST"))
def enrol(request: StaffRequest) -> HttpResponse:
    """Enrol a person by hand, and go to the new member's page."""
    required = [one for one in list_attribute_definitions() if one.is_required]
    form = EnrolForm(request.POST or None)
    add_attributes(form, required, {})
    title = _("Enrol a member")
    submit = _("Enrol")
    if not form.is_valid():
        return show_form(request, form, title=title, active="members", submit=submit)
    try:
        facts = {k: v for k, v in form.cleaned_data.items() if not k.startswith(ATTRIBUTE_PREFIX)}
        member = operations.enrol(
            at=clock.now(), by=request.actor, attributes=attributes_of(form), **facts
        )
    except DomainError as error:
        names = {one.code: f"{ATTRIBUTE_PREFIX}{one.code}" for one in required}
        place_error(form, error, names=names)
        return show_form(request, form, title=title, active="members", submit=submit)
    url = reverse("console:member", args=[member.number])
    return lead_on(request, _("%(number)s is enrolled.") % {"number": member.number}, url=url)
