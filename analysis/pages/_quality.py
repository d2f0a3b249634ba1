"""Gaps, duplicates, late events and freshness in; their sentences and rows on the Data page, and the word for gaps on other pages, out."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import polars as pl

from analysis import pipeline
from analysis.charts import SILENCES
from analysis.pages import _html as html
from analysis.pages import _words as words
from analysis.pages._frames import ms, wall_ms
from analysis.pages._state import State as Here

FLEET = "Whole fleet"
FIRST = 20
"""Rows that a table shows until all are asked for."""
HOUR = timedelta(hours=1)
SILENCE = {
    "gap": "Its rhythm does not give this silence: deliveries may be lost",
    "unused": "Not in use: silent for longer than {days}",
    "never": "No message of it is loaded",
}
LONGEST_YEARS = 1000
"""A rarer silence is said to come less than once in so many years: more digits would claim more than the tail can say."""


# ------------------------------------------------------------------ gaps


def who(line: str | None) -> str:
    """Return whose silence it is."""
    return words.line_name(line) if line else FLEET


def ended(gap: dict, here: Here) -> datetime:
    """Return when a gap ended, the newest data where it is not over."""
    return gap["end_at"] or here.as_of


def by_chance(a_year: float) -> str:
    """Return how often such a silence comes by itself."""
    if a_year <= 1 / LONGEST_YEARS:
        return f"less than once in {LONGEST_YEARS:,} years"
    return f"{a_year:,.1f} times a year" if a_year >= 1.5 else f"once in {words.plural(round(1 / a_year), 'year')}"


def gaps_title(gaps: pl.DataFrame, here: Here) -> str:
    """Return the finding over the gaps."""
    if gaps.is_empty():
        return "No silence that this fleet's own rhythm does not give."
    whole = gaps.filter(pl.col("line").is_null())
    told = words.plural(gaps.height, "gap") + " in the deliveries"
    if whole.is_empty():
        return f"{told}, on {words.plural(gaps['line'].n_unique(), 'line')}"
    hours = sum((ended(g, here) - g["start_at"]) / HOUR for g in whole.iter_rows(named=True))
    own = gaps.height - whole.height
    rest = f" and {own:,} of {'a single line' if own == 1 else 'single lines'}" if own else ""
    return f"{told}: {whole.height:,} of the whole fleet ({words.lasting(hours)}){rest}"


def longest_first(gaps: pl.DataFrame, here: Here) -> pl.DataFrame:
    """Return gaps with most messages expected first, the fleet's before those of lines."""
    return gaps.with_columns(fleet=pl.col("line").is_null()).sort(
        "fleet", "expected", "start_at", descending=[True, True, False]
    )


def gap_cells(gaps: pl.DataFrame, here: Here) -> list[list[str]]:
    """Return a row a gap: whose, from, to, length, messages expected, how often by chance."""
    return [
        [
            f'<b class="lh-line">{html.text(who(g["line"]))}</b>',
            html.text(words.moment(g["start_at"], here.zone, year=True)),
            html.text(words.moment(g["end_at"], here.zone, year=True) if g["end_at"] else "not over yet"),
            words.lasting((ended(g, here) - g["start_at"]) / HOUR),
            words.count(g["expected"]),
            html.text(by_chance(g["by_chance_a_year"])),
        ]
        for g in gaps.iter_rows(named=True)
    ]


GAPS = [
    ("Silent", False),
    ("From the last event before", False),
    ("To the first after", False),
    ("Length", True),
    ("Messages expected", True),
    ("Comes by chance", False),
]


def gap_marks(gaps: pl.DataFrame, here: Here) -> tuple[pl.DataFrame, list[str]]:
    """Return SILENCES of the gaps, and the rows in order: the fleet, then lines by their longest gap."""
    rows = [
        (
            who(g["line"]),
            ms(g["start_at"], here.zone),
            ms(ended(g, here), here.zone),
            f"{who(g['line'])}: nothing from {words.moment(g['start_at'], here.zone)} to "
            + (words.moment(g["end_at"], here.zone) if g["end_at"] else "the newest data")
            + f", where {words.count(g['expected'])} messages are usual",
        )
        for g in gaps.iter_rows(named=True)
    ]
    frame = pl.DataFrame(rows, schema=SILENCES, orient="row")
    order = frame.group_by("label", maintain_order=True).first()["label"].to_list()
    return frame, order[:FIRST]


