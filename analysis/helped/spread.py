"""Openings and falls of every line in; where a pattern moved on to another line, with how often that looks so by chance, out."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import polars as pl

from analysis.helped.grid import WEEK, Array
from analysis.schema import INSTANT

FELL = 2 / 3
"""New conversations on the first line fall to at most this part."""
JUMP = 1.5
"""On the second they rise to at least so many times the week before."""
LEAST = 10
"""New conversations in a week that the first line had, and that the second gained."""
SHARED = 3
"""Fewer recipients in common are none."""
ALIKE = 1.5
"""Two busiest days are alike where neither has more than so many times the other's openers."""
CHANCE = 0.05
"""What two lines of this fleet show more often than this by themselves is no pattern that moved."""
WATCH_DAYS = 14
"""Days after it in which a fall of the second line is told."""
OPENED = pl.Schema({"line": pl.String, "at": INSTANT, "recipient": pl.String, "ours": pl.Boolean})
"""Chats by their first message: line, when, whom (null: unknown), and whether the line opened it, key none."""
EVENTS = pl.Schema({"line": pl.String, "at": INSTANT, "what": pl.String})
"""What may have made people move a pattern: what is "fell" or "slowed down"."""
SPREAD = pl.Schema(
    {
        "from_line": pl.String,
        "to_line": pl.String,
        "at": INSTANT,  # of the event on the first line
        "what": pl.String,  # of EVENTS
        "by": pl.String,  # "recipients" | "shape"
        "shared": pl.Int64,  # of the second line's new recipients of that week, those the first line had a chat with
        "of": pl.Int64,  # its new recipients that are known
        "from_before": pl.Int64,  # new conversations in the week before
        "from_after": pl.Int64,
        "to_before": pl.Int64,
        "to_after": pl.Int64,
        "by_chance": pl.Float64,  # share of pairs of lines and weeks of this fleet that show as much
        "pairs": pl.Int64,  # how many such pairs and weeks
        "to_worse_at": INSTANT,  # the second line's first fall within WATCH_DAYS; null: none
        "to_worse": pl.String,
        "watched_days": pl.Float64,  # how much of WATCH_DAYS the data has
    }
)
"""Patterns that moved on, key (from_line, to_line, at), in order of at."""


def spread_of(
    opened: pl.DataFrame, events: pl.DataFrame, transitions: pl.DataFrame, *, as_of: datetime
) -> pl.DataFrame:
    """Return where, after a line fell or slowed down, another line took its pattern over: SPREAD.

    Args:
        opened: OPENED.
        events: EVENTS.
        transitions: TRANSITIONS.
        as_of: the newest data.
    """
    if opened.is_empty():
        return pl.DataFrame(schema=SPREAD)
    fleet = _Fleet(opened, as_of)
    rows: list[dict[str, object]] = []
    for line, at, what in events.sort("at", "line").select(EVENTS.names()).iter_rows():
        if line not in fleet.place or at - fleet.begin < timedelta(days=WEEK):
            continue
        for to, row in fleet.takers(line, at):
            near = timedelta(days=WEEK)
            if any(r["from_line"] == line and r["to_line"] == to and at - r["at"] < near for r in rows):
                continue
            rows.append(
                {"from_line": line, "to_line": to, "at": at, "what": what} | row | _since(to, at, transitions, as_of)
            )
    return pl.DataFrame(rows, schema=SPREAD).sort("at", "from_line", "to_line")


def _since(to: str, at: datetime, transitions: pl.DataFrame, as_of: datetime) -> dict[str, object]:
    until = at + timedelta(days=WATCH_DAYS)
    worse = transitions.filter(
        pl.col("line") == to, pl.col("kind") == "health", "worsening", pl.col("at") > at, pl.col("at") <= until
    ).sort("at")
    watched = (min(as_of, until) - at) / timedelta(days=1)
    first = worse.row(0, named=True) if worse.height else {"at": None, "new": None}
    return {"to_worse_at": first["at"], "to_worse": first["new"], "watched_days": watched}


