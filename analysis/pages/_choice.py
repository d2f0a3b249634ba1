"""The address in, the change to show out: which line and which of its changes, and a sentence where the address was wrong."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from analysis import pipeline
from analysis.pages import _words as words
from analysis.pages._store import Here
from analysis.schema import SEVERITY, Explanation


@dataclass(frozen=True)
class Choice:
    """The line to show, its changes by address key (oldest first), the chosen key, and what to say about the address."""

    line: str
    changes: dict[str, Explanation]
    key: str | None
    said: str

    @property
    def change(self) -> Explanation | None:
        """The chosen change; None where the line has none."""
        return self.changes[self.key] if self.key else None


def choose(here: Here) -> Choice:
    """Return what the address asks for, or the nearest sensible thing, and write it back so that the address can be shared."""
    lines = here.lines()
    names = {words.line_key(line): line for line in lines["line"]}
    asked, at = st.query_params.get("line", ""), st.query_params.get("at", "")
    said = ""
    line = names.get("".join(c for c in asked if c.isdigit())) or names.get(asked)
    if line is None:
        line = _default_line(here)
        if asked:
            said = "The line in the address is not in this store; this is the line that changed for the worse last."
        at = ""
    found = here.explanations(line)
    key = words.find_change(found, at) if at else None
    changes = words.change_keys(found)
    if key is None and changes:
        if at:
            said = "This line has no change at the time in the address; this is its latest change for the worse."
        bad = [k for k, e in changes.items() if words.worsened(e)]
        key = (bad or list(changes))[-1]
    _write(line, key)
    return Choice(line, changes, key, said)


def _default_line(here: Here) -> str:
    """Return the line that last changed for the worse, else the worst, else the first."""
    bad = here.read(pipeline.transitions).filter("worsening").sort("at", "line", "kind")
    if bad.height:
        return str(bad["line"][-1])
    lines = here.lines()
    worst = sorted(
        lines.iter_rows(named=True), key=lambda r: (-SEVERITY.get(r["health"] or "", -1), -r["messages"], r["line"])
    )
    return worst[0]["line"]


def _write(line: str, key: str | None) -> None:
    wanted = {"line": words.line_key(line), **({"at": key} if key else {})}
    if any(st.query_params.get(k) != v for k, v in wanted.items()) or ("at" in st.query_params and key is None):
        st.query_params.update(wanted)
        if key is None:
            st.query_params.pop("at", None)


def _go(line: str, key: str | None) -> None:
    for name in ("from", "to"):  # a period belongs to the change it was chosen on
        st.query_params.pop(name, None)
    st.query_params["line"] = words.line_key(line)
    if key:
        st.query_params["at"] = key
    else:
        st.query_params.pop("at", None)


def pickers(c: Choice, here: Here) -> None:
    """Draw the row of pickers; every move goes through the address."""
    lines = sorted(here.lines()["line"])
    keys = list(c.changes)
    st.session_state["pick_line"], st.session_state["pick_change"] = c.line, c.key
    place = keys.index(c.key) if c.key else 0
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="pickers"):
        st.selectbox(
            "Line",
            lines,
            key="pick_line",
            format_func=words.line_name,
            label_visibility="collapsed",
            width=210,
            on_change=lambda: _go(st.session_state["pick_line"], None),
        )
        if keys:
            st.selectbox(
                "Change",
                keys,
                key="pick_change",
                format_func=lambda k: words.change_label(c.changes[k], here.zone),
                label_visibility="collapsed",
                width=330,
                on_change=lambda: _go(c.line, st.session_state["pick_change"]),
            )
            with st.container(horizontal=True, wrap=False, width="content", gap="small", key="steps"):
                st.button(
                    "Earlier",
                    icon=":material/chevron_left:",
                    disabled=place == 0,
                    on_click=lambda: _go(c.line, keys[place - 1]),
                    key="earlier",
                )
                st.button(
                    "Later",
                    icon=":material/chevron_right:",
                    icon_position="right",
                    disabled=place == len(keys) - 1,
                    on_click=lambda: _go(c.line, keys[place + 1]),
                    key="later",
                )
