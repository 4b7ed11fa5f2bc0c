"""Two members become one: everything follows, every key leads there, and all of it goes back."""

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from django.db import DatabaseError, transaction

from benefits.grants.models import Grant, Redemption
from benefits.grants.operations import cancel
from benefits.insights.facts import compute_month
from benefits.mall.models import MallOrder
from config.invariants import check_brand
from core.actors import SYSTEM, Actor
from core.errors import InvalidError
from members.activity.errors import DuplicatePurchaseError
from members.activity.models import ActivityEvent, MemberDay, Purchase
from members.activity.operations import record_event
from members.earning.models import Earning
from members.earning.operations import record_purchase, record_refund
from members.merging import operations as merging
from members.merging.errors import (
    AlreadyUndoneError,
    LaterMergeError,
    MergeNotFoundError,
    NotMergeableError,
    SameMemberError,
    SurvivorErasedError,
    UndoTooLateError,
)
from members.merging.models import MemberMerge
from members.points.models import Account
from members.points.queries import get_balance
from members.profiles.erasure_operations import erase_member
from members.profiles.models import Member, MemberPersonal
from members.profiles.operations import block_member, enrol, put_member, update_profile
from members.profiles.queries import count_members, get_member, is_sign_in_address, member_ids
from members.segments.operations import recompute_scores
from members.tiers.models import TierChange
from tenants.audit.models import AuditEntry
from tenants.brands.models import Brand
from tenants.events.models import Event
from tenants.events.operations import deliver_pending
from tenants.jobs.operations import run_pending
from tests.integration.benefits.world import World
from tests.integration.members.earning.world import AT, TODAY, buy, moment, rule
from tests.integration.members.tiers.world import make_scheme

STAFF = Actor(kind="staff", id=7, label="Kim")
YESTERDAY = TODAY - timedelta(days=1)


def merge(stays: Member, goes: Member, **given: Any) -> MemberMerge:
    return merging.merge_members(
        **{"survivor": stays, "merged": goes, "reason": "same card", "by": STAFF, "at": AT, **given}
    )


def undo(made: MemberMerge, *, at: datetime = AT) -> MemberMerge:
    return merging.undo_merge(merge_id=made.pk, reason="two sisters", by=STAFF, at=at)


def wrong() -> dict[str, list[str]]:
    """Run all checks but those of work that waits for its worker."""
    return {
        name: found
        for name, found in check_brand()
        if found and not name.startswith(("events: ", "jobs: "))
    }


@pytest.fixture
def world(brand: Brand) -> World:
    return World(AT)


@pytest.fixture
def pair(world: World) -> tuple[Member, Member]:
    """Return two members who have done all that members do."""
    rule()
    benefit = world.benefit()
    item = world.item(points=20, kind="physical")
    members = []
    for number, spend in ((1, 50_000), (2, 30_000)):
        member = world.member(name=f"Li Lei {number}", email=f"li{number}@example.com")
        buy(member, spend, on=YESTERDAY, key=f"order-{number}")
        buy(member, 1_000, on=date(2026, 3, 1), key=f"small-{number}")
        record_event(
            member=member, name="visit", occurred_at=AT, at=AT, external_id=f"visit-{number}"
        )
        world.redeem(member, world.grant(member, benefit, quantity=2, period_key="2026-03"))
        world.order(member, item)
        members.append(member)
    return members[0], members[1]


def owned(member: Member) -> dict[str, Any]:
    """Return all that is a member's, row by row, but the journal of points."""
    mine = {"member_id": member.pk}
    account = Account.objects.filter(owner_id=member.pk)
    return {
        "purchases": list(Purchase.objects.filter(**mine).order_by("pk").values_list()),
        "days": list(MemberDay.objects.filter(**mine).order_by("on_date").values_list()),
        "events": list(ActivityEvent.objects.filter(**mine).order_by("pk").values_list()),
        "earnings": list(Earning.objects.filter(**mine).order_by("purchase_id").values_list()),
        "grants": list(Grant.objects.filter(**mine).order_by("pk").values_list()),
        "redemptions": list(Redemption.objects.filter(**mine).order_by("pk").values_list()),
        "orders": list(MallOrder.objects.filter(**mine).order_by("pk").values_list()),
        "balances": list(
            account.order_by("wallet").values_list("wallet", "balance", "pending", "held")
        ),
        "member": Member.objects.filter(pk=member.pk).values_list().get(),
    }


def test_everything_follows_and_goes_back(pair: tuple[Member, Member]) -> None:
    stays, goes = pair
    before = owned(stays), owned(goes)
    made = merge(stays, goes)
    assert wrong() == {}
    after = owned(stays)
    assert [len(after[name]) for name in ("purchases", "events", "grants", "redemptions")] == [
        4, 2, 2, 2,
    ]  # fmt: skip
    assert [(day[1], day[2], day[3]) for day in after["days"]] == [
        (date(2026, 3, 1), 2, 2_000),
        (YESTERDAY, 2, 80_000),
    ]
    assert len(after["orders"]) == 2
    left = owned(goes)
    assert [name for name in left if left[name] and name not in {"balances", "member"}] == []
    balance = get_balance(owner_id=stays.pk, at=AT)
    assert (balance.available, balance.held) == (820 - 40, 40)
    assert get_balance(owner_id=stays.pk, at=AT, wallet="growth").available == 820
    undo(made)
    assert (owned(stays), owned(goes)) == before
    assert wrong() == {}


