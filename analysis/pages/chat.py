"""Chat: from a line's day to its chats, and from a chat to the ids of its messages. Reached by links only; the address tells it all."""

from __future__ import annotations

from datetime import date

import polars as pl
import streamlit as st

from analysis import charts, pipeline
from analysis.pages import _chat as parts
from analysis.pages import _html as html
from analysis.pages import _words as words
from analysis.pages._frame import WHY, counted, csv, draw, freshness, ready
from analysis.pages._frames import ms
from analysis.pages._links import CHAT, chat_query, day_query
from analysis.pages._store import Here, address
from analysis.schema import Explanation

ROW = 36


def asked_line(here: Here) -> str | None:
    """Return the line of the address; None where the store does not have it."""
    names = {words.line_key(line): line for line in here.lines()["line"]}
    return names.get("".join(c for c in st.query_params.get("line", "") if c.isdigit()))


def ways_back(line: str, day: date | None, e: Explanation | None, here: Here) -> None:
    """Offer the ways from here: the line's change, and the day's chats."""
    found = here.explanations(line)
    key = words.change_key(e, found) if e else None
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="ways_back"):
        query = address(line=words.line_key(line), **({"at": key} if key else {}))
        st.page_link(WHY, label=f"{words.line_name(line)}: why it changed", query_params=query)
        if day:
            st.page_link(CHAT, label=f"All chats of {day.day} {day:%b}", query_params=day_query(line, day))


def picture(messages: pl.DataFrame, line: str, chat_id: str, e: Explanation | None, here: Here) -> None:
    """Show what happened in the chat on one time axis."""
    span = parts.window(messages, here.as_of)
    events = parts.events(messages, here)
    spells = here.read(pipeline.spells, line=line)
    reports = here.read(pipeline.chat_health, chat_id=chat_id)
    spec = charts.timeline(
        events,
        parts.runs(messages, span[1], here),
        parts.healths(spells, reports, line, span, here),
        parts.rules(here.explanations(line), e, span, here),
        window=(ms(span[0], here.zone), ms(span[1], here.zone)),
        theme=here.theme,
    )
    with st.container(key="card_timeline", gap="small"):
        zone = f"{words.wall(here.as_of, here.zone):%Z}"
        drawn = f"The last {parts.MOST_DRAWN} of {messages.height:,} messages. " if messages.height > parts.MOST_DRAWN else ""  # fmt: skip
        sub = f'{drawn}<i class="lh-sw lh-sw-band"></i>turns without an answer. Below: health of the line and of this chat. Times in {zone}.'
        st.html(html.h2("What happened", sub))
        kinds = ", ".join(f"{n} {row.lower()}" for row, n in events["row"].value_counts().sort("row").iter_rows())
        draw(spec, key="timeline", alt=f"Timeline of the chat: {kinds}.")
        counted("chat", line=line)


def ids(messages: pl.DataFrame, chat_id: str, here: Here) -> None:
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
        csv(parts.exported(messages), f"chat-{words.chat_name(chat_id)}", key="ids_csv")


def health(chat_id: str, here: Here) -> None:
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


def one_chat(state: dict, here: Here) -> None:
    """Show one chat."""
    line, chat_id = state["line"], state["chat_id"]
    found = here.explanations(line)
    key = words.find_change(found, st.query_params.get("at", "")) if st.query_params.get("at") else None
    e = words.change_keys(found)[key] if key else None
    messages = here.read(pipeline.chat_messages, line=line, chat_id=chat_id)
    st.html(html.h1(parts.sentence(state, here), freshness(here)))
    ways_back(line, words.wall(messages["at"][-1], here.zone).date(), e, here)
    st.html(html.tiles([(html.eyebrow(name), figure, small) for name, figure, small in parts.tiles(state, here)]))
    picture(messages, line, chat_id, e, here)
    left, right = st.columns([2.05, 1], gap="medium")
    with left:
        ids(messages, chat_id, here)
    with right:
        health(chat_id, here)


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
    st.html(html.h1(parts.day_sentence(chats, line, day), freshness(here)))
    lines = sorted(here.lines()["line"])
    place = days.index(day)
    st.session_state["pick_line"], st.session_state["pick_day"] = line, day
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="pickers"):
        st.selectbox("Line", lines, key="pick_line", format_func=words.line_name, label_visibility="collapsed", width=210, on_change=lambda: _go(st.session_state["pick_line"], None))  # fmt: skip
        st.selectbox("Day", days[::-1], key="pick_day", format_func=lambda d: f"{d:%a} {d.day} {d:%b}", label_visibility="collapsed", width=160, on_change=lambda: _go(line, st.session_state["pick_day"]))  # fmt: skip
        st.button("Earlier", icon=":material/chevron_left:", key="earlier", disabled=place == 0, on_click=lambda: _go(line, days[place - 1]))  # fmt: skip
        st.button("Later", icon=":material/chevron_right:", icon_position="right", key="later", disabled=place == len(days) - 1, on_click=lambda: _go(line, days[place + 1]))  # fmt: skip
    if asked and asked != day.isoformat():
        st.html('<p class="lh-small">The line has no message on the day in the address; this is its latest.</p>')
    ways_back(line, None, None, here)
    with st.container(key="card_day", gap="small"):
        zone = f"{words.wall(here.as_of, here.zone):%Z}"
        st.html(html.h2(f"{words.plural(chats.height, 'chat')} with a message that day", "Most sends first. Choose a row to open the chat. Unanswered in a row, and health, as they stand now."))  # fmt: skip
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
        with st.container(horizontal=True, vertical_alignment="center"):
            counted("chats_on", line=line)
            csv(chats, f"chats-{words.line_key(line)}-{day}", key="day_csv")
        if event.selection.rows:
            st.switch_page(CHAT, query_params=chat_query(line, chats["chat_id"][event.selection.rows[0]]))


def main() -> None:
    """Draw the page."""
    here = ready()
    chat_id, line = st.query_params.get("chat", ""), asked_line(here)
    states = here.read(pipeline.chat_states, chat_id=chat_id) if chat_id else None
    if states is not None and states.height:
        one_chat(states.row(0, named=True), here)
        return
    if chat_id:
        st.html('<p class="lh-small">The chat in the address is not in this store, or has no message.</p>')
    if line is None:
        line = here.lines().sort("messages", "line", descending=[True, False])["line"][0]
        if st.query_params.get("line"):
            st.html('<p class="lh-small">The line in the address is not in this store; this is the busiest.</p>')
    one_day(line, here)


main()
