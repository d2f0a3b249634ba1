"""What leaves a page: its address, its text, its charts as pictures and its rows as files."""

import struct

import polars as pl
import pytest

from analysis import pipeline
from analysis.charts.theme import palette
from analysis.pages import _words as words
from tests.browser.driving import NEEDS_CHROMIUM, own_errors, settle, window
from tests.sweep import EVERY, SWEEP

pytestmark = NEEDS_CHROMIUM
CHARTS = {
    "fleet": 2,
    "why": 2,
    "replies": 2,
    "new": 3,
    "transitions": 1,
    "ahead": 1,
    "delivery": 3,
    "data": 0,
    "chats": 0,
}


def seen_on(page):
    """Return what a page shows that a script can read: its words, its charts' words, its fields and switches."""
    return page.evaluate(
        """() => ({
          words: document.querySelector('[data-testid=stMain]').innerText,
          charts: [...document.querySelectorAll('svg.marks')].map(s => s.textContent),
          fields: [...document.querySelectorAll('[data-testid=stMain] input')].map(i => [i.type, i.value, i.checked]),
          pressed: [...document.querySelectorAll('[data-testid=stMain] [aria-checked], [data-testid=stMain] [aria-pressed]')]
            .map(b => [b.innerText, b.ariaChecked, b.ariaPressed]),
        })"""
    )


def _fleet(page):
    page.get_by_role("button", name="Healthy", exact=True).click()
    page.get_by_placeholder("Find a line").fill("0103")
    page.keyboard.press("Enter")


def _why(page):
    page.get_by_role("button", name="Earlier").click()
    page.wait_for_timeout(800)
    settle(page)
    page.locator(".st-key-quiet label").click()


def _replies(page):
    page.get_by_role("radio", name="7 days").click()


def _new(page):
    page.get_by_role("radio", name="14 days").click()
    page.wait_for_timeout(800)
    settle(page, charts=1)
    page.locator(".st-key-card_calendar .mark-rect path").nth(60).click(force=True)


def _transitions(page):
    page.get_by_role("radio", name="90 days").click()
    page.get_by_role("button", name="Falls", exact=True).click()
    page.wait_for_timeout(800)
    page.get_by_placeholder("Find a line").fill("010")
    page.keyboard.press("Enter")


def _ahead(page):
    page.get_by_role("button", name="Send", exact=False).first.click()
    page.wait_for_timeout(800)
    page.get_by_placeholder("Find a line").fill("010")
    page.keyboard.press("Enter")
    page.wait_for_timeout(800)
    for label, number in (("New recipients", "40"), ("Days, today included", "2")):
        page.get_by_role("spinbutton", name=label).fill(number)
        page.keyboard.press("Enter")
        page.wait_for_timeout(800)


def _delivery(page):
    page.get_by_role("radio", name="7 days").click()


def _data(page):
    page.locator(".st-key-all_settings label").click()
    page.wait_for_timeout(800)
    page.get_by_placeholder("Find a setting").fill("reply")
    page.keyboard.press("Enter")


def _chats(page):
    page.get_by_role("button", name="Earlier").click()


@pytest.mark.parametrize(
    "choose",
    [_fleet, _why, _replies, _new, _transitions, _ahead, _delivery, _data, _chats] if EVERY else [_transitions],
)
def test_the_copied_link_shows_the_same_in_a_fresh_window(address, chrome, choose):
    name = choose.__name__[1:]
    with window(chrome, height=1600) as (page, seen):
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page.goto(f"{address}/{'' if name == 'fleet' else name}")
        settle(page, charts=CHARTS[name])
        before = seen_on(page)
        choose(page)
        page.wait_for_timeout(1500)
        settle(page, charts=min(1, CHARTS[name]))
        there = seen_on(page)
        assert there != before
        page.locator(".st-key-share button").first.click()
        page.get_by_role("button", name="Copy link").click()
        page.get_by_text("Copied.").wait_for()
        link = page.evaluate("navigator.clipboard.readText()")
        assert link == page.url
        assert "?" in link
        assert own_errors(seen) == []
    with window(chrome, height=1600) as (page, seen):
        page.goto(link)
        settle(page, charts=min(1, CHARTS[name]))
        page.wait_for_timeout(1000)
        assert seen_on(page) == there
        assert own_errors(seen) == []
        assert seen.outside == []


@pytest.mark.parametrize("scheme", ["light", "dark"] if EVERY else ["dark"])
@SWEEP
def test_a_chart_is_saved_as_it_is_drawn_on_its_own_ground_with_its_font(address, chrome, scheme, tmp_path):
    with window(chrome, scheme=scheme) as (page, seen):
        page.goto(address)
        settle(page, charts=2)
        title = page.locator(".st-key-card_causes .lh-h2").inner_text()
        drawn = page.locator(".st-key-card_causes svg.marks").bounding_box()
        page.locator(".st-key-files_causes button").first.click()
        saved = {}
        for kind in ("PNG", "SVG"):
            button = page.get_by_role("button", name=kind, exact=True)
            button.focus()
            with page.expect_download() as coming:
                page.keyboard.press("Enter")  # no mouse is needed
            assert coming.value.suggested_filename.startswith("linehealth-fleet-causes-")
            assert coming.value.suggested_filename.endswith(f".{kind.lower()}")
            saved[kind] = tmp_path / kind
            coming.value.save_as(saved[kind])
        svg = saved["SVG"].read_text(encoding="utf-8")
        rgb = "rgb({}, {}, {})".format(*(int(palette(scheme).surface[i : i + 2], 16) for i in (1, 3, 5)))
        assert f'fill="{rgb}"' in svg
        assert '@font-face{font-family:"Source Sans"' in svg
        assert title in svg
        assert "data to" in svg
        wide, tall = struct.unpack(">II", saved["PNG"].read_bytes()[16:24])
        assert wide >= 2 * drawn["width"]
        assert tall > 2 * drawn["height"]
        corner, colours = page.evaluate(PIXELS, f"data:image/png;base64,{_base64(saved['PNG'])}")
        assert corner == [*(int(palette(scheme).surface[i : i + 2], 16) for i in (1, 3, 5)), 255]
        assert colours > 20
        assert own_errors(seen) == []
        assert seen.outside == []


PIXELS = """async (source) => {
  const image = new Image();
  image.src = source;
  await image.decode();
  const canvas = Object.assign(document.createElement('canvas'), { width: image.width, height: image.height });
  const pen = canvas.getContext('2d');
  pen.drawImage(image, 0, 0);
  const data = new Uint32Array(pen.getImageData(0, 0, image.width, image.height).data.buffer);
  return [[...pen.getImageData(0, 0, 1, 1).data], new Set(data).size];
}"""


def _base64(path):
    from base64 import b64encode

    return b64encode(path.read_bytes()).decode()


def test_the_rows_of_a_card_are_downloaded_as_csv_and_parquet(address, chrome, demo_store, tmp_path):
    week = [e for e in pipeline.explanations(demo_store) if words.worsened(e)]
    with window(chrome) as (page, seen):
        page.goto(f"{address}/transitions?period=All&show=Falls")
        settle(page, charts=1)
        page.locator(".st-key-files_log button").first.click()
        for kind, read in (("CSV", pl.read_csv), ("Parquet", pl.read_parquet)):
            with page.expect_download() as coming:
                page.get_by_role("button", name=kind, exact=True).click()
            coming.value.save_as(tmp_path / kind)
            frame = read(tmp_path / kind)
            assert frame["headline"].to_list() == [e.headline for e in reversed(week)]
        assert own_errors(seen) == []
