"""What changes from one version of the tiers to another, in words."""

from dataclasses import dataclass
from typing import Any

from django.utils.translation import get_language
from django.utils.translation import gettext as _

from benefits.catalogue.texts import localized
from core.templatetags.tessera import money, number
from members.tiers.models import Tier, TierScheme
from members.tiers.queries import list_scheme_tiers
from tenants.brands.context import current_brand

_BASIS = 10_000


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is otherwise: of which tier (empty: the scheme), what, and both values."""

    tier: str
    label: str
    before: str
    after: str


def scheme_differences(before: TierScheme, after: TierScheme) -> list[Difference]:
    """Return what differs, the scheme first, then tier by tier; tiers are matched by code."""
    rows = [
        Difference("", label, old, new)
        for (label, old), (_label, new) in zip(_facts(before), _facts(after), strict=True)
        if old != new
    ]
    language = get_language()
    old_tiers = {tier.code: tier for tier in list_scheme_tiers(scheme=before)}
    new_tiers = {tier.code: tier for tier in list_scheme_tiers(scheme=after)}
    for code in [*new_tiers, *(code for code in old_tiers if code not in new_tiers)]:
        old, new = old_tiers.get(code), new_tiers.get(code)
        name = localized((new or old).name, language)  # type: ignore[union-attr]
        if old is None or new is None:
            words = (_("no such tier"), _("new")) if old is None else (_("there"), _("gone"))
            rows.append(Difference(name, _("Tier"), *words))
            continue
        rows += [
            Difference(name, label, one, other)
            for (label, one), (_l, other) in zip(
                _tier_facts(before, old), _tier_facts(after, new), strict=True
            )
            if one != other
        ]
    return rows


def _facts(scheme: TierScheme) -> list[tuple[str, str]]:
    months = f" ({scheme.window_months})" if scheme.window_months else ""
    return [
        (_("What counts"), str(scheme.get_metric_display())),
        (_("Over which time"), f"{scheme.get_window_display()}{months}"),
        (_("Downgrade"), str(scheme.get_downgrade_policy_display())),
        (_("Told before (days)"), str(scheme.notice_days)),
    ]


def _tier_facts(scheme: TierScheme, tier: Tier) -> list[tuple[str, str]]:
    def unit(value: int) -> Any:
        is_money = scheme.metric == TierScheme.Metric.SPEND
        return money(value, current_brand().currency) if is_money else number(value)

    return [
        (_("Reached at"), str(unit(tier.entry_threshold))),
        (_("Kept at"), str(unit(tier.keep_threshold))),
        (_("Points ×"), f"{tier.multiplier_bp / _BASIS:g}"),
        (_("Grace days"), str(tier.grace_days)),
    ]
