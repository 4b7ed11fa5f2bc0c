"""Forms of tier schemes: a version with its tiers as rows, and the day it comes in force."""

import re
from collections.abc import Sequence
from typing import Any

from django import forms
from django.forms.boundfield import BoundField
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l

from console.forms import DateInput
from core.errors import DomainError
from core.money import InvalidAmountError, parse_decimal, to_decimal
from members.tiers.models import Tier, TierScheme
from members.tiers.values import TierDraft
from tenants.brands.context import current_brand

_ROWS = 6
_CELLS = ("name", "code", "entry", "keep", "multiplier", "grace")
_BASIS = 10_000


class PublishForm(forms.Form):
    """The day on which a version comes in force."""

    starts_on = forms.DateField(label=_l("In force from"), widget=DateInput())


class SchemeForm(forms.Form):
    """A version of the tiers; rows without a name are left out."""

    metric = forms.ChoiceField(label=_l("What counts"), choices=TierScheme.Metric.choices)
    window = forms.ChoiceField(label=_l("Over which time"), choices=TierScheme.Window.choices)
    window_months = forms.IntegerField(
        label=_l("Months"), min_value=1, max_value=120, required=False,
        help_text=_l("Only for rolling months."),
    )  # fmt: skip
    downgrade_policy = forms.ChoiceField(
        label=_l("Below the keep threshold"),
        choices=TierScheme.DowngradePolicy.choices,
    )
    notice_days = forms.IntegerField(
        label=_l("Told before (days)"), min_value=0, max_value=366, initial=14
    )

    def __init__(
        self, *args: Any, scheme: TierScheme | None, tiers: Sequence[Tier], **options: Any
    ) -> None:
        super().__init__(*args, **options)
        self.source = {tier.code: tier for tier in tiers}
        if scheme is not None:
            for name in ("metric", "window", "window_months", "downgrade_policy", "notice_days"):
                self.fields[name].initial = getattr(scheme, name)
        is_money = scheme is not None and scheme.metric == TierScheme.Metric.SPEND
        for number in range(max(_ROWS, len(tiers) + 1)):
            tier = tiers[number] if number < len(tiers) else None
            self._add_row(number, tier, is_money=is_money)

    def _add_row(self, number: int, tier: Tier | None, *, is_money: bool) -> None:
        brand = current_brand()
        initial: dict[str, Any] = {}
        if tier is not None:
            initial = {
                "name": tier.name.get(brand.locale) or next(iter(tier.name.values()), ""),
                "code": tier.code,
                "entry": _shown(tier.entry_threshold, brand.currency, is_money=is_money),
                "keep": _shown(tier.keep_threshold, brand.currency, is_money=is_money),
                "multiplier": f"{tier.multiplier_bp / _BASIS:g}",
                "grace": str(tier.grace_days),
            }
        labels = {
            "name": _("Name"),
            "code": _("Code"),
            "entry": _("Reached at"),
            "keep": _("Kept at"),
            "multiplier": _("Points ×"),
            "grace": _("Grace days"),
        }
        for cell in _CELLS:
            field = forms.CharField(
                label=labels[cell], required=False, max_length=60, initial=initial.get(cell, "")
            )
            field.widget.attrs["aria-label"] = f"{labels[cell]} {number + 1}"
            if cell not in {"name", "code"}:
                field.widget.attrs["inputmode"] = "decimal"
            self.fields[f"{cell}_{number}"] = field

    @property
    def scheme_fields(self) -> list[BoundField]:
        """Return the fields of the scheme itself."""
        return [self[name] for name in SchemeForm.base_fields]

    @property
    def rows(self) -> list[list[BoundField]]:
        """Return the cells of the tiers, row by row."""
        count = sum(1 for name in self.fields if name.startswith("name_"))
        return [[self[f"{cell}_{number}"] for cell in _CELLS] for number in range(count)]

    def clean(self) -> dict[str, Any]:
        data = self.cleaned_data
        drafts: list[TierDraft] = []
        self.places: list[int] = []
        for number in range(len(self.rows)):
            if not data.get(f"name_{number}"):
                continue
            draft = self._draft(number)
            if draft is not None:
                drafts.append(draft)
                self.places.append(number)
        if not drafts and not self.errors:
            self.add_error(None, _("A scheme has at least one tier."))
        data["tiers"] = drafts
        return data

    def _draft(self, number: int) -> TierDraft | None:
        data = self.cleaned_data
        is_money = data.get("metric") == TierScheme.Metric.SPEND
        name = data[f"name_{number}"]
        code = data[f"code_{number}"] or re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
        numbers: dict[str, int] = {}
        for cell in _CELLS[2:]:
            text = data[f"{cell}_{number}"].replace(",", "").strip()
            try:
                numbers[cell] = _number(cell, text, is_money=is_money)
            except (ValueError, InvalidAmountError):
                self.add_error(f"{cell}_{number}", _("Give a number."))
        if len(numbers) < len(_CELLS) - 2:
            return None
        known = self.source.get(code)
        return TierDraft(
            code=code or f"tier-{number + 1}",
            name={**(known.name if known else {}), current_brand().locale: name},
            colour=known.colour if known else "#7a7f87",
            entry_threshold=numbers["entry"],
            keep_threshold=numbers["keep"],
            multiplier_bp=numbers["multiplier"],
            grace_days=numbers["grace"],
        )

    def facts(self) -> dict[str, Any]:
        """Return what the operation takes."""
        names = (*SchemeForm.base_fields, "tiers")
        return {name: self.cleaned_data[name] for name in names}

    def place(self, error: DomainError) -> None:
        """Put a refusal on the cell or field that its pointer names, or on the form."""
        steps = [step for step in str(error.data.get("pointer", "")).split("/") if step]
        place: str | None = steps[0] if steps and steps[0] in self.fields else None
        if len(steps) > 1 and steps[0] == "tiers" and steps[1].isdigit():
            row = self.places[int(steps[1])]
            cells = {"entry_threshold": "entry", "keep_threshold": "keep", "code": "code",
                     "multiplier_bp": "multiplier", "grace_days": "grace"}  # fmt: skip
            cell = cells.get(steps[2], "name") if len(steps) > 2 else "name"
            place = f"{cell}_{row}"
        self.add_error(place, error.detail)


def _shown(value: int, currency: str, *, is_money: bool) -> str:
    return f"{to_decimal(value, currency):f}" if is_money else str(value)


def _number(cell: str, text: str, *, is_money: bool) -> int:
    if cell == "multiplier":
        return round(float(text or "1") * _BASIS)
    if cell in {"entry", "keep"} and is_money:
        return parse_decimal(text or "0", current_brand().currency)
    return int(text or "0")
