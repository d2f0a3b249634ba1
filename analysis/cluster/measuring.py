"""Some lines, or some days, of an exported folder in; what explanations need of them as files out: what workers do in each pass.

In order (``explaining`` calls them): ``looked`` and ``lost`` (receipts), ``measured`` (cases, quiet times), ``weighed`` (weights by day),
``shared`` (shares of worsenings), ``told`` (explanations). All by the functions of the local run.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import polars as pl

from analysis.cluster.folder import Folder
from analysis.cluster.work import Shard, frames, known, part
from analysis.explain.asks import asks_of, carried_by, rows_of
from analysis.explain.attribution import Scales, rounded, shares_of
from analysis.explain.baseline import Fleet, FleetSums
from analysis.explain.cases import Cases, tells, with_messages
from analysis.explain.change import Change, weighable
from analysis.explain.constants import DAY, HOUR
from analysis.explain.drift import ScoringChanges
from analysis.explain.histories import gaps_of, histories_of
from analysis.explain.history import LineHistory
from analysis.explain.measure import Measured, changes_of, drifts_in, shares_in, troubles_of
from analysis.explain.numbers import stretches
from analysis.explain.peers import AsksTold, Hours, Peers
from analysis.explain.quiet import WIDTH, KnownQuietTimes, QuietTimes, effects_of, vector
from analysis.explain.receipts import lost_at, reaches, sends_of, within, within_own
from analysis.explain.running import NEVER, Array
from analysis.explain.shelf import firsts_of
from analysis.explain.together import firsts_in, hours_in, sums_of, told_of
from analysis.explain.troubles import Troubles
from analysis.explain.verdict import Verdict, verdicts
from analysis.pipeline.explaining import kept_rows
from analysis.pipeline.looks import with_looks
from analysis.schema import GAPS, OBSERVED, SPELLS, TRANSITIONS

Points = dict[str, tuple[Array, Array]]
"""Line to its quiet days and their effects (``QuietTimes.of_line``)."""
_COUNTS = [f"own_{word}_{i}" for i in range(len(reaches())) for word in ("expected", "silent")]
_SENDS = pl.Schema(
    {"line": pl.String, "row": pl.Int64, "at": pl.Int64, "expected": pl.Boolean, "silent": pl.Boolean}
    | dict.fromkeys(_COUNTS, pl.Int64)
)
"""Sends that tell of receipts, of one shard and one period: line, place in ``rows_of`` of it, time, and what the line itself had."""
_EXPECTED = pl.Schema({"at": pl.Int64, "expected": pl.Boolean, "silent": pl.Boolean})
_LOST = pl.Schema({"line": pl.String, "row": pl.Int64, "lost": pl.Int64})
_VECTOR = [f"x{i}" for i in range(WIDTH)]
_QUIET = pl.Schema({"line": pl.String, "day": pl.Int64} | dict.fromkeys(_VECTOR, pl.Float64))
WORSE = pl.Schema({"line": pl.String, "at": pl.Int64} | dict.fromkeys(_VECTOR, pl.Float64))
"""A worsening that teaches how much each driver weighs."""
UNEXPLAINED = pl.Schema({"line": pl.String, "at": pl.Int64, "share": pl.Float64})
STARTS = pl.Schema({"line": pl.String, "start": pl.Int64})
WEIGHTS = pl.Schema({"day": pl.Int64} | {f"w{i}": pl.Float64 for i in range(WIDTH // 2)})


@dataclass(frozen=True)
class Run:
    """Where one run reads and writes; its name is new each time, since workers remember what they have read of it."""

    source: str
    out: str
    name: str
    hours: int
    """Length of a period of the pass by time."""

    @property
    def passes(self) -> str:
        """Folder for what one pass leaves to the next."""
        return f"{self.out}/passes-{self.name}"


@dataclass(frozen=True)
class Looked:
    """Of one shard: its periods with sends that tell of receipts, its sums, and when its lines began (ms)."""

    periods: list[int]
    fleet: FleetSums
    hours: Hours
    firsts: dict[str, int]


@dataclass(frozen=True)
class Seen:
    """Of one shard: worsenings that teach (WORSE), quiet times of those of its lines that the fleet's are taken from, days with a change."""

    worse: pl.DataFrame
    pool: Points
    days: set[int]


# ---------------------------------------------------------------------- receipts


