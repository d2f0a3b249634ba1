"""One state of the store in; what the fleet page says and draws out: its sentence, its tiles, its rows, its pictures' frames."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from analysis import pipeline
from analysis.charts import Theme, as_image, ribbon_svg, spark_svg
from analysis.charts.fleet import CAUSES, CODES, RIBBONS
from analysis.pages import _words as words
from analysis.pages._frames import clipped, fleet_numbers, ms, wall_ms
from analysis.pages._state import State as Here
from analysis.schema import SEVERITY, Explanation

DAYS = 30
MANY = 50
WEEK = timedelta(days=7)
NO_ROOM = ("health", "stale")
"""What binds a line that may open nothing whatever it opened: no share of its head-room is told."""
ROOM = 0.04
"""Part of the window that a cause's letters take: the second of two falls nearer than this goes without."""


@dataclass(frozen=True)
class Row:
    """One line as the fleet's rows and table show it."""

    line: str
    health: str | None
    status: str | None
    hours_so: float | None
    since: str
    reason: Explanation | None
    key: str
    numbers: dict
    spells: list[tuple[float, float, str | None]]
    gate: dict
    """Its row of GATE."""
    lost: list[tuple[float, float]]
    """Times of the window without data, its own and the fleet's, in ms."""

    @property
    def cause(self) -> str:
        """The main cause of its last fall, in words; empty where it needs nobody."""
        return words.DRIVER_WORDS[self.reason.drivers[0].driver] if self.reason and self.needs else ""

    @property
    def step(self) -> str:
        """What to do first; empty where it needs nobody."""
        return str(self.reason.actions[0]["action"]) if self.reason and self.needs and self.reason.actions else ""

    def holds(self, text: str) -> bool:
        """Whether a text is in its number (digits), its state, its cause, its reason or its next step."""
        if not any(c.isalpha() for c in text):
            return "".join(c for c in text if c.isdigit()) in self.line
        told = [
            words.plain_state(self.worst),
            self.cause,
            self.step,
            self.reason.headline if self.reason and self.needs else "",
        ]
        return text.strip().lower() in " ".join(told).lower()

    @property
    def needs(self) -> bool:
        """Whether somebody must act: at risk, critical, or flagged by the carrier."""
        return self.health in ("AT_RISK", "CRITICAL") or self.status == "FLAGGED"

    @property
    def worst(self) -> str | None:
        """The state to show first: a flag counts where health itself is fine."""
        return "FLAGGED" if self.status == "FLAGGED" and self.health not in ("AT_RISK", "CRITICAL") else self.health


@dataclass(frozen=True)
class Fleet:
    """Everything the page shows, in the order in which it shows it."""

    rows: list[Row]
    falls: list[Explanation]
    window: tuple[float, float]
    week_ago: dict[str, int]
    """Lines by health, and flagged ones, 7 days before the newest data."""

    @property
    def needy(self) -> list[Row]:
        """Lines that need somebody, worst first."""
        return [r for r in self.rows if r.needs]


