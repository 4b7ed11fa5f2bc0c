"""Writing what a member agrees to, with the proof. For the operations of this room."""

from collections.abc import Mapping
from datetime import datetime

from django.db.models import Max
from django.utils.translation import gettext_lazy as _

from core.actors import Actor
from members.profiles.errors import InvalidMemberError
from members.profiles.models import ConsentChange, ConsentPurpose, Member, MemberPersonal
from tenants.events.operations import emit_many

_SOURCES = {
    "staff": ConsentChange.Source.CONSOLE,
    "operator": ConsentChange.Source.CONSOLE,
    "member": ConsentChange.Source.PORTAL,
    "api": ConsentChange.Source.API,
}


def apply_consents(
    *,
    member: Member,
    personal: MemberPersonal,
    given: Mapping[str, bool],
    by: Actor,
    at: datetime,
    source: str = "",
) -> dict[str, list[bool | None]]:
    """Set what differs on the personal row, without saving it, and write the history.

    A consent given again to newer words is a change too. Return purpose → [old, new]; an event
    tells of each.

    :raises InvalidMemberError: for a purpose that the brand does not ask for.
    """
    if not given:
        return {}
    purposes = {
        purpose.code: purpose
        for purpose in ConsentPurpose.objects.filter(code__in=list(given)).annotate(
            newest=Max("texts__version")
        )
    }
    for code in given:
        if code not in purposes or (not purposes[code].is_active and given[code]):
            raise InvalidMemberError(
                _("The programme does not ask for this consent."), pointer=f"/consents/{code}"
            )
    agreed = _agreed_versions(member, purposes)
    changes: dict[str, list[bool | None]] = {}
    rows = []
    for code, is_given in given.items():
        old = personal.consents.get(code)
        newest = purposes[code].newest
        if old is None and not is_given:
            continue  # never asked, and still no
        if old == is_given and (not is_given or agreed.get(code) == newest):
            continue
        personal.consents = {**personal.consents, code: is_given}
        changes[code] = [old, is_given]
        rows.append(
            ConsentChange(
                member=member,
                purpose=purposes[code],
                is_given=is_given,
                text_version=newest,
                source=source or _SOURCES.get(by.kind, ConsentChange.Source.SYSTEM),
                actor=by.key,
                at=at,
            )
        )
    ConsentChange.objects.bulk_create(rows)
    emit_many(
        type="member.consent_changed",
        events=[
            (f"member:{member.pk}", {"purpose": code, "given": given[code]}) for code in changes
        ],
        at=at,
    )
    return changes


def _agreed_versions(
    member: Member, purposes: Mapping[str, ConsentPurpose]
) -> dict[str, int | None]:
    """Return the version of the words that each standing consent was given to."""
    rows = (
        ConsentChange.objects.filter(member=member, purpose__in=purposes.values(), is_given=True)
        .order_by("id")
        .values_list("purpose__code", "text_version")
    )
    # The newest of each purpose comes last and stays.
    return dict(rows)
