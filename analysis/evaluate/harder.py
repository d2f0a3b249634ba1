"""Made-up fleets in, how right forecasts are on harder ones out: tighter limits, few worsenings, one line only, data that is missing.

Where possible a harder fleet is the plain one with something taken away, so that rows differ by that alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import numpy as np
import polars as pl

from analysis.ahead.backtest import FIRST_DAYS, LEAST_WORSE, MOST_WEEKS, STEP_DAYS
from analysis.ahead.model import HORIZONS, YOUNG_DAYS
from analysis.ahead.rows import midnight_of
from analysis.errors import UsageError
from analysis.evaluate.fleets import Fleet
from analysis.evaluate.forecasts import (
    HEADS,
    TICKS,
    aligned,
    figure_cells,
    figures_of,
    on_cores,
    ticks_of_frames,
    worsenings,
)
from analysis.signals import health
from analysis.simulate.frames import Frames

PLAIN, DRIFT, FEW, ONE, NO_CHAT_HEALTH, LOST, LOST_ONE = (
    "plain", "limits drift", "few worsenings", "one line only", "no chat health", "a day lost", "a day lost, one line",
)  # fmt: skip
VARIANTS = {
    PLAIN: "the fleet as it is",
    DRIFT: "from the middle day on the vendor's limits leave less room",
    FEW: "weak causes and little noise, and of its lines so many that one worsening comes to three lines",
    ONE: "single lines, each forecast from nothing but its own data",
    NO_CHAT_HEALTH: "the plain fleet without any chat health",
    LOST: "the plain fleet without the messages and receipts of one day",
    LOST_ONE: "the same on one line of the fleet only",
}
"""Kinds of fleets by name, in the order of the rows, and what they are."""
TIGHTER = 0.7
"""Part of the room above the usual score that the vendor's limits leave after a drift."""
WEAK = 0.25
"""Factor on causes and noise in a fleet with few worsenings: fewer than one a line for most scorers (counted on both families, seed 1)."""
SPARE = 2
"""Such a fleet is chosen of so many times its lines: enough calm ones among them."""
LINES_A_WORSENING = 3
"""Lines to one worsening where worsenings are few (issue Ahead)."""
SINGLES = 20
"""Single lines tried of a fleet, at most: each costs as many fits as a whole fleet."""
HARDER = pl.Schema([("variant", pl.String()), *TICKS.items()])
"""TICKS of VARIANTS."""


def harder_frames(fleet: Fleet) -> Iterator[tuple[str, list[Frames]]]:
    """Make a fleet and its harder kin: for each of VARIANTS the frames to forecast, each for itself."""
    plain = fleet.frames()
    rng = np.random.default_rng([fleet.seed, 53])
    lines = plain.messages["line"].unique().sort().to_list()
    single = sorted(rng.permutation(lines)[:SINGLES].tolist())
    day, hit = lost_day(plain, rng), [lines[int(rng.integers(len(lines)))]] if lines else []
    yield PLAIN, [plain]
    yield DRIFT, [replace(fleet, drift=TIGHTER).frames()]
    yield FEW, [few_worsenings(fleet)]
    yield ONE, [only(plain, [line]) for line in single]
    yield NO_CHAT_HEALTH, [replace(plain, chat_health=plain.chat_health.clear())]
    yield LOST, [without_day(plain, day, lines)]
    yield LOST_ONE, [without_day(plain, day, hit)]


def only(frames: Frames, lines: list[str]) -> Frames:
    """Return what a store of these lines alone would hold, at the same time."""
    mine = pl.col("line").is_in(lines)
    chats = frames.chats.filter(mine)
    return replace(
        frames,
        messages=frames.messages.filter(mine),
        chats=chats,
        chat_health=frames.chat_health.join(chats.select("chat_id"), on="chat_id", how="semi", maintain_order="left"),
        changes=frames.changes.filter(mine),
        truth=frames.truth.filter(mine),
    )


def few_worsenings(fleet: Fleet) -> Frames:
    """Return a fleet of at most as many lines with about one worsening to LINES_A_WORSENING lines: weak causes, calm lines kept first."""
    weak = replace(fleet, lines=SPARE * fleet.lines, strength=WEAK * fleet.strength, noise=WEAK * fleet.noise).frames()
    changes = health.transitions(weak.changes).filter(pl.col("kind") == "health", pl.col("worsening"))
    count = dict(changes["line"].value_counts().iter_rows())
    lines = weak.messages["line"].unique().sort().to_list()
    calm = [line for line in lines if line not in count]
    for size in range(fleet.lines, 0, -1):
        left, fallen = size // LINES_A_WORSENING, []
        for line in (line for line in lines if line in count):
            if count[line] <= left:
                left -= count[line]
                fallen.append(line)
        if len(fallen) + len(calm) >= size:
            return only(weak, fallen + calm[: size - len(fallen)])
    return only(weak, [])


