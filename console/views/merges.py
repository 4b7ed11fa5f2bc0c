"""Members who are one person: likely duplicates, compared side by side, merged and undone."""

from typing import Any

from django import forms
from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l
from django.utils.translation import pgettext

from console.access import StaffRequest, staff_page
from console.dialogs import finish, refuse, show_form
from console.labels import tier_names
from console.nav import shell
from console.people import actor_names
from core import clock
from core.errors import DomainError
from core.web.responses import render_page
from members.activity.queries import get_activity
from members.merging import operations
from members.merging.models import DuplicatePair
from members.merging.queries import (
    count_pairs,
    get_merge,
    list_merges,
    list_pairs,
)
from members.points.queries import get_balance
from members.profiles.models import Member
from members.profiles.queries import get_member
from members.segments.queries import list_facts
from tenants.accounts import permissions as p
from tenants.brands.context import current_brand

PAGE = 30


class MergeForm(forms.Form):
    """Who stays, and why they are one."""

    survivor = forms.CharField(widget=forms.HiddenInput)
    reason = forms.CharField(
        label=_l("Why are they one person?"),
        max_length=300,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text=_l("Kept in the audit; without names."),
    )


class UndoForm(forms.Form):
    """Why they are two."""

    reason = forms.CharField(label=_l("Why are they two people?"), max_length=300)


def _tabs(active: str) -> list[dict[str, Any]]:
    return [
        {
            "url": reverse("console:duplicates"),
            "label": _("Likely duplicates"),
            "active": active == "duplicates",
            "count": count_pairs(),
        },
        {"url": reverse("console:merges"), "label": _("Merges"), "active": active == "merges"},
    ]


@staff_page(p.MEMBERS_EDIT)
def duplicates(request: StaffRequest) -> HttpResponse:
    """List members who may be one person, found every night."""
    after = request.GET.get("after", "")
    found = list_pairs(before=int(after) if after.isdigit() else None, limit=PAGE + 1)
    context = {
        **shell(request, active="members"),
        "page_title": _("Likely duplicates"),
        "tabs": _tabs("duplicates"),
        "rows": [
            {
                "pair": pair,
                "first": _name(pair.first),
                "second": _name(pair.second),
                "signs": [DuplicatePair.Sign(sign).label for sign in pair.signs],
            }
            for pair in found[:PAGE]
        ],
        "next": str(found[PAGE - 1].pk) if len(found) > PAGE else "",
    }
    return render_page(request, "console/duplicates.html", context, partial="rows")


@staff_page(p.MEMBERS_EDIT)
def merges(request: StaffRequest) -> HttpResponse:
    """List merges with the day until which each can be undone."""
    after = request.GET.get("after", "")
    found = list_merges(before=int(after) if after.isdigit() else None, limit=PAGE + 1)
    names = actor_names(merge.merged_by for merge in found)
    context = {
        **shell(request, active="members"),
        "page_title": _("Merges"),
        "tabs": _tabs("merges"),
        "rows": [
            {
                "merge": merge,
                "survivor": _name(merge.survivor),
                "merged": _name(merge.merged),
                "by": names[merge.merged_by],
                "may_undo": merge.undone_at is None and clock.now() <= merge.undo_until,
            }
            for merge in found[:PAGE]
        ],
        "next": str(found[PAGE - 1].pk) if len(found) > PAGE else "",
    }
    return render_page(request, "console/merges.html", context, partial="rows")


@staff_page(p.MEMBERS_EDIT, methods=("GET", "POST"))
def compare(request: StaffRequest, first: str, second: str) -> HttpResponse:
    """Show two members side by side, choose who stays, say why, and merge them."""
    one, other = get_member(number=first), get_member(number=second)
    form = MergeForm(
        request.POST or None, initial={"survivor": _likely_survivor(one, other).number}
    )
    if form.is_valid():
        stays, goes = (one, other) if form.cleaned_data["survivor"] == one.number else (other, one)
        try:
            operations.merge_members(
                survivor=stays,
                merged=goes,
                reason=form.cleaned_data["reason"],
                by=request.actor,
                at=clock.now(),
            )
        except DomainError as error:
            refuse(form, error)
        else:
            return finish(
                request,
                _("The two are one member now."),
                changed="members",
                url=reverse("console:member", args=[stays.number]),
            )
    at = clock.now()
    chosen = form["survivor"].value() or one.number
    context = {
        **shell(request, active="members"),
        "page_title": _("Are they one person?"),
        "form": form,
        "chosen": chosen,
        "sides": [_side(member, chosen, at) for member in (one, other)],
        "facts": _facts(one, other),
        "undo_days": operations.UNDO_DAYS,
        "first": one.number,
        "second": other.number,
    }
    status = 422 if form.is_bound else 200
    return render_page(request, "console/merge.html", context, status=status)


