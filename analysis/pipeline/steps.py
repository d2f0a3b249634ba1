"""Where a load stands in; one step as words for people and as JSON for programs out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

PARTS = {"reading": 0.45, "merging": 0.15, "signals": 0.15, "explaining": 0.25}
"""The stages of a load in order, each with its part of the whole: own timing of the demo fleet, good enough for a bar."""
WORDS = {
    "merging": "Merging {rows} into the store",
    "signals": "Counting signals",
    "explaining": "Explaining what changed",
}


@dataclass(frozen=True)
class Step:
    """One moment of a load: its stage (a key of PARTS), how far that is, and what was read so far."""

    stage: str
    done: float = 0.0
    """Part of the stage that is done, 0 to 1."""
    file: int = 0
    files: int = 0
    name: str = ""
    """Name of the file being read; empty in later stages."""
    rows: int = 0
    """Rows read so far, over all files."""

    @property
    def share(self) -> float:
        """Part of the whole load that is done, 0 to 1; it never falls while a load goes on."""
        stages = list(PARTS)
        before = sum(PARTS[s] for s in stages[: stages.index(self.stage)])
        return round(before + PARTS[self.stage] * min(1.0, max(0.0, self.done)), 4)

    @property
    def words(self) -> str:
        """The step as a sentence without its end."""
        rows = f"{self.rows:,} row" + ("" if self.rows == 1 else "s")
        if self.stage == "reading":
            return f"Reading file {self.file} of {self.files}, {self.name}: {rows} so far"
        return WORDS[self.stage].format(rows=rows)

    def as_json(self) -> dict[str, Any]:
        """Return the step as ``linehealth load --progress json`` prints it."""
        return {**asdict(self), "done": round(self.done, 4), "share": self.share, "words": self.words}


Progress = Callable[[Step], None]
"""Called with each step while a load goes on; must be quick."""
