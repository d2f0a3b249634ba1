"""A store in, one table of the app's times out: every page opened first, again, and clicked, with its bound beside it."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec

from analysis.bench.visit import PAGES, ROOT, TOUR, Took, Visit
from analysis.errors import LineHealthError

Progress = Callable[[str, float, float], None]
FIRST_S, CLICK_S = 1.0, 0.3
"""Bounds of the issue App: a first page's own work, and a click; script time, with 20 million messages in the store."""
AGAIN = 5


@dataclass(frozen=True)
class Row:
    """One thing that was done several times: seconds of each, processor seconds where known, and the bound where there is one."""

    page: str
    what: str
    seconds: list[float]
    cpu: list[float] = field(default_factory=list)
    bound: float | None = None

    @property
    def median(self) -> float:
        """The time in the middle."""
        return statistics.median(self.seconds)

    @property
    def within(self) -> bool | None:
        """Whether the median keeps the bound; None where there is none."""
        return None if self.bound is None else self.median <= self.bound

    def as_json(self) -> dict[str, Any]:
        """Return the row in words, seconds to the millisecond."""
        return {
            "page": self.page, "what": self.what, "runs": len(self.seconds), "median_s": round(self.median, 3),
            "worst_s": round(max(self.seconds), 3), "median_cpu_s": round(statistics.median(self.cpu), 3) if self.cpu else None, "bound_s": self.bound, "within": self.within,
        }  # fmt: skip


