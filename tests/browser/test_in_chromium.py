"""The app as a person sees it: deep links, clicks, narrow and wide, light and dark, nothing asked for outside."""

import contextlib
import re
import zipfile
from zoneinfo import ZoneInfo

import pytest

from analysis import pipeline
from analysis.pages import _words as words
from tests.browser.driving import NEEDS_CHROMIUM, app, own_errors, settle, window
from tests.sweep import EVERY, SWEEP

pytestmark = NEEDS_CHROMIUM


@pytest.fixture(scope="module")
def change(demo_store):
    """One change for the worse and its address."""
    e = next(
        e for e in pipeline.explanations(demo_store) if words.worsened(e) and e.drivers[0].driver == "new_conversations"
    )
    own = pipeline.explanations(demo_store, line=e.line)
    return e, f"why?line={words.line_key(e.line)}&at={words.change_key(e, own)}"


@pytest.fixture(scope="module")
def on_change(address, chrome, change):
    """A window that shows the change."""
    with window(chrome, height=1300) as (page, seen):
        page.goto(f"{address}/{change[1]}")
        settle(page, charts=3)
        yield page, seen


@SWEEP
def test_a_shared_link_opens_that_change_in_a_fresh_window(address, chrome, change):
    e, link = change
    with window(chrome) as (page, seen):
        page.goto(f"{address}/{link}")
        settle(page, charts=3)
        assert page.locator(".lh-h1").inner_text() == e.headline
        assert page.url.endswith(link)
        assert page.get_by_test_id("stException").count() == 0
        assert own_errors(seen) == []
        assert seen.outside == []


@SWEEP
def test_times_are_utc_whatever_the_browsers_zone(address, chrome, change):
    e, link = change
    began = words.moment(words.instant(e.onset), ZoneInfo("UTC"), weekday=False)
    axes = []
    for zone in ("America/New_York", "Asia/Tokyo"):
        with window(chrome, zone=zone) as (page, _):
            page.goto(f"{address}/{link}")
            settle(page, charts=3)
            lanes = page.locator(".st-key-card_lanes svg.marks").first
            assert f"Began {began}" in lanes.text_content()
            axes.append(lanes.locator(".role-axis-label text").all_text_contents())
    assert axes[0] == axes[1]


def test_every_picture_of_the_fleet_has_words_and_one_click_leads_to_why_and_back(address, chrome):
    with window(chrome) as (page, seen):
        page.goto(address)
        settle(page, charts=2)
        assert page.locator("img:not([alt])").count() == 0
        for chart in page.get_by_test_id("stVegaLiteChart").all():
            assert chart.evaluate(
                "e => [e, ...e.querySelectorAll('*')].some(x => (x.getAttribute('aria-label') || '').length > 20)"
            )
        reason = page.locator(".lh-reason b").first.inner_text()
        page.get_by_test_id("stPageLink").get_by_role("link").first.click()
        page.wait_for_url("**/why?**")
        settle(page, charts=2)
        assert page.locator(".lh-h1").inner_text() == reason
        page.get_by_role("link", name="Fleet", exact=True).click()
        settle(page, charts=2)
        assert "of 12 lines" in page.locator(".lh-h1").inner_text()
        assert own_errors(seen) == []
        assert seen.outside == []


def test_the_evidence_of_a_change_is_downloaded(on_change, change, tmp_path):
    e, (page, seen) = change[0], on_change
    with page.expect_download(timeout=20_000) as coming:
        page.get_by_role("button", name="Download evidence").click()
    assert coming.value.suggested_filename == f"evidence-{words.line_key(e.line)}-{e.at[:10]}.zip"
    coming.value.save_as(tmp_path / "evidence.zip")
    with zipfile.ZipFile(tmp_path / "evidence.zip") as packed:
        assert e.headline in packed.read("change.txt").decode()
    assert own_errors(seen) == []
    assert seen.outside == []


def test_a_drag_counts_its_period_and_its_address_restores_it(on_change, chrome):
    page, seen = on_change
    lanes = page.locator(".st-key-card_lanes")
    lanes.locator("svg.marks").first.evaluate("e => e.scrollIntoView()")
    box = lanes.locator("svg.marks").first.bounding_box()
    y = box["y"] + 110
    page.mouse.move(box["x"] + 0.5 * box["width"], y)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.7 * box["width"], y, steps=12)
    page.mouse.up()
    lanes.get_by_text("Usual for these hours").wait_for()
    table = lanes.locator("table").inner_text()
    assert "from=" in page.url
    link = page.url
    assert own_errors(seen) == []
    with window(chrome) as (page, seen):
        page.goto(link)
        settle(page, charts=3)
        assert page.locator(".st-key-card_lanes table").inner_text() == table
        assert own_errors(seen) == []
        assert seen.outside == []


