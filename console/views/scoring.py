"""How members are scored and placed: limits of the scores, behaviour signals, the value table.

Every change shows beforehand how many members it would move.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l

from console.access import StaffRequest, staff_page
from console.conditions import ConditionRows
from console.dialogs import finish, show_form
from console.nav import shell
from console.views.segments import boundary_rows
from core import clock
from core.errors import DomainError, NotFoundError
from core.money import InvalidAmountError, parse_decimal, to_decimal
from core.web.charts import Chart, Series
from core.web.responses import render_page
from members.segments import queries, scoring
from members.segments.conditions import Labels, describe, to_tree
from members.segments.models import ScoreSetting, ValueSegment
from members.segments.value_segments import VISITS, Table, default_table, facts_of
from members.segments.values import Scheme, SchemeEffect
from tenants.accounts import permissions as p
from tenants.brands.context import current_brand

_SCORES = ("recency", "frequency", "monetary")
_LETTERS = {"recency": "r", "frequency": "f", "monetary": "m"}
_ROW_MOVES = {
    "up": _l("Move this row up?"),
    "down": _l("Move this row down?"),
    "drop": _l("Remove this row?"),
    "reset": _l("Use the table that comes with the service?"),
}


@staff_page(p.SEGMENTS_VIEW)
def index(request: StaffRequest) -> HttpResponse:
    """Show how scores are given, how members spread over them, signals and the value table."""
    scheme, run = queries.get_scheme(), queries.get_last_run()
    effect = queries.preview_scheme(scheme=scheme, run=run)
    context = {
        **shell(request, active="segments"),
        "page_title": _("Scores and value segments"),
        "setting": queries.get_score_setting(),
        "run": run,
        "is_waiting": run is not None and run.scheme not in {"", scheme.digest},
        "boundaries": boundary_rows(run),
        "chart": _spread(effect),
        "signals": scheme.signals,
        "default_signal": VISITS.code,
        "rows": _table_rows(scheme, effect),
        "is_own": queries.has_own_value_table(),
        "effect": effect,
    }
    return render_page(request, "console/scoring.html", context, partial="scoring")


def _spread(effect: SchemeEffect) -> Chart:
    names = {"r": _("Recency"), "f": _("Frequency"), "m": _("Monetary")}
    return Chart(
        kind="bar",
        labels=[str(score) for score in range(1, 6)],
        series=[
            Series(names[letter], list(counts.values())) for letter, counts in effect.scores.items()
        ],
        unit="number",
    )


def _table_rows(scheme: Scheme, effect: SchemeEffect) -> list[dict[str, Any]]:
    labels, currency = Labels(facts_of(scheme.signals)), current_brand().currency
    table = scheme.table
    sizes = effect.sizes()
    return [
        {
            "position": position,
            "label": segment.label,
            "words": describe(condition, currency=currency, labels=labels),
            "members": sizes.get(segment.value, (0, 0))[0],
            "is_first": position == 1,
            "is_last": position == len(table),
        }
        for position, (segment, condition) in enumerate(table, start=1)
    ]


def _moves(effect: SchemeEffect) -> list[dict[str, Any]]:
    """Return the sizes now and then, those that change first named."""
    return [
        {"label": ValueSegment(code).label, "now": now, "then": then, "change": then - now}
        for code, (now, then) in sorted(
            effect.sizes().items(), key=lambda row: -abs(row[1][1] - row[1][0])
        )
    ]


class LimitsForm(forms.Form):
    """How scores are given, and four limits for each of them."""

    method = forms.ChoiceField(
        label=_l("Scores"), choices=ScoreSetting.Method.choices, widget=forms.RadioSelect
    )

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        names = {
            "recency": _("Days since the last purchase"),
            "frequency": _("Purchases in 365 days"),
            "monetary": _("Net spend in 365 days (%(currency)s)")
            % {"currency": current_brand().currency},
        }
        for name in _SCORES:
            for place in range(4):
                self.fields[f"{name}_{place}"] = forms.CharField(
                    label=f"{names[name]}, {place + 1}", required=False, max_length=20
                )
        self.labels = names

    def limits(self) -> dict[str, list[Any]] | None:
        """Return the limits as the operation takes them; None when they are not asked for."""
        if self.cleaned_data["method"] != ScoreSetting.Method.THRESHOLDS:
            return None
        return {
            name: [_limit(name, self.cleaned_data[f"{name}_{place}"]) for place in range(4)]
            for name in _SCORES
        }

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The inputs, a line for each score."""
        return [
            {"label": self.labels[name], "fields": [self[f"{name}_{place}"] for place in range(4)]}
            for name in _SCORES
        ]


