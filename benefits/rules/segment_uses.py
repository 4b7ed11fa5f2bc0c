"""Which grant rules need a saved segment."""

from collections.abc import Iterator

from django.utils.translation import gettext_lazy as _

from benefits.rules.models import GrantRule
from members.segments.usage import Use


def find_uses() -> Iterator[Use]:
    """Give the conditions of all rules that are not over."""
    rules = GrantRule.objects.exclude(status=GrantRule.Status.ENDED)
    for name, condition in rules.values_list("name", "condition"):
        yield Use(_("grant rule"), name, condition)
