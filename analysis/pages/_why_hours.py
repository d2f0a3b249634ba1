"""One change and its line's hours in; the burst or the failures around it, hour by hour."""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl

from analysis import pipeline
from analysis.charts.panels import FAILURE_HOURS, OPENER_HOURS, OPENINGS
from analysis.pages import _words as words
from analysis.pages._frames import USUAL_DAYS, ms, wall_ms
from analysis.pages._state import State as Here
from analysis.schema import Explanation


def span(e: Explanation, here: Here) -> tuple[datetime, datetime]:
    """Return the hours drawn one by one: a day before it began (three before the change at most) to 12 h after the change."""
    return pipeline.hours_around(e, here.as_of)


def moments(e: Explanation, here: Here) -> list[tuple[float, str, bool]]:
    """Return when it began and when it changed, as charts mark them, where they are among the hours drawn."""
    start, _ = span(e, here)
    told = []
    if e.onset and start <= words.instant(e.onset) < words.instant(e.at):
        told.append((ms(words.instant(e.onset), here.zone), "Began", False))
    return [*told, (ms(words.instant(e.at), here.zone), words.plain_state(e.new), True)]


def opened(e: Explanation, hours: pl.DataFrame, here: Here) -> pl.DataFrame:
    """Return conversations opened by hour around a change beside the usual of that hour of the day: hour_utc, opened, usual.

    Args:
        e: the change.
        hours: SIGNALS_HOUR of the line, from 28 days before it began.
        here: the state of the store.
    """
    start, end = span(e, here)
    began = words.instant(e.onset or e.at)
    calm = hours.filter(
        pl.col("hour") < began,
        pl.col("hour") >= began - timedelta(days=USUAL_DAYS),
        pl.col("history_days") >= here.settings.young_line_days,
        (pl.col("health") == "HEALTHY") | pl.col("health").is_null(),
    )
    enough = calm.height >= 7 * 24
    usual = calm.group_by(clock=pl.col("hour").dt.hour()).agg(usual=pl.col("new_conversations").mean())
    return (
        hours.filter(pl.col("hour") >= start, pl.col("hour") < end)
        .with_columns(clock=pl.col("hour").dt.hour())
        .join(usual, on="clock", how="left")
        .sort("hour")
        .select(
            hour_utc="hour", opened="new_conversations", usual=pl.col("usual") if enough else pl.lit(None, pl.Float64)
        )
    )


def burst(e: Explanation, hours: pl.DataFrame, here: Here) -> tuple[pl.DataFrame, pl.DataFrame, str]:
    """Return OPENER_HOURS and OPENINGS around a change, and the finding: the fullest hour.

    Args:
        e: the change.
        hours: SIGNALS_HOUR of the line, from 28 days before it began.
        here: the state of the store.
    """
    zone, (start, end) = here.zone, span(e, here)
    figures = opened(e, hours, here)
    sent = here.read(pipeline.openers, line=e.line, since=start, until=end)
    bars = figures.select(
        t=wall_ms(pl.col("hour_utc"), zone),
        to=wall_ms(pl.col("hour_utc"), zone) + 3.6e6,
        opened=pl.col("opened").cast(pl.Float64),
        usual="usual",
        tip=pl.format("{}: {} opened", _clock(pl.col("hour_utc"), here), "opened"),
    )
    dots = (
        sent.sort("at", "chat_id")
        .with_row_index("n")
        .select(
            t=wall_ms(pl.col("at"), zone),
            spread=0.1 + 0.8 * (pl.col("n").cast(pl.Float64) * 0.618034 % 1),  # golden steps keep neighbours apart
            answer=pl.when(pl.col("answered"))
            .then(pl.lit("answered"))
            .when(pl.col("answered").is_null())
            .then(pl.lit("too early to say"))
            .otherwise(pl.lit("not answered")),
            tip=pl.format(
                "{}: {}",
                _clock(pl.col("at"), here),
                pl.when(pl.col("answered"))
                .then(pl.lit("answered"))
                .when(pl.col("answered").is_null())
                .then(pl.lit("too early to say"))
                .otherwise(pl.lit("not answered")),
            ),
        )
    )
    return bars.select(OPENER_HOURS.names()), dots.select(OPENINGS.names()), _burst_title(bars, here)


def _burst_title(bars: pl.DataFrame, here: Here) -> str:
    top = bars.sort("opened", "t", descending=[True, False]).head(1)
    if not top.height or not top["opened"][0]:
        return "No conversation was opened in these hours"
    at = datetime(1970, 1, 1) + timedelta(milliseconds=top["t"][0])
    return f"The burst, hour by hour: {words.plural(int(top['opened'][0]), 'opener')} at {at:%H:%M} on {at.day} {at:%b}"


def _clock(column: pl.Expr, here: Here) -> pl.Expr:
    return column.dt.replace_time_zone("UTC").dt.convert_time_zone(str(here.zone)).dt.strftime("%a %-d %b, %H:%M")


def failed(e: Explanation, here: Here) -> tuple[pl.DataFrame, list[str], str]:
    """Return FAILURE_HOURS around a change, its codes from the most frequent (four at most), and the finding."""
    start, end = span(e, here)
    rows = here.read(pipeline.failures, line=e.line, since=start, until=end)
    if not rows.height:
        return pl.DataFrame(schema=FAILURE_HOURS), [], ""
    by_code = (
        rows.group_by("failure_code")
        .agg(pl.col("failed").sum())
        .sort("failed", "failure_code", descending=[True, False])
    )
    codes, counts = by_code["failure_code"].to_list(), by_code["failed"].to_list()
    kept = codes if len(codes) <= 4 else codes[:3]
    word = {c: (c if c == "no code" else f"code {c}") for c in kept}
    hours = (
        rows.with_columns(code=pl.col("failure_code").replace_strict(word, default="other codes"))
        .group_by("hour", "code")
        .agg(pl.col("failed").sum())
        .sort("hour", "code")
        .with_columns(top=pl.col("failed").cum_sum().over("hour").cast(pl.Float64))
        .select(
            t=wall_ms(pl.col("hour"), here.zone),
            to=wall_ms(pl.col("hour"), here.zone) + 3.6e6,
            code="code",
            base=pl.col("top") - pl.col("failed"),
            top="top",
            tip=pl.format("{}: {} failed, {}", _clock(pl.col("hour"), here), "failed", "code"),
        )
    )
    order = [word[c] for c in kept] + (["other codes"] if len(codes) > len(kept) else [])
    title = f"Failures, hour by hour: {counts[0]:,} of {sum(counts):,} with {word[codes[0]]}"
    return hours.select(FAILURE_HOURS.names()), order, title
