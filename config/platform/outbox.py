"""The mails that a demo or test installation has caught instead of sending."""

import email
import email.policy
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from pathlib import Path

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from members.profiles.registry import Traces

_SEPARATOR = b"\n" + b"-" * 79 + b"\n"
_MOST = 50


@dataclass(frozen=True, slots=True)
class CaughtMail:
    """One mail."""

    to: str
    subject: str
    sent: str
    text: str


@require_safe
def outbox(request: HttpRequest) -> HttpResponse:
    """Show the newest mails; `?to=` limits to one address, `?format=json` is for scripts."""
    if not (settings.DEMO or settings.TESTING):
        raise Http404
    mails = list_mails(Path(settings.MAIL_OUTBOX_DIR), to=request.GET.get("to", ""))
    if request.GET.get("format") == "json":
        items = [
            {"to": mail.to, "subject": mail.subject, "sent": mail.sent, "text": mail.text}
            for mail in mails
        ]
        return JsonResponse({"items": items})
    context = {
        "mails": mails,
        "page_title": _("Caught mails"),
        "plain_wide": True,
        "plain_bare": True,
    }
    return render(request, "platform/outbox.html", context)


def list_mails(folder: Path, *, to: str = "") -> list[CaughtMail]:
    """Return the newest mails in a folder of the file back end, newest first."""
    found: list[CaughtMail] = []
    files = sorted(folder.glob("*.log"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in files:
        for content in reversed(path.read_bytes().split(_SEPARATOR)):
            if not content.strip():
                continue
            mail = _parse(content)
            if not to or mail.to.lower() == to.lower():
                found.append(mail)
            if len(found) >= _MOST:
                return found
    return found


def erase_mails(*, traces: Traces, at: datetime) -> int:
    """Take the caught mails to an erased address out of the outbox of a demo."""
    count = 0
    if not (settings.DEMO or settings.TESTING):
        return count
    for path in Path(settings.MAIL_OUTBOX_DIR).glob("*.log"):
        mails = [mail for mail in path.read_bytes().split(_SEPARATOR) if mail.strip()]
        kept = [mail for mail in mails if _parse(mail).to.lower() not in traces.names]
        if len(kept) < len(mails):
            path.write_bytes(b"".join(mail + _SEPARATOR for mail in kept))
            count += len(mails) - len(kept)
    return count


def _parse(content: bytes) -> CaughtMail:
    message = email.message_from_bytes(content, _class=EmailMessage, policy=email.policy.default)
    part = message.get_body(("plain",))
    return CaughtMail(
        to=str(message["To"] or ""),
        subject=str(message["Subject"] or ""),
        sent=str(message["Date"] or ""),
        text=part.get_content() if part is not None else "",
    )
