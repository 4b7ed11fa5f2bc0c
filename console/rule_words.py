"""Grant rules in words: what is given to whom and how often, and the questions asked of a member."""

from typing import Any

from django.utils.functional import Promise
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l

from benefits.catalogue.queries import localized
from benefits.rules.models import GrantRule
from core import clock
from core.web.figures import format_date, format_money
from members.segments import conditions
from tenants.brands.context import current_brand

CHECKS: dict[str, str | Promise] = {
    "published": _l("The rule is in force"),
    "within_dates": _l("Its dates include now"),
    "benefit_live": _l("What it gives is offered"),
    "member_active": _l("The member is active"),
    "condition": _l("The member meets the condition"),
    "period_open": _l("This period's has not been granted yet"),
    "exclusivity": _l("No other right of the group is in the way"),
    "hold_out": _l("The member is not held out"),
    "cap_per_member": _l("Units per member at most"),
    "cap_minor_per_member": _l("Cost per member at most"),
    "cap_units_per_day": _l("Units per day at most"),
    "cap_minor_per_day": _l("Cost per day at most"),
    "cap_units_per_period": _l("Units per period at most"),
    "cap_minor_per_period": _l("Cost per period at most"),
    "cap_units_total": _l("Units in all at most"),
    "cap_minor_total": _l("Cost in all at most"),
}


def subject(rule: GrantRule) -> str:
    """Return what a rule grants, such as “2 × Hand care”."""
    what = rule.benefit if rule.benefit is not None else rule.package
    name = localized(what.name, get_language()) if what is not None else ""
    return f"{rule.quantity} × {name}" if rule.quantity > 1 else name


def audience_words(tree: dict[str, Any]) -> str:
    """Return a condition as a phrase; one that no longer reads is said to be so."""
    try:
        condition = conditions.parse(tree)
    except conditions.ConditionError:
        return _("The condition names something that no longer exists.")
    return conditions.describe(condition, currency=current_brand().currency)


def sentence(rule: GrantRule) -> str:
    """Return the whole rule as one sentence."""
    cadence = str(rule.get_cadence_display())
    if rule.cadence == GrantRule.Cadence.EVERY_N_MONTHS and rule.every_months:
        cadence = ngettext("Every %(n)s month", "Every %(n)s months", rule.every_months) % {
            "n": rule.every_months
        }
    if rule.cadence == GrantRule.Cadence.ON_EVENT:
        cadence = _("On the event “%(name)s”") % {"name": rule.event_name}
    if not rule.condition:
        return _("%(cadence)s: %(what)s for every member.") % {
            "cadence": cadence,
            "what": subject(rule),
        }
    return _("%(cadence)s: %(what)s for each member of whom this is true: %(who)s.") % {
        "cadence": cadence,
        "what": subject(rule),
        "who": audience_words(rule.condition),
    }


def limit_words(rule: GrantRule) -> list[str]:
    """Return what bounds a rule as short sentences: hold-out, caps, dates, group."""
    currency = current_brand().currency
    found = []
    if rule.hold_out_bp:
        found.append(
            _("%(share)s of them get nothing, to measure against.")
            % {"share": f"{rule.hold_out_bp / 100:g} %"}
        )
    if rule.validity_days is not None:
        found.append(
            ngettext(
                "What is given holds for %(n)s day.",
                "What is given holds for %(n)s days.",
                rule.validity_days,
            )
            % {"n": rule.validity_days}
        )
    for name, label in CHECKS.items():
        value = getattr(rule, name, None) if name.startswith("cap_") else None
        if value is not None:
            shown = money(value, currency) if "minor" in name else f"{value:,}"
            found.append(_("%(limit)s: %(value)s.") % {"limit": label, "value": shown})
    if rule.exclusivity_group:
        found.append(
            _("Only one rule of the group “%(group)s” at a time.")
            % {"group": rule.exclusivity_group}
        )
    zone, language = current_brand().timezone, get_language() or "en"
    if rule.starts_at is not None:
        day = format_date(clock.local_date(rule.starts_at, zone), language=language)
        found.append(_("It begins on %(day)s.") % {"day": day})
    if rule.ends_at is not None:
        day = format_date(clock.local_date(rule.ends_at, zone), language=language)
        found.append(_("It ends on %(day)s.") % {"day": day})
    return found


def money(minor: int, currency: str) -> str:
    """Return an amount in the language of the page."""
    return format_money(minor, currency, language=get_language() or "en")
