"""Texts that stay for ever must not name a member: then erasing the member need not touch them."""

from members.points.models import Account, AdjustmentRequest
from members.profiles import _traces
from members.profiles.errors import NamesMemberError
from members.profiles.models import Member


def refuse_naming(*, member_id: int, text: str, pointer: str = "/reason") -> None:
    """Refuse a text that names the member, by name, e-mail, phone or the brand's own key.

    For reasons that become part of the audit or the ledger.

    :raises NamesMemberError: naming the place.
    """
    member = Member.objects.select_related("personal").filter(pk=member_id).first()
    if member is None or not text:
        return
    personal = getattr(member, "personal", None)
    values = [member.external_id]
    if personal is not None:
        values += [personal.name, personal.email, personal.phone]
    if _traces.mentions(text, _traces.worth_seeking(values)):
        raise NamesMemberError(pointer=pointer)


def refuse_for_member(target_id: str, text: str) -> None:
    """Guard the audit of members."""
    refuse_naming(member_id=int(target_id), text=text)


def refuse_for_account(target_id: str, text: str) -> None:
    """Guard the audit of point accounts."""
    owner = Account.objects.filter(pk=int(target_id)).values_list("owner_id", flat=True).first()
    if owner is not None:
        refuse_naming(member_id=owner, text=text)


def refuse_for_request(target_id: str, text: str) -> None:
    """Guard the audit of adjustments that wait for somebody else's consent."""
    found = AdjustmentRequest.objects.filter(pk=int(target_id)).values_list("owner_id", flat=True)
    owner = found.first()
    if owner is not None:
        refuse_naming(member_id=owner, text=text)
