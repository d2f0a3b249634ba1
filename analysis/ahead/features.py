"""Hourly signals and health spells in, what was known of each line at each hour out: the inputs of every forecast.

Every feature at an hour uses rows of that hour and before, and of replies only those whose window had passed by then, so that the
same figures come out of a store that ends there.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analysis.ahead.rows import Rows, by_lines, instants, keys_of, last_by, times_of, up_to
from analysis.explain.constants import HOUR
from analysis.schema import INSTANT
from analysis.signals.grid import Bools, Ints

DAY = 24
"""Hours in a day: windows count rows, and the calendar below has a row for every hour."""
USUAL_HOURS, USUAL_GAP = 28 * DAY, 2 * DAY
"""A line's usual: its healthy hours of 28 days, up to two days before (method sheet, 2.9: plain scores against the own past)."""
USUAL_DAILY = ("new_conversations", "unanswered_turns")
PEAKS = ("peak_new_1h", "peak_recipients_24h")
USUAL_DAYS = 5.0
"""Below so many healthy days every ratio to the usual counts for less, down to nothing."""
FEW = {"outbound": 5.0, "new_conversations": 3.0, "unanswered_turns": 3.0, "peak": 4.0, "inbound": 3.0}
"""Added to both sides of every ratio, so that few of either are near each other (method sheet, 2.5)."""
REPLY_PRIOR, FLEET_PRIOR, FLEET_RATE = 20.0, 100.0, 0.35
"""Sends at the fleet's rate that a line's usual rate is drawn by (method sheet, 2.4); the fleet's own is drawn to a common one."""
FAIL_PRIOR, FAIL_RATE = 60.0, 0.02
ILL_PRIOR, ILL_RATE = 10.0, 0.02
"""The same for failures and for chats at risk or critical (method sheet, 2.4)."""
SPREAD = 1.6
"""Replies scatter wider than by chance: variance against a binomial's (method sheet, 2.5)."""
HIGH = 0.98
"""Quantile of a line's hourly peaks that counts as its usual largest."""
FADE_DAYS = 7.0
"""A past spell weighs half as much a week later (method sheet, 2.9)."""

NAMES = {
    "few_replies_2d": "engagement",
    "few_replies_7d": "engagement",
    "silent_today": "engagement",
    "late_follow_ups": "engagement",
    "ill_chats": "engagement",
    "ill_chats_rise": "engagement",
    "failures": "deliverability",
    "openers": "new_conversations",
    "openers_hour": "new_conversations",
    "openers_silent": "new_conversations",
    "recipients": "recipient_spread",
    "volume": "send_pace",
    "volume_silent": "send_pace",
    "pace": "send_pace",
    "after_opt_out": "opt_outs",
    "opted_out_rise": "opt_outs",
    "flagged": "flagged",
    "at_risk": "unexplained",
    "spell_lately": "unexplained",
    "spells": "unexplained",
    "young": "unexplained",
}
"""Features, each with the driver it speaks for; ``unexplained`` is the line's own record, no cause."""

FACTS = (
    "sends_24h", "usual_sends", "received_24h", "received_usual", "new_24h", "usual_new", "failed_24h", "usual_failed", "late_24h",
    "late_3d", "usual_late", "after_opt_out_3d", "ill", "active", "busy_sends", "busy_new", "usual_days", "past_sends",
)  # fmt: skip
"""The counts behind them: of the last 24 h or three days, the usual of a day, and what the busiest usual days reach."""

COUNTS = (
    "outbound", "inbound", "failed", "mature", "replied", "new_conversations", "peak_recipients_24h", "peak_new_1h", "unanswered_turns",
    "sends_after_opt_out", "chats_active", "chats_at_risk", "chats_critical", "chats_opted_out", "health", "status",
)  # fmt: skip
"""The columns of SIGNALS_HOUR that all of it, the gate and thresholds rest on, beside its key."""

HOURLY = pl.Schema(
    {"line": pl.String, "hour": INSTANT, "health": pl.String, "status": pl.String, "known_days": pl.Float64}
    | dict.fromkeys((*NAMES, *FACTS), pl.Float64)
)
"""What was known at the end of each hour, key (line, hour). Features are near 0 on an ordinary day, and mostly within -3 to 3."""


