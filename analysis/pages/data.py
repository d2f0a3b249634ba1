"""Data: load exports, gaps in the deliveries, how fresh lines are, what was refused, told twice or late, and the settings in force."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import streamlit as st

from analysis import charts, pipeline
from analysis.errors import LineHealthError
from analysis.pages import _figures as figures
from analysis.pages import _figures_more as more
from analysis.pages import _html as html
from analysis.pages import _quality as quality
from analysis.pages import _words as words
from analysis.pages._foot import foot, share
from analysis.pages._frame import asked, begin, draw, freshness, switch, tell_store, unreadable
from analysis.pages._frames import ms
from analysis.pages._loading import demo_button, drop_files, leave_demo, load_path, result
from analysis.pages._running import watch
from analysis.pages._settings import settings_card
from analysis.pages._store import Here, here, missing

COUNTED = {
    "read": "Read",
    "inserted": "New",
    "merged": "Merged",
    "duplicates": "Duplicates",
    "ignored": "Ignored",
    "quarantined": "Refused",
}
"""Read is the sum of the others."""


def under(card: str, frame: pl.DataFrame, state: Here, chart: tuple[str, str] | None = None, **values: Any) -> None:
    """Show a card's foot."""
    until = f"{state.as_of:%Y-%m-%d}" if state.status["as_of"] else ""
    foot(card, frame, state, name=figures.named("data", card, until), chart=chart, **values)


def loading() -> None:
    """Offer the ways to load."""
    drop, path, demo = st.columns(3, gap="medium")
    with drop, st.container(key="card_drop", gap="small", height="stretch"):
        st.html(
            html.h2(
                "Drop exports",
                "Webhook logs, or tables of messages, transitions and chats: JSON lines, CSV, Parquet; .gz and .zst too. Loading the same file twice counts nothing twice.",
            )
        )
        drop_files()
    with path, st.container(key="card_path", gap="small", height="stretch"):
        st.html(
            html.h2(
                "Point at a path",
                "Best for big exports: nothing is copied through the browser. Foreign column names need a mapping file: use the command line.",
            )
        )
        load_path()
        st.code("linehealth load PATH --map FILE.toml", language=None)
    with demo, st.container(key="card_demo", gap="small", height="stretch"):
        st.html(
            html.h2(
                "Look around",
                "A made-up fleet of 12 lines and 60 days with known causes, in a store of its own: your data stays apart.",
            )
        )
        demo_button()


def refused(state: Here) -> None:
    """Show what was refused and why, grouped, with every row to take away."""
    rows = state.read(pipeline.quarantine)
    with st.container(key="card_refused", gap="small"):
        if not rows.height:
            st.html(
                html.h2(
                    "Nothing was refused",
                    "Every row of the loaded files was used, merged, known already, or of a kind that is not needed.",
                )
            )
            return
        st.html(
            html.h2(
                f"{words.plural(rows.height, 'row')} refused, and why",
                "Refused rows keep no message text and no plain recipient. Correct them at their source and load again.",
            )
        )
        grouped = (
            rows.with_columns(pl.col("source").map_elements(lambda p: Path(p).name, return_dtype=pl.String))
            .group_by("reason", "fix")
            .agg(
                rows=pl.len(),
                files=pl.col("source").unique().sort().str.join(", "),
                first=pl.col("position").cast(pl.String).first(),
            )
            .sort("rows", "reason", descending=[True, False])
        )
        cells = [
            [
                html.text(r["reason"]),
                html.text(r["fix"] or words.DASH),
                html.text(r["files"]),
                html.text(r["first"]),
                f"{r['rows']:,}",
            ]
            for r in grouped.head(50).iter_rows(named=True)
        ]
        st.html(
            html.table(
                [("Reason", False), ("What to do", False), ("File", False), ("First at", True), ("Rows", True)],
                cells,
                least=700,
            )
        )
        under("refused", more.refused(rows), state)


def loaded(state: Here) -> None:
    """Show the files loaded, in counts that add up."""
    rows = state.read(pipeline.sources).sort("loaded_at", "path", descending=[True, False])
    with st.container(key="card_sources", gap="small"):
        s = state.status
        st.html(
            html.h2(
                f"{words.plural(rows.height, 'file')} loaded",
                f"{s['messages']:,} messages, {s['chats']:,} chats and {words.plural(s['transitions'], 'change')} of health or status, {s['size_bytes'] / 1e6:,.1f} MB in {html.text(str(s['store']))}.",
            )
        )
        frame = rows.select(
            pl.col("path").map_elements(lambda p: Path(p).name, return_dtype=pl.String).alias("File"),
            pl.col("kind").alias("What it is"),
            *[pl.col(c).alias(w) for c, w in COUNTED.items()],
            pl.col("loaded_at").dt.strftime("%-d %b %Y, %H:%M UTC").alias("Loaded"),
            pl.col("notes").cast(pl.String).alias("Notes"),
        )
        st.dataframe(
            frame,
            column_config={w: st.column_config.NumberColumn(format="localized") for w in COUNTED.values()},
            row_height=36,
            placeholder="–",
            height=min(36 * (frame.height + 1) + 2, 400),
            key="sources",
            alt=f"{rows.height} files loaded, with counts",
        )
        under("sources", more.sources(rows), state)


