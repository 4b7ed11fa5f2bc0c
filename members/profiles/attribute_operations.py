"""What a brand keeps about members beside the fixed fields: defining, changing, retiring."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.db.models import Max
from django.utils.translation import gettext_lazy as _

from core.actors import Actor
from members.profiles import _attributes
from members.profiles.errors import (
    AttributeExistsError,
    AttributeInUseError,
    AttributeNotFoundError,
    InvalidAttributeError,
)
from members.profiles.models import AttributeDefinition
from members.profiles.values import AttributeType, Choice
from tenants.audit.operations import record


def define_attribute(
    *,
    code: str,
    type: str,  # noqa: A002
    label: Mapping[str, str],
    by: Actor,
    at: datetime,
    choices: Sequence[Mapping[str, Any]] = (),
    is_required: bool = False,
    portal: str = AttributeDefinition.Portal.HIDDEN,
) -> AttributeDefinition:
    """Add an attribute at the end of the list; its code and type are fixed for good.

    `choices` are `{"code", "label"}`, for the type `choice` only.

    :raises InvalidAttributeError: for a part that can not be, named in `pointer`.
    :raises AttributeExistsError: if the code is taken, also by a retired attribute.
    """
    key, kind, texts, options = _attributes.clean_definition(
        code=code, type=type, label=label, choices=choices
    )
    _refuse_portal(portal)
    rows = AttributeDefinition.objects
    try:
        with transaction.atomic():
            if rows.filter(is_active=True).count() >= _attributes.MAX_DEFINITIONS:
                raise InvalidAttributeError(_("A brand has at most 50 attributes."))
            definition = rows.create(
                code=key,
                type=kind.value,
                label=texts,
                choices=_stored(options),
                is_required=is_required,
                portal=portal,
                position=(rows.aggregate(last=Max("position"))["last"] or 0) + 1,
            )
            _audit("attribute.defined", definition, by, at, {"type": [None, kind.value]})
    except IntegrityError as error:
        if "code" in str(error):
            raise AttributeExistsError(pointer="/code") from error
        raise
    return definition


def change_attribute(*, code: str, by: Actor, at: datetime, **fields: Any) -> AttributeDefinition:
    """Change `label`, `choices`, `is_required` or `portal` of an attribute.

    Making it required asks nothing of members enrolled already.

    :raises AttributeNotFoundError: if there is none.
    :raises InvalidAttributeError: for a part that can not be, named in `pointer`.
    :raises AttributeInUseError: if a choice is left out that members have.
    """
    with transaction.atomic():
        row = _locked(code)
        kind = AttributeType(row.type)
        wanted: dict[str, Any] = {}
        for field, value in fields.items():
            match field:
                case "label":
                    wanted[field] = _attributes.clean_label(value, "/label")
                case "choices":
                    options = _attributes.clean_choices(value, kind)
                    _refuse_lost_choices(row, options)
                    wanted[field] = _stored(options)
                case "is_required":
                    wanted[field] = bool(value)
                case "portal":
                    _refuse_portal(value)
                    wanted[field] = value
                case _:
                    raise InvalidAttributeError(
                        _("This is fixed for good or does not exist."), pointer=f"/{field}"
                    )
        changes = {
            field: [getattr(row, field), value]
            for field, value in wanted.items()
            if getattr(row, field) != value
        }
        for field, value in wanted.items():
            setattr(row, field, value)
        if changes:
            row.save(update_fields=list(changes))
            _audit("attribute.changed", row, by, at, changes)
    return row


def retire_attribute(*, code: str, by: Actor, at: datetime) -> AttributeDefinition:
    """Stop asking for and writing an attribute; the values that members have can be read.

    :raises AttributeNotFoundError: if there is none.
    """
    return _set_active(code, False, by, at)


def restore_attribute(*, code: str, by: Actor, at: datetime) -> AttributeDefinition:
    """Take a retired attribute back into use.

    :raises AttributeNotFoundError: if there is none.
    """
    return _set_active(code, True, by, at)


def delete_attribute(*, code: str, by: Actor, at: datetime) -> None:
    """Remove an attribute that no member has a value of, such as one with a wrong type.

    :raises AttributeNotFoundError: if there is none.
    :raises AttributeInUseError: if members have values; it can be retired instead.
    """
    with transaction.atomic():
        row = _locked(code)
        count = _count("attributes ? %s", row.code)
        if count:
            raise AttributeInUseError(
                _("%(count)s members have a value of it: retire it instead.") % {"count": count},
                members=count,
            )
        _audit("attribute.deleted", row, by, at, {"type": [row.type, None]})
        row.delete()


def move_attribute(*, code: str, by: Actor, at: datetime, up: bool) -> None:
    """Move an attribute one place in the order in which it is shown.

    :raises AttributeNotFoundError: if there is none.
    """
    with transaction.atomic():
        rows = list(AttributeDefinition.objects.select_for_update().order_by("pk"))
        rows.sort(key=lambda row: (row.position, row.pk))
        place = next((n for n, row in enumerate(rows) if row.code == code), None)
        if place is None:
            raise AttributeNotFoundError(attribute=code)
        other = place - 1 if up else place + 1
        if not 0 <= other < len(rows):
            return
        moved = rows[place]
        rows[place], rows[other] = rows[other], rows[place]
        for number, row in enumerate(rows, 1):
            row.position = number
        AttributeDefinition.objects.bulk_update(rows, ["position"])
        _audit("attribute.moved", moved, by, at, {"position": [place + 1, other + 1]})


def _locked(code: str) -> AttributeDefinition:
    # Those who write values hold the row shared: no value arrives while it is judged.
    row = AttributeDefinition.objects.select_for_update().filter(code=code).first()
    if row is None:
        raise AttributeNotFoundError(attribute=code)
    return row


def _set_active(code: str, is_active: bool, by: Actor, at: datetime) -> AttributeDefinition:
    with transaction.atomic():
        row = _locked(code)
        if row.is_active != is_active:
            row.is_active = is_active
            row.save(update_fields=["is_active"])
            action = "attribute.restored" if is_active else "attribute.retired"
            _audit(action, row, by, at, {"is_active": [not is_active, is_active]})
    return row


def _refuse_portal(value: object) -> None:
    if value not in AttributeDefinition.Portal.values:
        raise InvalidAttributeError(_("This can not be chosen."), pointer="/portal")


def _refuse_lost_choices(row: AttributeDefinition, options: Sequence[Choice]) -> None:
    kept = {option.code for option in options}
    lost = sorted(item["code"] for item in row.choices if item["code"] not in kept)
    if not lost:
        return
    count = _count("attributes ->> %s = ANY(%s)", row.code, lost)
    if count:
        raise AttributeInUseError(
            _("%(count)s members have the choice %(choice)s: it must stay.")
            % {"count": count, "choice": ", ".join(lost)},
            pointer="/choices",
            members=count,
        )


def _count(condition: str, *values: Any) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT count(*) FROM members_member WHERE attributes <> '{{}}' AND {condition}",  # noqa: S608
            values,
        )
        return int(cursor.fetchone()[0])


def _stored(options: Sequence[Choice]) -> list[dict[str, Any]]:
    return [{"code": option.code, "label": dict(option.label)} for option in options]


def _audit(
    action: str,
    row: AttributeDefinition,
    by: Actor,
    at: datetime,
    changes: Mapping[str, list[Any]],
) -> None:
    record(
        by=by, at=at, action=action, target_type="attribute", target_id=row.code, changes=changes
    )
