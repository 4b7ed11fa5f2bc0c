"""Template tags and filters."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone, translation

from core import clock
from core.templatetags import tessera as tags

pytestmark = pytest.mark.urls("core.web.urls")

NOON = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)


def test_unknown_figures_are_never_zero() -> None:
    with translation.override("en"):
        assert tags.money(None, "USD") == "–"
        assert tags.number(None) == "–"
        assert tags.signed(None) == "–"
        assert tags.percent(None) == "no data"
        assert tags.percent_signed(None) == "no data"
        assert tags.day(None) == "–"
        assert tags.localtime(None) == "–"
        assert tags.ago(None) == "–"


def test_figures_follow_the_active_language() -> None:
    with translation.override("zh-hans"):
        assert tags.money(186_000_000, "CNY") == "¥1,860,000.00"
        assert tags.money_short(186_000_000, "CNY") == "¥186万"
        assert tags.number_short(3_420_000) == "342万"
        assert tags.percent(0.674) == "67.4%"
        assert tags.percent(0.674, 0) == "67%"


def test_times_are_shown_in_the_brands_zone() -> None:
    late = datetime(2026, 11, 22, 17, 30, tzinfo=UTC)
    with translation.override("en"):
        with timezone.override(ZoneInfo("Asia/Shanghai")):
            assert tags.localtime(late) == "23 Nov 2026, 01:30"
            assert tags.day(late) == "23 Nov 2026"
            assert tags.clocktime(late) == "01:30"
        with timezone.override(ZoneInfo("America/New_York")):
            assert tags.localtime(late) == "22 Nov 2026, 12:30"
            assert tags.day(late) == "22 Nov 2026"


def test_filters_get_the_instant_itself_in_templates(render: Callable[..., str]) -> None:
    late = datetime(2026, 11, 22, 17, 30, tzinfo=UTC)
    with timezone.override(ZoneInfo("Asia/Shanghai")):
        assert (
            render("{{ at|localtime }}|{{ at|day_short }}", at=late) == "23 Nov 2026, 01:30|23 Nov"
        )


def test_ago_carries_the_full_time() -> None:
    with translation.override("en"), timezone.override(UTC), clock.at(NOON):
        html = tags.ago(datetime(2026, 11, 22, 1, 0, tzinfo=UTC))
        assert html == (
            '<time datetime="2026-11-22T01:00:00+00:00" title="22 Nov 2026, 01:00">3 hours ago</time>'
        )
        assert ">just now<" in tags.ago(NOON)
        assert tags.ago(date(2026, 11, 22)) == "today"
        assert ">in 3 days<" in tags.ago(date(2026, 11, 25))


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (100, "100"), (0.5, "0.5"), (Decimal(10), "10"), (1e6, "1000000"), (None, "0")],
)
def test_numbers_for_html_have_no_grouping(value: float | Decimal | None, text: str) -> None:
    assert tags.unlocalize_number(value) == text


@pytest.mark.parametrize(
    ("delta", "good", "tone"),
    [
        (0.1, "up", "tone-ok"),
        (-0.1, "up", "tone-bad"),
        (0.1, "down", "tone-bad"),
        (-0.1, "down", "tone-ok"),
        (0, "up", ""),
        (0.1, "", ""),
    ],
)
def test_a_change_is_good_or_bad_by_what_is_wanted(delta: float, good: str, tone: str) -> None:
    assert tags.delta_tone(delta, good) == tone


def test_status_escapes_its_label() -> None:
    assert tags.status("fulfilled", "<b>Done</b>") == (
        '<span class="badge badge-ok"><span class="badge-dot"></span>&lt;b&gt;Done&lt;/b&gt;</span>'
    )
    assert "badge-muted" in tags.status("never_heard_of")
    assert "badge-bad" in tags.status("fulfilled", "x", "bad")


def test_no_state_has_two_tones() -> None:
    states = [state for names in tags.TONES.values() for state in names]
    assert len(states) == len(set(states))


def test_icon_is_decorative_unless_labelled() -> None:
    assert 'aria-hidden="true"' in tags.icon("gift")
    labelled = tags.icon("gift", label='A "gift"')
    assert 'aria-label="A &quot;gift&quot;"' in labelled
    assert "aria-hidden" not in labelled


def test_unknown_icon_falls_back() -> None:
    assert tags.icon("no-such-icon") == tags.icon("circle-dashed")


def test_qr_draws_every_module_once() -> None:
    svg = tags.qr("TESSERA:M0000001")
    # Version 1 or 2 with a quiet zone of two modules on each side.
    assert 'viewBox="0 0 25 25"' in svg or 'viewBox="0 0 29 29"' in svg
    assert svg.count("<path") == 1
    assert "style" not in svg


def test_tojson_is_compact_and_keeps_characters() -> None:
    assert tags.tojson({"a": [1, "积分"]}) == '{"a":[1,"积分"]}'


@pytest.mark.parametrize(
    ("name", "letters"), [("Mei Lin", "ML"), ("王小美", "王"), ("Ann", "A"), ("", "?")]
)
def test_initials(name: str, letters: str) -> None:
    assert tags.initials(name) == letters


def test_sort_link_turns_round_and_drops_the_cursor(render: Callable[..., str]) -> None:
    markup = '{% sort_link "name" as link %}{{ link.url }} {{ link.state }}'
    assert render(markup, path="/?q=a&after=xyz") == "?q=a&amp;sort=name none"
    assert render(markup, path="/?sort=name") == "?sort=-name ascending"
    assert render(markup, path="/?sort=-name") == "?sort=name descending"


def test_page_links(render: Callable[..., str]) -> None:
    markup = '{% page_links "after" cursor as links %}[{{ links.first }}][{{ links.next }}]'
    assert render(markup, path="/?q=a", cursor="c2") == "[][?q=a&amp;after=c2]"
    assert render(markup, path="/?q=a&after=c2", cursor=None) == "[?q=a][]"


def test_attributes_are_escaped() -> None:
    assert tags.attributes({"data-x": '"><script>'}) == ' data-x="&quot;&gt;&lt;script&gt;"'
