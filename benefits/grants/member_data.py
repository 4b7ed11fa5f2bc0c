"""What this room holds about members: for their export, and for erasing them."""

from django.db.models import Q
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from benefits.grants.models import Grant, Redemption
from members.profiles.registry import (
    DELETE,
    MemberTable,
    register_member_table,
    register_obstacle,
)
from members.profiles.words import refuse_naming
from tenants.audit.registry import guard_words

_OPEN = (Redemption.State.REQUESTED, Redemption.State.CONFIRMED)


def register() -> None:
    """Register everything; called once when the application is ready."""
    for table in (
        MemberTable(
            model="benefits.Grant", title=_("Benefits"), also={"benefit__code": _("Benefit")}
        ),
        MemberTable(
            model="benefits.GrantRevocation",
            title=_("Benefits taken back"),
            member="grant__member_id",
            hidden=frozenset({"actor"}),
        ),
        MemberTable(model="benefits.HoldOut", title=_("Compared without the benefit")),
        MemberTable(
            model="benefits.Redemption",
            title=_("Redemptions"),
            also={"benefit__code": _("Benefit")},
        ),
        MemberTable(
            model="benefits.RedemptionStep",
            title=_("Steps of redemptions"),
            member="redemption__member_id",
            erase={"reason": ""},
            # What the service itself noted names nobody.
            erase_where=~Q(actor__startswith="system"),
            hidden=frozenset({"actor"}),
        ),
        MemberTable(
            model="benefits.RedemptionNote",
            title=_("What you wrote"),
            member="redemption__member_id",
            erase=DELETE,
        ),
    ):
        register_member_table(table)
    register_obstacle(_open_redemptions)
    guard_words("grant", _refuse_for_grant)
    guard_words("redemption", _refuse_for_redemption)


def _open_redemptions(member_id: int) -> str | Promise | None:
    count = Redemption.objects.filter(member_id=member_id, state__in=_OPEN).count()
    if not count:
        return None
    return _("Finish or cancel the open redemptions first (%(count)s).") % {"count": count}


def _refuse_for_grant(target_id: str, text: str) -> None:
    _refuse(
        Grant.objects.filter(pk=int(target_id)).values_list("member_id", flat=True).first(), text
    )


def _refuse_for_redemption(target_id: str, text: str) -> None:
    found = Redemption.objects.filter(pk=int(target_id)).values_list("member_id", flat=True)
    _refuse(found.first(), text)


def _refuse(member_id: int | None, text: str) -> None:
    if member_id is not None:
        refuse_naming(member_id=member_id, text=text)
