"""Day signals of two periods in; what the page on replies and volume says and draws out: a line's change, its words, who was written to.

The rules that live here: a period is whole days, the day of the latest data left out; a line sends more from 1.1 times on;
its replies fell where the rate is at least 5 points lower and chance alone does not make that.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import polars as pl

from analysis.charts.replies import MOVES
from analysis.pages import _words as words
from analysis.pages._why import THIN_DAYS as THIN_SENDS

PERIODS, DEFAULT = (7, 14, 30), 14
GREW = 1.1
"""Times the sends a day of before from which a line sends more."""
MOVED = 0.05
"""Difference of two reply rates, as a share, from which replies fell or rose."""
CHANCE = 2.0
"""Standard errors of that difference (each send counted by itself) that chance alone seldom makes."""
KNOWN = 0.5
"""Part of the period before that a line must have been in the data for, to be compared with it."""
MIXED = 0.02
"""Difference of two shares of sends from which the mix changed."""


@dataclass(frozen=True)
class Window:
    """The days of a period and of the equally long one before it: ``before`` to the day before ``start``, ``start`` to ``end``."""

    before: date
    start: date
    end: date

    @property
    def days(self) -> int:
        """Days of each of the two."""
        return (self.end - self.start).days + 1


def window(days: int, as_of: datetime, zone: ZoneInfo) -> Window:
    """Return the last whole days before the day of ``as_of`` in a zone."""
    end = words.wall(as_of, zone).date() - timedelta(days=1)
    start = end - timedelta(days=days - 1)
    return Window(start - timedelta(days=days), start, end)


def begin(day: date, zone: ZoneInfo) -> datetime:
    """Return the UTC instant at which a day of a zone begins."""
    return words.instant(datetime.combine(day, time(), zone).isoformat())


def instants(w: Window, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return the UTC instants at which the days of a window, those before among them, begin and end."""
    return begin(w.before, zone), begin(w.end + timedelta(days=1), zone)


def asked(text: str | None) -> tuple[int, str]:
    """Return the period that an address asks for, in days, and what to say where it asks for none that there is."""
    if text is None:
        return DEFAULT, ""
    digits = text.strip()
    if digits.isascii() and digits.isdigit() and int(digits) in PERIODS:
        return int(digits), ""
    return DEFAULT, f"The address asks for a period that is not offered here; these are {DEFAULT} days."


def compared(days: pl.DataFrame, lines: pl.DataFrame, w: Window) -> pl.DataFrame:
    """Return each line's two periods side by side, the largest fall in replies first, lines without two rates last; key line.

    Counts end in ``_before`` or ``_now``. ``known_`` are days since the line was first seen, ``a_day_`` sends over these.
    ``rate_``, ``times`` and ``points`` (difference of the rates, a share) are null where ``enough`` is false.

    Args:
        days: SIGNALS_DAY.
        lines: line, health, status of every line of the store.
        w: the two periods.
    """
    first = days.group_by("line").agg(first=pl.col("day").min())
    frame = lines.select("line", "health", "status").join(first, on="line", how="left")
    for name, start, end in (("before", w.before, w.start - timedelta(days=1)), ("now", w.start, w.end)):
        sums = (
            days.filter(pl.col("day").is_between(start, end))
            .group_by("line")
            .agg(pl.col(c).sum().alias(f"{c}_{name}") for c in ("outbound", "mature", "replied"))
        )
        known = (pl.lit(end) - pl.max_horizontal(pl.col("first"), pl.lit(start))).dt.total_days() + 1
        frame = (
            frame.join(sums, on="line", how="left")
            .with_columns(pl.col(f"{c}_{name}").fill_null(0) for c in ("outbound", "mature", "replied"))
            .with_columns(known.fill_null(0).clip(lower_bound=0).alias(f"known_{name}"))
            .with_columns(_over(f"outbound_{name}", f"known_{name}").alias(f"a_day_{name}"))
        )
    enough = (
        (pl.col("mature_before") >= THIN_SENDS)
        & (pl.col("mature_now") >= THIN_SENDS)
        & (pl.col("known_before") >= KNOWN * w.days)
    )
    pooled = (pl.col("replied_before") + pl.col("replied_now")) / (pl.col("mature_before") + pl.col("mature_now"))
    error = (pooled * (1 - pooled) * (1 / pl.col("mature_before") + 1 / pl.col("mature_now"))).sqrt()
    sure = pl.col("points").abs() > CHANCE * error
    return (
        frame.with_columns(enough=enough)
        .with_columns(
            rate_before=pl.when("enough").then(_over("replied_before", "mature_before")),
            rate_now=pl.when("enough").then(_over("replied_now", "mature_now")),
            times=pl.when("enough").then(_over("a_day_now", "a_day_before")),
        )
        .with_columns(points=pl.col("rate_now") - pl.col("rate_before"))
        .with_columns(
            grew=(pl.col("times") >= GREW).fill_null(False),
            fell=(sure & (pl.col("points") <= -MOVED)).fill_null(False),
            rose=(sure & (pl.col("points") >= MOVED)).fill_null(False),
        )
        .sort(["enough", "points", "mature_now", "line"], descending=[True, False, True, False], nulls_last=True)
    )


