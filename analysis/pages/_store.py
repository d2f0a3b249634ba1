"""Which store the viewer looks at, and cached reads of it: every read is kept until the store's content changes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import streamlit as st

from analysis import pipeline
from analysis.charts import Theme
from analysis.pages._state import State
from analysis.pages._words import by_line, change_keys, line_key

DEMO_KEY, DEMO = "store", "demo"


class Here(State):
    """A state whose reads are kept between runs and viewers, until the store's content changes."""

    def kept(self, name: str, make: Callable[..., Any], arguments: dict[str, Any]) -> Any:
        """Return what a function of the store gives for this state; asked again, the same object without reading."""
        return _kept(name, str(self.store), self.version, make, tuple(sorted(arguments.items())))


@st.cache_resource(show_spinner=False, max_entries=256)
def _kept(
    name: str, store: str, version: str, _verb: Callable[..., Any], arguments: tuple[tuple[str, Any], ...]
) -> Any:
    return _verb(store, **dict(arguments))


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
    status = _kept("status", str(path), version, pipeline.status, ())
    return Here(path, version, status, _kept("settings", str(path), version, pipeline.settings, ()), theme())
