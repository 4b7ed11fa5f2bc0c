"""Member data: the brand's own attributes, tags, consents, and wishes to be erased."""

from typing import Any

from django.http import HttpResponse
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from console.access import StaffRequest, staff_page
from console.dialogs import finish, show_form
from console.fields import place_error
from console.nav import shell
from console.people import actor_names
from console.profile_forms import (
    AttributeForm,
    PurposeForm,
    attribute_initial,
    purpose_initial,
)
from core import clock
from core.errors import DomainError, NotFoundError
from core.web.responses import render_page
from members.profiles import attribute_operations, consent_operations, queries
from members.profiles.errors import PurposeNotFoundError
from members.profiles.models import AttributeDefinition
from members.profiles.values import Consent
from tenants.accounts import permissions as p

_TYPES = dict(AttributeDefinition.Type.choices)
_PORTAL = dict(AttributeDefinition.Portal.choices)


@staff_page(p.MEMBERS_VIEW)
def index(request: StaffRequest) -> HttpResponse:
    """Show one of the tabs: attributes, tags, consents, requests to be erased."""
    labels = {
        "attributes": _("Attributes"),
        "tags": _("Tags"),
        "consents": _("Consents"),
        "erasures": _("Requests to be erased"),
    }
    tab = request.GET.get("tab", "")
    tab = tab if tab in labels else "attributes"
    context = {
        **shell(request, active="attributes"),
        "page_title": _("Member data"),
        "tab": tab,
        "tabs": [
            {
                "url": f"?tab={code}",
                "label": label,
                "active": code == tab,
                "count": queries.count_asked_erasures() or None if code == "erasures" else None,
            }
            for code, label in labels.items()
        ],
        **_READERS[tab](),
    }
    return render_page(request, "console/attributes.html", context, partial={"body": "body"})


def _attributes() -> dict[str, Any]:
    counts = queries.count_attribute_values()
    found = queries.list_attribute_definitions(active_only=False)
    active = [one for one in found if one.is_active]
    return {
        "rows": [
            {
                "attribute": one,
                "type": _TYPES[one.type.value],
                "portal": _PORTAL[one.portal],
                "count": counts.get(one.code, 0),
                "is_first": one is active[0] if active else False,
                "is_last": one is active[-1] if active else False,
            }
            for one in sorted(found, key=lambda one: not one.is_active)
        ]
    }


def _tags() -> dict[str, Any]:
    return {"rows": queries.list_tags()}


def _consents() -> dict[str, Any]:
    return {"rows": queries.list_purposes(active_only=False)}


def _erasures() -> dict[str, Any]:
    found = queries.list_erasures(open_only=False)
    names = actor_names({row.asked_by for row in found} | {row.decided_by for row in found})
    return {
        "rows": [
            {
                "erasure": row,
                "asked_by": names.get(row.asked_by, ""),
                "decided_by": names.get(row.decided_by, "") if row.decided_by else "",
                "is_late": row.state == "asked" and row.due_on < clock.now().date(),
                "places": sum(row.report.values()),
            }
            for row in sorted(found, key=lambda row: row.state != "asked")
        ]
    }


_READERS = {
    "attributes": _attributes,
    "tags": _tags,
    "consents": _consents,
    "erasures": _erasures,
}


def _done(request: StaffRequest, message: str | Promise, tab: str = "attributes") -> HttpResponse:
    url = f"{reverse('console:attributes')}?tab={tab}"
    return finish(request, message, changed="attributes", url=url)


@staff_page(p.MEMBERS_SETUP, methods=("GET", "POST"))
def define(request: StaffRequest) -> HttpResponse:
    """Add an attribute."""
    form = AttributeForm(request.POST or None)
    title = _("New attribute")
    if form.is_valid():
        try:
            attribute_operations.define_attribute(**form.facts(), by=request.actor, at=clock.now())
        except DomainError as error:
            place_error(form, error)
        else:
            return _done(request, _("The attribute is added."))
    return show_form(request, form, title=title, active="attributes", submit=_("Add"))


