"""Icons drawn into the page from the vendored sprite, so that no page waits for a second file."""

import re
from functools import cache
from pathlib import Path

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

SPRITE = Path(__file__).resolve().parent.parent / "static" / "vendor" / "icons.svg"
# Shown when data (a benefit, a logo) names an icon that the sprite does not hold.
FALLBACK = "circle-dashed"

_SYMBOL = re.compile(r'<symbol id="([a-z0-9-]+)" viewBox="0 0 24 24">(.*?)</symbol>')


@cache
def drawings() -> dict[str, str]:
    """Return the inner SVG of every icon by name."""
    return dict(_SYMBOL.findall(SPRITE.read_text(encoding="utf-8")))


@cache
def icon_names() -> tuple[str, ...]:
    """Return the names of all icons, sorted."""
    return tuple(sorted(drawings()))


@cache
def _svg(name: str, css: str, label: str) -> SafeString:
    known = drawings()
    name = name if name in known else FALLBACK
    classes = "icon icon-filled" if name.endswith("-filled") else "icon"
    if css:
        classes = f"{classes} {escape(css)}"
    access = f'role="img" aria-label="{escape(label)}"' if label else 'aria-hidden="true"'
    return mark_safe(  # noqa: S308 — the drawing is ours, the rest is escaped
        f'<svg class="{classes}" viewBox="0 0 24 24" {access}>{known[name]}</svg>'
    )


def icon_svg(name: str, css: str = "", label: str = "") -> SafeString:
    """Return an inline `<svg>`; decorative unless a label is given."""
    return _svg(str(name), str(css), str(label))
