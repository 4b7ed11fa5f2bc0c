"""Makers of benefits, members, rights and orders for the tests of this wing."""

from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from benefits.budget.models import Budget, BudgetLine
from benefits.budget.operations import add_line, create_budget, plan
from benefits.budget.queries import current_budget, line_summaries
from benefits.catalogue.models import Benefit
from benefits.catalogue.operations import create_benefit
from benefits.grants import invariants as grants_invariants
from benefits.grants import operations as grants
from benefits.grants.models import Grant, Redemption
from benefits.mall import invariants as mall_invariants
from benefits.mall.models import MallItem, MallOrder
from benefits.mall.operations import create_item, place_order
from benefits.rules.models import GrantRule
from benefits.rules.operations import create_rule, publish_rule
from core import ids
from core.actors import Actor
from members.points import invariants as points_invariants
from members.points.operations import earn
from members.points.queries import get_balance
from members.points.values import Source
from members.profiles.models import Member
from members.profiles.operations import enrol
from tenants.events.models import Event

STAFF = Actor(kind="staff", id=7, label="Kim")
ADDRESS = {"recipient": "Li Lei", "phone": "+8613800000000", "lines": "1 Garden Road"}


def acting(member: Member) -> Actor:
    """Return the member as the one who does something."""
    return Actor(kind="member", id=member.pk)


class World:
    """Makes what the tests of benefits need; every maker has sensible defaults."""

    def __init__(self, at: datetime) -> None:
        self.at = at
        self._count = 0

    def next(self) -> int:
        self._count += 1
        return self._count

    def benefit(self, **changes: Any) -> Benefit:
        facts: dict[str, Any] = {
            "code": f"benefit-{self.next()}",
            "kind": "gift",
            "name": {"en": "Tea box", "zh-hans": "茶礼盒"},
            "channel": "staff",
            "stage": "core",
            "unit_cost_minor": 1_200,
        }
        return create_benefit(**{**facts, **changes}, by=STAFF, at=self.at - timedelta(days=40))

    def member(self, **changes: Any) -> Member:
        facts: dict[str, Any] = {
            "external_id": f"m-{self.next()}",
            "region": "north",
            "at": self.at,
        }
        return enrol(**{**facts, **changes}, by=STAFF)

    def grant(self, member: Member, benefit: Benefit, **changes: Any) -> Grant:
        facts: dict[str, Any] = {
            "quantity": 1,
            "period_key": f"test-{self.next()}",
            "ends_at": self.at + timedelta(days=30),
        }
        return grants.grant(
            member=member, benefit=benefit, **{**facts, **changes}, by=STAFF, at=self.at
        )

    def redeem(self, member: Member, grant: Grant, **changes: Any) -> Redemption:
        facts: dict[str, Any] = {"key": ids.uuid7(), "by": acting(member), "at": self.at}
        return grants.redeem(member=member, grant_id=grant.pk, **{**facts, **changes})

    def redemption(self, **benefit: Any) -> Redemption:
        """Return an open redemption of a new member's only unit."""
        member = self.member()
        return self.redeem(member, self.grant(member, self.benefit(**benefit)))

    def rule(self, benefit: Benefit | None = None, *, publish: bool = True, **changes: Any) -> Any:
        facts: dict[str, Any] = {
            "code": f"rule-{self.next()}",
            "name": "Monthly",
            "cadence": GrantRule.Cadence.MONTHLY,
        }
        if benefit is not None:
            facts["benefit"] = benefit
        if "budget_line" not in changes:
            facts["budget_line"] = self.rules_line()
        rule = create_rule(**{**facts, **changes}, by=STAFF, at=self.at - timedelta(days=30))
        if publish:
            publish_rule(rule=rule, by=STAFF, at=self.at - timedelta(days=1))
            rule.refresh_from_db()
        return rule

    def points(self, member: Member, amount: int) -> None:
        earn(
            owner_id=member.pk,
            amount=amount,
            key=ids.uuid7(),
            at=self.at - timedelta(days=1),
            source=Source("test", 1),
        )

    def balance(self, member: Member) -> tuple[int, int]:
        """Return (available, held)."""
        found = get_balance(owner_id=member.pk, at=self.at)
        return found.available, found.held

    def item(self, **changes: Any) -> MallItem:
        facts: dict[str, Any] = {
            "code": f"item-{self.next()}",
            "kind": "physical",
            "name": {"en": "Towel"},
            "points": 100,
            "stock": 5,
            "on_sale": True,
        }
        return create_item(**{**facts, **changes}, by=STAFF, at=self.at - timedelta(days=5))

    def order(self, member: Member, item: MallItem, **changes: Any) -> MallOrder:
        facts: dict[str, Any] = {"key": ids.uuid7(), "by": acting(member), "at": self.at}
        if item.kind == "physical":
            facts["address"] = ADDRESS
        return place_order(member=member, item=item, **{**facts, **changes})

    def budget(self) -> Budget:
        """Return the budget of the year, made when it is first asked for."""
        found = current_budget(on=date(2026, 3, 15))
        if found is not None:
            return found
        return create_budget(
            name="Year",
            starts_on=date(2026, 1, 1),
            ends_on=date(2027, 1, 1),
            total_minor=10_000_000,
            by=STAFF,
            at=self.at,
        )

    def line(self, planned: int = 1_000_000, **changes: Any) -> BudgetLine:
        """Return a line with money in the budget of the year."""
        facts: dict[str, Any] = {"code": "gifts", "name": "Gifts", "kind": "benefit"}
        line = add_line(budget=self.budget(), **{**facts, **changes}, by=STAFF, at=self.at)
        plan(line=line, amount_minor=planned, key=ids.uuid7(), by=STAFF, at=self.at)
        return line

    def rules_line(self) -> BudgetLine:
        """Return the line that pays for rules whose test does not ask who pays."""
        found = BudgetLine.objects.filter(code="rules").first()
        return found or self.line(code="rules", name="Rules", planned=5_000_000)


def figures(line: BudgetLine) -> tuple[int, int]:
    """Return (committed, spent) of a line."""
    (found,) = [row for row in line_summaries(budget=line.budget) if row.line.pk == line.pk]
    return found.committed, found.spent


def event_types(subject: str) -> list[str]:
    """Return the types of a subject's events in their order."""
    return list(Event.objects.filter(subject=subject).order_by("id").values_list("type", flat=True))


def problems() -> list[str]:
    """Run every invariant of this wing's grants and mall, and of the ledger."""
    checks = {
        **grants_invariants.CHECKS,
        **mall_invariants.CHECKS,
        **points_invariants.CHECKS,
    }
    return [f"{name}: {line}" for name, check in checks.items() for line in check()]


def some_key() -> UUID:
    """Return a fresh key of a caller."""
    return ids.uuid7()
