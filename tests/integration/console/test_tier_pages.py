"""Tiers in depth: simulator, plans, payments, tiers by hand, who falls soon."""

from datetime import timedelta
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from core import clock
from core.actors import SYSTEM
from members.profiles.models import Member
from members.profiles.operations import enrol
from members.tiers.models import MemberTier, PaidPlan, PaidTerm, TierPin, TierScheme, TierSimulation
from members.tiers.operations import create_scheme
from members.tiers.queries import list_tiers
from tenants.jobs.operations import run_pending
from tests.integration.members.tiers.world import DRAFTS, make_scheme

HTMX = {"HX-Request": "true", "HX-Target": "dlg"}


@pytest.fixture(autouse=True)
def _programme(brand: Any, at: Any) -> Any:
    with clock.at(at):
        make_scheme()
        yield


@pytest.fixture
def member(at: Any) -> Member:
    return enrol(external_id="tp1", at=at - timedelta(days=30), by=SYSTEM)


def url(name: str, *args: Any) -> str:
    return reverse(f"console:{name}", args=args)


def text(answer: HttpResponse) -> str:
    return answer.content.decode()


def scheme_form(**fields: str) -> dict[str, str]:
    values = {
        "metric": "growth", "window": "rolling", "window_months": "12",
        "downgrade_policy": "one_step", "notice_days": "14",
        "name_0": "Basic", "code_0": "basic", "entry_0": "0", "keep_0": "0",
        "multiplier_0": "1", "grace_0": "0",
        "name_1": "Silver", "code_1": "silver", "entry_1": "50", "keep_1": "50",
        "multiplier_1": "1.2", "grace_1": "0",
    }  # fmt: skip
    for row in range(2, 6):
        values |= {f"{cell}_{row}": "" for cell in ("name", "code", "entry", "keep", "multiplier")}
        values[f"grace_{row}"] = ""
    return values | fields


def test_simulator_tries_a_draft_out_and_stores_nothing(staff_client: Any, member: Member) -> None:
    client: Client = staff_client("manager")
    page = client.get(url("tier_simulator"))
    assert page.status_code == 200
    tried = client.post(url("tier_simulator"), scheme_form(), headers={"HX-Request": "true"})
    assert tried.status_code == 200
    simulation = TierSimulation.objects.get()
    address = url("tier_simulation", simulation.pk)
    assert address in text(tried)
    assert "data-chart" not in text(tried)
    waiting = client.get(address, headers=HTMX)
    assert (waiting.status_code, "waiting for its turn" in text(waiting)) == (200, True)
    run_pending(at=clock.now())
    ended = client.get(address, headers=HTMX)
    # The status at which htmx stops asking.
    assert ended.status_code == 286
    assert "data-chart" in text(ended)
    assert "every 1s" not in text(ended)
    page = client.get(address)
    assert page.status_code == 200
    assert 'value="Silver"' in text(page)
    assert TierScheme.objects.count() == 1
    plain = client.post(url("tier_simulator"), scheme_form())
    assert plain.status_code == 302
    assert client.get(url("tier_simulation", 999_999)).status_code == 404
    wrong = client.post(url("tier_simulator"), scheme_form(keep_1="60"), headers=HTMX)
    assert wrong.status_code == 422
    assert "Keeping is not harder than entering." in text(wrong)
    draft = create_scheme(
        metric="growth", window="lifetime", tiers=DRAFTS[:2], by=SYSTEM, at=clock.now()
    )
    shown = client.get(url("tier_simulator"), {"version": draft.version})
    assert 'value="silver"' in text(shown)
    assert 'value="gold"' not in text(shown)


def test_version_is_shown_against_the_one_before(staff_client: Any) -> None:
    draft = create_scheme(
        metric="growth", window="lifetime", tiers=DRAFTS[:2], by=SYSTEM, at=clock.now()
    )
    shown = text(staff_client("analyst").get(url("tier_version", draft.version), headers=HTMX))
    assert "Against version 1" in shown
    assert "Rolling months (12)" in shown
    assert "gone" in shown


