"""What a benefit brings: the result of its hold-out, or of alike members, with intervals."""

from typing import Any

from django.http import HttpResponse
from django.urls import reverse
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from benefits.catalogue.queries import get_benefit
from benefits.insights import returns
from benefits.insights.models import ReturnEstimate
from console.access import StaffRequest, staff_page
from console.dialogs import finish
from console.views.insights import benefit_shell
from core import clock
from core.web.figures import format_money, format_number, format_percent
from core.web.responses import render_page
from tenants.accounts import permissions as p
from tenants.brands.context import current_brand


@staff_page(p.BENEFITS_VIEW)
def show(request: StaffRequest, code: str) -> HttpResponse:
    """Show the latest result with its intervals, how it was found, and when the next one comes."""
    benefit = get_benefit(code=code)
    found = returns.get_return(benefit=benefit)
    trial = returns.find_trial(benefit=benefit)
    today = clock.today(current_brand().timezone)
    context = {
        **benefit_shell(request, benefit, "return"),
        "found": found,
        "rows": _rows(found) if found else [],
        "roi": _roi(found) if found else None,
        "trial": trial,
        "is_waiting": trial is not None and trial.ready_on > today,
        "days_enrol": returns.ENROL_DAYS,
        "days_follow": returns.HORIZON_DAYS,
    }
    return render_page(request, "console/insights/return.html", context, partial="insights")


@staff_page(p.BENEFITS_EDIT, methods=("POST",))
def compute(request: StaffRequest, code: str) -> HttpResponse:
    """Compute the result now."""
    benefit = get_benefit(code=code)
    found = returns.estimate_return(benefit=benefit, at=clock.now())
    message = _("Computed.") if found else _("Too few members have been followed to the end.")
    address = reverse("console:insight_return", args=[code])
    return finish(request, message, changed="insights", url=address)


def _rows(found: ReturnEstimate) -> list[dict[str, Any]]:
    labels = {
        "spend": _("Net purchases per member"),
        "repurchase": _("Members with two or more purchases"),
        "visits": _("Days with a purchase per member"),
    }
    rows = []
    for name, label in labels.items():
        outcome = found.outcomes[name]
        low, estimate, high = outcome["low"], outcome["estimate"], outcome["high"]
        rows.append(
            {
                "label": label,
                "treated": _shown(name, outcome["treated_mean"]),
                "others": _shown(name, outcome["other_mean"]),
                "estimate": _shown(name, estimate, signed=True),
                "interval": f"{_shown(name, low, signed=True)} … {_shown(name, high, signed=True)}",
                "picture": interval_svg(low, estimate, high, label=str(label)),
                "verdict": "ok" if low > 0 else "bad" if high < 0 else "muted",
                "words": _("clearly more")
                if low > 0
                else _("clearly less")
                if high < 0
                else _("no clear difference"),
            }
        )
    return rows


def _shown(name: str, value: float, *, signed: bool = False) -> str:
    language = get_language() or "en"
    sign = "+" if signed and value > 0 else ""
    if name == "spend":
        return sign + format_money(round(value), current_brand().currency, language=language)
    if name == "repurchase":
        return sign + format_percent(value, language=language)
    return sign + format_number(round(value, 2), language=language)


def _roi(found: ReturnEstimate) -> dict[str, Any] | None:
    if found.roi is None or found.roi_low is None or found.roi_high is None:
        return None
    return {
        "value": f"{found.roi:.2f}",
        "interval": f"{found.roi_low:.2f} … {found.roi_high:.2f}",
        "picture": interval_svg(
            found.roi_low - 1, found.roi - 1, found.roi_high - 1, label=_("Return on cost less one")
        ),
        "pays": found.roi_low > 1,
    }


def interval_svg(low: float, estimate: float, high: float, *, label: str) -> SafeString:
    """Return an interval as a line with a dot, beside a mark at zero, as inline SVG."""
    width, height, pad = 220, 28, 8
    reach = max(abs(low), abs(high), abs(estimate)) or 1.0

    def x(value: float) -> float:
        return round(pad + (value / reach + 1) / 2 * (width - 2 * pad), 1)

    middle = height / 2
    return mark_safe(  # noqa: S308  (numbers, and a label that is escaped)
        f'<svg width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{escape(label)}" stroke="currentColor" fill="currentColor">'
        f'<path d="M{x(0):g} 2V{height - 2}" stroke-dasharray="2 2" opacity=".5"/>'
        f'<path d="M{x(low):g} {middle:g}H{x(high):g}" stroke-width="2"/>'
        f'<circle cx="{x(estimate):g}" cy="{middle:g}" r="4"/></svg>'
    )
