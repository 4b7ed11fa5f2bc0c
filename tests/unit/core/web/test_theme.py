"""Colours of a brand: readable whatever colour its staff pick."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.web.theme import (
    DARK_SURFACES,
    GRAPHIC_CONTRAST,
    LIGHT_SURFACES,
    TEXT_CONTRAST,
    compute_theme,
    contrast,
    from_oklch,
    parse_hex,
    render_brand_css,
    theme_version,
    to_hex,
    to_oklch,
)

BRANDS = {
    "yellow": "#facc15",
    "teal": "#0f766e",
    "brown": "#b45309",
    "black": "#000000",
    "white": "#ffffff",
}
colours = st.integers(0, 0xFFFFFF).map(lambda value: f"#{value:06x}")


def test_contrast_agrees_with_the_published_extremes() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21.0)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.005)
    assert contrast("#abcdef", "#abcdef") == pytest.approx(1.0)


def test_oklch_agrees_with_known_values() -> None:
    # Values of the CSS Color 4 sample for `red` and of white.
    red = to_oklch("#ff0000")
    assert (round(red.lightness, 3), round(red.chroma, 3), round(red.hue, 1)) == (
        0.628,
        0.258,
        29.2,
    )
    white = to_oklch("#ffffff")
    assert white.lightness == pytest.approx(1.0, abs=1e-6)
    assert white.chroma == pytest.approx(0.0, abs=1e-6)


@given(colours)
def test_oklch_leads_back_to_the_same_colour(colour: str) -> None:
    assert from_oklch(to_oklch(colour)) == colour


def test_parse_hex_refuses_other_forms() -> None:
    for text in ("", "#fff", "red", "#12345g", "#1234567", "rgb(1,2,3)"):
        with pytest.raises(ValueError, match="not a colour"):
            parse_hex(text)


def test_to_hex_clips() -> None:
    assert to_hex(-0.2, 0.5, 1.4) == "#0080ff"


def worst_text_contrast(colour: str) -> float:
    """Return the lowest contrast of any text the theme puts on any surface."""
    theme = compute_theme(colour)
    found = []
    for shades, surfaces in ((theme.light, LIGHT_SURFACES), (theme.dark, DARK_SURFACES)):
        found += [contrast(shades.text, surface) for surface in (*surfaces, shades.tint)]
        found.append(contrast(shades.on_fill, shades.fill))
    found += [contrast(theme.card.ink, end) for end in (theme.card.start, theme.card.end)]
    return min(found)


@pytest.mark.parametrize("colour", BRANDS.values(), ids=BRANDS)
def test_text_is_readable(colour: str) -> None:
    assert worst_text_contrast(colour) >= TEXT_CONTRAST


@given(colours)
def test_text_is_readable_for_any_colour(colour: str) -> None:
    assert worst_text_contrast(colour) >= TEXT_CONTRAST


@given(colours)
def test_charts_are_visible_for_any_colour(colour: str) -> None:
    theme = compute_theme(colour)
    assert len(theme.chart_light) == len(theme.chart_dark) == 7
    assert min(contrast(c, LIGHT_SURFACES[0]) for c in theme.chart_light) >= GRAPHIC_CONTRAST
    assert min(contrast(c, DARK_SURFACES[0]) for c in theme.chart_dark) >= GRAPHIC_CONTRAST


@pytest.mark.parametrize("colour", ["#facc15", "#0f766e", "#b45309"])
def test_chart_colours_keep_away_from_the_brands_hue(colour: str) -> None:
    own = to_oklch(colour).hue
    for other in compute_theme(colour).chart_light[1:]:
        distance = abs((to_oklch(other).hue - own + 180) % 360 - 180)
        assert distance > 25


def test_text_that_suffices_is_left_alone() -> None:
    theme = compute_theme("#0f766e")
    assert theme.light.text == "#0f766e"
    assert theme.light.fill == "#0f766e"
    assert theme.light.on_fill == "#ffffff"


def test_yellow_gets_dark_text_on_its_fill_and_a_light_card() -> None:
    theme = compute_theme("#facc15")
    assert theme.light.fill == "#facc15"
    assert theme.light.on_fill == "#111111"
    assert theme.card.ink == "#111111"
    assert theme.light.text != "#facc15"
    assert to_oklch(theme.light.text).hue == pytest.approx(to_oklch("#facc15").hue, abs=8)


def test_white_and_black_brands_stand_out_from_their_surface() -> None:
    assert contrast(compute_theme("#ffffff").light.fill, "#ffffff") >= 1.35
    assert contrast(compute_theme("#000000").dark.fill, DARK_SURFACES[0]) >= 2.2


@given(colours)
def test_hover_differs_from_fill(colour: str) -> None:
    theme = compute_theme(colour)
    assert theme.light.hover != theme.light.fill
    assert theme.dark.hover != theme.dark.fill


def test_css_holds_the_variables_that_pages_use() -> None:
    css = render_brand_css("#B45309")
    assert css.startswith(":root{--brand:#b45309;--brand-fg:#ffffff;")
    for name in ("--brand-text", "--brand-tint", "--card-from", "--chart-7", "--tblr-primary-rgb"):
        assert f"{name}:" in css
    assert "--tblr-primary-rgb:180,83,9;" in css
    assert "<" not in css


def test_version_follows_the_colour() -> None:
    assert theme_version("#b45309") == theme_version("#b45309")
    assert theme_version("#b45309") != theme_version("#b45308")
    assert len(theme_version("#b45309")) == 12
