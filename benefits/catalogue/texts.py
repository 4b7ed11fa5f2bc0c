"""Texts in several languages: maps such as `{"en": "Car wash", "zh-hans": "洗车"}`. Pure."""

from collections.abc import Mapping
from typing import Any

from benefits.catalogue.errors import InvalidBenefitError

MAX_LENGTH = 4000


def localized(text: Mapping[str, str] | None, lang: str | None) -> str:
    """Return the text in a language, or the nearest one there is, or the empty string.

    Tries the language, its base (`zh` for `zh-hans`), any sister of that base, English, then
    the first that is filled in.
    """
    if not text:
        return ""
    wanted = (lang or "en").lower().replace("_", "-")
    base = wanted.split("-")[0]
    sisters = [key for key in text if key.split("-")[0] == base]
    for key in (wanted, base, *sisters, "en", *text):
        if text.get(key):
            return text[key]
    return ""


def check_text(value: Any, *, pointer: str, required: bool = False) -> dict[str, str]:
    """Return the map without empty texts.

    :raises InvalidBenefitError: if it is no map from language to text, is empty though
        required, or a text is too long.
    """
    if not isinstance(value, Mapping):
        raise InvalidBenefitError("Texts are a map from language to text.", pointer=pointer)
    kept: dict[str, str] = {}
    for language, text in value.items():
        if not isinstance(language, str) or not isinstance(text, str):
            raise InvalidBenefitError(
                "Texts are a map from language to text.", pointer=f"{pointer}/{language}"
            )
        if len(text) > MAX_LENGTH:
            raise InvalidBenefitError("The text is too long.", pointer=f"{pointer}/{language}")
        if text.strip():
            kept[language.lower()] = text.strip()
    if required and not kept:
        raise InvalidBenefitError("A text in at least one language is needed.", pointer=pointer)
    return kept
