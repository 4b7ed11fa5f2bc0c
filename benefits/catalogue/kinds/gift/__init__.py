"""Gift: goods handed over at the shop, sent, or fetched with a code."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from benefits.catalogue.kinds.base import Parameters, PlainKind


class Gift(PlainKind):
    """Free goods. Parameters: `sku` (optional), the article in the brand's own systems."""

    code: ClassVar[str] = "gift"
    label: ClassVar[str | Promise] = _("Gift")
    icon: ClassVar[str] = "gift"
    channels: ClassVar[frozenset[str]] = frozenset({"staff", "code", "partner"})

    def validate(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Check `sku`."""
        given = Parameters(parameters)
        given.text("sku", longest=64)
        return given.finish()
