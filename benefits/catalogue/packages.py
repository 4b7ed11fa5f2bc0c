"""Writes of packages: benefits with quantities, and packages within packages."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction

from benefits.catalogue.errors import CodeTakenError, CyclicPackageError, InvalidBenefitError
from benefits.catalogue.models import (
    Benefit,
    Package,
    PackageItem,
    PackagePart,
    PackageUnit,
    check_code,
)
from benefits.catalogue.texts import check_text
from core.actors import Actor
from tenants.audit.operations import record

Items = Sequence[tuple[Benefit, int]]
Parts = Sequence[tuple[Package, int]]
_MOST = 100_000


def create_package(
    *,
    code: str,
    name: Mapping[str, str],
    by: Actor,
    at: datetime,
    items: Items = (),
    parts: Parts = (),
    summary: Mapping[str, str] | None = None,
    icon: str = "package",
) -> Package:
    """Put benefits with quantities together, and packages that exist already.

    :raises InvalidBenefitError: if the package is empty, or names something twice; `pointer`.
    :raises CodeTakenError: if another package has the code.
    """
    check_code(code)
    _check(items, parts)
    with transaction.atomic():
        if Package.objects.filter(code=code).exists():
            raise CodeTakenError(package=code)
        package = Package.objects.create(
            code=code,
            name=check_text(name, pointer="/name", required=True),
            summary=check_text(summary or {}, pointer="/summary"),
            icon=icon,
            created_at=at,
        )
        _fill(package, items, parts)
        record(
            by=by,
            at=at,
            action="package.created",
            target_type="package",
            target_id=package.pk,
            changes={"items": [None, _plain(items, parts)]},
        )
    return package


def update_package(
    *,
    package: Package,
    by: Actor,
    at: datetime,
    name: Mapping[str, str] | None = None,
    summary: Mapping[str, str] | None = None,
    icon: str | None = None,
    is_active: bool | None = None,
    items: Items | None = None,
    parts: Parts | None = None,
) -> Package:
    """Change a package; what is given replaces what was. Rights already granted stay as they are.

    :raises CyclicPackageError: if a part leads back to this package.
    :raises InvalidBenefitError: if the package would be empty, or names something twice.
    """
    with transaction.atomic():
        # All of them: a cycle may run through any, and two changes at once could close one.
        locked = {row.pk: row for row in Package.objects.select_for_update().order_by("pk")}
        row = locked[package.pk]
        changes: dict[str, list[Any]] = {}
        if items is not None or parts is not None:
            before = _content(row)
            after = (
                before[0] if items is None else items,
                before[1] if parts is None else parts,
            )
            _check(*after)
            if _plain(*before) != _plain(*after):
                _refuse_cycles(row, after[1])
                row.items.all().delete()
                row.parts.all().delete()
                _fill(row, *after)
                changes["items"] = [_plain(*before), _plain(*after)]
        texts = {"name": name, "summary": summary}
        given: dict[str, Any] = {
            key: check_text(text, pointer=f"/{key}", required=key == "name")
            for key, text in texts.items()
            if text is not None
        }
        given |= {
            key: value
            for key, value in {"icon": icon, "is_active": is_active}.items()
            if value is not None
        }
        for key, value in given.items():
            if getattr(row, key) != value:
                changes[key] = [getattr(row, key), value]
                setattr(row, key, value)
        if changes:
            row.save(update_fields=["name", "summary", "icon", "is_active"])
            record(
                by=by,
                at=at,
                action="package.changed",
                target_type="package",
                target_id=row.pk,
                changes=changes,
            )
    return row


def _check(items: Items, parts: Parts) -> None:
    if not items and not parts:
        raise InvalidBenefitError("A package needs a benefit.", pointer="/items")
    for place, rows in (("items", items), ("parts", parts)):
        if len({row.pk for row, _quantity in rows}) != len(rows):
            raise InvalidBenefitError("Each benefit can be listed once.", pointer=f"/{place}")
        for index, (_row, quantity) in enumerate(rows):
            if not 1 <= quantity <= _MOST:
                raise InvalidBenefitError(
                    "At least one unit is needed.", pointer=f"/{place}/{index}/quantity"
                )


def _refuse_cycles(package: Package, parts: Parts) -> None:
    below: dict[int, list[int]] = {}
    for parent, child in PackagePart.objects.exclude(package=package).values_list(
        "package_id", "part_id"
    ):
        below.setdefault(parent, []).append(child)
    codes = dict(Package.objects.values_list("pk", "code"))
    for index, (part, _quantity) in enumerate(parts):
        path = _way_back(part.pk, to=package.pk, below=below)
        if path is not None:
            raise CyclicPackageError(
                pointer=f"/parts/{index}", path=[package.code, *(codes[key] for key in path)]
            )


def _way_back(start: int, *, to: int, below: Mapping[int, list[int]]) -> list[int] | None:
    """Return the packages from `start` down to `to`, if there is a way."""
    stack = [[start]]
    while stack:
        path = stack.pop()
        if path[-1] == to:
            return path
        stack += [[*path, child] for child in below.get(path[-1], []) if child not in path]
    return None


def _fill(package: Package, items: Items, parts: Parts) -> None:
    PackageItem.objects.bulk_create(
        PackageItem(package=package, benefit=benefit, quantity=quantity)
        for benefit, quantity in items
    )
    PackagePart.objects.bulk_create(
        PackagePart(package=package, part=part, quantity=quantity) for part, quantity in parts
    )
    _count_units(package.pk)


def _count_units(package_id: int) -> None:
    """Write anew what a package gives in all, then the same for those that hold it."""
    units: Counter[int] = Counter()
    for benefit_id, quantity in PackageItem.objects.filter(package_id=package_id).values_list(
        "benefit_id", "quantity"
    ):
        units[benefit_id] += quantity
    for part_id, times in PackagePart.objects.filter(package_id=package_id).values_list(
        "part_id", "quantity"
    ):
        for benefit_id, quantity in PackageUnit.objects.filter(package_id=part_id).values_list(
            "benefit_id", "quantity"
        ):
            units[benefit_id] += quantity * times
    PackageUnit.objects.filter(package_id=package_id).delete()
    PackageUnit.objects.bulk_create(
        PackageUnit(package_id=package_id, benefit_id=benefit_id, quantity=quantity)
        for benefit_id, quantity in sorted(units.items())
    )
    above = PackagePart.objects.filter(part_id=package_id).values_list("package_id", flat=True)
    for parent_id in list(above):
        _count_units(parent_id)


def _content(package: Package) -> tuple[Items, Parts]:
    items = package.items.select_related("benefit").order_by("benefit__code")
    parts = package.parts.select_related("part").order_by("part__code")
    return (
        [(item.benefit, item.quantity) for item in items],
        [(part.part, part.quantity) for part in parts],
    )


def _plain(items: Items, parts: Parts) -> dict[str, int]:
    return {
        **{benefit.code: quantity for benefit, quantity in items},
        **{part.code: quantity for part, quantity in parts},
    }