def _over(part: str, whole: str) -> pl.Expr:
    return pl.when(pl.col(whole) > 0).then(pl.col(part) / pl.col(whole))


# ------------------------------------------------------------------ sentences


def headline(c: pl.DataFrame) -> str:
    """Return the finding of the page from `compared`: where volume rose and replies fell, and where it rose with them."""
    rated = c.filter("enough")
    n = rated.height
    if not n:
        return "No line has enough sends in both periods to compare its replies."
    of = words.plural(n, "line" if n == c.height else "compared line")
    lost, kept, alone = _quadrants(rated)
    if lost:
        without = f", and on {alone:,} without it" if alone else ""
        rest = (
            f" {words.plural(kept, 'other')} sent more and kept {'its replies' if kept == 1 else 'theirs'}."
            if kept
            else ""
        )
        return f"Replies fell on {lost:,} of {of} while volume rose{without}.{rest}"
    if alone:
        return f"Replies fell on {alone:,} of {of}, without more volume.{' ' + _every(kept) if kept else ''}"
    if kept:
        return _every(kept)
    return (
        "The line sends no more than before, and its replies held."
        if n == 1
        else "No line sends more than before, and none lost replies."
    )


def _quadrants(rated: pl.DataFrame) -> tuple[int, int, int]:
    """Return lines that grew and lost replies, that grew and kept them, and that lost them without more volume."""
    grew, fell = rated["grew"], rated["fell"]
    return int((grew & fell).sum()), int((grew & ~fell).sum()), int((~grew & fell).sum())


def _every(kept: int) -> str:
    return (
        "The one line that sends more keeps its replies."
        if kept == 1
        else "Every line that sends more keeps its replies."
    )


def moves_title(c: pl.DataFrame) -> str:
    """Return the finding over the chart of moves: the largest fall."""
    fallen = c.filter("fell")
    if not fallen.height:
        return "No line lost replies" if c["enough"].any() else "Replies against volume"
    worst = fallen.row(0, named=True)
    now, before = (round(100 * worst[k]) for k in ("rate_now", "rate_before"))
    return f"The largest fall: {now} in 100 sends answered on {words.ending(worst['line'])}, where {before} were"


def growth_title(c: pl.DataFrame) -> str:
    """Return the finding over the chart of changes: how many of those that grew lost replies."""
    rated = c.filter("enough")
    lost, kept, _ = _quadrants(rated)
    n = lost + kept
    if not n:
        return "No line sends more than before" if rated.height else "Change in volume and in replies"
    if not lost:
        return (
            "The one line that sends more kept its replies"
            if n == 1
            else f"All {n:,} lines that send more kept their replies"
        )
    return f"{lost:,} of {words.plural(n, 'line')} that {'sends' if n == 1 else 'send'} more lost replies"