@staff_page(p.MEMBERS_SETUP, methods=("GET", "POST"))
def change(request: StaffRequest, code: str) -> HttpResponse:
    """Change names, choices, and who sees an attribute."""
    attribute = queries.get_attribute_definition(code=code)
    form = AttributeForm(
        request.POST or None, attribute=attribute, initial=attribute_initial(attribute)
    )
    if form.is_valid():
        try:
            attribute_operations.change_attribute(
                code=code, by=request.actor, at=clock.now(), **form.facts()
            )
        except DomainError as error:
            place_error(form, error)
        else:
            return _done(request, _("Saved."))
    title = _("Attribute %(code)s") % {"code": code}
    return show_form(request, form, title=title, active="attributes")


@staff_page(p.MEMBERS_SETUP, methods=("POST",))
def move(request: StaffRequest, code: str, way: str) -> HttpResponse:
    """Move an attribute up or down in the order in which it is shown."""
    attribute_operations.move_attribute(code=code, up=way == "up", by=request.actor, at=clock.now())
    return _done(request, _("Moved."))


@staff_page(p.MEMBERS_SETUP, methods=("POST",))
def end(request: StaffRequest, code: str, verb: str) -> HttpResponse:
    """Retire an attribute, take it back into use, or delete one that nobody has."""
    verbs: dict[str, tuple[Any, str]] = {
        "retire": (attribute_operations.retire_attribute, _("Retired.")),
        "restore": (attribute_operations.restore_attribute, _("Back in use.")),
        "delete": (attribute_operations.delete_attribute, _("Deleted.")),
    }
    if verb not in verbs:
        raise NotFoundError
    operation, message = verbs[verb]
    operation(code=code, by=request.actor, at=clock.now())
    return _done(request, message)


@staff_page(p.MEMBERS_SETUP, methods=("GET", "POST"))
def define_purpose(request: StaffRequest) -> HttpResponse:
    """Ask members for one more consent."""
    form = PurposeForm(request.POST or None)
    if form.is_valid():
        try:
            consent_operations.define_purpose(
                code=form.cleaned_data["code"],
                **form.facts(),
                by=request.actor,
                at=clock.now(),
            )
        except DomainError as error:
            place_error(form, error)
        else:
            return _done(request, _("The consent is added."), "consents")
    return show_form(request, form, title=_("New consent"), active="attributes", submit=_("Add"))


def _purpose(code: str) -> Consent:
    for purpose in queries.list_purposes(active_only=False):
        if purpose.purpose == code:
            return purpose
    raise PurposeNotFoundError(purpose=code)


@staff_page(p.MEMBERS_SETUP, methods=("GET", "POST"))
def change_purpose(request: StaffRequest, code: str) -> HttpResponse:
    """Rename a consent or publish new words for it."""
    purpose = _purpose(code)
    form = PurposeForm(request.POST or None, purpose=purpose, initial=purpose_initial(purpose))
    if form.is_valid():
        try:
            consent_operations.change_purpose(
                code=code, by=request.actor, at=clock.now(), **form.facts()
            )
        except DomainError as error:
            place_error(form, error)
        else:
            return _done(request, _("Saved."), "consents")
    lead = _("Other words are a new version; who agreed before has agreed to the earlier one.")
    title = _("Consent %(code)s") % {"code": code}
    return show_form(request, form, title=title, active="attributes", lead=lead)


@staff_page(p.MEMBERS_SETUP, methods=("POST",))
def switch_purpose(request: StaffRequest, code: str, verb: str) -> HttpResponse:
    """Stop or start asking for a consent."""
    consent_operations.change_purpose(
        code=code, is_active=verb == "start", by=request.actor, at=clock.now()
    )
    return _done(request, _("Saved."), "consents")
