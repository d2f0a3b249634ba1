"""Pictures for documents: the same bytes each time, nothing of a screen in them, one drawing for both themes."""

import re

import polars as pl
import pytest

from analysis import charts
from analysis.charts.printed import as_svg
from analysis.charts.theme import DARK, LIGHT, repaint

COUNTS = pl.DataFrame(
    [("Replies & <b>", 3, True), ("Unexplained ?", 1, False)], schema=charts.fleet.CAUSES, orient="row"
)


def drawn(theme="light", name="a"):
    return as_svg(charts.causes(COUNTS, theme=theme), width=300, alt="Falls by <cause>.", name=name)


def test_the_same_figures_give_the_same_bytes_whatever_was_drawn_before():
    first = drawn()
    drawn(name="other")
    assert drawn() == first


def test_it_says_what_it_shows_and_holds_nothing_of_a_screen():
    svg = drawn()
    assert 'role="img" aria-label="Falls by &lt;cause&gt;."' in svg
    assert "Replies &amp; &lt;b&gt;" in svg
    assert not re.search(r"tooltip|cursor|pointer-events|aria-roledescription|<image|<script|href", svg)
    assert not re.search(r"\d\.\d{3,}", svg)


def test_references_inside_two_pictures_do_not_meet():
    def ids(name):
        return set(re.findall(r'id="([^"]+)"', drawn(name=name)))

    assert all(i.startswith("a-") for i in ids("a"))
    assert not ids("a") & ids("b")


def test_repainted_it_is_what_would_have_been_drawn_dark():
    rules = dict(re.findall(r'\[fill="(#\w+)"\]\{fill:light-dark\(#\w+,(#\w+)\)', repaint(".x")))
    light, dark = drawn("light"), drawn("dark")
    used = set(re.findall(r'(?:fill|stroke)="(#\w{6})"', light))
    assert used
    assert used <= set(rules)
    assert re.sub(r"#\w{6}", lambda m: rules.get(m[0], m[0]), light) == dark


@pytest.mark.parametrize("light", [LIGHT.accent, LIGHT.at_risk, LIGHT.critical, LIGHT.ink, LIGHT.surface, LIGHT.band])
def test_a_colour_becomes_its_own_role_s_dark_one(light):
    role = next(name for name, value in vars(LIGHT).items() if value == light)
    assert f'.x [stroke="{light}"]{{stroke:light-dark({light},{getattr(DARK, role)})}}' in repaint(".x")