def _limit(name: str, text: str) -> int | str:
    """Read one limit; what cannot be read is left to the operation to refuse by its place."""
    try:
        if name == "monetary":
            return parse_decimal(text, current_brand().currency) if text.strip("0.") else 0
        return int(text)
    except (InvalidAmountError, ValueError):
        return text


def _initial(setting: ScoreSetting) -> dict[str, Any]:
    run = queries.get_last_run()
    limits: Mapping[str, Sequence[int] | None] = setting.thresholds or (
        run.boundaries if run else {}
    )
    found: dict[str, Any] = {"method": setting.method}
    for name in _SCORES:
        for place, limit in enumerate(limits.get(name) or []):
            is_money = name == "monetary"
            shown = f"{to_decimal(limit, current_brand().currency):f}" if is_money else limit
            found[f"{name}_{place}"] = shown
    return found


@staff_page(p.SEGMENTS_EDIT, methods=("GET", "POST"))
def limits(request: StaffRequest) -> HttpResponse:
    """Choose how scores are given; with `preview`, only show what it would change."""
    form = LimitsForm(request.POST or None, initial=_initial(queries.get_score_setting()))
    effect: SchemeEffect | None = None
    if form.is_valid():
        try:
            chosen = form.limits()
            scheme = scoring.scheme_with(thresholds=chosen, by_quintiles=chosen is None)
            effect = queries.preview_scheme(scheme=scheme)
            if "preview" not in request.POST:
                scoring.set_score_setting(
                    method=form.cleaned_data["method"],
                    thresholds=chosen,
                    by=request.actor,
                    at=clock.now(),
                )
                return _saved(request)
        except DomainError as error:
            place = str(error.data.get("pointer", "")).removeprefix("/thresholds/")
            name = place.replace("/", "_") if "/" in place else f"{place}_0"
            form.add_error(name if name in form.fields else None, error.detail)
    context = {
        **shell(request, active="segments"),
        "page_title": _("How scores are given"),
        "form": form,
        "action": request.path,
        "effect": effect,
        "moves": _moves(effect) if effect is not None else [],
    }
    status = 422 if form.is_bound and form.errors and "preview" not in request.POST else 200
    return render_page(
        request,
        "console/score_limits.html",
        context,
        partial={"effect": "effect", "": "form"},
        status=status,
    )


def _saved(request: StaffRequest) -> HttpResponse:
    return finish(
        request,
        _("Saved. The scores are being computed again."),
        changed="scoring",
        url=reverse("console:scoring"),
    )


# --- Signals --------------------------------------------------------------------------------


class SignalForm(forms.Form):
    """One behaviour signal."""

    label = forms.CharField(label=_l("What it says"), max_length=80)
    code = forms.CharField(
        label=_l("Code"),
        max_length=40,
        help_text=_l("Small letters, digits and _; fixed for good."),
    )
    events = forms.CharField(
        label=_l("Events counted"), max_length=600, help_text=_l("Names, with commas between.")
    )
    days = forms.IntegerField(label=_l("Days before the night"), min_value=1, max_value=365)


@staff_page(p.SEGMENTS_EDIT, methods=("GET", "POST"))
def signal(request: StaffRequest, code: str = "") -> HttpResponse:
    """Add a behaviour signal, or change one."""
    known = queries.list_signals()
    found = next((row for row in known if row.code == code), None)
    if code and found is None:
        raise NotFoundError(signal=code)
    initial = {}
    if found is not None:
        initial = {
            "label": found.label,
            "code": found.code,
            "events": ", ".join(found.events),
            "days": found.days,
        }
    form = SignalForm(request.POST or None, initial=initial)
    form.fields["code"].disabled = found is not None
    if form.is_valid():
        data = form.cleaned_data
        events = [name.strip() for name in data["events"].replace("，", ",").split(",")]
        row = {**data, "events": [name for name in events if name]}
        kept = [_row(other) for other in known if other.code != code and other is not VISITS]
        try:
            scoring.set_signals(signals=[*kept, row], by=request.actor, at=clock.now())
        except DomainError as error:
            _number, _slash, name = str(error.data.get("pointer", "")).lstrip("/").partition("/")
            form.add_error(name if name in form.fields else None, error.detail)
        else:
            return _saved(request)
    return show_form(
        request,
        form,
        title=_("Change the signal") if found is not None else _("New signal"),
        lead=_("The table of value segments can ask how often it happened."),
        active="segments",
    )


