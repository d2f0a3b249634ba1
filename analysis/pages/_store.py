"""Which store the viewer looks at, and cached reads of it: every read is kept until the store's content changes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import streamlit as st

from analysis import pipeline
from analysis.charts import Theme
from analysis.errors import StoreError
from analysis.pages._state import State
from analysis.pages._words import by_line, change_keys, line_key

DEMO_KEY, DEMO = "store", "demo"
MOVED, MOST = "store_moved", 5
"""How often in a row a page was begun again because the store was replaced while it was read, and how often at most."""


class _MovedError(Exception):
    """The store was replaced while it was read: what was read may be of another state than the rest of the page."""


class Here(State):
    """A state whose reads are kept between runs and viewers, until the store's content changes."""

    def kept(self, name: str, make: Callable[..., Any], arguments: dict[str, Any]) -> Any:
        """Return what a function of the store gives for this state; asked again, the same object without reading."""
        try:
            return _kept(name, str(self.store), self.version, make, tuple(sorted(arguments.items())))
        except _MovedError:
            begin_again()


@st.cache_resource(show_spinner=False, max_entries=256)
def _kept(
    name: str, store: str, version: str, _verb: Callable[..., Any], arguments: tuple[tuple[str, Any], ...]
) -> Any:
    found = _verb(store, **dict(arguments))
    if pipeline.snapshot(store) != version:  # a store is replaced whole: equal now, it was the same all the while
        raise _MovedError
    return found


def begin_again() -> NoReturn:
    """Draw the page again, from the store's new state alone: no page mixes two.

    Raises:
        StoreError: that was done some times in a row.
    """
    times = st.session_state.get(MOVED, 0)
    if times >= MOST:
        st.session_state[MOVED] = 0
        raise StoreError(
            "the store changes faster than this page can be read", where=str(store()), fix="try again in a moment"
        )
    st.session_state[MOVED] = times + 1
    st.rerun()


def theme() -> Theme:
    """Return the viewer's theme; right on the first run."""
    return "dark" if st.context.theme.type == "dark" else "light"


def demo_store() -> Path:
    """Return where the made-up fleet is kept: beside the store, never in it."""
    return pipeline.default_store().with_name("demo.duckdb")


def on_demo() -> bool:
    """Return whether the viewer chose the made-up fleet, in this session or by the address."""
    if st.query_params.get(DEMO_KEY) == DEMO:
        st.session_state[DEMO_KEY] = DEMO
    return st.session_state.get(DEMO_KEY) == DEMO and demo_store() != pipeline.default_store()


def store() -> Path:
    """Return the store that the viewer looks at."""
    return demo_store() if on_demo() else pipeline.default_store()


def missing() -> bool:
    """Return whether there is no store yet where the viewer looks."""
    return not pipeline.snapshot(store())


def address(**parts: str) -> dict[str, str]:
    """Return the query of a link to another page, with the choice of the made-up fleet kept."""
    return {**parts, DEMO_KEY: DEMO} if on_demo() else parts


def last_changes(state: Here) -> dict[str, dict[str, str]]:
    """Return for every line the address of Why at its last change."""
    last = {line: list(change_keys(found))[-1] for line, found in by_line(state.explanations()).items()}
    return {
        line: address(line=line_key(line), **({"at": last[line]} if line in last else {}))
        for line in state.lines()["line"]
    }


def here() -> Here:
    """Return the state to show. Raises StoreError as the pipeline does."""
    path = store()
    version = pipeline.snapshot(path)
    try:
        status = _kept("status", str(path), version, pipeline.status, ())
        chosen = _kept("settings", str(path), version, pipeline.settings, ())
    except _MovedError:
        begin_again()
    return Here(path, version, status, chosen, theme())
