"""What staff do about members, tiers and segments: the effect, the refusal, the doing it twice."""

import re
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any
from uuid import uuid4

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from benefits.grants.models import Grant
from core import clock
from core.actors import SYSTEM
from members.activity.models import Refund
from members.points.models import Entry
from members.points.queries import get_balance
from members.profiles.models import Member
from members.segments.models import SavedSegment
from members.segments.operations import save_segment
from members.tiers.models import TierScheme
from members.tiers.queries import list_scheme_tiers
from tenants.audit.models import AuditEntry
from tests.integration.console.members_world import MembersWorld
from tests.integration.console.pages import led_to

HTMX = {"HX-Request": "true", "HX-Target": "dlg"}


@pytest.fixture
def world(brand: Any, at: datetime) -> Iterator[MembersWorld]:
    """Return makers inside `brand`, with the clock set."""
    with clock.at(at):
        yield MembersWorld(at)


def url(name: str, *args: Any) -> str:
    return reverse(f"console:{name}", args=args)


def available(member: Member, at: datetime, wallet: str = "points") -> int:
    return get_balance(owner_id=member.pk, wallet=wallet, at=at).available


def assert_done(answer: HttpResponse, event: str) -> None:
    assert answer.status_code == 204, answer.content.decode()
    assert f'"{event}:changed"' in answer["HX-Trigger"]
    assert '"dialog:close"' in answer["HX-Trigger"]


def test_enrolling_leads_to_the_new_member(
    world: MembersWorld, staff_client: Callable[..., Client]
) -> None:
    answer = staff_client().post(
        url("enrol"),
        {"external_id": "shop-9", "name": "李梅", "email": "Mei@Example.com", "tags": "vip，tea"},
        headers=HTMX,
    )
    member = Member.objects.get(external_id="shop-9")
    assert led_to(answer) == url("member", member.number)
    assert (member.personal.name, member.personal.email) == ("李梅", "mei@example.com")
    assert member.tags == ["vip", "tea"]


def test_enrolling_a_known_address_is_refused_on_its_field(
    world: MembersWorld, staff_client: Callable[..., Client]
) -> None:
    world.member(email="mei@example.com")
    answer = staff_client().post(
        url("enrol"), {"external_id": "shop-9", "email": "mei@example.com"}, headers=HTMX
    )
    assert answer.status_code == 422
    assert answer.context["form"].errors["email"] == ["Another member has this e-mail address."]
    assert not Member.objects.filter(external_id="shop-9").exists()


def test_a_profile_is_changed_and_a_wrong_phone_is_not(
    world: MembersWorld, staff_client: Callable[..., Client]
) -> None:
    member = world.member(name="Ann", phone="+8613900000000")
    client = staff_client()
    fields = {
        "name": "Ann Li",
        "phone": "+8613900000001",
        "region": "south",
        "birthday": "1990-02-28",
    }
    assert_done(client.post(url("edit_member", member.number), fields, headers=HTMX), "member")
    changed = Member.objects.select_related("personal").get(pk=member.pk)
    assert (changed.personal.name, changed.region) == ("Ann Li", "south")
    assert changed.personal.phone == "+8613900000001"
    wrong = {**fields, "phone": "not a number", "name": "Bob"}
    answer = client.post(url("edit_member", member.number), wrong, headers=HTMX)
    assert answer.status_code == 422
    assert answer.context["form"].errors["phone"] == ["This is not a phone number."]
    again = Member.objects.select_related("personal").get(pk=member.pk)
    assert (again.personal.name, again.personal.phone) == ("Ann Li", "+8613900000001")