def test_both_rights_of_one_period_are_kept(pair: tuple[Member, Member]) -> None:
    stays, goes = pair
    made = merge(stays, goes)
    keys = Grant.objects.filter(member=stays).order_by("pk").values_list("period_key", flat=True)
    assert list(keys) == ["2026-03", f"2026-03~{made.pk}"]


def test_every_key_leads_to_the_survivor(pair: tuple[Member, Member]) -> None:
    stays, goes = pair
    merge(stays, goes)
    assert get_member(number=str(goes.number)).pk == stays.pk
    assert get_member(external_id=goes.external_id).pk == stays.pk
    assert get_member(id=goes.pk).pk == stays.pk
    assert member_ids(external_ids=[goes.external_id]) == {goes.external_id: stays.pk}
    assert is_sign_in_address("li2@example.com")
    assert count_members() == 1
    changed, created = put_member(
        external_id=goes.external_id,
        by=STAFF,
        at=AT,
        fields={"email": "li2@example.com", "region": "south"},
    )
    assert (changed.pk, created) == (stays.pk, False)
    stays.refresh_from_db()
    assert (stays.region, stays.personal.email) == ("south", "li1@example.com")


def test_the_same_purchase_again_is_the_same_purchase(pair: tuple[Member, Member]) -> None:
    stays, goes = pair
    made = merge(stays, goes)

    def send(external_id: str) -> bool:
        return record_purchase(
            external_id="order-2", member=get_member(external_id=external_id),
            occurred_at=moment(YESTERDAY), amount_minor=30_000, currency="CNY", by=SYSTEM, at=AT,
        ).created  # fmt: skip

    assert send(goes.external_id) is False
    with pytest.raises(DuplicatePurchaseError):
        send(stays.external_id)
    undo(made)
    assert send(goes.external_id) is False


def test_new_purchases_under_the_old_key_are_the_survivors(pair: tuple[Member, Member]) -> None:
    stays, goes = pair
    made = merge(stays, goes)
    bought = buy(get_member(external_id=goes.external_id), 700)
    assert bought.purchase.member_id == stays.pk
    undo(made)  # nothing tells it apart
    assert Purchase.objects.get(pk=bought.purchase.pk).member_id == stays.pk
    assert wrong() == {}


def test_a_refund_after_the_merge_takes_from_the_survivor(pair: tuple[Member, Member]) -> None:
    stays, goes = pair
    made = merge(stays, goes)
    outcome = record_refund(
        purchase_external_id="order-2", external_id="r", amount_minor=30_000, occurred_at=AT,
        by=SYSTEM, at=AT,
    )  # fmt: skip
    assert (outcome.points, outcome.growth, outcome.shortfall) == (300, 300, 0)
    assert get_balance(owner_id=stays.pk, at=AT).available == 480
    assert get_balance(owner_id=stays.pk, at=AT, wallet="growth").available == 520
    assert wrong() == {}
    undo(made)
    assert get_balance(owner_id=goes.pk, at=AT, wallet="growth").available == 10
    assert get_balance(owner_id=stays.pk, at=AT, wallet="growth").available == 510
    assert wrong() == {}


def test_a_use_of_a_right_that_moved_goes_back_with_it(
    pair: tuple[Member, Member], world: World
) -> None:
    stays, goes = pair
    grant = Grant.objects.get(member=goes)
    made = merge(stays, goes)
    used = world.redeem(get_member(number=str(goes.number)), grant)
    assert used.member_id == stays.pk
    undo(made)
    used.refresh_from_db()
    assert used.member_id == goes.pk
    cancel(redemption=used, reason="", by=STAFF, at=AT)
    assert wrong() == {}


def test_what_both_bought_raises_the_tier(world: World) -> None:
    rule()
    make_scheme()
    stays, goes = world.member(), world.member()
    buy(stays, 40_000, on=date(2026, 2, 1))
    buy(goes, 40_000, on=date(2026, 3, 1))
    made = merge(stays, goes)
    change = TierChange.objects.filter(member=stays).latest("pk")
    assert (change.member_id, change.cause, change.metric_value) == (stays.pk, "merge", 800)
    assert wrong() == {}
    recompute_scores(on=TODAY, at=AT)
    undo(made)
    assert wrong() == {}


def test_a_line_of_merges_is_undone_last_first(world: World) -> None:
    first, second, third = (world.member() for _ in range(3))
    one = merge(second, first)
    two = merge(third, second)
    assert get_member(id=first.pk).pk == third.pk
    with pytest.raises(LaterMergeError) as error:
        undo(one)
    assert error.value.data == {"merge": two.pk}
    undo(two)
    assert get_member(id=first.pk).pk == second.pk
    undo(one)
    assert get_member(id=first.pk).pk == first.pk
    assert wrong() == {}