def gap_marks_of(gaps: pl.DataFrame, lines: list[str], window: tuple[float, float], here: Here) -> pl.DataFrame:
    """Return SILENCES of lines as each has them, its own and the fleet's, clipped to a window of ms."""
    marks, _ = gap_marks(gaps, here)
    rows = [
        (words.line_name(line), max(t0, window[0]), min(t1, window[1]), tip)
        for line in lines
        for label, t0, t1, tip in marks.iter_rows()
        if label in (FLEET, words.line_name(line)) and t1 > window[0] and t0 < window[1]
    ]
    return pl.DataFrame(rows, schema=SILENCES, orient="row").sort("label", "t0")


# ------------------------------------------------------------------ duplicates and late events


def late_title(files: pl.DataFrame) -> str:
    """Return the finding over duplicates and late events."""
    read, again = int(files["read"].sum()), int(files["duplicates"].sum())
    timed, late = int(files["timed"].sum() or 0), int(files["late_1h"].sum() or 0)
    first = f"{again:,} of {words.plural(read, 'row')} told nothing new" if again else "Every row told something new"
    if files["timed"].null_count() == files.height:
        return f"{first}; late events were not counted when these files were loaded"
    if not timed:
        return f"{first}; no file says when its events were made"
    return f"{first}; {late:,} of {words.plural(timed, 'event')} came more than an hour late"


LATE = [
    ("File", False),
    ("Tells from", False),
    ("to", False),
    ("Read", True),
    ("Merged", True),
    ("Duplicates", True),
    ("Events with both times", True),
    ("> 1 h late", True),
    ("> 24 h late", True),
]


def late_cells(files: pl.DataFrame, here: Here) -> list[list[str]]:
    """Return a row a file: from when to when it tells, what of it was known, and what came late."""

    def when(at: datetime | None) -> str:
        return html.text(words.moment(at, here.zone, weekday=False)) if at else words.DASH

    return [
        [
            f'<span class="lh-file">{html.text(Path(r["path"]).name)}</span>',
            when(r["first_at"]),
            when(r["last_at"]),
            f"{r['read']:,}",
            f"{r['merged']:,}",
            f"{r['duplicates']:,}",
            f"{r['timed']:,}" if r["timed"] else words.DASH,
            f"{r['late_1h']:,}" if r["timed"] else words.DASH,
            f"{r['late_24h']:,}" if r["timed"] else words.DASH,
        ]
        for r in files.iter_rows(named=True)
    ]


def receipts_words(delays: pl.DataFrame) -> str:
    """Return how many sends have a receipt, and how many receipts came late; empty where nothing was sent."""
    n = {c: int(delays[c].sum()) for c in delays.columns if c != "line"}
    if not n["sends"]:
        return ""
    neither = n["sends"] - n["received"] - n["failed"]
    share = f" ({words.percent(n['received'] / n['sends'])})" if n["sends"] >= 30 else ""
    return (
        f"With a receipt: {n['received']:,} of {words.plural(n['sends'], 'send')}{share}; failed: {n['failed']:,}; neither: {neither:,}. "
        f"Delivered more than 1 h after the send: {n['received_1h']:,}, of these more than 24 h: {n['received_24h']:,}."
    )


# ------------------------------------------------------------------ freshness


def fresh_title(fresh: pl.DataFrame, here: Here, now: datetime) -> str:
    """Return the finding over freshness: unusual silences first, else how far back the oldest newest event lies."""
    age = words.lasting(max(0.0, (now - here.as_of) / HOUR))
    odd = fresh.filter(pl.col("silence") == "gap").height
    if odd:
        return f"{words.plural(odd, 'line is', 'lines are')} silent for longer than usual; the newest data is {age} old"
    return f"No line in use is silent for longer than usual; the newest data is {age} old"


