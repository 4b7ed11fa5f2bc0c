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


def subset(css: str, families: str) -> str:
    """Return the rules whose every class matches a pattern of families (shell patterns, one a line).

    Rules without a class (elements, variables, fonts) stay. A pattern that starts with "!" takes
    classes out again. Keyframes stay when something kept names them.
    """
    css = re.sub(r"/\*(?!!).*?\*/", "", css, flags=re.DOTALL)
    lines = [line.strip() for line in families.splitlines()]
    patterns = [line for line in lines if line and not line.startswith(("#", "!"))]
    refused = [line[1:] for line in lines if line.startswith("!")]

    @functools.cache
    def wanted(name: str) -> bool:
        name = name.replace("\\", "")
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in refused):
            return False
        return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)

    def keep(selector: str) -> bool:
        if any(mark in selector for mark in FOREIGN):
            return False
        bare = re.sub(r":not\([^()]*\)|\[[^\]]*\]", "", selector)
        return all(wanted(name) for name in CLASS.findall(bare))

    def reduce(level: str) -> str:
        out = []
        for prelude, body in blocks(level):
            if body is None:
                out.append(f"{prelude};")
            elif prelude.startswith(GROUPS):
                inner = reduce(body)
                if inner:
                    out.append(f"{prelude}{{{inner}}}")
            elif prelude.startswith("@"):
                out.append(f"{prelude}{{{body}}}")
            else:
                kept = [selector for selector in selectors(prelude) if keep(selector)]
                if kept and body:
                    out.append(f"{','.join(kept)}{{{body}}}")
        return "".join(out)

    reduced = reduce(css)

    def named(match: re.Match[str]) -> str:
        frames = match.group(0)
        return (
            frames if len(re.findall(rf"[:,\s]{re.escape(match.group(1))}\b", reduced)) > 1 else ""
        )

    return re.sub(r"@keyframes ([\w-]+)\{(?:[^{}]*\{[^{}]*\})*\}", named, reduced)
