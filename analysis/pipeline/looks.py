"""Looks of a pull at the lines in, changes that no report tells of kept, and notes at their explanations out."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import polars as pl

from analysis.pipeline.moments import iso
from analysis.schema import Explanation
from analysis.settings import Settings
from analysis.signals import health as timeline
from analysis.store import marts, pulled, read


def keep_looks(con: Any, chosen: Settings) -> pl.DataFrame:
    """Keep the changes that only looks of a pull tell of, and return them (OBSERVED)."""
    looks = pulled.observations(con)
    found = timeline.observed(read.reports(con), looks, within=timedelta(minutes=chosen.observed_minutes))
    marts.replace(con, "observed_change", found)
    return found


def with_looks(found: list[Explanation], observed: pl.DataFrame) -> list[Explanation]:
    """Return explanations with a note at those changes that were seen between two looks (OBSERVED) and not reported."""
    since = {(line, iso(at)): iso(before) for line, at, _, _, before in observed.iter_rows()}
    told = []
    for e in found:
        before = since.get((e.line, e.at)) if e.kind == "health" else None
        notes = [
            note for note in e.notes if not note.startswith(LOOKED[:_SAME])
        ]  # one kept from before may tell another time
        told.append(
            msgspec.structs.replace(e, notes=notes + ([LOOKED.format(before, e.at)] if before is not None else []))
        )
    return told


LOOKED = "No report tells when this changed: a pull saw it. It changed between {} and {}."
"""Note at a change seen between two looks of a pull."""
_SAME = LOOKED.index("{")