@staff_page(p.MEMBERS_EDIT, methods=("POST",))
def dismiss(request: StaffRequest, first: str, second: str) -> HttpResponse:
    """Note that the two are two people."""
    operations.dismiss_pair(
        first_id=get_member(number=first).pk,
        second_id=get_member(number=second).pk,
        by=request.actor,
        at=clock.now(),
    )
    return finish(
        request,
        _("Noted: these are two people."),
        changed="members",
        url=reverse("console:duplicates"),
    )


@staff_page(p.MEMBERS_EDIT, methods=("GET", "POST"))
def undo(request: StaffRequest, merge_id: int) -> HttpResponse:
    """Make two of one again."""
    merge = get_merge(merge_id=merge_id)
    form = UndoForm(request.POST or None)
    title = _("Undo the merge of %(number)s") % {"number": merge.merged.number}
    lead = _(
        "What went over goes back as it is now: points that were not spent since, purchases, "
        "rights and their uses. What came after the merge stays with the survivor."
    )
    if form.is_valid():
        try:
            operations.undo_merge(
                merge_id=merge_id,
                reason=form.cleaned_data["reason"],
                by=request.actor,
                at=clock.now(),
            )
        except DomainError as error:
            refuse(form, error)
        else:
            return finish(
                request,
                _("They are two members again."),
                changed="merges",
                url=reverse("console:merges"),
            )
    return show_form(
        request, form, title=title, active="members", submit=_("Undo"), lead=lead, tone="danger"
    )


def _name(member: Member) -> str:
    personal = getattr(member, "personal", None)
    return (personal.name if personal is not None else "") or str(member.number)


def _likely_survivor(one: Member, other: Member) -> Member:
    """Return who signs in, else who has been a member for longer."""
    if (one.user_id is None) != (other.user_id is None):
        return one if one.user_id is not None else other
    return one if one.enrolled_at <= other.enrolled_at else other


def _side(member: Member, chosen: str, at: Any) -> dict[str, Any]:
    today = clock.today(current_brand().timezone)
    facts = list_facts(member_ids=[member.pk], fields=("tier",), at=at)[member.pk]
    return {
        "member": member,
        "name": _name(member),
        "is_chosen": member.number == chosen,
        "tier": tier_names(on=today).get(facts["tier"] or "", ""),
        "balance": get_balance(owner_id=member.pk, at=at),
        "growth": get_balance(owner_id=member.pk, at=at, wallet="growth"),
        "activity": get_activity(member_id=member.pk, on=today),
    }


def _facts(one: Member, other: Member) -> list[dict[str, Any]]:
    """Return the profile fields of both, side by side, with whether they agree."""
    rows = []
    for label, name in (
        (pgettext("of a person", "Name"), "name"),
        (_("E-mail"), "email"),
        (_("Phone"), "phone"),
        (_("Birthday"), "birthday"),
        (_("Gender"), "gender"),
    ):
        values = [getattr(getattr(member, "personal", None), name, "") for member in (one, other)]
        rows.append({"label": label, "values": values, "is_same": _agree(values)})
    for label, name in (
        (_("Id in your systems"), "external_id"),
        (_("Region"), "region"),
        (_("Store"), "store_code"),
        (_("Enrolled"), "enrolled_at"),
    ):
        values = [getattr(member, name) for member in (one, other)]
        rows.append({"label": label, "values": values, "is_same": _agree(values)})
    return rows


def _agree(values: list[Any]) -> bool:
    return bool(values[0]) and values[0] == values[1]
