"""Delivery and audience: who opened the chats, who no longer answers, how the sends travelled, and what failed."""

from __future__ import annotations

from datetime import timedelta

import polars as pl
import streamlit as st

from analysis import charts, pipeline
from analysis.pages import _delivery as parts
from analysis.pages import _delivery_cells as cells
from analysis.pages import _figures as figures
from analysis.pages import _figures_more as more
from analysis.pages import _html as html
from analysis.pages import _periods as periods
from analysis.pages import _quality as quality
from analysis.pages import _replies as two
from analysis.pages import _words as words
from analysis.pages._foot import foot
from analysis.pages._frame import draw, freshness, ready
from analysis.pages._frames import ms_of_day
from analysis.pages._store import Here, last_changes

FIRST_LINES, FIRST_CHATS = 4, 8
LONGEST = 50
"""Chats with the longest streaks that the file holds."""
DAY = timedelta(days=1)


def under(card: str, frame: pl.DataFrame, w: two.Window, here: Here, chart: tuple[str, str] | None = None) -> None:
    """Show the foot of a card about both periods."""
    name = figures.named("delivery", card, figures.span(w.start, w.end))
    first, last = two.instants(w, here.zone)
    foot(
        card, frame, here, name=name, chart=chart, before=w.before, start=w.start, end=w.end,
        before_at=first, start_at=two.begin(w.start, here.zone), end_at=last,
    )  # fmt: skip


def under_now(card: str, frame: pl.DataFrame, here: Here, chart: tuple[str, str] | None = None) -> None:
    """Show the foot of a card about chats as they stand."""
    foot(
        card, frame, here, name=figures.named("delivery", card, f"{here.as_of:%Y-%m-%d}"), chart=chart, late=here.settings.late_turn,
        most=LONGEST, active_since=here.as_of - timedelta(days=here.settings.active_days),
    )  # fmt: skip


def opened(told: pl.DataFrame, w: two.Window, here: Here) -> None:
    """Show who opened the chats, and how sends into each kind are answered."""
    chats = {
        "now": here.read(pipeline.opened, since=w.start, until=w.end + DAY),
        "before": here.read(pipeline.opened, since=w.before, until=w.start),
    }
    frame = parts.opened(told, chats, w)
    with st.container(key="card_opened", gap="small"):
        sub = "Whole fleet. Answered: sends of these days into such chats, whenever the chat began."
        st.html(html.h2(parts.opened_title(frame), sub) + html.table(cells.OPENED, cells.opened(frame), least=640))
        under("opened", more.counted_sides(frame), w, here)


def streaks(here: Here) -> pl.DataFrame:
    """Return how many active chats have how many unanswered turns in a row."""
    return here.read(pipeline.streaks, as_of=here.as_of)


def unanswered(counts: pl.DataFrame, here: Here) -> None:
    """Show active chats by turns in a row without an answer, and the longest streaks."""
    late, rivals = here.settings.late_turn, here.settings.ref_unanswered
    title = parts.streaks_title(counts, late)
    bars = parts.streak_bars(counts, late)
    n, of = parts.over(counts, late)
    if not n:
        with st.container(key="card_streaks", gap="small"):
            st.html(html.h2(title, f"{words.plural(of, 'chat')} with a message in the last {here.settings.active_days} days."))  # fmt: skip
            under_now("streaks", counts, here)
        return
    left, right = st.columns([1.25, 1], gap="medium")
    with left, st.container(key="card_streaks", gap="small", height="stretch"):
        past, _ = parts.over(counts, rivals)
        days = here.settings.active_days
        limits = [(late, f"remove after {late - 1}–{late}\nLinq help centre")]
        if rivals <= parts.MOST_TURNS:
            limits.append((rivals, f"at most {rivals}\nmessages.dev"))
        told = "; ".join(html.text(limit.replace("\n", ", ")) for _, limit in limits)
        sub = f"{of:,} chats with a message in the last {days} days. {n:,} at {late} or more, {past:,} at {rivals} or more."
        st.html(html.h2(title, sub + html.narrow(f" Dashes: {told}.")))
        alt = f"{title}. " + "; ".join(bars["tip"]) + "."
        draw(charts.streaks(bars, limits=limits, most=parts.MOST_TURNS, theme=here.theme), key="streaks", alt=alt)
        under_now("streaks", counts, here, ("card_streaks", title))
    with right, st.container(key="card_streak_chats", gap="small", height="stretch"):
        chats = here.read(pipeline.chat_states, active=True, least_unanswered=late, most=LONGEST, as_of=here.as_of)
        shown = chats.head(FIRST_CHATS)
        st.html(
            html.h2(
                "The longest streaks",
                f"The first {shown.height} of {n:,}, longest first. Open one to see its messages' ids.",
            )
            + html.table(cells.STREAK, cells.streak_chats(shown, here), least=430)
        )
        under_now("streak_chats", more.chats(chats), here)


