"""New conversations: where were too many opened at once, and what followed?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import polars as pl
import streamlit as st

from analysis import charts, pipeline
from analysis.pages import _figures as figures
from analysis.pages import _html as html
from analysis.pages import _new as new
from analysis.pages import _new_rows as rows
from analysis.pages import _quality as quality
from analysis.pages import _words as words
from analysis.pages._foot import foot, share
from analysis.pages._frame import asked, draw, freshness, ready, switch
from analysis.pages._frames import ms
from analysis.pages._links import CHATS, day_query
from analysis.pages._store import Here

FIRST = 12
"""Bursts listed, and read opener by opener, until all are asked for."""


@dataclass(frozen=True)
class Choice:
    """The period and the day that the address asks for, and what to say where it was wrong."""

    period: new.Period
    day: date | None
    said: str

    @property
    def all_days(self) -> list[date]:
        """The period's days, latest first."""
        return [self.period.first.date() + timedelta(days=d) for d in reversed(range(self.period.days))]


def choose(here: Here) -> Choice:
    """Return what the address asks for, or the nearest sensible thing."""
    asked, day, said = st.query_params.get("days", ""), st.query_params.get("day", ""), []
    days = next((d for d in new.PERIODS if str(d) == asked), new.PERIODS[-1])
    if asked and str(days) != asked:
        said.append(f"The address asks for a period that is not offered; these are {days} days.")
    c = Choice(new.period(here, days), None, "")
    chosen = next((d for d in c.all_days if d.isoformat() == day), None)
    if day and not chosen:
        said.append(f"The day in the address is not one of these {days} days; no day is chosen.")
    return Choice(c.period, chosen, " ".join(said))


def _go(name: str, value: str | None) -> None:
    """Write a choice into the address; the page is then drawn from there."""
    if value:
        st.query_params[name] = value
    else:
        st.query_params.pop(name, None)


def _clicked() -> None:
    """Take the day that was clicked on the calendar."""
    picked = (st.session_state["calendar"].get("selection") or {}).get("pick") or []
    if isinstance(picked, list) and picked and picked[0].get("day"):
        _go("day", str(picked[0]["day"]))


def by_chance(here: Here, found: list[new.Burst], p: new.Period) -> tuple[int, int]:
    """Return hours outside bursts that a fall followed, and all of them."""
    falls = here.read(pipeline.transitions).filter(pl.col("kind") == "health", "worsening")
    return rows.base_rate(new.hours_read(here), falls, found, p.start, here.as_of)


def under(
    card: str, frame: pl.DataFrame, c: Choice, here: Here, chart: tuple[str, str] | None = None, **values: Any
) -> None:
    """Show a card's foot."""
    foot(
        card,
        frame,
        here,
        name=figures.named("new", card, figures.span(c.period.first, here.as_of)),
        chart=chart,
        **values,
    )


def followed(found: list[new.Burst], c: Choice, here: Here) -> None:
    """Show bursts by start and times the usual day, marked by what followed."""
    zone = f"{words.wall(here.as_of, here.zone):%Z}"
    with st.container(key="card_bursts", gap="small", height="stretch"):
        known = [b for b in found if b.usual]
        without = len(found) - len(known)
        more = f" {words.plural(without, 'burst')} on lines without a usual: in the table only." if without else ""
        marks = f"{html.mark('HEALTHY')}no fall within {new.FOLLOW_HOURS} h, {html.mark('AT_RISK')}at risk, {html.mark('CRITICAL')}critical, □ other (named on the mark)."
        title = new.chart_title(found)
        st.html(html.h2(title, f"One mark a burst, larger with more opened: {marks}{more}"))
        if known:
            window = ms(c.period.start, here.zone), ms(here.as_of, here.zone)
            names = rows.short_names(here.lines()["line"].to_list())
            frame = rows.burst_marks(found, names, window, here)
            spec = charts.bursts(frame, window=window, zone=zone, theme=here.theme)
            told = ", ".join(f"{rows.SHORT.get(b.outcome, 'other')} after {b.peak}" for b in known[:FIRST])
            draw(spec, key="bursts", alt=f"{title}. {words.plural(len(known), 'burst')}: {told} openers.")
        else:
            st.html(
                '<p class="lh-p">No line with a usual had a burst in these days. The calendar shows when conversations were opened.</p>'
            )
        rate = here.made(f"falls by chance {c.period.days}", lambda h: by_chance(h, found, c.period))
        told = new.compared(found, rate)
        if told:
            st.html(
                html.inset("Is that more than by chance?", f"{told} A burst before a fall did not always cause it.")
            )
        chart = ("card_bursts", title) if known else None
        under("bursts", rows.burst_csv(found), c, here, chart, **figures.burst_values(here))


def close_together(read: list[tuple[new.Burst, list[float]]], c: Choice, here: Here, of: int) -> None:
    """Show how close together the openers of each burst were sent."""
    with st.container(key="card_gaps", gap="small", height="stretch"):
        frame = rows.gap_marks(read, rows.short_names(here.lines()["line"].to_list()), here)
        title = rows.gaps_title(read)
        which = f"The {len(read)} bursts listed first, of {of}. " if len(read) < of else ""
        st.html(html.h2(title, f"{which}Tick: smallest gap. Dot: median gap, from start to end of the burst."))
        if not frame.height:
            st.html('<p class="lh-p">No burst, so there is no gap to show.</p>')
            return
        told = ", ".join(f"{r['label']} {new.gap_words(r['median'])}" for r in frame.iter_rows(named=True))
        draw(charts.burst_gaps(frame, theme=here.theme), key="gaps", alt=f"{title}. Median gaps: {told}.")
        values = figures.gap_values(read, here)
        under("burst_gaps", figures.gaps(read), c, here, ("card_gaps", title), **values)


