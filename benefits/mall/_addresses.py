"""Addresses that members keep for their next order."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from benefits.mall.errors import InvalidOrderError, TooManyAddressesError, UnknownAddressError
from benefits.mall.models import MemberAddress
from core.actors import Actor
from members.profiles.models import Member
from members.profiles.operations import require_present

MAX_ADDRESSES = 10
_FIELDS = (("recipient", 120), ("phone", 40), ("lines", 1_000))


def save_address(
    *,
    member: Member,
    recipient: str,
    phone: str,
    lines: str,
    by: Actor,
    at: datetime,
    is_default: bool = False,
) -> MemberAddress:
    """Keep an address; the same one again returns it. The first one is the default.

    :raises InvalidOrderError: if a part is missing or too long; `pointer` names it.
    :raises TooManyAddressesError: if the member keeps ten.
    """
    facts = {"recipient": recipient.strip(), "phone": phone.strip(), "lines": lines.strip()}
    for name, longest in _FIELDS:
        if not facts[name] or len(facts[name]) > longest:
            raise InvalidOrderError(
                _("Goods need an address."), pointer=f"/address/{name}", longest=longest
            )
    with transaction.atomic():
        # One at a time for a member, so that there is one default.
        Member.objects.select_for_update().get(pk=member.pk)
        require_present(member_id=member.pk)
        mine = MemberAddress.objects.filter(member=member)
        address = mine.filter(**facts).first()
        if address is None:
            if mine.count() >= MAX_ADDRESSES:
                raise TooManyAddressesError(limit=MAX_ADDRESSES)
            is_default = is_default or not mine.exists()
            if is_default:
                mine.filter(is_default=True).update(is_default=False)
            address = MemberAddress.objects.create(
                member=member, is_default=is_default, created_at=at, **facts
            )
        elif is_default and not address.is_default:
            mine.filter(is_default=True).update(is_default=False)
            address.is_default = True
            address.save(update_fields=["is_default"])
    return address


def delete_address(*, member: Member, address_id: int, by: Actor, at: datetime) -> None:
    """Forget an address; the newest of the others becomes the default.

    :raises UnknownAddressError: if there is none, or it is another member's.
    """
    with transaction.atomic():
        Member.objects.select_for_update().get(pk=member.pk)
        mine = MemberAddress.objects.filter(member=member)
        address = mine.filter(pk=address_id).first()
        if address is None:
            raise UnknownAddressError(address=address_id)
        address.delete()
        newest = mine.order_by("-pk").first()
        if address.is_default and newest is not None:
            newest.is_default = True
            newest.save(update_fields=["is_default"])
