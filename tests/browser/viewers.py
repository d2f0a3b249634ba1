"""Many viewers of one running app, each on a change of its own: what each sees, how long a click takes, and every error.

``python -m tests.browser.viewers STORE --viewers 20 --minutes 10`` prints a table, with a loader and a receiver on the same store. Viewers speak Streamlit's own protocol over
its socket, as a browser does, but draw nothing: the server and its sessions are real, and twenty fit beside it.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import ClientConnection, connect

from analysis import pipeline
from analysis.pages import _words as words
from analysis.schema import Explanation
from tests.browser.driving import app
from tests.browser.writers import writers

MOST_S = 2.0
"""Issue 10: no wait above this."""
PATIENCE = 60.0
"""Seconds after which an answer is given up."""
BIG = 64 * 1024 * 1024
"""Largest message taken: the store's pages stay far below."""


@dataclass
class Shown:
    """What one run of a page showed."""

    said: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    buttons: dict[str, str] = field(default_factory=dict)
    """Buttons that can be pressed: label to id."""

    @property
    def headline(self) -> str:
        """The page's one heading, as it is read."""
        found = re.search(r'<h1 class="lh-h1">(.*?)</h1>', "".join(self.said))
        return unescape(re.sub(r"<.*?>", "", found[1])) if found else ""


class Viewer:
    """One session: opens an address, presses buttons, and keeps how long each answer took."""

    def __init__(self, socket: ClientConnection, query: str) -> None:
        self.query, self.seconds, self.shown = query, list[float](), Shown()
        self._socket, self._kept = socket, dict[str, bytes]()

    def run(self, press: str = "") -> Shown:
        """Run the page, with a button pressed where one is named; return what it showed."""
        ask = BackMsg()
        ask.rerun_script.query_string = self.query
        ask.rerun_script.page_name = "why"
        ask.rerun_script.context_info.timezone = "UTC"
        if press:
            pressed = ask.rerun_script.widget_states.widgets.add()
            pressed.id, pressed.trigger_value = self.shown.buttons[press], True
        started = time.monotonic()
        self._socket.send(ask.SerializeToString())
        self.shown = self._answer()
        self.seconds.append(time.monotonic() - started)
        return self.shown

    def _answer(self) -> Shown:
        shown = Shown()
        while True:
            raw = self._socket.recv(timeout=PATIENCE)
            assert isinstance(raw, bytes)
            message = ForwardMsg.FromString(raw)
            if message.WhichOneof("type") == "ref_hash":
                message = ForwardMsg.FromString(self._kept[message.ref_hash])
            elif message.hash:
                self._kept[message.hash] = raw
            match message.WhichOneof("type"):
                case "new_session":
                    shown = Shown()
                case "page_info_changed":
                    self.query = message.page_info_changed.query_string
                case "delta":
                    self._take(message, shown)
                case "script_finished":
                    if message.script_finished != ForwardMsg.FINISHED_EARLY_FOR_RERUN:
                        return shown

    @staticmethod
    def _take(message: ForwardMsg, shown: Shown) -> None:
        element = message.delta.new_element
        match element.WhichOneof("type"):
            case "html":
                shown.said.append(element.html.body)
            case "exception":
                shown.errors.append(f"{element.exception.type}: {element.exception.message}")
            case "button" if not element.button.disabled:
                shown.buttons[element.button.label] = element.button.id


@dataclass
class Walk:
    """One viewer's walk through its line's changes: where it stands, and what went wrong."""

    own: list[Explanation]
    place: int
    seen: list[tuple[Explanation, str]] = field(default_factory=list)
    """What was asked for, and the headline that came."""
    wrong: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    opened: float = 0.0
    after: Shown = field(default_factory=Shown)


