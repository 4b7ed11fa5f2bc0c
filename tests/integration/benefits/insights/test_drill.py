"""Each figure is as many as the rows behind it, on programmes made by chance."""

from datetime import date, datetime
from typing import Any

import pandas as pd
import pytest

from benefits.insights import drill, pages
from benefits.insights.facts import compute_month
from benefits.insights.months import month_of
from core.errors import NotFoundError
from tests.integration.benefits.insights import programmes
from tests.integration.benefits.world import World

MONTH = date(2026, 1, 1)


def _count(rows: list[drill.Row], kind: str, below: bool) -> int:
    if (kind == "grants" and not below) or (kind in {"fulfilments", "ratings"} and not below):
        return sum(row.amount for row in rows)
    if kind == "answers" and not below:
        return sum((row.amount >= 9) - (row.amount <= 6) for row in rows)
    return len(rows)


def test_the_rows_behind_each_figure_add_up_to_it(brand: Any, at: datetime) -> None:
    programme = programmes.make(11)
    compute_month(day=MONTH, at=at)
    span = month_of(MONTH, "Asia/Shanghai")
    checked = set()
    for benefit in programme.benefits:
        for figure in pages.get_benefit_page(benefit=benefit, month=MONTH).figures:
            parts = [
                (figure.above_rows, figure.measure.numerator, False),
                (figure.below_rows, figure.measure.denominator, True),
            ]
            for kind, value, below in parts:
                if kind and (kind, below) != ("grants", True):
                    pieces = drill.stream_rows(benefit=benefit, month=span, kind=kind, chunk=7)
                    rows = [row for piece in pieces for row in piece]
                    assert (kind, _count(rows, kind, below)) == (kind, value)
                    checked.add(kind)
    assert checked == set(drill.KINDS)


def test_rows_come_page_by_page(brand: Any, at: datetime) -> None:
    programme = programmes.make(12)
    span = month_of(MONTH, "Asia/Shanghai")
    first = drill.list_rows(benefit=programme.benefits[0], month=span, kind="target", limit=3)
    rest = drill.list_rows(
        benefit=programme.benefits[0], month=span, kind="target", after=first[-1].id, limit=500
    )
    assert len(first) == 3
    assert not {row.id for row in first} & {row.id for row in rest}
    with pytest.raises(NotFoundError):
        drill.list_rows(benefit=programme.benefits[0], month=span, kind="secrets")


def test_non_users_are_the_rest(brand: Any, at: datetime) -> None:
    programme = programmes.make(13)
    compute_month(day=MONTH, at=at)
    heard = programme.redemptions[programme.redemptions.nps.notna()]
    ends = month_of(MONTH, "Asia/Shanghai").ends_at
    starts = month_of(MONTH, "Asia/Shanghai").starts_at
    r = programme.redemptions
    heard = heard[(heard.rated >= ends - pd.Timedelta(days=90)) & (heard.rated < ends)]
    for benefit in programme.benefits:
        users = set(
            r[
                (r.benefit == benefit.pk) & (r.requested >= starts) & (r.requested < ends)
                & (r.state != "cancelled")
            ].member
        )  # fmt: skip
        others = heard[~heard.member.isin(users)]
        fact = pages.get_benefit_page(benefit=benefit, month=MONTH).fact
        assert (fact.others_answers, fact.others_promoters, fact.others_detractors) == (
            len(others),
            (others.nps >= 9).sum(),
            (others.nps <= 6).sum(),
        )


def test_a_month_without_facts_is_no_data(
    world: World, at: datetime, django_assert_max_num_queries: Any
) -> None:
    benefit = world.benefit()
    with django_assert_max_num_queries(6):
        page = pages.get_benefit_page(benefit=benefit, month=MONTH)
    assert {figure.measure.value for figure in page.figures} == {None}
    assert page.score is None
    with django_assert_max_num_queries(6):
        assert pages.get_programme_page(month=MONTH).figures == []


def test_customer_value_counts_whole_spans_only(brand: Any, at: datetime) -> None:
    programme = programmes.make(14)
    months = [date(2025, 10, 1), date(2025, 11, 1), date(2025, 12, 1), MONTH]
    for month in months:
        compute_month(day=month, at=at)
    (value,) = [v for v in pages.list_cohort_values(last=MONTH) if v.cohort == months[1]]
    zone = "Asia/Shanghai"
    joined = programme.members[
        programme.members.enrolled.map(lambda t: t.tz_convert(zone).strftime("%Y-%m") == "2025-11")
    ]
    bought = programme.purchases[
        programme.purchases.member.isin(joined.member)
        & (programme.purchases.day >= months[1])
        & (programme.purchases.day < date(2026, 2, 1))
    ]
    assert value.members == len(joined)
    assert value.per_member == {3: bought.net.sum() / len(joined), 6: None, 12: None}