@SWEEP
def test_a_chosen_change_of_the_log_opens_why(address, chrome):
    with window(chrome) as (page, seen):
        page.goto(f"{address}/transitions?period=All&show=Falls")
        settle(page, charts=1)
        assert "falls on" in page.locator(".lh-h1").inner_text()
        table = page.get_by_test_id("stDataFrame")
        table.scroll_into_view_if_needed()
        box = table.bounding_box()
        page.mouse.click(box["x"] + 16, box["y"] + 36 + 18)  # the first row's box, under the heads
        page.wait_for_url("**/why?*", timeout=15_000)
        settle(page, charts=2)
        assert page.get_by_test_id("stException").count() == 0
        assert own_errors(seen) == []


@SWEEP
def test_a_fall_on_the_ribbons_opens_its_change(address, chrome):
    with window(chrome, height=1600) as (page, _):
        page.goto(address)
        settle(page, charts=2)
        page.locator('.st-key-card_ribbons path[aria-roledescription="square"]').first.click(force=True)
        page.wait_for_url("**/why?**at=**")
        settle(page, charts=2)
        assert page.get_by_test_id("stException").count() == 0


@SWEEP
def test_a_click_on_the_calendar_lists_that_day_and_stands_in_the_address(address, chrome):
    with window(chrome, height=1600) as (page, seen):
        page.goto(f"{address}/new")
        settle(page, charts=3)
        page.locator(".st-key-card_calendar .mark-rect path").nth(60).click(force=True)
        page.wait_for_url("**/new?day=*")
        settle(page, charts=3)
        day = page.url.split("day=")[1]
        assert "opened" in page.locator(".st-key-card_calendar .lh-h2").nth(1).inner_text()
        page.goto(f"{address}/new?day={day}")
        settle(page, charts=3)
        assert page.locator(".st-key-card_calendar .lh-h2").count() == 2
        assert own_errors(seen) == []


@SWEEP
def test_a_burst_leads_to_why_for_the_fall_after_it(address, chrome):
    with window(chrome, height=1600) as (page, _):
        page.goto(f"{address}/new")
        settle(page, charts=3)
        page.locator(".st-key-card_every_burst a").first.click()
        page.wait_for_url("**/why?line=*&at=*")
        settle(page, charts=2)
        assert page.get_by_test_id("stException").count() == 0
        assert "is not in this store" not in page.locator("body").inner_text()


@SWEEP
def test_from_why_to_a_chat_to_its_day_and_the_address_restores_each(address, chrome, demo_store):
    e = next(e for e in pipeline.explanations(demo_store) if words.worsened(e) and e.chats_to_fix)
    chat = str(e.chats_to_fix[0]["chat_id"])
    newest = pipeline.chat_messages(demo_store, line=e.line, chat_id=chat)["at"][-1]
    with window(chrome, height=1600) as (page, seen):
        page.goto(f"{address}/why?line={words.line_key(e.line)}&at={e.at[:10]}")
        settle(page, charts=2)
        page.locator(".st-key-card_chats a").first.click()
        page.wait_for_url(f"**/chat?line={words.line_key(e.line)}&chat={chat}&at=*")
        settle(page, charts=1)
        said = page.locator(".lh-h1").inner_text()
        assert said.startswith(f"Chat {chat[:8]}")
        link = page.url
        page.goto(link)
        settle(page, charts=1)
        assert page.locator(".lh-h1").inner_text() == said
        assert page.locator(".st-key-card_timeline svg.marks").count() == 1
        page.get_by_role("link", name="All chats of").click()
        page.wait_for_url(f"**/chats?line={words.line_key(e.line)}&day={newest:%Y-%m-%d}")
        settle(page)
        page.wait_for_selector(".st-key-card_day")
        assert words.line_name(e.line) in page.locator(".lh-h1").inner_text()
        page.get_by_role("button", name="Earlier").click()
        page.wait_for_function(f"!location.search.includes('day={newest:%Y-%m-%d}')")
        settle(page)
        assert page.get_by_test_id("stException").count() == 0
        assert own_errors(seen) == []
        assert seen.outside == []