def looked(run: Run, shard: Shard) -> tuple[Looked, float]:
    """Write a shard's sends by period, and return what it adds to the fleet's sums, and the processor seconds it took."""
    began, (number, lines) = time.process_time(), shard
    messages, chats, health = frames(run.source, lines)
    rows, folder = rows_of(messages, health), Folder(run.passes)
    sends = sends_of(rows)
    own = within_own(sends).reshape(-1, len(_COUNTS))
    silent = sends.filter("silent").select("row").with_columns(pl.DataFrame(own, schema=_COUNTS))
    telling = sends.join(silent, on="row", how="left", maintain_order="left")
    begins = {line: here.start for line, here in stretches(rows["line"]).items()}
    telling = telling.with_columns(pl.col("row") - pl.col("line").replace_strict(begins, return_dtype=pl.Int64))
    by_period = telling.with_columns(period=pl.col("at") // (run.hours * HOUR)).partition_by("period", as_dict=True)
    for (period,), here in by_period.items():
        folder.write(_of_period("sends", int(period), number), here.select(_SENDS.names()).cast(dict(_SENDS)))  # type: ignore[arg-type]
    settings, carried = known(run.source)[1], carried_by(rows)
    asks = asks_of(rows, chats, settings, carried)
    found = told_of(asks, carried, _troubles(run, lines), gaps_of(_gaps(run)), settings)
    periods = sorted(int(period) for (period,) in by_period)
    sums, hours = sums_of(found.days, found.services), hours_in(found.hours)
    return Looked(periods, sums, hours, firsts_in(found.lines)), time.process_time() - began


def lost(run: Run, period: tuple[int, dict[int, list[int]]]) -> tuple[list[int], float]:
    """Find which silent sends of a period went out while receipts were lost on all lines, and write these by shard.

    Args:
        run: where.
        period: its number; and which shards have sends in it and in each period beside it.

    Returns:
        The shards that have any, and the processor seconds it took.
    """
    began, (number, shards_of), folder = time.process_time(), period, Folder(run.passes)
    before, after = (max(ends) for ends in zip(*reaches(), strict=True))
    start, end = number * run.hours * HOUR - before, (number + 1) * run.hours * HOUR + after
    parts = [
        folder.frame(_of_period("sends", beside, shard), _EXPECTED).filter(
            "expected", pl.col("at").is_between(start, end)
        )
        for beside, shards in shards_of.items()
        for shard in shards
    ]
    expected, with_any = pl.concat(parts).select("at", "silent").sort("at"), []
    for shard in shards_of[number]:
        silent = folder.frame(_of_period("sends", number, shard), _SENDS).filter("silent")
        at, own = silent["at"].to_numpy(), silent.select(_COUNTS).to_numpy().reshape(-1, len(reaches()), 2)
        since = lost_at(at, within(at, expected), own)
        found = silent.select("line", "row").with_columns(lost=pl.Series(since)).filter(pl.col("lost") < NEVER)
        if found.height:
            folder.write(_of_period("lost", number, shard), found)
            with_any.append(shard)
    return with_any, time.process_time() - began


# ---------------------------------------------------------------------- cases


def measured(run: Run, task: tuple[int, list[str], list[int], list[str]]) -> tuple[Seen, float]:
    """Measure a shard's changes, and quiet times of its lines with a change or in the fleet's pool; write the quiet times.

    Args:
        run: where.
        task: number, lines, periods with lost receipts, and the lines that the fleet's quiet times are taken from.
    """
    began, (number, lines, periods, pool) = time.process_time(), task
    settings, of_line = known(run.source)[1], _troubles(run, lines)
    changes, pooled = _changes(run, lines), [line for line in pool if line in lines]
    if not changes and not pooled:
        return Seen(_worse([]), {}, set()), time.process_time() - began
    needed = [line for line in lines if line in {change.line for change in changes} | set(pooled)]
    histories, fleet = _histories(run, number, needed, periods), _fleet(run)
    cases = Cases(with_messages(changes, firsts_of(histories)), histories, of_line, fleet, settings)
    weighed_ = weighable(cases)
    every = weighable(changes_of(_transitions(run), known(run.source)[0]))
    quiet = QuietTimes(firsts_of(histories), every, of_line.__getitem__, fleet, settings, pool=pool)
    quiet.rest_on(histories)
    points = {line: quiet.of_line(line) for line in sorted({c.line for c in weighed_} | set(pooled))}
    Folder(run.passes).write(part("quiet", number), _frame_of(points))
    worse = _worse([(c, vector(case.effects)) for c, case in cases.items() if c.worsening and tells(case, settings)])
    seen = Seen(worse, {line: points[line] for line in pooled}, {c.at // int(DAY) for c in weighed_})
    return seen, time.process_time() - began


def weighed(run: Run, days: list[int]) -> tuple[dict[int, list[float]], float]:
    """Return the weights of some days, as quiet times of the pool and all worsenings before each teach them."""
    began, worse = time.process_time(), Folder(run.passes).frame("worse.parquet", WORSE)
    taught = list(zip(worse["at"].to_list(), worse.select(_VECTOR).to_numpy(), strict=True))
    scales = Scales(KnownQuietTimes(_pool(run), {}), taught)
    return {day: scales.weights_on(day).tolist() for day in days}, time.process_time() - began


def shared(run: Run, shard: Shard) -> tuple[pl.DataFrame, float]:
    """Return the unexplained share of each of a shard's worsenings that teach (UNEXPLAINED)."""
    began, (number, lines) = time.process_time(), shard
    worse = Folder(run.passes).frame("worse.parquet", WORSE).filter(pl.col("line").is_in(lines))
    found = []
    if worse.height:
        scales = _scales(run, number)
        for line, at, *x in worse.iter_rows():
            shares = rounded(shares_of(effects_of(np.array(x), at), scales.at(line, at)))
            found.append((line, at, dict(shares)["unexplained"]))
    return pl.DataFrame(found, schema=UNEXPLAINED, orient="row"), time.process_time() - began


# ---------------------------------------------------------------------- explanations


def told(run: Run, task: tuple[int, list[str], list[int], list[str]]) -> tuple[int, float]:
    """Explain a shard's changes and write them; returns how many, and the processor seconds it took.

    Args:
        run: where.
        task: number, lines, periods with lost receipts, and lines to be explained here that have no message.
    """
    began, (number, lines, periods, silent) = time.process_time(), task
    settings, of_line = known(run.source)[1], _troubles(run, lines + silent)
    changes = _changes(run, lines + silent)
    found: list[Verdict] = []
    if changes:
        needed = [line for line in lines if line in {change.line for change in changes}]
        histories = _histories(run, number, needed, periods) if needed else {}
        seen = with_messages(changes, firsts_of(histories))
        cases = Cases(seen, histories, of_line, _fleet(run), settings) if histories else {}
        scales = _scales(run, number) if cases else Scales(None, [])
        shares = shares_in({c: case.effects for c, case in cases.items()}, scales)
        drifts = drifts_in(shares, _scoring(run)) if shares else {}
        peers = Peers(AsksTold(histories), _hours(run))
        found = verdicts(Measured(changes, cases, shares, drifts, scales, of_line, peers))
    observed = Folder(run.source).frame("observed.parquet", OBSERVED)
    told_ = with_looks([verdict.explanation for verdict in found], observed)
    rows = kept_rows(told_, told_, [verdict.compared_from for verdict in found])
    Folder(run.out).write(part("explanation", number), rows)
    return len(found), time.process_time() - began


# ---------------------------------------------------------------------- what a pass finds of those before it


def _of_period(table: str, period: int, number: int) -> str:
    return f"{table}/{period:06d}/{number:06d}.parquet"


def _histories(run: Run, number: int, lines: list[str], periods: list[int]) -> dict[str, LineHistory]:
    """Return the histories of some lines of a shard, with the sends whose receipts were lost."""
    messages, chats, health = frames(run.source, lines)
    rows, folder = rows_of(messages, health), Folder(run.passes)
    parts = [folder.frame(_of_period("lost", period, number), _LOST) for period in periods]
    missing = pl.concat([pl.DataFrame(schema=_LOST), *parts]).filter(pl.col("line").is_in(lines))
    found = histories_of(rows, chats, health, known(run.source)[1], gaps_of(_gaps(run))).histories
    for (line,), sends in missing.partition_by("line", as_dict=True).items():
        found[str(line)].mark(sends["row"].to_numpy(), sends["lost"].to_numpy())
    return found


def _changes(run: Run, lines: list[str]) -> list[Change]:
    return changes_of(_transitions(run).filter(pl.col("line").is_in(lines)), known(run.source)[0])


def _troubles(run: Run, lines: list[str]) -> dict[str, Troubles]:
    return troubles_of(_spells(run).filter(pl.col("line").is_in(lines)))


def _worse(found: list[tuple[Change, Array]]) -> pl.DataFrame:
    return pl.DataFrame([(c.line, c.at, *x.tolist()) for c, x in found], schema=WORSE, orient="row")


def _frame_of(points: Points) -> pl.DataFrame:
    """Return quiet times as a frame; a line without any has no row."""
    parts = [
        pl.DataFrame({"line": [line] * len(days), "day": days} | dict(zip(_VECTOR, x.T, strict=True)), schema=_QUIET)
        for line, (days, x) in points.items()
    ]
    return pl.concat(parts) if parts else pl.DataFrame(schema=_QUIET)


def _points_of(frame: pl.DataFrame, lines: Iterable[str]) -> Points:
    of = frame.partition_by("line", as_dict=True, maintain_order=True)
    empty = frame.clear()
    found = {line: of.get((line,), empty) for line in lines}
    # in the order of memory of the local run: sums of floats depend on it
    return {line: (rows["day"].to_numpy(), np.ascontiguousarray(rows.select(_VECTOR))) for line, rows in found.items()}


def write_pool(run: Run, pool: list[str], points: Points) -> None:
    """Write the quiet times of the lines that the fleet's are taken from, in their order."""
    folder = Folder(run.passes)
    folder.write("pool.parquet", _frame_of({line: points[line] for line in pool}))
    folder.write_json("pool.json", pool)


def _scales(run: Run, number: int) -> Scales:
    """Return the scales of a shard's lines: its own quiet times, the pool's, and the weights of each day."""
    own = Folder(run.passes).frame(part("quiet", number), _QUIET)
    return Scales(KnownQuietTimes(_pool(run), _points_of(own, set(own["line"]))), [], _weights(run))


@lru_cache(maxsize=2)
def _pool(run: Run) -> Points:
    folder = Folder(run.passes)
    return _points_of(folder.frame("pool.parquet", _QUIET), folder.json("pool.json"))


@lru_cache(maxsize=2)
def _weights(run: Run) -> dict[int, Array]:
    frame = Folder(run.passes).frame("weights.parquet", WEIGHTS)
    return dict(zip(frame["day"], np.ascontiguousarray(frame.drop("day")), strict=True))


@lru_cache(maxsize=2)
def _fleet(run: Run) -> Fleet:
    held = Folder(run.passes).arrays("fleet.npz")
    sums = FleetSums(int(held["first"]), held["services"].tolist(), held["counts"], held["delays"])
    return Fleet(sums, known(run.source)[1])


def write_fleet(run: Run, sums: FleetSums, hours: Hours) -> None:
    """Write what pooled rates and the other lines' replies rest on."""
    folder, services = Folder(run.passes), np.array(sums.services, dtype=str)
    folder.write_arrays(
        "fleet.npz",
        {"first": np.array(sums.first), "services": services, "counts": sums.counts, "delays": sums.delays},
    )
    folder.write_arrays("hours.npz", {**vars(hours), "begin": np.array(hours.begin)})


@lru_cache(maxsize=2)
def _hours(run: Run) -> Hours:
    held: dict[str, Any] = Folder(run.passes).arrays("hours.npz")
    return Hours(**{**held, "begin": int(held["begin"])})


@lru_cache(maxsize=2)
def _scoring(run: Run) -> ScoringChanges:
    folder = Folder(run.passes)
    unexplained = folder.frame("unexplained.parquet", UNEXPLAINED).select("at", "line", "share").iter_rows()
    return ScoringChanges(unexplained, dict(folder.frame("starts.parquet", STARTS).iter_rows()))


@lru_cache(maxsize=2)
def _spells(run: Run) -> pl.DataFrame:
    return Folder(run.source).frame("spells.parquet", SPELLS)


@lru_cache(maxsize=2)
def _transitions(run: Run) -> pl.DataFrame:
    return Folder(run.source).frame("transitions.parquet", TRANSITIONS)


@lru_cache(maxsize=2)
def _gaps(run: Run) -> pl.DataFrame:
    return Folder(run.source).frame("gaps.parquet", GAPS)
