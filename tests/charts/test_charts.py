"""Charts as a notebook and the app get them: valid specs, the same data, no zone, readable colours."""

import copy
import json
from dataclasses import fields

import altair as alt
import polars as pl
import pytest

from analysis import charts
from analysis.charts import theme
from analysis.charts.fleet import CAUSES, CODES, RIBBONS

HOUR = 3.6e6
START = 1_774_000_000_000.0
END = START + 14 * 24 * HOUR


def _lane(title="Replies", *, low=0.4, high=0.6, **more):
    rows = [
        (START + i * HOUR, v, min(max(v, 0.4), 0.6), None, part, f"{i}")
        for i, (v, part) in enumerate([(0.5, "before"), (0.2, "before"), (0.2, "after"), (0.5, "after")])
    ]
    return charts.Lane(
        title, "% of sends", pl.DataFrame(rows, schema=charts.LANE, orient="row"), low, high, percent=True, **more
    )


def _lanes(*rows, **more):
    states = pl.DataFrame([(START, END, "HEALTHY")], schema=charts.STATES, orient="row")
    began, changed = charts.Moment(START + HOUR, "Began 23 Mar 11:51"), charts.Moment(START + 2 * HOUR, "At risk")
    given = {"began": began, "changed": changed, "new_state": "AT_RISK", **more}
    return charts.lanes(states, list(rows), window=(START, END), **given)


def _lost(*spans):
    rows = [(START + a * HOUR, START + b * HOUR, "No data") for a, b in spans or [(0.5, 1.5)]]
    return pl.DataFrame(rows, schema=charts.LOST, orient="row")


def _volume():
    rows = [
        ("2026-03-01", 20.0, 0.5, 18.0, "HEALTHY", 1.0, "1 Mar", "tip"),
        ("2026-03-02", 90.0, 0.1, 80.0, None, None, "", "tip"),
    ]
    points = pl.DataFrame(rows, schema=charts.POINTS, orient="row")
    return charts.rate_against_volume(points, usual=(10, 30, 0.4, 0.6), reference=(0.15, "throttled"))


def _openers():
    hours = pl.DataFrame([(START, START + HOUR, 9.0, 0.5, "tip")], schema=charts.OPENER_HOURS, orient="row")
    dots = pl.DataFrame([(START, 0.5, "answered", "tip")], schema=charts.OPENINGS, orient="row")
    return charts.openers_by_hour(
        hours, dots, window=(START, START + 9 * HOUR), moments=[(START, "Began", False)], new_state="AT_RISK"
    )


def _failures():
    hours = pl.DataFrame(
        [(START, START + HOUR, "code 4001", 0.0, 3.0, "tip")], schema=charts.FAILURE_HOURS, orient="row"
    )
    return charts.failures_by_hour(
        hours,
        order=["code 4001"],
        window=(START, START + 9 * HOUR),
        moments=[(START, "At risk", True)],
        new_state="AT_RISK",
    )


def _ribbons():
    spells = pl.DataFrame([("+1 415 555 0007", START, END, "CRITICAL", None, "tip")], schema=RIBBONS, orient="row")
    codes = pl.DataFrame(
        [("+1 415 555 0007", START, "EN", "14155550007 20260323T1151", "tip")], schema=CODES, orient="row"
    )
    lost = pl.DataFrame([("+1 415 555 0007", START, START + HOUR, "tip")], schema=charts.SILENCES, orient="row")
    return charts.ribbons(spells, codes, lost, order=["+1 415 555 0007"], window=(START, END))


def _silences():
    lost = pl.DataFrame([("Whole fleet", START, START + HOUR, "tip")], schema=charts.SILENCES, orient="row")
    return charts.silences(lost, order=["Whole fleet", "+1 415 555 0007"], window=(START, END))


def _causes():
    return charts.causes(
        pl.DataFrame([("Replies EN", 3, True), ("Unexplained ?", 1, False)], schema=CAUSES, orient="row")
    )


ALL = {
    "lanes": lambda: _lanes(_lane(), lost=_lost()),
    "volume": _volume,
    "openers": _openers,
    "failures": _failures,
    "ribbons": _ribbons,
    "silences": _silences,
    "causes": _causes,
}


@pytest.mark.parametrize("name", ALL)
def test_a_notebook_gets_a_valid_chart_with_its_data_and_the_spec_is_left_alone(name):
    spec = ALL[name]()
    before = copy.deepcopy({k: v for k, v in spec.items() if k != "datasets"})
    chart = charts.as_chart(spec)
    told = chart.to_dict()  # checks it against the schema of Vega-Lite
    assert isinstance(chart, alt.TopLevelMixin)
    assert {k: v for k, v in spec.items() if k != "datasets"} == before
    assert {k: len(v) for k, v in told["datasets"].items() if k in spec["datasets"]} == {
        k: v.height for k, v in spec["datasets"].items()
    }


@pytest.mark.parametrize("name", ALL)
def test_times_are_drawn_as_they_stand_in_every_browser_zone(name):
    spec = ALL[name]()
    text = json.dumps({k: v for k, v in spec.items() if k != "datasets"})
    assert '"type": "utc"' in text or '"temporal"' not in text
    assert text.count('"temporal"') == text.count('"type": "utc"')
    for frame in spec["datasets"].values():
        assert not any(dtype.is_temporal() for dtype in frame.dtypes)


