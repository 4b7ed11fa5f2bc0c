"""Windows of tiers with month ends and leap days; how a tier is won, kept and lost."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from members.tiers.models import Tier, TierScheme
from members.tiers.rules import (
    Decision,
    Span,
    State,
    add_months,
    decide,
    keep_window,
    match_tier,
    period_end,
    period_start,
    reached,
    window_on,
)

JOINED = date(2024, 2, 29)
TIERS = [
    Tier(rank=1, code="basic", entry_threshold=0, keep_threshold=0),
    Tier(rank=2, code="silver", entry_threshold=100, keep_threshold=80, grace_days=30),
    Tier(rank=3, code="gold", entry_threshold=500, keep_threshold=400, grace_days=10),
]


def scheme(window: str = "rolling", *, policy: str = "one_step", notice: int = 14) -> TierScheme:
    return TierScheme(
        metric="growth",
        window=window,
        window_months=12 if window == "rolling" else None,
        downgrade_policy=policy,
        notice_days=notice,
    )


@pytest.mark.parametrize(
    ("on", "months", "expected"),
    [
        (date(2026, 1, 31), 1, date(2026, 2, 28)),
        (date(2024, 1, 31), 1, date(2024, 2, 29)),
        (date(2026, 3, 31), -1, date(2026, 2, 28)),
        (date(2026, 5, 31), -12, date(2025, 5, 31)),
        (date(2024, 2, 29), -12, date(2023, 2, 28)),
        (date(2024, 2, 29), 48, date(2028, 2, 29)),
        (date(2026, 12, 31), 2, date(2027, 2, 28)),
        (date(2026, 1, 1), -1, date(2025, 12, 1)),
    ],
)
def test_add_months_stays_within_the_month(on: date, months: int, expected: date) -> None:
    assert add_months(on, months) == expected


@pytest.mark.parametrize(
    ("on", "span"),
    [
        (date(2026, 11, 22), Span(date(2025, 11, 23), date(2026, 11, 23))),
        (date(2026, 2, 28), Span(date(2025, 3, 1), date(2026, 3, 1))),
        (date(2026, 2, 27), Span(date(2025, 2, 28), date(2026, 2, 28))),
        (date(2024, 2, 28), Span(date(2023, 2, 28), date(2024, 2, 29))),
        (date(2024, 2, 29), Span(date(2023, 3, 1), date(2024, 3, 1))),
        (date(2025, 2, 28), Span(date(2024, 3, 1), date(2025, 3, 1))),
    ],
)
def test_rolling_window_ends_with_the_day(on: date, span: Span) -> None:
    assert window_on(scheme(), on=on, enrolled_on=JOINED) == span


@given(on=st.dates(date(2020, 1, 1), date(2040, 12, 31)))
def test_rolling_windows_never_go_back(on: date) -> None:
    today = window_on(scheme(), on=on, enrolled_on=JOINED)
    tomorrow = window_on(scheme(), on=on + timedelta(days=1), enrolled_on=JOINED)
    assert today.from_on is not None
    assert tomorrow.from_on is not None
    assert today.from_on <= tomorrow.from_on <= today.from_on + timedelta(days=2)


def test_lifetime_and_calendar_windows() -> None:
    on = date(2026, 12, 31)
    assert window_on(scheme("lifetime"), on=on, enrolled_on=JOINED) == Span(None, date(2027, 1, 1))
    assert window_on(scheme("calendar_year"), on=on, enrolled_on=JOINED) == Span(
        date(2026, 1, 1), date(2027, 1, 1)
    )


@pytest.mark.parametrize(
    ("on", "start", "end", "next_end"),
    [
        (date(2024, 2, 29), date(2024, 2, 29), date(2025, 2, 28), date(2026, 2, 28)),
        (date(2025, 2, 27), date(2024, 2, 29), date(2025, 2, 28), date(2026, 2, 28)),
        (date(2025, 2, 28), date(2025, 2, 28), date(2026, 2, 28), date(2027, 2, 28)),
        (date(2028, 2, 28), date(2027, 2, 28), date(2028, 2, 29), date(2029, 2, 28)),
        (date(2028, 2, 29), date(2028, 2, 29), date(2029, 2, 28), date(2030, 2, 28)),
    ],
)
def test_anniversary_years_of_a_leap_day(on: date, start: date, end: date, next_end: date) -> None:
    window = "anniversary_year"
    assert period_start(window, on=on, enrolled_on=JOINED) == start
    assert period_end(window, on=on, enrolled_on=JOINED) == end
    assert period_end(window, on=on, enrolled_on=JOINED, more=1) == next_end


@given(
    on=st.dates(date(2020, 1, 1), date(2040, 12, 31)),
    joined=st.dates(date(2000, 1, 1), date(2040, 12, 31)),
    window=st.sampled_from(["calendar_year", "anniversary_year"]),
)
def test_years_follow_each_other_without_gap(on: date, joined: date, window: str) -> None:
    start = period_start(window, on=on, enrolled_on=joined)
    end = period_end(window, on=on, enrolled_on=joined)
    assert start <= on < end
    assert period_start(window, on=end, enrolled_on=joined) == end
    assert period_end(window, on=on, enrolled_on=joined, more=1) == period_end(
        window, on=end, enrolled_on=joined
    )


@pytest.mark.parametrize(
    ("metric", "code"),
    [(-5, "basic"), (0, "basic"), (99, "basic"), (100, "silver"), (499, "silver"), (500, "gold")],
)
def test_reached_takes_the_highest_tier(metric: int, code: str) -> None:
    assert reached(TIERS, metric).code == code


def test_match_goes_by_code_then_by_rank() -> None:
    assert match_tier(TIERS, None).code == "basic"
    assert match_tier(TIERS, Tier(rank=1, code="gold")).code == "gold"
    assert match_tier(TIERS, Tier(rank=2, code="bronze")).code == "silver"
    assert match_tier(TIERS, Tier(rank=7, code="diamond")).code == "gold"


ON = date(2026, 6, 1)


def rolling(state: State, metric: int, ahead: int, *, on: date = ON, **kind: object) -> Decision:
    return decide(
        scheme(**kind),  # type: ignore[arg-type]
        TIERS,
        state,
        on=on,
        enrolled_on=JOINED,
        metric=metric,
        keep_metric=ahead,
    )


def test_metric_lifts_over_several_tiers_at_once() -> None:
    assert rolling(State(), 500, 0) == Decision(state=State(rank=3))
    assert rolling(State(), 499, 0) == Decision(state=State(rank=2))


def test_tier_is_kept_at_the_keep_threshold() -> None:
    assert rolling(State(rank=2), 80, 80) == Decision(state=State(rank=2))


def test_danger_is_told_and_given_the_longer_of_notice_and_grace() -> None:
    silver, gold = State(rank=2), State(rank=3)
    assert rolling(silver, 79, 79) == Decision(
        state=State(rank=2, grace_until=ON + timedelta(days=30)), is_notice=True
    )
    assert rolling(gold, 450, 399) == Decision(
        state=State(rank=3, grace_until=ON + timedelta(days=14)), is_notice=True
    )


def test_danger_is_told_once() -> None:
    warned = State(rank=2, grace_until=ON + timedelta(days=5))
    assert rolling(warned, 79, 79) == Decision(state=warned)


def test_enough_in_the_grace_days_saves_the_tier() -> None:
    warned = State(rank=2, grace_until=ON + timedelta(days=5))
    assert rolling(warned, 80, 80) == Decision(state=State(rank=2))


@pytest.mark.parametrize(
    ("policy", "metric", "rank"),
    [("one_step", 0, 2), ("recompute", 0, 1), ("recompute", 100, 2), ("recompute", 399, 2)],
)
def test_tier_is_lost_when_grace_ends(policy: str, metric: int, rank: int) -> None:
    warned = State(rank=3, grace_until=ON)
    assert rolling(warned, metric, metric, policy=policy) == Decision(state=State(rank=rank))
    tomorrow = State(rank=3, grace_until=ON + timedelta(days=1))
    assert rolling(tomorrow, metric, metric, policy=policy) == Decision(state=tomorrow)


def test_policy_never_keeps_the_tier() -> None:
    warned = State(rank=3, grace_until=ON - timedelta(days=9))
    assert rolling(warned, 0, 0, policy="never") == Decision(state=State(rank=3))


def test_still_enough_when_grace_ends_begins_a_new_notice() -> None:
    warned = State(rank=3, grace_until=ON)
    assert rolling(warned, 400, 399) == Decision(
        state=State(rank=3, grace_until=ON + timedelta(days=14)), is_notice=True
    )


def test_without_notice_and_grace_a_tier_is_lost_at_once() -> None:
    tiers = [TIERS[0], Tier(rank=2, code="s", entry_threshold=100, keep_threshold=80)]
    found = decide(
        scheme(notice=0), tiers, State(rank=2), on=ON, enrolled_on=JOINED, metric=79, keep_metric=79
    )
    assert found == Decision(state=State())


@given(
    spans=st.lists(st.tuples(st.integers(0, 700), st.integers(1, 300)), max_size=8),
    notice=st.integers(0, 40),
)
def test_no_rolling_tier_is_lost_without_notice_or_before_the_grace_days(
    spans: list[tuple[int, int]], notice: int
) -> None:
    """Live through two years of nights with some purchases and look at every loss."""
    rules = scheme(notice=notice)
    begin = date(2025, 1, 1)
    bought = [(begin + timedelta(days=day), amount) for day, amount in spans]

    def metric(span: Span) -> int:
        return sum(n for on, n in bought if (span.from_on or begin) <= on < span.to_on)

    state, told_on, below_since = State(), None, None
    for number in range(1200):
        on = begin + timedelta(days=number)
        tier = TIERS[state.rank - 1]
        now = metric(window_on(rules, on=on, enrolled_on=JOINED))
        keep = keep_window(rules, tier=tier, valid_until=None, on=on, enrolled_on=JOINED)
        found = decide(
            rules, TIERS, state, on=on, enrolled_on=JOINED, metric=now, keep_metric=metric(keep)
        )
        below_since = (below_since or on) if now < tier.keep_threshold else None
        if found.is_notice:
            told_on = on
        if found.state.rank < state.rank:
            assert below_since is not None
            assert (on - below_since).days >= tier.grace_days
            if found.is_notice is False and notice:
                assert told_on is not None
                assert (on - told_on).days >= notice
        if found.state.rank != state.rank:
            below_since, told_on = None, None
        state = found.state
    # A year and more after the last purchase nobody holds more than the first tier.
    assert state.rank == 1


def yearly(state: State, on: date, metric: int, keep: int, **kind: object) -> Decision:
    return decide(
        scheme("calendar_year", **kind),  # type: ignore[arg-type]
        TIERS,
        state,
        on=on,
        enrolled_on=JOINED,
        metric=metric,
        keep_metric=keep,
    )


def test_year_tier_holds_through_the_next_year() -> None:
    assert yearly(State(), date(2026, 3, 1), 100, 0) == Decision(
        state=State(rank=2, valid_until=date(2028, 1, 1))
    )


def test_keep_window_is_the_year_before_validity_ends_and_runs_on_in_grace() -> None:
    rules, tier = scheme("calendar_year"), TIERS[1]

    def keep(on: date) -> Span:
        return keep_window(
            rules, tier=tier, valid_until=date(2028, 1, 1), on=on, enrolled_on=JOINED
        )

    assert keep(date(2026, 6, 1)) == Span(date(2027, 1, 1), date(2027, 1, 1))
    assert keep(date(2027, 6, 1)) == Span(date(2027, 1, 1), date(2027, 6, 2))
    assert keep(date(2028, 1, 20)) == Span(date(2027, 1, 1), date(2028, 1, 21))


def test_year_tier_is_told_before_the_end_of_its_grace_and_then_lost() -> None:
    held = State(rank=2, valid_until=date(2028, 1, 1))  # grace to the end of January
    assert yearly(held, date(2028, 1, 16), 0, 79) == Decision(state=held)
    warned = State(rank=2, valid_until=date(2028, 1, 1), grace_until=date(2028, 1, 31))
    assert yearly(held, date(2028, 1, 17), 0, 79) == Decision(state=warned, is_notice=True)
    assert yearly(warned, date(2028, 1, 30), 0, 79) == Decision(state=warned)
    assert yearly(warned, date(2028, 1, 31), 0, 79) == Decision(state=State(rank=1))


def test_year_tier_is_kept_for_another_year() -> None:
    held = State(rank=2, valid_until=date(2028, 1, 1))
    assert yearly(held, date(2027, 12, 31), 80, 80) == Decision(state=held)
    assert yearly(held, date(2028, 1, 1), 0, 80) == Decision(
        state=State(rank=2, valid_until=date(2029, 1, 1))
    )


def test_lower_year_tier_holds_to_the_end_of_the_year() -> None:
    lost = State(rank=3, valid_until=date(2028, 1, 1), grace_until=date(2028, 1, 15))
    assert yearly(lost, date(2028, 1, 15), 0, 0) == Decision(
        state=State(rank=2, valid_until=date(2029, 1, 1))
    )
    assert yearly(lost, date(2028, 1, 15), 0, 50, policy="recompute") == Decision(
        state=State(rank=1)
    )


def test_late_night_still_gives_the_whole_notice() -> None:
    held = State(rank=2, valid_until=date(2028, 1, 1))
    assert yearly(held, date(2028, 6, 1), 0, 0) == Decision(
        state=State(rank=2, valid_until=date(2028, 1, 1), grace_until=date(2028, 6, 15)),
        is_notice=True,
    )
