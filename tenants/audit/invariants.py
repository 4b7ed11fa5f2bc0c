"""What must hold in the audit of a brand, at any time."""

from collections.abc import Callable

from tenants.audit.errors import WrongSchemaError
from tenants.audit.operations import verify_chain, verify_identity


def check_chain() -> list[str]:
    """I12: the hash chain verifies."""
    return verify_chain().problems


def check_identity() -> list[str]:
    """I13: the schema knows whose it is."""
    try:
        verify_identity()
    except WrongSchemaError as error:
        return [str(error)]
    return []


CHECKS: dict[str, Callable[[], list[str]]] = {
    "I12 audit chain": check_chain,
    "I13 identity": check_identity,
}
