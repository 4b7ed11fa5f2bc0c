"""Enrolling members and changing what is known about them."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from django.conf import settings
from django.db import IntegrityError, connection, transaction

from core import clock
from core.actors import Actor
from members.points.operations import open_accounts, open_accounts_for
from members.profiles import _attributes, _fields, _names
from members.profiles._consents import apply_consents
from members.profiles.errors import (
    BlockedMemberError,
    EmailTakenError,
    ErasedMemberError,
    MemberExistsError,
    MemberNotFoundError,
)
from members.profiles.models import AttributeDefinition, Member, MemberPersonal
from members.profiles.queries import get_member
from members.profiles.values import Attribute
from tenants.accounts.models import User
from tenants.audit.operations import record
from tenants.brands.context import current_brand
from tenants.events.operations import emit, emit_many

# Personal values never enter the audit or the events; that they changed does.
_HIDDEN = "•••"
_AUDITED = frozenset({"staff", "operator", "partner"})

# One statement: members and their (empty) personal rows.
_ENROL_MANY = """
WITH enrolled AS (
    INSERT INTO members_member (external_id, status, enrolled_at, region, store_code, locale,
        tags, attributes)
    SELECT key, 'active', since, '', '', '', '{}', '{}'
    FROM unnest(%(keys)s::varchar[], %(times)s::timestamptz[]) AS given (key, since)
    ON CONFLICT (external_id) DO NOTHING
    RETURNING id, number, external_id
), personal AS (
    INSERT INTO members_memberpersonal (member_id, name, email, phone, gender, consents,
        name_folded, grams)
    SELECT id, '', '', '', '', '{}', '', '{}' FROM enrolled
)
SELECT id, number, external_id FROM enrolled ORDER BY id
"""


def enrol(
    *,
    external_id: str,
    at: datetime,
    by: Actor,
    name: str = "",
    email: str = "",
    phone: str = "",
    birthday: date | None = None,
    gender: str = "",
    region: str = "",
    store_code: str = "",
    locale: str = "",
    tags: Iterable[str] = (),
    attributes: Mapping[str, Any] | None = None,
    consents: Mapping[str, bool] | None = None,
    referred_by: Member | None = None,
    user: User | None = None,
) -> Member:
    """Enrol a person: member, personal data, empty point accounts, event `member.enrolled`.

    Attributes the brand requires must be among those given.

    :raises InvalidMemberError: for a field that can not be, named in `pointer`.
    :raises MemberExistsError: if the id is another member's.
    :raises EmailTakenError: if the address is another member's.
    """
    key = _fields.clean_text("external_id", external_id, required=True)
    fields = _clean(
        {
            "name": name,
            "email": email,
            "phone": phone,
            "birthday": birthday,
            "gender": gender,
            "region": region,
            "store_code": store_code,
            "locale": locale,
            "tags": list(tags) if not isinstance(tags, str) else tags,
            "attributes": attributes or {},
            "consents": consents or {},
        },
        at=at,
    )
    plain = {field: fields[field] for field in _fields.PLAIN}
    personal = _with_grams({field: fields[field] for field in _fields.PERSONAL})
    try:
        with transaction.atomic():
            plain["attributes"] = _new_attributes(plain["attributes"])
            member = Member.objects.create(
                external_id=key, user=user, enrolled_at=at, referred_by=referred_by, **plain
            )
            consents_given = personal.pop("consents")
            member.personal = MemberPersonal(member=member, **personal)
            apply_consents(
                member=member, personal=member.personal, given=consents_given, by=by, at=at
            )
            member.personal.save(force_insert=True)
            open_accounts(owner_id=member.pk, at=at)
            emit(
                type="member.enrolled",
                subject=f"member:{member.pk}",
                data={"number": member.number, "external_id": key},
                at=at,
            )
            _audit("member.enrolled", member, by, at)
    except IntegrityError as error:
        raise _known(error, external_id=key) from error
    return member


def enrol_many(*, members: Sequence[tuple[str, datetime]], by: Actor, at: datetime) -> int:
    """Enrol many people of whom only (external id, when they became a member) is known.

    For imports: sets of some thousands in a few statements, in the caller's transaction. Ids
    that are enrolled already are passed over. Return how many are new.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            _ENROL_MANY,
            {"keys": [key for key, _ in members], "times": [time for _, time in members]},
        )
        enrolled = cursor.fetchall()
    open_accounts_for(owner_ids=[key for key, _number, _external_id in enrolled], at=at)
    emit_many(
        type="member.enrolled",
        events=[
            (
                f"member:{key}",
                {"number": number, "external_id": external_id, "imported": True},
            )
            for key, number, external_id in enrolled
        ],
        at=at,
    )
    return len(enrolled)


