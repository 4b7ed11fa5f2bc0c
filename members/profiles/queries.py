"""Finding members."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any

from django.db import connection
from django.db.models import Q
from django.db.models.functions import Coalesce

from core.remembered import remembered
from members.profiles import _attributes, _names
from members.profiles.errors import AttributeNotFoundError, MemberNotFoundError
from members.profiles.models import (
    AttributeDefinition,
    ConsentChange,
    ConsentPurpose,
    ConsentText,
    Erasure,
    Member,
)
from members.profiles.values import Attribute, Block, Consent
from tenants.accounts.models import User
from tenants.audit.queries import list_entries as list_audit

# A zero byte and halves of a character: in no text of the database.
_NOWHERE = re.compile("[\x00\ud800-\udfff]")


def get_member(
    *,
    external_id: str | None = None,
    number: str | None = None,
    id: int | None = None,  # noqa: A002
) -> Member:
    """Return the member with the one key given, personal data included.

    Who was merged into another is that one; `named_as` then tells who was named.

    :raises MemberNotFoundError: if there is none.
    """
    given: dict[str, Any] = {
        "external_id": external_id,
        "number": number and number.strip().upper(),
        "pk": id,
    }
    lookup = {name: value for name, value in given.items() if value is not None}
    if len(lookup) == 1 and all(_can_be_stored(str(value)) for value in lookup.values()):
        member = Member.objects.select_related("personal").filter(**lookup).first()
        if member is not None:
            return _survivor_of(member)
    raise MemberNotFoundError(external_id=external_id, number=number, id=id)


def _survivor_of(member: Member) -> Member:
    """Return the member, or whom it was merged into."""
    if member.status != Member.Status.MERGED or member.merged_into_id is None:
        return member
    survivor = Member.objects.select_related("personal").get(pk=member.merged_into_id)
    survivor.stands_for(member)
    return survivor


def _can_be_stored(text: str) -> bool:
    """Say whether a column can hold the text: to ask for another would be an error."""
    return _NOWHERE.search(text) is None


def get_member_for_user(user: User) -> Member | None:
    """Return the membership of a signed-in user: the linked one, else the one on file with the
    user's address; None for staff and others who are no members."""
    members = Member.objects.select_related("personal")
    member = (
        members.filter(user=user).first()
        or members.filter(user__isnull=True, personal__email=user.email.strip().lower()).first()
    )
    return None if member is None else _survivor_of(member)


def is_sign_in_address(email: str) -> bool:
    """Say whether an active member has this address, so that a code may be sent to it."""
    return Member.objects.filter(
        Q(status=Member.Status.ACTIVE)
        | Q(status=Member.Status.MERGED, merged_into__status=Member.Status.ACTIVE),
        personal__email=email.strip().lower(),
    ).exists()


def count_members() -> int:
    """Return the number of members who are neither erased nor merged into others.

    For pages: of up to five minutes ago where counting takes long.
    """
    gone = (Member.Status.ERASED, Member.Status.MERGED)
    return remembered("members", Member.objects.exclude(status__in=gone).count, slow=0.04)


def list_members_by_id(*, ids: Iterable[int]) -> dict[int, Member]:
    """Return members by their keys, personal data included; those who are not there are left out."""
    found = Member.objects.select_related("personal").filter(pk__in=list(ids))
    return {member.pk: member for member in found}


def member_ids(*, external_ids: Iterable[str]) -> dict[str, int]:
    """Return the keys of those external ids that belong to a member, merged ones' survivors."""
    members = Member.objects.filter(external_id__in=list(external_ids))
    return dict(members.values_list("external_id", Coalesce("merged_into_id", "id")))


def list_attribute_definitions(*, active_only: bool = True) -> list[Attribute]:
    """Return the brand's own attributes in their order; see `AttributeType` for their values."""
    rows = AttributeDefinition.objects.order_by("position", "pk")
    return [row.as_value() for row in (rows.filter(is_active=True) if active_only else rows)]


def get_attribute_definition(*, code: str) -> Attribute:
    """Return one of the brand's own attributes, retired ones included.

    :raises AttributeNotFoundError: if there is none.
    """
    row = AttributeDefinition.objects.filter(code=code).first() if _can_be_stored(code) else None
    if row is None:
        raise AttributeNotFoundError(attribute=code)
    return row.as_value()


