"""Messages and chat health in; sends after opt-out, and how many active chats are in trouble, out."""

from __future__ import annotations

import polars as pl

from analysis.schema import CHAT_HEALTHS
from analysis.signals.calendar import Calendar

_TROUBLED = {"chats_at_risk": "AT_RISK", "chats_critical": "CRITICAL", "chats_opted_out": "OPTED_OUT"}


def reports(chat_health: pl.DataFrame, talks: pl.DataFrame) -> pl.DataFrame:
    """Return what is known of each talk's health: ``talk``, ``line_no``, ``at``, ``health``; one row an instant, key (talk, at).

    Where two reports tell of one instant, the more severe counts. chat_health: CHAT_HEALTH, any order, ties allowed.
    """
    rank = pl.col("health").replace_strict({h: i for i, h in enumerate(CHAT_HEALTHS)}, return_dtype=pl.Int8)
    told = chat_health.join(talks.select("chat_id", "talk", "line_no"), on="chat_id").with_columns(_rank=rank)
    return (
        told.sort("talk", "at", "_rank")
        .unique(["talk", "at"], keep="last", maintain_order=True)
        .select("talk", "line_no", "at", "health")
        .sort("talk", "at")
    )


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


def activity(messages: pl.DataFrame, reports: pl.DataFrame, *, calendar: Calendar, days: int) -> pl.DataFrame:
    """Return how many chats of a line are active, and in which health, after each bucket in which that changes.

    A chat is active in a bucket if it has a message in the ``days`` days up to the bucket's end: that many calendar days, or 24 hours for
    each, the bucket being the last. Its health is the latest known before the bucket's end; active chats of unknown health count in
    ``chats_active`` only.

    messages: as `volume.in_order` gives, with ``bucket``. reports: as `reports` gives. Returns ``line_no``, ``bucket``, ``chats_active``,
    ``chats_at_risk``, ``chats_critical``, ``chats_opted_out``; key (line_no, bucket); holds until the next row. Source: METHOD.md.
    """
    length = calendar.length_of_days(days)
    same = pl.col("talk") == pl.col("talk").shift()
    apart = pl.col("bucket") - pl.col("bucket").shift()
    seen = messages.select("talk", "line_no", "bucket").filter(~(same & (apart == 0)).fill_null(False))
    joined = (same & (apart <= length)).fill_null(False)
    marked = seen.with_columns(_joined=joined, _goes_on=joined.shift(-1, fill_value=False))
    begins = marked.filter(~pl.col("_joined")).select("talk", "line_no", "bucket", active=pl.lit(1, dtype=pl.Int64))
    ends = marked.filter(~pl.col("_goes_on")).select(
        "talk", "line_no", pl.col("bucket") + length, active=pl.lit(0, dtype=pl.Int64)
    )
    told = reports.select("talk", "line_no", "health", bucket=calendar.bucket(reports["at"])).unique(
        ["talk", "bucket"], keep="last", maintain_order=True
    )
    steps = _filled(pl.concat([begins, ends, told], how="diagonal"))
    deltas = _changes(steps, {"chats_active": pl.lit(1)} | {n: pl.col("health") == w for n, w in _TROUBLED.items()})
    names = ["chats_active", *_TROUBLED]
    return (
        deltas.group_by("line_no", "bucket")
        .agg(pl.col(names).sum())
        .sort("line_no", "bucket")
        .with_columns(pl.col(names).cum_sum().over("line_no", order_by="bucket"))
    )


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