def put_member(
    *, external_id: str, by: Actor, at: datetime, fields: Mapping[str, Any]
) -> tuple[Member, bool]:
    """Enrol the member with this id, or change the given fields; say whether it was enrolled.

    Raises what `enrol` and `update_profile` raise, except `MemberExistsError`.
    """
    key = _fields.clean_text("external_id", external_id, required=True)
    member = _find(key)
    if member is None:
        _fields.refuse_unknown(fields)
        try:
            return enrol(external_id=key, by=by, at=at, **fields), True
        except MemberExistsError:  # enrolled by someone else at this very moment
            member = get_member(external_id=key)
    return update_profile(member=member, by=by, at=at, **fields), False


def update_profile(*, member: Member, by: Actor, at: datetime, **fields: Any) -> Member:
    """Change the given fields of a member; fields that hold the value already change nothing.

    Of `attributes` and `consents`, those given change and the others stay as they are; null
    empties an attribute.
    A new e-mail address takes the sign-in away from the old one: the account is claimed anew
    by a code sent to the new address.

    :raises InvalidMemberError: for a field that does not exist or a value that can not be.
    :raises EmailTakenError: if the address is another member's.
    :raises ErasedMemberError: if the member was erased.
    """
    wanted = _clean(fields, at=at)
    try:
        with transaction.atomic():
            locked = Member.objects.select_for_update(no_key=True).get(pk=member.pk)
            if locked.status == Member.Status.ERASED:
                raise ErasedMemberError
            if _leads_here(wanted.get("email"), locked):
                # The address of who was merged into this member: it finds this one already.
                del wanted["email"]
            personal = MemberPersonal.objects.filter(member=locked).first() or MemberPersonal(
                member=locked
            )
            if wanted.get("attributes"):
                wanted["attributes"] = _attributes.apply_changes(
                    old=locked.attributes,
                    given=wanted["attributes"],
                    attributes=_definitions(wanted["attributes"]),
                )
            else:
                wanted.pop("attributes", None)
            agreed = apply_consents(
                member=locked,
                personal=personal,
                given=wanted.pop("consents", {}),
                by=by,
                at=at,
            )
            changes = _apply(locked, personal, wanted)
            changes |= {f"consents.{code}": list(change) for code, change in agreed.items()}
            if not changes:
                return locked
            if "email" in changes and locked.user_id is not None:
                locked.user = None
            locked.save()
            if agreed or changes.keys() & _fields.PERSONAL:
                personal.save()
            locked.personal = personal
            _audit("member.updated", locked, by, at, changes)
            emit(
                type="member.updated",
                subject=f"member:{locked.pk}",
                data={"fields": sorted(changes)},
                at=at,
            )
    except IntegrityError as error:
        raise _known(error) from error
    return locked


def block_member(*, member: Member, reason: str, by: Actor, at: datetime) -> bool:
    """Stop a member from earning and redeeming. Return whether this changed anything.

    What is under way is waited for: once this returns, nothing of the member's is spent or passed
    on, whoever had read the member before.

    :raises ErasedMemberError: if the member was erased.
    """
    return _set_status(member, Member.Status.ACTIVE, Member.Status.BLOCKED, reason, by, at)


def unblock_member(*, member: Member, reason: str, by: Actor, at: datetime) -> bool:
    """Let a blocked member earn and redeem again. Return whether this changed anything.

    :raises ErasedMemberError: if the member was erased.
    """
    return _set_status(member, Member.Status.BLOCKED, Member.Status.ACTIVE, reason, by, at)


def require_present(*, member_id: int) -> None:
    """Pass if the member is not erased, and hold off an erasure until the transaction ends.

    :raises ErasedMemberError: if the member was erased.
    """
    if _status_held(member_id) == Member.Status.ERASED:
        raise ErasedMemberError


def require_active(*, member_id: int) -> None:
    """Pass if the member may earn and use; hold off a block or an erasure until the end.

    :raises BlockedMemberError: if the member is blocked.
    :raises ErasedMemberError: if the member was erased.
    """
    status = _status_held(member_id)
    if status == Member.Status.ERASED:
        raise ErasedMemberError
    if status == Member.Status.BLOCKED:
        raise BlockedMemberError


def _status_held(member_id: int) -> str:
    # As strong as a foreign key's own look at the row: it stops a block and an erasure only.
    with connection.cursor() as cursor:
        cursor.execute("SELECT status FROM members_member WHERE id = %s FOR KEY SHARE", [member_id])
        return str(cursor.fetchone()[0])


