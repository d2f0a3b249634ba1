"""Messages in, plain counts out: the one order of messages that every rule here rests on, and what was sent and received."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from analysis.signals.grid import Bools, Grid, Ints


def talks(messages: pl.DataFrame) -> pl.DataFrame:
    """Return each line's chats with numbers in their order: ``line``, ``chat_id``, ``line_no``, ``talk``; key talk.

    A talk is a chat on one line. Numbers stand in for the two texts, which are slow to sort and compare.
    """
    chats = messages.select("line", "chat_id").unique().sort("line", "chat_id")
    return chats.with_columns(
        line_no=(pl.col("line") != pl.col("line").shift()).fill_null(True).cum_sum().cast(pl.Int64) - 1,
        talk=pl.int_range(pl.len(), dtype=pl.Int64),
    )


def in_order(messages: pl.DataFrame, talks: pl.DataFrame, *, also: Mapping[str, pl.Expr] | None = None) -> pl.DataFrame:
    """Return ``talk``, ``line_no``, ``chat_id``, ``at``, ``outbound``, ``failed`` in order of talk, at, outbound first, message_id.

    messages: MESSAGES, any order. talks: as `talks` gives. also: further columns to carry, by name. The order of contract.md, section 3,
    which makes results independent of the order of loading.
    """
    carried = also or {}
    return (
        messages.select(
            "message_id",
            "line",
            "chat_id",
            "at",
            outbound=pl.col("direction") == "outbound",
            failed="failed",
            **carried,
        )
        .join(talks, on=["line", "chat_id"], how="left")
        .sort("talk", "at", "outbound", "message_id", descending=[False, False, True, False])
        .select("talk", "line_no", "chat_id", "at", "outbound", "failed", *carried)
    )


def volume(outbound: Bools, failed: Bools, talk: Ints, cells: Ints, grid: Grid) -> dict[str, Ints]:
    """Return ``outbound``, ``inbound``, ``failed`` and ``recipients`` (distinct chats sent to, failed sends too) of every cell of a grid.

    All arguments but the grid: one value a message, in order of talk and time.
    """
    sent, to = cells[outbound], talk[outbound]
    # a chat's sends stand in order of time: it counts where its cell is not that of its send before
    again = (to[1:] == to[:-1]) & (sent[1:] == sent[:-1])
    distinct = np.concatenate((np.ones(min(len(sent), 1), dtype=bool), ~again))
    return {
        "outbound": grid.count(sent),
        "inbound": grid.count(cells[~outbound]),
        "failed": grid.count(cells[outbound & failed]),
        "recipients": grid.count(sent[distinct]),
    }
