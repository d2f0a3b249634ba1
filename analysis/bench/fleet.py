"""A size and a seed in, a made-up fleet as Parquet files out: messages-*.parquet, chats.parquet, transitions.parquet.

Line after line, a file whenever enough rows are there: memory is that of one file and one line, whatever the size of the whole
(20 million rows: 33 s of processor and 1.3 GB).
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analysis.bench.clock import ZONES, Clock, Times
from analysis.bench.lives import DAYS_BEFORE, Life, live
from analysis.bench.planted import Change, changes, episodes
from analysis.errors import UsageError
from analysis.schema import INSTANT
from analysis.simulate import DEFAULT_END
from analysis.simulate.rhythm import DAY, HOUR, milliseconds

Progress = Callable[[str, float, float], None]
FILE_ROWS = 2_000_000
FIRST_AREA, AREAS, LINES_AN_AREA = 201, 796, 96
MOST_LINES = AREAS * LINES_AN_AREA
PEOPLE_AN_AREA = 9000
"""Of an area's 555 numbers, those below 1000 are lines', the rest people's."""
STRIDE = 7_000_003
"""Prime, and no factor of all numbers: stepping by it gives every person of a line another number."""
SPREAD = 0.5
"""Of the lines' sizes, on the log scale: the largest of 200 lines has about 13 times the messages of the smallest."""
_PART = ".chats-part-"
"""Chats wait in files of their own until all are known: at 100 million messages they would fill a gigabyte."""
_HEX = np.frombuffer(b"".join(b"%02x" % n for n in range(256)), dtype=np.uint8).reshape(256, 2)
_CHANGES = pl.Schema(
    {"line": pl.String, "changed_at": INSTANT, "previous_health": pl.String, "new_health": pl.String, "previous_status": pl.String, "new_status": pl.String}
)  # fmt: skip


