"""Hours of every line in; bursts of new conversations, what followed each, and the sentences about them out. Nothing is drawn here.

What a burst is: `signals.bursts`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from itertools import pairwise

import polars as pl

from analysis import pipeline
from analysis.pages import _words as words
from analysis.pages._store import Here
from analysis.schema import Explanation
from analysis.signals.bursts import DAY, USUAL_DAYS, runs, stretch, with_usual

PERIODS = (14, 30)
"""Days that can be chosen; the last one where the address names none."""
FOLLOW_HOURS = 72
"""A fall this long after a burst's start, or sooner, followed it."""
LEAST_SENDS = 30
"""Fewer than this give counts, no rate."""
LEAST_HOURS = 24 * 30
"""Fewer line-hours than this say nothing about how often falls come by themselves."""
OPENED = ("health", "history_days", "new_conversations", "new_mature", "new_replied")
"""Columns of SIGNALS_HOUR that tell when conversations were opened, and what is usual."""
HOUR = timedelta(hours=1)
BOUND = "\u00a0"
"""Between a figure and its unit where a line must not break."""
OUTCOMES = {
    "CRITICAL": "Critical",
    "AT_RISK": "At risk",
    "none": "No fall",
    "early": "Too early to say",
    "already": "Already critical",
    "unknown": "Health not known",
}
"""What followed a burst."""


@dataclass(frozen=True)
class Burst:
    """One burst of one line; instants are UTC."""

    line: str
    start: datetime
    end: datetime
    peak: int
    """Openers in its fullest 24 h."""
    usual: float | None
    """Openers in the line's usual day before it; None where there is no usual yet."""
    opened: int
    """Openers from start to end."""
    mature: int
    replied: int
    """Openers from start to end that are old enough to have been answered, and those that were."""
    outcome: str
    fall: Explanation | None
    fall_at: datetime | None
    key: str
    """The fall's word in an address, or empty."""

    @property
    def times(self) -> float | None:
        """How many times its usual day the line opened."""
        return self.peak / self.usual if self.usual else None

    @property
    def fell(self) -> bool:
        """Whether the line's health fell within FOLLOW_HOURS."""
        return self.fall_at is not None

    @property
    def hours(self) -> float:
        """How long it lasted."""
        return (self.end - self.start) / HOUR


@dataclass(frozen=True)
class Period:
    """Whole days of the store's zone, the last one that of the latest event."""

    days: int
    start: datetime
    """UTC instant at which the first day begins."""
    first: datetime
    """The same as wall-clock time, without a zone."""


def period(here: Here, days: int) -> Period:
    """Return the last so many days of the zone."""
    today = words.wall(here.as_of, here.zone).date()
    first = datetime.combine(today - timedelta(days=days - 1), time())
    return Period(days, words.instant(first.replace(tzinfo=here.zone).isoformat()), first)


def hours_read(here: Here) -> pl.DataFrame:
    """Return what of SIGNALS_HOUR bursts are told from, of every line, as far back as the longest period's usual reaches; key (line, hour)."""
    since = period(here, max(PERIODS)).start - timedelta(days=USUAL_DAYS) - 2 * DAY
    return here.read(pipeline.signals, grain="hour", since=since, columns=OPENED)


def measured(here: Here, p: Period) -> bool:
    """Return whether any line has an hour in a period with history enough to tell a new chat from an old one."""
    enough = pl.col("history_days") >= here.settings.young_line_days
    return not hours_read(here).filter(enough, pl.col("hour") >= p.start).is_empty()