def test_a_block_and_its_end_are_in_the_audit_with_their_reasons(
    world: MembersWorld, staff_client: Callable[..., Client]
) -> None:
    member = world.member()
    client = staff_client()
    unsaid = client.post(url("block_member", member.number), {"reason": " "}, headers=HTMX)
    assert unsaid.status_code == 422
    member.refresh_from_db()
    assert member.status == "active"
    client.post(url("block_member", member.number), {"reason": "fraud"}, headers=HTMX)
    member.refresh_from_db()
    assert member.status == "blocked"
    client.post(url("unblock_member", member.number), {"reason": "mistake"}, headers=HTMX)
    member.refresh_from_db()
    assert member.status == "active"
    entries = AuditEntry.objects.filter(target_type="member", target_id=str(member.pk))
    assert list(entries.order_by("id").values_list("action", "reason"))[-2:] == [
        ("member.blocked", "fraud"),
        ("member.unblocked", "mistake"),
    ]


def test_points_are_adjusted_once_however_often_the_form_is_sent(
    world: MembersWorld, at: datetime, staff_client: Callable[..., Client]
) -> None:
    world.programme()
    member = world.buyer()
    client = staff_client("support")
    form = {
        "key": str(uuid4()), "wallet": "points", "direction": "add", "amount": "50",
        "reason": "Sorry",
    }  # fmt: skip
    for _ in range(2):
        assert_done(client.post(url("adjust_points", member.number), form, headers=HTMX), "member")
    assert available(member, at) == 650
    assert Entry.objects.filter(account__owner_id=member.pk, kind=Entry.Kind.ADJUST).count() == 1
    down = {**form, "key": str(uuid4()), "direction": "take", "amount": "150"}
    assert_done(client.post(url("adjust_points", member.number), down, headers=HTMX), "member")
    assert available(member, at) == 500
    entry = AuditEntry.objects.filter(action="points.adjusted").latest("id")
    assert (entry.reason, entry.actor_kind) == ("Sorry", "staff")


def test_taking_more_points_than_there_are_is_refused(
    world: MembersWorld, at: datetime, staff_client: Callable[..., Client]
) -> None:
    world.programme()
    member = world.buyer()
    form = {
        "key": str(uuid4()), "wallet": "points", "direction": "take", "amount": "601",
        "reason": "Fraud",
    }  # fmt: skip
    answer = staff_client().post(url("adjust_points", member.number), form, headers=HTMX)
    assert answer.status_code == 422
    assert "There are not enough points." in answer.content.decode()
    assert available(member, at) == 600
    assert not AuditEntry.objects.filter(action="points.adjusted").exists()


def test_a_refund_takes_back_what_the_purchase_earned(
    world: MembersWorld, at: datetime, staff_client: Callable[..., Client]
) -> None:
    world.programme()
    member, other = world.buyer(), world.buyer()
    purchase = member.purchases.get()
    address = f"{url('refund_purchase', member.number)}?purchase={purchase.external_id}"
    form = {"amount_minor": "200.00", "external_id": "r-1"}
    client = staff_client()
    for _ in range(2):
        assert_done(client.post(address, form, headers=HTMX), "member")
    assert (available(member, at), available(member, at, "growth")) == (400, 400)
    assert Refund.objects.filter(purchase=purchase).count() == 1
    too_much = client.post(address, {"amount_minor": "400.01", "external_id": "r-2"}, headers=HTMX)
    assert too_much.status_code == 422
    assert available(member, at) == 400
    theirs = other.purchases.get()
    foreign = f"{url('refund_purchase', member.number)}?purchase={theirs.external_id}"
    assert client.post(foreign, form, headers=HTMX).status_code == 404
    assert available(other, at) == 600