def count_attribute_values() -> dict[str, int]:
    """Return for each attribute's code how many members have a value. Reads all members."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT key, count(*) FROM members_member, jsonb_object_keys(attributes) AS key "
            "WHERE attributes <> '{}' GROUP BY key"
        )
        return dict(cursor.fetchall())


def list_purposes(*, active_only: bool = True) -> list[Consent]:
    """Return what the brand asks consent for, in its order, with the words in force."""
    rows = ConsentPurpose.objects.order_by("position", "pk")
    words = {
        row.purpose_id: row
        for row in ConsentText.objects.order_by("purpose_id", "-version").distinct("purpose_id")
    }
    return [
        Consent(
            purpose=row.code,
            label=row.label,
            text=words[row.pk].text if row.pk in words else {},
            version=words[row.pk].version if row.pk in words else None,
            is_active=row.is_active,
        )
        for row in (rows.filter(is_active=True) if active_only else rows)
    ]


def list_consents(*, member: Member) -> list[Consent]:
    """Return each purpose with what the member says to it now; those no longer asked for last."""
    personal = getattr(member, "personal", None)
    state = personal.consents if personal is not None else {}
    latest = {
        row.purpose.code: row
        for row in ConsentChange.objects.filter(member=member)
        .select_related("purpose")
        .order_by("purpose_id", "-id")
        .distinct("purpose_id")
    }
    found = []
    for purpose in list_purposes(active_only=False):
        if not purpose.is_active and purpose.purpose not in latest:
            continue
        change = latest.get(purpose.purpose)
        consent = replace(purpose, is_given=state.get(purpose.purpose))
        if change is not None:
            consent = replace(
                consent,
                at=change.at,
                source=change.source,
                actor=change.actor,
                text_version=change.text_version,
            )
        found.append(consent)
    return sorted(found, key=lambda consent: not consent.is_active)


def list_consent_changes(*, member: Member, limit: int = 200) -> list[ConsentChange]:
    """Return what a member agreed to and withdrew, newest first."""
    rows = ConsentChange.objects.filter(member=member).select_related("purpose")
    return list(rows.order_by("-id")[:limit])


def list_consent_texts(*, purpose: str) -> list[ConsentText]:
    """Return all versions of the words of a purpose, newest first."""
    return list(ConsentText.objects.filter(purpose__code=purpose).order_by("-version"))


def read_attribute(*, attribute: Attribute, text: str) -> str | int | float | bool:
    """Return the value that a text out of a file stands for, as it is stored.

    A choice is known by its code or its name in any language, yes and no by the usual words.

    :raises InvalidMemberError: with the attribute's place, if it stands for none.
    """
    return _attributes.clean_value(attribute, _attributes.read_text(attribute, text))


# Each branch is cut to the page, newest first, so that a search that matches nearly everybody
# costs as little as one that matches nobody.
_BRANCH = """(SELECT m.id FROM members_member m {join}
    WHERE ({match}) AND (%(after)s::bigint IS NULL OR m.id < %(after)s){within}
    ORDER BY m.id DESC LIMIT %(limit)s)"""
_PERSONAL = "JOIN members_memberpersonal p ON p.member_id = m.id"


def list_members_by_external_id(*, external_ids: Collection[str]) -> dict[str, Member]:
    """Return the members who have one of these keys of the brand's systems, by that key."""
    asked = [key for key in external_ids if not _NOWHERE.search(key)]
    found = Member.objects.filter(external_id__in=asked)
    return {member.external_id: member for member in found}