def fleet(here: Here) -> Fleet:
    """Return the fleet of one state of a store, worst line first; then by how long it has been so."""
    zone, as_of = here.zone, here.as_of
    lines, found = here.lines(), here.explanations()
    start = as_of - timedelta(days=DAYS)
    spells = clipped(here.read(pipeline.spells), lines, since=start, until=as_of)
    numbers = {r["line"]: r for r in fleet_numbers(here.read(pipeline.signals), as_of, zone).iter_rows(named=True)}
    drawn: dict[str, list[tuple[float, float, str | None]]] = {}
    for line, t0, t1, state in spells.select(
        "line", wall_ms(pl.col("start"), zone).alias("t0"), wall_ms(pl.col("end"), zone).alias("t1"), "state"
    ).iter_rows():
        drawn.setdefault(line, []).append((t0, t1, state))
    by_line = words.by_line(found)
    gates = {r["line"]: r for r in here.read(pipeline.gate).iter_rows(named=True)}
    lost = _lost(here.read(pipeline.gaps, since=start, until=as_of), start, as_of, here)
    rows = []
    for r in lines.iter_rows(named=True):
        own = by_line.get(r["line"], [])
        last = next((e for e in reversed(own) if words.worsened(e)), None)
        rows.append(
            Row(
                r["line"],
                r["health"],
                r["status"],
                (as_of - r["since"]).total_seconds() / 3600 if r["since"] else None,
                words.moment(r["since"], zone, weekday=False) if r["since"] else words.DASH,
                last,
                words.change_key(last, own) if last else "",
                numbers.get(r["line"], {}),
                drawn.get(r["line"]) or [(ms(max(start, r["first_at"] or start), zone), ms(as_of, zone), None)],
                gates.get(r["line"], {}),
                [*lost.get(None, []), *lost.get(r["line"], [])],
            )
        )
    rows.sort(key=lambda r: (-_rank(r), r.hours_so if r.hours_so is not None else 1e9, r.line))
    falls = [e for e in found if words.worsened(e) and words.instant(e.at) >= start]
    return Fleet(rows, falls, (ms(start, zone), ms(as_of, zone)), standing(here.read(pipeline.spells), as_of - WEEK))


def _lost(
    gaps: pl.DataFrame, start: datetime, end: datetime, here: Here
) -> dict[str | None, list[tuple[float, float]]]:
    """Return times without data by line (None: every line), clipped to the window, in ms of the wall clock."""
    found: dict[str | None, list[tuple[float, float]]] = {}
    for g in gaps.iter_rows(named=True):
        span = max(g["start_at"], start), min(g["end_at"] or end, end)
        found.setdefault(g["line"], []).append((ms(span[0], here.zone), ms(span[1], here.zone)))
    return found


def standing(spells: pl.DataFrame, at: datetime) -> dict[str, int]:
    """Return how many lines were in each state of health or status at a time, by SPELLS."""
    held = spells.filter(
        pl.col("start_at").is_null() | (pl.col("start_at") <= at), pl.col("end_at").is_null() | (pl.col("end_at") > at)
    )
    return dict(held.group_by("state").agg(pl.col("line").n_unique()).iter_rows())


def _rank(r: Row) -> int:
    return 2 * SEVERITY.get(r.health or "", 0) + (r.status == "FLAGGED") * 3


def sentence(f: Fleet) -> str:
    """Return the finding: how many lines need somebody, and the cause that most of them share."""
    needy, n = f.needy, len(f.rows)
    if not any(r.health or r.status for r in f.rows):
        return f"{words.plural(n, 'line')}, and no word yet on their health."
    if not needy:
        return "Your line is well." if n == 1 else f"None of your {n:,} lines needs you."
    if n == 1:
        return f"Your line needs you: {words.plain_state(needy[0].worst).lower()}."
    head = f"{len(needy):,} of {n:,} lines {'needs' if len(needy) == 1 else 'need'} you."
    causes = Counter(r.reason.drivers[0].driver for r in needy if r.reason)
    causes.pop("unexplained", None)
    if not causes:
        return head
    cause, times = max(causes.items(), key=lambda c: (c[1], c[0]))
    return f"{head} {words.FLEET_CLAUSES[cause].format(n=times)}" if times > 1 else head


def as_text(f: Fleet, here: Here) -> str:
    """Return the page's finding as text: its sentence, and each line that needs somebody with its reason and first step."""
    told = [sentence(f)]
    for r in f.needy:
        told.append(f"- {words.line_name(r.line)}, {words.plain_state(r.worst).lower()} {since_words(r)}")
        if r.reason:
            told.append(f"  {r.reason.headline}")
            told += [f"  First: {a['action']}" for a in r.reason.actions[:1]]
    return "\n".join([*told, f"Data to {words.moment(here.as_of, here.zone, year=True)}."])


