"""Secrets that sign webhooks."""

import base64
import secrets


def new_secret() -> str:
    """Return a secret of 256 bits in the form of Standard Webhooks."""
    return f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"
