"""Chat: one chat, from what happened down to the ids of its messages. Reached by links only; the address tells it all."""

from __future__ import annotations

from datetime import date

import polars as pl
import streamlit as st

from analysis import charts, pipeline
from analysis.pages import _chat as parts
from analysis.pages import _figures as figures
from analysis.pages import _figures_more as more
from analysis.pages import _html as html
from analysis.pages import _lanes
from analysis.pages import _quality as quality
from analysis.pages import _words as words
from analysis.pages._foot import foot, share
from analysis.pages._frame import WHY, draw, freshness, ready
from analysis.pages._frames import ms
from analysis.pages._links import CHATS, day_query
from analysis.pages._store import Here, address
from analysis.schema import Explanation

ROW = 36


def under(
    card: str, frame: pl.DataFrame, line: str, chat_id: str, here: Here, chart: tuple[str, str] | None = None
) -> None:
    """Show a card's foot."""
    name = figures.named("chat", card, words.line_key(line), words.chat_name(chat_id))
    gap = int(here.settings.turn_gap_minutes * 60_000)
    foot(card, frame, here, name=name, line=line, chart=chart, chat_id=chat_id, most=parts.MOST_DRAWN, turn_gap_ms=gap)


def ways_back(line: str, day: date | None, e: Explanation | None, here: Here, text: str) -> None:
    """Offer the ways from here: the line's change, the day's chats, and the page's text and address to share."""
    found = here.explanations(line)
    key = words.change_key(e, found) if e else None
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="ways_back"):
        query = address(line=words.line_key(line), **({"at": key} if key else {}))
        st.page_link(WHY, label=f"{words.line_name(line)}: why it changed", query_params=query)
        if day:
            st.page_link(CHATS, label=f"All chats of {day.day} {day:%b}", query_params=day_query(line, day))
        share(text)


def picture(messages: pl.DataFrame, line: str, chat_id: str, e: Explanation | None, here: Here) -> None:
    """Show what happened in the chat on one time axis."""
    span = parts.window(messages, here.as_of)
    events = parts.events(messages, here)
    spells = here.read(pipeline.spells, line=line)
    reports = here.read(pipeline.chat_health, chat_id=chat_id)
    gaps = quality.gaps_in(here, *span, line=line)
    spec = charts.timeline(
        events,
        parts.runs(messages, span[1], here),
        parts.healths(spells, reports, line, span, here),
        parts.rules(here.explanations(line), e, span, here),
        window=(ms(span[0], here.zone), ms(span[1], here.zone)),
        lost=_lanes.without_data(gaps, _lanes.Picture([], [], [], *span), here.zone),
        theme=here.theme,
    )
    with st.container(key="card_timeline", gap="small"):
        zone = f"{words.wall(here.as_of, here.zone):%Z}"
        drawn = f"The last {parts.MOST_DRAWN} of {messages.height:,} messages. " if messages.height > parts.MOST_DRAWN else ""  # fmt: skip
        sub = f'{drawn}<i class="lh-sw lh-sw-band"></i>turns without an answer. Below: health of the line and of this chat. Times in {zone}.'
        st.html(html.h2("What happened", sub))
        kinds = ", ".join(f"{n} {row.lower()}" for row, n in events["row"].value_counts().sort("row").iter_rows())
        draw(spec, key="timeline", alt=f"Timeline of the chat: {kinds}.")
        if gaps.height:
            told = "; ".join(quality.gap_marks(gaps, here)[0]["tip"])
            st.html(f'<p class="lh-sub">Grey columns: no data for a part of this time. {html.text(told)}.</p>')
        under("timeline", more.events(messages), line, chat_id, here, ("card_timeline", "What happened"))


def ids(messages: pl.DataFrame, line: str, chat_id: str, here: Here) -> None:
    """Show the messages by id, newest first."""
    with st.container(key="card_ids", gap="small", height="stretch"):
        st.html(html.h2(f"{words.plural(messages.height, 'message')}, newest first", "The vendor's ids, to look up or to send to its support. Text and people are never kept."))  # fmt: skip
        zone = f"{words.wall(here.as_of, here.zone):%Z}"
        st.dataframe(
            parts.listed(messages, here),
            column_config={
                "Time": st.column_config.TextColumn(f"Time, {zone}", width=105),
                "Direction": st.column_config.TextColumn(width=80),
                "Service": st.column_config.TextColumn(width=80),
                "Outcome": st.column_config.TextColumn(width=120),
                "Code": st.column_config.TextColumn(width=60),
                "In a row": st.column_config.NumberColumn(width=70, help="Turns without an answer, with this one."),
                "Message id": st.column_config.TextColumn(width=290),
            },
            row_height=ROW,
            height=min(ROW * (messages.height + 1) + 2, 480),
            placeholder=words.DASH,
            key="ids",
            alt=f"{messages.height} messages, newest first, with direction, service, outcome, code and id",
        )
        st.html(f'<p class="lh-small">Chat id: <code>{html.text(chat_id)}</code></p>')
        under("messages", more.messages(messages), line, chat_id, here)


def health(line: str, chat_id: str, here: Here) -> None:
    """Show the chat's health as it became known, newest first."""
    reports = here.read(pipeline.chat_health, chat_id=chat_id)
    with st.container(key="card_chat_health", gap="small", height="stretch"):
        st.html(html.h2("Health of this chat", "As the vendor told it, newest first."))
        if reports.is_empty():
            st.html('<p class="lh-p">No event told the health of this chat.</p>')
            return
        changed = reports.filter((pl.col("health") != pl.col("health").shift()).fill_null(True)).reverse()
        rows = [[html.badge(h), html.text(words.moment(at, here.zone))] for at, h in changed.select("at", "health").iter_rows()]  # fmt: skip
        st.html(html.table([("Health", False), ("Since", False)], rows))
        under("chat_health", more.chat_health(reports), line, chat_id, here)


def one_chat(state: dict, here: Here) -> None:
    """Show one chat."""
    line, chat_id = state["line"], state["chat_id"]
    found = here.explanations(line)
    key = words.find_change(found, st.query_params.get("at", "")) if st.query_params.get("at") else None
    e = words.change_keys(found)[key] if key else None
    messages = here.read(pipeline.chat_messages, line=line, chat_id=chat_id)
    st.html(html.h1(parts.sentence(state, here), freshness(here)))
    told = parts.tiles(state, here)
    ways_back(line, words.wall(messages["at"][-1], here.zone).date(), e, here, "\n".join([parts.sentence(state, here), *(f"{name}: {figure}, {small}." for name, figure, small in told)]))  # fmt: skip
    st.html(html.tiles([(html.eyebrow(name), figure, small) for name, figure, small in told]))
    picture(messages, line, chat_id, e, here)
    left, right = st.columns([2.05, 1], gap="medium")
    with left:
        ids(messages, line, chat_id, here)
    with right:
        health(line, chat_id, here)


def main() -> None:
    """Draw the page."""
    here = ready()
    chat_id = st.query_params.get("chat", "")
    states = here.read(pipeline.chat_states, chat_id=chat_id)
    if chat_id and states.height:
        one_chat(states.row(0, named=True), here)
        return
    st.html(html.h1("The chat in the address is not in this store, or has no message.", freshness(here)))
    line = words.line_key(here.lines()["line"][0])
    st.page_link(
        CHATS, label="Choose a line, a day and a chat", query_params=address(line=st.query_params.get("line", line))
    )


main()
