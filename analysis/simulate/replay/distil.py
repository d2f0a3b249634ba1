"""A list of real messages (who, to whom, when) in, quantile tables of how people talk out: no id, no single message survives.

Run once to make ``tables.json``: ``python -m analysis.simulate.replay.distil CollegeMsg.txt OUT.json`` (source and terms:
data/README.md). Every number kept is a share, a rate or a quantile over at least a thousand observations.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

TURN_GAP = 600
"""Seconds: messages of one person at most this far apart, with no word of the other between, are one turn."""
TALK_GAP = 6 * 3600
"""Seconds of silence that end a conversation's session."""
WEEK = 7 * 86400
_ZONE_HOURS = -7  # the people of the source lived on Pacific daylight time
_QUANTILES = [*range(1, 100, 2)]


def _quantiles(values: pl.Series, digits: int = 4) -> list[float]:
    found = np.quantile(values.drop_nulls().to_numpy(), np.array(_QUANTILES) / 100)
    return [round(float(v), digits) for v in found]


def _turns(rows: pl.DataFrame) -> pl.DataFrame:
    """Return one row a turn: pair, who speaks, first and last instant, messages."""
    told = rows.with_columns(pair=pl.min_horizontal("src", "dst") * 100_000 + pl.max_horizontal("src", "dst")).sort(
        "pair", "at", "src"
    )
    new = (
        (pl.col("pair") != pl.col("pair").shift(1))
        | (pl.col("src") != pl.col("src").shift(1))
        | (pl.col("at") - pl.col("at").shift(1) > TURN_GAP)
    ).fill_null(True)
    return (
        told.with_columns(turn=new.cum_sum())
        .group_by("turn", maintain_order=True)
        .agg(pl.first("pair", "src", "dst"), first=pl.min("at"), last=pl.max("at"), size=pl.len())
    )


def distil(rows: pl.DataFrame) -> dict[str, Any]:
    """Return quantile tables of turns, delays, sessions, people and rhythm.

    Args:
        rows: src, dst (whole numbers), at (unix seconds); repeated rows count once.
    """
    rows = rows.unique().sort("at", "src", "dst")
    turns = _turns(rows)
    gaps = rows.sort("src", "dst", "at").select(gap=pl.col("at").diff().over("src", "dst"), at="at")
    after = turns.with_columns(
        next_src=pl.col("src").shift(-1).over("pair"),
        next_first=pl.col("first").shift(-1).over("pair"),
        silence=pl.col("first") - pl.col("last").shift(1).over("pair"),
    )
    asks = after.with_columns(
        delay=pl.when(pl.col("next_src") != pl.col("src")).then(pl.col("next_first") - pl.col("last")),
        begins=pl.col("silence").is_null() | (pl.col("silence") > TALK_GAP),
    ).with_columns(answered=(pl.col("delay") <= WEEK).fill_null(False))
    sessions = (
        asks.with_columns(session=pl.col("begins").cum_sum())
        .group_by("session", maintain_order=True)
        .agg(pl.first("pair"), turns=pl.len(), first=pl.min("first"))
        .with_columns(rest=(pl.col("first") - pl.col("first").shift(1).over("pair")) / 86400)
    )
    people = asks.filter(pl.col("begins")).group_by("dst").agg(asks=pl.len(), answered=pl.sum("answered"))
    mean = float(people["answered"].sum()) / float(people["asks"].sum())
    shrunk = people.filter(pl.col("asks") >= 4).select(
        share=(pl.col("answered") + 2 * mean) / (pl.col("asks") + 2) / mean
    )["share"]
    partners = rows.group_by("src", "dst").agg(sent=pl.len()).with_columns(own=pl.col("sent").mean().over("src"))
    weights = partners.filter(pl.col("sent").sum().over("src") >= 50).select(w=pl.col("sent") / pl.col("own"))["w"]
    long = sessions["turns"].to_numpy()
    going = [round(float((long > k).sum() / max(1, (long >= k).sum())), 4) for k in range(1, 16)]
    return {
        "quantiles": _QUANTILES,
        "reply_delay_s": _quantiles(asks.filter(pl.col("answered"))["delay"], 0),
        "turn_gap_s": _quantiles(gaps.filter(pl.col("gap") <= TURN_GAP)["gap"], 0),
        "turn_size": _quantiles(turns["size"], 2),
        "turn_size_top": [round(float(turns["size"].quantile(q) or 0), 2) for q in (0.995, 0.999)],
        "going_on": going,
        "person_replies": _quantiles(shrunk),
        "chat_weight": _quantiles(weights),
        "rest_days": _quantiles(sessions["rest"]),
        "hour_of_week": _rhythm(rows),
        "day_factor": _days(rows)[0],
        "day_memory": _days(rows)[1],
    }


def _rhythm(rows: pl.DataFrame) -> list[float]:
    """Return how much an hour of the local week (Monday 00:00 first) is used, mean 1."""
    local = rows["at"].to_numpy() // 3600 + _ZONE_HOURS
    week = np.bincount((local + 72) % 168, minlength=168).astype(float)  # 1970-01-01 was a Thursday
    smooth = (np.roll(week, 1) + 2 * week + np.roll(week, -1)) / 4
    return [round(float(v), 3) for v in smooth / smooth.mean()]


def _days(rows: pl.DataFrame) -> tuple[list[float], float]:
    """Return quantiles of a day's sends against the sender's week around it, and how much of that stays until the next day."""
    daily = rows.group_by("src", day=(pl.col("at") + _ZONE_HOURS * 3600) // 86400).agg(n=pl.len())
    busy = daily.filter(pl.len().over("src") >= 25)["src"].unique().sort()
    ratios, pairs = [], []
    for person in busy:
        own = daily.filter(pl.col("src") == person)
        day = own["day"].to_numpy()
        series = np.zeros(day.max() - day.min() + 1)
        series[day - day.min()] = own["n"].to_numpy()
        around = np.convolve(series, np.ones(7) / 7, mode="same")
        ratio = (series + 0.3) / (around + 0.3)
        keep = around >= 2
        ratios.append(ratio[keep])
        logs = np.log(ratio)
        pairs.append(np.stack([logs[:-1], logs[1:]])[:, keep[:-1] & keep[1:]])
    together = np.concatenate(pairs, axis=1)
    return _quantiles(pl.Series(np.concatenate(ratios))), round(float(np.corrcoef(together)[0, 1]), 3)


def main(source: str, target: str) -> None:
    """Read blank-separated rows (src, dst, unix seconds) and write their tables as JSON."""
    rows = pl.read_csv(source, separator=" ", has_header=False, new_columns=["src", "dst", "at"])
    text = ",\n ".join(f'"{key}": {json.dumps(value)}' for key, value in distil(rows).items())
    Path(target).write_text(f"{{{text}}}\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:3])
