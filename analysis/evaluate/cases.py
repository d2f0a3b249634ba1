"""A fleet in, one row per worsening of a line's health out: what really caused it, what the product said, what its peers said."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import polars as pl

from analysis.evaluate.fleets import Fleet
from analysis.evaluate.simple import METHODS, simple_guesses
from analysis.explain.measure import Measured, measure
from analysis.explain.quiet import vector
from analysis.explain.verdict import explained
from analysis.schema import INSTANT, SEVERITY, Explanation
from analysis.settings import Settings
from analysis.signals import gaps, health

OURS = "line health"
CASES = pl.Schema(
    {
        "family": pl.String,
        "scorer": pl.String,
        "seed": pl.Int64,
        "line": pl.String,
        "line_type": pl.String,
        "at": INSTANT,
        "cause": pl.String,  # what was planted, in the simulator's own words
        "planted": pl.Boolean,  # false: organic, or chance
        "driver": pl.String,  # the true one
        "also_ok": pl.List(pl.String),  # causes of similar size
        OURS: pl.String,
        "ranked": pl.List(pl.String),  # ours, largest share first
        "confidence_p": pl.Float64,
        "headline": pl.String,
        "onset": INSTANT,  # the true one; null where the cause has none
        "onset_error_h": pl.Float64,  # ours minus the true one; null where we gave none
        **dict.fromkeys(METHODS, pl.String),
        "z": pl.List(pl.Float64),  # z-scores of simple.SIGNALS, then the flag
        "found": pl.List(pl.Float64),  # effects and amounts of quiet.SCALED
        "reach": pl.List(pl.Float64),  # what these effects reach in quiet times
    }
)
"""Key (family, scorer, seed, line, at)."""


def cases_of(fleet: Fleet, settings: Settings | None = None, *, peers: bool = True) -> pl.DataFrame:
    """Explain one fleet and lay its truth beside it: CASES, in order of line and time.

    Args:
        fleet: which.
        settings: thresholds; defaults where None.
        peers: also ask the simple methods (half of the time); null where not.
    """
    frames, chosen = fleet.frames(), settings or Settings()
    measured = measure(
        frames.messages,
        frames.chats,
        frames.chat_health,
        health.spells(frames.changes),
        health.transitions(frames.changes),
        as_of=frames.as_of,
        settings=chosen,
        gaps=gaps.gaps(gaps.activity_of(frames.messages), as_of=frames.as_of, settings=chosen),
    )
    said = {(e.line, _instant(e.at)): e for e in explained(measured) if e.kind == "health"}
    inputs = _inputs(measured)
    truth = [
        row
        for row in frames.truth.filter(pl.col("kind") == "health").sort("line", "at").iter_rows(named=True)
        if SEVERITY[row["new"]] > SEVERITY[row["previous"]] and (row["line"], row["at"]) in said
    ]
    rows = [_row(fleet, row, said[row["line"], row["at"]], inputs.get((row["line"], row["at"]))) for row in truth]
    ours = pl.DataFrame(rows, schema={k: v for k, v in CASES.items() if k not in (*METHODS, "z")}, orient="row")
    if peers:
        ours = ours.with_columns(simple_guesses(frames, ours.select("line", "at")).select(*METHODS, "z"))
    else:
        ours = ours.with_columns(pl.lit(None, dtype=CASES[name]).alias(name) for name in (*METHODS, "z"))
    return ours.select(CASES.names())


def _inputs(measured: Measured) -> dict[tuple[str, datetime], tuple[list[float], list[float]]]:
    """Return what the shares of every worsening were made from."""
    return {
        (c.line, _moment(c.at)): (
            vector(case.effects).tolist(),
            measured.scales.reach(c.line, c.at).tolist(),
        )
        for c, case in measured.cases.items()
        if c.worsening and c.kind == "health"
    }


def _row(
    fleet: Fleet, truth: dict[str, Any], e: Explanation, inputs: tuple[list[float], list[float]] | None
) -> dict[str, Any]:
    began, onset = (None if e.onset is None else _instant(e.onset)), truth["onset"]
    error = (began - onset).total_seconds() / 3600 if began is not None and onset is not None else None
    return {
        "family": fleet.family,
        "scorer": fleet.scorer,
        "seed": fleet.seed,
        **{name: truth[name] for name in ("line", "line_type", "at", "cause", "planted", "driver", "also_ok", "onset")},
        OURS: e.drivers[0].driver,
        "ranked": [d.driver for d in e.drivers],
        "confidence_p": e.confidence_p,
        "headline": e.headline,
        "onset_error_h": error,
        "found": inputs[0] if inputs else None,
        "reach": inputs[1] if inputs else None,
    }


def _moment(ms: int) -> datetime:
    return datetime.fromtimestamp(ms // 1000, tz=UTC).replace(tzinfo=None, microsecond=ms % 1000 * 1000)


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC).replace(tzinfo=None)