class _Fleet:
    """Openings as counts by line and hour, and who had a chat with whom before."""

    def __init__(self, opened: pl.DataFrame, as_of: datetime) -> None:
        self.names = opened["line"].unique().sort().to_list()
        self.place = {name: i for i, name in enumerate(self.names)}
        self.begin: datetime = opened["at"].min()  # type: ignore[assignment]
        self.end = as_of
        self.opened = opened.sort("at")
        ours = opened.filter("ours")
        hours = int((as_of - self.begin) / timedelta(hours=1)) + 2
        counts = np.zeros((len(self.names), hours))
        line = ours["line"].replace_strict(self.place, return_dtype=pl.Int64).to_numpy()
        np.add.at(counts, (line, ((ours["at"] - self.begin).dt.total_seconds() // 3600).to_numpy()), 1)
        self.sums = np.concatenate([np.zeros((len(self.names), 1)), np.cumsum(counts, axis=1)], axis=1)
        self.weeks = [
            self.begin + timedelta(days=d) for d in range(WEEK, int((as_of - self.begin).days) - WEEK + 1, WEEK)
        ]
        self.met = self._met()
        self.looks = [self._looks(at) for at in self.weeks]

    def _met(self) -> pl.DataFrame:
        """Return openings to people whom another line had a chat with before: to, at, other, key (to, at, other, recipient)."""
        known = self.opened.filter(pl.col("recipient").is_not_null())
        first = known.group_by("line", "recipient").agg(pl.col("at").min())
        ours = known.filter("ours")
        met = ours.join(first.rename({"line": "other", "at": "since"}), on="recipient")
        return met.filter(pl.col("other") != pl.col("line")).select("line", "at", "recipient", "other", "since")

    def _count(self, a: datetime, b: datetime) -> Array:
        low, high = (int(np.clip((t - self.begin) / timedelta(hours=1), 0, self.sums.shape[1] - 1)) for t in (a, b))
        return self.sums[:, high] - self.sums[:, low]

    def _busiest(self, a: datetime, b: datetime) -> Array:
        low, high = (int(np.clip((t - self.begin) / timedelta(hours=1), 0, self.sums.shape[1] - 1)) for t in (a, b))
        if high - low < 24:
            return self.sums[:, high] - self.sums[:, low]
        return (self.sums[:, low + 24 : high + 1] - self.sums[:, low : high + 1 - 24]).max(axis=1)

    def _moved(self, at: datetime) -> tuple[Array, Array, Array]:
        """Return whether new conversations jumped (second lines) and fell (first lines), and the counts before and after."""
        week = timedelta(days=WEEK)
        before, after = self._count(at - week, at), self._count(at, at + week)
        jumped = (after >= JUMP * before) & (after - before >= LEAST)
        fell = (before >= LEAST) & (after <= FELL * before)
        return jumped, fell, np.stack([before, after])

    def _looks(self, at: datetime) -> Array:
        """Return for every pair (first, second) whether the second looks as if it had taken over the first's busiest day."""
        week = timedelta(days=WEEK)
        jumped, fell, _ = self._moved(at)
        a, b = self._busiest(at - week, at), self._busiest(at, at + week)
        alike = (a[:, None] <= ALIKE * b[None, :]) & (b[None, :] <= ALIKE * a[:, None]) & (a[:, None] >= LEAST)
        pairs = fell[:, None] & jumped[None, :] & alike
        np.fill_diagonal(pairs, val=False)
        return pairs

    def _shared(self, at: datetime, line: str | None = None) -> pl.DataFrame:
        """Return of each pair how many of the second's openings in the week from ``at`` on went to people the first knew before."""
        week = timedelta(days=WEEK)
        met = self.met.filter(pl.col("at") >= at, pl.col("at") < at + week, pl.col("since") < at)
        if line is not None:
            met = met.filter(pl.col("other") == line)
        return met.group_by("other", "line").agg(shared=pl.col("recipient").n_unique())

    def takers(self, line: str, at: datetime) -> list[tuple[str, dict[str, object]]]:
        """Return the lines that took over after something happened to a line, with their figures."""
        i, week = self.place[line], timedelta(days=WEEK)
        jumped, fell, counts = self._moved(at)
        if not fell[i]:
            return []
        looks = self._looks(at)[i]
        shared = dict(self._shared(at, line).select("line", "shared").iter_rows())
        pairs = len(self.weeks) * len(self.names) * (len(self.names) - 1)
        found = []
        for j in np.flatnonzero(jumped):
            to = self.names[j]
            if j == i:
                continue
            new = self.opened.filter(
                "ours",
                pl.col("line") == to,
                pl.col("at") >= at,
                pl.col("at") < at + week,
                pl.col("recipient").is_not_null(),
            )["recipient"].n_unique()
            n = int(shared.get(to, 0))
            by = "recipients" if n >= SHARED else "shape" if looks[j] and not new else ""
            if not by:
                continue
            chance = self._by_chance(n, line, to) if by == "recipients" else self._look_by_chance()
            if chance <= CHANCE:
                found.append((to, {
                    "by": by, "shared": n, "of": new, "from_before": int(counts[0, i]), "from_after": int(counts[1, i]),
                    "to_before": int(counts[0, j]), "to_after": int(counts[1, j]), "by_chance": chance, "pairs": pairs,
                }))  # fmt: skip
        return found

    def _by_chance(self, n: int, line: str, to: str) -> float:
        """Return in which part of the fleet's other pairs and weeks as many recipients are shared."""
        as_many = 0
        for at in self.weeks:
            found = self._shared(at).filter(~((pl.col("other") == line) & (pl.col("line") == to)))
            as_many += found.filter(pl.col("shared") >= n).height
        return as_many / max(1, len(self.weeks) * (len(self.names) * (len(self.names) - 1) - 1))

    def _look_by_chance(self) -> float:
        pairs = max(1, len(self.weeks) * len(self.names) * (len(self.names) - 1))
        return float(sum(look.sum() for look in self.looks) / pairs)