def lost_day(frames: Frames, rng: np.random.Generator) -> datetime:
    """Return the midnight of a day within the weeks that are forecast (see ``tried``); the last whole day where there is no such week."""
    at = midnight_of(frames.as_of)
    first: Any = frames.messages["at"].min() or at
    weeks = min(MOST_WEEKS, (at - first - timedelta(days=YOUNG_DAYS + FIRST_DAYS)) // timedelta(days=STEP_DAYS))
    if weeks < 1:
        return at - timedelta(days=1)
    unheard = max(HORIZONS) // 24
    return at - timedelta(days=int(rng.integers(unheard + 1, STEP_DAYS * weeks + 1)))


def without_day(frames: Frames, day: datetime, lines: list[str]) -> Frames:
    """Return frames as though the webhooks of one day (UTC) about messages of these lines were lost; changes of health are told otherwise."""
    hit, until = pl.col("line").is_in(lines), day + timedelta(days=1)
    lost = {
        c: hit & pl.col(c).is_between(day, until, closed="left") for c in ("at", "delivered_at", "read_at", "failed_at")
    }
    kept = frames.messages.filter(~lost["at"]).with_columns(
        pl.when(~lost[c]).then(pl.col(c)) for c in ("delivered_at", "read_at", "failed_at")
    )
    seen = pl.col("delivered_at").is_not_null() | pl.col("read_at").is_not_null()
    messages = kept.with_columns(
        failed=pl.col("failed_at").is_not_null() & ~seen,
        failure_code=pl.when(pl.col("failed_at").is_not_null()).then("failure_code"),
    )
    chats = frames.chats.join(messages.select("chat_id").unique(), on="chat_id", how="semi", maintain_order="left")
    return replace(frames, messages=messages, chats=chats)


def harder_ticks_of(fleet: Fleet, priors: dict[int, dict[str, float]] | None = None) -> pl.DataFrame:
    """Forecast the past of every kin of a fleet: HARDER."""
    parts = [
        ticks_of_frames(frames, fleet, priors)[1].with_columns(variant=pl.lit(name)).select(HARDER.names())
        for name, every in harder_frames(fleet)
        for frames in every
    ]
    return pl.concat(parts)


def all_harder_ticks(
    fleets: list[Fleet],
    *,
    processes: int = 2,
    priors: dict[int, dict[str, float]] | None = None,
    progress: Callable[[str, float, float], None] | None = None,
) -> pl.DataFrame:
    """Return HARDER of all fleets, in their order; on several cores."""
    return pl.concat(on_cores(partial(harder_ticks_of, priors=priors), fleets, processes=processes, progress=progress))


def harder_evaluated(told: pl.DataFrame) -> dict[str, Any]:
    """Return the figures of every scorer and each of VARIANTS; under LEAST_WORSE worsenings only their count, with "too_few".

    Args:
        told: HARDER.

    Raises:
        UsageError: no line got worse in any of them.
    """
    if not told["came_72"].sum():
        raise UsageError("no line of these fleets got worse", where="evaluate", fix="ask for more lines or days")
    scorers = {
        f"{family}/{scorer}": {name: _row(part.filter(pl.col("variant") == name)) for name in VARIANTS}
        for (family, scorer), part in told.partition_by("family", "scorer", as_dict=True, maintain_order=True).items()
    }
    return {"variants": VARIANTS, "scorers": scorers}


def _row(part: pl.DataFrame) -> dict[str, Any]:
    count, lines = worsenings(part), part.select("seed", "line").n_unique()
    if count < LEAST_WORSE:
        return {"lines": lines, "worsenings": count, "ticks": part.height, "too_few": True}
    return {"lines": lines, "too_few": False, **figures_of(part)}


def harder_text(told: dict[str, Any]) -> str:
    """Return the figures as one table, a row for each scorer and kind of fleet."""
    rows: list[tuple[str, ...]] = [("scorer", "fleet", "lines", "worsenings", *HEADS)]
    for scorer, kinds in told["scorers"].items():
        for name, f in kinds.items():
            cells = (f"too few worsenings (under {LEAST_WORSE})",) if f["too_few"] else figure_cells(f)
            rows.append((scorer, name, f"{f['lines']:,}", f"{f['worsenings']:,}", *cells))
    return aligned(rows)
