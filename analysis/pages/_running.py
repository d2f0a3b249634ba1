"""A command of the product in; it runs beside the app, tells how far it is, and what it gave is kept for the page to show.

The command belongs to the viewer's session, not to one run of a page: who turns to another page and back sees it go on.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import streamlit as st

from analysis.pages import _html as html

RUNNING, DONE = "running", "loaded"
"""Names in the session: the Run that goes on, and how the last one ended (Ran)."""
EVERY_S = 0.1


@dataclass(frozen=True)
class Ran:
    """How a command ended: its JSON (None where it printed none), the sentence it gave on failure, and how long it took."""

    ok: bool
    told: dict[str, Any] | None
    sentence: str
    seconds: float = 0.0


@dataclass
class Run:
    """Commands that run one after the other; the next begins where the one before ended well."""

    commands: list[list[str]]
    label: str
    folder: tempfile.TemporaryDirectory[str]
    """Where their output lies, and files that they read; gone with the run."""
    switch: dict[str, str] = field(default_factory=dict)
    """What to put into the session where all ended well."""
    process: subprocess.Popen[str] | None = None
    started: float = 0.0
    place: int = 0
    """How much of what the command said on stderr is read."""
    heard: str = ""
    step: dict[str, Any] = field(default_factory=dict)
    """Where the command stands, as it last said."""

    def begin(self) -> None:
        """Start the next command."""
        self.started, self.place, self.heard, self.step = self.started or time.monotonic(), 0, "", {}
        call = [sys.executable, "-m", "analysis", *self.commands.pop(0)]
        with self._file("out").open("w") as out, self._file("err").open("w") as err:
            env = {**os.environ, "PYTHONIOENCODING": "utf-8"}
            self.process = subprocess.Popen(call, stdout=out, stderr=err, text=True, env=env)

    def listen(self) -> None:
        """Take the newest step of those told since the last time."""
        with self._file("err").open(encoding="utf-8", errors="replace") as err:
            err.seek(self.place)
            fresh = err.read()
            self.place = err.tell()
        self.heard += fresh
        *lines, self.heard = self.heard.split("\n")
        for line in reversed(lines):
            if line.startswith('{"stage"'):
                self.step = json.loads(line)
                break

    def end(self) -> Ran:
        """Return how the command that ended did."""
        assert self.process is not None
        text = self._file("out").read_text("utf-8", "replace")
        complaint = [
            line for line in self._file("err").read_text("utf-8", "replace").splitlines() if not line.startswith("{")
        ]
        try:
            told = json.loads(text) if text.strip() else None
        except ValueError:
            told = None
        sentence = complaint[-1].removeprefix("linehealth: ") if complaint else ""
        return Ran(self.process.returncode == 0, told, sentence, time.monotonic() - self.started)

    def _file(self, name: str) -> Path:
        return Path(self.folder.name) / name


def running() -> bool:
    """Say whether a command of this session goes on."""
    return RUNNING in st.session_state


def start(run: Run) -> None:
    """Start a run and draw the page again; ``watch`` shows it."""
    run.begin()
    st.session_state[RUNNING] = run
    st.session_state.pop(DONE, None)
    st.rerun()


def watch() -> None:
    """Show the run that goes on, if any, until it ends; then keep what it gave and draw the page anew.

    Call it last on a page, in a container made where it should stand: the rest of the page is there meanwhile.
    """
    run: Run | None = st.session_state.get(RUNNING)
    if run is None or run.process is None:
        return
    with st.container(key="card_running", gap="small"):
        st.html(
            html.h2(run.label, "You can look around meanwhile: the load goes on. What is shown stays until it is done.")
        )
        bar = st.progress(0.0, text="Starting.")
        while True:
            while run.process.poll() is None:
                run.listen()
                seconds = time.monotonic() - run.started
                words = run.step.get("words", run.label.rstrip("."))
                bar.progress(float(run.step.get("share", 0.0)), text=f"{words}. {seconds:.0f} s.")
                time.sleep(EVERY_S)
            ran = run.end()
            if not (ran.ok and run.commands):
                break
            run.begin()
    del st.session_state[RUNNING]
    st.session_state[DONE] = ran
    if ran.ok:
        st.session_state.update(run.switch)
    run.folder.cleanup()
    st.rerun()
