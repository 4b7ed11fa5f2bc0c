"""Each component renders, shows what it was given, and leaves no component tag behind."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from django import forms
from django.template.loader import render_to_string

from core.web.charts import Chart, Series
from core.web.icons import icon_names

ROOT = Path(__file__).resolve().parents[4]
COMPONENTS = ROOT / "core" / "templates" / "cotton"
AT = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
EVIL = '"><script>alert(1)</script>'

pytestmark = pytest.mark.urls("core.web.urls")


class TierForm(forms.Form):
    name = forms.CharField(help_text="What members read")
    threshold = forms.IntegerField()
    kind = forms.ChoiceField(choices=[("a", "A")])
    ways = forms.MultipleChoiceField(choices=[("a", "A")], widget=forms.CheckboxSelectMultiple)
    keep = forms.BooleanField(required=False)
    secret = forms.CharField(widget=forms.HiddenInput)


CHART = Chart(kind="line", labels=["Jan"], series=[Series("Issued", [1200])])
ITEMS = [{"url": "/a", "label": "First", "icon": "gift", "active": True, "count": 3}]
# name: (markup, texts that must appear)
CASES: dict[str, tuple[str, tuple[str, ...]]] = {
    "alert": ('<c-alert tone="bad" title="Oh">no</c-alert>', ('role="alert"', "Oh", "no")),
    "badge": ('<c-badge label="Gold" tone="brand" :dot="True" />', ("badge-brand", "badge-dot", "Gold")),
    "bar": ('<c-bar :value="0.25" label="Left" />', ('max="1"', 'value="0.25"', 'aria-label="Left"')),
    "button": ('<c-button label="Save" tone="primary" hx-post="/x" />', ("btn-primary", 'hx-post="/x"', 'type="button"')),
    "card": ('<c-card title="Sales" subtitle="Now">in<c-slot name="actions">act</c-slot></c-card>', ("<h2", "Sales", "card-body", "act")),
    "chart": ('<c-chart :chart="chart" label="Points" />', ("data-chart=", "&quot;kind&quot;:&quot;line&quot;", "<details", "1,200")),
    "dialog_form": ('<c-dialog-form title="New" action="/t" :form="form" />', ('hx-post="/t"', "csrfmiddlewaretoken", 'name="name"', 'id="dlg-title"')),
    "empty": ('<c-empty title="Nothing" text="yet"><a href="/x">Add</a></c-empty>', ("Nothing", "yet", "empty-action")),
    "field": ('<c-field :field="form.name" />', ("form-control", 'aria-describedby="id_name_helptext"', "What members read")),
    "figure": ('<c-figure :value="12480" unit="points" />', ("12,480", "points")),
    "icon": ('<c-icon name="gift" label="Gift" />', ("<svg", 'aria-label="Gift"')),
    "kpi": ('<c-kpi label="Active" value="128" :delta="-0.013" :trend="trend" />', ("−1.3%", "tone-bad", "sparkline", "128")),
    "language_menu": ("<c-language-menu />", ('value="zh-hans"', 'lang="zh-Hans"', 'action="/ui/language/"')),
    "language_select": ("<c-language-select />", ("data-submit-on-change", '<option value="en" lang="en" selected>')),
    "page_header": ('<c-page-header title="Tiers" pretitle="Members" />', ("<h1>Tiers", "Members")),
    "pagination": ('<c-pagination next="c2" text="1–50" target="rows" />', ("after=c2", 'hx-target="#rows"', "1–50")),
    "portal/benefit_row": ('<c-portal.benefit-row title="Drink" text="1 left" action="Use" action_url="/use" />', ("Drink", "1 left", 'hx-get="/use"', 'aria-label="Use: Drink"')),
    "portal/entry": ('<c-portal.entry title="Purchase" :at="at" :delta="128" :balance="12480" url="/e" />', ("<a href=", "+128", "12,480", "</a>")),
    "portal/item": ('<c-portal.item title="Cup" url="/i" :points="3800" :cash="1900" currency="CNY" />', ("3,800", "CN¥19.00", 'href="/i"')),
    "portal/membercard": ('<c-portal.membercard tier="Gold" :points="12480" :growth="6120" :next_threshold="8000" progress_text="more" :valid_until="day" />', ("Gold", "12,480", "6,120 / 8,000", 'max="8000" value="6120"', "31 Dec 2027")),
    "portal/quick": ('<c-portal.quick :items="items" />', ("First", "quick-mark")),
    "portal/section": ('<c-portal.section title="Mine" href="/all">x</c-portal.section>', ("Mine", 'href="/all"', "All")),
    "portal/sheet": ('<c-portal.sheet title="Code">x</c-portal.sheet>', ('id="dlg-title"', "data-dialog-close")),
    "portal/tabbar": ('<c-portal.tabbar :items="items" />', ('aria-current="page"', "hx-boost")),
    "progress": ('<c-progress id="job" label="Import" :done="5" :total="10" url="/job" />', ('hx-trigger="every 2s"', 'max="10" value="5"')),
    "search": ('<c-search target="rows" value="a" placeholder="Name" />', ("delay:250ms", 'value="a"', 'aria-label="Name"')),
    "skeleton": ('<c-skeleton lines="4" />', ('aria-hidden="true"',)),
    "stat": ('<c-stat label="Joined" value="today" />', ("<dt>Joined</dt>", "today")),
    "stat_list": ('<c-stat-list columns="3">x</c-stat-list>', ("stats-3",)),
    "status": ('<c-status state="failed" label="Failed" />', ("badge-bad", "Failed")),
    "table": ('<c-table caption="Tiers"><c-slot name="head"><c-th label="Name" /></c-slot><tr><td>Gold</td></tr></c-table>', ("<caption", "<thead>", '<th scope="col"', "Gold")),
    "tabs": ('<c-tabs :items="items" label="Parts" />', ('aria-current="page"', "tab-count")),
    "th": ('<c-th label="Name" sort="name" target="rows" />', ('aria-sort="none"', "?sort=name", 'hx-target="#rows"')),
    "theme_menu": ("<c-theme-menu />", ('action="/ui/theme/"', 'value="dark"')),
    "timeline": ("<c-timeline>x</c-timeline>", ("<ol", "x")),
    "timeline_item": ('<c-timeline-item title="Upgraded" :at="at" by="Mei" tone="ok" />', ("Upgraded", "<time", "Mei", "tint-ok")),
    "todo": ('<c-todo href="/o" title="Late" badge="SLA" />', ('href="/o"', "Late", "badge-warn")),
}  # fmt: skip


def files() -> list[str]:
    return sorted(
        p.relative_to(COMPONENTS).with_suffix("").as_posix() for p in COMPONENTS.rglob("*.html")
    )


def test_each_component_has_a_case() -> None:
    assert sorted(CASES) == files()


@pytest.mark.parametrize("language", ["en", "zh-hans"])
@pytest.mark.parametrize("name", CASES)
def test_component_renders(name: str, language: str, render: Callable[..., str]) -> None:
    markup, expected = CASES[name]
    context = {
        "form": TierForm(),
        "chart": CHART,
        "items": ITEMS,
        "trend": [1, 2, 3],
        "at": AT,
        "day": date(2027, 12, 31),
    }
    html = render(markup, language=language, **context)
    assert "<c-" not in html
    assert "{%" not in html
    assert "{{" not in html
    assert not re.search(r"\sstyle=", html), "the security policy forbids inline styles"
    assert not re.search(r"\son\w+=", html), "and inline scripts"
    if language == "en":
        for text in expected:
            assert text in html


@pytest.mark.parametrize("name", files())
def test_component_opens_with_its_variables(name: str) -> None:
    assert (COMPONENTS / f"{name}.html").read_text(encoding="utf-8").startswith("{% comment %}")


@pytest.mark.parametrize(
    "markup",
    [
        '<c-kpi label="{{ evil }}" value="{{ evil }}" />',
        '<c-button label="{{ evil }}" data-name="{{ evil }}" />',
        '<c-badge :label="evil" />',
        '<c-todo href="/" title="{{ evil }}" :text="evil" />',
        '<c-portal.benefit-row title="{{ evil }}" :text="evil" action="{{ evil }}" url="/" />',
        '<c-table caption="{{ evil }}"></c-table>',
        '<c-search value="{{ evil }}" placeholder="{{ evil }}" target="rows" />',
        '<c-chart :chart="chart" label="{{ evil }}" />',
        '<c-status state="{{ evil }}" label="{{ evil }}" />',
        '<c-tabs :items="items" />',
    ],
)
def test_what_people_typed_is_escaped(markup: str, render: Callable[..., str]) -> None:
    chart = Chart(kind="line", labels=[EVIL], series=[Series(EVIL, [1])])
    items = [{"url": "/", "label": EVIL, "active": False}]
    html = render(markup, evil=EVIL, chart=chart, items=items)
    assert "<script" not in html


def test_table_without_rows_shows_what_to_do(render: Callable[..., str]) -> None:
    markup = '<c-table :rows="found"><c-slot name="empty_state">None</c-slot>row</c-table>'
    assert "<table" not in render(markup, found=[])
    assert "None" in render(markup, found=[])
    assert "<table" in render(markup, found=[1])
    assert "None" not in render(markup, found=[1])


def test_empty_table_shows_what_to_do(render: Callable[..., str]) -> None:
    markup = '<c-table :empty="True"><c-slot name="empty_state"><c-empty title="None" /></c-slot>rows</c-table>'
    html = render(markup)
    assert "None" in html
    assert "rows" not in html
    assert "<table" not in html


def test_chart_without_figures_says_so(render: Callable[..., str]) -> None:
    html = render('<c-chart :chart="chart" />', chart=Chart(kind="line"))
    assert "No data for this period" in html
    assert "data-chart" not in html


def test_kpi_shows_a_missing_delta_as_none_at_all(render: Callable[..., str]) -> None:
    assert "kpi-delta" not in render('<c-kpi label="x" value="1" :delta="delta" />', delta=None)
    assert "0.0%" in render('<c-kpi label="x" value="1" :delta="delta" />', delta=0)


def test_progress_stops_asking_when_done(render: Callable[..., str]) -> None:
    assert "hx-get" not in render('<c-progress url="/job" state="done" />')


def test_all_named_icons_exist() -> None:
    known = set(icon_names())
    pattern = re.compile(r"""(?:\bicon=|<c-icon name=|\{% icon )["']([a-z0-9-]+)["']""")
    for app in ("core", "console", "portal", "tenants"):
        for path in (ROOT / app).rglob("*.html"):
            for name in pattern.findall(path.read_text(encoding="utf-8")):
                assert name in known, f"{path.relative_to(ROOT)} names the unknown icon {name}"


@pytest.mark.parametrize(
    "template",
    ["400.html", "403.html", "404.html", "500.html", "suspended.html", "errors/refused.html"],
)
def test_error_pages_render(template: str, ask: Callable[..., Any]) -> None:
    html = render_to_string(template, {"request_id": "r-1"}, request=ask())
    assert "<c-" not in html
    assert "Bloom &amp; Co" in html
    assert '<html lang="en"' in html


@pytest.mark.parametrize("shell", ["console", "portal", "plain"])
def test_shells_render(shell: str, ask: Callable[..., Any]) -> None:
    nav = [
        {
            "url": "/a",
            "label": "Overview",
            "icon": "home",
            "active": True,
            "section": "Part",
            "badge": 2,
        }
    ]
    account = {"name": "Mei Lin", "role": "Owner", "menu": ITEMS, "sign_out_url": "/out"}
    html = render_to_string(
        f"shells/{shell}.html",
        {"page_title": "Title", "nav": nav, "account": account},
        request=ask(),
    )
    assert "<c-" not in html
    assert "<title>Title · Bloom &amp; Co</title>" in html
    assert 'href="/brand.css?v=' in html
    assert not re.search(r"\sstyle=|<style|<script(?! src)", html)
    assert html.count('id="main"') == 1
    if shell == "portal":
        assert "tabler-console" not in html
        assert "echarts" not in html


@pytest.mark.parametrize(
    ("cookie", "attribute"),
    [
        ("dark", 'data-bs-theme="dark"'),
        ("light", 'data-bs-theme="light"'),
        ("auto", None),
        ("x", None),
    ],
)
def test_shell_obeys_the_choice_of_light_or_dark(
    cookie: str, attribute: str | None, ask: Callable[..., Any]
) -> None:
    html = render_to_string("shells/plain.html", {}, request=ask(HTTP_COOKIE=f"ui_theme={cookie}"))
    if attribute:
        assert attribute in html
    else:
        assert "data-bs-theme" not in html


def test_no_dynamic_attribute_is_an_expression() -> None:
    # Cotton drops `:empty="not rows"` and `:value="x|length"` without a word.
    tag = re.compile(r"<c-[^>]*>")
    attribute = re.compile(r'\s:([\w-]+)="([^"]*)"')
    plain = re.compile(r"[\w.]+|-?[\d.]+|\[\]|\{\}|\[[^\]]*\]|\{\{.*\}\}|\{%.*%\}")
    for app in ("core", "console", "portal", "tenants"):
        for path in (ROOT / app).rglob("*.html"):
            for found in tag.findall(path.read_text(encoding="utf-8")):
                for name, value in attribute.findall(found):
                    assert plain.fullmatch(value), f"{path.relative_to(ROOT)}: :{name}={value!r}"


def _styled(*sheets: str) -> set[str]:
    texts = ((ROOT / "core" / "static" / name).read_text(encoding="utf-8") for name in sheets)
    found = (re.findall(r"\.(-?[A-Za-z_](?:[\w-]|\\.)*)", text) for text in texts)
    return {name.replace("\\", "") for names in found for name in names}


def _classes(markup: str) -> set[str]:
    """Return the classes written out in a template; built ones are left out."""
    markup = re.sub(r"\{% comment.*?endcomment %\}", "", markup, flags=re.DOTALL)
    markup = re.sub(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", "\0", markup, flags=re.DOTALL)
    values = re.findall(r'\bclass="([^"]*)"', markup)
    return {name for value in values for name in value.split() if "\0" not in name}


@pytest.mark.parametrize(
    ("folder", "sheet"),
    [
        ("console/templates", "tabler.min.css"),
        ("core/templates", "tabler.min.css"),
        # These load only the families named in tools/vendor/portal_css.txt.
        ("portal/templates", "tabler-portal.min.css"),
        ("core/templates/cotton/portal", "tabler-portal.min.css"),
        ("core/templates/account", "tabler-portal.min.css"),
        ("core/templates/mfa", "tabler-portal.min.css"),
    ],
)
def test_every_class_has_a_style(folder: str, sheet: str) -> None:
    known = _styled("app.css", f"vendor/tabler/{sheet}")
    for path in (ROOT / folder).rglob("*.html"):
        unknown = _classes(path.read_text(encoding="utf-8")) - known
        assert not unknown, f"{path.relative_to(ROOT)}: no style for {sorted(unknown)}"
