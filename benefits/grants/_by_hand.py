"""Benefits given by hand that become points: they count like an adjustment by the same person."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from benefits.grants.models import Grant
from core.actors import Actor
from members.points.by_hand import register_hand_count
from members.points.errors import ConsentNeededError
from members.points.operations import check_by_hand, person_behind
from members.profiles.words import refuse_naming

BY_STAFF = "granted_by_staff"
_CREDIT = "points_credit"


def reason_of(reason: Mapping[str, Any] | None, *, member_id: int, by: Actor) -> dict[str, Any]:
    """Return why a right without a rule is given; by hand, with the person behind it.

    :raises NamesMemberError: if the note, which stays with the right, names the member.
    """
    given = dict(reason or {"code": BY_STAFF})
    if given.get("code") == BY_STAFF:
        refuse_naming(member_id=member_id, text=str(given.get("note", "")), pointer="/note")
        given["person"] = person_behind(by)
    return given


def check_points(grant: Grant, *, by: Actor, at: datetime) -> None:
    """Refuse a right just written that gives more points than its person may give alone.

    :raises ConsentNeededError: the way there is an adjustment, which asks somebody else.
    """
    points = _points(grant)
    if grant.reason.get("code") != BY_STAFF or not points:
        return
    try:
        check_by_hand(owner_id=grant.member_id, amount=points, by=by, at=at, is_counted=True)
    except ConsentNeededError as error:
        raise ConsentNeededError(
            _(
                "These are more points than one person may give. Adjust the points instead: then "
                "somebody else is asked to consent."
            ),
            pointer="/quantity",
            points=points,
            **error.data,
        ) from None


def register() -> None:
    """Register what counts by hand; called once when the application is ready."""
    register_hand_count("grants", _count)


def _count(owner_id: int, person: str, since: datetime) -> int:
    given = Grant.objects.filter(
        member_id=owner_id,
        rule__isnull=True,
        issued_at__gt=since,
        reason__code=BY_STAFF,
        reason__person=person,
        terms__content__kind=_CREDIT,
    )
    return sum(_points(grant) for grant in given.select_related("terms"))


def _points(grant: Grant) -> int:
    content = grant.terms.content
    if content["kind"] != _CREDIT:
        return 0
    return int(content["parameters"]["points"]) * grant.quantity
