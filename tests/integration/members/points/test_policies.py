"""Rules of a wallet: caps, inactivity, what members may choose to spend, recovery."""

import uuid
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.actors import SYSTEM
from core.errors import InvalidError
from members.points import operations as points
from members.points import queries
from members.points.errors import InsufficientPointsError, KeyReusedError, SpendRuleError
from members.points.expiry import good_until
from members.points.models import WHILE_ACTIVE, Account, Entry, ExpiryNotice, Wallet
from tenants.audit.models import AuditEntry
from tenants.brands.models import Brand
from tenants.events.models import Event
from tenants.jobs.operations import enqueue, run_pending
from tests.integration.members.points.conftest import OWNER, SOURCE, Ledger

MAY = date(2026, 5, 31)
DAY = timedelta(days=1)


# --- caps ----------------------------------------------------------------------------------------


def test_a_credit_is_cut_at_the_cap_and_says_so(ledger: Ledger) -> None:
    ledger.rules(earn_cap_day=100, earn_cap_month=150)
    assert (ledger.earn(70, MAY).delta, ledger.earn(50, MAY).delta) == (70, 30)
    key = uuid.uuid4()
    none = ledger.earn(5, MAY, key=key)
    assert (none.delta, none.shortfall, none.balance) == (0, 5, 100)
    assert ledger.earn(5, MAY, key=key).replayed
    with pytest.raises(KeyReusedError):
        ledger.earn(6, MAY, key=key)
    assert ledger.lots == [(MAY, 1, 70), (MAY, 2, 30)]
    tomorrow = ledger.at + DAY
    assert ledger.earn(80, MAY, at=tomorrow).delta == 50  # the month's cap
    assert [entry.cause for entry in queries.list_entries(owner_id=OWNER)] == [
        {"cut": {"cap": "month", "limit": 150, "asked": 80, "again_on": "2026-04-01"}},
        {"cut": {"cap": "day", "limit": 100, "asked": 5, "again_on": "2026-03-16"}},
        {"cut": {"cap": "day", "limit": 100, "asked": 50, "again_on": "2026-03-16"}},
        None,
    ]
    april = datetime.fromisoformat("2026-04-01T00:00:00+08:00")
    assert ledger.earn(100, MAY, at=april).delta == 100


def test_the_last_second_of_a_day_counts_for_that_day(ledger: Ledger) -> None:
    ledger.rules(earn_cap_day=10)
    last = datetime.fromisoformat("2026-03-15T23:59:59.999+08:00")
    assert ledger.earn(10, MAY, at=last).delta == 10
    assert ledger.earn(10, MAY, at=last).delta == 0
    assert ledger.earn(10, MAY, at=last + timedelta(milliseconds=1)).delta == 10


def test_a_policy_of_refusing_credits_nothing_that_does_not_fit(ledger: Ledger) -> None:
    ledger.rules(balance_cap=100, cap_policy="refuse")
    ledger.earn(60, MAY)
    refused = ledger.earn(41, MAY)
    assert (refused.delta, refused.shortfall) == (0, 41)
    assert ledger.earn(40, MAY).balance == 100
    ledger.hold(30)
    assert ledger.earn(1, MAY).delta == 0  # what is held still counts
    ledger.redeem(20)
    assert ledger.earn(20, MAY).delta == 20


def test_corrections_and_points_given_back_meet_no_cap(ledger: Ledger) -> None:
    ledger.rules(balance_cap=10, earn_cap_day=10)
    ledger.earn(10, MAY)
    spent = ledger.redeem(10)
    ledger.earn(10, MAY)
    assert ledger.account.balance == 0  # the day's cap
    points.adjust(
        owner_id=OWNER, amount=15, reason="Goodwill", key=uuid.uuid4(), by=SYSTEM, at=ledger.at
    )
    assert ledger.reverse(spent).balance == 25


