"""Purchases, refunds and events are recorded once, with the member's day kept true."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import DatabaseError, connection, transaction
from django.test.utils import CaptureQueriesContext

from core.actors import SYSTEM
from core.errors import DomainError
from core.money import MAX_MINOR
from members.activity.errors import (
    DuplicateEventError,
    DuplicatePurchaseError,
    DuplicateRefundError,
    PurchaseNotFoundError,
    RefundTooLargeError,
)
from members.activity.invariants import CHECKS
from members.activity.models import ActivityEvent, MemberDay, Purchase, PurchaseLine, Refund
from members.activity.operations import Line, add_purchase, add_refund, put_store, record_event
from members.activity.queries import (
    Activity,
    get_activity,
    get_purchase,
    list_lines,
    list_purchases,
)
from members.profiles.errors import ErasedMemberError
from members.profiles.models import Member
from members.profiles.operations import enrol
from tenants.brands.models import Brand

LINES = (
    Line(sku="A", category="护肤", quantity=2, amount_minor=1500, cost_minor=600),
    Line(sku="B", quantity=1, amount_minor=499),
)

NAIVE = datetime(2026, 3, 15, tzinfo=UTC).replace(tzinfo=None)


@pytest.fixture
def member(brand: Brand, at: datetime) -> Member:
    return enrol(external_id="C-1", at=at, by=SYSTEM)


@pytest.fixture
def body(member: Member, at: datetime) -> dict[str, Any]:
    return {
        "external_id": "P-1",
        "member": member,
        # 17:30 on the 13th in London is the 14th in Shanghai.
        "occurred_at": datetime(2026, 3, 13, 17, 30, tzinfo=UTC),
        "amount_minor": 1999,
        "currency": "CNY",
        "channel": "web",
        "store_code": "SH-01",
        "associate": "小李",
        "lines": LINES,
        "at": at,
    }


def days(member: Member) -> list[tuple[date, int, int, int]]:
    return list(
        MemberDay.objects.filter(member=member)
        .order_by("on_date")
        .values_list("on_date", "orders", "spend_minor", "refunded_minor")
    )


def broken() -> list[str]:
    return [text for check in CHECKS.values() for text in check()]


def test_purchase_with_lines_and_day(body: dict[str, Any], member: Member) -> None:
    purchase, created = add_purchase(**body)
    assert created
    assert purchase == get_purchase(external_id="P-1")
    assert (purchase.local_date, purchase.amount_minor, purchase.net_minor) == (
        date(2026, 3, 14),
        1999,
        1999,
    )
    stored = Purchase.objects.get()
    assert (stored.channel, stored.store_code, stored.associate) == ("web", "SH-01", "小李")
    assert [
        (line.position, line.sku, line.category, line.quantity, line.amount_minor, line.cost_minor)
        for line in list_lines(purchase_id=purchase.pk)
    ] == [(1, "A", "护肤", 2, 1500, 600), (2, "B", "", 1, 499, None)]
    assert days(member) == [(date(2026, 3, 14), 1, 1999, 0)]
    assert not broken()


def test_purchase_is_one_statement(body: dict[str, Any]) -> None:
    with CaptureQueriesContext(connection) as queries:
        add_purchase(**body)
    assert len(queries) == 1


def test_the_same_again_changes_nothing(body: dict[str, Any], member: Member) -> None:
    first, _created = add_purchase(**body)
    # The same instant in another zone, and later on the clock, is the same purchase.
    body["occurred_at"] = body["occurred_at"].astimezone(ZoneInfo("America/New_York"))
    body["at"] += timedelta(days=3)
    again, created = add_purchase(**body)
    assert (created, again.pk) == (False, first.pk)
    assert PurchaseLine.objects.count() == 2
    assert days(member) == [(date(2026, 3, 14), 1, 1999, 0)]


@pytest.mark.parametrize(
    "change",
    [
        {"amount_minor": 2000},
        {"occurred_at": datetime(2026, 3, 13, 17, 30, 0, 1, tzinfo=UTC)},
        {"channel": ""},
        {"store_code": "SH-02"},
        {"associate": ""},
        {"lines": ()},
        {"lines": LINES[::-1]},
        {"lines": (Line(sku="A", category="护肤", quantity=2, amount_minor=1500), LINES[1])},
    ],
)
def test_the_same_id_with_another_body_is_refused(
    body: dict[str, Any], member: Member, change: dict[str, Any]
) -> None:
    add_purchase(**body)
    with pytest.raises(DuplicatePurchaseError) as refused:
        add_purchase(**{**body, **change})
    assert refused.value.data == {"external_id": "P-1"}
    assert refused.value.status == 409
    assert Purchase.objects.get().amount_minor == 1999
    assert PurchaseLine.objects.count() == 2
    assert days(member) == [(date(2026, 3, 14), 1, 1999, 0)]


def test_another_member_with_the_same_id_is_refused(body: dict[str, Any], at: datetime) -> None:
    add_purchase(**body)
    other = enrol(external_id="C-2", at=at, by=SYSTEM)
    with pytest.raises(DuplicatePurchaseError):
        add_purchase(**{**body, "member": other})
    assert days(other) == []


@pytest.mark.parametrize("key", ["none", "", "P-1\0", "P-1\ud800"])
def test_no_such_purchase(body: dict[str, Any], key: str) -> None:
    add_purchase(**body)
    with pytest.raises(PurchaseNotFoundError):
        get_purchase(external_id=key)


def test_fields_can_not_flow_into_each_other(body: dict[str, Any]) -> None:
    add_purchase(**{**body, "channel": "web", "store_code": ""})
    with pytest.raises(DuplicatePurchaseError):
        add_purchase(**{**body, "channel": "", "store_code": "web"})


@pytest.mark.parametrize(
    ("change", "code", "pointer"),
    [
        ({"amount_minor": -1}, "invalid_amount", "/amount"),
        ({"amount_minor": MAX_MINOR + 1}, "invalid_amount", "/amount"),
        ({"amount_minor": 19.99}, "invalid_amount", "/amount"),
        ({"amount_minor": True}, "invalid_amount", "/amount"),
        ({"currency": "USD"}, "unsupported_currency", "/currency"),
        ({"currency": "XXX"}, "unsupported_currency", "/currency"),
        ({"external_id": " "}, "invalid_purchase", "/external_id"),
        ({"external_id": "x" * 101}, "invalid_purchase", "/external_id"),
        ({"external_id": "a\x1fb"}, "invalid_purchase", "/external_id"),
        ({"channel": "\0"}, "invalid_purchase", "/channel"),
        ({"channel": 5}, "invalid_purchase", "/channel"),
        ({"store_code": "\ud800"}, "invalid_purchase", "/store"),
        ({"associate": "x" * 61}, "invalid_purchase", "/associate"),
        ({"occurred_at": datetime(2026, 3, 15, 4, 5, 1, tzinfo=UTC)}, "future_purchase", "/occurred_at"),
        ({"occurred_at": NAIVE}, "invalid_purchase", "/occurred_at"),
        ({"occurred_at": datetime(1969, 12, 31, tzinfo=UTC)}, "invalid_purchase", "/occurred_at"),
        ({"lines": [Line(sku="", quantity=1, amount_minor=1)]}, "invalid_purchase", "/lines/0/sku"),
        ({"lines": [LINES[0], Line(sku="B", quantity=0, amount_minor=1)]}, "invalid_purchase", "/lines/1/quantity"),
        ({"lines": [Line(sku="B", quantity=1, amount_minor=10**14)]}, "invalid_amount", "/lines/0/amount"),
        ({"lines": [LINES[0]] * 1001}, "invalid_purchase", "/lines"),
    ],
)  # fmt: skip
def test_what_can_not_be_is_named_and_nothing_is_written(
    body: dict[str, Any], change: dict[str, Any], code: str, pointer: str
) -> None:
    with pytest.raises(DomainError) as refused:
        add_purchase(**{**body, **change})
    assert (refused.value.code, refused.value.data["pointer"]) == (code, pointer)
    assert refused.value.status == 422
    assert not Purchase.objects.exists()
    assert not MemberDay.objects.exists()


def test_zero_and_the_largest_amount_and_five_minutes_ahead(
    body: dict[str, Any], member: Member, at: datetime
) -> None:
    add_purchase(**{**body, "external_id": "zero", "amount_minor": 0})
    add_purchase(**{**body, "external_id": "most", "amount_minor": MAX_MINOR})
    add_purchase(**{**body, "external_id": "soon", "occurred_at": at + timedelta(minutes=5)})
    assert days(member) == [
        (date(2026, 3, 14), 2, MAX_MINOR, 0),
        (date(2026, 3, 15), 1, 1999, 0),
    ]


def test_erased_members_buy_nothing(body: dict[str, Any], member: Member) -> None:
    member.status = Member.Status.ERASED
    with pytest.raises(ErasedMemberError):
        add_purchase(**body)
    assert not Purchase.objects.exists()


def test_refunds_lower_the_day_of_the_purchase(
    body: dict[str, Any], member: Member, at: datetime
) -> None:
    purchase, _created = add_purchase(**body)
    add_purchase(**{**body, "external_id": "P-2", "amount_minor": 1})
    refund, created = add_refund(
        purchase=purchase, external_id="R-1", amount_minor=999, occurred_at=at, at=at
    )
    assert (created, refund.amount_minor, purchase.refunded_minor) == (True, 999, 999)
    assert days(member) == [(date(2026, 3, 14), 2, 2000, 999)]
    again, created = add_refund(
        purchase=purchase, external_id="R-1", amount_minor=999, occurred_at=at, at=at
    )
    assert (created, again.pk) == (False, refund.pk)
    with pytest.raises(DuplicateRefundError):
        add_refund(purchase=purchase, external_id="R-1", amount_minor=1, occurred_at=at, at=at)
    with pytest.raises(RefundTooLargeError) as refused:
        add_refund(purchase=purchase, external_id="R-2", amount_minor=1001, occurred_at=at, at=at)
    assert refused.value.data == {
        "external_id": "R-2",
        "left_minor": 1000,
        "pointer": "/amount",
    }
    assert days(member) == [(date(2026, 3, 14), 2, 2000, 999)]
    add_refund(purchase=purchase, external_id="R-2", amount_minor=1000, occurred_at=at, at=at)
    assert days(member) == [(date(2026, 3, 14), 1, 2000, 1999)]
    assert Refund.objects.count() == 2
    assert not broken()


@pytest.mark.parametrize("amount", [0, -5, MAX_MINOR + 1])
def test_refunds_of_an_amount_that_can_not_be(
    body: dict[str, Any], at: datetime, amount: int
) -> None:
    purchase, _created = add_purchase(**body)
    with pytest.raises(DomainError) as refused:
        add_refund(purchase=purchase, external_id="R", amount_minor=amount, occurred_at=at, at=at)
    assert refused.value.code == "invalid_amount"
    assert not Refund.objects.exists()


def test_the_same_refund_id_for_two_purchases(body: dict[str, Any], at: datetime) -> None:
    for name in ("P-1", "P-2"):
        purchase, _created = add_purchase(**{**body, "external_id": name})
        _refund, created = add_refund(
            purchase=purchase, external_id="1", amount_minor=1, occurred_at=at, at=at
        )
        assert created


def test_activity_windows_are_half_open(body: dict[str, Any], member: Member) -> None:
    on = date(2026, 3, 14)
    for age in (0, 1, 30, 31, 90, 91, 365, 366):
        day = datetime(2026, 3, 13, 17, tzinfo=UTC) - timedelta(days=age)
        add_purchase(
            **{
                **body,
                "external_id": f"age-{age}",
                "occurred_at": day,
                "amount_minor": 10**age % 97,
            }
        )
    amount = {age: 10**age % 97 for age in (1, 30, 31, 90, 91, 365)}
    assert get_activity(member_id=member.pk, on=on) == Activity(
        spend_30=amount[1] + amount[30],
        spend_90=amount[1] + amount[30] + amount[31] + amount[90],
        spend_365=sum(amount.values()),
        orders_30=2,
        orders_90=4,
        orders_365=6,
        first_on=on - timedelta(days=366),
        last_on=on - timedelta(days=1),
    )
    assert get_activity(member_id=member.pk, on=date(2020, 1, 1)) == Activity()
    assert get_activity(member_id=0, on=on) == Activity()


def test_fully_refunded_purchases_do_not_count_as_activity(
    body: dict[str, Any], member: Member, at: datetime
) -> None:
    purchase, _created = add_purchase(**body)
    add_refund(purchase=purchase, external_id="R", amount_minor=1999, occurred_at=at, at=at)
    assert get_activity(member_id=member.pk, on=date(2026, 3, 15)) == Activity()


def test_lists_of_purchases_page_on(body: dict[str, Any], member: Member) -> None:
    for number in range(5):
        # Two and two share an instant.
        moment = body["occurred_at"] - timedelta(hours=number // 2)
        add_purchase(**{**body, "external_id": f"P-{number}", "occurred_at": moment})
    first = list_purchases(member_id=member.pk, limit=3)
    last = first[-1]
    rest = list_purchases(member_id=member.pk, after=(last.occurred_at, last.pk), limit=3)
    names = [purchase.external_id for purchase in [*first, *rest]]
    assert names == ["P-1", "P-0", "P-3", "P-2", "P-4"]


def test_events_are_recorded_once(member: Member, at: datetime) -> None:
    facts = {"member": member, "name": "visit", "occurred_at": at, "at": at}
    event, created = record_event(**facts, external_id="E-1", properties={"page": "首页"})
    assert created
    again, created = record_event(**facts, external_id="E-1", properties={"page": "首页"})
    assert (created, again.pk) == (False, event.pk)
    with pytest.raises(DuplicateEventError):
        record_event(**facts, external_id="E-1", properties={"page": "x"})
    record_event(**facts)
    record_event(**facts)
    assert ActivityEvent.objects.count() == 3


@pytest.mark.parametrize(
    "properties", [{"a": float("nan")}, {"a": "\0"}, {"a": "x" * 9000}, {"a": {1, 2}}, [1], {"a": "\ud800"}]
)  # fmt: skip
def test_events_with_properties_that_can_not_be(
    member: Member, at: datetime, properties: Any
) -> None:
    with pytest.raises(DomainError) as refused:
        record_event(member=member, name="visit", occurred_at=at, at=at, properties=properties)
    assert refused.value.data["pointer"] == "/properties"
    assert not ActivityEvent.objects.exists()


def test_stores_are_listed_and_changed(brand: Brand, at: datetime) -> None:
    put_store(code="SH-01", name="上海一店", region="华东", by=SYSTEM, at=at)
    store = put_store(code="SH-01", name="上海旗舰店", by=SYSTEM, at=at)
    assert (store.name, store.region) == ("上海旗舰店", "")


@pytest.mark.parametrize("table", ["members_purchaseline", "members_refund", "members_activityevent"])  # fmt: skip
@pytest.mark.parametrize("statement", ["UPDATE {} SET id = id", "DELETE FROM {}", "TRUNCATE {}"])
def test_append_only_tables_refuse_change(brand: Brand, table: str, statement: str) -> None:
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement.format(table))


def test_checks_find_what_does_not_add_up(body: dict[str, Any], member: Member) -> None:
    purchase, _created = add_purchase(**body)
    MemberDay.objects.filter(member=member).update(spend_minor=2000)
    assert broken() == [f"member {member.pk} on 2026-03-14: day differs from its purchases"]
    MemberDay.objects.filter(member=member).update(spend_minor=1999)
    Purchase.objects.filter(pk=purchase.pk).update(refunded_minor=1)
    MemberDay.objects.filter(member=member).update(refunded_minor=1)
    assert broken() == [f"purchase {purchase.pk}: refunds sum to 0, not 1"]
