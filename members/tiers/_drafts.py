"""What a scheme to be made must fulfil; the same for storing one and for trying one out."""

import re
from collections.abc import Sequence

from django.utils.translation import gettext as _

from members.tiers.errors import InvalidSchemeError
from members.tiers.models import TierScheme
from members.tiers.values import SchemeDraft, TierDraft

_MAX_TIERS = 12
_MAX_DAYS = 366
_COLOUR = re.compile(r"^#[0-9a-f]{6}$")
_CODE = re.compile(r"^[a-z0-9][a-z0-9_-]{0,29}$")


def check_draft(draft: SchemeDraft) -> None:
    """Refuse a scheme that can not be.

    :raises InvalidSchemeError: with a pointer to the first wrong value.
    """
    _check_scheme(
        draft.metric, draft.window, draft.window_months, draft.downgrade_policy, draft.notice_days
    )
    _check_tiers(draft.tiers)


def _check_scheme(
    metric: str, window: str, window_months: int | None, policy: str, notice_days: int
) -> None:
    for name, value, known in (
        ("metric", metric, TierScheme.Metric.values),
        ("window", window, TierScheme.Window.values),
        ("downgrade_policy", policy, TierScheme.DowngradePolicy.values),
    ):
        if value not in known:
            raise InvalidSchemeError(
                _("%(value)s is not known.") % {"value": f"{value!r:.40}"}, pointer=f"/{name}"
            )
    is_rolling = window == TierScheme.Window.ROLLING
    if is_rolling != (window_months is not None) or (
        window_months is not None and not 1 <= window_months <= 120
    ):
        raise InvalidSchemeError(
            _("A rolling window has 1 to 120 months, the others have none."),
            pointer="/window_months",
        )
    if not 0 <= notice_days <= _MAX_DAYS:
        raise InvalidSchemeError(_("Notice is 0 to 366 days."), pointer="/notice_days")


def _check_tiers(tiers: Sequence[TierDraft]) -> None:
    if not 1 <= len(tiers) <= _MAX_TIERS:
        raise InvalidSchemeError(_("A scheme has 1 to 12 tiers."), pointer="/tiers")
    codes: set[str] = set()
    entry = -1
    for index, draft in enumerate(tiers):
        pointer = f"/tiers/{index}"
        if not _CODE.match(draft.code) or draft.code in codes:
            raise InvalidSchemeError(_("Codes are short and differ."), pointer=f"{pointer}/code")
        if not draft.name or not all(draft.name.values()):
            raise InvalidSchemeError(_("A tier has a name."), pointer=f"{pointer}/name")
        if draft.entry_threshold <= entry or (index == 0 and draft.entry_threshold != 0):
            raise InvalidSchemeError(
                _("Thresholds rise from 0."), pointer=f"{pointer}/entry_threshold"
            )
        if not 0 <= draft.keep_threshold <= draft.entry_threshold:
            raise InvalidSchemeError(
                _("Keeping is not harder than entering."), pointer=f"{pointer}/keep_threshold"
            )
        if not 0 <= draft.grace_days <= _MAX_DAYS:
            raise InvalidSchemeError(_("Grace is 0 to 366 days."), pointer=f"{pointer}/grace_days")
        if not 0 <= draft.multiplier_bp <= 1_000_000:
            raise InvalidSchemeError(_("Multiplier too large."), pointer=f"{pointer}/multiplier_bp")
        if not _COLOUR.match(draft.colour):
            raise InvalidSchemeError(_("A colour is #rrggbb."), pointer=f"{pointer}/colour")
        codes.add(draft.code)
        entry = draft.entry_threshold
