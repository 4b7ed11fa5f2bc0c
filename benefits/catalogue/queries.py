"""Reads of the catalogue."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from django.db.models import Count, Q

from benefits.catalogue.errors import (
    CostMissingError,
    UnknownBenefitError,
    UnknownPackageError,
    UnknownPoolError,
)
from benefits.catalogue.models import (
    Benefit,
    BenefitCost,
    BenefitPrice,
    BenefitVersion,
    CodeImport,
    CodePool,
    Package,
    PackagePart,
    PackageUnit,
    PoolCode,
    StageChange,
)
from benefits.catalogue.texts import localized

__all__ = [
    "PoolFill",
    "benefit_names",
    "count_free_codes",
    "get_benefit",
    "get_package",
    "get_pool",
    "list_benefits",
    "list_costs",
    "list_handed_out",
    "list_imports",
    "list_low_pools",
    "list_package_units",
    "list_packages",
    "list_packages_around",
    "list_packages_of",
    "list_pool_fill",
    "list_pools",
    "list_prices",
    "list_stage_changes",
    "list_unit_costs",
    "list_units_of_packages",
    "list_versions",
    "localized",
    "unit_cost",
]


def get_benefit(*, code: str) -> Benefit:
    """Return a benefit. :raises UnknownBenefitError: if there is none of this code."""
    try:
        return Benefit.objects.get(code=code)
    except Benefit.DoesNotExist:
        raise UnknownBenefitError(benefit=code) from None


def list_benefits(
    *, stage: str | None = None, stages: Iterable[str] | None = None, kind: str | None = None
) -> list[Benefit]:
    """Return benefits by category and code, of one or several stages or all."""
    benefits = Benefit.objects.order_by("category", "code")
    if stage is not None:
        benefits = benefits.filter(stage=stage)
    if stages is not None:
        benefits = benefits.filter(stage__in=list(stages))
    if kind is not None:
        benefits = benefits.filter(kind=kind)
    return list(benefits)


def benefit_names(*, language: str) -> dict[int, str]:
    """Return the names of all benefits in a language, by key."""
    rows = Benefit.objects.values_list("pk", "name")
    return {key: localized(name, language) for key, name in rows}


def unit_cost(*, benefit: Benefit | int, on: date) -> int:
    """Return what one unit costs on a brand day, in minor units.

    :raises CostMissingError: if no cost is in force then.
    """
    benefit_id = benefit if isinstance(benefit, int) else benefit.pk
    try:
        return list_unit_costs(benefits=[benefit_id], on=on)[benefit_id]
    except KeyError:
        raise CostMissingError(benefit=benefit_id, on=on.isoformat()) from None


def list_unit_costs(*, benefits: Iterable[int], on: date) -> Mapping[int, int]:
    """Return the unit cost in force on a brand day by key of the benefit, where there is one."""
    rows = BenefitCost.objects.filter(
        Q(valid_to__isnull=True) | Q(valid_to__gt=on),
        benefit_id__in=list(benefits),
        valid_from__lte=on,
    )
    return dict(rows.values_list("benefit_id", "unit_cost_minor"))


def list_costs(*, benefit: Benefit) -> list[BenefitCost]:
    """Return what a unit has cost and will cost, the latest first."""
    return list(BenefitCost.objects.filter(benefit=benefit).order_by("-valid_from"))


def list_stage_changes(*, benefit: Benefit) -> list[StageChange]:
    """Return the moves of a benefit from stage to stage, newest first."""
    return list(StageChange.objects.filter(benefit=benefit).order_by("-id"))


def get_package(*, code: str) -> Package:
    """Return a package with its items. :raises UnknownPackageError: if there is none."""
    try:
        return Package.objects.prefetch_related("items__benefit", "parts__part").get(code=code)
    except Package.DoesNotExist:
        raise UnknownPackageError(package=code) from None


def list_packages(*, active_only: bool = True, with_parts: bool = False) -> list[Package]:
    """Return packages with their items, by code; with what they hold of others where asked."""
    packages = Package.objects.prefetch_related("items__benefit").order_by("code")
    if with_parts:
        packages = packages.prefetch_related("parts__part", "units__benefit")
    return list(packages.filter(is_active=True) if active_only else packages)


def list_packages_of(*, benefit: Benefit) -> list[tuple[Package, int]]:
    """Return the packages that give units of a benefit, by code, with how many in all."""
    rows = PackageUnit.objects.select_related("package").filter(benefit=benefit)
    return [(row.package, row.quantity) for row in rows.order_by("package__code")]


def list_packages_around(*, package: Package) -> list[tuple[Package, int]]:
    """Return the packages that hold a package directly, by code, with how many times."""
    rows = PackagePart.objects.select_related("package").filter(part=package)
    return [(row.package, row.quantity) for row in rows.order_by("package__code")]


def list_package_units(*, package: Package) -> list[tuple[Benefit, int]]:
    """Return the benefits that one package gives in all, its parts included, with their units."""
    return list_units_of_packages(package_ids=[package.pk]).get(package.pk, [])


def list_units_of_packages(*, package_ids: Collection[int]) -> dict[int, list[tuple[Benefit, int]]]:
    """Return the same for several packages, by their keys; packages that give nothing are not in."""
    rows = PackageUnit.objects.select_related("benefit").filter(package_id__in=package_ids)
    found: dict[int, list[tuple[Benefit, int]]] = {}
    for row in rows.order_by("benefit__code"):
        found.setdefault(row.package_id, []).append((row.benefit, row.quantity))
    return found


def list_prices(*, benefit: Benefit) -> list[BenefitPrice]:
    """Return what a benefit was and will be worth to members, the latest first."""
    return list(BenefitPrice.objects.filter(benefit=benefit).order_by("-valid_from"))


def list_versions(*, benefit: Benefit) -> list[BenefitVersion]:
    """Return how a benefit was defined over time, the latest first."""
    return list(BenefitVersion.objects.filter(benefit=benefit).order_by("-version"))


def get_pool(*, code: str) -> CodePool:
    """Return a pool of codes. :raises UnknownPoolError: if there is none of this code."""
    try:
        return CodePool.objects.get(code=code)
    except CodePool.DoesNotExist:
        raise UnknownPoolError(pool=code) from None


def list_pools() -> list[CodePool]:
    """Return the pools of codes by code."""
    return list(CodePool.objects.order_by("code"))


@dataclass(frozen=True, slots=True)
class PoolFill:
    """A pool with how many of its codes are free, kept for somebody, and handed out."""

    pool: CodePool
    free: int
    kept: int
    handed_out: int

    @property
    def total(self) -> int:
        """Return how many codes ever came in."""
        return self.free + self.kept + self.handed_out


def list_pool_fill(*, pool: CodePool | None = None) -> list[PoolFill]:
    """Return every pool (or one) with its counts, in one query."""
    kept = Q(codes__taken_for__startswith="mall_hold:") | Q(
        codes__taken_for__startswith="mall_waiting:"
    )
    pools = CodePool.objects.order_by("code")
    if pool is not None:
        pools = pools.filter(pk=pool.pk)
    rows = pools.annotate(
        free=Count("codes", filter=Q(codes__isnull=False, codes__taken_at__isnull=True)),
        kept=Count("codes", filter=kept),
        taken=Count("codes", filter=Q(codes__taken_at__isnull=False)),
    )
    return [PoolFill(row, row.free, row.kept, row.taken - row.kept) for row in rows]


def list_imports(*, pool: CodePool, limit: int = 30) -> list[CodeImport]:
    """Return the files that went into a pool, the last one first."""
    return list(CodeImport.objects.filter(pool=pool).order_by("-pk")[:limit])


def list_handed_out(*, pool: CodePool, limit: int = 30) -> list[PoolCode]:
    """Return the codes handed out last."""
    taken = PoolCode.objects.filter(pool=pool, taken_at__isnull=False)
    return list(taken.order_by("-taken_at", "-pk")[:limit])


def list_low_pools() -> list[CodePool]:
    """Return the pools known to be low, by code."""
    return list(CodePool.objects.filter(low_since_at__isnull=False).order_by("code"))


def count_free_codes(*, pool: CodePool) -> int:
    """Return how many codes of a pool are still free."""
    return PoolCode.objects.filter(pool=pool, taken_at__isnull=True).count()
