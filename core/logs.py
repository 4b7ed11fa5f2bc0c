"""Structured logs: one line per event, personal data masked."""

import logging
import re
from collections.abc import MutableMapping
from typing import Any

import structlog

_EMAIL = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+")
_LONG_NUMBER = re.compile(r"(?<![\w-])\+?\d[\d -]{8,}\d(?![\w-])")
_CUSTOMER = re.compile(r"(/api/brand/v\d+/members/)[^/\s]+")
_SECRET = re.compile(r"\bts[kp]_(?:live|test)_\w+")


def _mask(text: str) -> str:
    text = _SECRET.sub("ts*_***", text)
    text = _EMAIL.sub("***@***", text)
    return _LONG_NUMBER.sub("***", text)


def mask_personal_data(
    _logger: Any, _name: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Mask e-mail addresses, phone and card numbers and API keys in every text of the event."""
    for key, value in event.items():
        if isinstance(value, str) and key not in {"timestamp", "request_id", "task_id"}:
            event[key] = _mask(value)
    # What people search for is names, and a brand's own key may be an address.
    for key in ("request", "path", "url"):
        if isinstance(event.get(key), str):
            event[key] = _CUSTOMER.sub(r"\1***", event[key].partition("?")[0])
    return event


_PROCESSORS: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.format_exc_info,
    mask_personal_data,
]

structlog.configure(
    processors=[*_PROCESSORS, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
    logger_factory=structlog.stdlib.LoggerFactory(),
    wrapper_class=structlog.stdlib.BoundLogger,
    cache_logger_on_first_use=True,
)


def formatter(*, json: bool, **_ignored: object) -> logging.Formatter:
    """Make the formatter used by every handler: JSON lines, or readable lines on a terminal."""
    renderer: Any = (
        structlog.processors.JSONRenderer() if json else structlog.dev.ConsoleRenderer(colors=False)
    )
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_PROCESSORS,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
    )