def test_a_benefit_is_given_by_hand_once_and_taken_back(
    world: MembersWorld, staff_client: Callable[..., Client]
) -> None:
    member, benefit = world.member(), world.benefit()
    client = staff_client("support")
    form = {
        "key": str(uuid4()), "benefit": benefit.code, "quantity": "2", "ends_on": "2026-03-31",
        "note": "Sorry",
    }  # fmt: skip
    for _ in range(2):
        assert_done(client.post(url("give_benefit", member.number), form, headers=HTMX), "member")
    grant = Grant.objects.get(member=member)
    assert (grant.benefit_id, grant.quantity) == (benefit.pk, 2)
    assert grant.reason == {
        "code": "granted_by_staff",
        "note": "Sorry",
        "person": f"staff:{AuditEntry.objects.get(action='grant.issued').actor_id}",
    }
    assert grant.ends_at is not None
    assert grant.ends_at.isoformat() == "2026-03-31T16:00:00+00:00"  # the last of it in Shanghai
    page = client.get(url("member", member.number) + "?tab=grants").content.decode()
    assert "A present from us" in page
    assert "31 Mar 2026" in page
    revoke = url("revoke_grant", member.number, grant.pk)
    assert_done(client.post(revoke, {"reason": "wrong member"}, headers=HTMX), "member")
    grant.refresh_from_db()
    assert grant.revoked_at is not None


def test_a_blocked_member_is_given_nothing(
    world: MembersWorld, staff_client: Callable[..., Client]
) -> None:
    member, benefit = world.member(), world.benefit()
    Member.objects.filter(pk=member.pk).update(status="blocked")
    form = {"key": str(uuid4()), "benefit": benefit.code, "quantity": "1", "note": "Sorry"}
    answer = staff_client().post(url("give_benefit", member.number), form, headers=HTMX)
    assert answer.status_code == 422
    assert not Grant.objects.exists()


def test_without_javascript_a_form_leads_back_to_the_page(
    world: MembersWorld, staff_client: Callable[..., Client]
) -> None:
    member = world.member()
    answer = staff_client().post(url("block_member", member.number), {"reason": "fraud"})
    assert answer.status_code == 302
    assert answer["Location"] == url("member", member.number)


# --- Tiers ----------------------------------------------------------------------------------


def scheme_form(**changes: str) -> dict[str, str]:
    form = {
        "metric": "spend", "window": "rolling", "window_months": "12",
        "downgrade_policy": "recompute", "notice_days": "7",
        "name_0": "Basic", "code_0": "basic",
        "name_1": "Gold", "code_1": "gold", "entry_1": "1,000.50", "keep_1": "800",
        "multiplier_1": "1.25", "grace_1": "14",
    }  # fmt: skip
    return {**form, **changes}


def test_a_draft_is_made_published_and_cannot_be_removed_then(
    world: MembersWorld, staff_client: Callable[..., Client]
) -> None:
    world.programme()
    client = staff_client()
    assert_done(client.post(url("create_scheme"), scheme_form(), headers=HTMX), "tiers")
    scheme = TierScheme.objects.get(version=2)
    assert (scheme.metric, scheme.status, scheme.notice_days) == ("spend", "draft", 7)
    basic, gold = list_scheme_tiers(scheme=scheme)
    assert (basic.entry_threshold, basic.multiplier_bp) == (0, 10_000)
    assert (gold.entry_threshold, gold.keep_threshold) == (100_050, 80_000)
    assert (gold.multiplier_bp, gold.grace_days, gold.name) == (12_500, 14, {"en": "Gold"})
    past = client.post(url("publish_scheme", 2), {"starts_on": "2026-03-14"}, headers=HTMX)
    assert past.status_code == 422
    scheme.refresh_from_db()
    assert scheme.status == "draft"
    publish = client.post(url("publish_scheme", 2), {"starts_on": "2026-04-01"}, headers=HTMX)
    assert_done(publish, "tiers")
    scheme.refresh_from_db()
    assert (scheme.status, f"{scheme.starts_on}") == ("published", "2026-04-01")
    assert client.post(url("delete_scheme", 2), headers=HTMX).status_code == 409
    assert TierScheme.objects.filter(version=2).exists()


