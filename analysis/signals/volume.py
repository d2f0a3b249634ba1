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
    found = (
        messages.select("line", "chat_id")
        .filter(_run_begins())
        .unique(maintain_order=True)  # mostly the order that is wanted
        .sort("line", "chat_id")
        .with_columns(
            line_no=(pl.col("line") != pl.col("line").shift()).fill_null(True).cum_sum().cast(pl.Int64) - 1,
            talk=pl.int_range(pl.len(), dtype=pl.Int64),
        )
    )
    return found.with_columns(_apart(found[name]) for name in ("line", "chat_id"))


def _apart(values: pl.Series) -> pl.Series:
    """Return texts as ones of their own: picked from a column, they keep all that was read from the store with it (0.2 kB a message)."""
    return values + "" if values.dtype == pl.String else values


def _run_begins() -> pl.Expr:
    """Return which messages are of another chat than the one before: as a store lies, texts are looked up once a chat, not once a message."""
    return pl.any_horizontal((pl.col(name) != pl.col(name).shift()).fill_null(True) for name in ("line", "chat_id"))


def in_order(messages: pl.DataFrame, talks: pl.DataFrame, *, also: Mapping[str, pl.Expr] | None = None) -> pl.DataFrame:
    """Return ``talk``, ``line_no``, ``chat_id``, ``at``, ``outbound``, ``failed`` in order of talk, at, outbound first, message_id.

    messages: MESSAGES, any order. talks: as `talks` gives of these. also: further columns to carry, by name. The order of contract.md, section 3,
    which makes results independent of the order of loading.
    """
    begins = messages.select(begins=_run_begins())["begins"]
    runs = (
        messages.select("line", "chat_id")
        .filter(begins)
        .join(talks, on=["line", "chat_id"], how="left", maintain_order="left")
    )
    talk, line_no = runs.select("talk", "line_no")[begins.cum_sum() - 1]
    told = messages.select(
        talk, line_no, "at", outbound=pl.col("direction") == "outbound", failed="failed", **(also or {})
    )
    order = pl.Series(_order(messages, talk.to_numpy()))
    # picked from one piece in half the time; one column after the other, so that there is one of them twice
    picked = pl.DataFrame([_apart(told[name].rechunk().gather(order)) for name in told.columns])
    chat_id = talks["chat_id"].gather(picked["talk"])  # a talk's number is its row
    return picked.insert_column(picked.get_column_index("at"), chat_id)


def _order(messages: pl.DataFrame, talk: Ints) -> Ints:
    """Return the rows of messages in order of talk, at, outbound first, message_id."""
    at = messages["at"].to_physical().to_numpy()
    # one number a message, as in ``reply_rate.fates``; stable, as most stand in order already
    place = talk * (int(np.ptp(at)) + 1) + at - at.min() if len(at) else at
    rows = np.argsort(place, kind="stable")
    same = place[rows[1:]] == place[rows[:-1]]
    tied = np.flatnonzero(np.concatenate((same, [False])) | np.concatenate(([False], same)))
    if len(tied):
        several = messages.select("message_id", outbound=pl.col("direction") == "outbound")[rows[tied]]
        by = several.with_columns(place=place[rows[tied]], row=rows[tied]).sort(
            "place", "outbound", "message_id", descending=[False, True, False]
        )
        rows[tied] = by["row"].to_numpy()
    return rows


def volume(outbound: Bools, failed: Bools, talk: Ints, cells: Ints, grid: Grid) -> dict[str, Ints]:
    """Return ``outbound``, ``inbound``, ``failed`` and ``recipients`` (distinct chats sent to, failed sends too) of every cell of a grid.

    All arguments but the grid: one value a message, in order of talk and time.
    """
    ours = np.flatnonzero(outbound)
    sent, to = cells[ours], talk[ours]
    # a chat's sends stand in order of time: it counts where its cell is not that of its send before
    again = (to[1:] == to[:-1]) & (sent[1:] == sent[:-1])
    distinct = np.concatenate((np.ones(min(len(sent), 1), dtype=bool), ~again))
    return {
        "outbound": grid.count(sent),
        "inbound": grid.count(cells, ~outbound),
        "failed": grid.count(cells, outbound & failed),
        "recipients": grid.count(sent, distinct),
    }
