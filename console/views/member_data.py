"""What is known of one member: attributes, tags, consents; their copy of it, and erasing them."""

from typing import Any

from django.http import HttpResponse, JsonResponse
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from console.access import StaffRequest, staff_page
from console.dialogs import finish, show_form
from console.fields import place_error
from console.member_forms import ReasonForm
from console.nav import shell
from console.profile_forms import (
    ATTRIBUTE_PREFIX,
    AttributesForm,
    EraseForm,
    TagsForm,
    attributes_of,
)
from core import clock
from core.errors import DomainError
from core.web.responses import render_page
from members.profiles import (
    consent_operations,
    erasure_operations,
    export_operations,
    operations,
    queries,
    tag_operations,
)
from members.profiles.models import Member
from members.profiles.queries import get_member
from tenants.accounts import permissions as p


def _finish(request: StaffRequest, member: Member, message: str | Promise) -> HttpResponse:
    url = reverse("console:member", args=[member.number])
    return finish(request, message, changed=("member", "attributes"), url=url)


@staff_page(p.MEMBERS_EDIT, methods=("GET", "POST"))
def edit_attributes(request: StaffRequest, number: str) -> HttpResponse:
    """Change the member's values of the brand's own attributes."""
    member = get_member(number=number)
    attributes = queries.list_attribute_definitions()
    form = AttributesForm(request.POST or None, attributes=attributes, values=member.attributes)
    title = _("Attributes of %(number)s") % {"number": member.number}
    if form.is_valid():
        try:
            operations.update_profile(
                member=member, attributes=attributes_of(form), by=request.actor, at=clock.now()
            )
        except DomainError as error:
            names = {one.code: f"{ATTRIBUTE_PREFIX}{one.code}" for one in attributes}
            place_error(form, error, names=names)
        else:
            return _finish(request, member, _("Saved."))
    return show_form(request, form, title=title, active="members")


@staff_page(p.MEMBERS_EDIT, methods=("GET", "POST"))
def add_tags(request: StaffRequest, number: str) -> HttpResponse:
    """Add tags, of those that others have or new ones."""
    member = get_member(number=number)
    known = [tag for tag, _count in queries.list_tags()]
    form = TagsForm(request.POST or None, known=known)
    if form.is_valid():
        try:
            tag_operations.add_tags(
                member=member,
                tags=form.cleaned_data["tags"],
                by=request.actor,
                at=clock.now(),
            )
        except DomainError as error:
            place_error(form, error)
        else:
            return _finish(request, member, _("Saved."))
    title = _("Tags of %(number)s") % {"number": member.number}
    others = [tag for tag in known if tag not in member.tags][:12]
    context: dict[str, Any] = {
        **shell(request, active="members"),
        "page_title": title,
        "form": form,
        "others": others,
        "action": request.get_full_path(),
    }
    status = 422 if form.is_bound and form.errors else 200
    return render_page(request, "console/member_tags.html", context, partial="form", status=status)


@staff_page(p.MEMBERS_EDIT, methods=("POST",))
def remove_tag(request: StaffRequest, number: str) -> HttpResponse:
    """Remove one tag."""
    member = get_member(number=number)
    tag_operations.remove_tags(
        member=member, tags=[request.POST.get("tag", "")], by=request.actor, at=clock.now()
    )
    return _finish(request, member, _("The tag is removed."))


@staff_page(p.MEMBERS_EDIT, methods=("POST",))
def set_consent(request: StaffRequest, number: str, purpose: str, verb: str) -> HttpResponse:
    """Note that the member gave or withdrew a consent."""
    member = get_member(number=number)
    consent_operations.set_consent(
        member=member,
        purpose=purpose,
        is_given=verb == "give",
        by=request.actor,
        at=clock.now(),
    )
    message = _("Noted as given.") if verb == "give" else _("Noted as withdrawn.")
    return _finish(request, member, message)


@staff_page(p.MEMBERS_EDIT)
def export(request: StaffRequest, number: str) -> HttpResponse:
    """Show everything that is held about the member, or hand it out as a file."""
    member = get_member(number=number)
    found = export_operations.export_member(member=member, by=request.actor, at=clock.now())
    if request.GET.get("format") == "json":
        response: HttpResponse = JsonResponse(
            found.as_json(), json_dumps_params={"ensure_ascii": False, "indent": 2}
        )
        response["Content-Disposition"] = f'attachment; filename="{member.number}.json"'
        return response
    context = {
        **shell(request, active="members"),
        "page_title": _("Everything about %(number)s") % {"number": member.number},
        "page_pretitle": member.number,
        "member": member,
        "export": found,
    }
    return render_page(request, "console/member_export.html", context)


@staff_page(p.MEMBERS_ERASE, methods=("GET", "POST"))
def erase(request: StaffRequest, number: str) -> HttpResponse:
    """Erase the person, once the member's number is typed."""
    member = get_member(number=number)
    form = EraseForm(request.POST or None, number=str(member.number))
    if form.is_valid():
        try:
            erasure_operations.erase_member(
                member=member,
                confirm=form.cleaned_data["confirm"],
                by=request.actor,
                at=clock.now(),
            )
        except DomainError as error:
            place_error(form, error)
        else:
            return _finish(request, member, _("Erased. What is kept for some weeks follows now."))
    lead = _(
        "Name, addresses, consents, attributes, tags, notes and the sign-in are gone for good. "
        "Purchases, points and orders stay under the number."
    )
    return show_form(
        request,
        form,
        title=_("Erase this member"),
        active="members",
        submit=_("Erase for good"),
        lead=lead,
        tone="danger",
    )


@staff_page(p.MEMBERS_ERASE, methods=("GET", "POST"))
def refuse_erasure(request: StaffRequest, number: str) -> HttpResponse:
    """Say no to the member's wish to be erased."""
    member = get_member(number=number)
    form = ReasonForm(request.POST or None)
    if form.is_valid():
        try:
            erasure_operations.refuse_erasure(
                member=member,
                reason=form.cleaned_data["reason"],
                by=request.actor,
                at=clock.now(),
            )
        except DomainError as error:
            place_error(form, error)
        else:
            return _finish(request, member, _("Refused; the member reads the reason."))
    return show_form(
        request,
        form,
        title=_("Refuse the request"),
        active="members",
        submit=_("Refuse"),
        lead=_("The member reads the reason in the portal."),
    )
