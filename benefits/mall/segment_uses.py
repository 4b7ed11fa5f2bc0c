"""Which items and draws of the mall need a saved segment."""

from collections.abc import Iterator

from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from benefits.catalogue.texts import localized
from benefits.mall.draws.models import LuckyDraw
from benefits.mall.models import MallItem
from members.segments.usage import Use


def find_uses() -> Iterator[Use]:
    """Give the conditions of all items and draws."""
    items = MallItem.objects.exclude(condition=None)
    for name, condition in items.values_list("name", "condition"):
        yield Use(_("mall item"), localized(name, get_language()), condition)
    draws = LuckyDraw.objects.exclude(condition=None)
    for name, condition in draws.values_list("name", "condition"):
        yield Use(_("lucky draw"), localized(name, get_language()), condition)