def walks(found: list[Explanation], viewers: int) -> list[Walk]:
    """Return that many walks, each from a change of its own, lines in turn."""
    by_line = words.by_line(found)
    starts = [(place, line) for line, own in by_line.items() for place in range(len(own))]
    starts.sort()
    return [Walk(by_line[line], place) for place, line in (starts * (1 + viewers // len(starts)))[:viewers]]


def watch(base: str, all_walks: list[Walk], *, think: float, until: Callable[[], bool]) -> None:
    """Let every viewer open its change and walk on and back until told to stop; each walk keeps what it saw.

    Args:
        base: address of the running app.
        all_walks: one a viewer.
        think: mean seconds between two clicks of a viewer.
        until: asked before every click; true ends the walk with one more run of the page.
    """
    threads = [
        threading.Thread(target=_walk, args=(base, w, number, think, until)) for number, w in enumerate(all_walks)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _walk(base: str, w: Walk, seed: int, think: float, until: Callable[[], bool]) -> None:
    chance = random.Random(seed)
    try:
        time.sleep(chance.uniform(0, think))
        change = w.own[w.place]
        query = f"line={words.line_key(change.line)}&at={words.change_key(change, w.own)}"
        address = base.replace("http", "ws") + "/_stcore/stream"
        with connect(address, origin=base, subprotocols=["streamlit"], max_size=BIG) as socket:
            viewer = Viewer(socket, query)
            _keep(w, viewer.run())
            while not until():
                time.sleep(chance.uniform(0.5, 1.5) * think)
                if len(w.own) == 1:
                    _keep(w, viewer.run())
                    continue
                later = w.place < len(w.own) - 1 and (w.place == 0 or chance.random() < 0.5)
                w.place += 1 if later else -1
                _keep(w, viewer.run("Later" if later else "Earlier"))
            w.after = viewer.run()
            _keep(w, w.after)
            w.opened, *w.seconds = viewer.seconds
    except Exception as fault:  # a viewer's thread has nobody else to tell
        w.wrong.append(f"{type(fault).__name__}: {fault}")


def _keep(w: Walk, shown: Shown) -> None:
    w.wrong += shown.errors
    w.seen.append((w.own[w.place], shown.headline))


def mistaken(all_walks: list[Walk], states: list[list[Explanation]]) -> list[str]:
    """Return every error, and every headline that is not the asked change's own in one of the store's states."""
    right = {(*_key(e), e.headline) for state in states for e in state}
    return [fault for w in all_walks for fault in w.wrong] + [
        f"{e.line} {e.at}: shown was {headline!r}"
        for w in all_walks
        for e, headline in w.seen
        if (*_key(e), headline) not in right
    ]


def _key(e: Explanation) -> tuple[str, str, str | None]:
    return e.line, e.at, e.new


def table(all_walks: list[Walk], wrong: list[str]) -> str:
    """Return how long opening and clicking took, and what was wrong."""
    rows = [("", "times", "median", "95th", "longest")]
    for name, took in (
        ("opening", [w.opened for w in all_walks]),
        ("click", [s for w in all_walks for s in w.seconds]),
    ):
        ordered = sorted(took) or [0.0]
        far = ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]
        rows.append(
            (name, str(len(took)), f"{statistics.median(ordered):.2f} s", f"{far:.2f} s", f"{ordered[-1]:.2f} s")
        )
    lines = ["  ".join(f"{cell:>8}" for cell in row) for row in rows]
    return "\n".join([*lines, f"errors: {len(wrong)}", *wrong[:20]])


def main() -> None:
    """Run the app on a copy of a store and let viewers walk on it for some minutes, beside a loader and a receiver."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store", type=Path)
    parser.add_argument("--viewers", type=int, default=20)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--think", type=float, default=8, help="mean seconds between two clicks of a viewer")
    parser.add_argument("--load-every", type=float, default=30, help="seconds between two loads; 0: none")
    parser.add_argument("--deliveries", type=float, default=20, help="received a second; 0: no receiver")
    options = parser.parse_args()
    os.environ.setdefault("LINEHEALTH_KEY", "a key that only the tests use")
    busy = [os.getloadavg()[0]]
    with tempfile.TemporaryDirectory(prefix="linehealth-viewers-") as folder:
        store = Path(folder) / "store.duckdb"
        shutil.copy(options.store, store)
        all_walks = walks(pipeline.explanations(store), options.viewers)
        beside = writers(store, load_every_s=options.load_every, deliveries_a_s=options.deliveries)
        with beside as written, app(store) as base:
            end = time.monotonic() + 60 * options.minutes
            watch(base, all_walks, think=options.think, until=lambda: time.monotonic() > end)
    busy.append(os.getloadavg()[0])
    wrong = written.wrong + mistaken(all_walks, written.states)
    print(table(all_walks, wrong))  # noqa: T201 - a command's answer
    print(  # noqa: T201
        f"beside: {written.loads} loads, {written.acknowledged:,} deliveries acknowledged ({written.refused:,} not), the store replaced "
        f"{written.writes} times; {os.cpu_count()} cores, load of the machine {busy[0]:.1f} before and {busy[1]:.1f} after"
    )
    slow = sum(s > MOST_S for w in all_walks for s in (w.opened, *w.seconds))
    print(f"waits above {MOST_S:.0f} s: {slow}")  # noqa: T201
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
