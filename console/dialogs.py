"""Forms in the console's dialog: shown, refused, done; each works as a plain page too."""

from django import forms
from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.utils.functional import Promise

from console.access import StaffRequest
from console.nav import shell
from core.errors import DomainError
from core.web.responses import done, hx_lead, is_fragment, render_page


def show_form(
    request: StaffRequest,
    form: forms.Form,
    *,
    title: str,
    active: str,
    lead: str = "",
    submit: str = "",
    tone: str = "primary",
) -> HttpResponse:
    """Show a form in the dialog; with 422 when it was sent and is not valid."""
    context = {
        **shell(request, active=active),
        "page_title": title,
        "form": form,
        "lead": lead,
        "submit": submit,
        "tone": tone,
        "action": request.get_full_path(),
    }
    status = 422 if form.is_bound and form.errors else 200
    return render_page(request, "console/dialog.html", context, partial="form", status=status)


def refuse(form: forms.Form, error: DomainError) -> None:
    """Put a refusal of the domain on the field that its pointer names, or on the form."""
    place = str(error.data.get("pointer", "")).strip("/")
    form.add_error(place if place in form.fields else None, error.detail)


def finish(
    request: StaffRequest, message: str | Promise, *, changed: str | tuple[str, ...], url: str
) -> HttpResponse:
    """Answer what succeeded: close the dialog and refresh, or lead the plain browser to `url`."""
    if is_fragment(request):
        return done(message, changed=changed)
    messages.success(request, str(message))
    return HttpResponseRedirect(url)


def lead_on(request: StaffRequest, message: str | Promise, *, url: str) -> HttpResponse:
    """Answer what made something new: lead to its own page, with and without htmx."""
    return hx_lead(request, url, message=message)
