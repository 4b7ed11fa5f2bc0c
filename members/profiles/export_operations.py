"""All that is held about one member, for the member: as JSON, and to be read."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.utils.functional import Promise

from core.actors import Actor
from members.profiles import registry
from members.profiles._readable import in_words, is_for_reading, label_of
from members.profiles.errors import ErasedMemberError
from members.profiles.models import Member
from tenants.audit.operations import record
from tenants.brands.context import current_brand

# What a person looks for first.
_FIRST = frozenset({"members.Member", "members.MemberPersonal", "members.ConsentChange"})
FORMAT = "tessera-member-data/1"


@dataclass(frozen=True, slots=True)
class Section:
    """The rows of one table about a member: plain JSON values under the columns' names."""

    name: str
    title: str | Promise
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    # The same for reading: without keys, in the language of the page.
    labels: tuple[str | Promise, ...]
    readable: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberExport:
    """Everything that all rooms hold about one member."""

    brand: str
    number: str
    exported_at: datetime
    sections: tuple[Section, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the whole as JSON: amounts in minor units, times with the brand's offset."""
        return {
            "format": FORMAT,
            "brand": self.brand,
            "member": self.number,
            "exported_at": self.exported_at.isoformat(),
            "sections": [
                {
                    "name": section.name,
                    "title": str(section.title),
                    "rows": [dict(zip(section.columns, row, strict=True)) for row in section.rows],
                }
                for section in self.sections
            ],
        }


def export_member(*, member: Member, by: Actor, at: datetime) -> MemberExport:
    """Return all that is held about a member; that staff or a system took it is in the audit.

    Keys of staff and digests are left out. One query per table.

    :raises ErasedMemberError: if the member was erased.
    """
    if member.status == Member.Status.ERASED:
        raise ErasedMemberError
    brand = current_brand()
    zone = ZoneInfo(brand.timezone)
    found = MemberExport(
        brand=brand.name,
        number=str(member.number),
        exported_at=at.astimezone(zone),
        sections=tuple(_sections(member, zone)),
    )
    if by.kind != "member":
        record(by=by, at=at, action="member.exported", target_type="member", target_id=member.pk)
    return found


def _sections(member: Member, zone: ZoneInfo) -> Iterator[Section]:
    tables = registry.list_member_tables()
    for table in sorted(tables, key=lambda table: table.model not in _FIRST):
        rows = table.rows_of(member.pk)
        fields = [
            field
            for field in rows.model._meta.concrete_fields  # noqa: SLF001  (Django's public name)
            if field.name not in table.hidden and field.get_internal_type() != "BinaryField"
        ]
        columns = tuple(field.attname for field in fields)
        found = list(rows.values_list(*columns, *table.also))
        own = len(columns)
        shown = [n for n, field in enumerate(fields) if is_for_reading(field)]
        yield Section(
            name=table.model.partition(".")[2],
            title=table.title,
            columns=(*columns, *(path.replace("__", "_") for path in table.also)),
            rows=tuple(tuple(_plain(value, zone) for value in row) for row in found),
            labels=(*table.also.values(), *(label_of(fields[n]) for n in shown)),
            readable=tuple(
                (
                    *(str(value or "") for value in row[own:]),
                    *(in_words(fields[n], row[n], zone) for n in shown),
                )
                for row in found
            ),
        )


def _plain(value: Any, zone: ZoneInfo) -> Any:
    match value:
        case datetime():
            return value.astimezone(zone).isoformat()
        case date() | UUID() | Decimal():
            return str(value)
        case Mapping():
            return {str(key): _plain(item, zone) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item, zone) for item in value]
        case _:
            return value
