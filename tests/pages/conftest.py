"""The app driven without a browser, on a store of the test's choice."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from analysis import pipeline
from tests.opening import opened

MESSAGES = "message_id,line,chat_id,direction,sent_at\n"
CHANGES = "line,changed_at,previous_health,new_health\n"


@pytest.fixture
def open_app(monkeypatch):
    """Open a page on a store; `query` is the address."""

    def _open(store, page: str = "fleet", **query) -> AppTest:
        monkeypatch.setenv("LINEHEALTH_STORE", str(store))
        return opened(page, query)

    return _open


@pytest.fixture
def tables(store, write):
    """Make a store of a messages table and a changes table (either may be empty text)."""

    def _make(messages: str = "", changes: str = "") -> Path:
        files = [("messages.csv", MESSAGES, messages), ("changes.csv", CHANGES, changes)]
        paths = [write(name, head + rows) for name, head, rows in files if rows]
        pipeline.load([str(p) for p in paths], store=store)
        return store

    return _make


def words_of(at: AppTest) -> str:
    """Return all that a page says, as one text."""
    said = [h.proto.body for h in at.get("html") if "<style>" not in h.proto.body]
    said = [re.sub(r'<span class="lh-whole">(.*?)</span>', r"\1", body) for body in said]
    return " ".join([*said, *(m.value for m in at.markdown), *(b.label for b in at.button)])


START, DAYS = datetime(2026, 3, 1), 21
OUTAGE = START + timedelta(days=17, hours=9)
QUIET = START + timedelta(days=12)
"""When the fleet's deliveries are lost for six hours, and one line's from then for a day."""


def traffic(path: Path, lost: Callable[[int, datetime], bool]) -> Path:
    """Write a table of three lines with a message every few minutes; every second chat never answers. Lost ones are left out."""
    rows = []
    for number, line in enumerate(("+14155550101", "+14155550102", "+14155550103")):
        at, i = START + timedelta(minutes=number), 0
        while at < START + timedelta(days=DAYS):
            chat = i // 3 % 40
            way = "inbound" if i % 3 == 2 and chat % 2 else "outbound"
            if not lost(number, at):
                rows.append(f"{line}-{i},{line},{line}-c{chat},{way},{at:%Y-%m-%dT%H:%M:%S}Z\n")
            at, i = at + timedelta(minutes=7 + 3 * (i % 4)), i + 1
    path.write_text(MESSAGES + "".join(rows))
    return path


@pytest.fixture(scope="session")
def store_with_gaps(tmp_path_factory) -> Path:
    """Traffic in which the fleet is silent for six hours, and before that the second line for a day."""

    def lost(number: int, at: datetime) -> bool:
        whole = OUTAGE <= at < OUTAGE + timedelta(hours=6)
        return whole or (number == 1 and QUIET <= at < QUIET + timedelta(days=1))

    folder = tmp_path_factory.mktemp("gaps")
    patch = pytest.MonkeyPatch()
    patch.setenv("LINEHEALTH_KEY", "a key that only the tests use")
    pipeline.load(traffic(folder / "messages.csv", lost), store=folder / "gaps.duckdb")
    patch.undo()
    return folder / "gaps.duckdb"
