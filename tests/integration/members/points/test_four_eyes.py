"""Adjustments by hand above a limit: somebody else must consent, by every route."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from core.actors import SYSTEM, Actor
from members.points import operations as points
from members.points._calls import as_json, brand_day, post
from members.points.errors import (
    ConsentNeededError,
    InsufficientPointsError,
    InvalidPointsError,
    KeyReusedError,
    RequestDecidedError,
    RequestMissingError,
    SamePersonError,
)
from members.points.models import AdjustmentRequest, Entry
from tenants.accounts.keys import create_api_key
from tenants.audit.models import AuditEntry
from tenants.events.models import Event
from tests.integration.members.points.conftest import OWNER, Ledger

ANN = Actor(kind="staff", id=3, label="Ann")
BEN = Actor(kind="staff", id=4, label="Ben")


@pytest.fixture
def limited(ledger: Ledger) -> Ledger:
    """Return a ledger where one person may adjust 100 points."""
    ledger.rules(adjust_limit=100)
    return ledger


def asked(ledger: Ledger, amount: int, **given: Any) -> points.Adjustment:
    facts: dict[str, Any] = {
        "owner_id": OWNER, "amount": amount, "reason": "Lost parcel", "key": uuid.uuid4(),
        "by": ANN, "at": ledger.at, **given,
    }  # fmt: skip
    return points.ask_adjustment(**facts)


def test_within_the_limit_it_is_done_at_once(limited: Ledger) -> None:
    done = asked(limited, 100)
    assert done.posting is not None
    assert (done.posting.delta, done.request) == (100, None)
    assert AdjustmentRequest.objects.count() == 0


def test_above_the_limit_nothing_moves_until_somebody_else_consents(limited: Ledger) -> None:
    key = uuid.uuid4()
    waiting = asked(limited, 101, key=key)
    assert waiting.posting is None
    assert waiting.request is not None
    assert (waiting.request.state, waiting.request.limit) == ("pending", 100)
    assert limited.account.seq == 0
    again = asked(limited, 101, key=key)
    assert again.request == waiting.request
    with pytest.raises(KeyReusedError):
        asked(limited, 102, key=key)
    with pytest.raises(SamePersonError):
        points.approve_adjustment(request_id=waiting.request.pk, by=ANN, at=limited.at)
    assert limited.account.seq == 0
    posting = points.approve_adjustment(
        request_id=waiting.request.pk, note="Checked", by=BEN, at=limited.at
    )
    assert (posting.delta, posting.balance) == (101, 101)
    entry = Entry.objects.get()
    assert entry.cause == {
        "reason": "Lost parcel", "by": "staff:3", "person": "staff:3",
        "request": waiting.request.pk, "approved_by": "staff:4",
    }  # fmt: skip
    for decide in (points.approve_adjustment, points.withdraw_adjustment):
        with pytest.raises(RequestDecidedError) as caught:
            decide(request_id=waiting.request.pk, by=BEN, at=limited.at)
        assert caught.value.data == {"state": "approved"}
    assert asked(limited, 101, key=key).posting == points.Posting(
        posting.account_id, 1, 101, 101, replayed=True
    )
    assert [row.action for row in AuditEntry.objects.exclude(target_type="brand").order_by("id")] == [
        "points.adjustment_asked", "points.adjustment_approved", "points.adjusted",
    ]  # fmt: skip
    assert list(Event.objects.order_by("id").values_list("type", flat=True)) == [
        "points.adjustment_asked", "points.adjusted",
    ]  # fmt: skip


def test_small_steps_add_up_within_a_day(limited: Ledger) -> None:
    points.adjust(owner_id=OWNER, amount=60, reason="a", key=uuid.uuid4(), by=ANN, at=limited.at)
    with pytest.raises(ConsentNeededError) as caught:
        points.adjust(
            owner_id=OWNER, amount=-41, reason="b", key=uuid.uuid4(), by=ANN, at=limited.at
        )
    assert caught.value.data == {"limit": 100, "left": 40}
    assert limited.account.balance == 60
    assert asked(limited, -41, by=BEN).posting is not None  # another person's own limit
    next_day = limited.at + timedelta(hours=24)
    assert asked(limited, 100, at=next_day).posting is not None


def test_what_somebody_consented_to_does_not_use_up_the_limit(limited: Ledger) -> None:
    request = asked(limited, 500).request
    assert request is not None
    points.approve_adjustment(request_id=request.pk, by=BEN, at=limited.at)
    assert asked(limited, 100).posting is not None


def test_a_refusal_says_why_and_is_final(limited: Ledger) -> None:
    request = asked(limited, 500).request
    assert request is not None
    with pytest.raises(InvalidPointsError):
        points.refuse_adjustment(request_id=request.pk, note=" ", by=BEN, at=limited.at)
    with pytest.raises(SamePersonError):
        points.refuse_adjustment(request_id=request.pk, note="No", by=ANN, at=limited.at)
    refused = points.refuse_adjustment(
        request_id=request.pk, note="No parcel was lost", by=BEN, at=limited.at
    )
    assert (refused.state, refused.note, refused.decided_by) == (
        "refused", "No parcel was lost", "staff:4",
    )  # fmt: skip
    with pytest.raises(RequestDecidedError):
        points.approve_adjustment(request_id=request.pk, by=BEN, at=limited.at)
    assert limited.account.seq == 0


def test_only_who_asked_takes_a_request_back(limited: Ledger) -> None:
    request = asked(limited, 500).request
    assert request is not None
    with pytest.raises(SamePersonError):
        points.withdraw_adjustment(request_id=request.pk, by=BEN, at=limited.at)
    assert points.withdraw_adjustment(request_id=request.pk, by=ANN, at=limited.at).state == (
        "withdrawn"
    )
    with pytest.raises(RequestMissingError):
        points.approve_adjustment(request_id=request.pk + 1, by=BEN, at=limited.at)


def test_consent_to_what_is_no_longer_there_leaves_the_request_waiting(limited: Ledger) -> None:
    limited.earn(300)
    request = asked(limited, -200).request
    assert request is not None
    limited.redeem(150)
    with pytest.raises(InsufficientPointsError):
        points.approve_adjustment(request_id=request.pk, by=BEN, at=limited.at)
    request.refresh_from_db()
    assert request.state == "pending"
    assert limited.account.balance == 150


def test_a_key_is_the_person_who_made_it(limited: Ledger) -> None:
    def key(by: Actor) -> Actor:
        row, _text = create_api_key(
            kind="brand", name="Till", scopes=["points:write"], is_live=True, by=by, at=limited.at
        )
        return Actor(kind="api", id=row.pk, label=row.name)

    request = asked(limited, 500).request
    assert request is not None
    with pytest.raises(SamePersonError):
        points.approve_adjustment(request_id=request.pk, by=key(ANN), at=limited.at)
    asked(limited, 60)
    with pytest.raises(ConsentNeededError):
        points.adjust(
            owner_id=OWNER, amount=60, reason="x", key=uuid.uuid4(), by=key(ANN), at=limited.at
        )
    asked_by_key = asked(limited, 500, by=key(ANN)).request
    assert asked_by_key is not None
    with pytest.raises(SamePersonError):
        points.approve_adjustment(request_id=asked_by_key.pk, by=ANN, at=limited.at)
    assert points.approve_adjustment(
        request_id=request.pk, by=key(BEN), at=limited.at
    ).delta == 500  # fmt: skip


def test_raising_the_limit_does_not_help_who_raised_it(limited: Ledger) -> None:
    points.change_wallet(wallet="points", by=ANN, at=limited.at, adjust_limit=1000)
    with pytest.raises(ConsentNeededError):
        points.adjust(
            owner_id=OWNER, amount=500, reason="x", key=uuid.uuid4(), by=ANN, at=limited.at
        )
    points.change_wallet(wallet="points", by=ANN, at=limited.at, adjust_limit=None)
    assert asked(limited, 500).posting is None
    assert asked(limited, 500, by=BEN).posting is not None
    assert asked(limited, 500, at=limited.at + timedelta(hours=25)).posting is not None


@pytest.mark.parametrize("sign", [1, -1])
def test_the_database_refuses_what_skips_the_operation(limited: Ledger, sign: int) -> None:
    limited.earn(1000)
    request = asked(limited, sign * 500).request
    assert request is not None
    function = "points_earn" if sign > 0 else "points_spend"
    last = (limited.at, None) if sign > 0 else (None,)
    before = limited.snapshot()
    for key, amount in ((uuid.uuid4(), 101), (request.key, 500)):
        with pytest.raises(ConsentNeededError):
            post(
                function, 5, 1, OWNER, amount, key, limited.at, brand_day(limited.at),
                "adjustment", 3, as_json({"by": "staff:3", "person": "staff:3"}), *last,
            )  # fmt: skip
    assert limited.snapshot() == before
    with pytest.raises(IntegrityError, match="adjustment_request_four_eyes"), transaction.atomic():
        AdjustmentRequest.objects.filter(pk=request.pk).update(
            state="approved", decided_person="staff:3"
        )


def test_the_system_itself_needs_nobody(limited: Ledger) -> None:
    assert points.adjust(
        owner_id=OWNER, amount=5000, reason="Moved in", key=uuid.uuid4(), by=SYSTEM, at=limited.at
    ).balance == 5000  # fmt: skip
