"""The report in a real Chromium from its file: no complaint, no request, no word cut, readable for everybody; and its pages of paper."""

import re

import pytest

from analysis.report.pdf import dated
from tests.browser.driving import NEEDS_CHROMIUM, window
from tests.browser.test_axe import findings
from tests.sweep import EVERY

pytestmark = NEEDS_CHROMIUM

LOOKS = [("light", 1440), ("dark", 390)]
if EVERY:
    LOOKS += [("dark", 1440), ("light", 390), ("light", 768), ("dark", 2560)]


@pytest.fixture(scope="module")
def file(weekly, tmp_path_factory):
    return weekly.write(tmp_path_factory.mktemp("report") / "report.html")


@pytest.mark.parametrize(("scheme", "width"), LOOKS)
def test_it_opens_from_its_file_without_a_complaint_a_request_or_a_cut_word(file, chrome, weekly, scheme, width):
    with window(chrome, width=width, scheme=scheme) as (page, seen):
        page.context.set_offline(True)
        page.goto(file.as_uri())
        page.evaluate("document.fonts.ready")
        assert seen.errors == []
        assert [u for u in seen.outside if u != file.as_uri()] == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.locator("h1").inner_text() == weekly.title
        assert page.locator("svg.lh-chart").count() >= len(weekly.says.sections) + 2
        assert page.evaluate("document.fonts.check('15px \"Source Sans\"')")
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert ground == ("rgb(18, 22, 28)" if scheme == "dark" else "rgb(250, 248, 244)")
        line = page.locator('svg.lh-chart [stroke="#1F4E8C"]').first
        assert line.evaluate("e => getComputedStyle(e).stroke") == (
            "rgb(141, 184, 240)" if scheme == "dark" else "rgb(31, 78, 140)"
        )


@pytest.mark.parametrize("scheme", ["light", "dark"] if EVERY else ["light"])
def test_axe_finds_nothing_wrong(file, chrome, scheme):
    with window(chrome, scheme=scheme) as (page, _):
        page.goto(file.as_uri())
        assert findings(page) == []


def test_on_paper_no_picture_and_no_row_is_cut_and_the_ground_is_white(file, chrome):
    with window(chrome, width=695, scheme="dark") as (page, _):  # A4 less its margins
        page.goto(file.as_uri())
        page.emulate_media(media="print", color_scheme="dark")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert page.evaluate("getComputedStyle(document.body).color") == "rgb(29, 36, 48)"
        cut = "e => getComputedStyle(e).breakInside"
        for what in (".r-pic", "tr", ".r-need", "li"):
            assert {e.evaluate(cut) for e in page.locator(what).all()[:40]} == {"avoid"}
        tall = page.evaluate(
            "Math.max(...[...document.querySelectorAll('.r-pic')].map(e => e.getBoundingClientRect().height))"
        )
        assert tall < (297 - 30) / 25.4 * 96  # on one page
        wide = page.evaluate(
            "Math.max(...[...document.querySelectorAll('table,svg')].map(e => e.getBoundingClientRect().right))"
        )
        assert wide <= 695


def test_the_pdf_is_the_same_each_time_and_has_a_page_a_line_at_least(weekly):
    first = weekly.pdf
    assert first.startswith(b"%PDF")
    pages = len(re.findall(rb"/Type\s*/Page\b", first))
    assert pages >= len(weekly.says.sections) + 3
    assert f"D:{weekly.says.period.end:%Y%m%d%H%M%S}".encode() in first
    again = dated(first.replace(b"D:2026", b"D:2031"), weekly.says.period.end)
    assert len(again) == len(first)
    assert again == first
    if EVERY:
        from analysis.report.pdf import as_pdf

        assert as_pdf(weekly.html, made=weekly.says.period.end) == first
