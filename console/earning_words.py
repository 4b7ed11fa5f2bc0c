"""Earning rules and campaigns as sentences, and how an amount was made as a line."""

from typing import Any

from django.utils.translation import get_language, ngettext, pgettext
from django.utils.translation import gettext as _

from console.rule_words import audience_words
from core.web.figures import format_money, format_number
from members.earning.models import Campaign, EarningRule
from members.earning.queries import Explanation
from members.earning.triggers import EVENT, PURCHASE, list_triggers
from tenants.brands.context import current_brand

_BASIS = 10_000


def money_text(minor: int) -> str:
    """Return an amount of the brand's money in the language of the page."""
    return format_money(minor, current_brand().currency, language=get_language() or "en")


def number_text(value: int) -> str:
    """Return a whole number in the language of the page."""
    return format_number(value, language=get_language() or "en")


def factor_text(basis_points: int) -> str:
    """Return a multiplier, such as “1.5”."""
    return f"{basis_points / _BASIS:g}"


def rate_text(rule: EarningRule) -> str:
    """Return what a rule gives, such as “2 points per ¥1.00”."""
    words = {
        EarningRule.Wallets.POINTS: ngettext("%(n)s point", "%(n)s points", rule.points),
        EarningRule.Wallets.GROWTH: _("%(n)s growth"),
        EarningRule.Wallets.BOTH: ngettext(
            "%(n)s point and as much growth", "%(n)s points and as much growth", rule.points
        ),
    }
    amount = words[EarningRule.Wallets(rule.wallets)] % {"n": number_text(rule.points)}
    if rule.effect == EarningRule.Effect.PER_UNIT:
        unit = money_text(rule.unit_minor)
        return _("%(amount)s per %(unit)s") % {"amount": amount, "unit": unit}
    return amount


def rule_sentence(rule: EarningRule) -> str:
    """Return the whole rule as sentences."""
    parts = [
        _("%(when)s: %(what)s.") % {"when": _when(rule), "what": rate_text(rule)},
        *_limits(rule),
    ]
    return _sentences(parts)


def campaign_sentence(campaign: Campaign, *, rules: dict[int, str]) -> str:
    """Return the whole campaign as sentences; `rules` names those it can act on."""
    where = _places(campaign)
    if campaign.effect == Campaign.Effect.BONUS:
        points = ngettext("%(n)s point", "%(n)s points", campaign.points) % {
            "n": number_text(campaign.points)
        }
        what = _("%(where)s: %(points)s more, once.") % {"where": where, "points": points}
    else:
        what = _("%(where)s: points × %(factor)s.") % {
            "where": where,
            "factor": factor_text(campaign.multiplier_bp),
        }
    parts = [what]
    if campaign.rule_ids:
        names = _list([f"“{rules.get(key, key)}”" for key in campaign.rule_ids])
        parts.append(_("Acts on %(rules)s only.") % {"rules": names})
    if campaign.effect == Campaign.Effect.MULTIPLIER:
        parts.append(
            _("Comes on top of other campaigns.")
            if campaign.combine == Campaign.Combine.MULTIPLY
            else _("Of such campaigns only the greatest counts.")
        )
    if campaign.condition:
        parts.append(
            _("For members of whom this is true: %(who)s.")
            % {"who": audience_words(campaign.condition)}
        )
    return _sentences(parts)


def trigger_text(rule: EarningRule) -> str:
    """Return what sets a rule off."""
    if rule.trigger == EVENT:
        return _("Event “%(name)s”") % {"name": rule.event_name}
    return str(list_triggers().get(rule.trigger, rule.trigger))


def earning_line(found: Explanation) -> str:
    """Return the sum that was done: counted × rate = base, × tier, × campaigns, - cap."""
    rule = found.rule
    if found.eligible_minor is not None and rule.effect == EarningRule.Effect.PER_UNIT:
        parts = [
            _("%(amount)s × %(points)s per %(unit)s")
            % {
                "amount": money_text(found.eligible_minor),
                "points": rule.points,
                "unit": money_text(rule.unit_minor),
            }
        ]
    else:
        parts = [_("%(points)s points once") % {"points": rule.points}]
    if found.tier_bp is not None and found.tier_bp != _BASIS:
        parts.append(_("tier × %(n)s") % {"n": factor_text(found.tier_bp)})
    if found.campaign_bp is not None and found.campaign_bp != _BASIS:
        name = _list(list(found.campaigns)) if found.campaigns else _("campaign")
        parts.append(f"{name} × {factor_text(found.campaign_bp)}")
    if found.cut:
        parts.append(_("cap of the rule −%(n)s") % {"n": number_text(found.cut)})
    return " · ".join(parts)


def _when(rule: EarningRule) -> str:
    if rule.trigger != PURCHASE:
        return trigger_text(rule)
    return _places(rule)


def _places(item: EarningRule | Campaign) -> str:
    """Return on which purchases it acts."""
    parts: list[str] = []
    if item.categories:
        is_except = getattr(item, "category_mode", "") == EarningRule.CategoryMode.EXCEPT
        text = _("without %(names)s") if is_except else _("of %(names)s")
        parts.append(text % {"names": _list(item.categories)})
    if item.stores:
        parts.append(_("in %(names)s") % {"names": _list(item.stores)})
    if item.channels:
        parts.append(_("by %(names)s") % {"names": _list(item.channels)})
    if not parts:
        return _("Every purchase")
    return _("Purchases %(which)s") % {"which": " ".join(parts)}


def _limits(rule: EarningRule) -> list[str]:
    parts = []
    if rule.condition:
        parts.append(
            _("For members of whom this is true: %(who)s.")
            % {"who": audience_words(rule.condition)}
        )
    caps = []
    if rule.cap_per_day is not None:
        caps.append(_("%(n)s a day") % {"n": number_text(rule.cap_per_day)})
    if rule.cap_per_month is not None:
        caps.append(_("%(n)s a month") % {"n": number_text(rule.cap_per_month)})
    if caps:
        parts.append(_("At most %(caps)s per member.") % {"caps": _list(caps)})
    if rule.pending_days:
        parts.append(
            ngettext(
                "To be spent after %(n)s day.", "To be spent after %(n)s days.", rule.pending_days
            )
            % {"n": rule.pending_days}
        )
    if rule.stack_group:
        text = (
            _("Of the group “%(group)s” only the best rule gives.")
            if rule.stacking == EarningRule.Stacking.BEST
            else _("Of the group “%(group)s” only the first rule that fits gives.")
        )
        parts.append(text % {"group": rule.stack_group})
    return parts


def _sentences(parts: list[str]) -> str:
    # A full stop of Chinese brings its own space.
    return ("" if (get_language() or "").startswith("zh") else " ").join(parts)


def _list(items: list[Any]) -> str:
    return pgettext("between the items of a list", ", ").join(map(str, items))
