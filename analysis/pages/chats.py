"""Chats: what a line sent and received on one day, chat by chat. Reached by links only; the address tells it all."""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl
import streamlit as st

from analysis import pipeline
from analysis.pages import _chat as parts
from analysis.pages import _figures as figures
from analysis.pages import _figures_more as more
from analysis.pages import _html as html
from analysis.pages import _quality as quality
from analysis.pages import _words as words
from analysis.pages._foot import foot, share
from analysis.pages._frame import WHY, freshness, ready
from analysis.pages._links import CHAT, chat_query, day_query
from analysis.pages._replies import begin
from analysis.pages._store import Here, address

ROW = 36


def asked_line(here: Here) -> str | None:
    """Return the line of the address; None where the store does not have it."""
    names = {words.line_key(line): line for line in here.lines()["line"]}
    return names.get("".join(c for c in st.query_params.get("line", "") if c.isdigit()))


def _go(line: str, day: date | None) -> None:
    st.query_params.from_dict(day_query(line, day) if day else address(line=words.line_key(line)))


def one_day(line: str, here: Here) -> None:
    """Show the chats of one line's day: that of the address, else the latest."""
    days = here.read(pipeline.signals, grain="day", line=line).filter((pl.col("outbound") + pl.col("inbound")) > 0)["day"].to_list()  # fmt: skip
    if not days:
        st.html(html.h1(f"No message of {words.line_name(line)} is loaded.", freshness(here)))
        return
    asked = st.query_params.get("day", "")
    day = next((d for d in days if d.isoformat() == asked), days[-1])
    if asked != day.isoformat():
        st.query_params["day"] = day.isoformat()
    chats = here.read(pipeline.chats_on, line=line, day=day)
    title = parts.day_sentence(chats, line, day)
    st.html(html.h1(title, freshness(here)))
    lines = sorted(here.lines()["line"])
    place = days.index(day)
    st.session_state["pick_line"], st.session_state["pick_day"] = line, day
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="pickers"):
        st.selectbox("Line", lines, key="pick_line", format_func=words.line_name, label_visibility="collapsed", width=210, on_change=lambda: _go(st.session_state["pick_line"], None))  # fmt: skip
        st.selectbox("Day", days[::-1], key="pick_day", format_func=lambda d: f"{d:%a} {d.day} {d:%b}", label_visibility="collapsed", width=160, on_change=lambda: _go(line, st.session_state["pick_day"]))  # fmt: skip
        st.button("Earlier", icon=":material/chevron_left:", key="earlier", disabled=place == 0, on_click=lambda: _go(line, days[place - 1]))  # fmt: skip
        st.button("Later", icon=":material/chevron_right:", icon_position="right", key="later", disabled=place == len(days) - 1, on_click=lambda: _go(line, days[place + 1]))  # fmt: skip
        share(title)
    if asked and asked != day.isoformat():
        st.html('<p class="lh-small">The line has no message on the day in the address; this is its latest.</p>')
    st.page_link(WHY, label=f"{words.line_name(line)}: why it changed", query_params=address(line=words.line_key(line)))
    with st.container(key="card_day", gap="small"):
        zone = f"{words.wall(here.as_of, here.zone):%Z}"
        st.html(html.h2(f"{words.plural(chats.height, 'chat')} with a message that day", "Most sends first. Choose a row to open the chat. Unanswered in a row, and health, as they stand now."))  # fmt: skip
        lost = quality.warning(
            here,
            begin(day, here.zone),
            begin(day + timedelta(days=1), here.zone),
            line=line,
            days="The hours of this day",
        )
        if lost:
            st.html(f'<p class="lh-sub">{html.text(lost)}</p>')
        event = st.dataframe(
            parts.day_rows(chats, here),
            column_config={
                "When": st.column_config.TextColumn(f"When, {zone}"),
                "Unanswered": st.column_config.NumberColumn("Unanswered in a row"),
            },
            row_height=ROW,
            height=min(ROW * (chats.height + 1) + 2, 640),
            placeholder=words.DASH,
            on_select="rerun",
            selection_mode="single-row",
            key=f"chats_{words.line_key(line)}_{day}",
            alt=f"{chats.height} chats of the day with what was sent and received",
        )
        foot(
            "chats_on", more.day(chats), here, name=figures.named("chats", "day", words.line_key(line), day.isoformat()), line=line, day=day,
            since=begin(day, here.zone), until=begin(day + timedelta(days=1), here.zone),
        )  # fmt: skip
        if event.selection.rows:
            st.switch_page(CHAT, query_params=chat_query(line, chats["chat_id"][event.selection.rows[0]]))


def main() -> None:
    """Draw the page."""
    here = ready()
    line = asked_line(here)
    if line is None:
        line = here.lines().sort("messages", "line", descending=[True, False])["line"][0]
        if st.query_params.get("line"):
            st.html('<p class="lh-small">The line in the address is not in this store; this is the busiest.</p>')
    one_day(line, here)


main()
