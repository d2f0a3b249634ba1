"""Settings in force in; a card that can be searched, changed ones first, each with its default, range, meaning and source, out."""

from __future__ import annotations

import dataclasses
import re
from html import escape

import polars as pl
import streamlit as st

from analysis.pages import _figures as figures
from analysis.pages import _html as html
from analysis.pages._foot import foot
from analysis.pages._frame import asked, switch
from analysis.pages._store import Here

FIRST = 8
"""Settings shown until all are asked for; those that were changed are always shown."""
SCHEMA = {
    "setting": pl.String,
    "value": pl.String,
    "default": pl.String,
    "changed": pl.Boolean,
    "unit": pl.String,
    "low": pl.Float64,
    "high": pl.Float64,
    "meaning": pl.String,
    "source": pl.String,
}


def settings_frame(here: Here) -> pl.DataFrame:
    """Return every setting as text with its default, range, meaning and source, changed ones first: key setting."""
    kept = here.status["settings"]
    rows = [
        (
            f.name,
            f"{getattr(here.settings, f.name)}",
            f"{f.default}",
            f.name in kept,
            *(f.metadata[k] for k in ("unit", "low", "high", "help", "source")),
        )
        for f in dataclasses.fields(here.settings)
    ]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row").sort("changed", descending=True, maintain_order=True)


def matching(frame: pl.DataFrame, asked: str) -> pl.DataFrame:
    """Return settings that hold every word asked for in their name, unit, meaning or source, in any case."""
    held = pl.concat_str("setting", "unit", "meaning", "source", separator=" ").str.to_lowercase()
    for word in asked.lower().split():
        frame = frame.filter(held.str.contains(word, literal=True))
    return frame


def linked(text: str) -> str:
    """Return text as HTML in which web addresses are links."""
    parts = re.split(r"(https?://[^\s;,)]+)", text)
    return "".join(
        f'<a href="{escape(p)}" target="_blank" rel="noreferrer">{escape(p)}</a>' if i % 2 else escape(p)
        for i, p in enumerate(parts)
    )


def _cells(frame: pl.DataFrame) -> list[list[str]]:
    rows = []
    for r in frame.iter_rows(named=True):
        mark = ' <span class="lh-badge lh-flagged">changed</span>' if r["changed"] else ""
        span = "any" if r["low"] is None else f"{r['low']:g} to {r['high']:,g}"
        rows.append(
            [
                f"<code>{escape(r['setting'])}</code>{mark}<br>{escape(r['meaning'])}<small>Source: {linked(r['source'])}</small>",
                f"<b>{escape(r['value'])}</b><small>{escape(r['unit'])}</small>"
                + (f"<small>default {escape(r['default'])}</small>" if r["changed"] else "")
                + f"<small>allowed: {span}</small>",
            ]
        )
    return rows


def settings_card(here: Here) -> None:
    """Show the settings in force."""
    frame = settings_frame(here)
    changed = int(frame["changed"].sum())
    with st.container(key="card_settings", gap="small"):
        told = f"{changed} of {frame.height} changed" if changed else f"all {frame.height} at their defaults"
        st.html(
            html.h2(
                f"Settings in force: {told}",
                "Change one: <code>linehealth settings KEY=VALUE</code>",
            )
        )
        find = st.text_input(
            "Find a setting", key="find_setting", placeholder="Find a setting", label_visibility="collapsed", width=260,
            bind="query-params",
        )  # fmt: skip
        found = matching(frame, find or "")
        if not found.height:
            st.html(f'<p class="lh-p">No setting matches. Clear the search to see all {frame.height}.</p>')
        else:
            every = bool(find) or asked("all_settings")
            shown = found if every else found.head(max(FIRST, changed))
            st.html(
                f'<div class="lh-settings">{html.table([("Setting", False), ("Value", False)], _cells(shown))}</div>'
            )
            if not find and found.height > FIRST:
                switch(f"Show all {found.height}", "all_settings")
        foot("settings", frame, here, name=figures.named("data", "settings"))
