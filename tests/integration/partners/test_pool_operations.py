from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from partners.pool import operations as pool
from partners.pool import queries
from partners.pool.errors import (
    CapacityBelowReservedError,
    InvalidOfferingError,
    InvalidPartnerError,
    NoCapacityError,
    OfferingNotFoundError,
    PartnerCodeTakenError,
    PartnerNotFoundError,
    PartnerStatusError,
    PastDayError,
    PastPriceError,
)
from partners.pool.models import CapacityDay, Offering, OfferingPrice, Partner
from tenants.accounts import keys
from tenants.accounts.keys import InvalidKeyError
from tenants.audit.models import AuditEntry
from tests.integration.partners.world import STAFF, World

TODAY = date(2026, 3, 15)


def test_a_partner_passes_from_invitation_to_end(world: World, at: datetime) -> None:
    partner = pool.invite_partner(code="spa", name=" Spa ", by=STAFF, at=at)
    assert (partner.status, partner.name) == ("invited", "Spa")
    for move, status in [
        (pool.open_sandbox, "sandbox"),
        (pool.activate_partner, "active"),
    ]:
        assert move(partner=partner, by=STAFF, at=at).status == status
    assert pool.pause_partner(partner=partner, reason="holiday", by=STAFF, at=at).status == "paused"
    assert pool.activate_partner(partner=partner, by=STAFF, at=at).status == "active"
    assert pool.end_partner(partner=partner, reason="quality", by=STAFF, at=at).status == "ended"
    actions = AuditEntry.objects.filter(target_type="partner").order_by("id")
    assert [entry.action for entry in actions] == [
        "partner.invited",
        "partner.sandbox",
        "partner.active",
        "partner.paused",
        "partner.active",
        "partner.ended",
    ]
    with pytest.raises(PartnerStatusError) as caught:
        pool.activate_partner(partner=partner, by=STAFF, at=at)
    assert caught.value.data == {"status": "ended"}
    assert AuditEntry.objects.filter(target_type="partner").count() == 6


def test_the_same_status_again_changes_nothing(world: World, at: datetime) -> None:
    partner = world.partner()
    before = AuditEntry.objects.count()
    pool.activate_partner(partner=partner, by=STAFF, at=at + timedelta(days=1))
    assert AuditEntry.objects.count() == before
    assert Partner.objects.get(pk=partner.pk).activated_at == at


def test_a_code_is_unique(world: World, at: datetime) -> None:
    pool.invite_partner(code="spa", name="One", by=STAFF, at=at)
    with pytest.raises(PartnerCodeTakenError):
        pool.invite_partner(code="spa", name="Two", by=STAFF, at=at)
    assert list(Partner.objects.values_list("name", flat=True)) == ["One"]


@pytest.mark.parametrize(
    ("facts", "pointer"),
    [
        ({"code": "Spa"}, "/code"),
        ({"code": ""}, "/code"),
        ({"name": "  "}, "/name"),
        ({"name": "x" * 121}, "/name"),
        ({"contact_email": "nobody"}, "/contact_email"),
        ({"contact_phone": "1" * 41}, "/contact_phone"),
    ],
)
def test_wrong_facts_are_refused(
    world: World, at: datetime, facts: dict[str, Any], pointer: str
) -> None:
    with pytest.raises(InvalidPartnerError) as caught:
        pool.invite_partner(**{"code": "spa", "name": "Spa", **facts}, by=STAFF, at=at)
    assert caught.value.data == {"pointer": pointer}
    assert not Partner.objects.exists()


def test_the_audit_does_not_keep_the_contact(world: World, at: datetime) -> None:
    partner = world.partner("spa")
    pool.update_partner(
        partner=partner, name="Spa", contact_email="li@example.com", by=STAFF, at=at
    )
    entry = AuditEntry.objects.filter(action="partner.updated").get()
    assert entry.changes == {}
    assert entry.reason == "contact_email"
    assert partner.contact_email == "li@example.com"


def test_ending_a_partner_revokes_its_keys(world: World, at: datetime) -> None:
    partner = world.partner()
    _key, text = pool.create_key(partner=partner, name="till", by=STAFF, at=at)
    assert text.startswith("tsp_live_")
    assert keys.authenticate(text=text, kind="partner", at=at).owner_id == partner.pk
    pool.end_partner(partner=partner, reason="", by=STAFF, at=at)
    with pytest.raises(InvalidKeyError):
        keys.authenticate(text=text, kind="partner", at=at)
    with pytest.raises(PartnerStatusError):
        pool.create_key(partner=partner, name="again", by=STAFF, at=at)


