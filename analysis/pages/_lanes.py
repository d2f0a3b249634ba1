"""One line's hours and one explanation in; the lanes to draw out, main driver first, and what stayed within its usual, in words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl

from analysis.charts import ACTED, LANE, LANE_MARKS, LOST, Lane, Moment, Spec, Theme, lanes
from analysis.helped.words import KIND_WORDS
from analysis.pages._frames import healthy_before, ms, usual_range, wall_ms
from analysis.pages._words import THIN, act_words, count, instant, moment, percent, plain_state
from analysis.schema import Explanation
from analysis.settings import Settings

BEFORE, AFTER = timedelta(days=9), timedelta(days=3)
LATER_SHARE = 0.05
LEAST_COUNTED, LEAST_FAILED = 10, 3
"""Sends that a rate needs, and failures that a lane needs, before it counts as moved."""


@dataclass(frozen=True)
class Kind:
    """What one lane is: its words, its column in the trailing frame, the causes it shows, and which way is worse."""

    key: str
    title: str
    unit: str
    drivers: tuple[str, ...]
    percent: bool = False
    worse_low: bool = False

    @property
    def column(self) -> str:
        """The column that tells whether the signal left its usual."""
        return "chats_bad" if self.key == "chats" else self.key


KINDS = (
    Kind("replies", "Replies", "% of sends answered within 24 h, over the last 24 h", ("engagement",), True, True),
    Kind("failures", "Failed sends", "% of sends, over the last 24 h", ("deliverability", "flagged"), True),
    Kind("new", "New conversations", "opened in the last 24 h", ("new_conversations",)),
    Kind("recipients", "Distinct recipients", "in 24 h, at each send", ("recipient_spread",)),
    Kind("sends", "Sends", "in the last 24 h", ("send_pace", "repeated_content")),
    Kind("opt_outs", "Sends to opted-out chats", "in the last 24 h", ("opt_outs",)),
    Kind("unanswered", "Third or later unanswered", "follow-ups in the last 24 h", ("engagement",)),
    Kind("chats", "Chat health", "% of chats active in 7 days", ("engagement",), True),
)
"""Every lane, in the order in which lanes of equal weight are drawn."""
ALWAYS = ("replies", "sends")
SECOND = ("unanswered", "chats")
"""Lanes that stand beside their cause's first one, drawn only where they moved."""


@dataclass(frozen=True)
class Picture:
    """The lanes of one change: what to draw first, what else could be drawn, and sentences about the rest."""

    drawn: list[tuple[Kind, Lane]]
    quiet: list[tuple[Kind, Lane]]
    quiet_words: list[str]
    start: datetime
    end: datetime


def window(e: Explanation | None, as_of: datetime) -> tuple[datetime, datetime]:
    """Return what to draw: 9 days before it began to 3 days after the change; without a change the last 30 days."""
    if e is None:
        return as_of - timedelta(days=30), as_of
    began = instant(e.onset or e.at)
    return began - BEFORE, min(max(as_of, instant(e.at)), instant(e.at) + AFTER)


def picture(hours: pl.DataFrame, e: Explanation | None, settings: Settings, as_of: datetime) -> Picture:
    """Return the lanes of a change.

    Args:
        hours: what ``trailing`` gave for the line, from at least 28 days before the change began.
        e: the change; None draws what normal looks like.
        settings: for published numbers and the zone.
        as_of: latest event of the store.
    """
    start, end = window(e, as_of)
    change = instant(e.at) if e else end
    began = instant(e.onset or e.at) if e else end
    calm = healthy_before(hours, "at", began)
    seen = hours.filter(pl.col("at") >= start, pl.col("at") <= end)
    shares = {d.driver: d.share for d in e.drivers} if e else {}
    drawn: list[tuple[Kind, Lane]] = []
    quiet: list[tuple[Kind, Lane]] = []
    words: list[str] = []
    for kind in sorted(KINDS, key=lambda k: -_weight(k, shares)):
        usual = usual_range(calm, kind.column)
        lane = _lane(kind, seen, None if kind.key == "chats" else usual, change, settings)
        if not lane.rows.height:
            continue
        moved = _moved(kind, seen, usual, began, change)
        cause = _weight(kind, shares) >= LATER_SHARE and kind.key not in SECOND
        if cause or kind.key in ALWAYS or moved:
            drawn.append((kind, lane))
        else:
            quiet.append((kind, lane))
            words.append(_in_words(kind, seen, usual, began, change))
    return Picture(drawn, quiet, words, start, end)


