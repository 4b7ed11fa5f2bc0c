"""Which earning rules need a saved segment."""

from collections.abc import Iterator

from django.utils.translation import gettext_lazy as _

from members.earning.models import EarningRule
from members.segments.usage import Use


def find_uses() -> Iterator[Use]:
    """Give the conditions of all rules that are not over."""
    rules = EarningRule.objects.exclude(status=EarningRule.Status.ENDED)
    for name, condition in rules.exclude(condition=None).values_list("name", "condition"):
        yield Use(_("earning rule"), name, condition)