@dataclass
class Table:
    """Script times, times in a browser (empty where there is none, ``note`` says why), and faults that pages showed."""

    store: dict[str, Any]
    machine: str
    script: list[Row] = field(default_factory=list)
    browser: list[Row] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    note: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return the table as `linehealth bench app --json` prints it."""
        return {
            "store": self.store,
            "machine": self.machine,
            "script": [r.as_json() for r in self.script],
            "browser": [r.as_json() for r in self.browser],
            "faults": self.faults,
            "note": self.note,
        }

    def as_text(self) -> str:
        """Return the table in Markdown, as it stands in analysis/bench/README.md."""
        s = self.store
        told = [
            f"{s['messages']:,} messages, {s['lines']:,} lines, {s['transitions']:,} transitions; {self.machine}; seconds",
            "",
            "| page | what | runs | median | worst | median, processor | bound | kept |",
            "|---|---|--:|--:|--:|--:|--:|---|",
            *(_cells(r) for r in self.script),
        ]
        if self.browser:
            told += ["", "In Chromium:", "", "| page | what | runs | median | worst |", "|---|---|--:|--:|--:|"]
            told += [_cells(r, bounds=False) for r in self.browser]
        told += ["", self.note] if self.note else []
        told += ["", *(f"fault: {f}" for f in self.faults)] if self.faults else []
        return "\n".join(told)


def _cells(r: Row, *, bounds: bool = True) -> str:
    cells = [r.page, r.what, f"{len(r.seconds)}", f"{r.median:.3f}", f"{max(r.seconds):.3f}"]
    if bounds:
        cells.append(f"{statistics.median(r.cpu):.3f}")
        kept = {True: "yes", False: "**no**", None: ""}[r.within]
        cells += ["" if r.bound is None else f"{r.bound:.1f}", kept]
    return f"| {' | '.join(cells)} |"


def _machine() -> str:
    return f"{os.cpu_count()} cores (load {os.getloadavg()[0]:.1f}), {platform.system()} {platform.machine()}, Python {platform.python_version()}"


def measured(
    store: Path,
    *,
    runs: int = 3,
    in_browser: bool = True,
    pages: tuple[str, ...] = PAGES,
    progress: Progress | None = None,
) -> Table:
    """Return how long the app's pages take on a store.

    Script time is measured without a browser, each page in fresh processes: the first run (imports apart and included), again,
    and after clicks; a tour in a fresh process opens the fleet, then every other page once. Where there is a Chromium, also what
    a person waits for in it.

    Args:
        store: the store's file; it is only read.
        runs: fresh processes for each page.
        in_browser: also in a Chromium, where there is one.
        pages: only these, without the tour where some are left out.
        progress: called with (what, done, total).

    Raises:
        StoreError: no store there. LineHealthError: a visit ended without figures.
    """
    from analysis import pipeline

    table = Table(
        {k: pipeline.status(store)[k] for k in ("messages", "lines", "chats", "transitions", "size_bytes")}, _machine()
    )
    visits = [*pages, *([TOUR] if set(pages) == set(PAGES) else [])]
    done, total = 0, len(visits) * runs + (len(pages) if in_browser else 0)
    for page in visits:
        told = []
        for _ in range(runs):
            told.append(_visit(store, page))
            done += 1
            if progress:
                progress(f"opening {page}", done, total)
        table.script += _opened(told) if page == TOUR else _rows(page, told)
        table.faults += sorted({f for v in told for f in v.faults})
    if in_browser:
        _browse(table, store, pages, runs, lambda page: progress and progress(f"{page} in a browser", done, total))
    return table


def measured_on_new(
    *,
    messages: int,
    lines: int,
    days: int,
    seed: int,
    runs: int = 3,
    in_browser: bool = True,
    progress: Progress | None = None,
) -> Table:
    """Make a fleet (see `write_fleet`), load it into a store that is thrown away, and measure the app on it; raises as these do."""
    from analysis import pipeline
    from analysis.bench.fleet import write_fleet

    with tempfile.TemporaryDirectory(prefix="linehealth-bench-") as folder:
        store = Path(folder) / "bench.duckdb"
        write_fleet(Path(folder) / "fleet", messages=messages, lines=lines, days=days, seed=seed, progress=progress)
        pipeline.load(Path(folder) / "fleet", store=store)
        return measured(store, runs=runs, in_browser=in_browser, progress=progress)


def _visit(store: Path, page: str) -> Visit:
    call = [sys.executable, "-m", "analysis.bench.visit", page, str(AGAIN)]
    env = {**os.environ, "LINEHEALTH_STORE": str(store.resolve())}
    ran = subprocess.run(call, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        raise LineHealthError(
            f"opening the page {page} failed: {(ran.stderr.strip().splitlines() or ['without a word'])[-1]}",
            fix=f"run `LINEHEALTH_STORE={store} {' '.join(call[1:])}` to see all of it",
        )
    return msgspec.json.decode(ran.stdout, type=Visit)


def _row(page: str, what: str, took: list[Took], bound: float | None = None) -> Row:
    return Row(page, what, [t.wall for t in took], [t.cpu for t in took], bound)


def _rows(page: str, told: list[Visit]) -> list[Row]:
    return [
        _row(page, "first page of a process, own work", [v.own for v in told], FIRST_S),
        _row(page, "… with imports", [v.own + v.imports for v in told]),
        _row(page, "again", [t for v in told for t in v.again], CLICK_S),
        *(
            _row(page, f"click: {what}", [t for v in told for t in v.clicks.get(what, [])], CLICK_S)
            for what in dict.fromkeys(what for v in told for what in v.clicks)
        ),
    ]


def _opened(told: list[Visit]) -> list[Row]:
    return [
        _row(page, "opened after other pages, first time", [v.opened[page] for v in told], CLICK_S)
        for page in told[0].opened
    ]


def _browse(table: Table, store: Path, pages: tuple[str, ...], runs: int, progress: Callable[[str], object]) -> None:
    """Add the times in a Chromium, or the reason why there are none."""
    from analysis.bench import chromium

    if find_spec("playwright") is None:
        table.note = "No times in a browser: playwright is not installed (pip install -e '.[dev]')."
    elif chromium.binary() is None:
        table.note = "No times in a browser: there is no Chromium on PATH."
    else:
        for page in pages:
            progress(page)
            rows, faults = chromium.browsed(store, page, runs=runs)
            table.browser += [Row(page, what, seconds) for what, seconds in rows.items()]
            table.faults += faults
