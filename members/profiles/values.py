"""What the profiles room hands out: plain values without a database behind them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class AttributeType(StrEnum):
    """What the values of a brand's own attribute are, stored in JSON under its code.

    Text, choice (its code) and date (`YYYY-MM-DD`) are JSON strings, so that
    `attributes ->> code` gives them and dates compare as texts do; a number is a JSON number
    below 10^12 with at most six decimal places; a boolean is true or false.
    """

    TEXT = "text"
    NUMBER = "number"
    DATE = "date"
    BOOLEAN = "boolean"
    CHOICE = "choice"


@dataclass(frozen=True, slots=True)
class Choice:
    """One value that a choice attribute may have; `label` maps languages to its name."""

    code: str
    label: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """A fact of its own that a brand keeps about its members.

    `label` maps languages to its name. A code stands for one type for ever. `is_active` is false
    once retired: values stay and can be read, nobody is asked for them, nothing writes them.
    """

    code: str
    type: AttributeType
    label: Mapping[str, str]
    choices: tuple[Choice, ...] = ()
    is_required: bool = False
    portal: str = "hidden"
    is_active: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """A purpose with its words of today, and what a member says to it.

    `is_given` is None as long as nobody was asked. `at`, `source`, `actor` and `text_version`
    tell of the last change; `version` and `text` are the words in force.
    """

    purpose: str
    label: Mapping[str, str]
    text: Mapping[str, str]
    version: int | None
    is_active: bool
    is_given: bool | None = None
    at: datetime | None = None
    source: str = ""
    actor: str = ""
    text_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Since when a member is blocked, and the reason that staff gave."""

    reason: str = ""
    at: datetime | None = None
