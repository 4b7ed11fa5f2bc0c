"""New partners get a share of orders, so that they can earn a record."""

from datetime import date

from partners.orders.scoring import Ranked, favour_newcomer
from partners.pool.queries import Record, Supply


def ranked(partner_id: int, answered: int) -> Ranked:
    supply = Supply(
        offering_id=partner_id,
        partner_id=partner_id,
        partner_code=f"p{partner_id}",
        partner_name="",
        partner_status="active",
        status="active",
        regions=[],
        capacity_per_day=1,
        lead_time_hours=0,
        sla_hours=1,
        valid_from=date(2026, 1, 1),
        valid_to=None,
        price_minor=1,
        record=Record(offers_answered=answered),
        days={},
    )
    return Ranked(supply, 1, date(2026, 1, 1), 10 - partner_id, {"price": 1})


OLD, NEW, NEWER = ranked(1, 50), ranked(2, 9), ranked(3, 0)


def order(found: list[Ranked]) -> list[int]:
    return [each.supply.partner_id for each in found]


def test_of_100_orders_the_share_goes_to_the_best_newcomer() -> None:
    firsts = [
        favour_newcomer([OLD, NEW, NEWER], draw=draw, percent=5, offers=10)[0].supply.partner_id
        for draw in range(100)
    ]
    assert (firsts.count(2), firsts.count(1)) == (5, 95)


def test_the_others_keep_their_order_and_the_reason_is_kept() -> None:
    found = favour_newcomer([OLD, NEW, NEWER], draw=0, percent=5, offers=9)
    assert order(found) == [3, 1, 2]
    assert found[0].parts == {"price": 1, "newcomer": 10_000}


def test_nothing_changes_without_a_newcomer_or_a_share() -> None:
    assert favour_newcomer([OLD], draw=0, percent=5, offers=10) == [OLD]
    assert favour_newcomer([NEW, OLD], draw=0, percent=5, offers=10) == [NEW, OLD]
    assert favour_newcomer([OLD, NEW], draw=0, percent=0, offers=10) == [OLD, NEW]
    assert favour_newcomer([], draw=0, percent=5, offers=10) == []
