"""Keep only the named families of a minified style sheet."""

from __future__ import annotations

import fnmatch
import functools
import re
from collections.abc import Iterator

CLASS = re.compile(r"\.(-?[A-Za-z_][\w-]*(?:\\.[\w-]*)*)")
# Theme switches of the library that we do not use: ours is data-bs-theme on <html>.
FOREIGN = (
    "data-bs-navbar-theme",
    "body[data-",
    "data-theme=",
    ".theme-dark",
    ":host",
    "data-bs-sidebar",
)
GROUPS = ("@media", "@supports", "@layer", "@container")


def blocks(css: str) -> Iterator[tuple[str, str | None]]:
    """Yield (prelude, body) per rule of one level; body is None for statements such as @charset."""
    position = 0
    while position < len(css):
        opening, ending = css.find("{", position), css.find(";", position)
        if opening == -1 and ending == -1:
            return
        if ending != -1 and (opening == -1 or ending < opening):
            yield css[position:ending].strip(), None
            position = ending + 1
            continue
        depth, index = 1, opening + 1
        while depth:
            match css[index]:
                case "{":
                    depth += 1
                case "}":
                    depth -= 1
                case '"' | "'" as quote:
                    index = css.index(quote, index + 1)
            index += 1
        yield css[position:opening].strip(), css[opening + 1 : index - 1]
        position = index


def selectors(prelude: str) -> list[str]:
    """Split a selector list at its outer commas."""
    parts, depth, start = [], 0, 0
    for index, character in enumerate(prelude):
        if character in "([":
            depth += 1
        elif character in ")]":
            depth -= 1
        elif character == "," and depth == 0:
            parts.append(prelude[start:index])
            start = index + 1
    return [*parts, prelude[start:]]


class Families:
    """Patterns of class names to keep (shell patterns, one a line; "!" takes out again)."""

    def __init__(self, text: str) -> None:
        lines = [line.strip() for line in text.splitlines()]
        self.patterns = [line for line in lines if line and not line.startswith(("#", "!"))]
        self.refused = [line[1:] for line in lines if line.startswith("!")]
        self.wants = functools.cache(self._wants)

    def _wants(self, name: str) -> bool:
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in self.refused):
            return False
        return any(fnmatch.fnmatchcase(name, pattern) for pattern in self.patterns)

    def keeps(self, selector: str) -> bool:
        """Whether every class of a selector is wanted; elements and variables always are."""
        if any(mark in selector for mark in FOREIGN):
            return False
        bare = re.sub(r":not\([^()]*\)|\[[^\]]*\]", "", selector)
        return all(self.wants(name.replace("\\", "")) for name in CLASS.findall(bare))

    def reduce(self, level: str) -> str:
        """Return the rules of one level that stay, groups such as @media included."""
        out = []
        for prelude, body in blocks(level):
            if body is None:
                out.append(f"{prelude};")
            elif prelude.startswith(GROUPS):
                inner = self.reduce(body)
                out.append(f"{prelude}{{{inner}}}" if inner else "")
            elif prelude.startswith("@"):
                out.append(f"{prelude}{{{body}}}")
            else:
                kept = ",".join(filter(self.keeps, selectors(prelude)))
                out.append(f"{kept}{{{body}}}" if kept and body else "")
        return "".join(out)


def subset(css: str, families: str) -> str:
    """Return the style sheet with only the named families of classes.

    Rules without a class (elements, variables, fonts) stay. Keyframes stay when something kept
    names them, and so does the banner with the licence.
    """
    banner = "".join(re.findall(r"/\*!.*?\*/", css, flags=re.DOTALL)[:1])
    reduced = Families(families).reduce(re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL))

    def named(match: re.Match[str]) -> str:
        uses = re.findall(rf"[:,\s]{re.escape(match.group(1))}\b", reduced)
        return match.group(0) if len(uses) > 1 else ""

    reduced = re.sub(r"@keyframes ([\w-]+)\{(?:[^{}]*\{[^{}]*\})*\}", named, reduced)
    charset = '@charset "UTF-8";'
    return f"{charset}{banner}{reduced.removeprefix(charset)}"
