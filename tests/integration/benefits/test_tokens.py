"""The code on the member's screen: short-lived, once, of one brand."""

from datetime import timedelta

import pytest

from benefits.grants import operations as grants
from benefits.grants.errors import InvalidTokenError, TokenExpiredError, TokenUsedError
from benefits.grants.models import Redemption
from benefits.grants.tokens import LIFE, fulfil_shown, make_token, read_token
from tenants.brands import context
from tenants.brands.models import Brand
from tests.integration.benefits.world import STAFF, World
from tests.races import together


def test_a_code_is_good_for_its_life_and_once(world: World) -> None:
    used = world.redemption()
    token = make_token(redemption=used, at=world.at)
    assert len(token) == 38
    assert read_token(text=f" {token} ", at=world.at + LIFE).pk == used.pk
    with pytest.raises(TokenExpiredError):
        read_token(text=token, at=world.at + LIFE + timedelta(seconds=1))
    done = fulfil_shown(text=token, by=STAFF, at=world.at + timedelta(seconds=40))
    assert (done.pk, done.state) == (used.pk, "fulfilled")
    with pytest.raises(TokenUsedError) as again:
        fulfil_shown(text=token, by=STAFF, at=world.at + timedelta(seconds=50))
    assert again.value.data == {"state": "fulfilled"}


def test_a_code_is_void_when_the_use_moved_on(world: World) -> None:
    used = world.redemption()
    token = make_token(redemption=used, at=world.at)
    grants.confirm(redemption=used, by=STAFF, at=world.at)
    with pytest.raises(TokenUsedError):
        read_token(text=token, at=world.at)
    used.refresh_from_db()
    fresh = make_token(redemption=used, at=world.at)
    assert read_token(text=fresh, at=world.at).state == "confirmed"


def test_a_changed_or_foreign_code_is_none(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    used = world.redemption()
    token = make_token(redemption=used, at=world.at)
    bad = ["", "TR1.", "x", "TR1.é", token[4:], token.replace("TR1.", "TR2."), f"{token}AAAA"]
    bad += [token[:n] + ("A" if token[n] != "A" else "B") + token[n + 1 :] for n in range(4, 36)]
    for text in bad:
        with pytest.raises(InvalidTokenError):
            read_token(text=text, at=world.at)
    monkeypatch.setattr("benefits.grants.tokens.current_schema", lambda: "t_another")
    with pytest.raises(InvalidTokenError):
        read_token(text=token, at=world.at)
    assert context.current_schema() != "t_another"


@pytest.mark.race
def test_one_of_eight_tills_serves(committed_brand: Brand, committed_world: World) -> None:
    used = committed_world.redemption()
    token = make_token(redemption=used, at=committed_world.at)
    results = together(
        committed_brand,
        [lambda: fulfil_shown(text=token, by=STAFF, at=committed_world.at) for _one in range(8)],
    )
    names = sorted(type(result).__name__ for result in results)
    assert names == ["Redemption", *["TokenUsedError"] * 7]
    assert Redemption.objects.get().state == "fulfilled"
