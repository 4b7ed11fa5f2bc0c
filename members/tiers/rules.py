"""How tiers are won, kept and lost. Pure: plain values and a day in, plain values out.

Days are brand days; spans are half-open. The nightly statement (`_evaluation`) says the same in
SQL; a property test holds the two equal.

**Windows.** The window on a day ends with that day. `lifetime`: everything. `rolling`: the last N
months, month ends clamped (28 February 2026, 12 months: from 1 March 2025). `calendar_year` and
`anniversary_year`: from the last 1 January, or day of joining, on. Who joined on 29 February has
the anniversary on the 28th in common years.

**Up.** At once, to the highest tier whose entry threshold the metric reaches.

**Keeping, lifetime and rolling.** A tier is in danger when the metric will be below its keep
threshold `notice_days − grace_days` days ahead if nothing more comes in (today when that is not
positive). The member is told and the tier is lost on the day `max(notice_days, grace_days)` days
later, unless the metric is back at the threshold by then. So a member who is told falls below in
time for the grace days, and is told no less than `notice_days` before the loss.

**Keeping, year windows.** A tier won in one year holds through the end of the next
(`valid_until` is the first day after). It is kept for another year when the metric of that next
year, grace days after it included, reaches the keep threshold. The member is told `notice_days`
before the end of the grace days.

**Down.** By policy: one step, to the tier that the metric reaches, or never. What
changed today is looked at from tomorrow on, so that a day evaluated twice ends as after the first
time.

**Pins.** All of this is about the tier earned. The tier held is that, or what a paid term or a
decision of staff makes of it: exactly the tier of the decision, else the highest of all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from members.tiers.models import Tier, TierScheme

_DAY = timedelta(days=1)
_PERIODIC = frozenset({TierScheme.Window.CALENDAR_YEAR, TierScheme.Window.ANNIVERSARY_YEAR})


@dataclass(frozen=True, slots=True)
class Span:
    """Brand days [`from_on`, `to_on`); None is the beginning of time."""

    from_on: date | None
    to_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What is stored of a member's tier; rank 1 without a row."""

    rank: int = 1
    valid_until: date | None = None
    grace_until: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What the night makes of it: the new state, and whether the member is told of a danger."""

    state: State
    is_notice: bool = False


def add_months(on: date, months: int) -> date:
    """Return the same day some months later (or earlier), at most the last of that month."""
    index = on.year * 12 + on.month - 1 + months
    year, month = divmod(index, 12)
    for day in range(on.day, 27, -1):
        try:
            return date(year, month + 1, day)
        except ValueError:
            continue
    return date(year, month + 1, on.day)


def is_periodic(window: str) -> bool:
    """Say whether a window starts anew each year."""
    return window in _PERIODIC


def period_start(window: str, *, on: date, enrolled_on: date) -> date:
    """Return the first day of the year (calendar or anniversary) that a day is in."""
    if window == TierScheme.Window.CALENDAR_YEAR:
        return date(on.year, 1, 1)
    years = on.year - enrolled_on.year
    start = add_months(enrolled_on, 12 * years)
    return start if start <= on else add_months(enrolled_on, 12 * (years - 1))


def period_end(window: str, *, on: date, enrolled_on: date, more: int = 0) -> date:
    """Return the first day after the year that a day is in, or after `more` further years."""
    start = period_start(window, on=on, enrolled_on=enrolled_on)
    if window == TierScheme.Window.CALENDAR_YEAR:
        return date(start.year + 1 + more, 1, 1)
    return add_months(enrolled_on, 12 * (start.year - enrolled_on.year + 1 + more))


def window_on(scheme: TierScheme, *, on: date, enrolled_on: date) -> Span:
    """Return the window that counts for winning a tier on a day."""
    to_on = on + _DAY
    if scheme.window == TierScheme.Window.LIFETIME:
        return Span(None, to_on)
    if scheme.window == TierScheme.Window.ROLLING:
        return Span(add_months(to_on, -(scheme.window_months or 0)), to_on)
    return Span(period_start(scheme.window, on=on, enrolled_on=enrolled_on), to_on)


def keep_window(
    scheme: TierScheme, *, tier: Tier, valid_until: date | None, on: date, enrolled_on: date
) -> Span:
    """Return the window that counts for keeping a tier, as it looks on a day.

    For a rolling window its beginning lies ahead by the days between notice and grace.
    """
    if is_periodic(scheme.window):
        until = valid_until or period_end(scheme.window, on=on, enrolled_on=enrolled_on, more=1)
        start = period_start(scheme.window, on=until - _DAY, enrolled_on=enrolled_on)
        return Span(start, max(on + _DAY, start))
    ahead = on + timedelta(days=max(scheme.notice_days - tier.grace_days, 0))
    return Span(window_on(scheme, on=ahead, enrolled_on=enrolled_on).from_on, on + _DAY)


def reached(tiers: Sequence[Tier], metric: int) -> Tier:
    """Return the highest tier whose entry threshold a metric reaches; at least the first."""
    return max((tier for tier in tiers if tier.entry_threshold <= metric or tier.rank == 1),
               key=lambda tier: tier.rank)  # fmt: skip


def match_tier(tiers: Sequence[Tier], held: Tier | None) -> Tier:
    """Return the tier of these that stands for one held under another scheme.

    The one of the same code, else the highest that is not above its rank.
    """
    if held is None:
        return tiers[0]
    for tier in tiers:
        if tier.code == held.code:
            return tier
    return max((tier for tier in tiers if tier.rank <= held.rank), key=lambda tier: tier.rank)


def held_rank(earned: int, *, exactly: Sequence[int] = (), at_least: Sequence[int] = ()) -> int:
    """Return the rank held by who has earned one, under pins to these ranks (see `TierPin`)."""
    return max(exactly) if exactly else max([earned, *at_least])


def won_until(scheme: TierScheme, *, on: date, enrolled_on: date) -> date | None:
    """Return when a tier won on a day must have been earned again; None when that never comes."""
    if (
        not is_periodic(scheme.window)
        or scheme.downgrade_policy == TierScheme.DowngradePolicy.NEVER
    ):
        return None
    return period_end(scheme.window, on=on, enrolled_on=enrolled_on, more=1)


def decide(
    scheme: TierScheme,
    tiers: Sequence[Tier],
    state: State,
    *,
    on: date,
    enrolled_on: date,
    metric: int,
    keep_metric: int,
    changed_on: date | None = None,
) -> Decision:
    """Return what becomes of a member's tier on a day.

    `tiers` are in order of rank; `metric` is over `window_on`, `keep_metric` over `keep_window`
    of the tier held; the state is as stored on `changed_on`.
    """
    periodic = is_periodic(scheme.window)
    target = reached(tiers, metric)
    if target.rank > state.rank:
        until = won_until(scheme, on=on, enrolled_on=enrolled_on)
        return Decision(state=State(rank=target.rank, valid_until=until))
    tier = tiers[state.rank - 1]
    if tier.rank == 1 or scheme.downgrade_policy == TierScheme.DowngradePolicy.NEVER:
        return Decision(state=State(rank=tier.rank))
    if changed_on is not None and changed_on >= on:
        until = state.valid_until if periodic else None
        return Decision(
            state=State(rank=tier.rank, valid_until=until, grace_until=state.grace_until)
        )
    if periodic:
        return _keep_year(scheme, tiers, tier, state, on, enrolled_on, keep_metric)
    return _keep_rolling(scheme, tiers, tier, state, on, metric, keep_metric)


def _keep_rolling(
    scheme: TierScheme,
    tiers: Sequence[Tier],
    tier: Tier,
    state: State,
    on: date,
    metric: int,
    ahead: int,
) -> Decision:
    if ahead >= tier.keep_threshold:
        return Decision(state=State(rank=tier.rank))
    lost_on = on + timedelta(days=max(scheme.notice_days, tier.grace_days))
    is_new = state.grace_until is None or (
        state.grace_until <= on and metric >= tier.keep_threshold
    )
    grace_until = lost_on if is_new else state.grace_until
    if grace_until is not None and grace_until <= on and metric < tier.keep_threshold:
        return Decision(state=State(rank=_lower(scheme, tiers, tier, metric)))
    return Decision(state=State(rank=tier.rank, grace_until=grace_until), is_notice=is_new)


def _keep_year(
    scheme: TierScheme,
    tiers: Sequence[Tier],
    tier: Tier,
    state: State,
    on: date,
    enrolled_on: date,
    metric: int,
) -> Decision:
    this_end = period_end(scheme.window, on=on, enrolled_on=enrolled_on)
    next_end = period_end(scheme.window, on=on, enrolled_on=enrolled_on, more=1)
    valid_until = state.valid_until or next_end
    if metric >= tier.keep_threshold:
        kept_until = this_end if on >= valid_until else valid_until
        return Decision(state=State(rank=tier.rank, valid_until=kept_until))
    lost_on = valid_until + timedelta(days=tier.grace_days)
    told_on = lost_on - timedelta(days=scheme.notice_days)
    year_began = period_start(scheme.window, on=valid_until - _DAY, enrolled_on=enrolled_on)
    grace_until, is_new = state.grace_until, False
    if grace_until is None and on >= max(told_on, year_began):
        grace_until, is_new = max(lost_on, on + timedelta(days=scheme.notice_days)), True
    if grace_until is not None and grace_until <= on:
        rank = _lower(scheme, tiers, tier, metric)
        return Decision(state=State(rank=rank, valid_until=this_end if rank > 1 else None))
    return Decision(
        state=State(rank=tier.rank, valid_until=valid_until, grace_until=grace_until),
        is_notice=is_new,
    )


def _lower(scheme: TierScheme, tiers: Sequence[Tier], tier: Tier, metric: int) -> int:
    if scheme.downgrade_policy == TierScheme.DowngradePolicy.ONE_STEP:
        return tier.rank - 1
    return min(reached(tiers, metric).rank, tier.rank - 1)
