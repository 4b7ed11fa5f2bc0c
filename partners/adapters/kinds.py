"""The adapters that there are."""

from typing import Final

from partners.adapters.errors import InvalidConnectionError
from partners.adapters.http import HttpKind
from partners.adapters.protocol import AdapterKind

KINDS: Final[dict[str, AdapterKind]] = {"http": HttpKind()}


def get_kind(name: str) -> AdapterKind:
    """Return the kind of a name.

    :raises InvalidConnectionError: if there is none.
    """
    try:
        return KINDS[name]
    except KeyError:
        raise InvalidConnectionError(pointer="/adapter") from None
