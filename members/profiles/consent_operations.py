"""What a brand asks its members' consent for, and what each member says to it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils.translation import gettext_lazy as _

from core.actors import Actor
from members.profiles import _attributes
from members.profiles._consents import apply_consents
from members.profiles.errors import (
    ErasedMemberError,
    InvalidAttributeError,
    InvalidPurposeError,
    PurposeExistsError,
    PurposeNotFoundError,
)
from members.profiles.models import ConsentPurpose, ConsentText, Member, MemberPersonal
from tenants.audit.operations import record

_LONGEST = 4000


def set_consent(
    *, member: Member, purpose: str, is_given: bool, by: Actor, at: datetime, source: str = ""
) -> bool:
    """Give or withdraw a consent; return whether that changed anything.

    Each change is kept for ever with who, when, by which way and to which words. Saying the same
    to the same words again changes nothing.

    :raises InvalidMemberError: if the brand does not ask for this consent.
    :raises ErasedMemberError: if the member was erased.
    """
    with transaction.atomic():
        locked = Member.objects.select_for_update(no_key=True).get(pk=member.pk)
        if locked.status == Member.Status.ERASED:
            raise ErasedMemberError
        personal = MemberPersonal.objects.filter(member=locked).first() or MemberPersonal(
            member=locked
        )
        changes = apply_consents(
            member=locked,
            personal=personal,
            given={purpose: is_given},
            by=by,
            at=at,
            source=source,
        )
        if not changes:
            return False
        personal.save()
        if by.kind in {"staff", "operator"}:
            record(
                by=by,
                at=at,
                action="member.consent_changed",
                target_type="member",
                target_id=locked.pk,
                changes={f"consents.{code}": list(change) for code, change in changes.items()},
            )
    return True


def define_purpose(
    *, code: str, label: Mapping[str, str], text: Mapping[str, str], by: Actor, at: datetime
) -> ConsentPurpose:
    """Ask members for one more consent, in these words (version 1).

    :raises InvalidPurposeError: for a part that can not be, named in `pointer`.
    :raises PurposeExistsError: if the code is taken.
    """
    if not _attributes.is_code(code):
        raise InvalidPurposeError(
            _("A code is made of small letters, digits and _ and begins with a letter."),
            pointer="/code",
        )
    name, words = _label(label), _text(text)
    rows = ConsentPurpose.objects
    try:
        with transaction.atomic():
            purpose = rows.create(
                code=code,
                label=name,
                position=(rows.aggregate(last=Max("position"))["last"] or 0) + 1,
            )
            _publish(purpose, 1, words, by, at)
            _audit("purpose.defined", purpose, by, at, {"version": [None, 1]})
    except IntegrityError as error:
        if "code" in str(error):
            raise PurposeExistsError(pointer="/code") from error
        raise
    return purpose


def change_purpose(
    *,
    code: str,
    by: Actor,
    at: datetime,
    label: Mapping[str, str] | None = None,
    text: Mapping[str, str] | None = None,
    is_active: bool | None = None,
) -> ConsentPurpose:
    """Rename a purpose, publish new words as its next version, or stop or start asking.

    Consents given to earlier words stay given; the history says to which.

    :raises PurposeNotFoundError: if there is none.
    :raises InvalidPurposeError: for a part that can not be, named in `pointer`.
    """
    with transaction.atomic():
        purpose = ConsentPurpose.objects.select_for_update().filter(code=code).first()
        if purpose is None:
            raise PurposeNotFoundError(purpose=code)
        changes: dict[str, list[Any]] = {}
        if label is not None and purpose.label != (name := _label(label)):
            changes["label"] = [purpose.label, name]
            purpose.label = name
        if is_active is not None and purpose.is_active != is_active:
            changes["is_active"] = [purpose.is_active, is_active]
            purpose.is_active = is_active
        if text is not None:
            words = _text(text)
            newest = purpose.texts.order_by("-version").first()
            if newest is None or newest.text != words:
                version = newest.version if newest else 0
                _publish(purpose, version + 1, words, by, at)
                changes["version"] = [version, version + 1]
        if changes:
            purpose.save()
            _audit("purpose.changed", purpose, by, at, changes)
    return purpose


def _publish(
    purpose: ConsentPurpose, version: int, text: dict[str, str], by: Actor, at: datetime
) -> None:
    ConsentText.objects.create(
        purpose=purpose, version=version, text=text, published_at=at, published_by=by.key
    )


def _label(value: Mapping[str, str]) -> dict[str, str]:
    try:
        return _attributes.clean_label(value, "/label")
    except InvalidAttributeError as error:
        raise InvalidPurposeError(error.detail, **error.data) from None


def _text(value: Mapping[str, str]) -> dict[str, str]:
    texts = {key.lower(): text.strip() for key, text in value.items() if text.strip()}
    if not texts:
        raise InvalidPurposeError(_("Say what the member agrees to."), pointer="/text")
    for key, text in texts.items():
        if len(text) > _LONGEST:
            raise InvalidPurposeError(_("This is too long."), pointer=f"/text/{key}")
    return texts


def _audit(
    action: str,
    purpose: ConsentPurpose,
    by: Actor,
    at: datetime,
    changes: Mapping[str, list[Any]],
) -> None:
    record(
        by=by,
        at=at,
        action=action,
        target_type="consent_purpose",
        target_id=purpose.code,
        changes=changes,
    )
