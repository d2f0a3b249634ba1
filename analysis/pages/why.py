"""Why: one change of one line. What happened, what caused it, what moved and when, and what to do first."""

from __future__ import annotations

from datetime import timedelta

import polars as pl
import streamlit as st

from analysis import pipeline
from analysis.pages import _html as html
from analysis.pages import _why
from analysis.pages import _why_cards as cards
from analysis.pages import _words as words
from analysis.pages._choice import Choice, choose, pickers
from analysis.pages._foot import share
from analysis.pages._frame import freshness, ready
from analysis.pages._frames import USUAL_DAYS
from analysis.pages._store import Here


def normal(c: Choice, hours: pl.DataFrame, here: Here) -> None:
    """Show what normal looks like, where the line has never changed."""
    days = max(
        1,
        round(
            (
                here.as_of - (words.instant(here.status["first_at"]) if here.status["first_at"] else here.as_of)
            ).total_seconds()
            / 86400
        ),
    )
    st.html(
        html.h1(
            f"This line has not changed health in {words.plural(days, 'day')} of data. Here is what normal looks like."
        )
    )
    st.html(
        '<p class="lh-small">Changes come with the line-health exports or webhooks. If they are not loaded yet, load them on the Data page.</p>'
    )
    cards.moved(hours, None, c.line, here)


def main() -> None:
    """Draw the page."""
    here = ready()
    c = choose(here)
    with st.container(horizontal=True, vertical_alignment="center", key="top"):
        pickers(c, here)
        share(
            _why.as_text(c.change, here) if c.change else f"{words.line_name(c.line)}: no change of health in the data."
        )
    if c.said:
        st.html(f'<p class="lh-small">{html.text(c.said)}</p>')
    e = c.change
    since = (
        words.instant(e.onset or e.at) - timedelta(days=USUAL_DAYS + 1)
        if e
        else here.as_of - timedelta(days=USUAL_DAYS + 31)
    )
    hours = here.read(pipeline.signals, grain="hour", line=c.line, since=since)
    if e is None:
        normal(c, hours, here)
        return
    cards.first_card(e, here)
    left, right = st.columns([2.05, 1], gap="medium")
    with left:
        cards.moved(hours, e, c.line, here)
    with right:
        cards.evidence(e, here)
        cards.what_if(e, here)
    days = here.read(pipeline.signals, grain="day", line=c.line, columns=_why.DAYS)
    left, right = st.columns(2, gap="medium")
    with left:
        cards.volume(days, e, here)
    with right:
        beside = cards.hour_by_hour(hours, e, here)
        if not beside:
            cards.to_do(e, here)
    if beside and e.chats_to_fix:
        left, right = st.columns([1.35, 1], gap="medium")
        with left:
            cards.chats(e, here)
        with right:
            cards.to_do(e, here)
    elif beside:
        cards.to_do(e, here)
    elif e.chats_to_fix:
        cards.chats(e, here)
    st.html(f'<p class="lh-small">{html.text(freshness(here))}</p>')


main()
