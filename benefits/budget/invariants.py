"""Checks that can be run on any brand at any time; each returns what it found wrong."""

from collections.abc import Callable

from django.db.models import Sum

from benefits.budget import queries
from benefits.budget.models import Budget, BudgetAllowance


def reserve_adds_up() -> list[str]:
    """I5: opening reserve − draws + returns = reserve left ≥ 0; reserve + plannable = total."""
    wrong = []
    for budget in Budget.objects.order_by("pk"):
        found = queries.summary(budget=budget)
        if not 0 <= found.reserve_left <= budget.opening_reserve_minor:
            wrong.append(f"budget {budget.pk}: reserve left is {found.reserve_left}")
        if budget.opening_reserve_minor + budget.plannable_minor != budget.total_minor:
            wrong.append(f"budget {budget.pk}: reserve and plannable are not the total")
        if found.planned > budget.plannable_minor:
            wrong.append(f"budget {budget.pk}: planned {found.planned} passes the plannable")
        if budget.closed_reserve_minor is not None and (
            budget.closed_reserve_minor != found.reserve_left
        ):
            wrong.append(f"budget {budget.pk}: closed with another reserve than its entries say")
    return wrong


def allowances_match_entries() -> list[str]:
    """Each line's allowance shards add up to what its entries leave."""
    left = dict(BudgetAllowance.objects.values_list("line_id").annotate(Sum("left_minor")))
    wrong = []
    for budget in Budget.objects.order_by("pk"):
        for found in queries.line_summaries(budget=budget):
            if left.get(found.line.pk, 0) != found.left:
                wrong.append(
                    f"line {found.line.pk}: allowance {left.get(found.line.pk, 0)},"
                    f" entries leave {found.left}"
                )
            if found.line.policy == "refuse" and found.committed < 0:
                wrong.append(f"line {found.line.pk}: more released than committed")
    return wrong


CHECKS: dict[str, Callable[[], list[str]]] = {
    "I5 reserve adds up": reserve_adds_up,
    "I5 allowances match entries": allowances_match_entries,
}