def table_title(c: pl.DataFrame) -> str:
    """Return the finding over the table: how many fell, rose, and did neither."""
    rated = c.filter("enough")
    if not rated.height:
        return "Line by line, in counts"
    fell, rose = int(rated["fell"].sum()), int(rated["rose"].sum())
    return f"Replies fell on {words.plural(fell, 'line')}, rose on {rose:,}, held on {rated.height - fell - rose:,}"


def thin_words(c: pl.DataFrame, w: Window) -> str:
    """Return which lines are not drawn, and why; empty where all are."""
    least = pl.min_horizontal("mature_before", "mature_now")
    young = pl.col("known_before") < KNOWN * w.days
    few = c.filter(~pl.col("enough"), ~young, least < THIN_SENDS)["line"].to_list()
    new = c.filter(~pl.col("enough"), young)["line"].to_list()
    parts = []
    if few:
        parts.append(f"Too few for a rate (under {THIN_SENDS} counted sends in a period): {_some(few)}.")
    if new:
        parts.append(f"In the data for too little of the period before: {_some(new)}.")
    return " ".join(parts)


def _some(lines: list[str], most: int = 8) -> str:
    rest = f" and {len(lines) - most:,} more" if len(lines) > most else ""
    return ", ".join(words.ending(line) for line in sorted(lines)[:most]) + rest


def period_words(w: Window, first: date | None, zone: str) -> str:
    """Return the two periods in words; where the data begins within the one before, that it does."""
    span = f"{_day(w.start)} to {_day(w.end)} against the {w.days} days before, {zone}. The day of the latest data is left out: it is not over."
    if first and first > w.before:
        known = max(0, (w.start - first).days)
        span += f" The data begins on {_day(first)}, so it has {words.plural(known, 'day')} of the period before."
    return span


def _day(d: date) -> str:
    return f"{d.day} {d:%b}"


def points(difference: float | None) -> str:
    """Return a difference of rates in points with its sign: −46, +3, 0; a dash where there is none."""
    if difference is None:
        return words.DASH
    value = round(100 * difference)
    return "0" if value == 0 else f"+{value}" if value > 0 else f"{words.MINUS}{-value}"


def times(value: float | None) -> str:
    """Return how many times the sends of before: 1.4 ×."""
    if value is None:
        return words.DASH
    return f"{value:.1f}{words.THIN}×" if value < 10 else f"{value:,.0f}{words.THIN}×"


def share(part: int, whole: int) -> float | None:
    """Return a part of sends; None where there are too few for a share."""
    return part / whole if whole >= THIN_SENDS else None


def rate_cell(replied: int, mature: int) -> tuple[str, str]:
    """Return a rate and its counts; counts and "too few for a rate" where there are too few."""
    if not mature:
        return words.DASH, "no send counted"
    counts = f"{replied:,} of {mature:,}"
    if mature < THIN_SENDS:
        return counts, "too few for a rate"
    return words.percent(replied / mature), counts


# ------------------------------------------------------------------ frames


def moves(c: pl.DataFrame) -> pl.DataFrame:
    """Return what both charts draw of the lines with two rates (of `compared`), the largest fall first: MOVES."""
    rows = []
    for r in c.filter("enough").iter_rows(named=True):
        tip = (
            f"{words.line_name(r['line'])}, {words.plain_state(r['health']).lower()}: "
            f"{words.count(r['a_day_before'])} → {words.count(r['a_day_now'])} sends a day, "
            f"answered {_told(r, 'before')} → {_told(r, 'now')}"
        )
        named = r["fell"] or r["health"] in ("AT_RISK", "CRITICAL")
        rows.append(
            (
                r["line"],
                r["a_day_before"],
                r["rate_before"],
                r["a_day_now"],
                r["rate_now"],
                r["times"],
                100 * r["points"],
                r["health"],
                r["fell"],
                r["fell"] or r["rose"] or abs(r["points"]) < MOVED,
                words.ending(r["line"]) if named else "",
                tip,
            )
        )
    return pl.DataFrame(rows, schema=MOVES, orient="row")


