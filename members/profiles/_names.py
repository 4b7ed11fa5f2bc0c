"""How a part of a name is found by index, in any script. Pure."""

import re
import unicodedata

# Chinese characters, kana and hangul: scripts in which one character is worth a search.
_IDEOGRAPH = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff]")
_BLANKS = re.compile(r"\s+")
MAX_GRAMS = 240


def fold(text: str) -> str:
    """Return the text as names are compared: compatibility forms, capitals, blanks made equal."""
    return _BLANKS.sub(" ", unicodedata.normalize("NFKC", text).casefold()).strip()


def grams(text: str) -> list[str]:
    """Return what is indexed for a name: pairs of neighbouring characters, single ideographs.

    A name contains a part only if it has all grams of the part; see `needed`.
    """
    folded = fold(text)
    found = {folded[i : i + 2] for i in range(len(folded) - 1)}
    found.update(_IDEOGRAPH.findall(folded))
    return sorted(found)[:MAX_GRAMS]


def needed(part: str) -> list[str]:
    """Return the grams that a name containing `part` must have; empty when nothing can be said.

    A single Latin letter has none: that search is refused, since it would match nearly all.
    """
    folded = fold(part)
    if len(folded) == 1:
        return _IDEOGRAPH.findall(folded)
    return sorted({folded[i : i + 2] for i in range(len(folded) - 1)})