def claim_user(user: User) -> None:
    """Give a user who signs in for the first time the membership with the same address."""
    Member.objects.filter(
        personal__email=user.email.strip().lower(), status=Member.Status.ACTIVE
    ).update(user=user)


def clean_profile(
    fields: Mapping[str, Any], *, today: date, locales: frozenset[str]
) -> dict[str, Any]:
    """Return clean values of the fields of one row of a file, before anything is asked for.

    :raises InvalidMemberError: naming the first wrong field in `pointer`.
    """
    return _fields.clean(fields, today=today, locales=locales)


def _find(external_id: str) -> Member | None:
    try:
        return get_member(external_id=external_id)
    except MemberNotFoundError:
        return None


def _leads_here(email: str | None, member: Member) -> bool:
    return (
        bool(email)
        and Member.objects.filter(
            merged_into=member, status=Member.Status.MERGED, personal__email=email
        ).exists()
    )


def _clean(fields: Mapping[str, Any], *, at: datetime) -> dict[str, Any]:
    today = clock.local_date(at, current_brand().timezone)
    return _fields.clean(fields, today=today, locales=[code for code, _ in settings.LANGUAGES])


def _definitions(codes: Iterable[str]) -> dict[str, Attribute]:
    """Return the definitions of these codes, kept from change until the transaction ends."""
    rows = AttributeDefinition.objects.raw(
        "SELECT * FROM members_attributedefinition WHERE code = ANY(%s) ORDER BY id FOR SHARE",
        [list(codes)],
    )
    return {row.code: row.as_value() for row in rows}


def _new_attributes(given: Mapping[str, Any]) -> dict[str, Any]:
    required = AttributeDefinition.objects.filter(is_active=True, is_required=True)
    codes = {*given, *required.values_list("code", flat=True)}
    if not codes:
        return {}
    attributes = _definitions(codes)
    values = _attributes.apply_changes(old={}, given=given, attributes=attributes)
    _attributes.refuse_missing(values, attributes=attributes.values())
    return values


def _with_grams(personal: dict[str, Any]) -> dict[str, Any]:
    name = personal["name"]
    return {**personal, "name_folded": _names.fold(name), "grams": _names.grams(name)}


def _apply(
    member: Member, personal: MemberPersonal, wanted: Mapping[str, Any]
) -> dict[str, list[Any]]:
    """Set what differs on the two rows, without saving; return it for the audit."""
    changes: dict[str, list[Any]] = {}
    for field, value in wanted.items():
        row: Member | MemberPersonal = personal if field in _fields.PERSONAL else member
        old = getattr(row, field)
        if old == value:
            continue
        setattr(row, field, value)
        if field == "attributes":
            changes |= {
                f"attributes.{code}": [_hidden(old.get(code)), _hidden(value.get(code))]
                for code in sorted({*old, *value})
                if old.get(code) != value.get(code)
            }
        else:
            changes[field] = [_HIDDEN, _HIDDEN] if row is personal else [old, value]
    if "name" in changes:
        personal.name_folded = _names.fold(personal.name)
        personal.grams = _names.grams(personal.name)
    return changes


def _hidden(value: object) -> str | None:
    return None if value is None else _HIDDEN


def _set_status(
    member: Member,
    before: Member.Status,
    after: Member.Status,
    reason: str,
    by: Actor,
    at: datetime,
) -> bool:
    with transaction.atomic():
        _hold_off(member.pk)
        changed = Member.objects.filter(pk=member.pk, status=before).update(status=after)
        if changed:
            action = f"member.{after.value if after != Member.Status.ACTIVE else 'unblocked'}"
            record(
                by=by,
                at=at,
                action=action,
                target_type="member",
                target_id=member.pk,
                changes={"status": [before.value, after.value]},
                reason=reason,
            )
            emit(type=action, subject=f"member:{member.pk}", data={}, at=at)
    member.refresh_from_db(fields=["status"])
    if member.status == Member.Status.ERASED:
        raise ErasedMemberError
    return bool(changed)


def _hold_off(member_id: int) -> None:
    """Wait for all who rely on the member's status (`require_active`), and make others wait."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM members_member WHERE id = %s FOR UPDATE", [member_id])


def _audit(
    action: str,
    member: Member,
    by: Actor,
    at: datetime,
    changes: Mapping[str, list[Any]] | None = None,
) -> None:
    if by.kind in _AUDITED:
        record(
            by=by,
            at=at,
            action=action,
            target_type="member",
            target_id=member.pk,
            changes=changes,
        )


def _known(error: IntegrityError, **data: str) -> Exception:
    text = str(error)
    if "member_email_unique" in text:
        return EmailTakenError(pointer="/email")
    if "member_external_id_unique" in text:
        return MemberExistsError(**data)
    return error