@pytest.mark.parametrize("name", ALL)
def test_every_frame_has_a_type_that_the_browser_can_read(name):
    for frame in ALL[name]()["datasets"].values():
        assert pl.Null not in frame.dtypes


def test_the_first_lane_is_the_tallest_and_only_the_last_has_the_time_axis():
    spec = _lanes(_lane("New conversations"), _lane("Replies"), _lane("Sends"))
    _, first, *others = spec["vconcat"]
    assert first["height"] > max(v["height"] for v in others)
    axes = [any(layer["encoding"].get("x", {}).get("axis") for layer in view["layer"]) for view in spec["vconcat"]]
    assert axes == [False, False, False, True]


def test_a_line_without_a_usual_has_no_band_and_nothing_outside_it():
    text = json.dumps(_lanes(_lane(low=None, high=None))["vconcat"])
    assert theme.LIGHT.band not in text
    assert '"edge"' not in text
    assert theme.LIGHT.band in json.dumps(_lanes(_lane())["vconcat"])


def test_what_came_after_the_change_is_paler():
    (line,) = [x for x in _lanes(_lane())["vconcat"][1]["layer"] if x["mark"]["type"] == "line"]
    assert line["encoding"]["opacity"]["scale"] == {"domain": ["before", "after"], "range": [1, 0.45]}


def test_a_gap_in_the_deliveries_is_a_column_through_every_lane_and_named_once():
    def columns(view):
        return [x for x in view["layer"] if x.get("data") == {"name": "lost"} and x["mark"]["type"] == "rect"]

    spec = _lanes(_lane(), _lane("Sends"), lost=_lost())
    assert [len(columns(view)) for view in spec["vconcat"]] == [1, 1, 1]
    assert [json.dumps(view).count('"no data"') > 0 for view in spec["vconcat"]] == [False, True, False]
    assert "lost" not in json.dumps(_lanes(_lane(), lost=_lost().clear())["vconcat"])


def test_words_over_gaps_do_not_touch_each_other_nor_the_end_of_the_plot():
    span = (END - START) / HOUR
    spec = _lanes(_lane(), lost=_lost((0.1 * span, 0.11 * span), (0.13 * span, 0.14 * span), (0.995 * span, span)))
    first, second, last = spec["datasets"]["lost"]["word_at"]
    assert first == pytest.approx(START + 0.105 * (END - START))
    assert second is None
    assert last < END - 0.03 * (END - START)


def test_a_moment_outside_the_window_is_not_drawn():
    spec = _lanes(_lane(), began=charts.Moment(START - 99 * HOUR, "Began"))
    assert spec["datasets"]["moments"]["kind"].to_list() == ["changed"]


def test_unexplained_falls_keep_their_bar():
    spec = _causes()
    assert spec["datasets"]["causes"]["falls"].sum() == 4
    assert spec["layer"][0]["encoding"]["color"] == {
        "condition": {"test": "datum.known", "value": theme.LIGHT.accent},
        "value": theme.LIGHT.hatch,
    }


def test_the_style_sheet_has_every_colour_of_both_themes():
    css = charts.css()
    for f in fields(theme.Palette):
        assert (
            f"--lh-{f.name.replace('_', '-')}:light-dark({getattr(theme.LIGHT, f.name)},{getattr(theme.DARK, f.name)})"
            in css
        )
    used = {part.split(")")[0] for part in css.split("var(--lh-")[1:]}
    assert used <= {f.name.replace("_", "-") for f in fields(theme.Palette)}


def _luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(a: str, b: str) -> float:
    high, low = sorted((_luminance(a), _luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("p", [theme.LIGHT, theme.DARK], ids=["light", "dark"])
def test_text_can_be_read_on_its_ground(p):
    pairs = [
        (p.ink, p.surface),
        (p.ink, p.bg),
        (p.mut, p.surface),
        (p.mut, p.bg),
        (p.mut, p.sunk),
        (p.accent, p.surface),
        (p.thr, p.surface),
    ]
    pairs += [
        (p.healthy_text, p.healthy_ground),
        (p.at_risk_text, p.at_risk_ground),
        (p.critical_text, p.critical_ground),
    ]
    pairs += [
        (p.on1, p.accent),
        (p.on2, p.r2),
        (p.ink, p.r3),
        (p.ink, p.r4),
        (p.at_risk_on, p.at_risk),
        (p.critical_on, p.critical),
    ]
    assert [pair for pair in pairs if _contrast(*pair) < 4.5] == []


def test_small_pictures_hold_the_worst_state_at_full_height():
    from base64 import b64decode

    uri = charts.as_image(
        charts.ribbon_svg([(0, 50, "HEALTHY"), (50, 100, "CRITICAL")], (0, 100), width=100, height=10)
    )
    svg = b64decode(uri.split(",")[1]).decode()
    assert f'x="50.0" y="1.0" width="50.0" height="8.0" fill="{theme.LIGHT.critical}"' in svg
    assert 'height="5.0"' in svg
    assert "NaN" not in charts.spark_svg([None, None])
    assert svg.startswith("<svg")
