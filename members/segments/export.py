"""The members of an audience as rows of a file, in pieces that need little memory."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from core.clock import local_date
from core.errors import InvalidError
from core.money import to_decimal
from members.profiles.models import Member
from members.segments.conditions import FIELDS, Condition, Field, FieldType
from members.segments.queries import list_facts, read_keys
from tenants.brands.context import tenant_context
from tenants.brands.models import Brand

CHUNK = 2_000
_MOST_COLUMNS = 40


class InvalidColumnError(InvalidError):
    """A column is none that can be exported, or there are too many or none."""

    code = "invalid_column"


def list_columns() -> list[tuple[str, str | Promise, bool]]:
    """Return what can be exported: name, label, and whether it names the person."""
    own: list[tuple[str, str | Promise, bool]] = [
        ("number", _("Number"), False),
        ("external_id", _("Own key"), False),
        ("name", _("Name"), True),
        ("email", _("E-mail"), True),
        ("phone", _("Phone"), True),
        ("enrolled_on", _("Enrolled"), False),
    ]
    fields = [
        (field.name, field.label, field.source == "personal")
        for field in (*FIELDS, *FIELDS.provided())
    ]
    return [*own, *sorted(fields, key=lambda column: str(column[1]))]


def check_columns(columns: Sequence[str]) -> list[str]:
    """Return the columns without repeats.

    :raises InvalidColumnError: if one is unknown (`pointer` has its place), or none is given.
    """
    wanted = list(dict.fromkeys(columns))
    if not 0 < len(wanted) <= _MOST_COLUMNS:
        raise InvalidColumnError(
            _("Choose 1 to %(most)s columns.") % {"most": _MOST_COLUMNS}, pointer="/columns"
        )
    known = {name for name, _label, _personal in list_columns()}
    for place, name in enumerate(wanted):
        if name not in known:
            raise InvalidColumnError(
                _("There is no column %(name)s.") % {"name": f"{name!r:.60}"},
                pointer=f"/columns/{place}",
            )
    return wanted


def export_audience(
    *, condition: Condition, columns: Sequence[str], brand: Brand, at: datetime
) -> Iterator[list[list[Any]]]:
    """Give the rows of an audience's members by key, in pieces; columns as `check_columns`.

    Made for an answer that is sent while it is written: the brand is entered for each piece
    alone, so that nothing stays open between them. The members are those of the beginning.
    """
    with tenant_context(brand):
        keys = read_keys(condition=condition, at=at)
    for start in range(0, len(keys), CHUNK):
        with tenant_context(brand), transaction.atomic():
            rows = _chunk(list(keys[start : start + CHUNK]), columns, brand, at)
        if rows:
            yield rows


def _chunk(keys: list[int], columns: Sequence[str], brand: Brand, at: datetime) -> list[list[Any]]:
    fields = {name: field for name in columns if (field := FIELDS.get(name)) is not None}
    facts = list_facts(member_ids=keys, fields=fields, at=at) if fields else {}
    members = Member.objects.select_related("personal").in_bulk(keys)
    return [
        [
            _fact(fields[name], facts[key][name], brand)
            if name in fields
            else _own(members[key], name, brand)
            for name in columns
        ]
        for key in keys
    ]


def _own(member: Member, name: str, brand: Brand) -> Any:
    if name in {"number", "external_id"}:
        return getattr(member, name)
    if name == "enrolled_on":
        return local_date(member.enrolled_at, brand.timezone)
    return getattr(getattr(member, "personal", None), name, "")


def _fact(field: Field, value: Any, brand: Brand) -> Any:
    if field.type is FieldType.MONEY and value is not None:
        return to_decimal(value, brand.currency)
    return value