def search_members(
    *,
    text: str = "",
    within: tuple[str, Mapping[str, Any]] | None = None,
    after: int | None = None,
    limit: int = 50,
) -> list[Member]:
    """Return members newest first, personal data included; all of them for an empty text.

    Found by the beginning of number, external id, e-mail address or phone number, the last
    four or seven digits of a phone number, or any part of the name in any script. `within` is a query
    of keys with its named parameters, such as a compiled condition: only these members.
    `after` is the key of the last member of the page before.
    """
    text = _NOWHERE.sub("", text).strip()
    members = Member.objects.select_related("personal")
    if not text and within is None:
        page = members if after is None else members.filter(pk__lt=after)
        return list(page.order_by("-pk")[:limit])
    parameters: dict[str, Any] = {"after": after, "limit": limit}
    only = ""
    if within is not None:
        only = f" AND m.id IN ({within[0]})"
        parameters |= within[1]
    parts: list[str] = []
    for join, match, value in _branches(text) if text else [("", "TRUE", None)]:
        name = f"search{len(parts)}"
        parts.append(
            _BRANCH.format(join=join, match=match.replace("%s", f"%({name})s"), within=only)
        )
        parameters[name] = value
    if text and (needed := _names.needed(text)):
        match = "p.grams @> %(grams)s::varchar[] AND p.name_folded LIKE %(folded)s"
        parts.append(_BRANCH.format(join=_PERSONAL, match=match, within=only))
        parameters |= {"grams": needed, "folded": f"%{_escape(_names.fold(text))}%"}
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT id FROM ({' UNION '.join(parts)}) AS found ORDER BY id DESC LIMIT %(limit)s",  # noqa: S608
            parameters,
        )
        keys = [row[0] for row in cursor.fetchall()]
    found = members.in_bulk(keys)
    return [found[key] for key in keys if key in found]


def _branches(text: str) -> list[tuple[str, str, str]]:
    """Return where to look for a beginning or an end: join, condition, its one value."""
    branches = [
        ("", "m.number LIKE %s", _prefix(text.upper())),
        ("", "m.external_id LIKE %s", _prefix(text)),
        (_PERSONAL, "p.email <> '' AND p.email LIKE %s", _prefix(text.lower())),
    ]
    digits = "".join(character for character in text if character not in " -()./")
    if digits.lstrip("+").isdecimal() and digits.isascii():
        branches.append((_PERSONAL, "p.phone <> '' AND p.phone LIKE %s", _prefix(digits)))
        if not digits.startswith("+"):
            branches.append((_PERSONAL, "p.phone <> '' AND p.phone LIKE %s", _prefix(f"+{digits}")))
        if len(digits) >= 7:
            # A number typed without its country code: by the tail's index, then the whole end.
            end = (
                "p.phone <> '' AND p.phone_tail = right(%s, 4) AND right(p.phone, length(%s)) = %s"
            )
            branches.append((_PERSONAL, end, digits.lstrip("+")))
        if len(digits) == 4:
            branches.append((_PERSONAL, "p.phone <> '' AND p.phone_tail = %s", digits))
    return branches


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _prefix(text: str) -> str:
    return f"{_escape(text)}%"


def get_block(*, member: Member) -> Block | None:
    """Return since when and why a member is blocked; None when they are not."""
    if member.status != Member.Status.BLOCKED:
        return None
    entries = list_audit(
        target_type="member", target_id=member.pk, action="member.blocked", limit=1
    )
    return Block(reason=entries[0].reason, at=entries[0].at) if entries else Block()


def list_tags() -> list[tuple[str, int]]:
    """Return every tag with how many members have it, the most frequent first.

    Reads all members that have any.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tag, count(*) FROM members_member, unnest(tags) AS tag "
            "WHERE tags <> '{}' AND status <> 'erased' GROUP BY tag ORDER BY count(*) DESC, tag"
        )
        return [(tag, count) for tag, count in cursor.fetchall()]


def list_erasures(*, open_only: bool = True, limit: int = 200) -> list[Erasure]:
    """Return the wishes to be erased, the soonest due first; else all, newest first."""
    rows = Erasure.objects.select_related("member__personal")
    if open_only:
        return list(rows.filter(state=Erasure.State.ASKED).order_by("due_on", "pk")[:limit])
    return list(rows.order_by("-pk")[:limit])


def count_asked_erasures() -> int:
    """Return how many wishes to be erased wait for a decision."""
    return Erasure.objects.filter(state=Erasure.State.ASKED).count()


def get_open_erasure(*, member: Member) -> Erasure | None:
    """Return the wish of a member that waits for a decision, if there is one."""
    return Erasure.objects.filter(member=member, state=Erasure.State.ASKED).first()


def get_last_erasure(*, member: Member) -> Erasure | None:
    """Return what became of the member's last wish, if there was one."""
    return Erasure.objects.filter(member=member).order_by("-pk").first()