def test_a_draft_can_be_removed(world: MembersWorld, staff_client: Callable[..., Client]) -> None:
    client = staff_client()
    client.post(url("create_scheme"), scheme_form(), headers=HTMX)
    assert_done(client.post(url("delete_scheme", 1), headers=HTMX), "tiers")
    assert not TierScheme.objects.exists()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"entry_1": "abc"}, "entry_1"),
        ({"keep_1": "2000"}, "keep_1"),
        ({"entry_0": "5"}, "entry_0"),
        ({"code_1": "basic"}, "code_1"),
        ({"window_months": ""}, "window_months"),
        ({"name_0": "", "name_1": ""}, ""),
    ],
)
def test_a_wrong_draft_says_where(
    world: MembersWorld,
    staff_client: Callable[..., Client],
    changes: dict[str, str],
    field: str,
) -> None:
    answer = staff_client().post(url("create_scheme"), scheme_form(**changes), headers=HTMX)
    assert answer.status_code == 422
    text = answer.content.decode()
    wrong = [tag for tag in re.findall(r"<input[^>]*>", text) if 'aria-invalid="true"' in tag]
    if field:
        assert [re.findall(r'name="([^"]*)"', tag) for tag in wrong] == [[field]]
    else:
        assert wrong == []
        assert "A scheme has at least one tier." in text
    assert not TierScheme.objects.exists()


# --- Segments -------------------------------------------------------------------------------


def segment_form(**changes: str) -> dict[str, str]:
    form = {
        "name": "Near", "condition-rows": "2",
        "condition-0-field": "region", "condition-0-op": "=", "condition-0-value": "north",
        "condition-1-field": "", "condition-1-op": "", "condition-1-value": "",
    }  # fmt: skip
    return {**form, **changes}


def test_a_segment_is_saved_changed_and_removed(
    world: MembersWorld, staff_client: Callable[..., Client]
) -> None:
    near = world.member()
    world.member(region="south")
    client = staff_client("analyst")
    assert_done(client.post(url("create_segment"), segment_form(), headers=HTMX), "segments")
    segment = SavedSegment.objects.get()
    assert segment.condition == {"all": [{"field": "region", "op": "=", "value": "north"}]}
    page = client.get(url("segment", segment.pk))
    assert page.context["preview"].size == 1
    assert [row.pk for row in page.context["preview"].sample] == [near.pk]
    changed = segment_form(**{"condition-0-op": "!=", "name": "Other"})
    assert_done(client.post(url("edit_segment", segment.pk), changed, headers=HTMX), "segments")
    segment.refresh_from_db()
    assert (segment.name, segment.condition["all"][0]["op"]) == ("Other", "!=")
    assert_done(client.post(url("delete_segment", segment.pk), headers=HTMX), "segments")
    assert not SavedSegment.objects.exists()


def test_a_segment_without_a_readable_condition_or_a_free_name_is_refused(
    world: MembersWorld, at: datetime, staff_client: Callable[..., Client]
) -> None:
    client = staff_client()
    wrong = segment_form(**{"condition-0-field": "spend_365d", "condition-0-op": ">="})
    assert client.post(url("create_segment"), wrong, headers=HTMX).status_code == 422
    assert not SavedSegment.objects.exists()
    save_segment(name="Near", condition={}, by=SYSTEM, at=at)
    taken = client.post(url("create_segment"), segment_form(), headers=HTMX)
    assert taken.status_code == 422
    assert "name" in taken.context["form"].errors
    assert SavedSegment.objects.get().condition == {}


def test_the_rows_say_whom_they_reach(
    world: MembersWorld, staff_client: Callable[..., Client]
) -> None:
    world.member()
    client = staff_client("analyst")
    answer = client.post(url("segment_rows"), segment_form(), headers=HTMX)
    assert (answer.context["reach"], answer.context["words"]) == (1, "Region is north")
    assert url("segment_rows") in answer.content.decode()
    more = client.post(url("segment_rows"), {**segment_form(), "add": "1"}, headers=HTMX)
    assert len(more.context["rows"].rows) == 3
