"""Points given by hand as a benefit count against the same limit as adjustments."""

import time
import uuid
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from benefits.catalogue.operations import create_package
from benefits.grants import _by_hand
from benefits.grants import operations as grants
from benefits.grants.models import Grant
from core.actors import SYSTEM, Actor
from members.points.by_hand import count_by_hand
from members.points.errors import ConsentNeededError
from members.points.models import Wallet
from members.points.operations import adjust, approve_adjustment, ask_adjustment
from members.points.queries import get_balance
from members.profiles.errors import NamesMemberError
from members.profiles.models import Member
from tenants.accounts.keys import create_api_key
from tenants.brands.models import Brand
from tenants.events.models import Event
from tests.integration.benefits.world import World
from tests.races import together

ANN = Actor(kind="staff", id=3, label="Ann")
# Long enough that all threads have counted before the first one is done.
PAUSE = 0.05
BEN = Actor(kind="staff", id=4, label="Ben")


@pytest.fixture
def limited(world: World) -> World:
    """Return a brand where one person may give 100 points."""
    Wallet.objects.filter(code="points").update(adjust_limit=100)
    return world


def credit(world: World, points: int) -> Any:
    return world.benefit(kind="points_credit", channel="instant", parameters={"points": points})


def give(world: World, member: Member, benefit: Any, **changes: Any) -> Grant:
    facts: dict[str, Any] = {
        "quantity": 1, "period_key": uuid.uuid4().hex, "by": ANN, "at": world.at, **changes,
    }  # fmt: skip
    return grants.grant(member=member, benefit=benefit, **facts)


def adjusted(world: World, member: Member, amount: int, by: Actor = ANN) -> Any:
    return adjust(
        owner_id=member.pk, amount=amount, reason="Sorry", key=uuid.uuid4(), by=by, at=world.at
    )


def test_points_above_the_limit_are_refused_as_a_benefit(limited: World) -> None:
    member, benefit = limited.member(), credit(limited, 60)
    with pytest.raises(ConsentNeededError) as refused:
        give(limited, member, benefit, quantity=2)
    assert refused.value.data == {"pointer": "/quantity", "points": 120, "limit": 100, "left": 100}
    assert not Grant.objects.exists()
    assert not Event.objects.filter(type="grant.issued").exists()


def test_what_a_person_gave_in_any_way_counts_for_a_day(limited: World) -> None:
    member, other, benefit = limited.member(), limited.member(), credit(limited, 60)
    key = uuid.uuid4().hex
    first = give(limited, member, benefit, period_key=key)
    assert count_by_hand(owner_id=member.pk, person="staff:3", since=limited.at) == 0
    with pytest.raises(ConsentNeededError):
        give(limited, member, benefit)
    with pytest.raises(ConsentNeededError) as refused:
        adjusted(limited, member, 41)
    assert refused.value.data == {"limit": 100, "left": 40}
    # The same again is the same right; another person, another member, another day are free.
    assert give(limited, member, benefit, period_key=key) == first
    adjusted(limited, member, 40)
    give(limited, member, benefit, by=BEN)
    give(limited, other, benefit)
    give(limited, member, benefit, at=limited.at + timedelta(hours=25))
    assert Grant.objects.count() == 4


def test_adjustments_count_for_benefits(limited: World) -> None:
    member = limited.member()
    adjusted(limited, member, 80)
    with pytest.raises(ConsentNeededError) as refused:
        give(limited, member, credit(limited, 30))
    assert refused.value.data["left"] == 20
    give(limited, member, credit(limited, 20))


def test_the_way_that_is_left_asks_somebody_else(limited: World) -> None:
    member = limited.member()
    waiting = ask_adjustment(
        owner_id=member.pk, amount=500, reason="Sorry", key=uuid.uuid4(), by=ANN, at=limited.at
    )
    assert waiting.request is not None
    approve_adjustment(request_id=waiting.request.pk, by=BEN, at=limited.at)
    assert get_balance(owner_id=member.pk, at=limited.at).available == 500


def test_a_package_with_points_is_refused_whole(limited: World) -> None:
    member = limited.member()
    package = create_package(
        code="set", name={"en": "Set"}, by=ANN, at=limited.at,
        items=[(limited.benefit(), 1), (credit(limited, 101), 1)],
    )  # fmt: skip
    with pytest.raises(ConsentNeededError):
        grants.grant_package(member=member, package=package, period_key="k", by=ANN, at=limited.at)
    assert not Grant.objects.exists()


def test_a_key_is_the_person_who_made_it(limited: World) -> None:
    member, benefit = limited.member(), credit(limited, 60)
    made, _text = create_api_key(
        kind="brand", name="Till", scopes=["grants:write"], is_live=True, by=ANN, at=limited.at
    )
    give(limited, member, benefit)
    with pytest.raises(ConsentNeededError):
        give(limited, member, benefit, by=Actor(kind="api", id=made.pk, label="Till"))


def test_what_is_bought_or_given_by_the_service_has_no_limit(limited: World) -> None:
    member, benefit = limited.member(), credit(limited, 600)
    give(limited, member, benefit, reason={"code": "bought"})
    give(limited, member, benefit, by=SYSTEM)
    give(limited, member, limited.benefit(), quantity=500)
    assert Grant.objects.count() == 3


def test_a_note_that_names_the_member_is_refused(limited: World) -> None:
    member = limited.member(name="Wang Xiaoming", email="wang@example.com")
    with pytest.raises(NamesMemberError) as refused:
        give(
            limited, member, limited.benefit(),
            reason={"code": "granted_by_staff", "note": "Wang Xiaoming called"},
        )  # fmt: skip
    assert refused.value.data["pointer"] == "/note"
    assert not Grant.objects.exists()


def given_together(brand: Brand, world: World) -> Counter[str]:
    """Give the same member 60 of 100 points eight times at once."""
    member, benefit = world.member(), credit(world, 60)
    # The terms are written down: nobody waits for that.
    give(world, world.member(), benefit)
    results = together(brand, [lambda: give(world, member, benefit)] * 8)
    return Counter(type(result).__name__ for result in results)


@pytest.mark.race
def test_the_limit_holds_for_many_at_once(committed_brand: Brand, committed_world: World) -> None:
    Wallet.objects.filter(code="points").update(adjust_limit=100)
    assert given_together(committed_brand, committed_world) == {"Grant": 1, "ConsentNeededError": 7}


@pytest.mark.race
def test_control_without_the_accounts_lock_the_limit_is_passed(
    committed_brand: Brand, committed_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def naive(*, owner_id: int, amount: int, by: Actor, at: Any, is_counted: bool) -> None:
        done = count_by_hand(owner_id=owner_id, person=by.key, since=at - timedelta(days=1))
        time.sleep(PAUSE)
        if done > 100:
            raise ConsentNeededError

    monkeypatch.setattr(_by_hand, "check_by_hand", naive)
    assert given_together(committed_brand, committed_world)["Grant"] > 1
