"""Secrets at rest: encrypted with keys made from the service's own, so that a stolen copy of the
database opens nothing.

Fernet (AES-128-CBC with HMAC-SHA256) of `cryptography`; its keys come from `SECRET_KEY` and
`SECRET_KEY_FALLBACKS` by HKDF (RFC 5869), the newest first, so that keys can be changed.
"""

import base64
from functools import lru_cache
from typing import Any

from cryptography.fernet import Fernet, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.db import models


class SealedTextField(models.TextField):  # type: ignore[type-arg]
    """A text that is encrypted in the database; it can be read back but not looked for."""

    def get_prep_value(self, value: Any) -> Any:
        """Return the encrypted text."""
        return None if value is None else _seal(str(value))

    def from_db_value(self, value: Any, *_: Any) -> Any:
        """Return the text as it was.

        :raises cryptography.fernet.InvalidToken: if it was sealed with a key that is gone.
        """
        return None if value is None else _open(value)


def _seal(text: str) -> str:
    return _box(_keys()).encrypt(text.encode()).decode()


def _open(sealed: str) -> str:
    return _box(_keys()).decrypt(sealed.encode()).decode()


def _keys() -> tuple[str, ...]:
    return (settings.SECRET_KEY, *map(str, settings.SECRET_KEY_FALLBACKS))


@lru_cache(maxsize=4)
def _box(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(_derive(key)) for key in keys])


def _derive(key: str) -> bytes:
    made = HKDF(SHA256(), length=32, salt=None, info=b"tessera.sealing.v1")
    return base64.urlsafe_b64encode(made.derive(key.encode()))