def tiles(f: Fleet, here: Here) -> list[tuple[str | None, str, str]]:
    """Return state, figure and small print of each tile."""
    counts = here.status["counts_by_health"]
    ends = Counter(e.new for e in f.falls if words.instant(e.at) >= here.as_of - WEEK)
    now = {**counts, "FLAGGED": here.status["flagged"]}
    unknown = counts.get("unknown", 0)

    def week(state: str, fall: str) -> str:
        told = words.plural(ends[state], fall) if ends[state] else f"no {fall}"
        return f"{_since_last_week(now[state], f.week_ago.get(state, 0))}; {told} in 7 days"

    healthy = f"; {unknown:,} never scored" if unknown else ""
    return [
        ("CRITICAL", f"{counts['CRITICAL']:,}", week("CRITICAL", "fall")),
        ("AT_RISK", f"{counts['AT_RISK']:,}", week("AT_RISK", "fall")),
        ("FLAGGED", f"{here.status['flagged']:,}", week("FLAGGED", "flag")),
        ("HEALTHY", f"{counts['HEALTHY']:,}", _since_last_week(now["HEALTHY"], f.week_ago.get("HEALTHY", 0)) + healthy),
    ]


def _since_last_week(now: int, then: int) -> str:
    """Return "2 more than a week ago", "as a week ago"."""
    if now == then:
        return "as a week ago"
    return f"{abs(now - then):,} {'more' if now > then else 'fewer'} than a week ago"


def room_tile(f: Fleet) -> tuple[str, str]:
    """Return how much of today's head-room for new conversations is used, and the counts."""
    opened = sum(r.gate["new_today"] for r in f.rows if r.gate and r.gate["bound"] not in NO_ROOM)
    left = sum(r.gate["new_recipients_left_today"] for r in f.rows if r.gate)
    if not opened + left:
        return "None", "no line may open any today"
    return f"{words.percent(opened / (opened + left))} used", f"{opened:,} opened, {left:,} left today"


def used(gate: dict) -> float | None:
    """Return the share of a line's head-room of today that is used, in percent; None where it has none to use."""
    if not gate or gate["bound"] in NO_ROOM:
        return None
    whole = gate["new_today"] + gate["new_recipients_left_today"]
    return 100 * gate["new_today"] / whole if whole else None


def replies_tile(f: Fleet) -> tuple[str, str]:
    """Return the fleet's replies of 7 days: the rate, and its counts."""
    replied = sum(r.numbers.get("replied") or 0 for r in f.rows)
    mature = sum(r.numbers.get("mature") or 0 for r in f.rows)
    return rate(replied, mature)


def rate(replied: int, mature: int) -> tuple[str, str]:
    """Return a rate and its counts; under 30 sends the counts alone."""
    if not mature:
        return words.DASH, "no send counted"
    if mature < 30:
        return f"{replied:,} of {mature:,}", "too few for a rate"
    return words.percent(replied / mature), f"{replied:,} of {mature:,}"


def since_words(r: Row) -> str:
    """Return for how long the line has been so."""
    return f"for {words.lasting(r.hours_so)}" if r.hours_so is not None else "since before the data"


def pictures(
    r: Row, window: tuple[float, float], theme: Theme = "light", *, width: int = 180, height: int = 16, margin: int = 0
) -> tuple[str, str]:
    """Return the sparkline of replies and the ribbon of health of a row, as SVG."""
    low, high = r.numbers.get("low"), r.numbers.get("high")
    usual = (low, high) if low is not None and high is not None else None
    whole = max(1.0, window[1] - window[0])
    spark = spark_svg(
        r.numbers.get("rates") or [], usual=usual, theme=theme, height=max(26, height), margin=max(3, margin),
        lost=[((a - window[0]) / whole, (b - window[0]) / whole) for a, b in r.lost],
    )  # fmt: skip
    return spark, ribbon_svg(r.spells, window, theme=theme, width=width, height=height, margin=margin, lost=r.lost)


def images(r: Row, window: tuple[float, float], theme: Theme, **size: int) -> tuple[str, str]:
    """Return ``pictures`` as data URIs."""
    spark, ribbon = pictures(r, window, theme, **size)
    return as_image(spark), as_image(ribbon)


