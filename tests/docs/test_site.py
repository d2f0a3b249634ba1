"""The documentation as a site: it builds without a warning, opens from a folder without a request, and its dictionary is the schema's."""

import contextlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from analysis.store import Store
from tests import data_dictionary
from tests.browser.driving import NEEDS_CHROMIUM, browser, window
from tests.docs.blocks import PAGES, ROOT
from tests.sweep import EVERY

PICTURES = ROOT / "docs" / "pictures"
NEEDED = re.compile(r"<(?:script|link|img|iframe|source)\b[^>]*?(?:src|href|srcset)=\"(https?:)?//[^\"]*\"")


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("site") / "built"
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "-q", "-f", str(ROOT / "mkdocs.yml"), "-d", str(out)],
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return out


def test_every_page_is_built_and_asks_for_nothing_outside(site):
    for page in PAGES[1:]:
        html = (site / page.relative_to(ROOT / "docs")).with_suffix(".html").read_text()
        assert not NEEDED.search(html), page.name
    assert not re.search(r"url\(\"?https?:", (site / "style" / "look.css").read_text())


def test_pages_taken_in_are_there_in_full(site):
    for name, heading in (("method.html", "Gaps in the deliveries"), ("exports.html", "Foreign column names")):
        assert heading in (site / name).read_text()


def test_the_dictionary_is_what_the_schema_says(tmp_path):
    store = Store(tmp_path / "empty.duckdb")
    with store.writer():
        pass
    with store.reader() as con:
        assert data_dictionary.PAGE.read_text() == data_dictionary.page(con), "run: python -m tests.data_dictionary"
        silent = [(n, c) for n, (_, columns) in data_dictionary.rows(con).items() for c, _, told in columns if not told]
    assert silent == [], "give these columns a comment in analysis/store/sql or words in tests/data_dictionary.py"


def test_pictures_are_there_and_small():
    told = {name for page in PAGES for name in re.findall(r"pictures/([\w.-]+\.webp)", page.read_text())}
    kept = {p.name for p in PICTURES.glob("*.webp")}
    assert told == kept
    assert sum(p.stat().st_size for p in PICTURES.iterdir()) < 300_000


LOOKS = [("light", 1280), ("dark", 390)]


@pytest.mark.browser
@pytest.mark.skipif(NEEDS_CHROMIUM[1].args[0], reason="no Chromium on PATH")
def test_it_opens_from_a_folder_offline_and_its_search_finds(site):
    from playwright.sync_api import TimeoutError

    pages = sorted(site.rglob("*.html")) if EVERY else [site / "index.html", site / "questions" / "send.html"]
    with browser() as chrome:
        for scheme, width in LOOKS:
            with window(chrome, width=width, scheme=scheme) as (page, seen):
                for file in pages:
                    page.goto(file.as_uri())
                    page.wait_for_selector("h1")
                    assert page.evaluate("document.documentElement.scrollWidth") <= width, file.name
                    assert page.evaluate("[...document.images].every(i => i.complete && i.naturalWidth)"), file.name
                assert [u for u in seen.outside if not u.startswith("file:")] == []
                assert seen.errors == []
        with window(chrome, width=1280) as (page, seen):
            search, found = page.locator("input.md-search__input"), page.locator(".md-search-result__item")
            for _ in range(6):  # where a busy machine is late with the theme's frame for the index, it never gets it
                page.goto((site / "questions" / "why.html").as_uri())
                search.fill("opt-outs")
                with contextlib.suppress(TimeoutError):
                    found.first.wait_for(state="attached", timeout=5000)
                    break
            assert found.count() > 0
            page.get_by_role("link", name="FAQ").last.wait_for()
            assert seen.errors == []
