"""A store and an instant in; the store's state as it stood then out, so that the report of a past week tells what was known at its end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from analysis import pipeline
from analysis.errors import StoreError
from analysis.pages._state import State
from analysis.pages._words import instant
from analysis.pipeline import Where, iso
from analysis.schema import GATE, Explanation

FOREVER = datetime(9999, 1, 1)


@dataclass(frozen=True)
class AsOf(State):
    """A state of a store at ``end``: what happened then or later is not in it. What needs the present (the gate) is empty for the past."""

    end: datetime = FOREVER

    @property
    def past(self) -> bool:
        """Whether the store knows of later events."""
        return instant(self.status["newest"]) >= self.end

    def explanations(self, line: str | None = None) -> list[Explanation]:
        """Return why each transition before the end happened, oldest first."""
        found = self.kept("explanations", pipeline.explanations, {"until": iso(self.end)})
        return [e for e in found if line in (None, e.line)]

    def lines(self) -> pl.DataFrame:
        """Return one row a line, with health and status as they were at the end."""
        return self.made("lines then", lambda s: s.lines_then())

    def lines_then(self) -> pl.DataFrame:
        """Return the lines with a word on them before the end; health, status and since by the spells of then."""
        every: pl.DataFrame = self.read(pipeline.lines)
        now = self.standing(self.end)
        health = now.filter(pl.col("kind") == "health").select("line", health="state", since="start_at")
        status = now.filter(pl.col("kind") == "status").select("line", status="state")
        return (
            every.drop("health", "status", "since")
            .filter(pl.col("first_at").is_null() | (pl.col("first_at") < self.end))
            .join(health, on="line", how="left")
            .join(status, on="line", how="left")
            .select(every.columns)
            .sort("line")
        )

    def standing(self, at: datetime) -> pl.DataFrame:
        """Return the spells in which each line was just before an instant: SPELLS, key (line, kind)."""
        held = self.read(pipeline.spells).filter(
            pl.col("start_at").is_null() | (pl.col("start_at") < at),
            pl.col("end_at").is_null() | (pl.col("end_at") >= at),
        )
        return held.sort("line", "kind", "start_at").unique(["line", "kind"], keep="last", maintain_order=True)

    def read(self, verb: Callable[..., Any], **arguments: Any) -> Any:
        """Return what a verb of the pipeline gives for this state; signals end where it ends."""
        if verb is pipeline.signals and self.past:
            arguments["until"] = min(arguments.get("until") or self.end, self.end)
        if verb is pipeline.progress and self.past:
            arguments["until"] = iso(self.end)
        if verb is pipeline.gate and self.past:
            return pl.DataFrame(schema=GATE)
        return super().read(verb, **arguments)


def state_at(store: Where, end: datetime | None) -> AsOf:
    """Return the state of a store at an instant, or at its newest event.

    Raises:
        StoreError: no store there, or nothing in it.
    """
    status = pipeline.status(store)
    if status["as_of"] is None:
        raise StoreError(
            "nothing is loaded yet", where=str(status["store"]), fix="load exports first: linehealth load PATH"
        )
    newest = instant(status["as_of"])
    at = newest if end is None or end > newest else end
    known = {**status, "as_of": iso(at), "newest": status["as_of"]}
    state = AsOf(
        Path(status["store"]),
        pipeline.fingerprint(store),
        known,
        pipeline.settings(store),
        "light",
        end=end or FOREVER,
    )
    lines = state.lines()
    known["counts_by_health"] = {
        h: lines.filter(pl.col("health") == h).height for h in ("HEALTHY", "AT_RISK", "CRITICAL")
    }
    known["counts_by_health"]["unknown"] = lines["health"].null_count()
    known["flagged"] = lines.filter(pl.col("status") == "FLAGGED").height
    known["lines"] = lines.height
    return state
