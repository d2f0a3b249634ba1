"""Names or numbers that come again and again in, small numbers in their place out."""

from __future__ import annotations

import numpy as np
import polars as pl

from analysis.explain.running import Array


def first_of_each(numbers: Array) -> tuple[Array, Array]:
    """Return the first place of each different number, in order of these, and for each number its place among the different ones.

    As ``np.unique`` does, without a sort: numbers of the chats of one line follow each other.
    """
    if not len(numbers):
        return numbers.astype(np.int64), numbers.astype(np.int64)
    first = np.full(int(numbers.max() - numbers.min()) + 1, -1)
    keys = numbers - numbers.min()
    first[keys[::-1]] = np.arange(len(keys))[::-1]  # later ones overwrite
    some = first >= 0
    return first[some], (np.cumsum(some) - 1)[keys]


def numbered(names: pl.Series) -> tuple[list[str], Array]:
    """Return the different names in order, and the place of each among them."""
    different = names.unique().sort()
    place = names.cast(pl.Enum(different)).to_physical().to_numpy()
    return different.to_list(), place.astype(np.int64)


def as_enum(names: pl.Series) -> pl.Series:
    """Return names that come again and again as numbers that know their names, in order of these."""
    return names.cast(pl.Enum(names.unique().sort()))


def stretches(names: pl.Series) -> dict[str, slice]:
    """Return where the rows of each name are, in a frame in which these follow each other."""
    runs = names.rle().struct.unnest()
    ends = runs["len"].cum_sum()
    return {name: slice(end - size, end) for name, size, end in zip(runs["value"], runs["len"], ends, strict=True)}


def stretched(low: Array, high: Array) -> Array:
    """Return the whole numbers of every [low, high), one after the other."""
    sizes = high - low
    ends = np.cumsum(sizes)
    return np.arange(sizes.sum()) + np.repeat(low - (ends - sizes), sizes)