def _weight(kind: Kind, shares: dict[str, float]) -> float:
    """Return the share of a lane's causes; second lanes of one cause weigh a little less than its first."""
    share = sum(shares.get(d, 0.0) for d in kind.drivers)
    return share * (0.5 if kind.key in SECOND else 1.0)


def _between(seen: pl.DataFrame, began: datetime, change: datetime) -> pl.DataFrame:
    return seen.filter(
        pl.col("at") > min(began, change - timedelta(hours=24)), pl.col("at") <= change + timedelta(hours=1)
    )


def _moved(
    kind: Kind, seen: pl.DataFrame, usual: tuple[float, float] | None, began: datetime, change: datetime
) -> bool:
    """Return whether the signal left its usual for the worse between its beginning and the change."""
    if usual is None:
        return False
    rows = _between(seen, began, change)
    if kind.key == "replies":
        rows = rows.filter(pl.col("mature") >= LEAST_COUNTED)
    if kind.key == "failures":
        rows = rows.filter(pl.col("failed") >= LEAST_FAILED)
    values = rows[kind.column].drop_nulls()
    return bool((values < usual[0]).any()) if kind.worse_low else bool((values > usual[1] * 1.2).any())


def _in_words(
    kind: Kind, seen: pl.DataFrame, usual: tuple[float, float] | None, began: datetime, change: datetime
) -> str:
    """Return a quiet signal's largest (for replies smallest) figure before the change, beside its usual."""
    values = _between(seen, began, change)[kind.column].drop_nulls()
    if not len(values):
        return f"{kind.title.lower()}: none counted"
    figure = values.min() if kind.worse_low else values.max()
    write = percent if kind.percent else count
    told = write(float(figure))  # type: ignore[arg-type]
    word = "at risk or critical chats" if kind.key == "chats" else kind.title.lower()
    bound = f", usual {write(usual[0])} to {write(usual[1])}" if usual else ""
    return f"{word} {'at least' if kind.worse_low else 'at most'} {told}{bound}"


def _lane(
    kind: Kind, seen: pl.DataFrame, usual: tuple[float, float] | None, change: datetime, settings: Settings
) -> Lane:
    zone = settings.zone
    if kind.key == "chats":
        value, edge, second = pl.col("chats_any"), pl.col("chats_bad"), pl.col("chats_critical")
    else:
        value = pl.col(kind.key)
        edge = value.clip(*usual) if usual else value
        second = pl.col("answered") if kind.key == "sends" else pl.lit(None, pl.Float64)
    rows = seen.select("at", t=wall_ms(pl.col("at"), zone), value=value, edge=edge, second=second, tip=_tip(kind, zone))
    if kind.key in ("recipients", "chats"):
        rows = rows.filter(pl.col("value").is_not_null())
    if not rows["value"].drop_nulls().len() or (kind.key in ("opt_outs", "chats") and not rows["value"].sum()):
        return Lane(kind.title, kind.unit, pl.DataFrame(schema=LANE))
    rows = _parts(rows, change)
    low, high = usual if usual else (None, None)
    marks = _peaks(rows, high) if kind.key == "new" and high is not None else pl.DataFrame(schema=LANE_MARKS)
    top = rows["value"].max()
    return Lane(
        kind.title,
        kind.unit,
        rows.select(LANE.names()),
        low,
        high,
        kind.percent,
        _reference(kind, float(top), settings),  # type: ignore[arg-type]
        second_word="answered" if kind.key == "sends" else "",
        marks=marks,
        mix=kind.key == "chats",
    )


def _parts(rows: pl.DataFrame, change: datetime) -> pl.DataFrame:
    """Split rows at the change; the last row before it begins the paler part too, so that the line has no gap."""
    before = rows.filter(pl.col("at") <= change).with_columns(part=pl.lit("before"))
    after = rows.filter(pl.col("at") > change).with_columns(part=pl.lit("after"))
    joint = before.tail(1).with_columns(part=pl.lit("after")) if after.height else before.clear()
    return pl.concat([before, joint, after]).sort("at", "part")


def _peaks(rows: pl.DataFrame, high: float) -> pl.DataFrame:
    """Return the highest hour of the three largest stretches above usual, with its count."""
    return (
        rows.filter(pl.col("value").is_not_null())
        .unique("t", keep="first", maintain_order=True)
        .with_columns(run=(pl.col("value") > high).rle_id())
        .filter(pl.col("value") >= max(1.2 * high, 3.0))
        .sort("value", "t", descending=[True, False])
        .unique("run", keep="first", maintain_order=True)
        .head(3)
        .select("t", "value", text=pl.col("value").cast(pl.Int64).cast(pl.String))
        .sort("t")
    )


