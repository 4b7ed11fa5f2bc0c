"""Texts with holes: addresses, headers and bodies of calls, filled with facts of an order.

A hole is `{name}`. A value of a body that is nothing but one hole keeps the fact's own type, so
that `"{price_minor}"` becomes a number. Nothing is ever evaluated.
"""

import re
from collections.abc import Mapping
from datetime import date
from typing import Any, Final
from urllib.parse import quote

from partners.adapters.values import OrderFacts

Fact = str | int | None
HOLES: Final = frozenset(OrderFacts.__dataclass_fields__)
_HOLE = re.compile(r"\{([a-z_]+)\}")
_ANY_BRACE = re.compile(r"[{}]")


def list_facts(facts: OrderFacts) -> dict[str, Fact]:
    """Return the facts as values of JSON; times in RFC 3339."""
    found = {name: getattr(facts, name) for name in HOLES}
    return {
        name: value.isoformat() if isinstance(value, date) else value
        for name, value in found.items()
    }


def find_fault(template: Any) -> str:
    """Return what is wrong with the holes of a template, or an empty text."""
    if isinstance(template, str):
        unknown = sorted(set(_HOLE.findall(template)) - HOLES)
        if unknown:
            return f"{{{unknown[0]}}}"
        rest = _ANY_BRACE.search(_HOLE.sub("", template))
        return rest.group() if rest else ""
    parts = template.values() if isinstance(template, Mapping) else template
    if isinstance(parts, (list, tuple)) or isinstance(template, Mapping):
        return next((fault for part in parts if (fault := find_fault(part))), "")
    return ""


def fill_url(template: str, facts: Mapping[str, Fact]) -> str:
    """Fill an address; each fact is one piece of it, whatever letters it has."""
    return _HOLE.sub(lambda hole: quote(_text(facts[hole.group(1)]), safe=""), template)


def fill_header(template: str, facts: Mapping[str, Fact]) -> str:
    """Fill a header; a line break in a fact begins no other header."""
    return _HOLE.sub(lambda hole: " ".join(_text(facts[hole.group(1)]).split()), template)


def fill_body(template: Any, facts: Mapping[str, Fact]) -> Any:
    """Fill a body of JSON, value by value; its names stay as they are."""
    if isinstance(template, str):
        alone = _HOLE.fullmatch(template)
        if alone:
            return facts[alone.group(1)]
        return _HOLE.sub(lambda hole: _text(facts[hole.group(1)]), template)
    if isinstance(template, Mapping):
        return {name: fill_body(part, facts) for name, part in template.items()}
    if isinstance(template, list):
        return [fill_body(part, facts) for part in template]
    return template


def _text(value: Fact) -> str:
    return "" if value is None else str(value)
