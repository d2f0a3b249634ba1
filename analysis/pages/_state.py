"""One consistent state of one store, and reads of it, each made once. Needs no Streamlit: what pages say, reports say from the same functions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from analysis import pipeline
from analysis.charts import Theme
from analysis.pages._words import instant
from analysis.schema import Explanation
from analysis.settings import Settings


@dataclass(frozen=True)
class State:
    """One consistent state of one store, and how its reader sees it."""

    store: Path
    version: str
    status: dict[str, Any]
    settings: Settings
    theme: Theme
    memory: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def as_of(self) -> datetime:
        """Latest event of the store."""
        return instant(self.status["as_of"])

    @property
    def zone(self) -> ZoneInfo:
        """The zone in which days are cut and times are shown."""
        return self.settings.zone

    def kept(self, name: str, make: Callable[..., Any], arguments: dict[str, Any]) -> Any:
        """Return what a function of the store gives for this state; asked again, the same object without reading."""
        key = (name, tuple(sorted(arguments.items())))
        if key not in self.memory:
            self.memory[key] = make(str(self.store), **arguments)
        return self.memory[key]

    def read(self, verb: Callable[..., Any], **arguments: Any) -> Any:
        """Return what a verb of the pipeline gives for this state; asked again, the same object without reading.

        Spells and actions are small tables: read once for all lines, and filtered.
        """
        line = arguments.pop("line", None) if verb in (pipeline.spells, pipeline.actions) else None
        found = self.kept(verb.__name__, verb, arguments)
        if line is None:
            return found
        own = pl.col("line") == line
        return found.filter(own | pl.col("line").is_null() if verb is pipeline.actions else own)

    def made(self, name: str, make: Callable[[Any], Any]) -> Any:
        """Return what a function makes of this state, made once; it must not depend on the theme."""
        return self.kept(f"made {name}", lambda _: make(self), {})

    def explanations(self, line: str | None = None) -> list[Explanation]:
        """Return why each transition happened, oldest first."""
        found: list[Explanation] = self.read(pipeline.explanations, line=line)
        return found

    def lines(self) -> pl.DataFrame:
        """Return one row a line."""
        found: pl.DataFrame = self.read(pipeline.lines)
        return found
