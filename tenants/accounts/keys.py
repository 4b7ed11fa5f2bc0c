"""Keys of machines: making, checking, revoking."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from core.actors import Actor
from core.errors import DomainError, InvalidError, NotFoundError
from tenants.accounts.models import ApiKey
from tenants.audit.operations import record

_PREFIXES = {ApiKey.Kind.BRAND: "tsk", ApiKey.Kind.PARTNER: "tsp"}
_FORM = re.compile(r"(tsk|tsp)_(live|test)_([0-9a-z]{16})_([0-9A-Za-z_-]{43})")
_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"
# `last_used_at` is a hint for people: written at most this often.
_NOTE_USE_EVERY = timedelta(minutes=1)
# What is compared when no row is found, so that both cases take the same time.
_NOTHING = hashlib.sha256(b"").hexdigest()


class InvalidKeyError(DomainError):
    """The key is malformed, unknown, revoked, or of the other API."""

    code = "invalid_key"
    status = 401
    message = _("This key is not valid.")


class ExpiredKeyError(DomainError):
    """The key was valid until its date of expiry."""

    code = "expired_key"
    status = 401
    message = _("This key has expired.")


class InvalidKeyFactsError(InvalidError):
    """A key can not be made like this; `pointer` names the fact."""

    code = "invalid_key_facts"


class UnknownKeyError(NotFoundError):
    """There is no such key."""

    code = "unknown_key"


def create_api_key(
    *,
    kind: str,
    owner_id: int | None = None,
    name: str,
    scopes: Iterable[str],
    is_live: bool,
    expires_at: datetime | None = None,
    by: Actor,
    at: datetime,
) -> tuple[ApiKey, str]:
    """Make a key of the current brand; return its row and its text, which is shown this once.

    The text is `ts(k|p)_(live|test)_<identifier>_<256 random bits>`; only its SHA-256 is kept.

    :raises InvalidKeyFactsError: for an unknown kind, a missing name, a partner's key without
        owner (or the reverse), or an expiry that has passed.
    """
    _check(kind, owner_id, name, expires_at, at)
    identifier = "".join(secrets.choice(_ALPHABET) for _ in range(16))
    mode = "live" if is_live else "test"
    text = f"{_PREFIXES[ApiKey.Kind(kind)]}_{mode}_{identifier}_{secrets.token_urlsafe(32)}"
    key = ApiKey.objects.create(
        kind=kind,
        owner_id=owner_id,
        name=name.strip(),
        identifier=identifier,
        digest=_digest(text),
        scopes=sorted(set(scopes)),
        is_live=is_live,
        expires_at=expires_at,
    )
    record(
        by=by,
        at=at,
        action="api_key.created",
        target_type="api_key",
        target_id=key.pk,
        changes={"scopes": [None, key.scopes], "owner_id": [None, owner_id]},
    )
    return key, text


def authenticate(*, text: str, kind: str, at: datetime) -> ApiKey:
    """Return the key that a text proves, in the current brand.

    :raises InvalidKeyError: if it is malformed, unknown, revoked, or of the other kind.
    :raises ExpiredKeyError: if its time is over.
    """
    match = _FORM.fullmatch(text)
    if match is None or match[1] != _PREFIXES[ApiKey.Kind(kind)]:
        raise InvalidKeyError
    key = ApiKey.objects.filter(identifier=match[3], kind=kind).first()
    expected = key.digest if key is not None else _NOTHING
    if not hmac.compare_digest(_digest(text), expected) or key is None:
        raise InvalidKeyError
    if key.revoked_at is not None:
        raise InvalidKeyError
    if key.expires_at is not None and key.expires_at <= at:
        raise ExpiredKeyError
    if key.last_used_at is None or key.last_used_at < at - _NOTE_USE_EVERY:
        ApiKey.objects.filter(pk=key.pk).filter(
            Q(last_used_at__isnull=True) | Q(last_used_at__lt=at)
        ).update(last_used_at=at)
    return key


def list_api_keys(*, kind: str, owner_id: int | None = None) -> list[ApiKey]:
    """Return the keys of the brand's systems or of one partner, those in use first."""
    keys = ApiKey.objects.filter(kind=kind, owner_id=owner_id)
    return list(keys.order_by(F("revoked_at").desc(nulls_first=True), "-pk"))


def revoke_api_key(*, key_id: int, by: Actor, at: datetime) -> None:
    """Make a key useless from now on; doing it again changes nothing.

    :raises UnknownKeyError: if there is no such key.
    """
    changed = ApiKey.objects.filter(pk=key_id, revoked_at__isnull=True).update(revoked_at=at)
    if changed:
        record(by=by, at=at, action="api_key.revoked", target_type="api_key", target_id=key_id)
    elif not ApiKey.objects.filter(pk=key_id).exists():
        raise UnknownKeyError


def revoke(*, key: ApiKey, by: Actor, at: datetime) -> None:
    """Make a key useless from now on; doing it again changes nothing."""
    revoke_api_key(key_id=key.pk, by=by, at=at)


def _check(
    kind: str, owner_id: int | None, name: str, expires_at: datetime | None, at: datetime
) -> None:
    if kind not in ApiKey.Kind.values:
        raise InvalidKeyFactsError(_("This kind of key does not exist."), pointer="/kind")
    if (kind == ApiKey.Kind.PARTNER) != (owner_id is not None):
        raise InvalidKeyFactsError(_("A partner's key belongs to a partner."), pointer="/owner_id")
    if not name.strip() or len(name.strip()) > 80:
        raise InvalidKeyFactsError(_("A name has 1 to 80 characters."), pointer="/name")
    if expires_at is not None and expires_at <= at:
        raise InvalidKeyFactsError(_("The expiry has passed already."), pointer="/expires_at")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