def test_plan_is_made_sold_renewed_stopped_and_refunded(staff_client: Any, member: Member) -> None:
    client: Client = staff_client("manager")
    plan = {
        "code": "club", "name": "Club", "tier_code": "gold", "price_minor": "99",
        "period_months": "1", "grace_days": "7", "renews": "on",
    }  # fmt: skip
    wrong = client.post(url("create_plan"), {**plan, "grace_days": "91"}, headers=HTMX)
    assert wrong.status_code == 422
    assert not PaidPlan.objects.exists()
    assert client.post(url("create_plan"), plan, headers=HTMX).status_code == 204
    again = client.post(url("create_plan"), plan, headers=HTMX)
    assert again.status_code == 422
    assert "There is a plan with this code already." in text(again)
    pay = {"plan": "club", "amount_minor": "", "reference": "till-1"}
    for _ in range(2):
        sent = client.post(url("record_payment", member.number), pay, headers=HTMX)
        assert sent.status_code == 204
    term = PaidTerm.objects.get()
    assert (term.price_minor, MemberTier.objects.get(pk=member.pk).tier.code) == (9_900, "gold")
    tab = text(client.get(url("member", member.number), {"tab": "tiers"}))
    assert "till-1" in tab
    assert "Paid membership" in tab
    stop = client.post(url("set_renewal", member.number, term.pk), {"renews": "0"}, headers=HTMX)
    assert stop.status_code == 204
    term.refresh_from_db()
    assert term.renews is False
    back = {"amount_minor": "200", "reference": "b-1", "reason": "Moved away"}
    refund = url("refund_term", member.number, term.pk)
    much = client.post(refund, back, headers=HTMX)
    assert much.status_code == 422
    done = client.post(refund, {**back, "amount_minor": "99"}, headers=HTMX)
    assert done.status_code == 204
    assert MemberTier.objects.get(pk=member.pk).tier.code == "basic"
    page = text(client.get(url("tiers")))
    assert "Club" in page
    edited = client.post(
        url("edit_plan", "club"), {**plan, "price_minor": "120", "is_offered": ""}, headers=HTMX
    )
    assert edited.status_code == 204
    assert (PaidPlan.objects.get().price_minor, PaidPlan.objects.get().is_offered) == (
        12_000,
        False,
    )


def test_tier_is_set_and_lifted_by_hand(staff_client: Any, member: Member) -> None:
    client: Client = staff_client("manager")
    path = url("override_tier", member.number)
    facts = {"tier": "gold", "mode": "at_least", "until": "2026-04-01", "reason": "Apology"}
    past = client.post(path, {**facts, "until": "2026-03-01"}, headers=HTMX)
    assert past.status_code == 422
    assert not TierPin.objects.exists()
    assert client.post(path, facts, headers=HTMX).status_code == 204
    assert MemberTier.objects.get(pk=member.pk).tier.code == "gold"
    tab = text(client.get(url("member", member.number), {"tab": "tiers"}))
    assert "Apology" in tab
    lift = url("lift_override", member.number)
    assert client.post(lift, {"reason": "Over"}, headers=HTMX).status_code == 204
    none = client.post(lift, {"reason": "Over"}, headers=HTMX)
    assert none.status_code == 422
    assert staff_client("support").get(path, headers=HTMX).status_code == 403


def test_who_falls_soon_is_listed_with_what_is_missing(
    staff_client: Any, member: Member, at: Any
) -> None:
    client: Client = staff_client("analyst")
    assert "Nobody is about to fall" in text(client.get(url("tier_danger")))
    silver = list_tiers(on=clock.today("Asia/Shanghai"))[1]
    MemberTier.objects.create(
        member=member, tier=silver, since=at, evaluated_on=at.date(), metric_value=0,
        grace_until=at.date() + timedelta(days=9),
    )  # fmt: skip
    page = text(client.get(url("tier_danger")))
    assert member.number in page
    assert "80" in page