def _reference(kind: Kind, top: float, settings: Settings) -> tuple[float, str] | None:
    """Return the published number of a lane where it is near enough to be drawn without flattening the data."""
    if kind.key == "replies":
        return (
            settings.ref_reply_floor,
            f"throttled below {percent(settings.ref_reply_floor)} · Linq help centre, medium confidence",
        )
    if kind.key == "new" and top * 2.5 >= settings.ref_new_per_day:
        return settings.ref_new_per_day, f"{settings.ref_new_per_day} a day · other vendors, reference only"
    return None


def _tip(kind: Kind, zone: ZoneInfo) -> pl.Expr:
    """Return an hour's figures in words: the value, and the counts behind a rate."""
    local = pl.col("at").dt.replace_time_zone("UTC").dt.convert_time_zone(str(zone))
    when = local.dt.strftime("%a %-d %b, %H:%M ")
    counts = {
        "replies": pl.format("{} of {} sends answered", "replied", "mature"),
        "failures": pl.format("{} of {} sends failed", "failed", "outbound"),
        "sends": pl.format("{} sends, {} answered", "outbound", "replied"),
        "chats": pl.format(
            "{}" + THIN + "% of {} active chats at risk or critical",
            (pl.col("chats_bad") * 100).round(0).cast(pl.Int64),
            "chats_active",
        ),
    }
    told = counts.get(
        kind.key,
        pl.format("{} " + kind.title.lower(), pl.col(kind.key if kind.key != "chats" else "chats_any").cast(pl.Int64)),
    )
    return pl.format("{}: {}", when, told.fill_null("nothing counted"))


def without_data(gaps: pl.DataFrame, pic: Picture, zone: ZoneInfo) -> pl.DataFrame:
    """Return the times of a picture of which nothing is known: LOST, gaps that overlap as one.

    gaps: GAPS of the line and of the whole fleet that touch the picture.
    """
    held = [
        (max(start, pic.start), min(end or pic.end, pic.end))
        for start, end in gaps.sort("start_at").select("start_at", "end_at").iter_rows()
    ]
    joined: list[tuple[datetime, datetime]] = []
    for start, end in held:
        if joined and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(joined[-1][1], end)
        elif start < end:
            joined.append((start, end))
    rows = [(ms(a, zone), ms(b, zone), f"No data from {moment(a, zone)} to {moment(b, zone)}") for a, b in joined]
    return pl.DataFrame(rows, schema=LOST, orient="row")


def did(actions: pl.DataFrame, pic: Picture, zone: ZoneInfo) -> pl.DataFrame:
    """Return what people did within a picture: ACTED; actions: ACTIONS of the line and of the whole fleet."""
    rows = [
        (ms(a["at"], zone), ms(a["at"], zone), a["label"] or KIND_WORDS[a["kind"]], f"{act_words(a['kind'], a['label'])}, {moment(a['at'], zone)}")
        for a in actions.sort("at").iter_rows(named=True)
        if pic.start <= a["at"] <= pic.end
    ]  # fmt: skip
    return pl.DataFrame(rows, schema=ACTED, orient="row")


def lanes_spec(
    shown: list[tuple[Kind, Lane]],
    states: pl.DataFrame,
    gaps: pl.DataFrame,
    done: pl.DataFrame,
    e: Explanation | None,
    pic: Picture,
    zone: ZoneInfo,
    theme: Theme,
) -> Spec:
    """Return the chart of a picture's lanes; ``states`` is ``clipped`` for the line, ``gaps`` what `without_data` needs, ``done`` as of `did`."""
    rows = states.select(t0=wall_ms(pl.col("start"), zone), t1=wall_ms(pl.col("end"), zone), state="state")
    began = changed = None
    if e is not None:
        at = instant(e.at)
        changed = Moment(ms(at, zone), f"{plain_state(e.new)} {moment(at, zone, weekday=False)}")
        if e.onset and instant(e.onset) < at:
            began = Moment(ms(instant(e.onset), zone), f"Began {moment(instant(e.onset), zone, weekday=False)}")
    return lanes(
        rows,
        [lane for _, lane in shown],
        window=(ms(pic.start, zone), ms(pic.end, zone)),
        began=began,
        changed=changed,
        new_state=e.new if e else None,
        lost=without_data(gaps, pic, zone),
        done=done,
        theme=theme,
    )