@dataclass
class Written:
    """What was written, in counts."""

    messages: int = 0
    chats: int = 0
    transitions: int = 0
    files: int = 0
    outbound: int = 0
    failed: int = 0
    episodes: dict[str, int] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return the counts as `linehealth bench data --json` prints them."""
        return dict(vars(self))


def write_fleet(
    directory: Path | str,
    *,
    messages: int,
    lines: int = 200,
    days: int = 180,
    seed: int = 1,
    end: datetime = DEFAULT_END,
    file_rows: int = FILE_ROWS,
    progress: Progress | None = None,
) -> Written:
    """Write a made-up fleet of exactly so many messages; equal arguments give equal rows.

    Args:
        directory: made where it is missing; messages files of an earlier fleet in it are replaced.
        messages: rows of all messages files together, at least one a line.
        lines: lines of the fleet, of unlike sizes.
        days: days up to ``end``.
        seed: which fleet of this size.
        end: the midnight (UTC) after the last message.
        file_rows: a messages file has about so many rows; lines are not split over files, rows of a file are in order of time.
        progress: called with (what, done, total) after every line.

    Raises:
        UsageError: a number is too small or too large, or the directory is a file.
    """
    if not 1 <= lines <= MOST_LINES or messages < lines or days < 3:
        raise UsageError(
            f"a fleet has 1 to {MOST_LINES:,} lines, 3 days or more, and at least a message a line",
            where="bench data",
            fix="ask for other sizes",
        )
    folder = Path(directory)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        raise UsageError("this is a file, not a directory", where=str(folder), fix="name another directory") from None
    for old in (*folder.glob("messages-*.parquet"), *folder.glob(f"{_PART}*")):
        old.unlink()
    return _Fleet(folder, messages, lines, days, seed, milliseconds(end), file_rows).write(progress)


class _Fleet:
    """One fleet on its way into one directory."""

    def __init__(self, folder: Path, messages: int, lines: int, days: int, seed: int, end: int, file_rows: int) -> None:
        self.folder, self.seed, self.file_rows = folder, seed, file_rows
        self.start, self.end = end - days * DAY, end
        self.numbers = [_line_number(place) for place in range(lines)]
        self.sizes = _sizes(np.random.default_rng([seed, 0]), messages, lines)
        first = self.start // DAY - DAYS_BEFORE
        self.clocks = [Clock(zone, first, days + DAYS_BEFORE + 2) for zone in ZONES]
        self.waiting: list[pl.DataFrame] = []
        self.chats: list[pl.DataFrame] = []
        self.written = Written()

    def write(self, progress: Progress | None) -> Written:
        told = []
        for place, number in enumerate(self.numbers):
            rng = np.random.default_rng([self.seed, 1, place])
            planted = episodes(rng, self.start, self.end)
            fell = changes(rng, planted, self.end)
            for e in planted:
                self.written.episodes[e.kind] = self.written.episodes.get(e.kind, 0) + 1
            life = live(
                rng,
                self.clocks[place % len(ZONES)],
                start=self.start,
                end=self.end,
                messages=int(self.sizes[place]),
                planted=planted,
            )
            ids, people = _uuids(rng, len(life.first)), _people(rng, len(life.first))
            people = people.zip_with(~pl.Series(life.group), pl.Series([None], dtype=pl.String))
            self.waiting.append(_messages(rng, life, number, ids, people))
            self.chats.append(_chats(rng, life, number, ids, people, self.end))
            told.append(_changes(fell, number))
            if sum(f.height for f in self.waiting) >= self.file_rows:
                self._file()
            if progress:
                progress("making messages", place + 1, len(self.numbers))
        self._file()
        parts = sorted(self.folder.glob(f"{_PART}*"))
        pl.scan_parquet(parts).sink_parquet(self.folder / "chats.parquet", maintain_order=True)
        for part in parts:
            part.unlink()
        self.written.transitions = sum(f.height for f in told)
        pl.concat(told).sort("changed_at", "line").write_parquet(self.folder / "transitions.parquet")
        return self.written

    def _file(self) -> None:
        if not self.waiting:
            return
        frame = pl.concat(self.waiting).sort("sent_at", "message_id")
        self.waiting.clear()
        chats = pl.concat(self.chats)
        self.chats.clear()
        chats.write_parquet(self.folder / f"{_PART}{self.written.files:04d}")
        self.written.chats += chats.height
        frame.write_parquet(self.folder / f"messages-{self.written.files:04d}.parquet")
        self.written.files += 1
        self.written.messages += frame.height
        self.written.outbound += int((frame["direction"] == "outbound").sum())
        self.written.failed += frame["failed_at"].count()


def _sizes(rng: np.random.Generator, messages: int, lines: int) -> NDArray[np.int64]:
    """Return how many messages each line has, at least one, in all exactly so many."""
    share = rng.lognormal(0.0, SPREAD, lines)
    exact = share / share.sum() * (messages - lines)
    sizes = np.floor(exact).astype(np.int64)
    sizes[np.argsort(sizes - exact)[: messages - lines - sizes.sum()]] += 1
    return sizes + 1


def _line_number(place: int) -> str:
    return f"+1{FIRST_AREA + place // LINES_AN_AREA}555{101 + place % LINES_AN_AREA:04d}"


def _people(rng: np.random.Generator, count: int) -> pl.Series:
    """Return so many different made-up numbers, none of them a line's."""
    every = AREAS * PEOPLE_AN_AREA
    number = (int(rng.integers(every)) + np.arange(count) * STRIDE) % every
    area, own = FIRST_AREA + number // PEOPLE_AN_AREA, 1000 + number % PEOPLE_AN_AREA
    return pl.select(pl.format("+{}", pl.Series(10_000_000_000 + area * 10_000_000 + 5_550_000 + own))).to_series()


def _uuids(rng: np.random.Generator, count: int) -> pl.Series:
    """Return so many ids in the shape of a UUID (version 4): drawn as bytes, spelled by a table, and read as lines of text."""
    raw = rng.integers(0, 256, (count, 16), dtype=np.uint8)
    raw[:, 6] = raw[:, 6] & 0x0F | 0x40
    raw[:, 8] = raw[:, 8] & 0x3F | 0x80
    spelled = _HEX[raw].reshape(count, 32)
    text = np.full((count, 37), ord("-"), dtype=np.uint8)
    for place, (since, until) in zip((0, 9, 14, 19, 24), ((0, 8), (8, 12), (12, 16), (16, 20), (20, 32)), strict=True):
        text[:, place : place + until - since] = spelled[:, since:until]
    text[:, 36] = ord("\n")
    return pl.read_csv(io.BytesIO(text.tobytes()), has_header=False, schema={"id": pl.String}).to_series()


