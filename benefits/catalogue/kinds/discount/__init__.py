"""Discount: less to pay at the till, shown by a code."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from benefits.catalogue.errors import InvalidBenefitError
from benefits.catalogue.kinds.base import Parameters, PlainKind
from core.money import MAX_MINOR


class Discount(PlainKind):
    """A share or an amount off one purchase.

    Parameters: `percent_bp` (basis points) or `amount_minor`, exactly one; `minimum_minor`
    (optional), the least a purchase must come to. The till takes it off; the code proves it.
    """

    code: ClassVar[str] = "discount"
    label: ClassVar[str | Promise] = _("Discount")
    icon: ClassVar[str] = "discount"
    channels: ClassVar[frozenset[str]] = frozenset({"code", "staff"})

    def validate(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Check that exactly one of share and amount is given."""
        given = Parameters(parameters)
        share = given.whole("percent_bp", minimum=1, maximum=10_000)
        amount = given.whole("amount_minor", minimum=1, maximum=MAX_MINOR)
        given.whole("minimum_minor", minimum=0, maximum=MAX_MINOR)
        if (share is None) == (amount is None):
            raise InvalidBenefitError(
                "Give either percent_bp or amount_minor.", pointer="/parameters/percent_bp"
            )
        return given.finish()
