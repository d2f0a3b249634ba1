"""A raw frame in, its columns typed and the rows that cannot be used apart, each with all its reasons, out: what checks of every kind share."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl

from analysis.schema import INSTANT
from analysis.settings import Settings
from analysis.sources.pseudonym import Pseudonyms
from analysis.sources.times import in_common_form, in_range, instants, without_zone

REFUSED = pl.Schema({"position": pl.Int64, "kind": pl.String, "reason": pl.String, "fix": pl.String})
_FEW_WORDS = frozenset({"line", "direction", "service", "failure_code", "chat_health", "chat_health_at", "health"})
"""Columns that say few things many times: each is looked at once, and the cells only where one of them is odd."""
MOST_WORDS = 500
_ODD_SIGNS = frozenset("\x00\ufffd")
_TRUTHS = {"true": True, "1": True, "t": True, "yes": True, "false": False, "0": False, "f": False, "no": False}


@dataclass(frozen=True)
class Rules:
    """How raw rows are read: settings, pseudonyms, and the unit and zone of times that do not say their own."""

    settings: Settings
    pseudonyms: Pseudonyms
    unit: str | None = None
    zone: ZoneInfo | None = None


def bounds(settings: Settings) -> tuple[datetime, datetime]:
    """Return the times that an export may tell: from the first to before the second."""
    return datetime.fromisoformat(settings.earliest), datetime.fromisoformat(settings.latest) + timedelta(days=1)


class Check:
    """Collects, for one raw frame, typed columns and the reasons why rows are refused.

    ``times``: columns of times; of those whose every text is a time of the common form, which nothing is to be said against, ``read`` has
    the instants.
    """

    def __init__(
        self, raw: pl.DataFrame, kind: str, columns: tuple[str, ...], rules: Rules, *, times: tuple[str, ...] = ()
    ) -> None:
        missing = [c for c in columns if c not in raw.columns]
        self.frame = (
            raw.with_columns(pl.lit(None, dtype=pl.String).alias(c) for c in missing)
            .select(columns)
            .with_row_index("_row")
        )
        self.kind, self.rules = kind, rules
        self.reasons: list[tuple[pl.Series, str, str]] = []
        self.notes: Counter[str] = Counter()
        texts = [s.name for s in self.frame if s.dtype == pl.String and s.null_count() < s.len()]
        self.read = in_common_form(self.frame, [c for c in times if c in texts])
        texts = [c for c in texts if c not in self.read and not (c in _FEW_WORDS and _clean(self.frame[c].unique()))]
        self.frame = self.frame.with_columns(pl.col(c).str.strip_chars() for c in texts)
        shortest = self.frame.select(pl.col(c).str.len_bytes().min() for c in texts)
        empty = [c for c in texts if shortest[c].item() == 0]
        if empty:
            self.frame = self.frame.with_columns(pl.when(pl.col(c) != "").then(c).alias(c) for c in empty)
        doubtful = self.frame.select(
            (pl.col(c).str.contains("[\x00\ufffd]").any() | (pl.col(c).str.len_bytes().max() > 400)).alias(c)
            for c in texts
        )
        for c in (s.name for s in doubtful if s.any()):
            self.refuse(pl.col(c).str.contains("\x00", literal=True), f"{c} holds a NUL byte", "repair the export")
            self.refuse(pl.col(c).str.contains("\ufffd", literal=True), f"{c} is not UTF-8 text", "export as UTF-8")
            self.refuse(
                pl.col(c).str.len_bytes() > 400,
                f"{c} is longer than 400 characters",
                "it should be an id, a word or a time: check the columns",
            )

    def refuse(self, when: pl.Expr, reason: str, fix: str) -> None:
        """Refuse the rows where ``when`` holds now (null counts as no)."""
        rows = self.frame.select(when.fill_null(False).alias("no")).to_series()
        if rows.len() != self.frame.height:  # a constant condition
            rows = pl.Series("no", [bool(rows[0])] * self.frame.height, dtype=pl.Boolean)
        if rows.any():
            self.reasons.append((rows, reason, fix))

    def text(self, *columns: str) -> None:
        """Make id columns text, whatever type a Parquet file gave them."""
        self.frame = self.frame.with_columns(pl.col(c).cast(pl.String, strict=False) for c in columns)

    def instants(self, *columns: str, needed: tuple[str, ...] = ()) -> None:
        """Read time columns; a present but unusable time refuses the row, as does a missing needed one."""
        raw = self.frame.select(columns)
        unit, zone, settings = self.rules.unit, self.rules.zone, self.rules.settings
        earliest, latest = bounds(settings)
        given = [c for c in columns if raw[c].null_count() < raw.height]
        texts = [c for c in given if raw.schema[c] == pl.String and unit is None and zone is None]
        read = {c: self.read[c] for c in texts if c in self.read}
        read |= in_common_form(raw, [c for c in texts if c not in read])  # with blanks around it, say
        for c in given:
            if c in texts and c not in read:
                self.notes["times without a zone were taken as UTC"] += _without_zone(raw[c])
            if c not in read:
                read[c] = instants(raw[c], unit=unit, zone=zone)
        nothing = pl.lit(None, INSTANT)
        self.frame = self.frame.with_columns(
            *(raw[c].alias(f"_{c}") for c in columns), *(read.get(c, nothing).alias(c) for c in columns)
        )
        outside = self.frame.select((~in_range(c, earliest, latest)).any() for c in given)
        for c in columns:
            if c in given and read[c].null_count() > raw[c].null_count():
                self._unread(c)
            if c in given and outside[c].item():
                self.refuse(
                    ~in_range(c, earliest, latest),
                    f"{c} lies outside {settings.earliest} to {settings.latest}",
                    "correct the clock or the export",
                )
            if c in needed:
                self.refuse(pl.col(f"_{c}").is_null(), f"{c} is missing", "export this column for every row")

    def _unread(self, c: str) -> None:
        """Refuse the rows of a time column that is given and could not be read."""
        dtype = self.frame.schema[f"_{c}"]
        given, unread = pl.col(f"_{c}").is_not_null(), pl.col(c).is_null()
        is_number = pl.col(f"_{c}").str.contains(r"^\d+(\.\d+)?$") if dtype == pl.String else pl.lit(dtype.is_numeric())
        if self.rules.unit is None:
            self.refuse(
                given & unread & is_number,
                f"{c} is a number without a unit",
                'say it in a mapping file: [time] unit = "s" (or ms, us, ns)',
            )
            self.refuse(given & unread & ~is_number, f"{c} is not a time", "write it like 2026-03-01T12:00:00Z")
        else:
            self.refuse(
                given & unread,
                f"{c} is not a time",
                f'it should be a number of unit "{self.rules.unit}", or like 2026-03-01T12:00:00Z',
            )

    def words(self, column: str, allowed: dict[str, str], say: str) -> None:
        """Read a column of fixed words in any case; an unknown word refuses the row."""
        self.text(column)
        given = self.frame[column]
        self.frame = self.frame.with_columns(given.alias(f"_{column}"), by_word(given, as_word(column, allowed)))
        self.refuse(
            pl.col(f"_{column}").is_not_null() & pl.col(column).is_null(),
            f"{column} is none of {say}",
            "map your words in a mapping file: [values." + column + "]",
        )

    def flag(self, column: str) -> None:
        """Read a column of yes or no; anything else is unknown."""
        if self.frame.schema[column] != pl.Boolean:
            self.text(column)
            self.frame = self.frame.with_columns(
                pl.col(column).str.to_lowercase().replace_strict(_TRUTHS, default=None, return_dtype=pl.Boolean)
            )

    def split(self) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Return the rows to use, and the refused ones with all their reasons."""
        if not self.reasons:
            return self.frame, pl.DataFrame(schema=REFUSED)
        bad = self.reasons[0][0]
        for rows, _, _ in self.reasons[1:]:
            bad = bad | rows
        told = [
            self.frame.select("_row", "position")
            .filter(rows)
            .with_columns(kind=pl.lit(self.kind), reason=pl.lit(reason), fix=pl.lit(fix))
            for rows, reason, fix in self.reasons
        ]
        refused = (
            pl.concat(told)
            .group_by("_row", "position", "kind", maintain_order=True)
            .agg(
                pl.col("reason").unique(maintain_order=True).str.join("; "),
                pl.col("fix").unique(maintain_order=True).str.join("; "),
            )
        )
        return self.frame.filter(~bad), refused.select(REFUSED.names()).cast(REFUSED).sort("position")


def _clean(words: pl.Series) -> bool:
    """Return whether these texts are few, and nothing is in them to strip, to empty or to refuse; a null is none of them."""
    return words.len() <= MOST_WORDS and all(
        word is None or (word == word.strip() != "" and len(word) <= 100 and not _ODD_SIGNS.intersection(word))
        for word in words.to_list()
    )


def _without_zone(texts: pl.Series) -> int:
    """Count the times that name no zone; none that ends in Z does."""
    odd = texts.filter(~texts.str.ends_with("Z")).to_frame()
    return int(odd.select(without_zone(pl.col(texts.name)).sum()).item() or 0)


def as_word(column: str, words: dict[str, str]) -> pl.Expr:
    """Return what a column of fixed words says, in any case; null for any other word."""
    key = pl.col(column).str.to_lowercase().str.replace_all(r"[\s-]", "_")
    return key.replace_strict(words, default=None, return_dtype=pl.String)


def by_word(column: pl.Series, read: pl.Expr) -> pl.Series:
    """Return what ``read`` makes of a text column (null of null), read once for each of its words."""
    words = column.drop_nulls().unique()
    if words.is_empty():
        return column
    return column.replace_strict(words, words.to_frame().select(read).to_series(), default=None, return_dtype=pl.String)
