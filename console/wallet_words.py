"""A wallet's rules in plain sentences, with what they mean for points earned today."""

from datetime import date
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from core.templatetags.tessera import day, number
from members.points.expiry import expires_on, good_until
from members.points.models import NEVER, Wallet

Policy = Wallet.ExpiryPolicy


def expiry_preview(*, policy: str, months: int, today: date) -> str:
    """Return until when points earned today would be good."""
    if policy == Policy.INACTIVITY:
        last = good_until(active_on=today, months=months)
        return _(
            "Points earned today, %(today)s, are good through %(last)s. Any purchase, use or other "
            "activity before then moves that day for all of a member's points."
        ) % {"today": day(today), "last": day(last)}
    last = expires_on(policy=policy, months=months, earned_on=today)
    if last == NEVER:
        return _("Points earned today, %(today)s, never expire.") % {"today": day(today)}
    return _(
        "Points earned today, %(today)s, are good through %(last)s, to the last second of that day."
    ) % {"today": day(today), "last": day(last)}


def expiry_lines(wallet: Wallet, *, today: date) -> list[str]:
    """Return the rules of expiry and waiting."""
    lines = [expiry_preview(policy=wallet.expiry_policy, months=wallet.expiry_months, today=today)]
    if wallet.pending_days:
        lines.append(
            ngettext(
                "They can be spent after %(n)s day.",
                "They can be spent after %(n)s days.",
                wallet.pending_days,
            )
            % {"n": wallet.pending_days}
        )
    else:
        lines.append(_("They can be spent at once."))
    if wallet.expiring_notice_days:
        lines.append(
            ngettext(
                "Members are told %(n)s day before points expire, once for each last day.",
                "Members are told %(n)s days before points expire, once for each last day.",
                wallet.expiring_notice_days,
            )
            % {"n": wallet.expiring_notice_days}
        )
    return lines


def earning_lines(wallet: Wallet) -> list[str]:
    """Return the caps on having and earning."""
    lines = [
        text % {"n": number(cap)}
        for cap, text in (
            (wallet.balance_cap, _("At most %(n)s points at a time.")),
            (wallet.earn_cap_day, _("At most %(n)s points earned in a day.")),
            (wallet.earn_cap_month, _("At most %(n)s points earned in a month.")),
        )
        if cap is not None
    ]
    if not lines:
        return [_("No limit on earning.")]
    return [
        *lines,
        _("What passes a cap is cut off; the rest is credited.")
        if wallet.cap_policy == Wallet.CapPolicy.CUT
        else _("A credit that passes a cap is not given at all."),
    ]


def spending_lines(wallet: Wallet) -> list[str]:
    """Return what members may choose to spend."""
    lines = []
    if wallet.spend_min > 1:
        lines.append(_("At least %(n)s points at once.") % {"n": number(wallet.spend_min)})
    if wallet.spend_step > 1:
        lines.append(_("In steps of %(n)s points.") % {"n": number(wallet.spend_step)})
    if not lines:
        lines.append(_("Any number of points."))
    return [*lines, _("Prices of items and benefits stand as they are.")]


def clawback_lines(wallet: Wallet) -> list[str]:
    """Return what happens when spent points must be taken back."""
    if wallet.may_go_negative:
        return [_("The balance goes below zero; nothing can be spent until it is paid.")]
    if wallet.recover_percent:
        return [
            _("The balance stays at zero; %(n)s%% of each later credit pays what is owed.")
            % {"n": wallet.recover_percent}
        ]
    return [_("What was spent is written off and noted as a shortfall.")]


def consent_lines(wallet: Wallet) -> list[str]:
    """Return who may adjust how much."""
    if wallet.adjust_limit is None:
        return [_("No limit: one person may adjust any number of points.")]
    return [
        _(
            "One person adjusts up to %(n)s points of a member within 24 hours; for more, "
            "somebody else must consent."
        )
        % {"n": number(wallet.adjust_limit)}
    ]


def transfer_lines(wallet: Wallet) -> list[str]:
    """Return whether and how members pass points on."""
    if not wallet.transfers_on:
        return [_("Members can not pass points on.")]
    lines = [_("Members may pass points on; the points keep their last good day.")]
    if wallet.transfer_min > 1:
        lines.append(_("At least %(n)s points.") % {"n": number(wallet.transfer_min)})
    if wallet.transfer_day_points is not None:
        lines.append(_("At most %(n)s points a day.") % {"n": number(wallet.transfer_day_points)})
    if wallet.transfer_day_count is not None:
        lines.append(
            ngettext(
                "At most %(n)s transfer a day.",
                "At most %(n)s transfers a day.",
                wallet.transfer_day_count,
            )
            % {"n": wallet.transfer_day_count}
        )
    return lines


def sections_of(wallet: Wallet, *, today: date) -> list[dict[str, Any]]:
    """Return the parts of a wallet's page: key, title, sentences."""
    return [
        {"key": "expiry", "title": _("Expiry"), "lines": expiry_lines(wallet, today=today)},
        {"key": "earning", "title": _("Caps on earning"), "lines": earning_lines(wallet)},
        {"key": "spending", "title": _("Spending"), "lines": spending_lines(wallet)},
        {
            "key": "clawback",
            "title": _("Taking back what is spent"),
            "lines": clawback_lines(wallet),
        },
        {"key": "consent", "title": _("Adjusting by hand"), "lines": consent_lines(wallet)},
        {"key": "transfers", "title": _("Passing on"), "lines": transfer_lines(wallet)},
    ]
