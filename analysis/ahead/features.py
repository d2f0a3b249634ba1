"""Hourly signals and health spells in, what was known of each line at each hour out: the inputs of every forecast.

Every feature at an hour uses rows of that hour and before, and of replies only those whose window had passed by then, so that the
same figures come out of a store that ends there.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl

from analysis.schema import INSTANT

DAY = 24
"""Hours in a day: windows count rows, and the calendar below has a row for every hour."""
USUAL_HOURS, USUAL_GAP = 28 * DAY, 2 * DAY
"""A line's usual: its healthy hours of 28 days, up to two days before (method sheet, 2.9: plain scores against the own past)."""
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
BATCH = 200
"""Lines worked on at once: keeps memory flat on a large fleet."""

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

HOURLY = pl.Schema(
    {"line": pl.String, "hour": INSTANT, "health": pl.String, "status": pl.String, "known_days": pl.Float64}
    | dict.fromkeys((*NAMES, *FACTS), pl.Float64)
)
"""What was known at the end of each hour, key (line, hour). Features are near 0 on an ordinary day, and mostly within -3 to 3."""


def known_by_hour(
    hours: pl.DataFrame, spells: pl.DataFrame, *, as_of: datetime, every: int = 1, fleet: pl.DataFrame | None = None
) -> pl.DataFrame:
    """Return the features of every line at the end of hours from its first message to as_of.

    Args:
        hours: SIGNALS_HOUR of all lines.
        spells: SPELLS, for the record of past trouble.
        as_of: UTC; rows of later hours are left out.
        every: keep only hours a multiple of so many before as_of's.
        fleet: SIGNALS_HOUR of the whole fleet, for its rate of replies, where ``hours`` are of a few of its lines.

    Returns:
        HOURLY, in order of line and hour.
    """
    end = as_of.replace(minute=0, second=0, microsecond=0)
    inside = hours.filter(pl.col("hour") <= end)
    if inside.is_empty():
        return pl.DataFrame(schema=HOURLY)
    rate, found = _fleet_rate(inside if fleet is None else fleet.filter(pl.col("hour") <= end)), []
    lines = inside["line"].unique().sort()
    kept = ((pl.lit(end) - pl.col("hour")).dt.total_hours() % every) == 0
    for some in (lines[i : i + BATCH] for i in range(0, len(lines), BATCH)):
        mine = pl.col("line").is_in(some.implode())
        rows = complete(inside.filter(mine), end).join(rate, on="hour", how="left", maintain_order="left")
        rows = rows.with_columns(
            pl.col("fleet_rate").forward_fill().over("line")
        )  # a day after the fleet's last message
        rows = _with_scores(_with_usual(rows)).filter(kept)
        rows = _with_record(rows, spells.filter(mine))
        found.append(rows.select(HOURLY.names()).cast(dict(HOURLY)))  # type: ignore[arg-type]
    return pl.concat(found)


def complete(inside: pl.DataFrame, end: datetime) -> pl.DataFrame:
    """Return rows of every hour up to the end: after a line's last message nothing is sent, and states stay as they were."""
    last = inside.group_by("line").agg(pl.col("hour").max()).filter(pl.col("hour") < end)
    hours = pl.datetime_ranges(pl.col("hour") + timedelta(hours=1), end, interval="1h", time_unit="ms")
    more = last.select("line", hours.alias("hour")).explode("hour").cast({"hour": INSTANT})
    states = ["health", "status", "chats_active", "chats_at_risk", "chats_critical", "chats_opted_out"]
    rows = pl.concat([inside, more], how="diagonal").sort("line", "hour")
    rows = rows.with_columns(pl.col(states).forward_fill().over("line")).with_columns(pl.col(pl.Int64).fill_null(0))
    well = (pl.col("health").fill_null("HEALTHY") == "HEALTHY") & (pl.col("status").fill_null("ACTIVE") == "ACTIVE")
    return rows.with_columns(well=well, m=_settled("mature"), r=_settled("replied"))


def _over(what: pl.Expr, hours: int) -> pl.Expr:
    return what.rolling_sum(hours, min_samples=1).over("line")


def _settled(name: str) -> pl.Expr:
    """Return counts of sends whose reply window had passed at the end of the row's hour."""
    return pl.col(name).shift(DAY).over("line").fill_null(0)


