"""Identifiers and secrets."""

import base64
import secrets
import time
import uuid

# Crockford's alphabet without letters that are read as digits: for codes people type.
_READABLE = "23456789ABCDEFGHJKMNPQRSTVWXYZ"


def uuid7() -> uuid.UUID:
    """Return a UUID of version 7 (RFC 9562): time first, so that unique indexes stay compact."""
    milliseconds = time.time_ns() // 1_000_000
    value = (
        (milliseconds & (2**48 - 1)) << 80
        | 0x7 << 76
        | secrets.randbits(12) << 64
        | 0b10 << 62
        | secrets.randbits(62)
    )
    return uuid.UUID(int=value)


def derived_uuid(*parts: str | int) -> uuid.UUID:
    """Return the same UUID (version 5) for the same parts: keys of effects that must happen once."""
    return uuid.uuid5(uuid.NAMESPACE_OID, "\x1f".join(str(part) for part in parts))


def readable_code(length: int) -> str:
    """Return a random code that people can read aloud; about 4.9 bits a character."""
    return "".join(secrets.choice(_READABLE) for _ in range(length))


def secret(length: int = 32) -> str:
    """Return a random secret of `length` bytes, URL-safe."""
    return secrets.token_urlsafe(length)


def signing_secret() -> str:
    """Return a random secret of 256 bits in the form of Standard Webhooks."""
    return f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"
