"""The app driven without a browser, on a store of the test's choice."""

import re
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from analysis import pipeline

ROOT = Path(__file__).resolve().parents[2]
MESSAGES = "message_id,line,chat_id,direction,sent_at\n"
CHANGES = "line,changed_at,previous_health,new_health\n"


@pytest.fixture
def open_app(monkeypatch):
    """Open a page on a store; `query` is the address."""

    def _open(store, page: str = "fleet", **query) -> AppTest:
        monkeypatch.setenv("LINEHEALTH_STORE", str(store))
        at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
        for key, value in query.items():
            at.query_params[key] = value
        at.run()
        return at if page == "fleet" else at.switch_page(f"analysis/pages/{page}.py").run()

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