def ribbon_frames(f: Fleet, here: Here, rows: list[Row]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the frames of the ribbon chart: RIBBONS and CODES of the rows."""
    names = {r.line: words.line_name(r.line) for r in rows}
    ribbons = [
        (
            names[r.line],
            t0,
            t1,
            state,
            None,
            f"{names[r.line]}: {words.plain_state(state)} for {words.lasting((t1 - t0) / 3.6e6)}",
        )
        for r in rows
        for t0, t1, state in r.spells
    ]
    own = words.by_line(here.explanations())
    placed: dict[str, float] = {}
    codes = []
    for e in f.falls:
        if e.line not in names:
            continue
        at = ms(words.instant(e.at), here.zone)
        near = at - placed.get(e.line, -1e15) < ROOM * (f.window[1] - f.window[0])
        placed[e.line] = at if not near else placed[e.line]
        link = f"{words.line_key(e.line)} {words.change_key(e, own[e.line])}"
        told = f"{words.moment(words.instant(e.at), here.zone)}: {e.headline}"
        codes.append((names[e.line], at, "" if near else words.DRIVER_CODES[e.drivers[0].driver], link, told))
    return pl.DataFrame(ribbons, schema=RIBBONS, orient="row"), pl.DataFrame(codes, schema=CODES, orient="row")


def cause_counts(f: Fleet) -> pl.DataFrame:
    """Return falls of the window by main cause, most first: CAUSES."""
    counts = Counter(e.drivers[0].driver for e in f.falls)
    rows = [
        (f"{words.DRIVER_WORDS[d]} {words.DRIVER_CODES[d]}", n, d != "unexplained")
        for d, n in sorted(counts.items(), key=lambda c: (-c[1], c[0]))
    ]
    return pl.DataFrame(rows, schema=CAUSES, orient="row")


def causes_title(f: Fleet) -> str:
    """Return the finding over the bars of causes."""
    if not f.falls:
        return "No line fell"
    counts = Counter(e.drivers[0].driver for e in f.falls)
    n = max(counts.values())
    first, *others = sorted(cause for cause, falls in counts.items() if falls == n)
    if others:
        names = [words.DRIVER_WORDS[cause] for cause in (first, *others)]
        return f"{', '.join(names[:-1])} and {names[-1]}: {n} of {words.plural(len(f.falls), 'fall')} each"
    cause = first
    if cause == "unexplained":
        return f"{n} of {words.plural(len(f.falls), 'fall')} have no clear cause"
    return f"{words.DRIVER_WORDS[cause]}: main cause of {n} of {words.plural(len(f.falls), 'fall')}"


def table(rows: list[Row], f: Fleet, theme: Theme) -> pl.DataFrame:
    """Return the table of all lines as it is shown, a row a line in the order given."""
    data = []
    for r in rows:
        spark, ribbon = images(r, f.window, theme, width=180, height=36, margin=8)
        replied, mature = r.numbers.get("replied") or 0, r.numbers.get("mature") or 0
        data.append(
            (
                words.state_word(r.worst),
                words.line_name(r.line),
                r.since,
                ribbon,
                spark,
                100 * replied / mature if mature >= 30 else None,
                f"{replied:,} of {mature:,}",
                r.numbers.get("sends_a_day"),
                r.numbers.get("new_a_day"),
                r.gate.get("new_recipients_left_today"),
                used(r.gate),
                r.cause or None,
                r.step or None,
            )
        )
    schema = {
        "Health": pl.String,
        "Line": pl.String,
        "Since": pl.String,
        "Health, 30 days": pl.String,
        "Replies, 30 days": pl.String,
        "Replies, 7 d": pl.Float64,
        "Answered": pl.String,
        "Sends a day": pl.Float64,
        "New a day": pl.Float64,
        "New left": pl.Int64,
        "Used today": pl.Float64,
        "Main cause": pl.String,
        "Next step": pl.String,
    }
    return pl.DataFrame(data, schema=schema, orient="row")
