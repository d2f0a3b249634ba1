"""What axe-core finds wrong on every page, light and dark, wide and narrow, for readers who hear, enlarge or tab."""

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.browser.driving import NEEDS_CHROMIUM, app, settle, window
from tests.browser.screenshots import addresses
from tests.sweep import EVERY, SWEEP

pytestmark = NEEDS_CHROMIUM

PAGES = [
    "fleet",
    "why-new_conversations",
    "why-deliverability",
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
SOME = [("why-new_conversations", "dark"), ("data", "light")]
"""Looked at always; all in both themes with $LINEHEALTH_EVERY=1."""
ONLY = {"resultTypes": ["violations"]}
"""Asked for what is wrong only, axe does not list every element that is right: a fifth of the time on a page with charts."""
NOT_OURS = {
    (
        "svg-img-alt",
        "g.brush_brush, g.brush_brush_bg",
    ): "Vega-Lite gives the two marks of a drag a role without a name, "
    "and a spec cannot name or hide them; the chart round them has its alt, and the table under it the figures",
}
"""Rule and selector of what a page cannot mend, with the reason."""


def findings(page) -> list[str]:
    """Return axe's findings that are ours to mend: moderate, serious and critical ones, each with its element."""
    found = []
    for violation in Axe().run(page, options=ONLY).response["violations"]:
        for node in violation["nodes"]:
            not_ours = any(
                violation["id"] == rule
                and page.locator(node["target"][-1]).first.evaluate(f"e => e.matches('{where}')")
                for rule, where in NOT_OURS
            )
            if violation["impact"] != "minor" and not not_ours:
                found.append(f"{violation['impact']} {violation['id']}: {node['html'][:200]}")
    return found


@pytest.fixture(scope="module")
def pages(demo_store):
    return addresses(demo_store)


@pytest.mark.parametrize(
    ("name", "scheme"), [(n, s) for s in ("light", "dark") for n in PAGES if EVERY or (n, s) in SOME]
)
def test_axe_finds_nothing_wrong_on_a_page(address, chrome, pages, name, scheme):
    where, charts = pages[name]
    with window(chrome, scheme=scheme) as (page, _):
        page.goto(f"{address}/{where}")
        settle(page, charts=charts)
        assert findings(page) == []
        page.set_viewport_size({"width": 390, "height": 844})
        page.wait_for_timeout(300)
        assert findings(page) == []


@SWEEP
def test_axe_finds_nothing_wrong_in_the_answer_to_how_a_card_is_counted(address, chrome, pages):
    with window(chrome) as (page, _):
        page.goto(f"{address}/{pages[PAGES[1]][0]}")
        settle(page, charts=2)
        page.get_by_role("button", name="How is this counted?").first.click()
        page.get_by_test_id("stPopoverBody").wait_for()
        assert findings(page) == []


@SWEEP
def test_axe_finds_nothing_wrong_where_nothing_is_loaded(chrome, tmp_path):
    with app(tmp_path / "none.duckdb") as base:
        for scheme in ("light", "dark"):
            with window(chrome, scheme=scheme) as (page, _):
                page.goto(base)
                settle(page)
                assert findings(page) == []
