"""Judged messages and chats in, one row a chat out: who opened it, when each side last wrote, and how many turns stand unanswered."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import polars as pl

from analysis.schema import CHAT_STATE, INSTANT
from analysis.settings import Settings
from analysis.signals.grid import Bools, Ints
from analysis.signals.judged import Judged


def moved(firsts: pl.DataFrame) -> pl.DataFrame:
    """Return the chats of people who had a chat on another line before, and none on this one: line, chat_id.

    firsts: line, chat_id, recipient, first_at of the chats of all lines.
    """
    began = pl.col("first_at").min().over("recipient")
    here = pl.col("first_at").min().over("recipient", "line")
    known = pl.col("recipient").is_not_null() & (here == pl.col("first_at")) & (began < pl.col("first_at"))
    return firsts.filter(known).select("line", "chat_id")


def chat_state(
    of: Judged, chats: pl.DataFrame, *, settings: Settings, moved_here: pl.DataFrame | None = None
) -> pl.DataFrame:
    """Return what stands at the end of the data for each chat with a message: CHAT_STATE, key (line, chat_id).

    ``opened_by`` is "before" where the chat may be older than the data: known to be created more than the grace before its first message,
    or first seen in the line's young days without a known creation. Else the direction of its first message tells "line" or "person";
    "moved" is a chat the line opened to a person who had a chat on another line before, and none on this one.

    of: as `judged.judge` gives. chats: CHATS, key chat_id. moved_here: of ``moved`` over all lines; where None, ``of`` holds them all.
    Source: METHOD.md, Chats.
    """
    if of.messages.is_empty():
        return pl.DataFrame(schema=CHAT_STATE)
    last = of.reports.unique("talk", keep="last", maintain_order=True)  # they stand in order of talk and time
    named = (
        of.talks.hstack(_ends(of.messages))
        .join(last.select("talk", "health", health_at="at"), on="talk", how="left", maintain_order="left")
        .join(of.created, on="talk", how="left", maintain_order="left")
    )
    if moved_here is None:
        moved_here = moved(named.join(chats.select("chat_id", "recipient"), on="chat_id", how="left"))
    known = moved_here.filter(pl.col("line").is_in(named["line"].unique().implode())).with_columns(
        known=pl.lit(value=True)
    )
    named = named.join(known, on=["line", "chat_id"], how="left", maintain_order="left")
    told = named.with_columns(opened_by=_opened_by(of, named, settings))
    return told.select(CHAT_STATE.names()).cast(CHAT_STATE)


def _ends(messages: pl.DataFrame) -> pl.DataFrame:
    """Return what the messages of each talk come to, in order of talk; all in order of talk and time."""
    talk, at, outbound, failed, mature, replied, unanswered = (
        messages[name].to_physical().to_numpy()
        for name in ("talk", "at", "outbound", "failed", "mature", "replied", "unanswered")
    )
    begins = np.flatnonzero(np.concatenate(([True], talk[1:] != talk[:-1])))
    ends = np.append(begins[1:], len(talk))

    def how_many(told: Bools) -> Ints:
        before = np.concatenate(([0], np.cumsum(told)))
        return before[ends] - before[begins]

    def last(told: Bools) -> pl.Series:
        row = np.maximum.reduceat(np.where(told, np.arange(len(talk)), -1), begins)
        return pl.select(pl.when(pl.Series(row >= 0)).then(pl.Series(at[row]))).to_series()

    sends = how_many(outbound)
    return pl.DataFrame(
        {
            "first_at": at[begins],
            "last_sent_at": last(outbound),
            "last_received_at": last(~outbound),
            "sends": sends,
            "received": ends - begins - sends,
            "failed": how_many(outbound & failed),
            "mature": how_many(mature),
            "replied": how_many(replied),
            "unanswered": unanswered[ends - 1],
            "ours": outbound[begins],
        },
        schema_overrides={"first_at": INSTANT, "last_sent_at": INSTANT, "last_received_at": INSTANT},
    )


def _opened_by(of: Judged, named: pl.DataFrame, settings: Settings) -> pl.Series:
    buckets = of.calendar(settings.timezone, "day")
    day, born = buckets.bucket(named["first_at"]), buckets.bucket(of.first_at()).gather(named["line_no"])
    young = (day - born < settings.young_line_days).alias("young").to_frame()
    grace = timedelta(hours=settings.new_chat_grace_hours)
    created, first = pl.col("created_at"), pl.col("first_at")
    older = (created < first - grace) | (created.is_null() & pl.col("young"))
    who = (
        pl.when(older)
        .then(pl.lit("before"))
        .when(~pl.col("ours"))
        .then(pl.lit("person"))
        .when(pl.col("known").fill_null(value=False))
        .then(pl.lit("moved"))
        .otherwise(pl.lit("line"))
    )
    return named.hstack(young).select(opened_by=who)["opened_by"]
