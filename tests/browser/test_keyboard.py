"""The main journey without a mouse: from the fleet to a line's Why, through its changes, to the evidence in hand."""

from tests.browser.driving import NEEDS_CHROMIUM, own_errors, settle, window
from tests.sweep import SWEEP

pytestmark = NEEDS_CHROMIUM
STOPS = 80
"""More stops than any page has before its last card."""
FOCUSED = """within => {
    const e = document.activeElement, s = getComputedStyle(e);
    return { kind: e.tagName, name: (e.getAttribute('aria-label') || e.innerText || '').trim(),
             ringed: parseFloat(s.outlineWidth) >= 1 && s.outlineStyle !== 'none', inside: !!e.closest(within) } }"""


def tab_to(page, name: str, *, within: str = "body"):
    """Press Tab until the element of that name (its beginning) has the focus; every link and button on the way shows it."""
    for _ in range(STOPS):
        page.keyboard.press("Tab")
        at = page.evaluate(FOCUSED, within)
        if at["kind"] in ("A", "BUTTON"):
            assert at["ringed"], f"no outline round {at['name']}"
        if at["inside"] and any(w.startswith(name) for w in at["name"].split("\n")):
            return
    raise AssertionError(f"{name} was not reached in {STOPS} stops")


def test_the_keyboard_alone_leads_from_the_fleet_to_the_evidence(address, chrome, tmp_path):
    with window(chrome) as (page, seen):
        page.goto(address)
        settle(page, charts=2)
        worst = page.locator(".lh-reason b").first.inner_text()
        tab_to(page, "Why", within="[class*=st-key-need_]")
        page.keyboard.press("Enter")
        page.wait_for_url("**/why?**at=**")
        settle(page, charts=2)
        assert page.locator(".lh-h1").inner_text() == worst

        first = page.url
        tab_to(page, "Earlier")
        page.keyboard.press("Enter")
        page.wait_for_url(lambda url: url != first)
        settle(page, charts=2)
        assert page.locator(".lh-h1").inner_text() != worst
        tab_to(page, "Later")
        page.keyboard.press("Enter")
        page.wait_for_url(first)
        settle(page, charts=2)
        assert page.locator(".lh-h1").inner_text() == worst

        tab_to(page, "How is this counted?")
        page.keyboard.press("Enter")
        answer = page.get_by_test_id("stPopoverBody")
        answer.wait_for()
        page.keyboard.press("Escape")
        answer.wait_for(state="hidden")

        tab_to(page, "Download evidence")
        with page.expect_download(timeout=20_000) as coming:
            page.keyboard.press("Enter")
        assert coming.value.suggested_filename.startswith("evidence-")
        assert own_errors(seen) == []


@SWEEP
def test_every_dot_and_day_of_a_chart_can_be_opened_by_keyboard_beside_it(address, chrome):
    with window(chrome) as (page, _):
        page.goto(f"{address}/replies")
        settle(page, charts=2)
        tab_to(page, "Why", within=".lh-table")
        page.keyboard.press("Enter")
        page.wait_for_url("**/why?line=*")
        settle(page, charts=2)
        page.goto(f"{address}/new")
        settle(page, charts=3)
        tab_to(page, "Why", within=".lh-table")