def test_what_can_not_be_merged(pair: tuple[Member, Member], world: World) -> None:
    stays, goes = pair
    before = owned(stays), owned(goes)
    with pytest.raises(SameMemberError):
        merge(stays, stays)
    with pytest.raises(InvalidError):
        merge(stays, goes, reason="  ")
    other = world.member()
    made = merge(other, world.member())
    with pytest.raises(NotMergeableError) as error:
        merge(stays, Member.objects.get(pk=made.merged_id))
    assert error.value.data["member"] == made.merged.number
    Member.objects.filter(pk=other.pk).update(status="erased")
    with pytest.raises(NotMergeableError):
        merge(other, goes)
    assert (owned(stays), owned(goes)) == before


def test_what_can_not_be_undone(pair: tuple[Member, Member]) -> None:
    made = merge(*pair)
    assert made.undo_until == AT + timedelta(days=30)
    with pytest.raises(MergeNotFoundError):
        merging.undo_merge(merge_id=0, reason="x", by=STAFF, at=AT)
    with pytest.raises(UndoTooLateError) as error:
        undo(made, at=AT + timedelta(days=30, microseconds=1))
    assert error.value.data == {"undo_until": made.undo_until.isoformat()}
    undo(made, at=made.undo_until)
    with pytest.raises(AlreadyUndoneError):
        undo(made)


def test_a_blocked_member_is_blocked_again(pair: tuple[Member, Member]) -> None:
    stays, goes = pair
    block_member(member=goes, reason="x", by=STAFF, at=AT)
    undo(merge(stays, goes))
    assert Member.objects.get(pk=goes.pk).status == "blocked"


def test_it_is_told(pair: tuple[Member, Member]) -> None:
    stays, goes = pair
    undo(merge(stays, goes))
    events = Event.objects.filter(type__in=["member.merged", "member.unmerged"]).order_by("pk")
    assert [(event.type, event.subject) for event in events] == [
        ("member.merged", f"member:{stays.pk}"),
        ("member.unmerged", f"member:{stays.pk}"),
    ]
    assert events[0].data["merged"] == goes.external_id
    assert "reason" not in events[0].data
    audit = AuditEntry.objects.filter(action__startswith="member.", target_id=str(goes.pk))
    assert set(audit.values_list("action", "reason")) >= {
        ("member.merged", "same card"),
        ("member.unmerged", "two sisters"),
    }


def test_what_was_written_late_follows(pair: tuple[Member, Member], world: World) -> None:
    stays, goes = pair
    stale = Member.objects.get(pk=goes.pk)
    made = merge(stays, goes)
    bought = buy(stale, 900, key="late")
    assert bought.purchase.member_id == goes.pk
    assert "merging: merging.left" in wrong()
    for _ in range(3):
        run_pending(at=AT + timedelta(minutes=1))
    assert Purchase.objects.get(external_id="late").member_id == stays.pk
    assert wrong() == {}
    undo(made)
    assert Purchase.objects.get(external_id="late").member_id == goes.pk
    assert wrong() == {}


def test_events_move_only_along_a_merge(pair: tuple[Member, Member]) -> None:
    stays, goes = pair
    event = ActivityEvent.objects.filter(member=goes)
    with pytest.raises(DatabaseError, match="may only follow a merge"), transaction.atomic():
        event.update(member=stays)
    with pytest.raises(DatabaseError, match="append"), transaction.atomic():
        event.update(name="another")


def test_facts_of_past_months_are_counted_anew(pair: tuple[Member, Member]) -> None:
    last_month = AT - timedelta(days=20)
    for member in pair:
        buy(member, 2_000, on=last_month.date())
    compute_month(day=last_month.date(), at=AT)
    merge(*pair)
    assert any("I15" in name for name in wrong())
    while deliver_pending(at=AT):
        pass
    run_pending(at=AT + timedelta(hours=1))
    assert wrong() == {}


def test_an_erasure_takes_the_merged_profile_along(world: World) -> None:
    stays, goes = world.member(name="Han Meimei"), world.member(name="Han Mei Mei")
    made = merge(stays, goes)
    erase_member(member=stays, confirm=str(stays.number), by=STAFF, at=AT)
    while deliver_pending(at=AT):
        pass
    goes.refresh_from_db()
    assert goes.status == "erased"
    assert not MemberPersonal.objects.filter(member__in=[stays, goes]).exists()
    with pytest.raises(SurvivorErasedError):
        undo(made)


def test_the_survivor_may_take_a_free_address(pair: tuple[Member, Member]) -> None:
    stays, goes = pair
    merge(stays, goes)
    update_profile(member=stays, by=STAFF, at=AT, email="new@example.com")
    assert enrol(external_id="fresh", by=STAFF, at=AT, email="li1@example.com").pk
