"""Charts as data: the server says what the figures mean, `charts.js` draws them.

A chart travels in a `data-chart` attribute. The same object gives the rows of the table that
stands under each chart for people who cannot see it, and for print.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language, gettext

from core.money import exponent
from core.web.figures import format_money, format_number, format_percent

Kind = Literal[
    "line",
    "area",
    "bar",
    "hbar",
    "donut",
    "funnel",
    "sankey",
    "heatmap",
    "scatter",
    "gauge",
    "radar",
]
Unit = Literal["number", "percent", "money"]
Value = float | int | None


@dataclass(frozen=True, slots=True)
class Series:
    """One named row of figures, as long as the chart's labels; None is a gap.

    `role`: "previous" draws it pale and dashed, "target" as a thin dashed line, "good" and "bad"
    in the status colours. `kind` mixes lines into a bar chart.
    """

    name: str
    values: Sequence[Value]
    role: Literal["", "previous", "target", "good", "bad"] = ""
    kind: Literal["", "line", "area", "bar"] = ""


@dataclass(frozen=True, slots=True)
class Flow:
    """A stream of a sankey chart; source and target must differ and form no ring."""

    source: str
    target: str
    value: float


@dataclass(frozen=True, slots=True)
class Mark:
    """A horizontal line at a value, such as a threshold."""

    label: str
    value: float
    role: Literal["", "good", "bad"] = ""


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart of one kind.

    line, area, bar, hbar, radar: `labels` × `series`. donut, funnel: `labels` × the first series.
    heatmap: columns `labels`, one series per row. scatter: series of x, y in turn via `points`.
    sankey: `flows`. gauge: one value and `maximum`. Values are ratios when the unit is
    "percent", minor units of `currency` when it is "money".
    """

    kind: Kind
    labels: Sequence[str] = ()
    series: Sequence[Series] = ()
    unit: Unit = "number"
    currency: str = ""
    stacked: bool = False
    marks: Sequence[Mark] = ()
    flows: Sequence[Flow] = ()
    points: Sequence[tuple[str, float, float]] = ()
    axis_names: tuple[str, str] = ("", "")
    maximum: float | None = None
    palette: Sequence[int] = field(default=())

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to draw."""
        if self.flows or self.points:
            return False
        return not any(value is not None for row in self.series for value in row.values)

    def payload(self) -> dict[str, Any]:
        """Return what `charts.js` reads; only what differs from the defaults."""
        data: dict[str, Any] = {"kind": self.kind, "unit": self.unit}
        if self.unit == "money":
            data |= {"currency": self.currency, "exponent": exponent(self.currency)}
        if self.labels:
            data["labels"] = [str(label) for label in self.labels]
        if self.series:
            data["series"] = [
                {"name": str(row.name), "values": list(row.values)}
                | ({"role": row.role} if row.role else {})
                | ({"kind": row.kind} if row.kind else {})
                for row in self.series
            ]
        if self.stacked:
            data["stacked"] = True
        if self.marks:
            data["marks"] = [
                {"label": str(m.label), "value": m.value, "role": m.role} for m in self.marks
            ]
        if self.flows:
            data["flows"] = [[str(f.source), str(f.target), f.value] for f in self.flows]
        if self.points:
            data["points"] = [[str(name), x, y] for name, x, y in self.points]
        if any(self.axis_names):
            data["axes"] = [str(name) for name in self.axis_names]
        if self.maximum is not None:
            data["maximum"] = self.maximum
        if self.palette:
            data["palette"] = list(self.palette)
        return data

    def as_json(self) -> str:
        """Return the payload as compact JSON for the `data-chart` attribute."""
        return json.dumps(self.payload(), ensure_ascii=False, separators=(",", ":"))

    def show(self, value: Value) -> str:
        """Return one value as people read it in the active language."""
        language = get_language() or "en"
        if value is None:
            return "–"
        if self.unit == "money":
            return format_money(round(value), self.currency, language=language)
        if self.unit == "percent":
            return format_percent(value, language=language)
        return format_number(value, language=language)

    def table_head(self) -> list[str]:
        """Return the column names of the table below the chart; the first names the rows."""
        if self.flows:
            return [gettext("From"), gettext("To"), gettext("Value")]
        if self.points:
            return ["", *(str(name) for name in self.axis_names)]
        if self.kind == "heatmap":
            return ["", *(str(label) for label in self.labels)]
        return ["", *(str(row.name) for row in self.series)]

    def table_rows(self) -> list[list[str]]:
        """Return the rows of the table below the chart, as text."""
        if self.flows:
            return [[str(f.source), str(f.target), self.show(f.value)] for f in self.flows]
        if self.points:
            return [[str(name), self.show(x), self.show(y)] for name, x, y in self.points]
        if self.kind == "heatmap":
            return [[str(row.name), *map(self.show, row.values)] for row in self.series]
        return [
            [str(label), *(self.show(row.values[place]) for row in self.series)]
            for place, label in enumerate(self.labels)
        ]


def sparkline_svg(
    values: Sequence[float | int | None], *, width: int = 96, height: int = 28, label: str = ""
) -> SafeString:
    """Return a small line as inline SVG, or nothing for fewer than two known values.

    Unknown values are left out of the line; equal values draw a line through the middle.
    """
    known = [(place, value) for place, value in enumerate(values) if value is not None]
    if len(known) < 2:
        return SafeString("")
    low, high = min(v for _, v in known), max(v for _, v in known)
    last = len(values) - 1
    pad = 2.0
    inner = height - 2 * pad

    def spot(place: int, value: float) -> str:
        x = round(place / last * width, 1)
        share = 0.5 if high == low else (value - low) / (high - low)
        return f"{x:g} {round(pad + inner * (1 - share), 1):g}"

    line = "L".join(spot(place, value) for place, value in known)
    start, end = (round(known[i][0] / last * width, 1) for i in (0, -1))
    access = f'role="img" aria-label="{escape(label)}"' if label else 'aria-hidden="true"'
    return mark_safe(  # noqa: S308 — numbers of ours; the label is escaped
        f'<svg class="sparkline" viewBox="0 0 {width} {height}" preserveAspectRatio="none" {access}>'
        f'<path class="sparkline-area" d="M{line}L{end:g} {height}L{start:g} {height}Z"/>'
        f'<path class="sparkline-line" d="M{line}"/></svg>'
    )
