"""The address in; the period that a page compares with the one before it, and the choice of it on the screen, out."""

from __future__ import annotations

import polars as pl
import streamlit as st

from analysis.pages import _html as html
from analysis.pages import _replies as parts
from analysis.pages import _words as words
from analysis.pages._foot import share
from analysis.pages._store import Here

KEY = "days"
"""The period's name in the address."""


def asked() -> tuple[int, str]:
    """Return the period of the address in days, and what to say where it names none that there is."""
    return parts.asked(st.query_params.get(KEY))


def choice(w: parts.Window, said: str, days: pl.DataFrame, text: str, here: Here) -> None:
    """Draw the choice of a period, which stands in the address, and say which days are compared.

    Args:
        w: the period.
        said: what to say of the address.
        days: SIGNALS_DAY.
        text: what the page says, to be shared.
        here: the state of the store.
    """
    if st.query_params.get(KEY) != str(w.days):
        st.query_params[KEY] = str(w.days)
    st.session_state["period"] = w.days
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="periods"):
        st.segmented_control(
            "Period",
            parts.PERIODS,
            required=True,
            format_func=lambda n: f"{n} days",
            key="period",
            label_visibility="collapsed",
            on_change=lambda: st.query_params.update({KEY: str(st.session_state["period"])}),
        )
        first = days.select(pl.col("day").min()).item()
        told = parts.period_words(w, first, f"{words.wall(here.as_of, here.zone):%Z}")
        st.html(f'<p class="lh-small">{html.text(f"{said} {told}".strip())}</p>', width="stretch")
        share("\n".join([*text.splitlines(), told]))