@SWEEP
def test_a_click_on_a_day_in_why_lists_that_days_chats(address, chrome, change):
    e, link = change
    with window(chrome, height=2200) as (page, seen):
        page.goto(f"{address}/{link}")
        settle(page, charts=3)
        page.locator(".st-key-card_volume .mark-symbol path").nth(3).click(force=True)
        page.wait_for_url(f"**/chats?line={words.line_key(e.line)}&day=*")
        page.wait_for_selector(".st-key-card_day")
        assert words.line_name(e.line) in page.locator(".lh-h1").inner_text()
        assert page.get_by_test_id("stException").count() == 0
        assert own_errors(seen) == []


@pytest.mark.parametrize("scheme", ["light", "dark"] if EVERY else ["dark"])
@SWEEP
def test_page_and_charts_follow_the_viewers_theme(address, chrome, scheme):
    from analysis.charts.theme import palette

    p = palette(scheme)
    with window(chrome, scheme=scheme) as (page, _):
        page.goto(f"{address}/why")
        settle(page, charts=2)
        rgb = "rgb({}, {}, {})".format(*(int(p.surface[i : i + 2], 16) for i in (1, 3, 5)))
        assert page.locator(".st-key-card_first").evaluate("e => getComputedStyle(e).backgroundColor") == rgb
        assert p.accent.lower() in page.locator(".st-key-card_lanes svg.marks").first.inner_html().lower()


def _dropped(folder, rows):
    path = folder / "march.csv"
    with path.open("w") as out:
        out.write("message_id,line,chat_id,direction,sent_at\n")
        for i in range(rows):
            way = "inbound" if i % 3 == 2 else "outbound"
            out.write(
                f"m{i},+14155550101,c{i // 9},{way},2026-03-{1 + i % 28:02d}T{i // 28 % 24:02d}:{i // 672 % 60:02d}:00Z\n"
            )
    return path


@SWEEP
def test_a_dropped_file_is_loaded_while_the_page_tells_how_far_it_is_and_its_rows_arrive(chrome, tmp_path):
    store = tmp_path / "own.duckdb"
    pipeline.load(_dropped(tmp_path, 10), store=store)
    with app(store) as base, window(chrome) as (page, seen):
        page.goto(f"{base}/data")
        settle(page)
        assert page.locator(".lh-h1").inner_text().startswith("10 messages on 1 line")
        page.locator('input[type="file"]').first.set_input_files(_dropped(tmp_path, 300_000))
        page.get_by_role("button", name="Load 1 file").click()
        told, filled = set(), set()
        bar = page.locator(".st-key-card_running")
        heading = page.locator(".lh-h1", has_text="300,000 messages")
        for _ in range(1200):
            if heading.count():
                break
            with contextlib.suppress(Exception):  # the card goes while it is read
                told.add(bar.inner_text(timeout=200))
                filled.add(bar.get_by_role("progressbar").get_attribute("aria-valuenow", timeout=200))
            page.wait_for_timeout(50)
        words_told = " ".join(told)
        assert "Reading file 1 of 1, march.csv:" in words_told
        assert re.search(r"Merging 300,000 rows|Counting signals", words_told)
        assert len(filled - {None}) >= 3
        settle(page)
        assert "299,990 new" in page.locator(".st-key-card_result .lh-h2").inner_text()
        assert page.locator(".st-key-card_running").count() == 0
        assert own_errors(seen) == []
        assert seen.outside == []


@SWEEP
def test_a_load_goes_on_while_another_page_is_looked_at(chrome, tmp_path):
    store = tmp_path / "own.duckdb"
    pipeline.load(_dropped(tmp_path, 10), store=store)
    with app(store) as base, window(chrome) as (page, seen):
        page.goto(f"{base}/data")
        settle(page)
        page.locator('input[type="file"]').first.set_input_files(_dropped(tmp_path, 200_000))
        page.get_by_role("button", name="Load 1 file").click()
        page.locator(".st-key-card_running").wait_for()
        page.get_by_role("link", name="Replies and volume", exact=True).click()
        page.wait_for_url("**/replies**")
        settle(page)
        page.get_by_role("link", name="Data", exact=True).click()
        page.locator(".lh-h1", has_text="200,000 messages").wait_for(timeout=60_000)
        page.locator(".st-key-card_result").wait_for()
        assert "199,990 new" in page.locator(".st-key-card_result .lh-h2").inner_text()
        assert own_errors(seen) == []
