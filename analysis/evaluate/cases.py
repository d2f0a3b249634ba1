"""A fleet in, one row per worsening of a line's health out: what really caused it, what the product said, what its peers said."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl

from analysis.evaluate.fleets import Fleet
from analysis.evaluate.simple import METHODS, simple_guesses
from analysis.explain import explain
from analysis.schema import INSTANT, SEVERITY, Explanation
from analysis.settings import Settings
from analysis.signals import health

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
        "also_ok": pl.List(pl.String),
        OURS: pl.String,
        "ranked": pl.List(pl.String),  # ours, largest share first
        "confidence_p": pl.Float64,
        "headline": pl.String,
        "onset": INSTANT,  # the true one; null where the cause has none
        "onset_error_h": pl.Float64,  # ours minus the true one; null where we gave none
        **dict.fromkeys(METHODS, pl.String),
        "z": pl.List(pl.Float64),
        "effects": pl.List(pl.Float64),
    }
)
"""Key (family, scorer, seed, line, at)."""


def cases_of(fleet: Fleet, settings: Settings | None = None) -> pl.DataFrame:
    """Explain one fleet and lay its truth beside it: CASES, in order of line and time."""
    frames = fleet.frames()
    chosen = settings or Settings()
    spells, transitions = health.spells(frames.changes), health.transitions(frames.changes)
    found = explain(
        frames.messages,
        frames.chats,
        frames.chat_health,
        spells,
        transitions,
        as_of=frames.as_of,
        settings=chosen,
    )
    said = {(e.line, _instant(e.at)): e for e in found if e.kind == "health"}
    truth = [
        row
        for row in frames.truth.filter(pl.col("kind") == "health").sort("line", "at").iter_rows(named=True)
        if SEVERITY[row["new"]] > SEVERITY[row["previous"]] and (row["line"], row["at"]) in said
    ]
    worse = pl.DataFrame(
        {"line": [r["line"] for r in truth], "at": [r["at"] for r in truth]}, schema={"line": pl.String, "at": INSTANT}
    )
    peers = simple_guesses(frames, worse)
    rows = [_row(fleet, row, said[row["line"], row["at"]]) for row in truth]
    ours = pl.DataFrame(rows, schema={k: v for k, v in CASES.items() if k not in (*METHODS, "z")}, orient="row")
    return ours.with_columns(peers.select(*METHODS, "z")).select(CASES.names())


def _row(fleet: Fleet, truth: dict[str, object], e: Explanation) -> dict[str, object]:
    began, onset = (None if e.onset is None else _instant(e.onset)), truth["onset"]
    dated = isinstance(onset, datetime) and began is not None
    return {
        "family": fleet.family,
        "scorer": fleet.scorer,
        "seed": fleet.seed,
        **{name: truth[name] for name in ("line", "line_type", "at", "cause", "planted", "driver", "also_ok", "onset")},
        OURS: e.drivers[0].driver,
        "ranked": [d.driver for d in e.drivers],
        "confidence_p": e.confidence_p,
        "headline": e.headline,
        "onset_error_h": (began - onset).total_seconds() / 3600 if dated else None,  # type: ignore[operator]
        "effects": [],
    }


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC).replace(tzinfo=None)