def window(w: two.Window) -> tuple[float, float]:
    """Return the first and last moment of both periods."""
    return ms_of_day(w.before), ms_of_day(w.end + DAY)


def travelled(told: pl.DataFrame, w: two.Window, here: Here) -> None:
    """Show how the sends travelled, by day, and the lines on which iMessage lost most."""
    m, lines = parts.service_moved(told, w), parts.service_lines(told, w)
    rows = more.of_sides(told, w, "line", "service")
    with st.container(key="card_services", gap="small", height="stretch"):
        title = parts.service_title(m, lines)
        stack, order = parts.service_stack(told, w)
        if not order:
            st.html(html.h2("How the sends travelled", "No send of these days says by which service it went."))
            under("services", rows, w, here)
            return
        n, of = m.now
        sub = f"Sends by service, a column a day, both periods: {cells.key(order)}. Now iMessage {n:,} of {of:,}."
        st.html(html.h2(title, sub))
        alt = f"{title}. {words.plural(stack['t'].n_unique(), 'day')} of sends by {', '.join(order)}."
        draw(charts.stacked_days(stack, window=window(w), share=True, theme=here.theme), key="services", alt=alt)
        if lines:
            st.html(
                html.table(cells.SERVICE, cells.service_lines(lines[:FIRST_LINES], last_changes(here)), least=430)
                + '<p class="lh-sub">Largest fall first. A falling share of iMessage can be an early sign of trouble.</p>'
            )
        under("services", rows, w, here, ("card_services", title))


def failed(told: pl.DataFrame, w: two.Window, here: Here) -> None:
    """Show what failed by day and code, what each code means, and what was delivered after all."""
    m, codes = parts.failures_moved(told, w), parts.failure_codes(told, w)
    rows = more.of_sides(told.filter(pl.col("failure_code").is_not_null()), w, "line", "failure_code")
    with st.container(key="card_failed", gap="small", height="stretch"):
        if not codes.height:
            st.html(html.h2("Nothing failed", f"{m.now[1]:,} sends in these {w.days} days, {m.before[1]:,} before."))
            under("failed", rows, w, here)
            return
        title = parts.codes_title(codes, m) if parts.rose(m) else parts.failures_title(m)
        stack, order = parts.failure_stack(told, w)
        n, of = m.now
        late = int(codes["failed_then_delivered_now"].sum())
        after = f" {late:,} more {'was' if late == 1 else 'were'} delivered after a failure was told: not failed." if late else ""  # fmt: skip
        st.html(
            html.h2(title, f"Failed sends by code, a column a day: {cells.key(order)}. {n:,} of {of:,} now.{after}")
        )
        if order:
            alt = f"{title}. Failed sends by day and code: {', '.join(order)}."
            draw(charts.stacked_days(stack, window=window(w), share=False, theme=here.theme), key="failed", alt=alt)
        sends = {"now": m.now[1], "before": m.before[1]}
        st.html(html.table(cells.CODES, cells.failure_codes(codes, sends), least=560))
        under("failed", rows, w, here, ("card_failed", title) if order else None)


def findings(told: pl.DataFrame, w: two.Window, counts: pl.DataFrame, here: Here) -> tuple[str, str, str]:
    """Return what the page finds of failures, services and chats without an answer."""
    return (
        parts.failures_title(parts.failures_moved(told, w)),
        parts.service_title(parts.service_moved(told, w), parts.service_lines(told, w)),
        parts.streaks_title(counts, here.settings.late_turn),
    )


def main() -> None:
    """Draw the page."""
    here = ready()
    n, said = periods.asked()
    w = two.window(n, here.as_of, here.zone)
    told = here.read(pipeline.deliveries, since=w.before, until=w.end + DAY)
    counts = streaks(here)
    failures, service = parts.failures_moved(told, w), parts.service_moved(told, w)
    title = parts.headline(failures, service, counts, here.settings.late_turn)
    st.html(html.h1(title, freshness(here)))
    text = [title] if told.is_empty() else [title, *(f"{t}." for t in findings(told, w, counts, here))]
    periods.choice(w, said, here.read(pipeline.signals, grain="day"), "\n".join(text), here)
    if told.is_empty():
        st.html('<p class="lh-p">No send is loaded for these days. Load a message export on the Data page.</p>')
        return
    lost = quality.warning(here, *two.instants(w, here.zone), days="The days compared")
    if lost:
        st.html(html.inset("No data for a part of the days compared", lost))
    left, right = st.columns(2, gap="medium")
    with left:
        failed(told, w, here)
    with right:
        travelled(told, w, here)
    unanswered(counts, here)
    opened(told, w, here)


main()
