"""What stands under every card: how its figures are counted, with the call and the query that give them, and its downloads.

Nothing is built before it is asked for: the files are made by functions that Streamlit calls when a button is pressed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import polars as pl
import streamlit as st

from analysis.pages import _browser
from analysis.pages._columns import meaning
from analysis.pages._counted import HOW
from analysis.pages._counted_sql import query
from analysis.pages._export import about, csv_bytes, json_bytes, parquet_bytes
from analysis.pages._frame import freshness
from analysis.pages._html import text
from analysis.pages._store import Here, on_demo
from analysis.pages._words import plural

SQL_LINES, SQL_HEIGHT = 12, 280
"""A query of more lines than this scrolls in so many pixels."""


@dataclass(frozen=True)
class Shown:
    """What a card shows: its rows, and where they come from."""

    card: str
    frame: pl.DataFrame
    name: str
    call: str
    sql: str


def foot(
    card: str,
    frame: pl.DataFrame,
    here: Here,
    *,
    name: str,
    line: str = "LINE",
    chart: tuple[str, str] | None = None,
    **values: Any,
) -> None:
    """Show the foot of a card: how it is counted, and its files.

    Args:
        card: its name in HOW and in SQL.
        frame: the rows behind it, with columns of the data dictionary.
        here: the state of the store.
        name: of the files: page, card, line and period.
        line: the line it is about, for the call.
        chart: key of the container its chart is in and the finding over it, where it has a chart.
        values: what the braces of its SQL stand for.
    """
    how = HOW[card]
    given = values if line == "LINE" else {"line": line, **values}
    shown = Shown(card, frame, name, how.call.format(**{"line": line, **values}), query(card, given))
    with st.container(horizontal=True, vertical_alignment="center", key=f"foot_{card}"):
        _counted(shown, here)
        _files(shown, here, chart)


def _counted(shown: Shown, here: Here) -> None:
    how = HOW[shown.card]
    with st.popover("How is this counted?", type="tertiary", key=f"counted_{shown.card}"):
        st.markdown(f"**{how.title}**")
        st.markdown(how.words)
        st.html(
            f'<p class="lh-small">{plural(shown.frame.height, "row")} behind this card. The call that reads them:</p>'
        )
        st.code(shown.call, language=None, wrap_lines=True)
        st.html(f'<p class="lh-small">As SQL on the store, {text(str(here.store))} (DuckDB, opened read-only):</p>')
        tall: int | Literal["content"] = SQL_HEIGHT if shown.sql.count("\n") >= SQL_LINES else "content"
        # without a language: Streamlit's colours of SQL are too pale to read
        st.code(shown.sql, language=None, wrap_lines=True, height=tall)


def _files(shown: Shown, here: Here, chart: tuple[str, str] | None) -> None:
    how, frame, name = HOW[shown.card], shown.frame, shown.name
    told = partial(about, shown.card, how.title, how.words, shown.sql, frame, here)
    kinds = (
        ("CSV", "csv", "text/csv", lambda: csv_bytes(frame)),
        ("Parquet", "parquet", "application/vnd.apache.parquet", lambda: parquet_bytes(frame, told())),
        ("JSON", "json", "application/json", lambda: json_bytes(frame, told())),
    )
    with st.popover("Download", type="tertiary", icon=":material/download:", key=f"files_{shown.card}"):
        with st.container(horizontal=True, gap="small"):
            for label, ending, mime, make in kinds:
                st.download_button(
                    label,
                    make,
                    file_name=f"{name}.{ending}",
                    mime=mime,
                    key=f"{ending}_{shown.card}",
                    on_click="ignore",
                )
        if chart:
            card, title = chart
            _browser.pictures(card, name=name, title=title, foot=freshness(here), key=f"picture_{shown.card}")
        st.html(
            f'<p class="lh-small">{plural(frame.height, "row")}. Parquet and JSON also hold what the columns mean, the settings in force and '
            "the store's fingerprint.</p>"
        )
        st.html(_dictionary(frame))


def _dictionary(frame: pl.DataFrame) -> str:
    rows = []
    for column in frame.columns:
        words, unit = meaning(column)
        rows.append(f"<dt><code>{text(column)}</code></dt><dd>{text(words)}{f' ({text(unit)})' if unit else ''}</dd>")
    return f'<p class="lh-eye">What the columns mean</p><dl class="lh-dl">{"".join(rows)}</dl>'


def share(words: str) -> None:
    """Offer the page's address and its finding to copy.

    Args:
        words: what the page says, as text to paste into a mail or a ticket.
    """
    with st.popover("Share", type="tertiary", icon=":material/share:", key="share"):
        st.html('<p class="lh-small">The address of this page holds all that is chosen on it.</p>')
        _browser.copy_link("copy_link")
        if on_demo():
            st.html('<p class="lh-small">It opens the made-up fleet.</p>')
        st.html('<p class="lh-small">As text:</p>')
        st.code(words, language=None, wrap_lines=True)