def test_taking_back_a_cut_credit_begins_with_what_was_cut(ledger: Ledger) -> None:
    ledger.rules(earn_cap_day=60)
    credit = ledger.earn(100, MAY)
    half = ledger.reverse(credit, amount=50)  # half of the purchase would have earned 50
    assert (half.delta, half.shortfall, half.balance) == (-10, 40, 50)
    rest = ledger.reverse(credit)
    assert (rest.delta, rest.shortfall, rest.balance) == (-50, 0, 0)


def test_many_credits_meet_caps_like_one_by_one(ledger: Ledger) -> None:
    ledger.rules(earn_cap_day=100)
    keys = [uuid.uuid4() for _ in range(3)]
    rows = [
        points.EarnRow(owner_id=OWNER, amount=60, key=key, at=ledger.at, source=SOURCE)
        for key in keys
    ]
    assert points.earn_many(rows=rows) == points.EarnedMany(posted=3, replayed=0, points=100)
    assert points.earn_many(rows=rows).replayed == 3
    assert [e.delta for e in queries.list_entries(owner_id=OWNER)] == [0, 40, 60]


# --- inactivity ----------------------------------------------------------------------------------


@pytest.fixture
def idle(ledger: Ledger) -> Ledger:
    """Return a ledger whose points lapse after three months without activity."""
    ledger.rules(expiry_policy="inactivity", expiry_months=3)
    return ledger


def test_any_activity_extends_all_points(idle: Ledger) -> None:
    idle.earn(100)
    assert idle.account.good_until == date(2026, 6, 15)
    acts: list[Any] = [
        lambda at: idle.redeem(1, at=at),
        lambda at: idle.hold(1, at=at),
        lambda at: idle.earn(1, at=at),
        lambda at: idle.earn(1, MAY, at=at),
        lambda at: points.note_activity(owner_ids=[OWNER], on=at.date()),
    ]
    for number, act in enumerate(acts, 1):
        act(idle.at + number * DAY)
        assert idle.account.good_until == date(2026, 6, 15) + number * DAY


def test_what_is_no_activity_does_not_extend(idle: Ledger) -> None:
    credit = idle.earn(100)
    later = idle.at + 10 * DAY
    spent = idle.redeem(10)
    idle.reverse(spent, at=later)
    idle.reverse(credit, amount=5, at=later)
    points.adjust(owner_id=OWNER, amount=5, reason="Sorry", key=uuid.uuid4(), by=SYSTEM, at=later)
    with pytest.raises(InsufficientPointsError):
        idle.redeem(1000, at=later)
    key = uuid.uuid4()
    idle.redeem(1, key=key)
    assert idle.redeem(1, key=key, at=later).replayed
    assert idle.account.good_until == date(2026, 6, 15)


def test_idle_points_are_gone_at_midnight_before_any_job_has_run(idle: Ledger) -> None:
    idle.earn(100)
    idle.earn(7, date(2027, 1, 31))
    last = datetime.fromisoformat("2026-06-15T23:59:59+08:00")
    assert queries.get_balance(owner_id=OWNER, at=last).available == 107
    after = last + timedelta(seconds=1)
    balance = queries.get_balance(owner_id=OWNER, at=after)
    assert (balance.available, balance.expiring_30d) == (7, 0)
    before = idle.snapshot()
    with pytest.raises(InsufficientPointsError) as caught:
        idle.redeem(8, at=after)
    assert caught.value.data == {"missing": 1}
    assert idle.snapshot() == before
    assert idle.redeem(7, at=after).delta == -7


def test_the_night_takes_idle_points_once_and_says_why(idle: Ledger) -> None:
    idle.earn(100)
    idle.earn(7, date(2027, 1, 31))
    night = datetime.fromisoformat("2026-06-16T00:20:00+08:00")
    for number, result in enumerate(
        ({"accounts": 1, "lots": 1, "points": 100}, *[{"accounts": 0, "lots": 0, "points": 0}] * 2)
    ):
        job = enqueue(kind="points.expire", dedupe_key=f"n{number}", by=SYSTEM, at=night)
        run_pending(at=night)
        job.refresh_from_db()
        assert (job.state, job.result) == ("done", result), job.error
    entry = Entry.objects.get(kind=Entry.Kind.EXPIRE)
    assert entry.cause == {"idle_until": "2026-06-15", "months": 3}
    assert (idle.account.balance, idle.account.good_until) == (7, None)