def bursts(here: Here) -> list[Burst]:
    """Return the bursts that began in the longest period: those a fall followed first, then by openers in a day."""
    hours = hours_read(here)
    if not hours.height or not here.status["first_at"]:
        return []
    marked = with_usual(
        hours, here.lines(), young=here.settings.young_line_days, first_at=words.instant(here.status["first_at"])
    )
    since = period(here, max(PERIODS)).start
    falls = here.read(pipeline.transitions).filter(pl.col("kind") == "health", "worsening", pl.col("at") > since)
    fell = {line: list(zip(of["at"], of["new"], strict=True)) for (line,), of in falls.group_by("line")}
    by_line = words.by_line(here.read(pipeline.explanations, since=since))
    recent = marked.filter(pl.col("hour") > since - 2 * DAY)
    own_hours = recent.select("line", "hour", *OPENED).partition_by("line", as_dict=True)
    found = []
    for run in runs(recent.filter(pl.col("hour") >= since - DAY)):
        line, top, last = run["line"][0], run["hour"][0], run["hour"][-1]
        of_line = own_hours[(line,)]
        begin, done = (of_line["hour"].search_sorted(t, side="right") for t in (top - DAY, last))
        extent = of_line[begin:done]
        low, high = stretch(extent["new_conversations"].to_list(), run["least"][0] / 24)
        own = extent[low:high]
        start, end = own["hour"][0], own["hour"][-1] + HOUR
        if start < since:
            continue
        within = start + timedelta(hours=FOLLOW_HOURS)
        fall_at, to = min((f for f in fell.get(line, []) if start < f[0] <= within), default=(None, None))
        told = by_line.get(line, [])
        fall = next((e for e in told if e.kind == "health" and words.instant(e.at) == fall_at), None)
        found.append(
            Burst(
                line,
                start,
                end,
                int(run["day_sum"].max() or 0),  # type: ignore[arg-type]
                run["usual"][0],
                int(own["new_conversations"].sum()),
                int(own["new_mature"].sum()),
                int(own["new_replied"].sum()),
                _outcome(to, own["health"][0], here.as_of - start),
                fall,
                fall_at,
                words.change_key(fall, told) if fall else "",
            )
        )
    return sorted(found, key=lambda b: (not b.fell, -b.peak, b.line, b.start))


def _outcome(to: str | None, health: str | None, since: timedelta) -> str:
    if to is not None:
        return to
    if health == "CRITICAL":
        return "already"
    if since < timedelta(hours=FOLLOW_HOURS):
        return "early"
    return "unknown" if health is None else "none"


# ------------------------------------------------------------------ sentences


def sentence(found: Iterable[Burst], days: int, *, opened: int, measured: bool = True) -> str:
    """Return the page's finding: how many bursts, and how many of them a fall followed.

    Args:
        found: the bursts of the period.
        days: length of the period.
        opened: conversations opened in it.
        measured: whether any line has history enough to tell a new chat from an old one.
    """
    rows = list(found)
    n, fell = len(rows), sum(b.fell for b in rows)
    early = sum(b.outcome == "early" for b in rows)
    if not opened:
        return f"No conversation was opened in {days} days."
    if not n and not measured:
        return "Too little data to tell a burst: every line is in its first days, when old chats may look new."
    if not n:
        return f"No burst in {days} days: no line opened well above its usual."
    unknown = sum(b.outcome == "unknown" for b in rows)
    if unknown == n:
        return f"{words.plural(n, 'burst')} in {days} days; the health of {'its line' if n == 1 else 'their lines'} is not known."
    if early == n:
        return f"{words.plural(n, 'burst')} in {days} days; it is too recent to say what followed."
    if n == 1:
        what = "it was followed by a fall" if fell else "no fall followed"
        return f"1 burst in {days} days; {what} within {FOLLOW_HOURS} hours."
    what = f"{fell} {'was' if fell == 1 else 'were'} followed by a fall" if fell else "none was followed by a fall"
    rest = f", {early} {'is' if early == 1 else 'are'} too recent to say" if early else ""
    rest += f", {unknown} {'is on a line' if unknown == 1 else 'are on lines'} of unknown health" if unknown else ""
    return f"{n} bursts in {days} days; {what} within {FOLLOW_HOURS} hours{rest}."


