"""The same by day with pandas, column by column: sorted once, shifts instead of group-wise functions, sliding counts by binary search."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl

HOUR, DAY = 3_600_000, 86_400_000
ACTIVE_DAYS = 7
_ROOM = 1 << 44
"""More ms than any time has: line and time in one number."""


def by_day(database: str | Path) -> pl.DataFrame:
    """Return the counting columns by line_no and day (a number) of a database of ``coded.write_coded``."""
    with duckdb.connect(str(database), read_only=True) as con:
        coded = con.sql("select talk, line_no, at_ms, outbound, failed from coded").df()
        created = con.sql("select talk, created_ms from coded_chat").df().set_index("talk")["created_ms"]
        health = con.sql("select talk, at_ms, health from coded_health").df()
    judged = _judged(coded, created)
    table = _counts(judged)
    keys = ["line_no", "day"]
    for part in (_stopped(judged, health), *_peaks(judged)):
        table = table.join(part)
    span = judged.groupby("line_no")["day"].agg(["min", "max"])
    length = (span["max"] - span["min"] + 1).to_numpy()
    line = np.repeat(span.index.to_numpy(), length)
    since = np.arange(length.sum()) - np.repeat(np.cumsum(length) - length, length)
    spine = pd.DataFrame({"line_no": line, "day": np.repeat(span["min"].to_numpy(), length) + since})
    spine["history_days"] = since
    table = spine.set_index(keys).join(table)
    for part in _active(judged, health, table.index):
        table = table.join(part)
    return pl.from_pandas(table.fillna(0).astype("int64").reset_index())


def _judged(m: Any, created: Any) -> Any:
    m["day"] = m["at_ms"] // DAY
    strict = m[["talk", "at_ms", "outbound"]].sort_values(["talk", "at_ms", "outbound"], kind="stable")
    # the next reply, chat by chat: filled from below, and thrown away where it is another chat's
    replies = strict["at_ms"].where(~strict["outbound"])
    owner = strict["talk"].where(~strict["outbound"]).bfill()
    next_in = replies.bfill().where(owner == strict["talk"]).reindex(m.index)
    first = m["talk"] != m["talk"].shift()
    out = m["outbound"]
    begins = out & (first | ~out.shift(fill_value=False) | (m["at_ms"] - m["at_ms"].shift() > 300_000))
    turn = begins.cumsum()
    silence = turn.where(~out)
    silence = silence.mask(first & out, turn - 1).ffill()
    m["mature"] = out & ~m["failed"] & (m["at_ms"] <= m["at_ms"].max() - DAY)
    m["replied"] = m["mature"] & (next_in <= m["at_ms"] + DAY)
    known = m["talk"].map(created) < m["at_ms"] - DAY
    m["opener"] = first & out & ~known
    m["late_turn"] = begins & (turn - silence >= 3)
    return m


def _counts(m: Any) -> Any:
    opener = m["opener"]
    flags = pd.DataFrame(
        {
            "line_no": m["line_no"],
            "day": m["day"],
            "outbound": m["outbound"],
            "inbound": ~m["outbound"],
            "failed": m["failed"],
            "mature": m["mature"],
            "replied": m["replied"],
            "new_conversations": opener,
            "new_mature": opener & m["mature"],
            "new_replied": opener & m["replied"],
            "unanswered_turns": m["late_turn"],
        }
    )
    table = flags.groupby(["line_no", "day"]).sum()
    to = m.loc[m["outbound"], ["line_no", "day", "talk"]].drop_duplicates(["talk", "day"])
    return table.join(to.groupby(["line_no", "day"]).size().rename("recipients"))


def _stopped(m: Any, health: Any) -> Any:
    left = health.loc[health["health"] == "OPTED_OUT", "talk"].unique()
    sends = m.loc[m["outbound"] & m["talk"].isin(left), ["talk", "line_no", "day", "at_ms"]].sort_values("at_ms")
    found = pd.merge_asof(sends, health.sort_values("at_ms"), on="at_ms", by="talk")
    found = found[found["health"] == "OPTED_OUT"]
    return found.groupby(["line_no", "day"]).size().rename("sends_after_opt_out")


def _peaks(m: Any) -> list[Any]:
    sends = m.loc[m["outbound"], ["talk", "line_no", "at_ms", "day", "opener"]]
    gap = sends["at_ms"].diff().mask(sends["talk"] != sends["talk"].shift(), _ROOM)
    before, after = gap, gap.shift(-1, fill_value=_ROOM)
    found = [_present(sends, before, after, window, name) for window, name in ((HOUR, "1h"), (DAY, "24h"))]
    for rows, windows in (
        (sends, ((60_000, "peak_sends_60s"),)),
        (sends[sends["opener"]], ((HOUR, "peak_new_1h"), (DAY, "peak_new_24h"))),
    ):
        key = np.sort(rows["line_no"].to_numpy(np.int64) * _ROOM + rows["at_ms"].to_numpy())
        line, at = key // _ROOM, key % _ROOM
        here = np.searchsorted(key, key, side="right")
        counts = pd.DataFrame({"line_no": line, "day": at // DAY})
        for window, name in windows:
            counts[name] = here - np.searchsorted(key, key - window, side="right")
        found.append(counts.groupby(["line_no", "day"]).max())
    return found


def _present(sends: Any, before: Any, after: Any, window: int, name: str) -> Any:
    """Return by line and day the largest number of recipients present: begun less ended, summed over both in order of time."""
    starts = sends[["line_no", "at_ms"]].assign(change=(before >= window).astype("int64"), send=True)
    ends = sends.loc[after >= window, ["line_no", "at_ms"]].assign(change=-1, send=False)
    ends["at_ms"] += window
    events = pd.concat([starts, ends]).sort_values(["line_no", "at_ms", "send"])
    events["present"] = events["change"].cumsum()
    other = (events["at_ms"] != events["at_ms"].shift(-1)) | (events["line_no"] != events["line_no"].shift(-1))
    seen = events[other & events["send"]]
    return (
        seen.groupby([seen["line_no"], (seen["at_ms"] // DAY).rename("day")])["present"]
        .max()
        .rename(f"peak_recipients_{name}")
    )


def _active(m: Any, health: Any, spine: Any) -> list[Any]:
    days = m[["talk", "line_no", "day"]].drop_duplicates(["talk", "day"])
    following = days["day"].shift(-1).where(days["talk"] == days["talk"].shift(-1))
    until = np.minimum(following.fillna(_ROOM), days["day"] + ACTIVE_DAYS).astype("int64")
    changes = pd.concat(
        [
            days[["line_no", "day"]].assign(change=1),
            pd.DataFrame({"line_no": days["line_no"], "day": until, "change": -1}),
        ]
    )
    net = changes.groupby(["line_no", "day"])["change"].sum().reindex(spine, fill_value=0)
    active = net.groupby("line_no").cumsum().rename("chats_active")
    bad = health.loc[health["health"].isin(["AT_RISK", "CRITICAL", "OPTED_OUT"]), "talk"].unique()
    kept = days["talk"].isin(bad)
    days, until = days[kept], until[kept]
    length = (until - days["day"]).to_numpy()
    spread = days.loc[days.index.repeat(length)].reset_index(drop=True)
    spread["day"] += np.arange(length.sum()) - np.repeat(np.cumsum(length) - length, length)
    spread["at_ms"] = (spread["day"] + 1) * DAY - 1
    found = pd.merge_asof(spread.sort_values("at_ms"), health.sort_values("at_ms"), on="at_ms", by="talk")
    return [
        active,
        *(
            found[found["health"] == state].groupby(["line_no", "day"]).size().rename(f"chats_{state.lower()}")
            for state in ("AT_RISK", "CRITICAL", "OPTED_OUT")
        ),
    ]
