"""Charts as data, and the small lines drawn on the server."""

import json

from django.utils import translation

from core.web.charts import Chart, Flow, Mark, Series, sparkline_svg


def test_payload_holds_only_what_differs_from_the_defaults() -> None:
    chart = Chart(kind="line", labels=["Jan", "Feb"], series=[Series("Issued", [1, None])])
    assert chart.payload() == {
        "kind": "line",
        "unit": "number",
        "labels": ["Jan", "Feb"],
        "series": [{"name": "Issued", "values": [1, None]}],
    }


def test_money_brings_its_exponent() -> None:
    chart = Chart(kind="bar", labels=["a"], series=[Series("x", [5])], unit="money", currency="JPY")
    assert chart.payload()["exponent"] == 0
    assert chart.payload()["currency"] == "JPY"


def test_json_is_exact() -> None:
    chart = Chart(
        kind="sankey", flows=[Flow("银卡·期初", "金卡·期末", 12)], marks=[Mark("7 %", 0.07, "bad")]
    )
    data = json.loads(chart.as_json())
    assert data["flows"] == [["银卡·期初", "金卡·期末", 12]]
    assert data["marks"] == [{"label": "7 %", "value": 0.07, "role": "bad"}]


def test_table_of_a_cartesian_chart() -> None:
    chart = Chart(
        kind="area",
        labels=["Jan", "Feb"],
        series=[Series("Issued", [1200, 3400]), Series("Spent", [None, 900])],
    )
    with translation.override("en"):
        assert chart.table_head() == ["", "Issued", "Spent"]
        assert chart.table_rows() == [["Jan", "1,200", "–"], ["Feb", "3,400", "900"]]


def test_table_of_a_heat_map_and_of_flows() -> None:
    heat = Chart(kind="heatmap", unit="percent", labels=["M0"], series=[Series("Jan", [0.5])])
    flows = Chart(kind="sankey", flows=[Flow("a", "b", 1000)])
    with translation.override("en"):
        assert heat.table_head() == ["", "M0"]
        assert heat.table_rows() == [["Jan", "50.0%"]]
        assert flows.table_head() == ["From", "To", "Value"]
        assert flows.table_rows() == [["a", "b", "1,000"]]


def test_empty_means_no_known_value() -> None:
    assert Chart(kind="line", labels=["a"], series=[Series("x", [None])]).is_empty
    assert Chart(kind="line").is_empty
    assert not Chart(kind="line", labels=["a"], series=[Series("x", [0])]).is_empty


def test_sparkline_spans_its_box() -> None:
    svg = sparkline_svg([0, 5, 10], width=100, height=24)
    assert '<path class="sparkline-line" d="M0 22L50 12L100 2"/>' in svg


def test_sparkline_leaves_out_the_unknown_and_flattens_equals() -> None:
    assert 'd="M0 12L100 12"' in sparkline_svg([3, None, 3], width=100, height=24)
    assert sparkline_svg([1]) == ""
    assert sparkline_svg([None, 1]) == ""


def test_sparkline_escapes_its_label() -> None:
    assert 'aria-label="&lt;x&gt;"' in sparkline_svg([1, 2], label="<x>")