def _zone(state: Here) -> str:
    return f"{words.wall(state.as_of, state.zone):%Z}"


def _more(of: int, key: str) -> None:
    if of > quality.FIRST:
        switch(f"Show all {of:,}", key)


def _first(frame: pl.DataFrame, key: str) -> pl.DataFrame:
    return frame if asked(key) else frame.head(quality.FIRST)


def deliveries(state: Here) -> None:
    """Show silences in which deliveries were probably lost."""
    gaps = quality.longest_first(state.read(pipeline.gaps), state)
    with st.container(key="card_deliveries", gap="small"):
        title = quality.gaps_title(gaps, state)
        if gaps.is_empty():
            st.html(
                html.h2(
                    title,
                    f"Lost deliveries would show as a silence too deep for it. Nothing is said of a line known for less than {words.plural(state.settings.gap_least_days, 'day')}.",
                )
            )
        else:
            st.html(
                html.h2(
                    title,
                    "In a gap nothing is known: it is not the same as no replies. <code>linehealth pull</code> fills those that the vendor still knows.",
                )
            )
            marks, order = quality.gap_marks(gaps, state)
            first = words.instant(state.status["first_at"]) if state.status["first_at"] else state.as_of
            window = ms(first, state.zone), ms(state.as_of, state.zone)
            spec = charts.silences(
                marks.filter(pl.col("label").is_in(order)), order=order, window=window, theme=state.theme
            )
            draw(spec, key="silences", alt=f"{title}. " + "; ".join(marks["tip"].head(quality.FIRST)))
            st.html(html.table(quality.GAPS, quality.gap_cells(_first(gaps, "all_deliveries"), state), least=860))
            _more(gaps.height, "all_deliveries")
        under("deliveries", more.gaps(gaps), state, None if gaps.is_empty() else ("card_deliveries", title))


def told_again(state: Here) -> None:
    """Show what files told twice, and what was told late."""
    files = state.read(pipeline.sources).sort("loaded_at", "path", descending=[True, False])
    delays = state.read(pipeline.delays)
    with st.container(key="card_late", gap="small"):
        st.html(
            html.h2(
                quality.late_title(files),
                f"Merged: told something new of a message, chat or report that was known. Duplicate: told nothing new; the first copy counts. Times in {_zone(state)}.",
            )
        )
        st.html(html.table(quality.LATE, quality.late_cells(_first(files, "all_late"), state), least=900))
        _more(files.height, "all_late")
        under("late", more.late(files, tuple(COUNTED)), state)
        receipts = quality.receipts_words(delays)
        if receipts:
            st.html(f'<p class="lh-sub">{html.text(receipts)}</p>')
            under("receipts", more.receipts(delays), state)


def heard(state: Here) -> None:
    """Show when each line was last heard of, worst first."""
    fresh, now = state.read(pipeline.freshness), datetime.now(UTC).replace(tzinfo=None)
    with st.container(key="card_fresh", gap="small"):
        st.html(
            html.h2(
                quality.fresh_title(fresh, state, now),
                f"Silent: from the line's newest event, a message or a receipt, to the newest of all lines. What its rhythm does not give first, then the longest. Times in {_zone(state)}.",
            )
        )
        st.html(html.table(quality.FRESH, quality.fresh_cells(_first(fresh, "all_fresh"), state, now), least=860))
        _more(fresh.height, "all_fresh")
        under("fresh", more.fresh(fresh), state, as_of=state.as_of, longest_days=state.settings.gap_longest_days)


def findings(state: Here) -> list[str]:
    """Return what the page finds, as sentences."""
    told = (
        quality.gaps_title(state.read(pipeline.gaps), state),
        quality.fresh_title(state.read(pipeline.freshness), state, datetime.now(UTC).replace(tzinfo=None)),
        quality.late_title(state.read(pipeline.sources)),
    )
    return [f"{t.rstrip('.')}." for t in told]


def main() -> None:
    """Draw the page."""
    begin()
    tell_store()
    state = error = None
    try:
        state = None if missing() else here()
    except LineHealthError as e:
        error = e
    full = state is not None and bool(state.status["as_of"])
    if state and full:
        title = f"{words.plural(state.status['messages'], 'message')} on {words.plural(state.status['lines'], 'line')}, up to {words.moment(state.as_of, state.zone)}."
        st.html(html.h1(title, freshness(state)))
        with st.container(horizontal=True, key="head_foot"):
            share("\n".join([title, *findings(state)]))
    elif error is not None:
        unreadable(error)
    else:
        st.html(html.h1("Nothing is loaded yet."))
    leave_demo()
    result()
    place = st.container()
    if error is None:
        loading()
    if state:
        if full:
            deliveries(state)
            heard(state)
        refused(state)
        if full:
            told_again(state)
        loaded(state)
        settings_card(state)
    with place:
        watch()


main()
