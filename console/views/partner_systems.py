"""A partner's own system: how it is called, what came of the calls, its callback secret."""

from typing import Any

from django import forms
from django.http import HttpResponse
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.text import format_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l

from console.access import StaffRequest, staff_page
from console.dialogs import finish, show_form
from console.fields import LinesField, place_error
from console.nav import shell
from console.views.integrations import show_secret
from core import clock
from core.errors import DomainError
from core.web.responses import render_page
from partners.adapters import operations, queries
from partners.adapters.models import Connection, PartnerCall
from partners.adapters.values import PARTNER_STATES
from partners.pool.models import Partner
from partners.pool.queries import get_partner
from tenants.accounts import permissions as p

_SHOWN = 50
_POINTERS = ("order", "state", "reference", "when", "reason", "code")
_CALLS = ("request", "cancel", "status")
_BODY = {"order": "{number}", "service": "{benefit}", "date": "{service_on}"}


def _url(partner: Partner) -> str:
    return reverse("console:partner_system", args=[partner.code])


def _finish(request: StaffRequest, partner: Partner, message: str | Promise) -> HttpResponse:
    return finish(request, message, changed="systems", url=_url(partner))


@staff_page(p.PARTNERS_EDIT)
def show(request: StaffRequest, code: str) -> HttpResponse:
    """Show how a partner's system is called and its latest calls."""
    partner = get_partner(code=code)
    connection = queries.find_connection(partner_id=partner.pk)
    calls = queries.list_calls(connection=connection, limit=_SHOWN) if connection else []
    context = {
        **shell(request, active="partners"),
        "page_title": _("The partner’s own system"),
        "page_pretitle": partner.name,
        "partner": partner,
        "connection": connection,
        "calls": calls,
        "limit": _SHOWN,
        "is_moving": any(call.state == PartnerCall.State.PENDING for call in calls),
        "callback_url": request.build_absolute_uri(f"/api/partner/v1/callbacks/{partner.code}"),
    }
    partials = {"rows": "rows", "": "system", "system": "system"}
    return render_page(request, "console/partner_system.html", context, partial=partials)


class PairsField(LinesField):
    """Pairs typed one a line, such as `done = fulfilled`; cleaned to a map."""

    def __init__(self, *, mark: str, **options: Any) -> None:
        super().__init__(**options)
        self.mark = mark

    def prepare_value(self, value: Any) -> Any:
        """Return the map as lines."""
        if isinstance(value, dict):
            return "\n".join(f"{name} {self.mark} {text}" for name, text in value.items())
        return super().prepare_value(value)

    def to_python(self, value: Any) -> Any:
        """Return the lines as a map."""
        pairs: dict[str, str] = {}
        for number, line in enumerate(super().to_python(value), start=1):
            name, mark, text = line.partition(self.mark)
            if not mark or not name.strip() or not text.strip():
                raise forms.ValidationError(
                    _("Line %(number)d is no pair with “%(mark)s” between.")
                    % {"number": number, "mark": self.mark}
                )
            pairs[name.strip()] = text.strip()
        return pairs


class SystemForm(forms.Form):
    """How the system is called, in fields instead of code."""

    request_url = forms.CharField(
        label=_l("Address for requests"),
        max_length=500,
        help_text=_l("A POST. Holes such as {number} are filled in; the host has none."),
    )
    request_body = forms.JSONField(
        label=_l("Body of a request"),
        required=False,
        help_text=_l(
            "JSON. Holes: {number}, {benefit}, {benefit_name}, {region}, {wanted_at}, "
            "{service_on}, {price_minor}, {currency}, {reference}."
        ),
    )
    cancel_url = forms.CharField(
        label=_l("Address for cancellations"), max_length=500, required=False
    )
    status_url = forms.CharField(
        label=_l("Address for the status"), max_length=500, required=False, help_text=_l("A GET.")
    )
    auth_kind = forms.ChoiceField(
        label=_l("Signs in by"),
        choices=[
            ("none", _l("Nothing")),
            ("bearer", _l("Bearer token")),
            ("basic", _l("User and password")),
            ("header", _l("A header of its own")),
            ("signature", _l("Signature (Standard Webhooks)")),
        ],
    )
    auth_name = forms.CharField(label=_l("Name of the header"), max_length=60, required=False)
    auth_user = forms.CharField(label=_l("User"), max_length=120, required=False)
    secret = forms.CharField(
        label=_l("Token, password or secret"),
        required=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text=_l("Empty: the one on file stays. Kept encrypted and never shown."),
    )
    headers = PairsField(
        mark=":", label=_l("More headers"), required=False, help_text=_l("One a line, Name: text.")
    )
    state = forms.CharField(
        label=_l("Where the state stands"),
        max_length=200,
        required=False,
        help_text=_l("A JSON pointer into the answer, such as /order/state."),
    )
    states = PairsField(
        mark="=",
        label=_l("What its words mean"),
        required=False,
        help_text=format_lazy(
            "{} {}", _l("One a line, such as done = fulfilled. Ours:"), ", ".join(PARTNER_STATES)
        ),
    )
    order = forms.CharField(label=_l("Where our number stands"), max_length=200, required=False)
    reference = forms.CharField(
        label=_l("Where its own number stands"), max_length=200, required=False
    )
    when = forms.CharField(label=_l("Where the time stands"), max_length=200, required=False)
    reason = forms.CharField(label=_l("Where the reason stands"), max_length=200, required=False)
    code = forms.CharField(
        label=_l("Where the member’s code stands"), max_length=200, required=False
    )
    repeat = forms.ChoiceField(
        label=_l("When an answer is missing"),
        choices=[
            ("idempotent", _l("Send again: it knows our Idempotency-Key")),
            ("ask", _l("Ask for the status first")),
            ("never", _l("Cancel there and ask the next partner")),
        ],
    )
    proof = forms.ChoiceField(
        label=_l("Fulfilled is proved by"),
        choices=[
            ("code", _l("the member’s verification code")),
            ("reference", _l("its own number: we take its word")),
        ],
    )
    poll_minutes = forms.IntegerField(
        label=_l("Asked every … minutes"), min_value=1, max_value=1440, initial=15
    )

    def settings(self, before: dict[str, Any]) -> dict[str, Any]:
        """Return the connection's settings; methods set otherwise stay as they were."""
        data = self.cleaned_data
        calls = {name: _call(data, name, before.get(name) or {}) for name in _CALLS}
        auth = {"kind": data["auth_kind"]}
        auth |= {name: data[f"auth_{name}"] for name in ("name", "user") if data[f"auth_{name}"]}
        return {
            **calls,
            "auth": auth,
            "headers": data["headers"],
            "answer": {name: data[name] for name in _POINTERS if data[name]},
            "states": data["states"],
            "repeat": data["repeat"],
            "proof": data["proof"],
            "poll_minutes": data["poll_minutes"],
        }


