"""Odd rows of messages in, what became of each and one row a message out: all rows of a message stand together, oldest position first.

In nearly every message all rows say the same of most fields, so only the fields of which some rows say different things are compared.
"""

from __future__ import annotations

import polars as pl

from analysis.store.fields import MIN_FIELDS

FIELDS = (*MIN_FIELDS, "is_group")
"""What is compared of the rows of one message."""


def compared(rows: pl.DataFrame, known: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Compare rows of the same messages with each other and with the store.

    Args:
        rows: source_no, position, message_id and FIELDS; all rows of a message, in any order.
        known: row_no, message_id and FIELDS of those that are in the store.

    Returns:
        what became of each row (source_no, position, message_id, outcome: inserted, merged or duplicates), and one row a message
        (message_id, FIELDS, row_no: null where it is not in the store).
    """
    rows = rows.sort("message_id", "source_no", "position")
    again = rows["message_id"].eq(rows["message_id"].shift()).fill_null(value=False)
    rows = rows.with_columns(_number=(~again).cum_sum(), _again=again)
    differ = rows.select((pl.col("_again") & pl.col(c).ne_missing(pl.col(c).shift())).any().alias(c) for c in FIELDS)
    varying = [c for c in FIELDS if differ[c].item()]
    rows = rows.with_columns(_repeats=~rows.select(pl.struct("_number", *varying).is_first_distinct()).to_series())
    merged = rows.filter(~pl.col("_again")).select("message_id", *FIELDS)
    if varying:
        least = [pl.col(c).max() if c == "is_group" else pl.col(c).min() for c in varying]
        merged = merged.with_columns(rows.group_by("_number", maintain_order=True).agg(least).drop("_number"))
    if known.height:
        merged = merged.join(known.select("message_id", "row_no"), on="message_id", how="left")
        rows = rows.join(known, on="message_id", how="left", suffix="_known")
        new, adds = pl.col("row_no").is_null(), _adds()
    else:
        merged = merged.with_columns(row_no=pl.lit(None, known.schema["row_no"]))
        new, adds = pl.lit(value=True), pl.lit(value=False)
    outcome = (
        pl.when("_repeats").then(pl.lit("duplicates"))
        .when(new & ~pl.col("_again")).then(pl.lit("inserted"))
        .when(new | adds).then(pl.lit("merged"))
        .otherwise(pl.lit("duplicates"))
    )  # fmt: skip
    return rows.select("source_no", "position", "message_id", outcome=outcome), merged


def _adds() -> pl.Expr:
    """Say whether a row tells more than the store: a field that is not known, or known later (``fields.adds``)."""
    said = [
        pl.col(c).is_not_null() & (pl.col(f"{c}_known").is_null() | (pl.col(c) < pl.col(f"{c}_known")))
        for c in MIN_FIELDS
    ]
    group, before = pl.col("is_group"), pl.col("is_group_known")
    return pl.any_horizontal(*said, group.is_not_null() & before.is_null(), group & ~before).fill_null(value=False)
