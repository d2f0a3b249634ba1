"""What is known of every line now in, a decision per line out: send, slow or pause, and what is left of today.

Hard stops first: flagged and critical lines pause; a line at risk goes slow and opens nothing; new recipients go to healthy lines only.
On a healthy line what is left is the least of: the published limits, so many times its own busiest usual day, and the most new
conversations that keep its chance of turning worse under ``gate_risk`` in this model. Existing chats are never moved off a line.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from analysis.ahead.features import FEW, USUAL_DAYS
from analysis.ahead.forecast import Ahead
from analysis.ahead.model import FEATURES, Array, Model, matrix
from analysis.explain.words import count, percent, plural
from analysis.schema import GATE
from analysis.settings import Settings

MOST_MORE = 100
"""New conversations up to which the chance is worked out at least, for plans."""
_OPENERS, _SILENT, _SHORT = (FEATURES.index(name) for name in ("openers", "openers_silent", "silent_today"))


@dataclass(frozen=True)
class _Line:
    """One line's figures of today, and what its chance would be with more new conversations."""

    row: dict[str, Any]
    new_today: int
    new_this_hour: int
    sends_today: int
    messages_today: int
    chance: Array


def gate_of(
    ahead: Ahead,
    hours: pl.DataFrame,
    *,
    settings: Settings,
    newest: datetime | None,
    at: datetime,
    lost: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Return the decision for every line at one time.

    Args:
        ahead: what is known and forecast then.
        hours: SIGNALS_HOUR as known then: what was sent today and in this hour.
        settings: ``gate_*``, the published limits, and the zone that says when today began.
        newest: the newest event known then; older than ``gate_stale_hours`` before it, nothing is known of today.
        at: UTC; the time of the decision.
        lost: GAPS: on a day with one, what the line sent is not known, and it opens nothing.

    Returns:
        GATE, in order of line.
    """
    known = ahead.known.join(ahead.rows.select("line", "p_worse_24h"), on="line", maintain_order="left")
    if known.is_empty():
        return pl.DataFrame(schema=GATE)
    today, missing = _today(hours, at, settings), _missing(lost, at, settings)
    chances = _with_more(known, ahead.models[24], max(MOST_MORE, settings.gate_new_per_day))
    stale = newest is None or at - newest > timedelta(hours=settings.gate_stale_hours)
    rows = []
    for i, row in enumerate(known.iter_rows(named=True)):
        new, new_hour, sends, messages = today.get(row["line"], (0, 0, 0, 0))
        line = _Line(row, new, new_hour, sends, messages, chances[i])
        unknown = _too_old(at, newest) if stale else missing.get(row["line"], missing.get(None, ""))
        rows.append(_decided(line, at, settings, unknown))
    return pl.DataFrame(rows, schema=GATE, orient="row").sort("line")


def _too_old(at: datetime, newest: datetime | None) -> str:
    """Say why nothing is known of today where no event is new enough."""
    told = "There is no event"
    if newest is not None:
        told = f"The newest event is {plural(round((at - newest).total_seconds() / 3600), 'hour')} old"
    return f"{told}: what was sent today is not known. Open nothing new until newer data is loaded."


def _missing(lost: pl.DataFrame | None, at: datetime, settings: Settings) -> dict[str | None, str]:
    """Say by line (None: every line) what of today is not known because its deliveries are missing."""
    found: dict[str | None, str] = {}
    midnight = _midnight(at, settings)
    for gap in [] if lost is None else lost.sort("start_at").iter_rows(named=True):
        start, end = max(gap["start_at"], midnight), min(gap["end_at"] or at, at)
        if start < end:
            length = plural(max(1, round((end - start) / timedelta(minutes=1))), "minute")
            if end - start >= timedelta(hours=1):
                length = plural(round((end - start) / timedelta(hours=1)), "hour")
            found[gap["line"]] = (
                f"The deliveries of {length} of today are missing: what was sent then is not known. "
                "Open nothing new today, or pull them."
            )
    return found


def _midnight(at: datetime, settings: Settings) -> datetime:
    """Return when today began in the store's zone, UTC."""
    local = at.replace(tzinfo=UTC).astimezone(settings.zone)
    return local.replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC).replace(tzinfo=None)


def _today(hours: pl.DataFrame, at: datetime, settings: Settings) -> dict[str, tuple[int, int, int, int]]:
    """Return by line: openers of today and of this hour, sends and messages of today, by the store's zone."""
    midnight = _midnight(at, settings)
    this_hour = at.replace(minute=0, second=0, microsecond=0)
    counts = (
        hours.filter(pl.col("hour") >= midnight, pl.col("hour") <= at)
        .group_by("line")
        .agg(
            pl.col("new_conversations").sum(),
            pl.col("new_conversations").filter(pl.col("hour") == this_hour).sum().alias("hour_new"),
            pl.col("outbound").sum(),
            messages=(pl.col("outbound") + pl.col("inbound")).sum(),
        )
    )
    return {line: (new, hour, out, whole) for line, new, hour, out, whole in counts.iter_rows()}


