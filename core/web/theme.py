"""A brand's colours, computed from the one colour its staff picked.

Every text colour that leaves this module has a contrast of at least 4.5:1 (WCAG 2.2, 1.4.3) on
the surfaces it stands on. Shades are found in OKLCH (Björn Ottosson, "A perceptual color space
for image processing", 2020), where lightness moves without the hue seeming to change.
"""

import hashlib
import math
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

TEXT_CONTRAST = 4.5
# A filled button must stand out from the surface even when the brand colour is white or black.
LIGHT_FILL_CONTRAST = 1.35
DARK_FILL_CONTRAST = 2.2
# Lines and bars of charts (WCAG 2.2, 1.4.11).
GRAPHIC_CONTRAST = 3.0

LIGHT_SURFACES = ("#ffffff", "#fafafa", "#f5f5f5")
DARK_SURFACES = ("#262626", "#171717", "#1f1f1f")
GREY_CHROMA = 0.03
GREY_CONTRAST = 9.0
TINT_SHARE = 0.10
DARK_TINT_SHARE = 0.18

# Hues of the chart palette besides the brand's own, in the order in which series take them:
# neighbours are far apart for people who do not tell red from green.
CHART_HUES = (255.0, 55.0, 175.0, 305.0, 90.0, 20.0, 215.0, 140.0, 340.0)
CHART_SERIES = 7
HUE_DISTANCE = 32.0

_HEX = re.compile(r"#?([0-9a-fA-F]{6})")


class Oklch(NamedTuple):
    """Lightness 0–1, chroma from 0, hue in degrees."""

    lightness: float
    chroma: float
    hue: float


@dataclass(frozen=True, slots=True)
class Shades:
    """The brand's colours in one mode, as hex.

    `fill` for buttons and marks, `on_fill` for text on it, `hover` for a pressed or hovered fill,
    `text` for brand-coloured text on page, card and tint, `tint` for soft backgrounds.
    """

    fill: str
    on_fill: str
    hover: str
    text: str
    tint: str


@dataclass(frozen=True, slots=True)
class Card:
    """The two ends of the member card's gradient and the colour of text on both."""

    start: str
    end: str
    ink: str


@dataclass(frozen=True, slots=True)
class Theme:
    """All colours computed from one brand colour; `chart_light` and `chart_dark` pair up."""

    colour: str
    light: Shades
    dark: Shades
    card: Card
    chart_light: tuple[str, ...]
    chart_dark: tuple[str, ...]


def parse_hex(colour: str) -> tuple[int, int, int]:
    """Return red, green and blue (0–255) of `#rrggbb`.

    :raises ValueError: for any other form.
    """
    match = _HEX.fullmatch(colour)
    if match is None:
        raise ValueError(f"{colour!r} is not a colour of the form #rrggbb")
    digits = match[1]
    return int(digits[0:2], 16), int(digits[2:4], 16), int(digits[4:6], 16)


def to_hex(red: float, green: float, blue: float) -> str:
    """Return `#rrggbb` of channels 0–1, clipped."""
    channels = (max(0, min(255, round(value * 255))) for value in (red, green, blue))
    return "#" + "".join(f"{value:02x}" for value in channels)


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else math.pow((channel + 0.055) / 1.055, 2.4)


def _gamma(channel: float) -> float:
    if channel <= 0.0031308:
        return channel * 12.92
    return 1.055 * math.pow(channel, 1 / 2.4) - 0.055