def as_text(finding: str, found: Iterable[Burst], here: Here) -> str:
    """Return the page as text: its finding, and a row a burst."""
    told = [
        f"- {words.line_name(b.line)}, {words.moment(b.start, here.zone)}: {b.peak:,} opened in 24 h, usually {usual_words(b)}. {followed_words(b)}."
        for b in found
    ]
    return "\n".join([finding, *told, f"Data to {words.moment(here.as_of, here.zone, year=True)}."])


def chart_title(found: Iterable[Burst]) -> str:
    """Return the finding over the chart: the burst that was the most times its line's usual."""
    known = [b for b in found if b.usual]
    if not known:
        return "No burst can be drawn against a usual"
    top = max(known, key=lambda b: b.times or 0)
    after = f", and {OUTCOMES[top.outcome].lower()} {words.lasting(since_start(top))} later" if top.fell else ""
    return f"The steepest: {words.ending(top.line)} opened {top.peak:,} in a day, usually {usual_words(top)}{after}"


def compared(found: Iterable[Burst], rate: tuple[int, int]) -> str:
    """Return how often a fall followed a burst, beside how often one follows any other hour of the same period.

    Args:
        found: the bursts shown.
        rate: hours outside bursts that a fall followed, and all of them.
    """
    told = [b for b in found if b.outcome in ("none", "AT_RISK", "CRITICAL")]
    hit, n = sum(b.fell for b in told), len(told)
    followed, hours = rate
    if not n or hours < LEAST_HOURS:
        return ""
    share = f" ({words.percent(hit / n)})" if n >= LEAST_SENDS else ""
    return (
        f"A fall within {FOLLOW_HOURS} h followed {hit:,} of {words.plural(n, 'burst')}{share} old enough to tell, "
        f"and {words.percent(followed / hours)} of all other hours ({followed:,} of {hours:,} line-hours)."
    )


def since_start(b: Burst) -> float:
    """Return hours from the burst's start to its fall; 0 without one."""
    return (b.fall_at - b.start) / HOUR if b.fall_at else 0.0


def _rounded(n: float | None) -> float | None:
    return None if n is None else round(n, 1) if n < 10 else float(round(n))


def usual_words(b: Burst) -> str:
    """Return the usual day in openers."""
    return words.count(_rounded(b.usual)) if b.usual else "no usual yet"


def times_words(b: Burst) -> str:
    """Return "31 ×", one decimal below ten, a dash where there is no usual."""
    if b.times is None:
        return words.DASH
    return f"{b.times:.1f}{words.THIN}×" if b.times < 10 else f"{b.times:,.0f}{words.THIN}×"


def followed_words(b: Burst) -> str:
    """Return what followed a burst, with the time from its start."""
    if b.fall_at is None:
        return OUTCOMES[b.outcome]
    return f"{OUTCOMES[b.outcome]} after {words.lasting(since_start(b))}"


# ------------------------------------------------------------------ gaps


def gaps(sent: pl.DataFrame) -> list[float]:
    """Return minutes between openers next to each other in time; ``sent`` holds their instants as ``at``."""
    times = sent["at"].sort().to_list()
    return [(after - before) / timedelta(minutes=1) for before, after in pairwise(times)]


def gaps_of(found: list[Burst], here: Here) -> list[tuple[Burst, list[float]]]:
    """Return bursts, each with the minutes between its openers."""
    spans = tuple((b.line, b.start, b.end) for b in found)
    sent = here.read(pipeline.openers_within, spans=spans).partition_by("line", "start", as_dict=True)
    return [(b, gaps(sent[b.line, b.start]) if (b.line, b.start) in sent else []) for b in found]


def gap_words(minutes: float | None) -> str:
    """Return "40 s", "4.5 min", "52 min", "3 h"."""
    if minutes is None:
        return words.DASH
    if minutes < 1:
        return f"{round(60 * minutes)}{BOUND}s"
    if minutes < 10:
        return f"{minutes:.1f}".removesuffix(".0") + f"{BOUND}min"
    return f"{round(minutes)}{BOUND}min" if minutes < 120 else f"{round(minutes / 60)}{BOUND}h"