def _told(r: dict, name: str) -> str:
    return f"{words.percent(r[f'rate_{name}'])} ({r[f'replied_{name}']:,} of {r[f'mature_{name}']:,})"


def download(c: pl.DataFrame) -> pl.DataFrame:
    """Return the figures of all lines as the CSV has them: counts, sends a day, rates as shares, the difference in points."""
    sides = [
        pl.col(f"{name}_{side}").alias(f"{word}_{side}")
        for side in ("before", "now")
        for name, word in (
            ("known", "days"),
            ("outbound", "sends"),
            ("a_day", "sends_a_day"),
            ("mature", "counted"),
            ("replied", "answered"),
            ("rate", "rate"),
        )
    ]
    change = (100 * pl.col("points")).alias("change_points")
    return c.select("line", "health", "status", *sides, "times", change, "grew", "fell", "rose")


# ------------------------------------------------------------------ who the sends go to


KINDS = {
    "new": "Opening a conversation",
    "late": "Third or later unanswered",
    "rest": "All other sends",
}
MIX = pl.Schema({"kind": pl.String, "before": pl.Int64, "now": pl.Int64, "before_of": pl.Int64, "now_of": pl.Int64})
"""Sends of the fleet by kind (a key of KINDS) in both periods, beside all sends counted there; key kind."""


@dataclass(frozen=True)
class Mix:
    """Who the fleet's sends go to, how many opening sends were answered now (n, of), and sends after opt-outs (before, now)."""

    kinds: pl.DataFrame
    answered: tuple[int, int]
    opted_out: tuple[int, int]


def mix(days: pl.DataFrame, w: Window, young: int) -> Mix:
    """Return sends by kind in both periods.

    Days in which a line had been in the data for less than ``young`` days are left out: chats that began before look new there.
    """
    old = days.filter(pl.col("history_days") >= young)
    sides = [
        old.filter(pl.col("day").is_between(start, end))
        for start, end in ((w.before, w.start - timedelta(days=1)), (w.start, w.end))
    ]
    counts = []
    for side in sides:
        sent, new, late = (int(side[c].sum()) for c in ("outbound", "new_conversations", "unanswered_turns"))
        counts.append({"new": new, "late": late, "rest": sent - new - late, "all": sent})
    before, now = counts
    rows = [(kind, before[kind], now[kind], before["all"], now["all"]) for kind in KINDS]
    answered = (int(sides[1]["new_replied"].sum()), int(sides[1]["new_mature"].sum()))
    opted = tuple(int(side["sends_after_opt_out"].sum()) for side in sides)
    return Mix(pl.DataFrame(rows, schema=MIX, orient="row"), answered, (opted[0], opted[1]))


def mix_title(m: Mix) -> str:
    """Return the finding over the mix: whose share moved most, of openings and of follow-ups into silence."""
    moved: dict[str, tuple[float, float]] = {}
    for r in m.kinds.iter_rows(named=True):
        was, now = share(r["before"], r["before_of"]), share(r["now"], r["now_of"])
        if was is None or now is None:
            return "Who the sends go to"
        moved[r["kind"]] = (was, now)
    told = {"late": "go to people who do not answer", "new": "open a conversation"}
    for kind in sorted(told, key=lambda k: -abs(moved[k][1] - moved[k][0])):
        was, now = moved[kind]
        if abs(now - was) >= MIXED:
            return f"{'More' if now > was else 'Fewer'} sends {told[kind]}: {round(100 * now)} in 100, where {round(100 * was)} did"
    return "The sends go to the same kinds of chats as before"
