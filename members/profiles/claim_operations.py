"""Claiming a membership that a brand imported, by a code to the e-mail or phone on file.

Whoever asks learns nothing: the answer is the same whether the membership exists or not. Reasons
are told to those only who have proved the e-mail or phone by its code.
"""

import hashlib
import hmac
import secrets
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.core.mail import send_mail
from django.db import IntegrityError, connection, transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from core.ids import uuid7
from members.profiles import _fields, _names
from members.profiles.errors import (
    ClaimEndedError,
    ClaimNotPossibleError,
    EmailTakenError,
    InvalidMemberError,
    TooManyClaimsError,
    WrongClaimCodeError,
)
from members.profiles.models import Claim, Member, MemberPersonal
from tenants.accounts.models import User
from tenants.accounts.texting import can_text, send_text
from tenants.brands.context import current_brand
from tenants.events.operations import emit

GOOD_FOR = timedelta(minutes=10)
MAX_TRIES = 5
MAX_CODES_PER_HOUR = 3
_HOUR = timedelta(hours=1)
_DIGITS = 6


def request_claim(*, known_by: str, at: datetime) -> UUID:
    """Send a code to the e-mail or phone on file of the member so known; return the claim's key.

    `known_by` is a member number, the brand's own key, an e-mail or a phone number on file. An
    e-mail goes before a phone. The answer is a key in any case: for nobody, for a member who
    signs in already, and for one without anything on file, it leads nowhere.

    :raises TooManyClaimsError: if the member was sent three codes within the hour.
    """
    key = uuid7()
    code = f"{secrets.randbelow(10**_DIGITS):0{_DIGITS}d}"
    with transaction.atomic():
        member = _find(known_by)
        channel, address = _channel(member)
        if member is None or not channel:
            return key
        sent = Claim.objects.filter(member=member, sent_at__gt=at - _HOUR).order_by("sent_at")
        times = list(sent.values_list("sent_at", flat=True))
        if len(times) >= MAX_CODES_PER_HOUR:
            raise TooManyClaimsError(retry_at=times[-MAX_CODES_PER_HOUR] + _HOUR)
        Claim.objects.create(
            member=member,
            key=key,
            channel=channel,
            digest=_digest(key, code),
            sent_at=at,
            expires_at=at + GOOD_FOR,
        )
    text = _("%(brand)s: your code is %(code)s. It is good for ten minutes.") % {
        "brand": current_brand().name,
        "code": code,
    }
    # After the commit: a network call never waits inside a transaction.
    if channel == Claim.Channel.EMAIL:
        send_mail(_("Your code"), text, None, [address])
    else:
        send_text(to=address, text=text)
    return key


def confirm_claim(*, key: UUID, code: str, email: str = "", at: datetime) -> User:
    """Give the membership behind a claim to whoever has its code; return their new sign-in.

    With no e-mail on file `email` is needed: it becomes the member's, and the way to sign in.

    :raises WrongClaimCodeError: if the code is wrong; five wrong ones end the claim.
    :raises ClaimEndedError: if the claim has run out, was used, or never was.
    :raises ClaimNotPossibleError: if the member is blocked, erased or claimed; `reason` says it.
    :raises InvalidMemberError: if an e-mail address is needed and this is none.
    :raises EmailTakenError: if the address belongs to another member or sign-in.
    """
    with transaction.atomic():
        claim = Claim.objects.select_for_update().filter(key=key).first()
        if claim is None or claim.used_at is not None or claim.expires_at <= at:
            raise ClaimEndedError
        if claim.wrong_tries >= MAX_TRIES:
            raise ClaimEndedError
        right = hmac.compare_digest(claim.digest, _digest(key, code.strip()))
        if not right:
            claim.wrong_tries += 1
            claim.save(update_fields=["wrong_tries"])
            left = MAX_TRIES - claim.wrong_tries
    if not right:  # raised out here, so that the wrong try stays counted
        raise WrongClaimCodeError(tries_left=left, pointer="/code")
    try:
        with transaction.atomic():
            return _give(claim.pk, email, at)
    except IntegrityError as error:
        if "email" in str(error):
            raise EmailTakenError(pointer="/email") from error
        raise


def _give(claim_id: int, email: str, at: datetime) -> User:
    claim = Claim.objects.select_for_update().get(pk=claim_id)
    if claim.used_at is not None:
        raise ClaimEndedError
    member = Member.objects.select_for_update(no_key=True).get(pk=claim.member_id)
    _refuse(member)
    personal = MemberPersonal.objects.filter(member=member).first() or MemberPersonal(member=member)
    if not personal.email:
        personal.email = _fields.clean_email(email)
        if not personal.email:
            raise InvalidMemberError(
                _("Give the e-mail address you want to sign in with."), pointer="/email"
            )
        personal.save()
    if User.objects.filter(email__iexact=personal.email).exists():
        raise EmailTakenError(pointer="/email")
    user = User.objects.create_user(personal.email, name=personal.name)
    member.user = user
    member.save(update_fields=["user"])
    claim.used_at = at
    claim.save(update_fields=["used_at"])
    emit(
        type="member.claimed",
        subject=f"member:{member.pk}",
        data={"channel": claim.channel},
        at=at,
    )
    return user


def _refuse(member: Member) -> None:
    reasons = {
        Member.Status.BLOCKED: ("blocked", _("This membership is blocked. Please ask the brand.")),
        Member.Status.ERASED: ("erased", _("This membership was erased.")),
    }
    if member.status in reasons:
        reason, text = reasons[Member.Status(member.status)]
        raise ClaimNotPossibleError(text, reason=reason)
    if member.user_id is not None:
        raise ClaimNotPossibleError(
            _("This membership has a sign-in already. Sign in by its e-mail address."),
            reason="claimed",
        )


def _find(known_by: str) -> Member | None:
    text = known_by.strip()[:254]
    if not text or "\0" in text:
        return None
    digits = "".join(character for character in _names.fold(text) if character not in " -()./")
    found = Member.objects.select_related("personal").filter(
        Q(number=text.upper())
        | Q(external_id=text)
        | Q(personal__email=text.lower())
        | Q(personal__phone__in=[digits, f"+{digits}"])
    )
    # A phone that two members share leads to neither: a code must not open the wrong one.
    members = list(found.exclude(status=Member.Status.ERASED)[:2])
    if len(members) != 1:
        return None
    # Codes for one member wait for each other, so that the limit counts them all.
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM members_member WHERE id = %s FOR NO KEY UPDATE", [members[0].pk]
        )
    return members[0]


def _channel(member: Member | None) -> tuple[str, str]:
    personal = getattr(member, "personal", None)
    if member is None or member.user_id is not None or personal is None:
        return "", ""
    if personal.email:
        return Claim.Channel.EMAIL, personal.email
    if personal.phone and can_text():
        return Claim.Channel.PHONE, personal.phone
    return "", ""


def _digest(key: UUID, code: str) -> str:
    return hmac.new(
        settings.SECRET_KEY.encode(), f"claim:{key}:{code}".encode(), hashlib.sha256
    ).hexdigest()