FRESH = [
    ("Line", False),
    ("Silent", True),
    ("Age now", True),
    ("Newest message", False),
    ("Newest event", False),
    ("Newest report of health", False),
]


def fresh_cells(fresh: pl.DataFrame, here: Here, now: datetime) -> list[list[str]]:
    """Return a row a line: when it was last heard of, and how long ago."""

    def when(at: datetime | None) -> str:
        return html.text(words.moment(at, here.zone, weekday=False)) if at else words.DASH

    days = words.plural(here.settings.gap_longest_days, "day")
    return [
        [
            f'<b class="lh-line">{html.text(words.line_name(r["line"]))}</b>'
            + (f"<small>{html.text(SILENCE[r['silence']].format(days=days))}</small>" if r["silence"] else ""),
            words.DASH if r["silent_hours"] is None else words.lasting(r["silent_hours"]),
            words.lasting(max(0.0, (now - r["last_event"]) / HOUR)) if r["last_event"] else words.DASH,
            when(r["last_message"]),
            when(r["last_event"]),
            when(r["last_change"]),
        ]
        for r in fresh.iter_rows(named=True)
    ]


# ------------------------------------------------------------------ on other pages


def gaps_in(here: Here, since: datetime, until: datetime, *, line: str | None = None) -> pl.DataFrame:
    """Return GAPS that touch a period; of a line and the whole fleet where a line is named."""
    every: pl.DataFrame = here.read(pipeline.gaps)  # few: read once for all lines and periods
    mine = pl.lit(value=True) if line is None else pl.col("line").is_null() | (pl.col("line") == line)
    return every.filter(mine, pl.col("end_at").is_null() | (pl.col("end_at") > since), pl.col("start_at") < until)


def warning(here: Here, since: datetime, until: datetime, *, line: str | None = None, days: str = "These days") -> str:
    """Return what a period's counts of replies do not know because of gaps in the deliveries; empty where there is none.

    Args:
        here: the state of the store.
        since: first instant of the period.
        until: its end.
        line: count for this line only; all where None.
        days: the period's name, in the plural.
    """
    gaps = gaps_in(here, since, until, line=line)
    if gaps.is_empty():
        return ""
    told = here.read(pipeline.blinded, line=line, since=since, until=until)
    one = gaps.height == 1
    g = gaps.row(0, named=True)
    which = (
        f"of {'the whole fleet' if g['line'] is None else words.line_name(g['line'])}, {words.lasting((ended(g, here) - g['start_at']) / HOUR)} from {words.moment(g['start_at'], here.zone)}"
        if one
        else (f"of {words.line_name(line)} or the whole fleet" if line else f"on {words.plural(told.height, 'line')}")
    )
    mature, replied = int(told["mature"].sum()), int(told["replied"].sum())
    window = words.lasting(here.settings.reply_window_hours)
    return (
        f"{days} hold {words.plural(gaps.height, 'gap')} in the deliveries ({which}): nothing is known of that time, which is not the same as no replies. "
        f"Of {words.plural(mature, 'send')} within {window} before or in {'it' if one else 'them'}, {mature - replied:,} have no answer that was seen."
    )


def hours_without(here: Here, since: datetime, until: datetime) -> pl.DataFrame:
    """Return the hours that a gap of the whole fleet touches: t (ms of the wall clock at which the hour begins) and tip, key t."""
    rows = []
    for g in gaps_in(here, since, until).filter(pl.col("line").is_null()).iter_rows(named=True):
        start = max(g["start_at"], since).replace(minute=0, second=0, microsecond=0)
        tip = f"No data from {words.moment(g['start_at'], here.zone)} to {words.moment(ended(g, here), here.zone)}"
        hours = pl.datetime_range(start, min(ended(g, here), until), "1h", time_unit="ms", eager=True)
        rows.append(pl.DataFrame({"at": hours}).select(t=wall_ms(pl.col("at"), here.zone), tip=pl.lit(tip)))
    schema = {"t": pl.Float64, "tip": pl.String}
    return pl.concat([pl.DataFrame(schema=schema), *rows]).unique("t", keep="first", maintain_order=True).sort("t")
