"""The member's code proves the service; guessing it does not work."""

from datetime import datetime, timedelta

import pytest
from django.db import transaction
from django.test import override_settings

from benefits.grants.models import Redemption
from partners.orders import codes
from partners.orders import operations as orders
from partners.orders.errors import TooManyCodesError, WrongCodeError
from partners.orders.models import CodeAttempts, FulfilmentOrder
from tests.integration.partners.world import STAFF, World, by


@pytest.fixture
def accepted(world: World, at: datetime) -> FulfilmentOrder:
    benefit = world.benefit()
    world.offering(benefit)
    return orders.accept(order=world.order(benefit), by=STAFF, at=at)


def code_of(order: FulfilmentOrder) -> str:
    return Redemption.objects.get(pk=order.redemption_id).code


def fulfil(order: FulfilmentOrder, code: str, at: datetime) -> FulfilmentOrder:
    return orders.fulfil(
        order=order, partner_id=order.partner_id, code=code, by=by(order.partner_id), at=at
    )


def test_the_order_knows_the_code_only_as_a_digest(accepted: FulfilmentOrder) -> None:
    code = code_of(accepted)
    assert len(code) == 8
    row = FulfilmentOrder.objects.filter(pk=accepted.pk).values().get()
    assert code not in str(row)
    assert len(accepted.verification_digest) == 64


def test_the_same_code_has_another_digest_elsewhere(accepted: FulfilmentOrder) -> None:
    code = code_of(accepted)
    assert codes.digest(number=accepted.number, code=code) == accepted.verification_digest
    assert codes.digest(number="F000000000", code=code) != accepted.verification_digest


def test_blanks_hyphens_and_small_letters_do_not_matter(
    accepted: FulfilmentOrder, at: datetime
) -> None:
    code = code_of(accepted)
    typed = f" {code[:4].lower()}-{code[4:]} "
    assert fulfil(accepted, typed, at).state == "fulfilled"


def test_a_wrong_code_changes_nothing_but_the_count(
    accepted: FulfilmentOrder, at: datetime
) -> None:
    with pytest.raises(WrongCodeError) as caught:
        fulfil(accepted, "WRONG234", at)
    assert caught.value.data == {"attempts_left": 4, "pointer": "/code"}
    accepted.refresh_from_db()
    assert (accepted.state, accepted.version) == ("accepted", 2)
    assert Redemption.objects.get(pk=accepted.redemption_id).state == "confirmed"


def test_after_five_wrong_codes_even_the_right_one_waits(
    accepted: FulfilmentOrder, at: datetime
) -> None:
    for left in (4, 3, 2, 1, 0):
        with pytest.raises(WrongCodeError) as wrong:
            fulfil(accepted, "WRONG234", at)
        assert wrong.value.data["attempts_left"] == left
    for minutes, wait in ((0, 900), (14, 60)):
        with pytest.raises(TooManyCodesError) as caught:
            fulfil(accepted, code_of(accepted), at + timedelta(minutes=minutes))
        assert (caught.value.status, caught.value.data) == (429, {"retry_after": wait})
    accepted.refresh_from_db()
    assert accepted.state == "accepted"
    assert fulfil(accepted, code_of(accepted), at + timedelta(minutes=15)).state == "fulfilled"


def test_the_count_outlives_the_callers_rollback(accepted: FulfilmentOrder, at: datetime) -> None:
    """An API write is one transaction and a refusal rolls it back: the count must not go along."""
    for _ in range(5):
        with pytest.raises(WrongCodeError), transaction.atomic():
            fulfil(accepted, "WRONG234", at)
    with pytest.raises(TooManyCodesError):
        fulfil(accepted, code_of(accepted), at)
    assert CodeAttempts.objects.get(pk=accepted.pk).attempts == 5


def test_verifying_shares_the_limit_and_changes_nothing(
    accepted: FulfilmentOrder, at: datetime
) -> None:
    assert accepted.partner_id is not None
    for _ in range(7):  # a right code clears the count
        orders.verify_code(
            order=accepted, partner_id=accepted.partner_id, code=code_of(accepted), at=at
        )
    for _ in range(5):
        with pytest.raises(WrongCodeError):
            orders.verify_code(
                order=accepted, partner_id=accepted.partner_id, code="WRONG234", at=at
            )
    with pytest.raises(TooManyCodesError):
        fulfil(accepted, code_of(accepted), at)
    accepted.refresh_from_db()
    assert (accepted.state, accepted.version) == ("accepted", 2)


def test_orders_are_counted_apart(world: World, at: datetime) -> None:
    benefit = world.benefit()
    world.offering(benefit)
    one, two = (orders.accept(order=world.order(benefit), by=STAFF, at=at) for _ in range(2))
    for _ in range(5):
        with pytest.raises(WrongCodeError):
            fulfil(one, "WRONG234", at)
    assert fulfil(two, code_of(two), at).state == "fulfilled"


def test_fulfilling_again_does_not_look_at_the_code(
    accepted: FulfilmentOrder, at: datetime
) -> None:
    done = fulfil(accepted, code_of(accepted), at)
    again = fulfil(accepted, "WRONG234", at)
    assert (again.state, again.version) == (done.state, done.version)


def test_a_code_survives_the_rotation_of_the_secret_key(
    accepted: FulfilmentOrder, at: datetime, settings: object
) -> None:
    old = settings.SECRET_KEY  # type: ignore[attr-defined]
    with override_settings(SECRET_KEY="n" * 60, SECRET_KEY_FALLBACKS=[old]):
        assert fulfil(accepted, code_of(accepted), at).state == "fulfilled"


def test_without_the_old_key_the_code_is_unknown(accepted: FulfilmentOrder, at: datetime) -> None:
    with override_settings(SECRET_KEY="n" * 60), pytest.raises(WrongCodeError):
        fulfil(accepted, code_of(accepted), at)
