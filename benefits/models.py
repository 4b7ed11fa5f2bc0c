"""Gathers the models of the rooms, so that the wing is one Django app with one history."""

from benefits.budget.models import (
    Budget,
    BudgetAllowance,
    BudgetEntry,
    BudgetLine,
    ReserveDraw,
    ReserveSnapshot,
)
from benefits.catalogue.models import (
    Benefit,
    BenefitCost,
    CodePool,
    Package,
    PackageItem,
    PoolCode,
    StageChange,
)
from benefits.grants.models import (
    Grant,
    GrantTerms,
    HoldOut,
    Redemption,
    RedemptionNote,
    RedemptionStep,
    RulePeriod,
)
from benefits.insights.models import Alert, BenefitMonth, CohortMonth, ProgrammeMonth
from benefits.mall.models import MallAddress, MallItem, MallOrder, StockRow
from benefits.rules.models import GrantRule, RuleVersion

__all__ = [
    "Alert",
    "Benefit",
    "BenefitCost",
    "BenefitMonth",
    "Budget",
    "BudgetAllowance",
    "BudgetEntry",
    "BudgetLine",
    "CodePool",
    "CohortMonth",
    "Grant",
    "GrantRule",
    "GrantTerms",
    "HoldOut",
    "MallAddress",
    "MallItem",
    "MallOrder",
    "Package",
    "PackageItem",
    "PoolCode",
    "ProgrammeMonth",
    "Redemption",
    "RedemptionNote",
    "RedemptionStep",
    "ReserveDraw",
    "ReserveSnapshot",
    "RulePeriod",
    "RuleVersion",
    "StageChange",
    "StockRow",
]
