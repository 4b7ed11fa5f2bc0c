"""Facts of a benefit by the partner who fulfilled it."""

from datetime import datetime

from benefits.grants.models import Redemption
from benefits.insights.facts import compute_month
from benefits.insights.invariants import CHECKS
from benefits.insights.models import BenefitMonth, BenefitSlice
from core.actors import Actor
from partners.orders import operations as orders
from tests.integration.partners.world import World


def test_what_partners_did_is_counted_by_partner(world: World, at: datetime) -> None:
    benefit = world.benefit()
    partners = [world.offering(benefit, partner=world.partner(code)).partner for code in "ab"]
    done = []
    for _number in range(3):
        order = world.order(benefit)
        by = Actor(kind="partner", id=order.partner_id or 0)
        assert order.partner_id in {partner.pk for partner in partners}
        accepted = orders.accept(order=order, partner_id=by.id or 0, by=by, at=at)
        code = Redemption.objects.get(pk=order.redemption_id).code
        done.append(orders.fulfil(order=accepted, partner_id=by.id or 0, code=code, by=by, at=at))
    compute_month(day=at.date(), at=at)
    slices = BenefitSlice.objects.filter(benefit=benefit, dimension="partner")
    expected = {
        code: len([order for order in done if order.partner_id == partner.pk])
        for code, partner in zip("ab", partners, strict=True)
    }
    assert {s.value: s.units_fulfilled for s in slices} == {
        code: count for code, count in expected.items() if count
    }
    whole = BenefitMonth.objects.get(benefit=benefit)
    assert sum(s.partner_cost_minor for s in slices) == whole.partner_cost_minor > 0
    assert {s.target_members for s in slices} == {0}
    assert CHECKS["I15 facts equal rows"]() == []