def calendar(clock: pl.DataFrame, found: list[new.Burst], c: Choice, here: Here) -> None:
    """Show openers by day and hour; a day can be chosen by a click or by its name."""
    zone = f"{words.wall(here.as_of, here.zone):%Z}"
    with st.container(key="card_calendar", gap="small"):
        m = rows.month(clock, c.period, found, c.day, here)
        struck = " Struck through: no data, a gap of the whole fleet." if m.no_data.height else ""
        sub = f"New conversations an hour, all lines, {zone}. Outlined: a burst began that day.{struck} Choose a day to list its openers."
        with st.container(horizontal=True, vertical_alignment="center"):
            st.html(html.h2(m.title, sub), width="stretch")
            st.session_state["pick_day"] = c.day
            st.selectbox(
                "Day",
                c.all_days,
                key="pick_day",
                index=None,
                placeholder="Choose a day",
                format_func=lambda d: f"{d:%a} {d.day} {d:%b}",
                label_visibility="collapsed",
                width=180,
                on_change=lambda: _go(
                    "day", st.session_state["pick_day"].isoformat() if st.session_state["pick_day"] else None
                ),
            )
        first = (c.period.first - rows.EPOCH) / timedelta(milliseconds=1)
        spec = charts.opener_calendar(
            m.cells,
            m.days,
            m.no_data,
            levels=m.levels,
            window=(first, first + c.period.days * rows.DAY_MS),
            zone=zone,
            theme=here.theme,
        )
        st.vega_lite_chart(
            spec,
            theme=None,
            key="calendar",
            on_select=_clicked,
            selection_mode=["pick"],
            alt=f"{m.title}. {words.plural(c.period.days, 'day')} of {words.plural(here.lines().height, 'line')}, by hour.",
            width="stretch",
        )
        if c.day:
            listed = rows.day_rows(clock, c.day, rows.named(here.lines()))
            st.html(html.h2(rows.day_title(listed, c.day), "Choose a row for the line's chats of that day."))
            if listed.height:
                event = st.dataframe(
                    listed.drop("line").rename({"Hour": f"Hour, {zone}"}),
                    column_config={
                        "Opened": st.column_config.NumberColumn(format="localized"),
                        "Answered": st.column_config.TextColumn(
                            alignment="right", help="Of those old enough to have been answered."
                        ),
                    },
                    row_height=36,
                    height=min(36 * (listed.height + 1) + 2, 400),
                    key=f"day_table_{c.day}",
                    on_select="rerun",
                    selection_mode="single-row",
                    alt=rows.day_title(listed, c.day),
                )
                if event.selection.rows:
                    line = listed["line"][event.selection.rows[0]]
                    st.switch_page(CHATS, query_params=day_query(line, c.day))
        hours = clock.filter(pl.col("opened") > 0)
        under("calendar", hours, c, here, ("card_calendar", m.title), since=c.period.start, zone=str(here.zone))


def listed(found: list[new.Burst], read: list[tuple[new.Burst, list[float]]], c: Choice, here: Here) -> None:
    """Show every burst with what followed and the way to Why."""
    with st.container(key="card_every_burst", gap="small"):
        zone = f"{words.wall(here.as_of, here.zone):%Z}"
        st.html(
            html.h2("Every burst", f"Those that a fall followed first, then by conversations opened. Times in {zone}.")
        )
        cells = [
            rows.cells(b, float(pl.Series(g).median() or 0) if g else None, here)  # type: ignore[arg-type]
            for b, g in read
        ]
        st.html(html.table(rows.HEADS, cells, least=980))
        if len(found) > FIRST:
            switch(f"Show all {len(found):,}", "all_bursts")
        under("every_burst", rows.burst_csv(found), c, here, **figures.burst_values(here))


def main() -> None:
    """Draw the page."""
    here = ready()
    c = choose(here)
    every: list[new.Burst] = here.made("bursts", new.bursts)
    found = [b for b in every if b.start >= c.period.start]
    clock: pl.DataFrame = here.made(
        f"openers by clock {c.period.days}", lambda h: rows.by_clock(new.hours_read(h), c.period, h)
    )
    measured: bool = here.made(f"bursts measured {c.period.days}", lambda h: new.measured(h, c.period))
    opened = int(clock["opened"].sum())
    sentence = new.sentence(found, c.period.days, opened=opened, measured=measured)
    st.html(html.h1(sentence, freshness(here)))
    st.session_state["pick_days"] = c.period.days
    with st.container(horizontal=True, vertical_alignment="center", key="periods"):
        st.segmented_control(
            "Period",
            new.PERIODS,
            key="pick_days",
            required=True,
            format_func=lambda d: f"{d} days",
            label_visibility="collapsed",
            on_change=lambda: _go("days", str(st.session_state["pick_days"])),
        )
        share(new.as_text(sentence, found, here))
    if c.said:
        st.html(f'<p class="lh-small">{html.text(c.said)}</p>')
    lost = quality.warning(here, c.period.start, here.as_of)
    if lost:
        st.html(html.inset("No data for a part of these days", lost))
    if not opened:
        st.html(
            '<p class="lh-p">A conversation counts as new at its first message ever seen, if that is a send. There is none in this period.</p>'
        )
    shown = found if asked("all_bursts") else found[:FIRST]
    read = new.gaps_of(shown, here)
    if found:
        left, right = st.columns([1.55, 1], gap="medium")
        with left:
            followed(found, c, here)
        with right:
            close_together(read, c, here, len(found))
    if opened:
        calendar(clock, found, c, here)
    if found:
        listed(found, read, c, here)


main()
