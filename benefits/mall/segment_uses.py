"""Which items and draws of the mall need a saved segment."""

from collections.abc import Iterator

from django.db.models import Value
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from benefits.catalogue.texts import localized
from benefits.mall.draws.models import LuckyDraw
from benefits.mall.models import MallItem
from members.segments.usage import Use


def find_uses() -> Iterator[Use]:
    """Give the conditions of all items and draws."""
    items, draws = (
        model.objects.exclude(condition=None)
        .annotate(is_item=Value(value=model is MallItem))
        .values_list("is_item", "name", "condition")
        for model in (MallItem, LuckyDraw)
    )
    for is_item, name, condition in items.union(draws, all=True):
        kind = _("mall item") if is_item else _("lucky draw")
        yield Use(kind, localized(name, get_language()), condition)
