"""Names of fields with arguments, and texts in SQL. Pure.

`used_benefit(benefit=tea,days=90)`: letters and digits of any script stand for themselves, as do
`_`, `-` and `.`; every other character is written `~27;` (its code in hexadecimal), so that a
name can stand anywhere in SQL, a page or a JSON key. A text that looks like a number begins with
`~0;`, which nothing else does.
"""

import hashlib
import re
from collections.abc import Iterable

from psycopg.sql import quote

Scalar = int | str

_PLAIN = frozenset("_-.")
_KEY = re.compile(r"([a-z][a-z0-9_]{0,49})\((.*)\)", re.DOTALL)
_ESCAPED = re.compile(r"~([0-9a-f]{1,6});")
_LONGEST = 2_000


def key_of(name: str, args: Iterable[tuple[str, Scalar]]) -> str:
    """Return the name of a field together with its arguments."""
    return f"{name}({','.join(f'{key}={_write(value)}' for key, value in args)})"


def read_key(key: str) -> tuple[str, dict[str, Scalar]]:
    """Take a name apart again. :raises ValueError: if it is none."""
    found = _KEY.fullmatch(key) if len(key) <= _LONGEST else None
    if found is None:
        raise ValueError(f"{key[:60]!r} is no field with arguments")
    args: dict[str, Scalar] = {}
    for part in found[2].split(","):
        name, sign, text = part.partition("=")
        if not sign or name in args:
            raise ValueError(f"{key[:60]!r} is no field with arguments")
        args[name] = _read(text)
    if key_of(found[1], args.items()) != key:
        raise ValueError(f"{key[:60]!r} is not written as it should be")
    return found[1], args


def alias_of(key: str) -> str:
    """Return a table alias that belongs to this name alone."""
    return f"x{hashlib.blake2s(key.encode(), digest_size=6).hexdigest()}"


def literal(text: str) -> str:
    """Return a text as a constant in a query that also has named parameters."""
    return f"{quote(text)}::text".replace("%", "%%")


def _write(value: Scalar) -> str:
    if isinstance(value, int):
        return str(value)
    text = "".join(
        letter if letter.isalnum() or letter in _PLAIN else f"~{ord(letter):x};" for letter in value
    )
    return f"~0;{text}" if re.fullmatch(r"-?\d+", text) else text


def _read(text: str) -> Scalar:
    if re.fullmatch(r"-?\d{1,18}", text) and text.isascii():
        return int(text)
    if text.startswith("~0;") and re.fullmatch(r"-?\d+", text[3:]):
        return text[3:]
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)