def test_an_offering_is_one_row_per_partner_and_benefit(world: World, at: datetime) -> None:
    benefit, partner = world.benefit(), world.partner()
    first = world.offering(benefit, partner, regions=["cn/gd ", " cn/sh/", "cn/gd"])
    second = world.offering(benefit, partner, price_minor=6_000, capacity_per_day=9)
    assert first.pk == second.pk
    assert first.regions == ["cn/gd", "cn/sh"]
    assert Offering.objects.get(pk=first.pk).capacity_per_day == 9
    assert queries.get_price(offering_id=first.pk, on=TODAY) == 6_000


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"capacity_per_day": -1}, "/capacity_per_day"),
        ({"capacity_per_day": 10**7}, "/capacity_per_day"),
        ({"lead_time_hours": -1}, "/lead_time_hours"),
        ({"sla_hours": 0}, "/sla_hours"),
        ({"regions": [" "]}, "/regions"),
        ({"regions": ["x" * 61]}, "/regions"),
        ({"price_minor": -1}, "/price_minor"),
        ({"price_minor": 10**14}, "/price_minor"),
        ({"valid_from": TODAY, "valid_to": TODAY}, "/valid_to"),
    ],
)
def test_wrong_offerings_are_refused(world: World, changes: dict[str, Any], pointer: str) -> None:
    benefit, partner = world.benefit(), world.partner()
    with pytest.raises(InvalidOfferingError) as caught:
        world.offering(benefit, partner, **changes)
    assert caught.value.data == {"pointer": pointer}
    assert not Offering.objects.exists()
    assert not OfferingPrice.objects.exists()


def test_a_price_holds_until_the_next_begins(world: World, at: datetime) -> None:
    offering = world.offering(world.benefit(), price_minor=5_000)
    later = TODAY + timedelta(days=10)
    pool.set_price(offering=offering, price_minor=7_000, valid_from=later, by=STAFF, at=at)
    prices = [
        queries.get_price(offering_id=offering.pk, on=day)
        for day in (TODAY - timedelta(days=1), TODAY, later - timedelta(days=1), later)
    ]
    assert prices == [None, 5_000, 5_000, 7_000]
    (view,) = queries.list_offerings(on=TODAY)
    assert (view.price_minor, view.next_price_minor, view.next_price_from) == (5_000, 7_000, later)


def test_a_past_price_never_changes(world: World, at: datetime) -> None:
    offering = world.offering(world.benefit(), price_minor=5_000)
    tomorrow = at + timedelta(days=1)
    with pytest.raises(PastPriceError):
        pool.set_price(offering=offering, price_minor=1, valid_from=TODAY, by=STAFF, at=tomorrow)
    assert queries.get_price(offering_id=offering.pk, on=TODAY) == 5_000
    pool.set_price(offering=offering, price_minor=5_000, valid_from=TODAY, by=STAFF, at=tomorrow)
    assert OfferingPrice.objects.count() == 1


def test_days_follow_the_usual_capacity_unless_set(world: World, at: datetime) -> None:
    offering = world.offering(world.benefit(), capacity_per_day=3)
    days = [TODAY + timedelta(days=number) for number in range(4)]
    for day in days[:2]:
        pool.reserve(offering_id=offering.pk, on_date=day)
        pool.reserve(offering_id=offering.pk, on_date=day)
    pool.set_capacity(offering=offering, on_date=days[1], capacity=2, by=STAFF, at=at)
    pool.set_capacity(offering=offering, on_date=days[2], capacity=0, by=STAFF, at=at)
    pool.change_offering(offering=offering, capacity_per_day=1, by=STAFF, at=at)
    offering.refresh_from_db()
    found = queries.list_days(offering=offering, start=TODAY, days=4)
    assert [(day.capacity, day.reserved, day.left) for day in found] == [
        (2, 2, 0),  # never below what is reserved
        (2, 2, 0),
        (0, 0, 0),
        (1, 0, 1),
    ]


def test_capacity_cannot_fall_below_what_is_reserved(world: World, at: datetime) -> None:
    offering = world.offering(world.benefit(), capacity_per_day=3)
    pool.reserve(offering_id=offering.pk, on_date=TODAY)
    pool.reserve(offering_id=offering.pk, on_date=TODAY)
    with pytest.raises(CapacityBelowReservedError) as caught:
        pool.set_capacity(offering=offering, on_date=TODAY, capacity=1, by=STAFF, at=at)
    assert caught.value.data == {"on_date": TODAY, "reserved": 2}
    day = CapacityDay.objects.get()
    assert (day.capacity, day.reserved, day.is_set) == (3, 2, False)


