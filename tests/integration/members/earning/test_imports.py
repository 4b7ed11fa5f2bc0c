"""A file's effects at once are those of its purchases one by one."""

from datetime import date, timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.actors import SYSTEM
from members.activity.operations import Line
from members.earning.boosts import Boost, start_boost
from members.earning.invariants import CHECKS as EARNING_CHECKS
from members.earning.models import Campaign, EarningRule
from members.earning.operations import PurchaseDraft, record_purchases
from members.points.values import Source
from members.profiles.models import Member
from members.segments.models import LateActivity
from members.tiers.invariants import CHECKS as TIER_CHECKS
from members.tiers.models import TierChange
from members.tiers.queries import get_standing
from tenants.brands.models import Brand
from tenants.events.models import Event
from tests.integration.members.earning.world import (
    AT,
    TODAY,
    books,
    buy,
    campaign,
    days_ago,
    import_all,
    join,
    moment,
    rule,
)
from tests.integration.members.tiers.world import make_scheme

_grants = count(1)
LINES = (
    (),
    (Line("a", 1, 3_000, "skin"), Line("b", 2, 500, "tea")),
    (Line("a", 1, 9_000, "skin"), Line("c", 1, -9_500, "skin")),
    (Line("b", 1, 100, "tea"),),
)
DAYS = st.sampled_from([0, 1, 2, 14, 40, 41, 200, 364, 365, 366, 500])
PURCHASES = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.sampled_from([0, 50, 99, 100, 5_000, 9_999, 20_000, 60_000]),
        DAYS,
        st.integers(0, 9),
        st.sampled_from(LINES),
    ),
    min_size=1,
    max_size=9,
)
RULES: tuple[dict[str, Any], ...] = (
    {},
    {"points": 3, "unit_minor": 250, "wallets": "points", "cap_per_day": 100},
    {"points": 2, "wallets": "growth", "cap_per_day": 150, "cap_per_month": 250},
    {"points": 5, "cap_per_month": 300, "pending_days": 20, "wallets": "points"},
    {"points": 1, "categories": ["skin"]},
    {"effect": "fixed", "points": 7, "starts_at": moment(days_ago(50))},
    {"effect": "fixed", "points": 11, "ends_at": moment(days_ago(2), 5), "wallets": "both"},
    {"points": 4, "condition": {"field": "region", "op": "=", "value": "north"}},
    {"points": 6, "stacking": "best", "stack_group": "g", "priority": 3, "stores": ["S1"]},
    {"points": 2, "unit_minor": 30, "stacking": "best", "stack_group": "g", "cap_per_day": 90},
    {"effect": "fixed", "points": 40, "stacking": "first", "stack_group": "f", "priority": 7},
    {"points": 3, "stacking": "first", "stack_group": "f", "channels": ["web"]},
    {"points": 2, "categories": ["tea"], "category_mode": "except"},
)
CAMPAIGNS: tuple[dict[str, Any], ...] = (
    {"multiplier_bp": 15_000, "starts_at": moment(days_ago(14))},
    {"multiplier_bp": 30_000, "categories": ["tea"]},
    {"multiplier_bp": 12_345, "combine": "multiply", "stores": ["S1"]},
    {"multiplier_bp": 11_111, "combine": "multiply", "first_rule": True},
    {"multiplier_bp": 25_000, "condition": {"field": "region", "op": "=", "value": "north"}},
    {"effect": "bonus", "points": 9, "channels": ["web"]},
)
PLACES = (("", ""), ("web", ""), ("store", "S1"))
# Of whom, how much, from and until how many days ago: also ties with campaigns, and overlaps.
BOOSTS = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.sampled_from([10_001, 15_000, 25_000, 30_000]),
        st.sampled_from([(500, 40), (365, 2), (41, 0), (14, -1)]),
    ),
    max_size=2,
)


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    metric=st.sampled_from(["growth", "spend", "orders", "points_earned"]),
    window=st.sampled_from(["lifetime", "rolling", "calendar_year", "anniversary_year"]),
    kinds=st.lists(st.sampled_from(RULES), min_size=1, max_size=4),
    extras=st.lists(st.sampled_from(CAMPAIGNS), max_size=3),
    boosts=BOOSTS,
    before=PURCHASES,
    rows=PURCHASES,
)
def test_import_and_batch_equal_one_by_one(
    brand: Brand,
    metric: str,
    window: str,
    kinds: list[dict[str, Any]],
    extras: list[dict[str, Any]],
    boosts: list[tuple[int, int, tuple[int, int]]],
    before: list[tuple[int, int, int, int, tuple[Line, ...]]],
    rows: list[tuple[int, int, int, int, tuple[Line, ...]]],
) -> None:
    EarningRule.objects.update(status="ended")
    for number, kind in enumerate(kinds):
        last = rule(name=f"rule {number}", **kind)
    Campaign.objects.update(status="ended")
    for extra in extras:
        fields = {key: value for key, value in extra.items() if key != "first_rule"}
        campaign(**fields, rule_ids=[last.pk] if "first_rule" in extra else [])
    scheme = make_scheme(metric=metric, window=window)
    if metric == "orders":
        scheme = _few_orders(window)
    assert scheme.metric == metric
    singles = [join(date(2024, 2, 29), region=region) for region in ("north", "south")]
    many = [join(date(2024, 2, 29), region=region) for region in ("north", "south")]
    sent = [join(date(2024, 2, 29), region=region) for region in ("north", "south")]
    for members in (singles, many, sent):
        for index, multiplier_bp, (first, last) in boosts:
            _boost(members[index], multiplier_bp, days_ago(first), days_ago(last))
        for index, amount, ago, hour, lines in before:
            buy(members[index], amount, on=days_ago(ago), hour=hour, lines=lines)
    ordered = sorted(rows, key=lambda row: (-row[2], row[3]))
    places = [PLACES[row[1] % 3] for row in ordered]
    for (index, amount, ago, hour, lines), (channel, store) in zip(ordered, places, strict=True):
        buy(
            singles[index],
            amount,
            on=days_ago(ago),
            hour=hour,
            lines=lines,
            channel=channel,
            store=store,
        )
    items = record_purchases(
        drafts=[
            PurchaseDraft(
                external_id=f"batch-{sent[0].pk}-{number}",
                member=sent[index].external_id,
                occurred_at=moment(days_ago(ago), hour),
                amount_minor=amount,
                currency="CNY",
                channel=channel,
                store_code=store,
                lines=lines,
            )
            for number, ((index, amount, ago, hour, lines), (channel, store)) in enumerate(
                zip(ordered, places, strict=True)
            )
        ],
        by=SYSTEM,
        at=AT,
    )
    assert [item.error for item in items] == [None] * len(ordered)
    for single, one_of_batch in zip(singles, sent, strict=True):
        assert books(one_of_batch) == books(single)
    LateActivity.objects.all().delete()
    import_all(
        [
            (many[index], amount, days_ago(ago), hour, lines)
            for index, amount, ago, hour, lines in ordered
        ],
        has_lines=True,
        places=places,
    )
    for single, one_of_many in zip(singles, many, strict=True):
        assert books(one_of_many) == _as_of_the_end(books(single), books(one_of_many))
        expected = get_standing(member_id=single.pk, at=AT)
        found = get_standing(member_id=one_of_many.pk, at=AT)
        assert expected is not None
        assert found is not None
        assert (found.tier, found.metric_value, found.missing) == (
            expected.tier,
            expected.metric_value,
            expected.missing,
        )
    assert set(LateActivity.objects.values_list("member", flat=True)) == {
        many[index].pk for index, _amount, ago, _hour, _lines in rows if ago > 0
    }
    checks = {**EARNING_CHECKS, **TIER_CHECKS}
    assert [line for check in checks.values() for line in check()] == []


