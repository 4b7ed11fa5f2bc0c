"""Finding values of an erased person in texts and JSON, and taking them out. Pure."""

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

GONE = "[erased]"
_IDEOGRAPHS = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af]")
_FILLERS = re.compile(r"[\s().\-/]+")


def worth_seeking(values: Iterable[object]) -> list[str]:
    """Return the distinct texts among the values that say who somebody is, longest first."""
    texts = {str(value).strip() for value in values if value is not None}
    return sorted((text for text in texts if len(text) > 1), key=lambda text: (-len(text), text))


def is_telling(value: str) -> bool:
    """Say whether a value names the person also in the middle of a longer text.

    A short Latin name such as "Li" does not: it is part of many words.
    """
    ideographs = len(_IDEOGRAPHS.findall(value))
    return ideographs >= 2 or len(value) >= 6


def mentions(text: str, values: Iterable[str]) -> bool:
    """Say whether a text names the person: an e-mail, a phone number however written, a name."""
    folded = _fold(text)
    digits = _FILLERS.sub("", folded)
    for value in values:
        wanted = _fold(value)
        bare = _FILLERS.sub("", wanted).lstrip("+")
        if bare.isdecimal() and len(bare) >= 6:
            if bare in digits or (len(bare) > 10 and bare[-10:] in digits):
                return True
        elif is_telling(wanted):
            if wanted in folded:
                return True
        elif re.search(rf"(?<!\w){re.escape(wanted)}(?!\w)", folded):
            return True
    return False


@dataclass(frozen=True, slots=True)
class Traces:
    """What is looked for: `names` say who somebody is, `words` are what was written about them.

    A name is taken out wherever it stands, words only where they are the whole text: "thank you,
    see you next week" tells nothing of whom it was said to.
    """

    names: tuple[str, ...] = ()
    words: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        """Names and words."""
        return (*self.names, *self.words)

    def clean_text(self, text: str) -> str:
        """Return a text without them."""
        if text in self.words:
            return GONE
        for name in self.names:
            if text == name:
                return GONE
            if is_telling(name):
                text = text.replace(name, GONE)
        return text

    def clean_json(self, content: Any) -> Any:
        """Return JSON without them in any of its texts; keys stay."""
        if isinstance(content, str):
            return self.clean_text(content)
        if isinstance(content, list):
            return [self.clean_json(item) for item in content]
        if isinstance(content, dict):
            return {key: self.clean_json(item) for key, item in content.items()}
        return content

    def as_stored(self) -> list[list[Any]]:
        """Return them as JSON."""
        return [[value, True] for value in self.names] + [[value, False] for value in self.words]

    @classmethod
    def from_stored(cls, stored: Iterable[Iterable[Any]]) -> "Traces":
        """Return what `as_stored` made."""
        pairs = [tuple(pair) for pair in stored]
        return cls(
            tuple(value for value, is_name in pairs if is_name),
            tuple(value for value, is_name in pairs if not is_name),
        )


def texts_in(content: Any) -> Iterator[str]:
    """Yield the texts inside JSON."""
    if isinstance(content, str):
        yield content
    elif isinstance(content, list):
        for item in content:
            yield from texts_in(item)
    elif isinstance(content, dict):
        for item in content.values():
            yield from texts_in(item)


def as_written(value: str) -> str:
    """Return a value as it stands inside the JSON text of the database."""
    return json.dumps(value, ensure_ascii=False)[1:-1]


def _fold(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()