def _instants(at: Times) -> pl.Series:
    return pl.select(pl.when(pl.Series(at) > 0).then(pl.Series(at)).cast(INSTANT)).to_series()


def _messages(rng: np.random.Generator, life: Life, number: str, ids: pl.Series, people: pl.Series) -> pl.DataFrame:
    """Return a line's messages as the contract's table (section 4)."""
    chat = pl.Series(life.chat)
    codes = pl.Series(life.code)
    frame = pl.DataFrame(
        {
            "message_id": _uuids(rng, len(chat)),
            "chat_id": ids.gather(chat),
            "recipient": people.gather(chat),
            "sent_at": _instants(life.at),
            "delivered_at": _instants(life.delivered),
            "read_at": _instants(life.read),
            "failed_at": _instants(life.failed),
            "_out": pl.Series(life.outbound),
            "_code": codes,
            "_sms": pl.Series(life.sms).gather(chat),
            "is_group": pl.Series(life.group).gather(chat),
        }
    )
    return frame.select(
        "message_id",
        pl.lit(number).alias("line"),
        "chat_id",
        "recipient",
        pl.when("_out").then(pl.lit("outbound")).otherwise(pl.lit("inbound")).alias("direction"),
        "sent_at",
        "delivered_at",
        "read_at",
        "failed_at",
        pl.when(pl.col("_code") > 0).then(pl.col("_code").cast(pl.String)).alias("failure_code"),
        pl.when("_sms").then(pl.lit("SMS")).otherwise(pl.lit("iMessage")).alias("service"),
        "is_group",
    )


def _chats(
    rng: np.random.Generator, life: Life, number: str, ids: pl.Series, people: pl.Series, end: int
) -> pl.DataFrame:
    """Return the chats of a line that have a message: since when each is known, and its latest health."""
    told = (
        pl.DataFrame({"chat": life.chat, "at": life.at, "out": life.outbound})
        .group_by("chat")
        .agg(
            first=pl.col("at").min(),
            last=pl.col("at").max(),
            heard=pl.col("at").filter(~pl.col("out")).max(),
        )
        .sort("chat")
    )
    alone = (
        pl.DataFrame({"chat": life.chat, "at": life.at, "out": life.outbound})
        .join(told.select("chat", "heard"), on="chat")
        .filter(pl.col("out") & (pl.col("at") > pl.col("heard").fill_null(0)))
        .group_by("chat")
        .agg(unanswered=pl.len())
    )
    told = told.join(alone, on="chat", how="left", maintain_order="left").with_columns(
        pl.col("unanswered").fill_null(0)
    )
    drawn = pl.Series(rng.random(told.height))
    stopped = pl.col("heard").is_not_null() & (
        drawn < pl.when(pl.col("heard") == pl.col("last")).then(0.025).otherwise(0.001)
    )
    health = (
        pl.when(stopped)
        .then(pl.lit("OPTED_OUT"))
        .when((pl.col("unanswered") >= 5) & (drawn < 0.8))
        .then(pl.lit("CRITICAL"))
        .when((pl.col("unanswered") >= 3) & (drawn < 0.7))
        .then(pl.lit("AT_RISK"))
        .otherwise(pl.lit("HEALTHY"))
    )
    known = pl.Series(np.minimum(life.first[told["chat"].to_numpy()], told["first"].to_numpy()))
    since = pl.when(pl.col("health") == "OPTED_OUT").then("heard").when(pl.col("health") == "HEALTHY").then(known)
    return told.with_columns(health=health).select(
        ids.gather(told["chat"]).alias("chat_id"),
        pl.lit(number).alias("line"),
        people.gather(told["chat"]).alias("recipient"),
        pl.Series(life.group).gather(told["chat"]).alias("is_group"),
        known.cast(INSTANT).alias("created_at"),
        "health",
        since.otherwise(pl.min_horizontal(pl.col("last") + 8 * HOUR, end - 1)).cast(INSTANT).alias("health_updated_at"),
    )


def _changes(fell: list[Change], number: str) -> pl.DataFrame:
    rows = [(number, c.at, c.previous_health, c.new_health, c.previous_status, c.new_status) for c in fell]
    told = pl.DataFrame(rows, schema=[*_CHANGES], orient="row", schema_overrides={"changed_at": pl.Int64})
    return told.cast(_CHANGES)
