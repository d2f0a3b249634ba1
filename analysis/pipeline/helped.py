"""A store in; whether each action helped, slow-downs that nobody recorded, and patterns that moved on to another line, out."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec
import polars as pl

from analysis.helped import near
from analysis.helped import spread as moved
from analysis.helped.found import found_actions
from analysis.helped.grid import Grid
from analysis.helped.judge import Helped, judged
from analysis.helped.words import KIND_WORDS, near_text, spread_sentence
from analysis.pipeline.moments import iso
from analysis.pipeline.opened import Where, reading, settings_in
from analysis.schema import INSTANT, Explanation
from analysis.signals.gaps import seen
from analysis.sources.pseudonym import canonical_line
from analysis.store import read, read_detail

EFFECTS = pl.Schema(
    {
        "action_id": pl.String,
        "line": pl.String,
        "at": INSTANT,
        "kind": pl.String,
        "label": pl.String,
        "source": pl.String,
        "verdict": pl.String,
        "sentence": pl.String,
        "days": pl.Int64,
        "measure": pl.String,  # null: nothing was measured
        "before": pl.Float64,
        "before_of": pl.Float64,
        "after": pl.Float64,
        "after_of": pl.Float64,
        "effect": pl.Float64,
        "low": pl.Float64,
        "high": pl.Float64,
        "against": pl.String,
        "compared": pl.Int64,
    }
)
"""One row an action and measure, key (action_id, measure); effect, low and high are shares: points of a rate, or a ratio less 1."""


@dataclass(frozen=True)
class Told:
    """One action as it is told: its title, verdict sentence, health since, and what began beside it."""

    of: Helped

    @property
    def title(self) -> str:
        """Line, what was done, and when."""
        kind = KIND_WORDS[self.of.kind] + (f" “{self.of.label}”" if self.of.label else "")
        found = " (found, not recorded)" if self.of.source == "found" else ""
        return f"{self.of.line or 'The whole fleet'}, {iso(self.of.at)}: {kind}{found}"

    @property
    def sentence(self) -> str:
        """The verdict in one sentence, and what of it has to be said beside."""
        return self.of.sentence

    @property
    def beside(self) -> list[str]:
        """Whether a burst, and a fall in replies, began within a day of it."""
        o = self.of
        return [near_text(word, of, o.at, o.line) for word, of in (("burst", o.burst), ("fall in replies", o.replies))]

    def as_json(self) -> dict[str, Any]:
        """Return it as `linehealth helped --json` prints it."""
        o = self.of
        return {
            "action_id": o.action_id,
            "line": o.line,
            "at": iso(o.at),
            "kind": o.kind,
            "label": o.label,
            "source": o.source,
            "verdict": o.verdict,
            "sentence": o.sentence,
            "health": o.health or None,
            "days": o.days,
            "effects": [asdict(e) for e in o.effects],
            "burst_at": iso(o.burst.at),
            "burst_by_chance": o.burst.by_chance,
            "replies_fell_at": iso(o.replies.at),
            "replies_fell_by_chance": o.replies.by_chance,
            "beside": self.beside,
        }


def helped(store: Where = None, *, line: str | None = None) -> list[Told]:
    """Return whether each action helped, oldest first: recorded ones, and slow-downs found after a fall.

    Args:
        store: path of the store.
        line: of this line, and of the whole fleet; all where None. The others are compared with all the same.

    Example:
        >>> {told.of.verdict for told in lh.helped()} <= {"helped", "did not help", "can't tell"}
        True
    """
    with reading(store) as con:
        chosen, recorded = settings_in(con), read.actions(con)
        hours, days, lost = read.signals(con, "hour"), read.signals(con, "day"), read.gaps(con)
        spells, transitions, lines = read.spells(con), read.transitions(con), read.lines(con)
        told = [msgspec.json.decode(d, type=Explanation) for d in read.explanation_documents(con)]
    if hours.is_empty():
        return []
    hours = seen(hours, lost, within=timedelta(hours=chosen.reply_window_hours))  # answers lost in a gap are not missed
    as_of: datetime = hours["hour"].max() + timedelta(hours=1)  # type: ignore[operator, assignment]
    found = found_actions(days, transitions, recorded, as_of=as_of, zone=chosen.zone)
    every = pl.concat([recorded, found]).sort("at", "line", "kind")
    if every.is_empty():
        return []
    first: datetime = hours["hour"].min()  # type: ignore[assignment]
    bursts = near.burst_starts(hours, lines, young=chosen.young_line_days, first_at=first)
    verdicts = judged(every, Grid(hours, spells), spells, bursts, near.reply_falls(told))
    own = canonical_line(line) if line else None
    return [Told(v) for v in verdicts if own is None or v.line in (None, own)]


def helped_frame(of: list[Told]) -> pl.DataFrame:
    """Return verdicts and effects as a table: EFFECTS, a row an action and measure."""
    rows: list[tuple[Any, ...]] = []
    for told in of:
        o = told.of
        head = (o.action_id, o.line, o.at, o.kind, o.label, o.source, o.verdict, o.sentence, o.days)
        effects: list[tuple[Any, ...]] = [
            (e.measure, e.top_before, e.bottom_before, e.top_after, e.bottom_after, e.effect, e.low, e.high, e.against, e.compared)
            for e in o.effects
        ] or [(None,) * 10]  # fmt: skip
        rows += [(*head, *effect) for effect in effects]
    return pl.DataFrame(rows, schema=EFFECTS, orient="row")


def spread(store: Where = None) -> pl.DataFrame:
    """Return where a pattern moved on from a line that fell or slowed down to another: SPREAD and ``sentence``, in order of at.

    Example:
        >>> lh.spread().columns[:3]
        ['from_line', 'to_line', 'at']
    """
    with reading(store) as con:
        chosen, recorded, opened = settings_in(con), read.actions(con), read_detail.first_of_chats(con)
        days, transitions = read.signals(con, "day"), read.transitions(con)
    if opened.is_empty() or days.is_empty():
        return pl.DataFrame(schema={**moved.SPREAD, "sentence": pl.String})
    as_of: datetime = opened["at"].max()  # type: ignore[assignment]
    falls = transitions.filter(pl.col("kind") == "health", "worsening").select("line", "at", what=pl.lit("fell"))
    found = found_actions(days, transitions, recorded, as_of=as_of, zone=chosen.zone)
    slow = pl.concat([recorded, found]).filter(pl.col("kind").is_in(["pause", "slower"]), pl.col("line").is_not_null())
    events = pl.concat([falls, slow.select("line", "at", what=pl.lit("slowed down"))]).cast(moved.EVENTS)
    rows = moved.spread_of(opened, events, transitions, as_of=as_of)
    sentences = [spread_sentence(row, zone=chosen.zone) for row in rows.iter_rows(named=True)]
    return rows.with_columns(pl.Series("sentence", sentences, dtype=pl.String))