def _boost(member: Member, multiplier_bp: int, first: date, last: date) -> None:
    start_boost(
        Boost(
            member_id=member.pk,
            multiplier_bp=multiplier_bp,
            starts_at=moment(first),
            ends_at=moment(last, 12),
            source=Source("grant", next(_grants)),
        )
    )


def test_a_boost_holds_for_the_purchases_of_a_file_in_its_time(brand: Brand) -> None:
    rule(wallets="points")
    campaign(multiplier_bp=15_000, starts_at=moment(days_ago(3)))
    boosted, plain = join(), join()
    _boost(boosted, 25_000, days_ago(5), days_ago(1))
    import_all(
        [
            (member, 1_000, days_ago(ago), 10, ())
            for member in (boosted, plain)
            for ago in (6, 5, 2, 0)
        ],
        has_lines=False,
    )
    # Before the boost, in it, in it and in the campaign (the greater counts), in the campaign.
    assert [row[3] for row in books(boosted)["earnings"]] == [10, 25, 25, 15]
    assert [row[10] for row in books(boosted)["earnings"]][:3] == [None, [0], [0]]
    assert [row[3] for row in books(plain)["earnings"]] == [10, 10, 15, 15]


def _few_orders(window: str) -> Any:
    from members.tiers.values import TierDraft

    tiers = [
        TierDraft(
            code=f"o{entry}",
            name={"en": "x"},
            entry_threshold=entry,
            keep_threshold=0,
            multiplier_bp=10_000 + 2_000 * entry,
        )
        for entry in (0, 2, 4, 7)
    ]
    return make_scheme(metric="orders", window=window, tiers=tiers)


