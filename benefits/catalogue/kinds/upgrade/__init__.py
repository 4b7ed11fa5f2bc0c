"""Upgrade: a higher tier for a time, with all that belongs to it."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, ClassVar

from django.utils.functional import Promise
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from benefits.catalogue.errors import InvalidBenefitError
from benefits.catalogue.kinds.base import Effect, Parameters, Right, Use
from core.actors import SYSTEM
from core.clock import local_date
from members.tiers.operations import end_lift, is_known_tier, lift_member
from members.tiers.rules import add_months
from tenants.brands.context import current_brand


class Upgrade:
    """At least a tier for some days or months, from the moment the member uses it.

    Parameters: `tier` (its code), and either `days` or `months`. It lasts through the brand day
    before the one on which its time is over. Who holds a better tier keeps it; what the tier
    itself grants comes by the rules that ask for it, and goes with it.
    """

    code: ClassVar[str] = "upgrade"
    label: ClassVar[str | Promise] = _("Tier upgrade")
    icon: ClassVar[str] = "crown"
    channels: ClassVar[frozenset[str]] = frozenset({"instant"})

    def validate(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Check `tier`, `days` and `months`."""
        given = Parameters(parameters)
        tier = given.text("tier", longest=40)
        days = given.whole("days", minimum=1, maximum=1_096)
        months = given.whole("months", minimum=1, maximum=36)
        found = given.finish()
        if not tier:
            raise InvalidBenefitError(_t("A tier is needed."), pointer="/parameters/tier")
        if not is_known_tier(code=tier):
            raise InvalidBenefitError(
                _t("There is no tier of this code."), pointer="/parameters/tier"
            )
        if (days is None) == (months is None):
            raise InvalidBenefitError(_t("Give either days or months."), pointer="/parameters/days")
        return found

    def grant(self, right: Right) -> None:
        """It begins when the member uses it, not before."""

    def redeem(self, use: Use) -> Effect:
        """Let it begin now, once per redemption."""
        today = local_date(use.at, current_brand().timezone)
        lift_member(
            member_id=use.member_id,
            tier=str(use.parameters["tier"]),
            until=end_of(today, use.parameters),
            use=_key(use),
            by=SYSTEM,
            at=use.at,
        )
        return Effect()

    def revoke(self, use: Use) -> None:
        """Let it end now; the tier is what else holds the member, or what was earned."""
        end_lift(member_id=use.member_id, use=_key(use), at=use.at)

    def expected_cost(self, parameters: Mapping[str, Any]) -> int:
        """Return zero: what the tier costs is booked as its benefits are used."""
        return 0


def end_of(today: date, parameters: Mapping[str, Any]) -> date:
    """Return the first brand day on which an upgrade that begins today holds no more."""
    months = parameters.get("months")
    if months is not None:
        return add_months(today, int(months))
    return today + timedelta(days=int(parameters["days"]))


def _key(use: Use) -> str:
    return f"redemption:{use.redemption_id}"
