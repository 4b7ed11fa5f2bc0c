"""The settings of the generic HTTP adapter, checked.

They are::

    {"auth":    {"kind": "none" | "bearer" | "basic" | "header" | "signature", "name", "user"},
     "headers": {name: template},
     "request": {"method", "url": template, "body": template},
     "cancel":  the same, or null,
     "status":  the same, or null,
     "answer":  {"order", "state", "reference", "when", "reason", "code": pointers (RFC 6901)},
     "states":  {the partner's word: one of `PARTNER_STATES`},
     "repeat":  "idempotent" | "ask" | "never",
     "proof":   "code" | "reference",
     "poll_minutes": 1 to 1440}

`repeat` says what is safe after a call whose outcome nobody knows: to send it again with the
same `Idempotency-Key`, to ask for the status first, or neither. `proof` says what a partner's
word "fulfilled" must bring along: the member's verification code, or its own reference.
"""

import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from django.utils.translation import gettext as _

from partners.adapters import templates
from partners.adapters.errors import InvalidConnectionError
from partners.adapters.values import PARTNER_STATES
from tenants.events import outbound

_NAMES: Final = frozenset(
    {
        "auth",
        "headers",
        "request",
        "cancel",
        "status",
        "answer",
        "states",
        "repeat",
        "proof",
        "poll_minutes",
    }
)
_AUTH_KINDS: Final = ("none", "bearer", "basic", "header", "signature")
_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
_POINTERS: Final = ("order", "state", "reference", "when", "reason", "code")
# Set by ourselves, or dangerous in strangers' hands.
_OWN_HEADERS: Final = frozenset(
    {"host", "content-length", "content-type", "connection", "transfer-encoding", "cookie"}
    | {"authorization", "idempotency-key", "user-agent", "accept-encoding"}
)
_MAX_SETTINGS_BYTES = 20_000
_MAX_TEXT = 200
_REPEATS: Final = ("idempotent", "ask", "never")