def luminance(colour: str) -> float:
    """Return the relative luminance of a colour (WCAG 2.2)."""
    red, green, blue = (_linear(value / 255) for value in parse_hex(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours, 1 to 21 (WCAG 2.2)."""
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def to_oklch(colour: str) -> Oklch:
    """Return a colour in OKLCH."""
    red, green, blue = (_linear(value / 255) for value in parse_hex(colour))
    long = math.cbrt(0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue)
    medium = math.cbrt(0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue)
    short = math.cbrt(0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue)
    lightness = 0.2104542553 * long + 0.7936177850 * medium - 0.0040720468 * short
    a = 1.9779984951 * long - 2.4285922050 * medium + 0.4505937099 * short
    b = 0.0259040371 * long + 0.7827717662 * medium - 0.8086757660 * short
    return Oklch(lightness, math.hypot(a, b), math.degrees(math.atan2(b, a)) % 360)


def _to_linear_rgb(colour: Oklch) -> tuple[float, float, float]:
    a = colour.chroma * math.cos(math.radians(colour.hue))
    b = colour.chroma * math.sin(math.radians(colour.hue))
    long = (colour.lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (colour.lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (colour.lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    return (
        4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
    )


def from_oklch(colour: Oklch) -> str:
    """Return the hex of an OKLCH colour; chroma is lowered until sRGB can show it."""
    lightness = max(0.0, min(1.0, colour.lightness))
    low, high = 0.0, colour.chroma
    if not _in_gamut(_to_linear_rgb(Oklch(lightness, high, colour.hue))):
        for _ in range(18):
            middle = (low + high) / 2
            if _in_gamut(_to_linear_rgb(Oklch(lightness, middle, colour.hue))):
                low = middle
            else:
                high = middle
        high = low
    channels = _to_linear_rgb(Oklch(lightness, high, colour.hue))
    return to_hex(*(_gamma(max(0.0, min(1.0, value))) for value in channels))


def _in_gamut(channels: tuple[float, float, float]) -> bool:
    return all(-0.0005 <= value <= 1.0005 for value in channels)


def mix(colour: str, surface: str, share: float) -> str:
    """Return `share` of colour laid over surface, in sRGB."""
    pairs = zip(parse_hex(colour), parse_hex(surface), strict=True)
    return to_hex(*((top * share + base * (1 - share)) / 255 for top, base in pairs))


def _shifted(colour: str, surfaces: tuple[str, ...], ratio: float, *, darker: bool) -> str:
    """Return the colour nearest in lightness that has the ratio on every surface."""

    def suffices(candidate: str) -> bool:
        return all(contrast(candidate, surface) >= ratio for surface in surfaces)

    if suffices(colour):
        return colour
    start = to_oklch(colour)
    good, bad = (0.0 if darker else 1.0), start.lightness
    for _ in range(20):
        middle = (good + bad) / 2
        if suffices(from_oklch(start._replace(lightness=middle))):
            good = middle
        else:
            bad = middle
    return from_oklch(start._replace(lightness=good))


def _on(fill: str) -> str:
    """Return white, or the softest black, that can be read on a fill."""
    for ink in ("#ffffff", "#111111"):
        if contrast(ink, fill) >= TEXT_CONTRAST:
            return ink
    return "#000000"


def _hover(fill: str, ink: str) -> str:
    """Return a fill a step away from its ink, or towards it where there is no way left."""
    place = to_oklch(fill)
    step = -0.06 if ink == "#ffffff" else 0.05
    if not 0.12 < place.lightness + step < 1.0:
        step = -1.5 * step
    return from_oklch(place._replace(lightness=place.lightness + step))


def _shades(colour: str, surfaces: tuple[str, ...], *, dark: bool) -> Shades:
    ratio = DARK_FILL_CONTRAST if dark else LIGHT_FILL_CONTRAST
    fill = _shifted(colour, surfaces[:1], ratio, darker=not dark)
    ink = _on(fill)
    hover = _hover(fill, ink)
    share = DARK_TINT_SHARE if dark else TINT_SHARE
    if to_oklch(colour).chroma < GREY_CHROMA:
        # A grey has no hue to be told by: its text stands out by strength instead.
        text = _shifted(fill, surfaces, GREY_CONTRAST, darker=not dark)
        tint = mix(text, surfaces[0], share)
    else:
        tint = mix(fill, surfaces[0], share)
        text = _shifted(fill, (*surfaces, tint), TEXT_CONTRAST, darker=not dark)
    return Shades(fill=fill, on_fill=ink, hover=hover, text=text, tint=tint)


def _card(colour: str) -> Card:
    """Return the member card's gradient; a light brand gets a light card with dark text."""
    if contrast(colour, "#ffffff") < 2.4:
        start = _shifted(colour, ("#111111",), 7.5, darker=False)
        place = to_oklch(start)
        end = from_oklch(place._replace(lightness=place.lightness - 0.07))
        return Card(start=start, end=end, ink="#111111")
    end = _shifted(colour, ("#ffffff",), 5.2, darker=True)
    place = to_oklch(end)
    if place.lightness < 0.3:
        start, end = end, from_oklch(place._replace(lightness=place.lightness + 0.16))
        return Card(start=start, end=end, ink="#ffffff")
    start = from_oklch(place._replace(lightness=place.lightness - 0.14))
    return Card(start=start, end=end, ink="#ffffff")


def _distance(one: float, other: float) -> float:
    return abs((one - other + 180) % 360 - 180)


def _chart(colour: str, surface: str, *, dark: bool) -> tuple[str, ...]:
    own = to_oklch(colour)
    first = _shifted(colour, (surface,), GRAPHIC_CONTRAST, darker=not dark)
    hues = [h for h in CHART_HUES if own.chroma < 0.04 or _distance(h, own.hue) > HUE_DISTANCE]
    # Alternating lightness tells neighbours apart in greyscale and in print.
    levels = (0.72, 0.62, 0.78) if dark else (0.60, 0.52, 0.64)
    others = [
        _shifted(
            from_oklch(Oklch(levels[index % 3], 0.13, hue)),
            (surface,),
            GRAPHIC_CONTRAST,
            darker=not dark,
        )
        for index, hue in enumerate(hues)
    ]
    return (first, *others[: CHART_SERIES - 1])


@lru_cache(maxsize=1024)
def compute_theme(colour: str) -> Theme:
    """Compute all of a brand's colours from one of the form `#rrggbb`.

    :raises ValueError: if the colour has another form.
    """
    colour = to_hex(*(channel / 255 for channel in parse_hex(colour)))
    return Theme(
        colour=colour,
        light=_shades(colour, LIGHT_SURFACES, dark=False),
        dark=_shades(colour, DARK_SURFACES, dark=True),
        card=_card(colour),
        chart_light=_chart(colour, LIGHT_SURFACES[0], dark=False),
        chart_dark=_chart(colour, DARK_SURFACES[0], dark=True),
    )


@lru_cache(maxsize=1024)
def render_brand_css(colour: str) -> str:
    """Return the style sheet that carries a brand's colours as CSS variables."""
    theme = compute_theme(colour)
    light, dark = theme.light, theme.dark

    def both(one: str, other: str) -> str:
        return one if one == other else f"light-dark({one},{other})"

    variables = {
        "--brand": both(light.fill, dark.fill),
        "--brand-fg": both(light.on_fill, dark.on_fill),
        "--brand-hover": both(light.hover, dark.hover),
        "--brand-text": both(light.text, dark.text),
        "--brand-tint": both(light.tint, dark.tint),
        "--card-from": theme.card.start,
        "--card-to": theme.card.end,
        "--card-fg": theme.card.ink,
        "--tblr-primary": "var(--brand)",
        "--tblr-primary-rgb": ",".join(str(channel) for channel in parse_hex(light.fill)),
        "--tblr-primary-fg": "var(--brand-fg)",
        "--tblr-primary-darken": "var(--brand-hover)",
        "--tblr-primary-lt": "var(--brand-tint)",
        "--tblr-primary-lt-fg": "var(--brand-text)",
        "--tblr-link-color": "var(--brand-text)",
    }
    for number, pair in enumerate(zip(theme.chart_light, theme.chart_dark, strict=True), start=1):
        variables[f"--chart-{number}"] = both(*pair)
    body = "".join(f"{name}:{value};" for name, value in variables.items())
    return f":root{{{body}}}\n"


@lru_cache(maxsize=1024)
def theme_version(colour: str) -> str:
    """Return a short text that changes whenever the brand's style sheet changes."""
    return hashlib.sha256(render_brand_css(colour).encode()).hexdigest()[:12]