def _call(data: dict[str, Any], name: str, before: dict[str, Any]) -> dict[str, Any] | None:
    if not data[f"{name}_url"]:
        return None
    body = data["request_body"] if name == "request" else before.get("body")
    method = before.get("method", "GET" if name == "status" else "POST")
    return {"method": method, "url": data[f"{name}_url"], "body": body}


def _initial(connection: Connection | None) -> dict[str, Any]:
    if connection is None:
        return {"request_body": _BODY, "repeat": "idempotent", "proof": "code"}
    found = connection.settings
    return {
        **{f"{name}_url": (found[name] or {}).get("url", "") for name in _CALLS},
        "request_body": found["request"]["body"],
        "auth_kind": found["auth"]["kind"],
        "auth_name": found["auth"].get("name", ""),
        "auth_user": found["auth"].get("user", ""),
        **{name: found["answer"].get(name, "") for name in _POINTERS},
        **{name: found[name] for name in ("headers", "states", "repeat", "proof", "poll_minutes")},
    }


@staff_page(p.PARTNERS_EDIT, methods=("GET", "POST"))
def edit(request: StaffRequest, code: str) -> HttpResponse:
    """Say how the partner's system is called."""
    partner = get_partner(code=code)
    connection = queries.find_connection(partner_id=partner.pk)
    form = SystemForm(request.POST or None, initial=_initial(connection))
    if form.is_valid():
        try:
            operations.set_connection(
                partner=partner,
                settings=form.settings(connection.settings if connection else {}),
                secret=form.cleaned_data["secret"] or (None if connection else ""),
                by=request.actor,
                at=clock.now(),
            )
        except DomainError as error:
            _place(form, error)
        else:
            return _finish(request, partner, _("Saved."))
    return show_form(
        request,
        form,
        title=_("How its system is called"),
        active="partners",
        lead=_("Orders offered to this partner are sent there at once; nothing personal is told."),
    )


def _place(form: SystemForm, error: DomainError) -> None:
    """Put a refusal beside its field: `/settings/answer/state` is `state`."""
    steps = str(error.data.get("pointer", "")).strip("/").split("/")[1:]
    names = {"request": "request_url", "cancel": "cancel_url", "status": "status_url"}
    names |= {"auth": "auth_kind"}
    tries = ["_".join(steps[:2]), names.get(steps[0], "") if steps else "", *steps[::-1]]
    field = next((name for name in tries if name in form.fields), None)
    if field is None:
        place_error(form, error)
    else:
        form.add_error(field, error.detail)


@staff_page(p.PARTNERS_EDIT, methods=("GET", "POST"))
def rotate(request: StaffRequest, code: str) -> HttpResponse:
    """Give a new secret for callbacks, shown once."""
    partner = get_partner(code=code)
    connection = queries.get_connection(partner_code=partner.code)
    if request.method == "POST":
        secret = operations.rotate_callback_secret(
            connection=connection, by=request.actor, at=clock.now()
        )
        return show_secret(
            request,
            title=_("Secret of callbacks"),
            lead=_("The partner signs its callbacks with it. It is shown this once."),
            secret=secret,
        )
    return show_form(
        request,
        forms.Form(),
        title=_("New secret for callbacks"),
        active="partners",
        lead=_("Callbacks signed with the old secret are refused from now on."),
        submit=_("Make a new secret"),
    )


@staff_page(p.PARTNERS_EDIT, methods=("POST",))
def switch(request: StaffRequest, code: str, how: str) -> HttpResponse:
    """Call the system again, or no more."""
    partner = get_partner(code=code)
    connection = queries.get_connection(partner_code=partner.code)
    if how == "on":
        operations.enable_connection(connection=connection, by=request.actor, at=clock.now())
        return _finish(request, partner, _("Its system is called again."))
    operations.disable_connection(
        connection=connection, reason=_("switched off by staff"), by=request.actor, at=clock.now()
    )
    return _finish(request, partner, _("Its system is called no more."))
