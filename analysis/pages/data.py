"""Data: load exports, what was refused and why, what is loaded, and the settings in force."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import polars as pl
import streamlit as st

from analysis import pipeline
from analysis.errors import LineHealthError
from analysis.pages import _html as html
from analysis.pages import _words as words
from analysis.pages._frame import begin, csv, freshness, unreadable
from analysis.pages._loading import demo_button, drop_files, leave_demo, load_path, result
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
        csv(rows, "refused", label="All refused rows, CSV")


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


def in_force(state: Here) -> None:
    """Show every setting with its value, meaning and source."""
    with st.container(key="card_settings", gap="small"):
        kept = state.status["settings"]
        st.html(
            html.h2(
                "Settings in force",
                f"{words.plural(len(kept), 'setting')} changed from the default. Change one with <code>linehealth settings KEY=VALUE</code>."
                if kept
                else "All at their defaults. Change one with <code>linehealth settings KEY=VALUE</code>.",
            )
        )
        rows = [
            (
                f.name,
                str(getattr(state.settings, f.name)),
                f.metadata["unit"],
                "changed" if f.name in kept else "",
                f.metadata["help"],
                f.metadata["source"],
            )
            for f in dataclasses.fields(state.settings)
        ]
        frame = pl.DataFrame(rows, schema=["Setting", "Value", "Unit", "Changed", "Meaning", "Source"], orient="row")
        st.dataframe(frame, row_height=36, height=400, key="settings", alt="Settings with value, meaning and source")


def main() -> None:
    """Draw the page."""
    begin()
    state = error = None
    try:
        state = None if missing() else here()
    except LineHealthError as e:
        error = e
    if state and state.status["as_of"]:
        st.html(
            html.h1(
                f"{words.plural(state.status['messages'], 'message')} on {words.plural(state.status['lines'], 'line')}, up to {words.moment(state.as_of, state.zone)}.",
                freshness(state),
            )
        )
    elif error is not None:
        unreadable(error)
    else:
        st.html(html.h1("Nothing is loaded yet."))
    leave_demo()
    result()
    if error is None:
        loading()
    if state:
        refused(state)
        loaded(state)
        in_force(state)


main()
