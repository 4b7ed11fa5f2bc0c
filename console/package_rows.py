"""What a package holds, as rows: a benefit or another package, and how many of it.

Like the rows of a condition: the page posts them to an address that draws them again, with one
more or one fewer, and with what the whole gives and costs.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from django.http import QueryDict
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from benefits.catalogue.models import Benefit, Package
from benefits.catalogue.queries import (
    get_package,
    list_benefits,
    list_package_units,
    list_packages,
    list_unit_costs,
    localized,
)
from benefits.catalogue.stages import LIVE
from console.access import StaffRequest
from core import clock
from core.errors import DomainError
from tenants.brands.context import current_brand

MAX_ROWS = 24


@dataclass(slots=True)
class PackageRow:
    """One line: `what` is `benefit:code` or `package:code`."""

    number: int
    what: str = ""
    quantity: str = "1"
    error: str = ""

    @property
    def units(self) -> int:
        """Return the quantity, 0 while it is no number."""
        return int(self.quantity) if self.quantity.isascii() and self.quantity.isdecimal() else 0


@dataclass(slots=True)
class PackageRows:
    """The rows of one package; `package` is left out of what can be chosen."""

    rows: list[PackageRow] = field(default_factory=list)
    package: Package | None = None
    # Read once for the whole form.
    benefits: dict[str, Benefit] = field(
        default_factory=lambda: {row.code: row for row in list_benefits()}
    )
    packages: dict[str, Package] = field(
        default_factory=lambda: {row.code: row for row in list_packages(active_only=False)}
    )

    @classmethod
    def from_package(cls, package: Package | None) -> "PackageRows":
        """Show what a package holds; a new one has an empty row."""
        found = cls(package=package)
        if package is not None:
            for item in package.items.all():
                found._add(f"benefit:{item.benefit.code}", item.quantity)
            for part in package.parts.all():
                found._add(f"package:{part.part.code}", part.quantity)
        if not found.rows:
            found.rows.append(PackageRow(0))
        return found

    @classmethod
    def from_post(cls, data: QueryDict, *, package: Package | None = None) -> "PackageRows":
        """Read what was sent, and do what was asked of it: `do` is `more` or `drop:2`."""
        found = cls(package=package)
        order = data.get("do", "")
        for number in range(MAX_ROWS):
            what = data.get(f"row-{number}-what")
            if what is None or order == f"drop:{number}":
                continue
            quantity = data.get(f"row-{number}-quantity", "").strip()
            found.rows.append(PackageRow(len(found.rows), what, quantity))
        if order == "more" or not found.rows:
            found.rows.append(PackageRow(len(found.rows)))
        return found

    @property
    def may_grow(self) -> bool:
        """Say whether another row may be added."""
        return len(self.rows) < MAX_ROWS

    @property
    def choices(self) -> list[tuple[str, list[tuple[str, str]]]]:
        """Return what can be put in: benefits that run, and other packages."""
        language = get_language()
        chosen = {row.what for row in self.rows}
        benefits = [
            (f"benefit:{row.code}", localized(row.name, language))
            for row in self.benefits.values()
            if row.stage in LIVE or f"benefit:{row.code}" in chosen
        ]
        packages = [
            (f"package:{row.code}", localized(row.name, language))
            for row in self.packages.values()
            if (row.is_active or f"package:{row.code}" in chosen)
            and (self.package is None or row.pk != self.package.pk)
        ]
        return [(_("Benefits"), benefits), (_("Packages"), packages)]

    def content(self) -> tuple[list[tuple[Benefit, int]], list[tuple[Package, int]]] | None:
        """Return items and parts; None where a row is wrong, which then says so."""
        items: list[tuple[Benefit, int]] = []
        parts: list[tuple[Package, int]] = []
        for row in self._filled():
            if row.units < 1:
                row.error = _("Give a whole number above zero.")
                continue
            kind, _colon, code = row.what.partition(":")
            if kind == "benefit" and code in self.benefits:
                items.append((self.benefits[code], row.units))
            elif kind == "package" and code in self.packages:
                parts.append((self.packages[code], row.units))
            else:
                row.error = _("There is no such thing any more.")
        return None if any(row.error for row in self.rows) else (items, parts)

    def refuse(self, error: DomainError) -> bool:
        """Put a refusal on the row its pointer names; False if it names none."""
        steps = str(error.data.get("pointer", "")).strip("/").split("/")
        kind = {"items": "benefit:", "parts": "package:"}.get(steps[0])
        if kind is None:
            return False
        rows = [row for row in self._filled() if row.what.startswith(kind)]
        if error.code == "cyclic_package":
            names = self._names(error.data["path"])
            error.detail = _("It would hold itself: %(way)s.") % {"way": " → ".join(names)}
        twice = [row for row in rows if sum(other.what == row.what for other in rows) > 1]
        place = int(steps[1]) if len(steps) > 1 and steps[1].isdecimal() else 0
        row = twice[-1] if twice else rows[place] if place < len(rows) else self.rows[0]
        row.error = error.detail
        return True

    def totals(self) -> dict[str, Any] | None:
        """Return what the whole gives, is worth and costs today; None while it is incomplete."""
        content = self.content()
        if content is None or not any(content):
            return None
        units: Counter[Benefit] = Counter()
        for benefit, quantity in content[0]:
            units[benefit] += quantity
        for part, times in content[1]:
            for benefit, quantity in list_package_units(package=part):
                units[benefit] += quantity * times
        return totals(dict(units))

    def _filled(self) -> list[PackageRow]:
        return [row for row in self.rows if row.what]

    def _names(self, codes: list[str]) -> list[str]:
        language = get_language()
        names = {
            row.code: localized(row.name, language) for row in list_packages(active_only=False)
        }
        return [names.get(code, code) for code in codes]

    def _add(self, what: str, quantity: int) -> None:
        self.rows.append(PackageRow(len(self.rows), what, str(quantity)))


def totals(units: dict[Benefit, int]) -> dict[str, Any]:
    """Return the units of a package with what they are worth and cost today."""
    today = clock.today(current_brand().timezone)
    costs = list_unit_costs(benefits=[benefit.pk for benefit in units], on=today)
    rows = [
        {
            "benefit": benefit,
            "units": count,
            "cost_minor": costs[benefit.pk] * count if benefit.pk in costs else None,
            "worth_minor": benefit.list_price_minor * count,
        }
        for benefit, count in units.items()
    ]
    return {
        "rows": rows,
        "units": sum(units.values()),
        "cost_minor": sum(row["cost_minor"] or 0 for row in rows),
        "worth_minor": sum(row["worth_minor"] for row in rows),
        "lacks_cost": any(row["cost_minor"] is None for row in rows),
    }


def posted_package(request: StaffRequest) -> Package | None:
    """Return the package whose builder was sent, if it exists already."""
    code = request.POST.get("package", "")
    return get_package(code=code) if code else None
