"""Keys of machines: only the right text, of the right API, in the right brand, in time."""

import re
from datetime import timedelta

import pytest

from core.actors import SYSTEM
from tenants.accounts.keys import (
    ExpiredKeyError,
    InvalidKeyError,
    InvalidKeyFactsError,
    UnknownKeyError,
    authenticate,
    create_api_key,
    revoke,
    revoke_api_key,
)
from tenants.accounts.models import ApiKey
from tenants.audit.queries import list_entries
from tenants.brands.context import tenant_context


def _create(at, **changes):
    facts = {"kind": "brand", "name": "Shop", "scopes": ["b", "a", "a"], "is_live": True}
    return create_api_key(**{**facts, **changes}, by=SYSTEM, at=at)


@pytest.mark.parametrize(
    ("changes", "prefix"),
    [
        ({}, "tsk_live_"),
        ({"is_live": False}, "tsk_test_"),
        ({"kind": "partner", "owner_id": 4}, "tsp_live_"),
        ({"kind": "partner", "owner_id": 4, "is_live": False}, "tsp_test_"),
    ],
)
def test_key_proves_itself_and_is_stored_hashed(brand, at, changes, prefix):
    key, text = _create(at, **changes)

    assert re.fullmatch(prefix + r"[0-9a-z]{16}_[0-9A-Za-z_-]{43}", text)
    assert authenticate(text=text, kind=key.kind, at=at) == key
    assert text.split("_", 3)[3] not in str(ApiKey.objects.filter(pk=key.pk).values().get())
    assert key.scopes == ["a", "b"]


def test_key_of_another_brand_is_unknown(brand, other_brand, at):
    _, text = _create(at)

    with tenant_context(other_brand), pytest.raises(InvalidKeyError):
        authenticate(text=text, kind="brand", at=at)


def test_wrong_texts_are_refused_alike(brand, at):
    _, text = _create(at)
    # The secret itself may hold underscores.
    kind, mode, identifier, secret = text.split("_", 3)
    head = f"{kind}_{mode}_{identifier}"
    wrong = [
        "", "x", text + "x", text[:-1], head + "_" + secret[::-1], text.replace("live", "test"),
        text.replace("tsk", "tsp"), "tsk_live_" + "0" * 16 + "_" + secret, text.upper(),
        f" {text}", text + "\n", "tsk_live_%_" + secret,
    ]  # fmt: skip

    for one in wrong:
        with pytest.raises(InvalidKeyError) as refusal:
            authenticate(text=one, kind="brand", at=at)
        assert refusal.value.status == 401


def test_key_of_the_other_api_is_refused(brand, at):
    _, text = _create(at, kind="partner", owner_id=4)

    with pytest.raises(InvalidKeyError):
        authenticate(text=text, kind="brand", at=at)


def test_key_expires_and_is_revoked(brand, at):
    key, text = _create(at, expires_at=at + timedelta(days=1))
    authenticate(text=text, kind="brand", at=at + timedelta(hours=23))
    with pytest.raises(ExpiredKeyError):
        authenticate(text=text, kind="brand", at=at + timedelta(days=1))

    revoke(key=key, by=SYSTEM, at=at)
    revoke(key=key, by=SYSTEM, at=at)
    with pytest.raises(InvalidKeyError):
        authenticate(text=text, kind="brand", at=at)
    actions = [entry.action for entry in list_entries(target_type="api_key")]
    assert actions == ["api_key.revoked", "api_key.created"]


def test_unknown_key_can_not_be_revoked(brand, at):
    with pytest.raises(UnknownKeyError):
        revoke_api_key(key_id=0, by=SYSTEM, at=at)


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"kind": "nosuch"}, "/kind"),
        ({"owner_id": 4}, "/owner_id"),
        ({"kind": "partner"}, "/owner_id"),
        ({"name": "  "}, "/name"),
        ({"name": "x" * 81}, "/name"),
    ],
)
def test_key_facts_are_checked(brand, at, changes, pointer):
    with pytest.raises(InvalidKeyFactsError) as refusal:
        _create(at, **changes)

    assert refusal.value.data["pointer"] == pointer
    assert ApiKey.objects.count() == 0


def test_use_is_noted_at_most_once_a_minute(brand, at, django_assert_num_queries):
    key, text = _create(at)
    authenticate(text=text, kind="brand", at=at)
    with django_assert_num_queries(1):
        authenticate(text=text, kind="brand", at=at + timedelta(seconds=59))
    authenticate(text=text, kind="brand", at=at + timedelta(seconds=61))

    key.refresh_from_db()
    assert key.last_used_at == at + timedelta(seconds=61)
