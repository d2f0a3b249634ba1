"""Files, a folder or the made-up fleet in; what a load did, in counts that add up, out. Loads run as a process of their own."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from analysis import pipeline
from analysis.pages import _html as html
from analysis.pages._store import DEMO, DEMO_KEY, demo_store, on_demo, store
from analysis.pages._words import plural

COUNTS = ("read", "inserted", "merged", "duplicates", "ignored", "quarantined")


@dataclass(frozen=True)
class Ran:
    """How a command ended: its JSON (None where it printed none) and the sentence it gave on failure."""

    ok: bool
    told: dict[str, Any] | None
    sentence: str


def run(*arguments: str, label: str) -> Ran:
    """Run a command of the product beside the app and wait, telling how long it takes."""
    started = time.monotonic()
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        process = subprocess.Popen([sys.executable, "-m", "analysis", *arguments], stdout=out, stderr=err)
        with st.status(label, expanded=False) as shown:
            while process.poll() is None:
                time.sleep(0.1)
                seconds = time.monotonic() - started
                if seconds > 2:
                    shown.update(label=f"{label} {seconds:.0f} s so far; the page keeps what it shows until it is done")
            shown.update(
                label=f"{label} Done in {time.monotonic() - started:.1f} s.",
                state="complete" if process.returncode == 0 else "error",
            )
        out.seek(0)
        err.seek(0)
        text, complaint = out.read(), err.read().strip()
    try:
        told = json.loads(text) if text.strip() else None
    except ValueError:
        told = None
    sentence = complaint.splitlines()[-1].removeprefix("linehealth: ") if complaint else ""
    return Ran(process.returncode == 0, told, sentence)


def load(paths: list[str], target: Path, *, label: str) -> None:
    """Load paths into a store and keep the result for the page to show."""
    st.session_state["loaded"] = run("load", *paths, "--store", str(target), "--json", label=label)


def demo_button() -> None:
    """Offer the made-up fleet; it is made and loaded once, into a store of its own."""
    if not st.button("Load the demo fleet", type="primary", width="stretch", key="demo"):
        return
    target = demo_store()
    if not pipeline.snapshot(target):
        with tempfile.TemporaryDirectory(prefix="linehealth-demo-") as folder:
            made = run("demo", str(Path(folder) / "demo-fleet"), "--json", label="Making the fleet.")
            if made.ok:
                load([str(Path(folder) / "demo-fleet")], target, label="Loading it.")
            else:
                st.session_state["loaded"] = made
    if pipeline.snapshot(target):
        st.session_state[DEMO_KEY] = DEMO
        st.rerun()
    result()


def leave_demo() -> None:
    """Offer the way back from the made-up fleet to the viewer's own data."""
    if on_demo() and st.button("Back to your own data", key="own"):
        st.session_state.pop(DEMO_KEY, None)
        st.query_params.pop(DEMO_KEY, None)
        st.rerun()


def drop_files() -> None:
    """Take files through the browser, load them, and remove the copies."""
    files = st.file_uploader(
        "Files to load", accept_multiple_files=True, label_visibility="collapsed", key="files", max_upload_size=2000
    )
    if not files or not st.button(f"Load {plural(len(files), 'file')}", type="primary", key="load_files"):
        return
    with tempfile.TemporaryDirectory(prefix="linehealth-drop-") as folder:
        paths = []
        for number, file in enumerate(files):
            inside = Path(folder) / str(number)
            inside.mkdir()
            path = inside / (Path(file.name).name or "file")
            path.write_bytes(file.getbuffer())
            paths.append(str(path))
        load(paths, store(), label=f"Reading {plural(len(files), 'file')}.")
    st.rerun()


def load_path() -> None:
    """Take a path on this machine and load what is there."""
    with st.form("path_form", border=False, enter_to_submit=True):
        path = st.text_input(
            "File or folder on this machine", placeholder="exports/2026-03/", key="path", label_visibility="collapsed"
        )
        asked = st.form_submit_button("Load this path")
    if asked and path.strip():
        load([path.strip()], store(), label="Reading.")
        st.rerun()
    elif asked:
        st.html('<p class="lh-small">Give the path of a file or a folder first.</p>')


def result() -> None:
    """Show what the last load did, once: a row a file, counts that add up, and what failed with its remedy."""
    done: Ran | None = st.session_state.get("loaded")
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
            st.session_state.pop("loaded", None)
            st.rerun()