@staff_page(p.SEGMENTS_EDIT, methods=("POST",))
def drop_signal(request: StaffRequest, code: str) -> HttpResponse:
    """Remove a signal; refused while the table of value segments needs it."""
    known = queries.list_signals()
    kept = [_row(other) for other in known if other.code != code and other is not VISITS]
    scoring.set_signals(signals=kept, by=request.actor, at=clock.now())
    return _saved(request)


def _row(row: Any) -> dict[str, Any]:
    return {"code": row.code, "label": row.label, "events": list(row.events), "days": row.days}


# --- The value table ------------------------------------------------------------------------


class RowForm(forms.Form):
    """Which segment a row of the value table places members in."""

    segment = forms.ChoiceField(label=_l("Value segment"), choices=ValueSegment.choices)


def _rows_of(table: Table) -> list[tuple[str, dict[str, Any]]]:
    return [(segment.value, to_tree(condition)) for segment, condition in table]


@staff_page(p.SEGMENTS_EDIT, methods=("GET", "POST"))
def row(request: StaffRequest, position: int = 0) -> HttpResponse:
    """Add a row at the end of the value table, or change one; with `preview` or a change of its
    form, only show what it would move."""
    rows = _rows_of(queries.get_value_table())
    if position > len(rows):
        raise NotFoundError(row=position)
    facts = facts_of(queries.list_signals())
    now = rows[position - 1] if position else (ValueSegment.LOYAL.value, {})
    form = RowForm(request.POST or None, initial={"segment": now[0]})
    stored = ConditionRows.from_tree(now[1], catalogue=facts)
    found = stored
    if form.is_bound and stored.other is None:
        found = ConditionRows.from_post(request.POST, catalogue=facts)
    is_drawing = "preview" in request.GET
    effect: SchemeEffect | None = None
    if form.is_valid():
        try:
            new = (form.cleaned_data["segment"], found.tree())
            changed = [*rows[: position - 1], new, *rows[position:]] if position else [*rows, new]
            table = scoring.read_value_table(changed)
            effect = queries.preview_scheme(scheme=scoring.scheme_with(table=table))
            if not is_drawing:
                scoring.set_value_table(rows=changed, by=request.actor, at=clock.now())
                return _saved(request)
        except DomainError as error:
            if not is_drawing:
                form.add_error(None, error.detail)
    context = {
        **shell(request, active="segments"),
        "page_title": _("Change the row") if position else _("New row"),
        "form": form,
        "action": request.path,
        "rows": found,
        "rows_url": f"{request.path}?preview=1",
        "rows_legend": _("Who belongs there, unless a row above fits"),
        "everybody": _("Everybody who is left"),
        "effect": effect,
        "moves": _moves(effect) if effect is not None else [],
    }
    if is_drawing:
        return render_page(
            request, "console/value_condition.html", context, partial={"reach": "reach"}
        )
    status = 422 if form.is_bound else 200
    return render_page(request, "console/value_row.html", context, partial="form", status=status)


@staff_page(p.SEGMENTS_EDIT, methods=("GET", "POST"))
def move_row(request: StaffRequest, position: int, verb: str) -> HttpResponse:
    """Move a row, remove it, or go back to the table that comes with the service."""
    rows = _rows_of(queries.get_value_table())
    if verb not in _ROW_MOVES or not 1 <= position <= max(len(rows), 1):
        raise NotFoundError(row=position)
    changed = _moved(rows, position - 1, verb)
    table = default_table() if not changed else scoring.read_value_table(changed)
    effect = queries.preview_scheme(scheme=scoring.scheme_with(table=table))
    if request.method == "POST":
        scoring.set_value_table(rows=changed, by=request.actor, at=clock.now())
        return _saved(request)
    context = {
        **shell(request, active="segments"),
        "page_title": _ROW_MOVES[verb],
        "action": request.path,
        "effect": effect,
        "moves": _moves(effect),
    }
    return render_page(request, "console/value_move.html", context, partial="form")


def _moved(rows: list[tuple[str, Any]], place: int, verb: str) -> list[tuple[str, Any]]:
    found = list(rows)
    match verb:
        case "up" if place > 0:
            found[place - 1], found[place] = found[place], found[place - 1]
        case "down" if place < len(found) - 1:
            found[place + 1], found[place] = found[place], found[place + 1]
        case "drop":
            del found[place]
            # No rows at all would mean the default table.
            found = found or [(ValueSegment.DORMANT.value, {})]
        case "reset":
            found = []
    return found
