"""What a grant rule would mean if it were published now: for the builder and the publish dialog."""

from datetime import datetime
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l

from benefits.rules.models import GrantRule
from benefits.rules.publication import Finding, Publication, check_publication
from console.rule_words import CHECKS, limit_words, money, sentence
from tenants.brands.context import current_brand

_FINDINGS: dict[str, str | Promise] = {
    "no_budget": _l("No line of the budget in force pays for it. Choose one under “Paid from”."),
    "benefit_not_live": _l("“%(benefit)s” is not offered to members yet."),
    "cost_missing": _l("What a unit of “%(benefit)s” costs is not known."),
    "ended": _l("Its last day has passed."),
    "rule_never_matches": _l("It can never grant anything: its condition contradicts itself."),
    "empty_audience": _l("Nobody matches now. Members who come to match later will get it."),
    "over_budget": _l("A month may cost %(expected)s; %(left)s are left on its line."),
    "over_cost_line": _l("Benefits would cost %(after)s of revenue; the line is %(line)s."),
    "hold_out_small": _l(
        "Leaving out %(held_out)s members finds a difference of %(effect)s per member with a chance "
        "of %(power)s in %(days)s days. For 80 %% leave out %(least)s."
    ),
    "hold_out_hopeless": _l(
        "Too few members: a difference of %(effect)s per member would be found with a chance of "
        "%(power)s in %(days)s days, however many are left out."
    ),
    "same_benefit": _l("“%(name)s” gives the same to %(members)s of its members."),
    "same_priority": _l("“%(name)s” is in the same group with the same priority (%(members)s)."),
}


def effect_of(rule: GrantRule, *, at: datetime) -> dict[str, Any]:
    """Return the rule as a sentence, its reach and cost against its lines, and what is in the way.

    The rule may be a draft that was never saved; nothing is written.
    """
    found = check_publication(rule=rule, at=at)
    left = found.line_left_minor
    return {
        "sentence": sentence(rule),
        "limits": limit_words(rule),
        "found": found,
        "errors": [finding_words(one) for one in found.findings if one.severity == "error"],
        "warnings": [finding_words(one) for one in found.findings if one.severity != "error"],
        "ratio": _ratio(found),
        # How much of what is left on its line a month takes.
        "line_share": min(found.monthly.expected_minor / left, 1) if left else None,
        "is_over": left is not None and found.monthly.expected_minor > left,
    }


def finding_words(found: Finding) -> str:
    """Return a finding as a sentence for people."""
    data = dict(found.data)
    currency = current_brand().currency
    if found.code == "over_budget":
        data |= {
            "expected": money(data["expected_minor"], currency),
            "left": money(data["left_minor"], currency),
        }
    if found.code.startswith("hold_out_"):
        data |= {
            "effect": money(data["effect_minor"], currency),
            "power": f"{data['power'] * 100:g} %",
        }
    if found.code == "over_cost_line":
        data |= {name: f"{data[f'{name}_bp'] / 100:g} %" for name in ("after", "line")}
    if found.code == "rule_never_matches" and "cap" in data:
        label = str(CHECKS.get(data["cap"], data["cap"]))
        return _("It can never grant anything: “%(cap)s” is less than what one member gets.") % {
            "cap": label
        }
    return str(_FINDINGS.get(found.code, found.code)) % data


def _ratio(found: Publication) -> dict[str, Any] | None:
    if found.ratio_bp is None or found.ratio_after_bp is None or found.outlook is None:
        return None
    line = found.outlook.line_bp
    return {
        "now": f"{found.ratio_bp / 100:.2f} %",
        "after": f"{found.ratio_after_bp / 100:.2f} %",
        "line": f"{line / 100:g} %",
        "share": min(found.ratio_after_bp / line, 1) if line else None,
        "is_over": found.ratio_after_bp > line,
    }
