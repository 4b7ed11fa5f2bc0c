"""Writing how members are scored and placed: limits of the scores, signals, value segments.

Each change asks for the scores to be computed again; until then they are those of the last run.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from core.actors import Actor
from core.errors import InvalidError
from members.segments._scores import WINDOW_DAYS
from members.segments.conditions import fields_of, parse
from members.segments.errors import InvalidSchemeError
from members.segments.models import (
    BehaviourSignal,
    ScoreSetting,
    ValueSegment,
    ValueSegmentRule,
)
from members.segments.queries import (
    get_scheme,
    get_score_setting,
    get_value_table,
    list_signals,
)
from members.segments.value_segments import RESERVED, VISITS, Signal, Table, facts_of
from members.segments.values import Scheme
from tenants.audit.operations import record
from tenants.jobs.operations import enqueue

RECOMPUTE = "segments.recompute"
_MOST_ROWS = 30
_MOST_SIGNALS = 20
_CODE = re.compile(r"[a-z][a-z0-9_]{0,39}")
_LARGEST = {"recency": WINDOW_DAYS, "frequency": 100_000, "monetary": 10**13}


def set_score_setting(
    *, method: str, thresholds: Mapping[str, Sequence[int]] | None = None, by: Actor, at: datetime
) -> ScoreSetting:
    """Choose how r, f and m are scored: by quintiles, or by limits of the brand's own.

    `thresholds` has four ascending whole numbers each for `recency` (days), `frequency`
    (purchases) and `monetary` (minor units); a value above n limits of f or m scores n + 1, of r
    5 − n. Without them those set before stay.

    :raises InvalidSchemeError: if a limit is missing, out of range or not above the one before.
    """
    if method not in ScoreSetting.Method.values:
        raise InvalidSchemeError(_("There is no such way to score."), pointer="/method")
    limits = None if thresholds is None else check_thresholds(thresholds)
    with transaction.atomic():
        before = get_score_setting()
        kept = limits if limits is not None else before.thresholds
        if method == ScoreSetting.Method.THRESHOLDS and kept is None:
            raise InvalidSchemeError(_("Give the limits of the scores."), pointer="/thresholds")
        made, _created = ScoreSetting.objects.update_or_create(
            id=1, defaults={"method": method, "thresholds": kept}
        )
        record(
            by=by,
            at=at,
            action="score_setting.set",
            target_type="score_setting",
            changes={
                "method": [before.method, method],
                "thresholds": [before.thresholds, kept],
            },
        )
        _ask_for_scores(by=by, at=at)
    return made


def check_thresholds(thresholds: Mapping[str, Sequence[int]]) -> dict[str, list[int]]:
    """Return the limits of the three scores, or refuse them by their place.

    :raises InvalidSchemeError: see `set_score_setting`.
    """
    unknown = set(thresholds) - set(_LARGEST)
    if unknown:
        raise InvalidSchemeError(
            _("There is no such score."), pointer=f"/thresholds/{min(map(str, unknown))}"
        )
    clean: dict[str, list[int]] = {}
    for name, largest in _LARGEST.items():
        place = f"/thresholds/{name}"
        limits = thresholds.get(name)
        if not isinstance(limits, Sequence) or isinstance(limits, str) or len(limits) != 4:
            raise InvalidSchemeError(_("Give four limits."), pointer=place)
        for index, limit in enumerate(limits):
            if type(limit) is not int or not 0 <= limit <= largest:
                raise InvalidSchemeError(
                    _("Give a whole number from 0 to %(most)s.") % {"most": largest},
                    pointer=f"{place}/{index}",
                )
            if index and limit <= limits[index - 1]:
                raise InvalidSchemeError(
                    _("Each limit is above the one before it: else no member could score between."),
                    pointer=f"{place}/{index}",
                )
        clean[name] = list(limits)
    return clean


def set_signals(
    *, signals: Sequence[Mapping[str, Any]], by: Actor, at: datetime
) -> list[BehaviourSignal]:
    """Replace the brand's behaviour signals: `code`, `label`, `events` (names) and `days` each.

    `visits_30d` stays there even without a row.

    :raises InvalidSchemeError: for a wrong signal, or if the table of value segments needs one
        that would go; the pointer begins with the row's number.
    """
    clean = [_signal(signal, f"/{index}") for index, signal in enumerate(signals)]
    if len(clean) > _MOST_SIGNALS:
        raise InvalidSchemeError(_("There are too many signals."), pointer=f"/{_MOST_SIGNALS}")
    codes = [signal.code for signal in clean]
    for index, code in enumerate(codes):
        if code in codes[:index]:
            raise InvalidSchemeError(_("Another signal has this code."), pointer=f"/{index}/code")
    with transaction.atomic():
        needed = {name for _segment, tree in get_value_table() for name in fields_of(tree)}
        gone = needed - RESERVED - {VISITS.code} - set(codes)
        if gone:
            raise InvalidSchemeError(
                _("The table of value segments needs the signal %(code)s.") % {"code": min(gone)},
                pointer="",
                needed=sorted(gone),
            )
        before = [_plain(signal) for signal in list_signals()]
        BehaviourSignal.objects.all().delete()
        made = BehaviourSignal.objects.bulk_create(
            BehaviourSignal(
                code=signal.code,
                label=str(signal.label),
                events=list(signal.events),
                days=signal.days,
            )
            for signal in clean
        )
        record(
            by=by,
            at=at,
            action="signals.set",
            target_type="score_setting",
            changes={"signals": [before, [_plain(signal) for signal in clean]]},
        )
        _ask_for_scores(by=by, at=at)
    return made


def _signal(given: Mapping[str, Any], place: str) -> Signal:
    code, label, events, days = (given.get(name) for name in ("code", "label", "events", "days"))
    if not isinstance(code, str) or not _CODE.fullmatch(code) or code in RESERVED:
        raise InvalidSchemeError(
            _("A code has small letters, digits and _, at most 40, and is no score's."),
            pointer=f"{place}/code",
        )
    if not isinstance(label, str) or not 0 < len(label.strip()) <= 80:
        raise InvalidSchemeError(_("Give a name of at most 80 letters."), pointer=f"{place}/label")
    names = list(events) if isinstance(events, Sequence) and not isinstance(events, str) else []
    if not 0 < len(names) <= 20 or not all(
        isinstance(name, str) and 0 < len(name.strip()) <= 60 for name in names
    ):
        raise InvalidSchemeError(_("Name 1 to 20 events."), pointer=f"{place}/events")
    if type(days) is not int or not 1 <= days <= 365:
        raise InvalidSchemeError(
            _("Give a whole number from %(low)s to %(high)s.") % {"low": 1, "high": 365},
            pointer=f"{place}/days",
        )
    return Signal(code, label.strip(), tuple(name.strip() for name in names), days)


def _plain(signal: Signal) -> list[Any]:
    return [signal.code, str(signal.label), list(signal.events), signal.days]


def set_value_table(
    *, rows: Sequence[tuple[str, dict[str, Any]]], by: Actor, at: datetime
) -> list[ValueSegmentRule]:
    """Replace the brand's table of value segments; no rows: the default table.

    :raises ConditionError: for a wrong condition; the pointer begins with the row's number.
    :raises InvalidSchemeError: for an unknown segment or too many rows.
    """
    read_value_table(rows)
    with transaction.atomic():
        before = list(
            ValueSegmentRule.objects.order_by("position").values_list("segment", "condition")
        )
        ValueSegmentRule.objects.all().delete()
        made = ValueSegmentRule.objects.bulk_create(
            ValueSegmentRule(position=index, segment=segment, condition=tree)
            for index, (segment, tree) in enumerate(rows, start=1)
        )
        record(
            by=by,
            at=at,
            action="value_table.set",
            target_type="value_table",
            changes={"rows": [[list(row) for row in before], [list(row) for row in rows]]},
        )
        _ask_for_scores(by=by, at=at)
    return made


def read_value_table(rows: Sequence[tuple[str, dict[str, Any]]]) -> Table:
    """Return a table as conditions, without storing it.

    :raises ConditionError, InvalidSchemeError: see `set_value_table`.
    """
    if len(rows) > _MOST_ROWS:
        raise InvalidSchemeError(_("There are too many rows."), pointer=f"/{_MOST_ROWS}")
    facts = facts_of(list_signals())
    table = []
    for index, (segment, tree) in enumerate(rows):
        if segment not in ValueSegment.values:
            raise InvalidSchemeError(_("There is no such value segment."), pointer=f"/{index}")
        try:
            table.append((ValueSegment(segment), parse(tree, catalogue=facts)))
        except InvalidError as error:
            error.data["pointer"] = f"/{index}{error.data.get('pointer', '')}"
            raise
    return table


def scheme_with(
    *,
    table: Table | None = None,
    thresholds: Mapping[str, Sequence[int]] | None = None,
    by_quintiles: bool = False,
) -> Scheme:
    """Return the scheme in use with another table, other limits or quintiles, to preview it.

    :raises InvalidSchemeError: for limits that can not be.
    """
    now = get_scheme()
    limits = now.thresholds if thresholds is None else check_thresholds(thresholds)
    return Scheme(
        table=now.table if table is None else table,
        signals=now.signals,
        thresholds=None if by_quintiles else limits,
    )


def _ask_for_scores(*, by: Actor, at: datetime) -> None:
    enqueue(kind=RECOMPUTE, dedupe_key=f"scheme:{at.isoformat()}", by=by, at=at)
