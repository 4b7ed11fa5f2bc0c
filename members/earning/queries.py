"""Reading earning rules and what they gave."""

from collections.abc import Sequence

from members.earning.errors import RuleNotFoundError
from members.earning.models import Earning, EarningRule


def list_rules() -> list[EarningRule]:
    """Return all earning rules, newest first."""
    return list(EarningRule.objects.order_by("-pk"))


def get_rule(*, rule_id: int) -> EarningRule:
    """Return an earning rule.

    :raises RuleNotFoundError: if there is none.
    """
    rule = EarningRule.objects.filter(pk=rule_id).first()
    if rule is None:
        raise RuleNotFoundError(rule_id=rule_id)
    return rule


def list_earnings(*, purchase_ids: Sequence[int]) -> list[Earning]:
    """Return what purchases earned, with purchase and rule: the answer to “why so many points”."""
    return list(
        Earning.objects.filter(purchase_id__in=purchase_ids)
        .select_related("rule", "purchase")
        .order_by("pk")
    )
