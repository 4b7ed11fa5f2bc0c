"""What a member may use now and why, as staff see it: the same answer, with how it was ordered."""

from typing import Any

from django.utils.functional import Promise
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from benefits.grants.queries import UsableBenefit, what_may_i_use
from benefits.grants.reasons import reason_text
from benefits.grants.relevance import WEIGHTS
from core import clock
from members.profiles.models import Member

_PARTS: dict[str, str | Promise] = {
    "own": _("Own use"),
    "peers": _("Members alike"),
    "worth": _("Worth"),
    "soon": _("Ends soon"),
}


def usable_rows(member: Member) -> list[dict[str, Any]]:
    """Return every benefit as the member sees it, in the member's order."""
    found = what_may_i_use(member=member, at=clock.now(), lang=get_language() or "")
    return [
        {
            "item": item,
            "place": place if item.usable else None,
            "reasons": [reason_text(reason) for reason in (item.reasons or item.why)],
            "rules": sorted({str(r.data["rule"]) for r in item.reasons if "rule" in r.data}),
            "parts": _parts(item),
        }
        for place, item in enumerate(found, start=1)
    ]


def _parts(item: UsableBenefit) -> list[dict[str, Any]]:
    """Return what each part adds to the score (0–1000), largest first."""
    if not item.usable or item.relevance is None:
        return []
    parts = [
        {"label": _PARTS[name], "points": WEIGHTS[name] * value // 100}
        for name, value in item.relevance.parts.items()
    ]
    return sorted((part for part in parts if part["points"]), key=lambda part: -part["points"])