def test_a_day_gone_by_cannot_be_set(world: World, at: datetime) -> None:
    offering = world.offering(world.benefit())
    with pytest.raises(PastDayError):
        pool.set_capacity(
            offering=offering, on_date=TODAY - timedelta(days=1), capacity=1, by=STAFF, at=at
        )
    # 17:00 UTC is past midnight in Shanghai
    with pytest.raises(PastDayError):
        pool.set_capacity(
            offering=offering,
            on_date=TODAY,
            capacity=1,
            by=STAFF,
            at=datetime(2026, 3, 15, 17, 0, tzinfo=UTC),
        )
    assert not CapacityDay.objects.exists()


def test_reserve_stops_at_the_capacity(world: World) -> None:
    offering = world.offering(world.benefit(), capacity_per_day=2)
    pool.reserve(offering_id=offering.pk, on_date=TODAY)
    pool.reserve(offering_id=offering.pk, on_date=TODAY)
    with pytest.raises(NoCapacityError):
        pool.reserve(offering_id=offering.pk, on_date=TODAY)
    assert CapacityDay.objects.get().reserved == 2
    pool.release(offering_id=offering.pk, on_date=TODAY)
    pool.reserve(offering_id=offering.pk, on_date=TODAY)
    assert CapacityDay.objects.get().reserved == 2


def test_nothing_can_be_reserved_without_capacity(world: World) -> None:
    offering = world.offering(world.benefit(), capacity_per_day=0)
    with pytest.raises(NoCapacityError):
        pool.reserve(offering_id=offering.pk, on_date=TODAY)
    assert not CapacityDay.objects.exists()


def test_anothers_offering_is_not_found(world: World) -> None:
    mine, other = world.partner(), world.partner()
    offering = world.offering(world.benefit(), mine)
    assert queries.get_offering(offering_id=offering.pk, partner_id=mine.pk) == offering
    with pytest.raises(OfferingNotFoundError):
        queries.get_offering(offering_id=offering.pk, partner_id=other.pk)
    with pytest.raises(PartnerNotFoundError):
        queries.get_partner(code="nobody")
    assert queries.get_partner(partner_id=mine.pk) == mine


def test_lists_take_one_query(
    world: World, django_assert_num_queries: Callable[[int], Any]
) -> None:
    for _ in range(3):
        world.offering(world.benefit())
    with django_assert_num_queries(1):
        assert len(queries.list_offerings(on=TODAY)) == 3
    with django_assert_num_queries(1):
        assert [p.offerings_active for p in queries.list_partners(status="active")] == [1, 1, 1]


def test_coverage_counts_members_whom_somebody_can_serve_today(
    world: World, at: datetime, django_assert_num_queries: Callable[[int], Any]
) -> None:
    benefit = world.benefit()
    empty = queries.get_coverage(benefit_id=benefit.pk, at=at)
    assert (empty.members, empty.share) == (0, None)
    for region in ("cn/gd", "cn/gd", "cn/gd/sz", "cn/sh", ""):
        world.redemption(benefit, world.member(region))
    near = world.offering(benefit, regions=["cn/gd"], capacity_per_day=3)
    world.offering(benefit, regions=["cn/sh"], capacity_per_day=0)
    with django_assert_num_queries(2):
        found = queries.get_coverage(benefit_id=benefit.pk, at=at)
    assert (found.members, found.covered, found.share) == (5, 3, 0.6)
    assert [(r.region, r.members, r.offerings, r.capacity_left) for r in found.regions] == [
        ("", 1, 0, 0),
        ("cn/gd", 2, 1, 3),
        ("cn/gd/sz", 1, 1, 3),
        ("cn/sh", 1, 0, 0),
    ]
    pool.set_capacity(offering=near, on_date=TODAY, capacity=0, by=STAFF, at=at)
    assert queries.get_coverage(benefit_id=benefit.pk, at=at).covered == 0


def test_elasticity_is_room_against_expected_demand(world: World, at: datetime) -> None:
    benefit = world.benefit()
    offering = world.offering(benefit, capacity_per_day=2)
    pool.set_capacity(offering=offering, on_date=TODAY, capacity=0, by=STAFF, at=at)
    pool.reserve(offering_id=offering.pk, on_date=TODAY + timedelta(days=1))
    ended = world.partner()
    world.offering(benefit, ended)
    pool.end_partner(partner=ended, reason="", by=STAFF, at=at)
    found = queries.get_elasticity(benefit_id=benefit.pk, at=at)
    assert (found.capacity_left, found.expected_demand, found.ratio) == (25, 0, None)
    for days in (1, 27, 28, 29):
        world.at = at - timedelta(days=days)
        world.redemption(benefit)
    found = queries.get_elasticity(benefit_id=benefit.pk, at=at)
    assert (found.expected_demand, found.ratio) == (1.5, 25 / 1.5)