def _as_of_the_end(single: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    """A member who rose in two steps has the metric of the second, not of the end of the file."""
    if single["tier"] is None or found["tier"] is None:
        return single
    code, _metric, valid_until, grace_until = single["tier"]
    return {**single, "tier": (code, found["tier"][1], valid_until, grace_until)}


def test_import_raises_tiers_once_and_tells_once(brand: Brand) -> None:
    rule()
    make_scheme(window="lifetime")
    member = join()
    before = Event.objects.count()
    import_all(
        [(member, 20_000, days_ago(3), 9, ()), (member, 40_000, days_ago(2), 9, ())],
        has_lines=False,
    )
    (change,) = TierChange.objects.all()
    assert (change.from_tier.code, change.to_tier.code, change.cause) == (
        "basic",
        "gold",
        "import",
    )
    assert (change.metric_value, change.threshold, change.journal_seq) == (600, 500, 2)
    told = list(Event.objects.order_by("pk")[before:])
    assert [event.type for event in told] == [
        "tier.upgraded",
        "tier.welcomed",
        "purchase.imported",
    ]
    assert told[2].data == {"purchases": 2, "members": 1}
    # 200 points at once, 400 with silver's 1.2.
    assert books(member)["accounts"] == [(1, 680, 0, 2), (2, 600, 0, 2)]


def test_conditions_see_the_whole_file(brand: Brand) -> None:
    rule(wallets="points", condition={"field": "orders_365d", "op": "=", "value": 1})
    once, twice = join(), join()
    import_all(
        [(once, 1_000, TODAY, 9, ()), (twice, 1_000, TODAY, 8, ()), (twice, 1_000, TODAY, 9, ())],
        has_lines=False,
    )
    assert [books(member)["accounts"][0][1] for member in (once, twice)] == [10, 0]


def test_blocked_members_of_a_file_earn_nothing(brand: Brand) -> None:
    rule()
    blocked, active = join(), join()
    Member.objects.filter(pk=blocked.pk).update(status="blocked")
    blocked.refresh_from_db()
    import_all([(blocked, 1_000, TODAY, 9, ()), (active, 1_000, TODAY, 9, ())], has_lines=False)
    assert [books(member)["accounts"][0][1] for member in (blocked, active)] == [0, 10]


def test_import_without_rules_or_scheme_writes_no_points(brand: Brand) -> None:
    member = join()
    import_all([(member, 1_000, TODAY - timedelta(days=1), 9, ())], has_lines=False)
    assert books(member)["entries"] == []
    assert books(member)["tier"] is None


@pytest.mark.parametrize("metric", ["growth", "points_earned"])
def test_second_purchase_of_a_file_has_the_multiplier_of_the_first(
    brand: Brand, metric: str
) -> None:
    rule()
    make_scheme(metric=metric, window="lifetime")
    member = join()
    import_all(
        [(member, 10_000, days_ago(2), 9, ()), (member, 10_000, days_ago(1), 9, ())],
        has_lines=False,
    )
    assert [row[3] for row in books(member)["earnings"] if row[1] == "points"] == [100, 120]