def _fleet_rate(hours: pl.DataFrame) -> pl.DataFrame:
    """Return the fleet's rate of replies as known at the end of each hour."""
    settled = hours.group_by("hour").agg(pl.col("mature", "replied").sum()).sort("hour")
    settled = settled.with_columns(pl.col("hour") + timedelta(hours=DAY), pl.col("mature", "replied").cum_sum())
    rate = (pl.col("replied") + FLEET_RATE * FLEET_PRIOR) / (pl.col("mature") + FLEET_PRIOR)
    every = pl.concat([hours.select("hour"), settled.select("hour")]).unique().sort("hour")
    return every.join_asof(settled.select("hour", fleet_rate=rate), on="hour").with_columns(
        pl.col("fleet_rate").fill_null(FLEET_RATE)
    )


def _with_usual(rows: pl.DataFrame) -> pl.DataFrame:
    """Add what is usual a day: means over healthy hours of four weeks, up to two days ago, drawn a little to 1 a day."""

    def mean(what: pl.Expr) -> pl.Expr:
        return _over((what * pl.col("well")).shift(USUAL_GAP).over("line").fill_null(0), USUAL_HOURS)

    def daily(name: str) -> pl.Expr:
        return ((mean(pl.col(name)) + 0.5) / (pl.col("days") + 0.5)).alias(f"usual_{name}")

    rows = rows.with_columns(days=mean(pl.lit(1.0)) / DAY)
    ill = pl.col("chats_at_risk") + pl.col("chats_critical")
    return rows.with_columns(
        *[daily(c) for c in ("outbound", "inbound", "new_conversations", "unanswered_turns")],
        usual_rate=(mean(pl.col("r")) + REPLY_PRIOR * pl.col("fleet_rate")) / (mean(pl.col("m")) + REPLY_PRIOR),
        usual_failed=(mean(pl.col("failed")) + FAIL_PRIOR * FAIL_RATE) / (mean(pl.col("outbound")) + FAIL_PRIOR),
        usual_ill=(mean(ill) + ILL_RATE * ILL_PRIOR * DAY) / (mean(pl.col("chats_active")) + ILL_PRIOR * DAY),
        past_sends=_over(pl.col("outbound").shift(USUAL_GAP).over("line").fill_null(0), USUAL_HOURS)
        / (
            _over(pl.col("outbound").shift(USUAL_GAP).over("line").is_not_null().cast(pl.Float64), USUAL_HOURS) / DAY
        ).clip(1.0),
        known=(pl.col("days") / USUAL_DAYS).clip(0, 1),
        busy_sends=_high(_over(pl.col("outbound"), DAY)),
        busy_new=_high(_over(pl.col("new_conversations"), DAY)),
        busy_recipients=_high(pl.col("peak_recipients_24h")),
        busy_hour=_high(pl.col("peak_new_1h")),
    )


def _high(what: pl.Expr) -> pl.Expr:
    """Return what the largest of a line's usual hours reach; 0 without one."""
    past = pl.when(pl.col("well")).then(what).otherwise(0).shift(USUAL_GAP).over("line").fill_null(0)
    return past.rolling_quantile(HIGH, interpolation="linear", window_size=USUAL_HOURS, min_samples=1).over("line")


def _log_ratio(seen: pl.Expr, usual: pl.Expr, few: float) -> pl.Expr:
    return (((seen + few) / (usual + few)).log(2) * pl.col("known")).clip(-4, 4)


def _short_of(replied: pl.Expr, expected: pl.Expr, rate: pl.Expr) -> pl.Expr:
    """Return by how many standard deviations replies are short of the usual."""
    return ((expected - replied) / (SPREAD * expected * (1 - rate) + 1).sqrt()).clip(-4, 6)


