"""Keys of the brand's own systems, and the list of its webhook endpoints."""

from datetime import datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l

from console.access import StaffRequest, staff_page
from console.dialogs import finish, refuse, show_form
from console.forms import DateInput
from console.nav import shell
from core import clock
from core.errors import DomainError
from core.web.responses import is_fragment, render_page, trigger
from tenants.accounts import permissions as p
from tenants.accounts.keys import create_api_key, list_api_keys, revoke_api_key
from tenants.accounts.models import ApiKey
from tenants.brands.context import current_brand
from tenants.events.webhooks import list_endpoints

# What a key of the brand's systems may do; a test holds them equal to what the API asks for.
SCOPES = (
    ("members:read", _l("Read members")),
    ("members:write", _l("Enrol and change members")),
    ("purchases:read", _l("Read purchases")),
    ("members:export", _l("Take copies of all data of a member")),
    ("members:erase", _l("Erase members")),
    ("purchases:write", _l("Send purchases and refunds")),
    ("earning:read", _l("Read and simulate earning rules")),
    ("events:write", _l("Send activity events")),
    ("events:read", _l("Read what happened")),
    ("segments:read", _l("Read segments and scores")),
    ("segments:export", _l("Export the members of segments")),
    ("points:read", _l("Read points")),
    ("points:write", _l("Change and hold points")),
    ("points:approve", _l("Consent to adjustments of others")),
    ("benefits:read", _l("Read benefits and redemptions")),
    ("grants:write", _l("Give benefits and take them back")),
    ("redemptions:write", _l("Redeem benefits")),
    ("budget:read", _l("Read the budget and its reserve")),
    ("insights:read", _l("Read facts and measures")),
    ("mall:read", _l("Read the points mall")),
    ("mall:write", _l("Order in the points mall")),
    ("jobs:read", _l("Follow jobs")),
    ("webhooks:read", _l("Read webhook endpoints")),
    ("webhooks:write", _l("Change webhook endpoints")),
)


@staff_page(p.KEYS_EDIT)
def index(request: StaffRequest) -> HttpResponse:
    """List the keys and the endpoints."""
    now = clock.now()
    context = {
        **shell(request, active="integrations"),
        "page_title": _("API and webhooks"),
        "keys": [
            {"key": key, "state": _state(key, now)} for key in list_api_keys(kind=ApiKey.Kind.BRAND)
        ],
        "endpoints": list_endpoints(owner_id=None),
    }
    return render_page(request, "console/integrations.html", context, partial="lists")


def _state(key: ApiKey, now: datetime) -> tuple[str, str]:
    if key.revoked_at is not None:
        return "revoked", _("Revoked")
    if key.expires_at is not None and key.expires_at <= now:
        return "expired", _("Expired")
    return "active", _("In use") if key.last_used_at else _("Not used yet")


class KeyForm(forms.Form):
    """A key for one of the brand's systems."""

    name = forms.CharField(
        label=_l("Name"), max_length=80, help_text=_l("The system that will hold it.")
    )
    is_live = forms.TypedChoiceField(
        label=_l("For"),
        choices=[("yes", _l("Live use")), ("no", _l("Trying out"))],
        coerce=lambda value: value == "yes",
    )
    scopes = forms.MultipleChoiceField(
        label=_l("Rights"),
        choices=SCOPES,
        widget=forms.CheckboxSelectMultiple(),
        help_text=_l("As little as the system needs."),
    )
    expires_on = forms.DateField(
        label=_l("Expires on"), widget=DateInput(), required=False, help_text=_l("Empty: never.")
    )

    def facts(self) -> dict[str, Any]:
        """Return what the operation takes."""
        data = dict(self.cleaned_data)
        day = data.pop("expires_on")
        zone = ZoneInfo(current_brand().timezone)
        return {**data, "expires_at": day and datetime.combine(day, time(), tzinfo=zone)}


@staff_page(p.KEYS_EDIT, methods=("GET", "POST"))
def create_key(request: StaffRequest) -> HttpResponse:
    """Make a key; its text is shown in the answer and never again."""
    form = KeyForm(request.POST or None)
    if form.is_valid():
        try:
            key, text = create_api_key(
                kind=ApiKey.Kind.BRAND, by=request.actor, at=clock.now(), **form.facts()
            )
        except DomainError as error:
            refuse(form, error)
        else:
            return show_secret(
                request,
                title=_("Your new key"),
                lead=_("This is the key “%(name)s”. It is shown this once: copy it now.")
                % {"name": key.name},
                secret=text,
            )
    title, submit = _("New API key"), _("Make the key")
    return show_form(request, form, title=title, active="integrations", submit=submit)


def show_secret(request: StaffRequest, *, title: str, lead: str, secret: str) -> HttpResponse:
    """Show a secret this once, in the dialog or as a page; the lists behind it refresh."""
    context = {
        **shell(request, active="integrations"),
        "page_title": title,
        "lead": lead,
        "secret": secret,
        "back": reverse("console:integrations"),
    }
    response = render_page(request, "console/secret.html", context, partial="secret")
    response["Cache-Control"] = "no-store"
    return trigger(response, "integrations:changed") if is_fragment(request) else response


@staff_page(p.KEYS_EDIT, methods=("POST",))
def revoke_key(request: StaffRequest, key_id: int) -> HttpResponse:
    """Make a key useless from now on."""
    revoke_api_key(key_id=key_id, by=request.actor, at=clock.now())
    url = reverse("console:integrations")
    return finish(request, _("The key is revoked."), changed="integrations", url=url)