def check_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings, complete and checked.

    :raises InvalidConnectionError: naming the setting that is wrong.
    """
    unknown = sorted(set(settings) - _NAMES)
    if unknown:
        raise _wrong(_("There is no such setting."), f"/{unknown[0]}")
    if len(json.dumps(settings)) > _MAX_SETTINGS_BYTES:
        raise _wrong(_("The settings are too long."), "")
    found: dict[str, Any] = {
        "auth": _check_auth(settings.get("auth") or {"kind": "none"}),
        "headers": _check_headers(settings.get("headers") or {}),
        "request": _check_call(settings.get("request"), "/request"),
        "cancel": _check_optional(settings, "cancel"),
        "status": _check_optional(settings, "status"),
        "answer": _check_answer(settings.get("answer") or {}),
        "states": _check_states(settings.get("states") or {}),
        "repeat": _one_of(settings.get("repeat", "idempotent"), _REPEATS, "/repeat"),
        "proof": _one_of(settings.get("proof", "code"), ("code", "reference"), "/proof"),
        "poll_minutes": _check_minutes(settings.get("poll_minutes", 15)),
    }
    if found["repeat"] == "ask" and found["status"] is None:
        raise _wrong(_("To ask first, say how the status is asked for."), "/status")
    if found["status"] is not None and "state" not in found["answer"]:
        raise _wrong(_("Say where in an answer the state stands."), "/answer/state")
    if "state" in found["answer"] and not found["states"]:
        raise _wrong(_("Say what the partner’s words for states mean."), "/states")
    return found


def _check_auth(auth: Any) -> dict[str, str]:
    if not isinstance(auth, Mapping):
        raise _wrong(_("This is not a table of settings."), "/auth")
    kind = _one_of(auth.get("kind"), _AUTH_KINDS, "/auth/kind")
    found = {"kind": kind}
    if kind == "header":
        found["name"] = _header_name(auth.get("name"), "/auth/name", may=("authorization",))
    if kind == "basic":
        found["user"] = _short_text(auth.get("user"), "/auth/user")
        if ":" in found["user"]:
            raise _wrong(_("A user name has no colon."), "/auth/user")
    return found


def _check_headers(headers: Any) -> dict[str, str]:
    if not isinstance(headers, Mapping):
        raise _wrong(_("This is not a table of settings."), "/headers")
    for name, text in headers.items():
        _header_name(name, f"/headers/{name}")
        _check_template(_short_text(text, f"/headers/{name}"), f"/headers/{name}")
    return dict(headers)


def _check_optional(settings: Mapping[str, Any], name: str) -> dict[str, Any] | None:
    return None if settings.get(name) is None else _check_call(settings[name], f"/{name}")


def _check_call(call: Any, pointer: str) -> dict[str, Any]:
    if not isinstance(call, Mapping):
        raise _wrong(_("Say how it is called: method, address and body."), pointer)
    method = _one_of(call.get("method", "POST"), _METHODS, f"{pointer}/method")
    url = _short_text(call.get("url"), f"{pointer}/url", longest=500)
    _check_template(url, f"{pointer}/url")
    if "{" in url and "{" in (urlsplit(url).netloc + urlsplit(url).scheme):
        raise _wrong(_("The host is fixed; only what follows may have holes."), f"{pointer}/url")
    try:
        outbound.check_url(url.replace("{", "").replace("}", ""))
    except outbound.RefusedAddressError as refusal:
        raise _wrong(
            _("This address is not called: %(why)s.") % {"why": refusal}, f"{pointer}/url"
        ) from None
    body = call.get("body")
    if body is not None and method == "GET":
        raise _wrong(_("A GET has no body."), f"{pointer}/body")
    _check_template(body, f"{pointer}/body")
    return {"method": method, "url": url, "body": body}


def _check_template(template: Any, pointer: str) -> None:
    fault = templates.find_fault(template)
    if fault:
        raise _wrong(
            _("%(hole)s is none of the facts: %(facts)s.")
            % {"hole": fault, "facts": ", ".join(sorted(templates.HOLES))},
            pointer,
        )


def _check_answer(answer: Any) -> dict[str, str]:
    if not isinstance(answer, Mapping):
        raise _wrong(_("This is not a table of settings."), "/answer")
    for name, pointer in answer.items():
        _one_of(name, _POINTERS, f"/answer/{name}")
        if not isinstance(pointer, str) or not pointer.startswith("/") or len(pointer) > _MAX_TEXT:
            raise _wrong(_("Write a JSON pointer such as /order/state."), f"/answer/{name}")
    return dict(answer)


def _check_states(states: Any) -> dict[str, str]:
    if not isinstance(states, Mapping):
        raise _wrong(_("This is not a table of settings."), "/states")
    for word, state in states.items():
        _one_of(state, PARTNER_STATES, f"/states/{word}")
    return {word: str(state) for word, state in states.items()}


def _check_minutes(minutes: Any) -> int:
    if not isinstance(minutes, int) or isinstance(minutes, bool) or not 1 <= minutes <= 1440:
        raise _wrong(_("Minutes are a number from 1 to 1440."), "/poll_minutes")
    return minutes


def _one_of(value: Any, allowed: tuple[str, ...], pointer: str) -> str:
    if value not in allowed:
        raise _wrong(_("Choose one of: %(choices)s.") % {"choices": ", ".join(allowed)}, pointer)
    return str(value)


def _header_name(name: Any, pointer: str, *, may: tuple[str, ...] = ()) -> str:
    text = _short_text(name, pointer)
    if not text.replace("-", "").replace("_", "").isalnum() or not text.isascii():
        raise _wrong(_("This is no name of a header."), pointer)
    if text.lower() in _OWN_HEADERS.difference(may):
        raise _wrong(_("This header is set by the service itself."), pointer)
    return text


def _short_text(value: Any, pointer: str, *, longest: int = _MAX_TEXT) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > longest:
        raise _wrong(_("Write a text of at most %(count)d letters.") % {"count": longest}, pointer)
    return value


def _wrong(text: str, pointer: str) -> InvalidConnectionError:
    return InvalidConnectionError(text, pointer=f"/settings{pointer}")
