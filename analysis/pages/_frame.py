"""What stands round every page: the style sheet, and what to do where there is nothing, or nothing readable, to show."""

from __future__ import annotations

import streamlit as st

from analysis import charts
from analysis.errors import LineHealthError
from analysis.pages import _html as html
from analysis.pages._loading import demo_button, drop_files, load_path, result
from analysis.pages._running import watch
from analysis.pages._store import DEMO, DEMO_KEY, Here, here, missing, on_demo
from analysis.pages._words import moment, plural

ON = "1"
"""A switch that is on, in the address."""
FLEET, WHY, DATA = "analysis/pages/fleet.py", "analysis/pages/why.py", "analysis/pages/data.py"


def begin() -> None:
    """Put the style sheet in place."""
    st.html(f"<style>{charts.css()}</style>")


def ready() -> Here:
    """Return the state to show; where there is none, say what to do and end the page."""
    begin()
    if missing():
        empty()
        st.stop()
    try:
        state = here()
    except LineHealthError as error:
        unreadable(error)
        st.stop()
    if not state.status["as_of"]:
        empty()
        st.stop()
    tell_store()
    return state


def tell_store() -> None:
    """Let the address say where the made-up fleet is shown."""
    if on_demo() and st.query_params.get(DEMO_KEY) != DEMO:
        st.query_params[DEMO_KEY] = DEMO


def unreadable(error: LineHealthError) -> None:
    """Say what is wrong with the store, what was kept, and what to do."""
    st.html(html.h1("This store cannot be read."))
    with st.container(key="card_unreadable", gap="small"):
        st.html(
            f'<p class="lh-p">{html.text(error.problem[:1].upper() + error.problem[1:])}. Nothing was changed.</p>'
            + (f'<p class="lh-p"><b>What to do:</b> {html.text(error.fix)}.</p>' if error.fix else "")
            + (f'<p class="lh-small">{html.text(error.where)}</p>' if error.where else "")
        )
        if st.button("Try again", key="again"):
            st.rerun()


def empty() -> None:
    """Offer the three ways to start, easiest first."""
    st.html(
        html.h1("Nothing is loaded yet. Three ways to start.")
        + '<p class="lh-p" style="color:var(--lh-mut);margin-top:4px">Line Health reads your exports on this machine. '
        "Message text is never read, people are kept only as pseudonyms, nothing leaves.</p>"
    )
    result()
    place = st.container()
    ways = st.columns(3, gap="medium")
    with ways[0], st.container(key="card_demo", height="stretch", gap="small"):
        st.html(
            html.way(
                "1",
                "Look around with a made-up fleet",
                "12 lines, 60 days, with known causes. It goes into a store of its own.",
            )
        )
        demo_button()
    with ways[1], st.container(key="card_drop", height="stretch", gap="small"):
        st.html(
            html.way(
                "2",
                "Drop an export",
                "Webhook logs, or tables of messages and transitions: JSON lines, CSV, Parquet; .gz and .zst too.",
            )
        )
        drop_files()
    with ways[2], st.container(key="card_path", height="stretch", gap="small"):
        st.html(html.way("3", "Point at a folder", "Best for big exports: nothing is copied through the browser."))
        load_path()
        st.code("linehealth load exports/", language=None)
    with st.container(key="card_ghost", gap="small"):
        st.html(
            html.h2(
                "What you will see here",
                "One ribbon a line: thin while healthy, thicker at risk, full when critical, with the cause at each change.",
            )
            + html.ghost()
        )
    with place:
        watch()


def draw(spec: charts.Spec, *, key: str, alt: str) -> None:
    """Draw a chart as wide as its card; ``alt`` repeats its finding for those who cannot see it."""
    st.vega_lite_chart(spec, theme=None, key=key, alt=alt, width="stretch")


def asked(key: str) -> bool:
    """Return whether the address asks for what a switch of this key shows."""
    return st.query_params.get(key) == ON


def switch(label: str, key: str) -> None:
    """Offer a switch that stands in the address; ``asked`` tells, anywhere on the page, whether it is on."""
    st.session_state[key] = asked(key)
    st.toggle(label, key=key, on_change=_turned, args=(key,))


def _turned(key: str) -> None:
    if st.session_state[key]:
        st.query_params[key] = ON
    else:
        st.query_params.pop(key, None)


def freshness(state: Here) -> str:
    """Return how new the data is, as the small print beside a page's heading."""
    demo = "Made-up fleet · " if on_demo() else ""
    return f"{demo}{plural(state.status['lines'], 'line')} · data to {moment(state.as_of, state.zone)}"
