"""One webhook endpoint: its deliveries with all tries, its secret, switching it on and off."""

from typing import Any

from django import forms
from django.http import HttpResponse
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l

from console.access import StaffRequest, staff_page
from console.dialogs import finish, show_form
from console.fields import ListField, place_error
from console.nav import shell
from console.views.integrations import show_secret
from core import clock
from core.errors import DomainError
from core.web.responses import render_page
from tenants.accounts import permissions as p
from tenants.events import webhooks
from tenants.events.models import WebhookDelivery, WebhookEndpoint

_SHOWN = 50


def _get(endpoint_id: int) -> WebhookEndpoint:
    return webhooks.get_endpoint(endpoint_id=endpoint_id, owner_id=None)


def _finish(
    request: StaffRequest, endpoint: WebhookEndpoint, message: str | Promise
) -> HttpResponse:
    url = reverse("console:webhook", args=[endpoint.pk])
    return finish(request, message, changed="webhooks", url=url)


@staff_page(p.KEYS_EDIT)
def show(request: StaffRequest, endpoint_id: int) -> HttpResponse:
    """Show an endpoint and its latest deliveries; the list asks again while some are on their way."""
    endpoint = _get(endpoint_id)
    state = request.GET.get("state", "")
    state = state if state in WebhookDelivery.State.values else ""
    deliveries = webhooks.list_deliveries(endpoint=endpoint, state=state or None, limit=_SHOWN)
    context = {
        **shell(request, active="integrations"),
        "page_title": endpoint.description or _("Webhook endpoint"),
        "page_pretitle": endpoint.url,
        "endpoint": endpoint,
        "deliveries": deliveries,
        "limit": _SHOWN,
        "max_attempts": webhooks.MAX_ATTEMPTS,
        "is_moving": any(row.state == WebhookDelivery.State.PENDING for row in deliveries),
        "selects": [
            {
                "name": "state",
                "label": _("All deliveries"),
                "choices": WebhookDelivery.State.choices,
                "value": state,
            }
        ],
    }
    partials = {"rows": "rows", "": "endpoint", "endpoint": "endpoint"}
    return render_page(request, "console/webhook.html", context, partial=partials)


class EndpointForm(forms.Form):
    """Where to call, and of what to tell."""

    url = forms.CharField(
        label=_l("Address"), max_length=500, help_text=_l("https, reachable from the internet.")
    )
    event_types = ListField(
        label=_l("Told of"),
        required=False,
        help_text=_l("Such as tier.upgraded, redemption.*; empty: everything."),
    )
    description = forms.CharField(label=_l("Name"), max_length=120, required=False)


def _place(form: forms.Form, error: DomainError) -> None:
    place_error(form, error)


@staff_page(p.KEYS_EDIT, methods=("GET", "POST"))
def create(request: StaffRequest) -> HttpResponse:
    """Add an address; its secret is shown in the answer."""
    form = EndpointForm(request.POST or None)
    if form.is_valid():
        try:
            endpoint = webhooks.create_endpoint(
                owner_id=None, by=request.actor, at=clock.now(), **form.cleaned_data
            )
        except DomainError as error:
            _place(form, error)
        else:
            return show_secret(
                request,
                title=_("The endpoint's secret"),
                lead=_("Check the signature of each call with it. It is shown this once."),
                secret=endpoint.secret,
            )
    return show_form(request, form, title=_("New webhook endpoint"), active="integrations")


@staff_page(p.KEYS_EDIT, methods=("GET", "POST"))
def edit(request: StaffRequest, endpoint_id: int) -> HttpResponse:
    """Change address, types or name."""
    endpoint = _get(endpoint_id)
    initial: dict[str, Any] = {
        name: getattr(endpoint, name) for name in ("url", "event_types", "description")
    }
    form = EndpointForm(request.POST or None, initial=initial)
    if form.is_valid():
        try:
            webhooks.update_endpoint(
                endpoint=endpoint, by=request.actor, at=clock.now(), **form.cleaned_data
            )
        except DomainError as error:
            _place(form, error)
        else:
            return _finish(request, endpoint, _("Saved."))
    return show_form(request, form, title=_("Change the endpoint"), active="integrations")


@staff_page(p.KEYS_EDIT, methods=("GET", "POST"))
def rotate(request: StaffRequest, endpoint_id: int) -> HttpResponse:
    """Give a new secret, shown once; for a day calls carry both signatures."""
    endpoint = _get(endpoint_id)
    if request.method == "POST":
        secret = webhooks.rotate_secret(endpoint=endpoint, by=request.actor, at=clock.now())
        return show_secret(
            request,
            title=_("The new secret"),
            lead=_("It is shown this once. For 24 hours calls are signed with the old one too."),
            secret=secret,
        )
    return show_form(
        request,
        forms.Form(),
        title=_("New secret"),
        active="integrations",
        lead=_("For 24 hours calls are signed with both secrets, so that nothing is lost."),
        submit=_("Make a new secret"),
    )


@staff_page(p.KEYS_EDIT, methods=("POST",))
def test(request: StaffRequest, endpoint_id: int) -> HttpResponse:
    """Queue a test call."""
    endpoint = _get(endpoint_id)
    webhooks.send_test(endpoint=endpoint, by=request.actor, at=clock.now())
    return _finish(request, endpoint, _("A test call is on its way."))


@staff_page(p.KEYS_EDIT, methods=("POST",))
def enable(request: StaffRequest, endpoint_id: int) -> HttpResponse:
    """Send to the endpoint again."""
    endpoint = _get(endpoint_id)
    webhooks.enable_endpoint(endpoint=endpoint, by=request.actor, at=clock.now())
    return _finish(request, endpoint, _("The endpoint is on."))


@staff_page(p.KEYS_EDIT, methods=("POST",))
def disable(request: StaffRequest, endpoint_id: int) -> HttpResponse:
    """Send nothing more to the endpoint."""
    endpoint = _get(endpoint_id)
    webhooks.disable_endpoint(
        endpoint=endpoint, reason=_("switched off by staff"), by=request.actor, at=clock.now()
    )
    return _finish(request, endpoint, _("The endpoint is off."))


@staff_page(p.KEYS_EDIT, methods=("POST",))
def delete(request: StaffRequest, endpoint_id: int) -> HttpResponse:
    """Remove the endpoint with its deliveries."""
    webhooks.delete_endpoint(endpoint=_get(endpoint_id), by=request.actor, at=clock.now())
    url = reverse("console:integrations")
    return finish(request, _("The endpoint is removed."), changed="integrations", url=url)


@staff_page(p.KEYS_EDIT, methods=("POST",))
def replay(request: StaffRequest, delivery_id: int) -> HttpResponse:
    """Send one delivery again with fresh tries."""
    delivery = webhooks.get_delivery(delivery_id=delivery_id, owner_id=None)
    webhooks.replay(delivery=delivery, by=request.actor, at=clock.now())
    return _finish(request, delivery.endpoint, _("It is sent again."))