def test_new_points_do_not_bring_idle_ones_back(idle: Ledger) -> None:
    idle.earn(100)
    late = idle.at + 120 * DAY
    credit = idle.earn(5, at=late)
    assert (credit.seq, credit.balance) == (3, 5)
    assert [e.kind for e in queries.list_entries(owner_id=OWNER)] == [
        Entry.Kind.EARN, Entry.Kind.EXPIRE, Entry.Kind.EARN,
    ]  # fmt: skip
    assert idle.account.good_until == date(2026, 10, 13)


def test_a_late_purchase_counts_on_its_own_day(idle: Ledger) -> None:
    idle.earn(100)
    bought = datetime.fromisoformat("2026-06-14T12:00:00+08:00")  # arrives after midnight of 15
    idle.earn(5, at=bought, earned_on=bought.date())
    assert (idle.account.balance, idle.account.good_until) == (105, date(2026, 9, 14))


def test_a_changed_rule_keeps_its_promise_to_earlier_points(idle: Ledger) -> None:
    idle.earn(100)
    idle.rules(expiry_policy="none", expiry_months=0)
    idle.redeem(1, at=idle.at + DAY)
    assert idle.account.good_until == date(2026, 6, 16)


@given(
    active_on=st.dates(date(2000, 1, 1), date(2090, 1, 1)),
    months=st.integers(1, 600),
)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_both_languages_agree_until_when(ledger: Ledger, active_on: date, months: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT points_good_until(%s, %s, %s)", [active_on, months, active_on])
        assert cursor.fetchone() == (good_until(active_on=active_on, months=months),)


# --- notices -------------------------------------------------------------------------------------


def test_members_are_told_once_of_each_last_day(ledger: Ledger) -> None:
    ledger.rules(expiring_notice_days=20)
    ledger.earn(30, date(2026, 3, 31))
    ledger.earn(5, date(2026, 3, 31), available_at=ledger.at + 5 * DAY)
    ledger.earn(9, date(2026, 4, 4))
    ledger.earn(8, date(2026, 4, 5))
    for _ in range(3):
        job = enqueue(kind="points.tell_expiring", dedupe_key=str(_), by=SYSTEM, at=ledger.at)
        run_pending(at=ledger.at)
        job.refresh_from_db()
        assert job.result == {"notices": 2 if _ == 0 else 0}, job.error
    told = Event.objects.filter(type="points.expiring").order_by("id")
    assert [(event.subject, event.data) for event in told] == [
        (f"member:{OWNER}", {"wallet": "points", "points": points, "last_day": day,
                             "by_inactivity": False})
        for points, day in ((35, "2026-03-31"), (9, "2026-04-04"))
    ]  # fmt: skip
    assert points.notify_chunk(at=ledger.at + DAY) == 1
    ledger.rules(expiring_notice_days=0)
    assert points.notify_chunk(at=ledger.at + 3 * DAY) == 0


def test_members_are_told_before_points_lapse_and_again_when_the_day_has_moved(
    idle: Ledger,
) -> None:
    idle.earn(100)
    soon = idle.at + 80 * DAY
    assert points.notify_chunk(at=soon) == 1
    idle.redeem(1, at=soon)
    assert points.notify_chunk(at=soon) == 0
    assert points.notify_chunk(at=soon + 65 * DAY) == 1
    assert list(ExpiryNotice.objects.order_by("pk").values_list("expires_on", "points")) == [
        (date(2026, 6, 15), 100),
        (date(2026, 9, 3), 99),
    ]


# --- chosen numbers ------------------------------------------------------------------------------


def test_members_spend_from_a_minimum_in_steps(ledger: Ledger) -> None:
    ledger.earn(1000, MAY)
    ledger.rules(spend_min=150, spend_step=100)
    for amount, facts in (
        (50, {"minimum": 200, "step": 100, "nearest": 200}),
        (150, {"minimum": 200, "step": 100, "nearest": 200}),
        (350, {"minimum": 200, "step": 100, "nearest": 300}),
    ):
        with pytest.raises(SpendRuleError) as caught:
            points.spend(
                owner_id=OWNER, amount=amount, key=uuid.uuid4(), at=ledger.at, source=SOURCE
            )
        assert caught.value.data == {**facts, "pointer": "/amount"}
    assert ledger.account.seq == 1
    done = points.spend(owner_id=OWNER, amount=300, key=uuid.uuid4(), at=ledger.at, source=SOURCE)
    assert done.balance == 700
    assert ledger.redeem(55).balance == 645  # a price is not the member's choice


# --- recovery ------------------------------------------------------------------------------------


def test_later_credits_pay_what_could_not_be_taken_back(ledger: Ledger) -> None:
    ledger.rules(recover_percent=40)
    credit = ledger.earn(100, MAY)
    ledger.redeem(90)
    taken = ledger.reverse(credit)
    assert (taken.delta, taken.shortfall, taken.balance) == (-10, 90, 0)
    assert ledger.account.owed == 90
    assert ledger.earn(50, MAY).balance == 50  # right after its own entry
    assert (ledger.account.balance, ledger.account.owed) == (30, 70)
    recovered = queries.list_entries(owner_id=OWNER)[0]
    assert (recovered.kind, recovered.delta, recovered.source_id) == (Entry.Kind.RECOVER, -20, 4)
    ledger.earn(1, MAY)
    assert (ledger.account.balance, ledger.account.owed) == (30, 69)  # one at least
    ledger.earn(1000, MAY, available_at=ledger.at + DAY)
    assert (ledger.account.balance, ledger.account.pending, ledger.account.owed) == (961, 931, 0)


def test_expired_points_are_not_owed(ledger: Ledger) -> None:
    ledger.rules(recover_percent=100)
    credit = ledger.earn(100, date(2026, 3, 20))
    ledger.redeem(30)
    later = ledger.at + 10 * DAY
    points.expire_chunk(at=later)
    taken = ledger.reverse(credit, at=later)
    assert (taken.delta, taken.shortfall, ledger.account.owed) == (0, 100, 30)


@pytest.mark.parametrize(
    "rules",
    [
        {},
        {"may_go_negative": True},
        {"recover_percent": 100},
        {"earn_cap_day": 120, "recover_percent": 30},
    ],
    ids=["write_off", "debt", "recover", "capped"],
)
@given(data=st.data())
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_refunds_in_any_order_end_at_the_same_balance(
    brand: Brand, at: datetime, rules: dict[str, Any], data: st.DataObject
) -> None:
    with transaction.atomic():
        points.open_accounts(owner_id=OWNER, at=at)
        ledger = Ledger(at, brand.schema_name)
        ledger.rules(**rules)
        credits_ = [
            ledger.earn(amount, MAY + number * DAY)
            for number, amount in enumerate(
                data.draw(st.lists(st.integers(1, 60), min_size=1, max_size=4))
            )
        ]
        spent = data.draw(st.integers(0, ledger.account.balance))
        spendings = [ledger.redeem(spent)] if spent else []
        refunds: list[tuple[points.Posting, int]] = []
        for credit in credits_:
            left = credit.delta + credit.shortfall
            while left and data.draw(st.booleans()):
                part = data.draw(st.integers(1, left))
                refunds.append((credit, part))
                left -= part
        if rules.get("may_go_negative") or rules.get("recover_percent") == 100:
            # Only then points given back pay what an earlier refund could not take.
            refunds += [(spending, 1 + spent // 2) for spending in spendings if spent > 1]
        orders = [refunds, data.draw(st.permutations(refunds))]
        ends = []
        for order in orders:
            mark = transaction.savepoint()
            for entry, part in order:
                ledger.reverse(entry, amount=part)
            account = ledger.account
            ends.append((account.balance, account.owed))
            transaction.savepoint_rollback(mark)
        assert ends[0] == ends[1]
        transaction.set_rollback(True)


# --- wallets -------------------------------------------------------------------------------------


def test_a_new_wallet_has_rules_and_everybody_has_an_account_in_it(ledger: Ledger) -> None:
    points.open_accounts(owner_id=8, at=ledger.at)
    wallet = points.create_wallet(
        code="stars", name="Stars", by=SYSTEM, at=ledger.at, expiry_policy="months",
        expiry_months=6, balance_cap=50,
    )  # fmt: skip
    assert (wallet.pk, wallet.expiry_months, wallet.balance_cap) == (3, 6, 50)
    assert sorted(Account.objects.filter(wallet=wallet).values_list("owner_id", flat=True)) == [
        OWNER, 8,
    ]  # fmt: skip
    points.open_accounts(owner_id=9, at=ledger.at)
    assert Account.objects.filter(wallet=wallet).count() == 3
    assert ledger.earn(60, wallet="stars").delta == 50
    assert ledger.account.balance == 0
    assert AuditEntry.objects.get(action="wallet.created").changes["balance_cap"] == [None, 50]
    with pytest.raises(InvalidError):
        points.create_wallet(code="stars", name="Again", by=SYSTEM, at=ledger.at)
    assert Wallet.objects.count() == 3


def test_accounts_of_a_large_brand_are_opened_by_a_job(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    points.open_accounts_for(owner_ids=range(100, 110), at=ledger.at)
    monkeypatch.setattr("members.points.operations.wallets.OPENED_AT_ONCE", 4)
    points.create_wallet(code="stars", name="Stars", by=SYSTEM, at=ledger.at)
    assert Account.objects.filter(wallet__code="stars").count() == 4
    run_pending(at=ledger.at)
    assert Account.objects.filter(wallet__code="stars").count() == 11


@pytest.mark.parametrize(
    ("rules", "place"),
    [
        ({"expiry_policy": "inactivity", "expiry_months": 0}, "/expiry_months"),
        ({"expiry_policy": "months", "expiry_months": 601}, "/expiry_months"),
        ({"recover_percent": 101}, "/recover_percent"),
        ({"recover_percent": 1, "may_go_negative": True}, "/recover_percent"),
        ({"spend_step": 0}, "/spend_step"),
        ({"transfer_min": 0}, "/transfer_min"),
        ({"cap_policy": "sometimes"}, "/cap_policy"),
        ({"earn_cap_day": -1}, "/earn_cap_day"),
        ({"code": "x"}, "/code"),
    ],
)
def test_rules_that_make_no_sense_are_refused_by_place(
    ledger: Ledger, rules: dict[str, Any], place: str
) -> None:
    before = Wallet.objects.values().get(code="points")
    with pytest.raises(InvalidError) as caught:
        points.change_wallet(wallet="points", by=SYSTEM, at=ledger.at, **rules)
    assert caught.value.data["pointer"] == place
    assert Wallet.objects.values().get(code="points") == before


def test_lots_that_last_while_active_sort_before_those_that_last_for_ever(idle: Ledger) -> None:
    idle.earn(5)
    idle.rules(expiry_policy="none", expiry_months=0)
    idle.earn(6)
    idle.earn(7, MAY)
    assert [(lot.expires_on, lot.is_by_inactivity) for lot in queries.list_lots(owner_id=OWNER)] == [
        (MAY, False), (date(2026, 6, 15), True), (None, False),
    ]  # fmt: skip
    assert idle.redeem(8).delta == -8
    assert [(day, left) for day, _, left in idle.lots] == [
        (MAY, 0), (WHILE_ACTIVE, 4), (date(9999, 12, 31), 6),
    ]  # fmt: skip
