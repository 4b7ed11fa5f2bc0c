"""What is said to people about files and rows that can not be taken."""

from collections.abc import Callable, Mapping
from typing import Any

from django.utils.translation import gettext as _

from members.activity.imports.rows import Problem
from members.activity.imports.sources import BadFileError

_ROWS: Mapping[str, Callable[[Problem], str]] = {
    "not_a_number": lambda p: _("“%(value)s” is not an amount.") % {"value": p.value},
    "negative": lambda p: _("%(value)s is less than nothing.") % {"value": p.value},
    "too_many_decimals": lambda p: (
        _("%(value)s has more decimals than the currency.") % {"value": p.value}
    ),
    "too_large": lambda p: _("%(value)s is too large.") % {"value": p.value},
    "unsupported_currency": lambda p: (
        _("“%(value)s” is not the brand's currency.") % {"value": p.value}
    ),
    "not_a_time": lambda p: _("“%(value)s” is not a date or time.") % {"value": p.value},
    "future": lambda p: _("%(value)s lies in the future.") % {"value": p.value},
    "empty": lambda _p: _("This must not be empty."),
    "too_long": lambda p: _("Longer than %(value)s characters.") % {"value": p.value},
    "not_a_count": lambda p: (
        _("“%(value)s” is not a whole number from 1 to 1,000,000.") % {"value": p.value}
    ),
    "wrong_width": lambda p: (
        _("%(found)s columns, where the first line has %(wanted)s.")
        % dict(zip(("found", "wanted"), p.value.split("/"), strict=True))
    ),
    "lone_quote": lambda _p: _("A quotation mark is not closed, or stands inside a value."),
    "control_characters": lambda _p: _("Control characters are not allowed."),
    "line_too_long": lambda p: (
        _("The line is longer than %(value)s characters.") % {"value": p.value}
    ),
    "unknown_member": lambda p: _("“%(value)s” is not enrolled.") % {"value": p.value},
    "erased_member": lambda p: _("“%(value)s” was erased.") % {"value": p.value},
    "duplicate_purchase": lambda p: (
        _("“%(value)s” exists with another content.") % {"value": p.value}
    ),
    "not_a_day": lambda p: _("“%(value)s” is not a day.") % {"value": p.value},
    "not_yes_or_no": lambda p: _("“%(value)s” is neither yes nor no.") % {"value": p.value},
    "refused": lambda p: p.value,
    "repeated_member": lambda p: _("“%(value)s” is in the file twice.") % {"value": p.value},
    "repeated_email": lambda p: (
        _("“%(value)s” is the address of two members of the file.") % {"value": p.value}
    ),
    "email_taken": lambda p: _("“%(value)s” is another member's address.") % {"value": p.value},
    "missing_attribute": lambda p: (
        _("A new member needs the attribute “%(value)s”.") % {"value": p.value}
    ),
    "unknown_purchase": lambda p: (
        _("“%(value)s” is not in the file of purchases.") % {"value": p.value}
    ),
}

_FILES: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "no_file": lambda d: _("It can not be opened: %(reason)s.") % d,
    "empty_file": lambda _d: _("It is empty."),
    "broken_gzip": lambda _d: _("It is packed with gzip, but cut off or damaged."),
    "broken_encoding": lambda d: _("It is not a text in %(encoding)s: %(reason)s.") % d,
    "broken_header": lambda _d: _("Its first line can not be read."),
    "unknown_mapping": lambda d: (
        _("There is no column %(columns)s of ours; there are %(possible)s.") % _joined(d)
    ),
    "missing_columns": lambda d: (
        _("The column %(columns)s is missing; it has %(found)s.") % _joined(d)
    ),
    "repeated_column": lambda d: _("The column %(column)s is there twice.") % d,
    "lines_need_ids": lambda d: (
        _("Lines need the column %(columns)s in the file of purchases.") % _joined(d)
    ),
}


def describe_problem(problem: Problem) -> str:
    """Say why a row is refused, with the column to blame, in the language in force."""
    text = _ROWS[problem.code](problem)
    return f"{problem.column}: {text}" if problem.column else text


def describe_file_error(error: BadFileError) -> str:
    """Say why a file can not be read, in the language in force."""
    return _FILES[error.code](error.data)


def _joined(data: Mapping[str, Any]) -> dict[str, str]:
    return {
        key: ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        for key, value in data.items()
    }