def _with_scores(rows: pl.DataFrame) -> pl.DataFrame:
    rows = rows.with_columns(
        sends_24h=_over(pl.col("outbound"), DAY),
        received_24h=_over(pl.col("inbound"), DAY),
        new_24h=_over(pl.col("new_conversations"), DAY),
        failed_24h=_over(pl.col("failed"), DAY),
        late_24h=_over(pl.col("unanswered_turns"), DAY),
        late_3d=_over(pl.col("unanswered_turns"), 3 * DAY),
        after_opt_out_3d=_over(pl.col("sends_after_opt_out"), 3 * DAY),
        ill=pl.col("chats_at_risk") + pl.col("chats_critical"),
    )
    sends, rate = pl.col("sends_24h"), pl.col("usual_rate")
    rows = rows.with_columns(
        received_usual=sends * (pl.col("usual_inbound") + 1) / (pl.col("usual_outbound") + 1),
        ill_share=pl.col("ill") / (pl.col("chats_active") + 5),
        gone=pl.col("chats_opted_out") / (pl.col("chats_active") + 5),
    )
    gone_before = pl.col("gone").shift(3 * DAY).over("line").fill_null(strategy="backward")
    fails = pl.col("usual_failed") * sends
    day_peak = lambda name: pl.col(name).rolling_max(DAY, min_samples=1).over("line")  # noqa: E731
    rows = rows.with_columns(
        few_replies_2d=_short_of(_over(pl.col("r"), 2 * DAY), rate * _over(pl.col("m"), 2 * DAY), rate),
        few_replies_7d=_short_of(_over(pl.col("r"), 7 * DAY), rate * _over(pl.col("m"), 7 * DAY), rate),
        silent_today=-_log_ratio(pl.col("received_24h"), pl.col("received_usual"), FEW["inbound"]),
        late_follow_ups=_log_ratio(pl.col("late_3d") / 3, pl.col("usual_unanswered_turns"), FEW["unanswered_turns"]),
        ill_chats=(pl.col("ill_share") / 0.1).clip(0, 6),
        ill_chats_rise=((pl.col("ill_share") - pl.col("usual_ill")) / 0.1).clip(-3, 6),
        failures=((pl.col("failed_24h") - fails) / (SPREAD * fails + 1).sqrt()).clip(-2, 8),
        openers=_log_ratio(pl.col("new_24h"), pl.col("usual_new_conversations"), FEW["new_conversations"]),
        openers_hour=_log_ratio(day_peak("peak_new_1h"), pl.col("busy_hour"), FEW["peak"]),
        recipients=_log_ratio(day_peak("peak_recipients_24h"), pl.col("busy_recipients"), FEW["peak"]),
        volume=_log_ratio(sends, pl.col("usual_outbound"), FEW["outbound"]),
        pace=_log_ratio(8 * _over(pl.col("outbound"), 3), pl.col("usual_outbound"), FEW["outbound"]),
        after_opt_out=(1 + pl.col("after_opt_out_3d")).log(2).clip(0, 6),
        opted_out_rise=((pl.col("gone") - gone_before) / 0.05).fill_null(0).clip(-3, 6),
        flagged=(pl.col("status") == "FLAGGED").fill_null(False).cast(pl.Float64),
        at_risk=(pl.col("health") == "AT_RISK").fill_null(False).cast(pl.Float64),
        young=(1 - pl.col("days") / 14).clip(0, 1),
        known_days=pl.int_range(1, pl.len() + 1).over("line") / DAY,
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


def _with_record(rows: pl.DataFrame, spells: pl.DataFrame) -> pl.DataFrame:
    """Add the line's record: how lately its last spell of trouble ended, and how many it had."""
    bad = spells.filter(pl.col("kind") == "health", pl.col("state") != "HEALTHY", pl.col("start_at").is_not_null())
    starts = bad.sort("line", "start_at").select(
        "line", at="start_at", so_far=pl.int_range(1, pl.len() + 1).over("line")
    )
    ends = bad.filter(pl.col("end_at").is_not_null()).select("line", at="end_at", ended="end_at").sort("line", "at")
    rows = rows.with_columns(till=(pl.col("hour") + timedelta(hours=1)).cast(INSTANT)).sort("till")
    for other in (starts, ends):
        rows = rows.join_asof(
            other.sort("at"), left_on="till", right_on="at", by="line", strategy="backward", check_sortedness=False
        )
        rows = rows.drop("at", strict=False)
    days = (pl.col("till") - pl.col("ended")).dt.total_seconds() / 86_400
    return rows.with_columns(
        spell_lately=(0.5 ** (days / FADE_DAYS)).fill_null(0.0),
        spells=(1 + pl.col("so_far").fill_null(0)).log(2).clip(0, 4),
    ).sort("line", "hour")
