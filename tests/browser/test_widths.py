"""Every page from a phone to 4K: nothing runs out sideways, no word is cut, lines of text stay short enough to read."""

import pytest

from analysis import pipeline
from tests.browser.driving import NEEDS_CHROMIUM, own_errors, settle, window
from tests.browser.screenshots import addresses
from tests.sweep import EVERY, SWEEP

pytestmark = NEEDS_CHROMIUM
PAGES = [
    "fleet",
    "why-new_conversations",
    "why-flagged",
    "replies",
    "new-day",
    "delivery",
    "chat",
    "chat-day",
    "ahead",
    "helped",
    "transitions",
    "data",
]
SOME = ("fleet", "why-new_conversations")
"""Looked at on a phone always; all in all widths with $LINEHEALTH_EVERY=1."""
OVER = "[...document.querySelectorAll('[data-testid=stMain], body')].map(e => e.scrollWidth - e.clientWidth)"
BESIDE = """e => e.closest('[class*=st-key-card]').getBoundingClientRect().right
    - e.querySelector('svg').getBoundingClientRect().right"""
CUT = """[...document.querySelectorAll('[class*="lh-"]')]
    .filter(e => e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).overflowX === 'hidden')
    .filter(e => !(e.firstElementChild?.getBoundingClientRect().top >= e.getBoundingClientRect().bottom - 2))  // left out whole
    .map(e => e.className + ': ' + e.textContent)"""
CUT_LABELS = """[...document.querySelectorAll('[data-testid="stVegaLiteChart"] svg')].flatMap(svg => {
    const frame = svg.getBoundingClientRect();
    return [...svg.querySelectorAll('text')]
        .filter(t => t.textContent && getComputedStyle(t).opacity !== '0')
        .filter(t => { const b = t.getBoundingClientRect();
            return b.left < frame.left - 1 || b.right > frame.right + 1 || b.top < frame.top - 2 || b.bottom > frame.bottom + 2 })
        .map(t => t.textContent) })"""
ROWS = """e => [...e.querySelectorAll('.role-axis-label')].map(axis => [...axis.querySelectorAll('text')]
    .filter(t => getComputedStyle(t).opacity !== '0').map(t => { const b = t.getBoundingClientRect();
        return [b.left, b.right, b.top, b.bottom] }))"""
LEAST = 0.6
"""Part of a label's height that its row must leave to it: boxes of text hold some air."""


@pytest.fixture(scope="module")
def pages(demo_store):
    return addresses(demo_store)


@pytest.mark.parametrize(
    ("name", "width"),
    [
        (n, w)
        for n in PAGES
        for w in (390, 768, 1440, 3840)
        if EVERY or (w == 390 and n in SOME) or (w == 3840 and n == PAGES[0])
    ],
)
def test_nothing_is_cut_or_runs_out_sideways(address, chrome, pages, name, width):
    where, charts = pages[name]
    with window(chrome, width=width, height=2160 if width == 3840 else 900) as (page, seen):
        page.goto(f"{address}/{where}")
        settle(page, charts=charts)
        assert max(page.evaluate(OVER)) <= 0
        assert page.evaluate(CUT) == []
        assert page.evaluate(CUT_LABELS) == []
        for chart in page.get_by_test_id("stVegaLiteChart").all():
            assert chart.evaluate(BESIDE) > 4
            for labels in chart.evaluate(ROWS):
                assert not any(_on_each_other(a, b) for i, a in enumerate(labels) for b in labels[i + 1 :])
        content = page.locator(".stMainBlockContainer").bounding_box()
        assert content["width"] <= 1360
        assert abs(content["x"] + content["width"] / 2 - width / 2) <= 8  # half a scroll bar
        assert own_errors(seen) == []


def _on_each_other(a: list[float], b: list[float]) -> bool:
    aside = a[1] <= b[0] or b[1] <= a[0]
    apart = abs(a[2] - b[2]) >= LEAST * (a[3] - a[2])
    return not (aside or apart)


@SWEEP
def test_on_a_phone_a_published_number_is_told_beside_the_chart_and_not_across_its_data(
    address, chrome, pages, demo_store
):
    floor = pipeline.status(demo_store)["settings"].get("ref_reply_floor", 0.15)
    for width in (390, 1440):
        with window(chrome, width=width) as (page, _):
            page.goto(f"{address}/{pages[PAGES[1]][0]}")
            settle(page, charts=3)
            across = page.locator('svg text:not([opacity="0"])', has_text="throttled below").count()
            beside = page.locator(".lh-narrow", has_text=f"throttled below {100 * floor:.0f}").first
            assert beside.is_visible() == (width == 390)
            assert bool(across) == (width == 1440)
