"""What the programme holds about the member: consents, a copy, the wish to be erased."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse, JsonResponse
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache

from core import clock
from core.errors import NotFoundError
from core.web.responses import hx_redirect, render_page
from members.profiles import consent_operations, erasure_operations, export_operations
from members.profiles.queries import get_last_erasure, list_consents
from portal.access import MemberRequest, member_page
from portal.nav import shell, text


@member_page()
def index(request: MemberRequest) -> HttpResponse:
    """Show the consents with their words, the copy of all data and the way to be erased."""
    context = {
        **shell(active="me", back="me"),
        "page_title": _("My data"),
        "consents": [
            {
                "purpose": one.purpose,
                "label": text(dict(one.label)),
                "text": text(dict(one.text)),
                "is_given": bool(one.is_given),
                "at": one.at,
                "is_outdated": bool(one.is_given) and one.text_version != one.version,
            }
            for one in list_consents(member=request.member)
            if one.is_active or one.is_given
        ],
        "erasure": get_last_erasure(member=request.member),
    }
    return render_page(request, "portal/my_data.html", context, partial={"consents": "consents"})


def _back(request: MemberRequest, message: str | Promise) -> HttpResponse:
    messages.success(request, str(message))
    return hx_redirect(request, reverse("portal:my_data"))


@member_page(methods=("POST",))
def set_consent(request: MemberRequest, purpose: str) -> HttpResponse:
    """Give or withdraw a consent."""
    is_given = request.POST.get("given") == "yes"
    consent_operations.set_consent(
        member=request.member,
        purpose=purpose,
        is_given=is_given,
        by=request.actor,
        at=clock.now(),
    )
    return _back(request, _("Thank you, noted.") if is_given else _("Withdrawn."))


@never_cache
@member_page()
def export(request: MemberRequest) -> HttpResponse:
    """Show everything that is held about the member, or hand it out as a file."""
    found = export_operations.export_member(member=request.member, by=request.actor, at=clock.now())
    if request.GET.get("format") == "json":
        response: HttpResponse = JsonResponse(
            found.as_json(), json_dumps_params={"ensure_ascii": False, "indent": 2}
        )
        name = f"{found.number}.json"
        response["Content-Disposition"] = f'attachment; filename="{name}"'
        return response
    context: dict[str, Any] = {
        **shell(active="me", back="my_data"),
        "page_title": _("Everything about me"),
        "export": found,
    }
    return render_page(request, "portal/export.html", context)


@member_page(methods=("POST",))
def erasure(request: MemberRequest, verb: str) -> HttpResponse:
    """Ask to be erased, or take that back."""
    if verb == "ask":
        erasure_operations.ask_erasure(member=request.member, by=request.actor, at=clock.now())
        return _back(request, _("Your request is noted."))
    if verb == "withdraw":
        erasure_operations.withdraw_erasure(member=request.member, by=request.actor, at=clock.now())
        return _back(request, _("Your request is withdrawn."))
    raise NotFoundError
