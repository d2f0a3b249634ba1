"""Files, a folder or the made-up fleet in; what a load did, in counts that add up, out. Loads run as a process of their own."""

from __future__ import annotations

import tempfile
from pathlib import Path

import streamlit as st

from analysis import pipeline
from analysis.pages import _html as html
from analysis.pages._running import DONE, Ran, Run, running, start
from analysis.pages._store import DEMO, DEMO_KEY, demo_store, on_demo, store
from analysis.pages._words import plural
from analysis.store.accounts import COUNTS


def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="linehealth-load-")


def _load(paths: list[str], target: Path) -> list[str]:
    return ["load", "--store", str(target), "--json", "--progress", "json", "--", *paths]


def demo_button() -> None:
    """Offer the made-up fleet; it is made and loaded once, into a store of its own."""
    if not st.button("Load the demo fleet", type="primary", width="stretch", key="demo", disabled=running()):
        return
    if pipeline.snapshot(demo_store()):
        st.session_state[DEMO_KEY] = DEMO
        st.rerun()
    folder = _folder()
    made = str(Path(folder.name) / "demo-fleet")
    commands = [["demo", made, "--json"], _load([made], demo_store())]
    start(Run(commands, "Making the demo fleet and loading it.", folder, {DEMO_KEY: DEMO}))


def leave_demo() -> None:
    """Offer the way back from the made-up fleet to the viewer's own data."""
    if on_demo() and st.button("Back to your own data", key="own"):
        st.session_state.pop(DEMO_KEY, None)
        st.query_params.pop(DEMO_KEY, None)
        st.rerun()


def drop_files() -> None:
    """Take files through the browser and load them; the copies are removed afterwards."""
    files = st.file_uploader(
        "Files to load", accept_multiple_files=True, label_visibility="collapsed", key="files", max_upload_size=2000
    )
    if not files or not st.button(
        f"Load {plural(len(files), 'file')}", type="primary", key="load_files", disabled=running()
    ):
        return
    folder = _folder()
    paths = []
    for number, file in enumerate(files):
        inside = Path(folder.name) / str(number)
        inside.mkdir()
        path = inside / (Path(file.name).name or "file")
        path.write_bytes(file.getbuffer())
        paths.append(str(path))
    start(Run([_load(paths, store())], f"Loading {plural(len(files), 'file')}.", folder))


def load_path() -> None:
    """Take a path on this machine and load what is there."""
    with st.form("path_form", border=False, enter_to_submit=True):
        path = st.text_input(
            "File or folder on this machine", placeholder="exports/2026-03/", key="path", label_visibility="collapsed"
        )
        asked = st.form_submit_button("Load this path", disabled=running())
    if asked and path.strip():
        start(Run([_load([path.strip()], store())], f"Loading {Path(path.strip()).name or path.strip()}.", _folder()))
    elif asked:
        st.html('<p class="lh-small">Give the path of a file or a folder first.</p>')


def result() -> None:
    """Show what the last load did, once: a row a file, counts that add up, and what failed with its remedy."""
    done: Ran | None = st.session_state.get(DONE)
    if done is None:
        return
    told = done.told or {}
    rows = told.get("sources", [])
    totals = told.get("totals", {})
    failed = [*told.get("failed", [])]
    with st.container(key="card_result", gap="small"):
        if rows:
            title = f"{totals['inserted']:,} new, {totals['merged']:,} merged, {totals['quarantined']:,} refused of {totals['read']:,} read."
        else:
            title = "Nothing was loaded, and nothing was changed."
        st.html(html.h2(title, "Read = new + merged + duplicates + ignored kinds + refused, file by file."))
        if rows:
            heads = [
                ("File", False),
                ("What it is", False),
                *[(w, True) for w in ("Read", "New", "Merged", "Duplicates", "Ignored", "Refused")],
            ]
            cells = [
                [html.text(Path(r["path"]).name), html.text(r["kind"]), *[f"{r[c]:,}" for c in COUNTS]] for r in rows
            ]
            if len(cells) > 1:
                cells.append(["<b>In all</b>", "", *[f"<b>{totals[c]:,}</b>" for c in COUNTS]])
            st.html(html.table(heads, cells, least=640))
        told_errors = [
            f"{Path(f['path']).name}: {f['reason']}" + (f"; {f['fix']}" if f.get("fix") else "") for f in failed
        ]
        told_errors += [f"{Path(f['path']).name}: skipped, {f['reason']}" for f in told.get("skipped", [])]
        if not told_errors and not done.ok:
            told_errors = [done.sentence or "The load ended without a word; run it from the command line to see more."]
        for sentence in told_errors:
            st.html(f'<p class="lh-p">{html.text(sentence)}</p>')
        if st.button("Close", key="close_result", type="tertiary"):
            st.session_state.pop(DONE, None)
            st.rerun()
