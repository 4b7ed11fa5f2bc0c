"""A small demo brand lives through its year, and everything adds up at the end."""

from dataclasses import replace

import pytest

from benefits.grants.models import Redemption
from benefits.insights.models import Alert, ProgrammeMonth
from config.demo import story
from config.demo.brands import BRANDS
from config.demo.brands.beauty import BEAUTY
from config.demo.files import facts_of
from config.invariants import check_brand
from core import clock
from members.activity.models import Purchase
from members.profiles.models import Member
from partners.orders.models import FulfilmentOrder
from tenants.brands.models import Brand


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_year_adds_up(committed_brand: Brand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(story, "MALL_ORDERS", 3)
    told: list[tuple[int, int]] = []
    made = story.tell(
        replace(BEAUTY, members=45),
        now=clock.now(),
        report=lambda done, total: told.append((done, total)),
    )
    assert told[-1][0] + 1 == told[-1][1]
    # Three second cards are found on the desk.
    assert Member.objects.count() == 45 + 3
    assert Purchase.objects.count() > 100
    assert Redemption.objects.filter(state="fulfilled").exists()
    assert FulfilmentOrder.objects.filter(state="fulfilled").exists()
    assert ProgrammeMonth.objects.count() >= 12
    assert Alert.objects.filter(rule="penetration_low").count() <= 2
    facts = facts_of(BEAUTY, made)
    assert {row["role"] for row in facts.staff} == {row[0] for row in BEAUTY.staff}
    assert facts.members
    broken = {name: wrong for name, wrong in check_brand() if wrong}
    assert broken == {}


def test_the_brands_speak_three_languages() -> None:
    assert [spec.locale for spec in BRANDS] == ["zh-hans", "zh-hant", "en"]
    assert [spec.currency for spec in BRANDS] == ["CNY", "HKD", "USD"]
    for spec in BRANDS:
        for benefit in spec.benefits:
            assert spec.locale in benefit.name
            assert spec.locale in benefit.terms
        assert sum(line.share_bp for line in spec.lines) <= 10_000