def _with_more(known: pl.DataFrame, model: Model, most: int) -> Array:
    """Return the chance within 24 h of each line with 0 to ``most`` more new conversations; a row a line. Never falls with more."""
    x = matrix(known)
    more = np.arange(most + 1)
    new = known["new_24h"].to_numpy()[:, None] + more
    usual = known["usual_new"].to_numpy()[:, None]
    sure = known["openers"].to_numpy()[:, None]
    now = np.log2((new[:, :1] + FEW["new_conversations"]) / (usual + FEW["new_conversations"]))
    weight = np.divide(sure, now, out=np.ones_like(now), where=np.abs(now) > 1e-9).clip(0, 1)
    openers = np.clip(np.log2((new + FEW["new_conversations"]) / (usual + FEW["new_conversations"])) * weight, -4, 4)
    short = np.clip(x[:, _SHORT], 0, 3)[:, None]
    added = model.weights[1 + _OPENERS] * (openers - x[:, [_OPENERS]])
    added = added + model.weights[1 + _SILENT] * (np.clip(openers, 0, None) * short - x[:, [_SILENT]])
    z = model.logit(x)[:, None] + added
    return np.maximum.accumulate(1 / (1 + np.exp(-np.clip(z, -30, 30))), axis=1)


def _decided(line: _Line, at: datetime, settings: Settings, unknown: str) -> tuple[Any, ...]:
    decision, new, sends, bound, why = _verdict(line, settings)
    if unknown and decision == "send":
        decision, new, sends, bound, why = "slow", 0, min(sends, _slow_sends(line, settings)), "stale", unknown
    row = line.row
    return (
        row["line"],
        at,
        row["health"],
        row["status"],
        decision,
        new,
        sends,
        min(new, max(0, settings.gate_new_per_hour - line.new_this_hour)),
        settings.gate_new_gap_minutes,
        line.new_today,
        line.sends_today,
        bound,
        row["p_worse_24h"],
        *(row[name] if row["usual_days"] >= USUAL_DAYS else None for name in ("usual_sends", "usual_new")),
        json.dumps([round(float(p), 4) for p in line.chance]),
        why,
    )


def _slow_sends(line: _Line, settings: Settings) -> int:
    """Return what is left of the part of its usual day; of its past whatever its health, where it was never well for long."""
    day = line.row["usual_sends" if line.row["usual_days"] >= USUAL_DAYS else "past_sends"]
    return max(0, round(settings.gate_slow_share * day) - line.sends_today)


def _verdict(line: _Line, settings: Settings) -> tuple[str, int, int, str, str]:
    """Return decision, new recipients left, sends left, what binds, and why in words."""
    row, health = line.row, line.row["health"]
    if row["status"] == "FLAGGED":
        return (
            "pause",
            0,
            0,
            "health",
            "The carrier flags the line: send nothing until the flag is lifted, at least 24 h.",
        )
    if health == "CRITICAL":
        return "pause", 0, 0, "health", "Critical: pause sends; answer who writes. Keep its chats on this line."
    if health != "HEALTHY":
        left = _slow_sends(line, settings)
        known = "At risk" if health else "Its health is not known: no report of it is loaded"
        half = percent(settings.gate_slow_share)
        return (
            "slow",
            0,
            left,
            "health",
            f"{known}: nothing new here, {half} of its usual day of sends, to those who answer first.",
        )
    return _healthy(line, settings)


def _healthy(line: _Line, settings: Settings) -> tuple[str, int, int, str, str]:
    row = line.row
    own_new = round(settings.gate_growth * row["busy_new"])
    caps = {"published": settings.gate_new_per_day, "own": max(own_new, settings.gate_start)}
    left = {name: max(0, cap - line.new_today) for name, cap in caps.items()}
    if row["p_worse_24h"] is None:
        left["young"] = max(0, settings.gate_start - line.new_today)
    else:
        within = np.flatnonzero(line.chance <= settings.gate_risk)
        left["risk"] = int(within[-1]) if len(within) else 0
    bound, new = min(left.items(), key=lambda item: item[1])
    most = min(
        max(round(settings.gate_growth * row["busy_sends"]), 2 * caps["own"]) - line.sends_today,
        settings.ref_messages_per_day - line.messages_today,
    )
    sends = max(0, most)
    risk = row["p_worse_24h"]
    if risk is not None and risk >= settings.gate_risk:
        why = f"Healthy, but {percent(risk)} likely to turn worse within 24 h: open nothing new, keep to half of its usual day."
        return "slow", 0, min(sends, _slow_sends(line, settings)), "risk", why
    if not new or not sends:
        why = (
            _used_up(line, bound, caps, settings)
            if not new
            else f"{count(line.sends_today)} sent today: as many as it may."
        )
        return "slow", new, sends, bound, why
    return "send", min(new, sends), sends, bound, _reason(line, bound, caps, settings)


def _used_up(line: _Line, bound: str, caps: dict[str, int], settings: Settings) -> str:
    return f"{_limit(line, bound, caps, settings)}: nothing new any more today; known chats go on. {_opened(line)}."


def _reason(line: _Line, bound: str, caps: dict[str, int], settings: Settings) -> str:
    return f"{_limit(line, bound, caps, settings)}. {_opened(line)}."


def _opened(line: _Line) -> str:
    return f"{plural(line.new_today, 'new conversation') if line.new_today else 'No new conversation'} and {plural(line.sends_today, 'send')} so far today"


def _limit(line: _Line, bound: str, caps: dict[str, int], settings: Settings) -> str:
    if bound == "published":
        return f"Other vendors allow {count(caps['published'])} new ones a day"
    if bound == "risk":
        return f"More would bring its chance of turning worse within 24 h over {percent(settings.gate_risk)}, in this model"
    if bound == "young" or caps["own"] == settings.gate_start:
        return f"Its usual of new conversations is small or not known yet: {count(settings.gate_start)} a day to begin with"
    return f"Its busiest usual day had {count(line.row['busy_new'])}; {settings.gate_growth:g} times that is as far as it should go"
