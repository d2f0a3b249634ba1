"""The folder between receiver and store: files of kept deliveries, written by one, read and removed by the other.

A file (segment) is named by the time of its first delivery; ``.open`` while it is written, ``.done`` once nothing is added to it.
Its rights are the owner's only. Every line ends with a newline: a last line without one was cut off, and never acknowledged.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from analysis.errors import StoreError
from analysis.locks import try_lock
from analysis.sources.checks import Rules
from analysis.sources.delivered import read_kept
from analysis.sources.reading import BLOCK_LINES, SourceFacts
from analysis.sources.rows import Rows

OPEN, DONE = ".open", ".done"
DAMAGED = (
    "unknown",
    "the line in the spool is damaged",
    "check the disk; `linehealth pull` fetches what the vendor still has",
)


@dataclass(frozen=True)
class Spool:
    """The spool of one store: a folder beside it."""

    folder: Path

    @classmethod
    def of(cls, store: Path) -> Spool:
        """Return the spool of a store's file."""
        return cls(store.with_name(f"{store.name}.spool"))

    def make(self) -> None:
        """Make the folder where there is none, for its owner only. Raises StoreError where that cannot be."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self.folder.chmod(0o700)
        except OSError as e:
            raise StoreError(
                f"the spool cannot be made ({e.strerror})",
                where=str(self.folder),
                fix="correct the rights of its folder",
            ) from None

    def new_name(self, at: int) -> Path:
        """Return where a segment goes whose first delivery came at ``at`` (ms)."""
        return self.folder / f"{at:013d}-{secrets.token_hex(4)}{OPEN}"

    def segments(self, ending: str = DONE) -> list[Path]:
        """Return segments, oldest first."""
        return sorted(self.folder.glob(f"*{ending}"))

    def waiting(self) -> tuple[int, int, int | None]:
        """Return how many segments and bytes are not in the store yet, and when the first of their deliveries came (ms)."""
        sizes = []
        for path in (*self.segments(DONE), *self.segments(OPEN)):
            with contextlib.suppress(OSError):  # folded and removed meanwhile
                sizes.append((path.name, path.stat().st_size))
        held = sorted((name, size) for name, size in sizes if size)
        return len(held), sum(size for _, size in held), int(held[0][0].split("-")[0]) if held else None

    @contextlib.contextmanager
    def only(self, who: str, *, wait_s: float = 0.0) -> Iterator[bool]:
        """Hold the right to be the one receiver, or the one that folds; False where another process has it. It dies with its process."""
        with (self.folder / f"{who}.lock").open("a") as file:
            until = time.monotonic() + wait_s
            while not (mine := try_lock(file)) and time.monotonic() < until:
                time.sleep(0.05)
            yield mine

    def seal(self) -> int:
        """Close segments that a killed receiver left open (only who holds its right may); returns how many."""
        left = self.segments(OPEN)
        for path in left:
            path.rename(path.with_suffix(DONE))
        return len(left)

    def told(self) -> dict[str, Any]:
        """Return what the folding last told of itself: folded_at, refreshed_at (ms), problem, stale."""
        try:
            found = json.loads((self.folder / "state.json").read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def tell(self, state: dict[str, Any]) -> None:
        """Keep what the folding tells of itself."""
        draft = self.folder / ".state.json"
        draft.write_text(json.dumps(state), "utf-8")
        draft.replace(self.folder / "state.json")


def day_of(segment: Path) -> str:
    """Return the UTC day on which a segment's first delivery came, as 2026-11-28."""
    return datetime.fromtimestamp(int(segment.name.split("-")[0]) / 1000, UTC).date().isoformat()


def read_segments(segments: list[Path], rules: Rules, found: SourceFacts) -> None:
    """Add the facts of segments to those of a day; positions go on from ``found.read``.

    Raises:
        StoreError: a segment cannot be read.
    """
    rows, position = Rows(), found.read

    def flush() -> None:
        found.ignored += rows.ignored
        for facts in rows.facts(rules):
            found.add(facts)

    for segment in segments:
        try:
            lines = segment.read_bytes().split(b"\n")
        except OSError as e:
            raise StoreError(
                f"a file of the spool cannot be read ({e.strerror})", where=str(segment), fix="correct its rights"
            ) from None
        for line in lines[:-1]:  # what follows the last newline is nothing, or was cut off and never acknowledged
            position += 1
            found.read += 1
            try:
                read_kept(line, position, rows)
            except ValueError:
                rows.refuse(position, *DAMAGED)
            if position % BLOCK_LINES == 0:
                flush()
                rows = Rows()
    flush()


def sync_folder(folder: Path) -> None:
    """Make names of new files in a folder durable."""
    if os.name != "posix":
        return
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
