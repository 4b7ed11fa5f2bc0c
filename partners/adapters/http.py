"""The generic adapter: HTTP with JSON, described by settings instead of code."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from django.utils.dateparse import parse_datetime
from standardwebhooks import Webhook

from partners.adapters import templates
from partners.adapters.http_settings import check_settings
from partners.adapters.values import Action, Answer, OrderFacts, Verdict
from tenants.events import outbound

_MAX_TEXT = 200
_DAY_SECONDS = 86_400


class HttpKind:
    """Makes HTTP adapters."""

    def check(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Return the settings, complete and checked.

        :raises InvalidConnectionError: naming the setting that is wrong.
        """
        return check_settings(settings)

    def build(self, settings: Mapping[str, Any], *, secret: str) -> "HttpAdapter":
        """Return an adapter for checked settings."""
        return HttpAdapter(settings, secret)


@dataclass(frozen=True, slots=True)
class HttpAdapter:
    """Calls one partner's system as its settings say."""

    settings: Mapping[str, Any]
    secret: str

    @property
    def can_ask(self) -> bool:
        """Tell whether the settings say how the status is asked for."""
        return self.settings["status"] is not None

    def request(self, facts: OrderFacts) -> Answer:
        """Ask the partner to take the order."""
        return self._call(Action.REQUEST, facts, otherwise=Verdict.ACCEPTED)

    def cancel(self, facts: OrderFacts) -> Answer:
        """Tell the partner that the order is no longer wanted, where it can be told."""
        if self.settings["cancel"] is None:
            return Answer(Verdict.REFUSED, error="this partner can not be told by machine")
        answer = self._call(Action.CANCEL, facts, otherwise=Verdict.CANCELLED)
        gone = answer.verdict in {Verdict.NOT_FOUND, Verdict.DECLINED}
        return replace(answer, verdict=Verdict.CANCELLED) if gone else answer

    def status(self, facts: OrderFacts) -> Answer:
        """Ask how the order stands."""
        return self._call(Action.STATUS, facts, otherwise=Verdict.UNCLEAR)

    def _call(self, action: Action, facts: OrderFacts, *, otherwise: Verdict) -> Answer:
        template = self.settings[action]
        values = templates.list_facts(facts)
        body = b""
        if template.get("body") is not None:
            filled = templates.fill_body(template["body"], values)
            body = json.dumps(filled, ensure_ascii=False).encode()
        headers = {
            name: templates.fill_header(text, values)
            for name, text in self.settings["headers"].items()
        }
        try:
            reply = outbound.send(
                template["method"],
                templates.fill_url(template["url"], values),
                body=body,
                headers={**headers, **self._own_headers(facts, body)},
            )
        except outbound.RefusedAddressError as refusal:
            return Answer(Verdict.REFUSED, error=f"refused: {refusal}")
        except outbound.CallFailedError as failure:
            return Answer(Verdict.UNCLEAR, error=str(failure))
        return self._read(action, facts, reply, otherwise)

    def _own_headers(self, facts: OrderFacts, body: bytes) -> dict[str, str]:
        headers = {"Accept": "application/json", "Idempotency-Key": facts.key}
        if body:
            headers["Content-Type"] = "application/json"
        auth = self.settings["auth"]
        match auth["kind"]:
            case "bearer":
                headers["Authorization"] = f"Bearer {self.secret}"
            case "basic":
                pair = f"{auth['user']}:{self.secret}".encode()
                headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
            case "header":
                headers[auth["name"]] = self.secret
            case "signature":
                signed = Webhook(self.secret).sign(facts.key, facts.sent_at, body.decode())
                headers |= {
                    "webhook-id": facts.key,
                    "webhook-timestamp": str(int(facts.sent_at.timestamp())),
                    "webhook-signature": signed,
                }
        return headers

    def _read(
        self, action: Action, facts: OrderFacts, reply: outbound.Reply, otherwise: Verdict
    ) -> Answer:
        status = reply.status
        if not 200 <= status < 300:
            return _read_refusal(action, reply)
        pointers = self.settings["answer"]
        if not pointers:
            verdict = Verdict.PENDING if status == 202 and action == Action.REQUEST else otherwise
            return Answer(verdict, status)
        try:
            body = json.loads(reply.body)
        except ValueError:
            # Done or not, nobody can tell. Only a cancellation needs no words.
            if action == Action.CANCEL:
                return Answer(otherwise, status)
            return Answer(Verdict.UNCLEAR, status, "the answer is not JSON")
        told = {name: _text_at(body, pointer) for name, pointer in pointers.items()}
        if told.get("order") and told["order"] != facts.number:
            return Answer(Verdict.UNCLEAR, status, "the answer is about another order")
        verdict = otherwise
        if "state" in pointers and (action != Action.CANCEL or told["state"]):
            word = told["state"]
            if word not in self.settings["states"]:
                return Answer(Verdict.UNCLEAR, status, f"the answer's state is {word[:40]!r}")
            verdict = Verdict(self.settings["states"][word])
        return Answer(
            verdict,
            status,
            reference=told.get("reference", "")[:_MAX_TEXT],
            when=_time(told.get("when", "")),
            reason=told.get("reason", "")[:_MAX_TEXT],
            code=told.get("code", "")[:40],
        )


def _read_refusal(action: Action, reply: outbound.Reply) -> Answer:
    status = reply.status
    error = f"answered {status}"
    match status:
        case 410:
            return Answer(Verdict.GONE, status, error)
        case 404 if action != Action.REQUEST:
            return Answer(Verdict.NOT_FOUND, status, error)
        case 408 | 425 | 429:
            return Answer(Verdict.RETRY, status, error, retry_after=_seconds(reply.retry_after))
        case 409 if action == Action.REQUEST:
            # It may well be that it has the order already.
            return Answer(Verdict.UNCLEAR, status, error)
        case _ if 300 <= status < 400:
            return Answer(Verdict.REFUSED, status, f"{error}: redirects are never followed")
        case _ if 400 <= status < 500:
            return Answer(Verdict.REFUSED, status, error)
    return Answer(Verdict.UNCLEAR, status, error, retry_after=_seconds(reply.retry_after))


def _seconds(text: str) -> int:
    """Return the seconds of a `Retry-After`, at most a day; 0 for a date or nonsense."""
    return min(int(text), _DAY_SECONDS) if text.isascii() and text.isdigit() else 0


def _time(text: str) -> datetime | None:
    try:
        found = parse_datetime(text)
    except ValueError:
        return None
    # A time without its zone may mean any of 25.
    return found.astimezone(UTC) if found is not None and found.tzinfo is not None else None


def _text_at(body: Any, pointer: str) -> str:
    """Return the text or number at a JSON pointer, or an empty text."""
    for raw in pointer.split("/")[1:]:
        name = raw.replace("~1", "/").replace("~0", "~")
        if isinstance(body, Mapping):
            body = body.get(name)
        elif isinstance(body, list) and name.isdigit() and int(name) < len(body):
            body = body[int(name)]
        else:
            return ""
    return str(body) if isinstance(body, (str, int)) and not isinstance(body, bool) else ""