def known_by_hour(
    hours: pl.DataFrame,
    spells: pl.DataFrame,
    *,
    as_of: datetime,
    every: int | None = 1,
    fleet: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Return the features of every line at the end of hours from its first message to as_of.

    Args:
        hours: SIGNALS_HOUR of all lines; where it has ``blind`` (signals.gaps.seen), answers of these hours are not known, and not missed.
        spells: SPELLS, for the record of past trouble.
        as_of: UTC; rows of later hours are left out.
        every: keep only hours that end at a multiple of so many hours of the UTC day, whatever the hour of as_of, and as_of's; None: this one.
        fleet: SIGNALS_HOUR of the whole fleet, for its rate of replies, where ``hours`` are of a few of its lines.

    Returns:
        HOURLY, in order of line and hour.
    """
    end = as_of.replace(minute=0, second=0, microsecond=0)
    inside = up_to(hours, end)
    if inside.is_empty():
        return pl.DataFrame(schema=HOURLY)
    rate, found = _FleetRate.of(inside if fleet is None else up_to(fleet, end)), []
    for some in by_lines(inside):
        rows = Rows.of(some, end)
        asked = rows.every(every)
        # Polars divides a row alone otherwise in the last digit: x / 24 is x * (1 / 24) of several
        at = asked if len(asked) > 1 else asked.repeat(2)
        known = _with_scores(_known(rows, at, rate).hstack(_record(rows, at, spells)))[: len(asked)]
        found.append(known.select(HOURLY.names()).cast(dict(HOURLY)))  # type: ignore[arg-type]
    return pl.concat(found)


@dataclass(frozen=True)
class _FleetRate:
    """The fleet's rate of replies as known at the end of each hour, from the first on (whole hours since 1970)."""

    first: int
    rates: NDArray[np.float64]

    @classmethod
    def of(cls, hours: pl.DataFrame) -> _FleetRate:
        """Return it of SIGNALS_HOUR of the fleet; what was sent counts once its reply window has passed."""
        hour = times_of(hours, "hour") // HOUR
        first = int(hour.min())
        mature, replied = (
            np.concatenate((np.zeros(DAY), np.bincount(hour - first, weights=hours[name].to_numpy()).cumsum()))
            for name in ("mature", "replied")
        )
        return cls(first, (replied + FLEET_RATE * FLEET_PRIOR) / (mature + FLEET_PRIOR))

    def at(self, times: Ints) -> NDArray[np.float64]:
        """Return it at the end of some hours (milliseconds since 1970): before the first the common rate."""
        return self.rates[np.clip(times // HOUR - self.first, 0, len(self.rates) - 1)]


def _known(rows: Rows, at: Ints, rate: _FleetRate) -> pl.DataFrame:
    """Return what is counted at some rows: of the last hours, and what is usual a day.

    Usual are sums over healthy hours of four weeks, up to two days ago; sends count as answered or not once their reply window had passed.
    """
    well = rows.is_state("health", "HEALTHY", unknown=True) & rows.is_state("status", "ACTIVE", unknown=True)
    names = ("outbound", "inbound", "failed", "new_conversations", "unanswered_turns", "sends_after_opt_out", *PEAKS)
    counts = {name: rows.count(name) for name in names}
    settled = {name: rows.shifted(rows.count(name), DAY) for name in ("mature", "replied")}
    states = {name: rows.state(name) for name in ("chats_active", "chats_opted_out")}
    ill, seen = rows.state("chats_at_risk") + rows.state("chats_critical"), 1 - rows.state("blind")

    def lately(what: Any, hours: int) -> Any:
        return rows.summed(what, hours, at)

    def usual(what: Any) -> Any:
        return rows.summed(what * well, USUAL_HOURS, at, until=USUAL_GAP)

    place = at - rows.begin[at]
    columns = {
        **{f"{name}_usual": usual(counts[name]) for name in ("outbound", "inbound", "failed", *USUAL_DAILY)},
        **{f"{name}_usual": usual(of) for name, of in settled.items()},
        "ill_usual": usual(ill),
        "chats_active_usual": usual(states["chats_active"]),
        "well_hours": usual(np.ones(len(well))),
        "sends_past": rows.summed(counts["outbound"], USUAL_HOURS, at, until=USUAL_GAP),
        "hours_past": np.clip(place + 1 - USUAL_GAP, 0, USUAL_HOURS),
        "sends_24h": lately(counts["outbound"], DAY),
        "sends_3h": lately(counts["outbound"], 3),
        "received_24h": lately(counts["inbound"] * seen, DAY),
        "answerable_24h": lately(counts["outbound"] * seen, DAY),
        "new_24h": lately(counts["new_conversations"], DAY),
        "failed_24h": lately(counts["failed"], DAY),
        "late_24h": lately(counts["unanswered_turns"], DAY),
        "late_3d": lately(counts["unanswered_turns"], 3 * DAY),
        "after_opt_out_3d": lately(counts["sends_after_opt_out"], 3 * DAY),
        **{f"{name}_{days}d": lately(of, days * DAY) for name, of in settled.items() for days in (2, 7)},
        **{f"{name}_day": rows.largest(counts[name], DAY, at) for name in PEAKS},
        "ill": ill[at],
        **{name: of[at] for name, of in states.items()},
        **{f"{name}_before": of[np.maximum(at - 3 * DAY, rows.begin[at])] for name, of in states.items()},
        "fleet_rate": rate.at(rows.hour[at]),
        "known_hours": place + 1,
        **_busy(rows, at, well, counts),
    }
    return pl.DataFrame(columns).with_columns(
        rows.lines.names.gather(rows.number[at]).alias("line"),
        instants(rows.hour[at]).alias("hour"),
        *(rows.words(name, at).alias(name) for name in ("health", "status")),
    )


def _busy(rows: Rows, at: Ints, well: Bools, counts: dict[str, Ints]) -> dict[str, Any]:
    """Return what the largest of a line's usual hours reach; 0 without one."""
    every = np.arange(len(well))
    what = {
        "busy_sends": rows.summed(counts["outbound"], DAY, every),
        "busy_new": rows.summed(counts["new_conversations"], DAY, every),
        "busy_recipients": counts["peak_recipients_24h"],
        "busy_hour": counts["peak_new_1h"],
    }
    first = np.flatnonzero(rows.begin == every).tolist()
    found = {}
    for name, of in what.items():
        past = pl.Series(rows.shifted(of * well, USUAL_GAP))
        high = [
            own.rolling_quantile(HIGH, interpolation="linear", window_size=USUAL_HOURS, min_samples=1)
            for own in (past.slice(a, b - a) for a, b in zip(first, [*first[1:], len(past)], strict=True))
        ]
        found[name] = pl.concat(high).to_numpy()[at]
    return found


def _log_ratio(seen: pl.Expr, usual: pl.Expr, few: float) -> pl.Expr:
    return (((seen + few) / (usual + few)).log(2) * pl.col("known")).clip(-4, 4)


def _short_of(replied: pl.Expr, expected: pl.Expr, rate: pl.Expr) -> pl.Expr:
    """Return by how many standard deviations replies are short of the usual."""
    return ((expected - replied) / (SPREAD * expected * (1 - rate) + 1).sqrt()).clip(-4, 6)


def _with_scores(rows: pl.DataFrame) -> pl.DataFrame:
    def daily(name: str) -> pl.Expr:
        return ((pl.col(f"{name}_usual") + 0.5) / (pl.col("days") + 0.5)).alias(f"usual_{name}")

    rows = rows.with_columns(days=pl.col("well_hours") / DAY)
    rows = rows.with_columns(
        *[daily(c) for c in ("outbound", "inbound", *USUAL_DAILY)],
        usual_rate=(pl.col("replied_usual") + REPLY_PRIOR * pl.col("fleet_rate"))
        / (pl.col("mature_usual") + REPLY_PRIOR),
        usual_failed=(pl.col("failed_usual") + FAIL_PRIOR * FAIL_RATE) / (pl.col("outbound_usual") + FAIL_PRIOR),
        usual_ill=(pl.col("ill_usual") + ILL_RATE * ILL_PRIOR * DAY) / (pl.col("chats_active_usual") + ILL_PRIOR * DAY),
        past_sends=pl.col("sends_past") / (pl.col("hours_past") / DAY).clip(1.0),
        known=(pl.col("days") / USUAL_DAYS).clip(0, 1),
    )
    sends, rate = pl.col("sends_24h"), pl.col("usual_rate")
    gone, gone_before = (
        pl.col(f"chats_opted_out{when}") / (pl.col(f"chats_active{when}") + 5) for when in ("", "_before")
    )
    rows = rows.with_columns(
        received_usual=pl.col("answerable_24h") * (pl.col("usual_inbound") + 1) / (pl.col("usual_outbound") + 1),
        ill_share=pl.col("ill") / (pl.col("chats_active") + 5),
    )
    fails = pl.col("usual_failed") * sends
    rows = rows.with_columns(
        few_replies_2d=_short_of(pl.col("replied_2d"), rate * pl.col("mature_2d"), rate),
        few_replies_7d=_short_of(pl.col("replied_7d"), rate * pl.col("mature_7d"), rate),
        silent_today=-_log_ratio(pl.col("received_24h"), pl.col("received_usual"), FEW["inbound"]),
        late_follow_ups=_log_ratio(pl.col("late_3d") / 3, pl.col("usual_unanswered_turns"), FEW["unanswered_turns"]),
        ill_chats=(pl.col("ill_share") / 0.1).clip(0, 6),
        ill_chats_rise=((pl.col("ill_share") - pl.col("usual_ill")) / 0.1).clip(-3, 6),
        failures=((pl.col("failed_24h") - fails) / (SPREAD * fails + 1).sqrt()).clip(-2, 8),
        openers=_log_ratio(pl.col("new_24h"), pl.col("usual_new_conversations"), FEW["new_conversations"]),
        openers_hour=_log_ratio(pl.col("peak_new_1h_day"), pl.col("busy_hour"), FEW["peak"]),
        recipients=_log_ratio(pl.col("peak_recipients_24h_day"), pl.col("busy_recipients"), FEW["peak"]),
        volume=_log_ratio(sends, pl.col("usual_outbound"), FEW["outbound"]),
        pace=_log_ratio(8 * pl.col("sends_3h"), pl.col("usual_outbound"), FEW["outbound"]),
        after_opt_out=(1 + pl.col("after_opt_out_3d")).log(2).clip(0, 6),
        opted_out_rise=((gone - gone_before) / 0.05).clip(-3, 6),
        flagged=(pl.col("status") == "FLAGGED").fill_null(False).cast(pl.Float64),
        at_risk=(pl.col("health") == "AT_RISK").fill_null(False).cast(pl.Float64),
        spell_lately=(0.5 ** (pl.col("ended_days") / FADE_DAYS)).fill_null(0.0),
        spells=(1 + pl.col("so_far")).log(2).clip(0, 4),
        young=(1 - pl.col("days") / 14).clip(0, 1),
        known_days=pl.col("known_hours") / DAY,
        usual_sends="usual_outbound",
        usual_new="usual_new_conversations",
        usual_late="usual_unanswered_turns",
        active="chats_active",
        usual_days="days",
    )
    short = pl.col("silent_today").clip(0, 3)
    return rows.with_columns(
        openers_silent=pl.col("openers").clip(0) * short, volume_silent=pl.col("volume").clip(0) * short
    )


def _record(rows: Rows, at: Ints, spells: pl.DataFrame) -> pl.DataFrame:
    """Return the lines' record at the end of some rows' hours: days since the last spell of trouble ended, and how many had begun."""
    bad = spells.filter(pl.col("kind") == "health", pl.col("state") != "HEALTHY", pl.col("start_at").is_not_null())
    starts, ends = rows.lines.keys(bad, "start_at"), rows.lines.keys(bad, "end_at")
    number, till = rows.number[at], rows.hour[at] + HOUR
    ended = last_by(ends, keys_of(number, till))
    begun = np.searchsorted(starts, keys_of(number, till), side="right")
    return pl.DataFrame(
        {
            "ended_days": (instants(till) - instants(ended)).dt.total_seconds() / 86_400,
            "so_far": begun - np.searchsorted(starts, keys_of(number, np.zeros_like(till))),
        }
    )
