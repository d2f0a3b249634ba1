"""Messages and chat health in; sends after opt-out, and how many active chats are in trouble, out."""

from __future__ import annotations

import numpy as np
import polars as pl

from analysis.schema import CHAT_HEALTHS
from analysis.signals.calendar import Calendar
from analysis.signals.grid import Grid, Ints

_TROUBLED = {"chats_at_risk": "AT_RISK", "chats_critical": "CRITICAL", "chats_opted_out": "OPTED_OUT"}


def reports(chat_health: pl.DataFrame, talks: pl.DataFrame) -> pl.DataFrame:
    """Return what is known of each talk's health: ``talk``, ``line_no``, ``at``, ``health``; one row an instant, key (talk, at).

    Where two reports tell of one instant, the more severe counts. chat_health: CHAT_HEALTH, any order, ties allowed.
    """
    rank = pl.col("health").replace_strict({h: i for i, h in enumerate(CHAT_HEALTHS)}, return_dtype=pl.Int8)
    told = chat_health.join(talks.select("chat_id", "talk", "line_no"), on="chat_id").with_columns(_rank=rank)
    most_severe = pl.any_horizontal((pl.col(name) != pl.col(name).shift(-1)).fill_null(True) for name in ("talk", "at"))
    return told.sort("talk", "at", "_rank").filter(most_severe).select("talk", "line_no", "at", "health")


def after_opt_out(messages: pl.DataFrame, reports: pl.DataFrame) -> pl.DataFrame:
    """Return messages, in their order, with ``after_opt_out``: a send in a chat whose latest health known by then is OPTED_OUT.

    A report at the very instant of a send is known; failed sends count. messages: as `volume.in_order` gives. reports: as `reports` gives.
    Source: METHOD.md, ``sends_after_opt_out``.
    """
    opted = reports.filter(pl.col("health") == "OPTED_OUT")["talk"].unique()
    numbered = messages.with_row_index("_row")
    sends = numbered.filter(pl.col("outbound") & pl.col("talk").is_in(opted.implode()))
    known = reports.filter(pl.col("talk").is_in(opted.implode())).select("talk", "at", "health").sort("at")
    found = sends.sort("at").join_asof(known, on="at", by="talk", strategy="backward", check_sortedness=False)
    rows = found.filter(pl.col("health") == "OPTED_OUT")["_row"]
    return numbered.with_columns(after_opt_out=pl.col("_row").is_in(rows.implode())).drop("_row")


def activity(
    talk: Ints, line_no: Ints, bucket: Ints, reports: pl.DataFrame, grid: Grid, calendar: Calendar, *, days: int
) -> dict[str, Ints]:
    """Return how many chats of a line are active, and in which health, at the end of every bucket of a grid.

    A chat is active in a bucket if it has a message in the ``days`` days up to the bucket's end: that many calendar days, or 24 hours for
    each, the bucket being the last. Its health is the latest known before the bucket's end; active chats of unknown health count in
    ``chats_active`` only.

    Args:
        talk: one value a message, as the next two, in order of talk and time.
        line_no: its line.
        bucket: its bucket.
        reports: as `reports` gives.
        grid: of the messages.
        calendar: that numbered the buckets.
        days: a setting.

    Returns:
        ``chats_active``, ``chats_at_risk``, ``chats_critical``, ``chats_opted_out``. Source: METHOD.md.
    """
    length = calendar.length_of_days(days)
    first = np.ones(min(len(talk), 1), dtype=bool)
    seen = np.flatnonzero(np.concatenate((first, (talk[1:] != talk[:-1]) | (bucket[1:] != bucket[:-1]))))
    talk, line_no, bucket = talk[seen], line_no[seen], bucket[seen]
    apart = (talk[1:] != talk[:-1]) | (bucket[1:] - bucket[:-1] > length)
    begins = np.flatnonzero(np.concatenate((first, apart)))
    ends = np.flatnonzero(np.concatenate((apart, first)))
    lines = np.concatenate((line_no[begins], line_no[ends]))
    when = np.concatenate((bucket[begins], bucket[ends] + length))
    by = np.repeat(np.array([1, -1]), [len(begins), len(ends)])
    troubled = reports.filter(pl.col("health").is_in(list(_TROUBLED.values())))["talk"].unique()
    here = np.isin(talk, troubled.to_numpy())
    present = pl.concat(
        pl.DataFrame({"talk": talk[edge], "line_no": line_no[edge], "bucket": bucket[edge] + late}).with_columns(
            active=pl.lit(on, dtype=pl.Int64)
        )
        for edge, late, on in ((begins[here[begins]], 0, 1), (ends[here[ends]], length, 0))
    )
    return {"chats_active": grid.running(lines, when, by)} | _in_trouble(
        present, reports.filter(pl.col("talk").is_in(troubled.implode())), grid, calendar
    )


def _in_trouble(present: pl.DataFrame, reports: pl.DataFrame, grid: Grid, calendar: Calendar) -> dict[str, Ints]:
    """Return how many active chats are in each troubled health at the end of every bucket of a grid.

    present: when chats that were ever in trouble become active and cease to be: ``talk``, ``line_no``, ``bucket``, ``active``.
    reports: of the same chats.
    """
    told = reports.select(
        "talk", "line_no", "health", bucket=calendar.bucket_of(reports["at"].to_physical().to_numpy())
    ).unique(["talk", "bucket"], keep="last", maintain_order=True)
    steps = _filled(pl.concat([present, told], how="diagonal"))
    changes = _changes(steps, {name: pl.col("health") == word for name, word in _TROUBLED.items()})
    lines, buckets = changes["line_no"].to_numpy(), changes["bucket"].to_numpy()
    return {name: grid.running(lines, buckets, changes[name].to_numpy()) for name in _TROUBLED}


def _filled(events: pl.DataFrame) -> pl.DataFrame:
    """Return one row a talk and bucket in which something happens, with the activity and health that hold after it."""
    steps = (
        events.group_by("talk", "line_no", "bucket")
        .agg(pl.col("active").max(), pl.col("health").drop_nulls().first())
        .sort("talk", "bucket")
    )
    first = (pl.col("talk") != pl.col("talk").shift()).fill_null(True)
    unknown = {"active": pl.lit(0, dtype=pl.Int64), "health": pl.lit("")}
    return steps.with_columns(
        pl.when(first & pl.col(name).is_null()).then(value).otherwise(name).forward_fill().alias(name)
        for name, value in unknown.items()
    )


def _changes(steps: pl.DataFrame, counted: dict[str, pl.Expr]) -> pl.DataFrame:
    """Return by how much each step changes what is counted of active talks."""
    valued = steps.select(
        "talk", "line_no", "bucket", *((pl.col("active") * e.cast(pl.Int64)).alias(n) for n, e in counted.items())
    )
    first = (pl.col("talk") != pl.col("talk").shift()).fill_null(True)
    return valued.with_columns(pl.col(n) - pl.when(first).then(0).otherwise(pl.col(n).shift()) for n in counted)
